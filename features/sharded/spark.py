"""The sharded build on Apache Spark: Spark decides only where and when a shard is built.

Each task calls the functions of :mod:`features.sharded.local` on its shard and returns Arrow batches (``mapInArrow``),
so a local run and a run on a cluster write the same bytes. Needs the extra ``[spark]`` and a Java runtime; both are
checked only when something here is called.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import UpstreamError
from features.sharded.local import ShardJob, batches_of_shard, begin, build_part, finish, schema_of
from features.sharded.partition import (
    DONE,
    Progress,
    StoreError,
    code_identity,
    data_identity,
    finish_shard,
    same_or_new,
    shard_of,
    shards_for,
    tables_of,
)
from features.spec import Feature

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

RECEIPT = "shard long, rows long, seconds double, peak_mb long"
ROOT = Path(__file__).resolve().parents[2]
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""Set by spark-submit, which then decides the master, the memory and the addresses."""
_ONE_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""Settings for a run on one machine: nothing listens outside it. On a cluster, spark-submit sets where the driver
listens.
"""
_ALWAYS = {
    "spark.speculation": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "false",
}


class SparkMissing(UpstreamError, ValueError):
    """PySpark or Java is missing. The message says how to install it."""


def why_absent() -> str:
    """What Spark lacks on this machine; empty if it can run."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return (
            "PySpark is not installed; install the extra: pip install --constraint constraints.txt --editable "
            "'.[spark]'"
        )
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") or (home and (Path(home) / "bin" / "java").exists()):
        return ""
    return "no Java runtime is here; install one (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"


@contextmanager
def _arrow_only() -> Iterator[None]:
    """Hides PySpark's warning about pandas 3, which it gives for every function: ours see only Arrow batches."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield


@contextmanager
def session(master: str) -> Iterator[SparkSession]:
    """A Spark session on ``master``; stopped at the end unless it was running before. Raises SparkMissing."""
    absent = why_absent()
    if absent:
        raise SparkMissing(absent)
    from pyspark.sql import SparkSession

    with _arrow_only():
        running = SparkSession.getActiveSession()
        if running is not None:
            yield running
            return
        spark = _builder(master).getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        try:
            yield spark
        finally:
            spark.stop()


def _builder(master: str) -> SparkSession.Builder:
    from pyspark.sql import SparkSession

    builder: SparkSession.Builder = SparkSession.builder.appName("upstream features")
    settings = dict(_ALWAYS)
    if _SUBMITTED not in os.environ:
        builder = builder.master(master)
        if master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            settings |= {**_ONE_MACHINE, "spark.executorEnv.PYTHONPATH": os.pathsep.join(paths)}
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder


def build_store_on_spark(
    store: str | Path,
    spine: str | Path,
    out: str | Path,
    features: Sequence[Feature],
    *,
    master: str = "local[2]",
    shards: int | None = None,
    threads: int = 1,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """What :func:`features.sharded.local.build_store` does, shard by shard on Spark: the same parts byte for byte, the
    same manifest, the same resume.

    ``store``, ``spine`` and ``out`` lie on a file system that the driver and all workers see under one path.
    ``threads`` is per task. A run begun by one engine may be ended by the other. Raises SparkMissing, and what
    ``build_store`` raises.
    """
    began = time.perf_counter()
    with session(master) as spark:
        divide = partial(partition_on_spark, spark)
        job = begin(
            Path(store).absolute(), Path(spine).absolute(), Path(out).absolute(), features, shards, progress, divide
        )
        missing = job.missing()
        progress(f"{len(missing)} shards on {master}")
        receipts = []
        if missing:
            numbers = _numbers(spark, missing)
            receipts = [
                row.asDict() for row in numbers.mapInArrow(partial(_build_parts, job, threads), RECEIPT).collect()
            ]
        for receipt in receipts:
            progress(f"shard {receipt['shard'] + 1}: {receipt['rows']:,} rows, {receipt['seconds']:.1f} s")
    return finish(job, receipts, "spark", began)


def matrix_on_spark(spark: SparkSession, job: ShardJob, threads: int = 1) -> DataFrame:
    """The feature rows of a job (from :func:`features.sharded.local.begin`) as a Spark DataFrame, for further work in
    Spark.

    One task a shard; nothing is written. ``as_of`` is a date, features are floats, and what is missing is NaN, as in
    the parts.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    numbers = _numbers(spark, list(range(job.shards)))
    with _arrow_only():
        return numbers.mapInArrow(partial(_matrix, job, threads), from_arrow_schema(schema_of(job)))


def _numbers(spark: SparkSession, shards: list[int]) -> DataFrame:
    """One row and one task per shard."""
    context = spark.sparkContext
    return spark.createDataFrame(context.parallelize([(shard,) for shard in shards], len(shards)), "shard long")


