"""Spark decides where a shard is built, never how: the same bytes as the local run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features import CATALOGUE, Records, build
from features.records.tables import TABLES
from features.sharded import spark
from features.sharded.local import begin, build_part, build_store
from features.sharded.partition import StoreError, partition
from tests.conftest import command
from tests.examples import examples
from training.simulator import simulate

pytestmark = [pytest.mark.spark, pytest.mark.skipif(bool(spark.why_absent()), reason=spark.why_absent() or "here")]

FEATURES = tuple(CATALOGUE)
BATCH_ROWS = 500
"""Rows of a batch that Spark hands over: few, so that a shard comes in several and a batch has rows of several shards,
as in a large trust (there 10,000)."""


def made(folder: Path, people: int) -> tuple[Path, Path]:
    records = simulate(patients=people, years=2, seed=17).records
    last = pd.Timestamp(records["results"]["taken_on"].max())
    dates = [last - pd.Timedelta(days=300), last - pd.Timedelta(days=20)]
    ids = records.patient_ids
    rows = pd.DataFrame({"patient_id": np.tile(ids, 2), "as_of": np.repeat(dates, len(ids))})
    rows.to_parquet(folder / "spine.parquet", index=False)
    return records.save(folder / "store"), folder / "spine.parquet"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made(tmp_path_factory.mktemp("trust"), examples(300))


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """One session for the module: what asks for a session here finds this one running."""
    with spark.session("local[2]") as running:
        running.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", BATCH_ROWS)
        yield running


def parts(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}


def test_a_build_on_spark_writes_the_same_bytes(inputs: tuple[Path, Path], session: Any, tmp_path: Path):
    local = build_store(*inputs, tmp_path / "local", FEATURES, shards=4)
    there = spark.build_store_on_spark(*inputs, tmp_path / "spark", FEATURES, shards=4)
    assert parts(tmp_path / "spark") == parts(tmp_path / "local") and len(parts(tmp_path / "local")) == 4
    same = ("data", "spine", "features", "code", "rows", "rows_by_part", "columns", "shards", "synthetic")
    assert {name: there[name] for name in same} == {name: local[name] for name in same}
    assert there["engine"] == "spark" and there["built_now"] == 4


def test_spark_deals_an_extract_as_one_machine_does(inputs: tuple[Path, Path], session: Any, tmp_path: Path):
    store, _ = inputs
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    names = [path.stem for path in sorted(store.glob("*.parquet")) if path.stem != "unread"]
    assert set(names) >= set(TABLES) and "contacts_versions" in names, "earlier versions of rows are dealt too"
    for name in names:
        rows = pq.read_table(store / f"{name}.parquet")
        (pieces / name).mkdir()
        pq.write_table(rows.slice(0, len(rows) // 3), pieces / name / "0.parquet", row_group_size=1000)
        pq.write_table(rows.slice(len(rows) // 3), pieces / name / "1.parquet", row_group_size=1000)
    assert len(pq.read_table(store / "contacts.parquet")) > 5 * 3 * BATCH_ROWS, "each shard comes in several batches"
    for name in ("about.json", "unread.parquet"):
        if (store / name).exists():
            (pieces / name).write_bytes((store / name).read_bytes())
    here = partition(store, tmp_path / "here", 5)
    there = spark.partition_on_spark(session, pieces, tmp_path / "there", 5)
    for shard in range(5):
        for name in names:
            file = f"{shard:05}/{name}.parquet"
            mine, other = pq.read_table(here / file), pq.read_table(there / file)
            assert mine.replace_schema_metadata().equals(other.replace_schema_metadata()), file
        assert Records.load(here / f"{shard:05}").data_hash == Records.load(there / f"{shard:05}").data_hash


def test_spark_finishes_a_build_that_one_machine_began(inputs: tuple[Path, Path], session: Any, tmp_path: Path):
    build_store(*inputs, tmp_path / "local", FEATURES[::20], shards=3)
    job = begin(*inputs, tmp_path / "both", FEATURES[::20], 3, lambda _: None)
    build_part(job, 1)
    done = spark.build_store_on_spark(*inputs, tmp_path / "both", FEATURES[::20])
    assert done["built_now"] == 2 and parts(tmp_path / "both") == parts(tmp_path / "local")


def test_the_matrix_as_a_spark_frame(inputs: tuple[Path, Path], session: Any, tmp_path: Path):
    job = begin(*inputs, tmp_path / "out", FEATURES[::20], 3, lambda _: None)
    table = spark.matrix_on_spark(session, job).toArrow().sort_by([("patient_id", "ascending"), ("as_of", "ascending")])
    asked = pd.read_parquet(inputs[1]).sort_values(["patient_id", "as_of"])
    wanted = build(Records.load(inputs[0]), asked, FEATURES[::20])
    assert table["patient_id"].to_pylist() == asked["patient_id"].tolist()
    got = np.column_stack([table[name].to_numpy() for name in wanted.names])
    assert got.dtype == np.float32 and np.ascontiguousarray(got).tobytes() == wanted.values.tobytes()


def test_upstream_features_build_on_spark_writes_the_same_bytes(
    inputs: tuple[Path, Path], session: Any, tmp_path: Path
):
    """The command finds the running session; tests/features/sharded/test_spark_cluster.py runs it as a process."""
    store, spine = inputs
    build_store(store, spine, tmp_path / "local", FEATURES, shards=2)
    words = ("--store", store, "--spine", spine, "--out", tmp_path / "spark", "--shards", "2", "--engine", "spark")
    done = command("features", "build", *words, "--json")
    assert json.loads(done.stdout)["engine"] == "spark" and parts(tmp_path / "spark") == parts(tmp_path / "local")


def test_nothing_listens_beyond_this_machine(session: Any):
    conf = session.sparkContext.getConf()
    assert conf.get("spark.driver.bindAddress") == conf.get("spark.driver.host") == "127.0.0.1"
    assert conf.get("spark.ui.enabled") == "false" and session.sparkContext.uiWebUrl is None


def test_a_worker_of_another_version_refuses(inputs: tuple[Path, Path], tmp_path: Path):
    from dataclasses import replace

    job = begin(*inputs, tmp_path / "out", FEATURES[::20], 3, lambda _: None)
    with pytest.raises(StoreError, match="another version of Upstream than the driver"):
        list(spark._build_parts(replace(job, code="older"), 1, iter([])))
