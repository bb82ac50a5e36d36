"""``upstream simulate``: its output says that all people are simulated, and the same seed gives the same bytes;
``--check`` reports and decides."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from training.simulator.rates import targets
from upstream import app

SMALL = ("--patients", "120", "--years", "1.5", "--teams", "3", "--seed", "4")


@pytest.fixture(scope="module")
def command():
    return lambda *words: CliRunner().invoke(app, ["simulate", *words])


@pytest.fixture(scope="module")
def homes(command, tmp_path_factory):
    """Two runs of one seed."""
    made = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for home in made:
        done = command(*SMALL, "--out", str(home / "store"), "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["synthetic"] is True
    return made


def test_the_same_seed_writes_the_same_bytes(homes):
    first, second = ({p.relative_to(h): p.read_bytes() for p in h.rglob("*") if p.is_file()} for h in homes)
    assert len(first) >= 11
    assert first == second


def test_every_file_says_that_it_is_synthetic(homes):
    for path in (p for p in homes[0].rglob("*") if p.is_file()):
        if path.suffix == ".json":
            assert json.loads(path.read_text())["synthetic"] is True, path.name
        elif path.suffix == ".parquet":
            assert pq.read_schema(path).metadata[b"synthetic"] == b"true", path.name
        else:
            assert pd.read_csv(path)["synthetic"].all(), path.name


def test_without_json_the_first_line_says_so_too(command, tmp_path):
    done = command("--patients", "5", "--years", "0.5", "--teams", "1", "--out", str(tmp_path / "store"))
    assert done.stdout.splitlines()[0] == "Synthetic records. None of these people exist."


@pytest.mark.slow
def test_check_reports_every_quantity_and_passes_on_the_trust_as_it_is(command):
    done = command("--check", "--patients", "1500", "--seed", "7", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert told["synthetic"] is True and told["patients"] == 1500
    assert told["quantities"] == len(told["rates"]) >= 40
    assert told["within"] == sum(row["within"] for row in told["rates"]) >= max(36, told["needed"])
    for row in told["rates"]:
        assert set(row) == {"name", "target", "low", "high", "value", "within", "source"}
        assert row["low"] <= row["high"]
        assert row["within"] == (row["value"] is not None and row["low"] <= row["value"] <= row["high"])


def test_check_ends_with_code_1_when_too_few_are_within(command, monkeypatch):
    monkeypatch.setattr(targets, "RATES", {})
    done = command("--check", "--patients", "60", "--years", "2", "--teams", "1")
    assert done.exit_code == 1
    assert f"{len(targets.SANITY)} within their ranges" in done.stdout
    assert done.stdout.startswith("Synthetic records.")


def test_simulate_without_a_folder_or_a_check_is_refused(command):
    assert command().exit_code == 2
