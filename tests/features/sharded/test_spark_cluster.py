"""Spark as a cluster of real processes (a master, two workers, ``spark-submit``): the same bytes as one machine writes,
with a shard that has ten times the rows of the others, and with a worker that dies in the middle."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import CATALOGUE
from features.sharded import spark
from features.sharded.local import build_store
from features.sharded.partition import shard_of
from tests.features.sharded.standalone import standalone
from training.simulator import simulate

pytestmark = [pytest.mark.spark, pytest.mark.skipif(bool(spark.why_absent()), reason=spark.why_absent() or "here")]

SHARDS, LARGE = 24, 0
"""Enough shards that many are left when the first is done; the people of ``LARGE`` have ten times the dates."""


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    records = simulate(patients=150, years=2, seed=17).records
    records.save(folder / "store")
    last = pd.Timestamp(records["results"]["taken_on"].max())
    homes = shard_of(pa.array(records.patient_ids), SHARDS)
    dates = np.where(homes == LARGE, 20, 2)
    rows = [
        (who, last - pd.Timedelta(days=20 * back))
        for who, many in zip(records.patient_ids, dates.tolist(), strict=True)
        for back in range(1, many + 1)
    ]
    pd.DataFrame(rows, columns=["patient_id", "as_of"]).to_parquet(folder / "spine.parquet", index=False)
    return folder


def parts(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}


def test_a_worker_that_dies_in_the_middle_changes_no_byte(trust: Path, tmp_path: Path):
    whole = build_store(trust / "store", trust / "spine.parquet", trust / "local", tuple(CATALOGUE), shards=SHARDS)
    by_part = sorted(whole["rows_by_part"])
    assert whole["rows_by_part"][LARGE] == by_part[-1] > 3 * by_part[-2]
    out = tmp_path / "out"
    words = ("--store", str(trust / "store"), "--spine", str(trust / "spine.parquet"), "--out", str(out))
    with standalone(tmp_path / "cluster") as cluster:
        run = cluster.submit("features", "build", *words, "--engine", "spark", "--shards", str(SHARDS), "--json")
        while not parts(out) and run.poll() is None:
            time.sleep(0.01)
        cluster.kill_worker(0)
        left = SHARDS - len(parts(out))
        said, errors = run.communicate(timeout=900)
        assert run.returncode == 0, (said + errors)[-3000:]
    made = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert left > 0, "the worker must die before the last part is there"
    assert made["complete"] and made["engine"] == "spark" and made["built_now"] == SHARDS
    assert parts(out) == parts(trust / "local")
