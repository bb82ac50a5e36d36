"""On 50 people we, timeseriesflattener and DuckDB say the same. The speed of each is a benchmark, never a test."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks import duckdb_query, ours, peers, tsf
from tests.benchmarks.peers import AS_OF, TINY, WINDOWS, make_up


def values_of(side: ModuleType, folder: Path) -> np.ndarray:
    done = side.load(folder)
    for _, stage in side.STAGES:
        done = stage(done)
    return side.in_order(done)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Made-up events, with some of the first person's on each edge of the first date's windows."""
    folder = make_up(TINY, tmp_path)
    events = pd.read_parquet(folder / "events.parquet")
    edges = [0, 1, *(day for window in WINDOWS for day in (window, window + 1))]
    extra = pd.DataFrame({"day": pd.Timestamp(AS_OF[0]) - pd.to_timedelta(edges, unit="D"), "value": 50.0})
    extra = extra.assign(patient_id="p0000000", person=0)
    pd.concat([events, extra])[events.columns].to_parquet(folder / "events.parquet", index=False)
    return folder


def slow(folder: Path) -> np.ndarray:
    """Counts and sums the obvious way."""
    events, spine = (pd.read_parquet(folder / f"{name}.parquet") for name in ("events", "spine"))
    rows = []
    for person, as_of in zip(spine["person"], spine["as_of"], strict=True):
        mine = events[events["person"] == person]
        age = (as_of - mine["day"]).dt.days
        inside = [mine["value"][(age >= 1) & (age <= window)] for window in WINDOWS]
        rows.append([*map(len, inside), *(part.sum() for part in inside)])
    return np.array(rows, float)


def test_ours_counts_and_sums_half_open_windows(made: Path) -> None:
    np.testing.assert_array_equal(values_of(ours, made), slow(made))


@pytest.mark.filterwarnings("ignore:::timeseriesflattener")
@pytest.mark.parametrize(("side", "package"), [(tsf, "timeseriesflattener"), (duckdb_query, "duckdb")])
def test_each_peer_gives_our_values(side: ModuleType, package: str, made: Path) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: pip install -e '.[bench]'")
    np.testing.assert_array_equal(values_of(side, made), values_of(ours, made))


@pytest.mark.filterwarnings("ignore:::timeseriesflattener")
@pytest.mark.parametrize(("side", "package"), [(ours, "numpy"), (tsf, "timeseriesflattener"), (duckdb_query, "duckdb")])
def test_values_from_the_file_are_those_of_memory(side: ModuleType, package: str, made: Path) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: pip install -e '.[bench]'")
    ours.prepare(made)
    done = made
    for stage in side.FROM_FILE:
        done = stage(done)
    np.testing.assert_array_equal(side.in_order(done), values_of(ours, made))


@pytest.mark.parametrize(
    ("small", "large", "memory", "ok"),
    [(30, 60, 5, True), (29, 60, 5, False), (30, 59, 5, False), (30, 60, 4, False)],
)
def test_a_benchmark_passes_only_if_both_sizes_reach_their_floors(monkeypatch, small, large, memory, ok):
    ratios = {peers.SMALL: small, peers.LARGE: large}
    for measured in ("at", "from_file"):
        monkeypatch.setattr(
            peers, measured, lambda people, *_: {"ratio": ratios[people], "memory_ratio": memory, "peer": 0.1}
        )
    floor = peers.Floor(60.0, 30.0, 5.0)
    assert [line["ok"] for line in peers.lines("x", "tsf", floor, floor, dict)] == [ok, ok]