def _build_parts(job: ShardJob, threads: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    _same_code(job)
    for shard in _asked(batches):
        yield pa.RecordBatch.from_pylist([build_part(job, shard, threads)])


def _matrix(job: ShardJob, threads: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    _same_code(job)
    for shard in _asked(batches):
        yield from batches_of_shard(job, shard, threads)


def _asked(batches: Iterator[pa.RecordBatch]) -> Iterator[int]:
    for batch in batches:
        yield from batch.column("shard").to_pylist()


def _same_code(job: ShardJob) -> None:
    if code_identity() != job.code:
        raise StoreError("this worker has another version of Upstream than the driver; give both the same archive")


# The first partitioning


def partition_on_spark(
    spark: SparkSession,
    store: str | Path,
    out: str | Path,
    shards: int | None = None,
    *,
    progress: Progress = lambda _: None,
) -> Path:
    """What :func:`features.sharded.partition.partition` does, for an extract too large for one machine: the same
    shards, rows in the same order.

    A table may be a folder of Parquet files. Spark reads, deals by ``crc32(patient_id)`` and sorts by file and row;
    the worker that writes a shard checks with ``shard_of`` that every row belongs there. An interrupted run deals
    again what is not complete.
    """
    store, out = Path(store).absolute(), Path(out).absolute()
    files = tables_of(store)
    shards = shards or shards_for(store)
    out.mkdir(parents=True, exist_ok=True)
    same_or_new(out / "partition.json", {"format": 1, "data": data_identity(store), "shards": shards}, out)
    todo = [shard for shard in range(shards) if not (out / f"{shard:05}" / DONE).exists()]
    for shard in todo:
        shutil.rmtree(out / f".{shard:05}", ignore_errors=True)
        (out / f".{shard:05}").mkdir()
    for name, paths in files.items() if todo else ():
        progress(f"dealing {name} into {len(todo)} shards")
        if name != "teams":
            _deal_table(spark, paths, name, out, shards, todo)
        else:
            for shard in todo:
                pq.write_table(pq.read_table(paths), out / f".{shard:05}" / f"{name}.parquet", compression="zstd")
    for shard in todo:
        folder = out / f".{shard:05}"
        schemas = {name: pq.read_schema(paths[0]).remove_metadata() for name, paths in files.items()}
        for name, schema in schemas.items():
            if not (folder / f"{name}.parquet").exists():
                pq.write_table(schema.empty_table(), folder / f"{name}.parquet", compression="zstd")
        finish_shard(store, folder, out / f"{shard:05}", shards)
    return out


def _deal_table(spark: SparkSession, paths: list[Path], name: str, out: Path, shards: int, todo: list[int]) -> None:
    from pyspark.sql import functions as f

    schema = pq.read_schema(paths[0]).remove_metadata()
    rows = spark.read.parquet(*(path.as_uri() for path in paths))
    text = f.regexp_replace(f.col("patient_id").cast("string"), r"(?U)^\s+|\s+$", "")
    home = f.coalesce(f.crc32(text.cast("binary")) % shards, f.lit(0)).cast("long")
    placed = rows.select("*", home.alias("_shard"), "_metadata.file_path", "_metadata.row_index")
    placed = placed.where(f.col("_shard").isin(todo)) if len(todo) < shards else placed
    dealt = placed.repartition(min(len(todo), 2_000), "_shard").sortWithinPartitions("_shard", "file_path", "row_index")
    with _arrow_only():
        written = dealt.mapInArrow(partial(_write_shards, out, name, shards, schema), "shard long, rows long").collect()
    wanted = sum(pq.read_metadata(path).num_rows for path in paths)
    if len(todo) == shards and sum(row["rows"] for row in written) != wanted:
        raise StoreError(f"{name}: the shards do not hold the {wanted:,} rows of the store; run the partition again")


def _write_shards(
    out: Path, name: str, shards: int, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Rows come sorted by shard, so one file is open at a time."""
    open_shard, rows, writer = -1, 0, None
    for batch in batches:
        homes = batch.column("_shard").to_numpy()
        mine = pa.RecordBatch.from_arrays(
            [_as(batch.column(field.name), field.type) for field in schema], schema=schema
        )
        if (shard_of(mine.column("patient_id"), shards) != homes).any():
            raise StoreError(f"{name}: Spark and Python place a patient id in different shards; trim the ids first")
        start = 0
        while start < len(batch):
            shard = int(homes[start])
            stop = start + int((homes[start:] == shard).sum())
            if shard != open_shard:
                if writer is not None:
                    writer.close()
                    yield pa.RecordBatch.from_pylist([{"shard": open_shard, "rows": rows}])
                writer = pq.ParquetWriter(out / f".{shard:05}" / f"{name}.parquet", schema, compression="zstd")
                open_shard, rows = shard, 0
            assert writer is not None
            writer.write_batch(mine.slice(start, stop - start))
            rows += stop - start
            start = stop
    if writer is not None:
        writer.close()
        yield pa.RecordBatch.from_pylist([{"shard": open_shard, "rows": rows}])


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The type that the store's file had, because Spark widens times to microseconds in UTC."""
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return column.cast(kind)


__all__ = ["SparkMissing", "build_store_on_spark", "matrix_on_spark", "partition_on_spark", "session", "why_absent"]
