"""``upstream features build`` as a person runs it: a spine or one day, started again after a kill. What
is killed and its successor are processes. The other engine is in test_spark.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import Records, build
from tests.conftest import ROOT
from tests.conftest import command as in_process
from training.simulator import simulate


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of 90 people and ``spine.csv``: each of them on two days."""
    folder = tmp_path_factory.mktemp("build")
    records = simulate(patients=90, years=2, seed=5).records
    records.save(folder / "store")
    last = pd.Timestamp(records["results"]["taken_on"].max())
    rows = [(who, (last - pd.Timedelta(days=back)).date()) for who in records.patient_ids for back in (300, 30)]
    pd.DataFrame(rows, columns=["patient_id", "as_of"]).to_csv(folder / "spine.csv", index=False)
    return folder


def command(trust: Path, *words: str) -> list[str]:
    return ["features", "build", "--store", str(trust / "store"), *words]


def run(trust: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return in_process(*command(trust, *words), ok=False)


def process_of(trust: Path, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "upstream.py"), *command(trust, *words)]


def run_apart(trust: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(process_of(trust, *words), capture_output=True, text=True, timeout=200, check=False)


def parts(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}


@pytest.fixture(scope="module")
def whole(trust: Path) -> Path:
    out = trust / "whole"
    done = run(trust, "--spine", str(trust / "spine.csv"), "--out", str(out), "--shards", "6", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["complete"] and report["rows"] == 180 and report["shards"] == 6 and report["synthetic"]
    return out


def test_the_parts_hold_what_build_gives(trust: Path, whole: Path):
    got = pa.concat_tables([pq.read_table(path) for path in sorted(whole.glob("part-*.parquet"))]).to_pandas()
    got = got.sort_values(["patient_id", "as_of"], ignore_index=True)
    asked = pd.read_csv(trust / "spine.csv").sort_values(["patient_id", "as_of"], ignore_index=True)
    wanted = build(Records.load(trust / "store"), asked)
    assert got["patient_id"].tolist() == asked["patient_id"].tolist()
    assert got[list(wanted.names)].to_numpy("float32").tobytes() == wanted.values.tobytes()


def test_a_killed_build_resumes_to_the_same_bytes(trust: Path, whole: Path):
    out = trust / "killed"
    words = ("--spine", str(trust / "spine.csv"), "--out", str(out), "--shards", "6", "--json")
    process = subprocess.Popen(process_of(trust, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("part-*.parquet")):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = len(parts(out))
    done = run_apart(trust, *words)
    assert done.returncode == 0, done.stderr
    assert there >= 1 and (there == 6 or json.loads(done.stdout)["built_now"] == 6 - there)
    assert parts(out) == parts(whole)


def test_everybody_on_one_day(trust: Path):
    done = run(trust, "--as-of", "2025-06-02", "--out", str(trust / "day"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 90


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--spine FILE, or --as-of YYYY-MM-DD"),
        (("--as-of", "June"), "--as-of is not a date; write YYYY-MM-DD"),
        (("--spine", "nowhere.csv"), "nowhere.csv is not there"),
    ],
)
def test_what_cannot_be_built_says_what_to_do(trust: Path, words: tuple[str, ...], says: str):
    done = run(trust, "--out", str(trust / "no"), *words)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr
