"""Builds larger than memory: each shard of people is loaded and built on its own, by the same ``build_values`` as
every build.

A shard of a store is a store (:mod:`features.sharded.partition`). Parts are written to a temporary file and renamed,
so an interrupted run resumes with the missing parts and gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.engine.build import build_values
from features.engine.matrix import SpineError
from features.records import Records
from features.records.days import day_of, from_datetimes
from features.sharded.partition import (
    DONE,
    FORMAT,
    OPEN_FILES,
    Progress,
    StoreError,
    about_of,
    batches_of,
    catalogue_identity,
    code_identity,
    data_identity,
    deal,
    hash_files,
    partition,
    same_or_new,
    shards_for,
    tables_of,
    write_json,
)
from features.sharded.share import Share
from features.spec import Feature

BLOCK_ROWS = 50_000
"""Spine rows that are computed and written together, which limits the memory of the matrix."""
RECEIPTS = ".receipts"
"""Folder in the output with one file for each part: its rows, seconds and peak memory."""
ROW = "spine_row"
"""Column of a dealt spine: the row's position in the original spine, for error messages."""


@dataclass(frozen=True)
class ShardJob:
    """Everything that the build of one shard needs; small, so that it can be sent to another machine."""

    partition: Path
    spine: Path
    out: Path
    shards: int
    today: dt.date
    code: str
    features: tuple[Feature, ...]
    share: Share

    def part(self, shard: int) -> Path:
        return self.out / f"part-{shard:05}.parquet"

    def rows_of(self, shard: int) -> Path:
        """The rows of the spine that belong to the people of a shard."""
        return self.spine / f"{shard:05}.parquet"

    def receipt(self, shard: int) -> Path:
        return self.out / RECEIPTS / f"{shard:05}.json"

    def missing(self) -> list[int]:
        """Shards of this run without a finished part."""
        return [shard for shard in range(self.share.first, self.share.last + 1) if not self.part(shard).exists()]

    def left(self) -> int:
        """How many shards of the whole build have no finished part."""
        return sum(not self.part(shard).exists() for shard in range(self.shards))


# The spine


def _spine_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The spine with ``as_of`` as a date and each row's position. Raises SpineError for rows without a readable
    date."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig") as file:
            names = [name.strip().strip('"') for name in file.readline().split(",")]
        convert = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
        given: Iterator[pa.RecordBatch] = iter(pacsv.open_csv(path, convert_options=convert))
    else:
        given = batches_of([path])
    done = 0
    for batch in given:
        gone = [name for name in ("patient_id", "as_of") if name not in batch.schema.names]
        if gone:
            raise SpineError(f"the spine lacks {' and '.join(gone)}; it needs patient_id and as_of, one row a score")
        rows = np.arange(done, done + len(batch), dtype=np.int64)
        done += len(batch)
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns["patient_id"] = pc.utf8_trim_whitespace(columns["patient_id"].cast(pa.string()))
        columns["as_of"] = _dates(columns["as_of"], rows)
        yield pa.RecordBatch.from_pydict({**columns, ROW: pa.array(rows)})


def _dates(values: pa.Array, rows: npt.NDArray[np.int64]) -> pa.Array:
    import pandas as pd

    try:
        day, missing = from_datetimes(pd.Series(pd.to_datetime(values.to_pandas())))
    except (ValueError, TypeError):
        raise SpineError("as_of holds values that are not dates; write YYYY-MM-DD") from None
    _refuse(rows[missing], "as_of is missing", "give each row a date")
    return pa.array(day, pa.int32()).cast(pa.date32())


def _refuse(rows: npt.NDArray[np.int64], what: str, do: str) -> None:
    if len(rows):
        named = ", ".join(map(str, sorted(rows.tolist())[:5])) + (", ..." if len(rows) > 5 else "")
        raise SpineError(f"{len(rows)} rows of the spine ({named}): {what}; {do}")


def _deal_spine(job: ShardJob, spine: Path, progress: Progress) -> None:
    """Writes the rows of each shard of this run to a file of its own. All are checked before the first is used."""
    todo = [shard for shard in job.missing() if not job.rows_of(shard).exists()]
    if not todo:
        return
    job.spine.mkdir(exist_ok=True)
    progress("dealing the spine")
    beside = {shard: job.spine / f".{shard:05}.{os.getpid()}.parquet" for shard in todo}
    for first in range(0, len(todo), OPEN_FILES):
        group = todo[first : first + OPEN_FILES]
        deal(_spine_batches(spine), {shard: beside[shard] for shard in group}, job.shards)
    limit = day_of(job.today) + 1
    horizon: int | None = None
    for shard in todo:
        rows = pq.read_table(beside[shard], columns=["patient_id", "as_of", ROW])
        place = rows[ROW].to_numpy()
        people = pq.read_table(job.partition / f"{shard:05}" / "patients.parquet", columns=["patient_id"])[0]
        known = pc.is_in(rows["patient_id"], pc.utf8_trim_whitespace(people.cast(pa.string())).combine_chunks())
        _refuse(
            place[~known.to_numpy()],
            "the patient is not in the records",
            "add the person to the patients table, even with no other row",
        )
        day = rows["as_of"].cast(pa.int32()).to_numpy()
        if (day > limit).any():
            horizon = max(limit, _last_day_known(job) + 1) if horizon is None else horizon
            _refuse(
                place[day > horizon], "as_of lies in the future", "ask for today or earlier; features read the past"
            )
        codes = rows["patient_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        pair = codes.astype(np.int64) * 2**32 + day
        first_seen = np.unique(pair, return_index=True)[1]
        again = np.delete(place, first_seen)
        _refuse(again, "the same patient and date stand in an earlier row", "keep one of them")
    for shard in todo:
        beside[shard].replace(job.rows_of(shard))


def _last_day_known(job: ShardJob) -> int:
    """Read only if a spine asks for days after today (synthetic records may lie there). Of the shards that are dealt: a
    job of an array may know its own alone."""
    dealt = (shard for shard in range(job.shards) if (job.partition / f"{shard:05}" / DONE).exists())
    return max(_load(job, shard).last_day_known() for shard in dealt)


# Building


def _load(job: ShardJob, shard: int) -> Records:
    return Records.load(job.partition / f"{shard:05}", today=job.today, keep_columns=False)


def schema_of(job: ShardJob) -> pa.Schema:
    """The spine's columns followed by one float32 column a feature."""
    dealt = (job.rows_of(shard) for shard in range(job.share.first, job.share.last + 1))
    spine = pq.read_schema(next(path for path in dealt if path.exists()))
    columns = [spine.field(name) for name in spine.names if name != ROW]
    return pa.schema([*columns, *(pa.field(feature.name, pa.float32()) for feature in job.features)])


def batches_of_shard(job: ShardJob, shard: int, threads: int | None = None) -> Iterator[pa.RecordBatch]:
    """The feature rows of one shard's people, ordered by patient and date: what every runner of a sharded build
    calls."""
    spine = pq.read_table(job.rows_of(shard))
    schema = schema_of(job)
    if not len(spine):
        return
    records = _load(job, shard)
    person = records.positions(spine["patient_id"])
    day = spine["as_of"].cast(pa.int32()).to_numpy().astype(np.int32)
    order = np.lexsort((day, person))
    spine = spine.drop_columns([ROW]).take(pa.array(order)).combine_chunks()
    person, day = person[order], day[order]
    for first in range(0, len(order), BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, len(order))
        values = build_values(records, person[first:last], day[first:last], job.features, threads=threads)
        given = [column.combine_chunks() for column in spine.slice(first, last - first).columns]
        yield pa.RecordBatch.from_arrays([*given, *(pa.array(column) for column in values.T)], schema=schema)


def build_part(job: ShardJob, shard: int, threads: int | None = None) -> dict[str, Any]:
    """Writes the part of one shard to a temporary file and renames it. Returns a receipt: shard, rows, seconds,
    peak_mb of the process.
    """
    began = time.perf_counter()
    final = job.part(shard)
    beside = final.with_name(f".{final.name}.{os.getpid()}")
    rows = 0
    with pq.ParquetWriter(beside, schema_of(job), compression="zstd") as writer:
        for batch in batches_of_shard(job, shard, threads):
            writer.write_batch(batch)
            rows += len(batch)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    receipt = {"shard": shard, "rows": rows, "seconds": time.perf_counter() - began, "peak_mb": peak_mb()}
    job.receipt(shard).parent.mkdir(exist_ok=True)
    write_json(job.receipt(shard), receipt)
    beside.replace(final)
    return receipt


def peak_mb() -> int:
    """The peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def begin(
    store: Path,
    spine: Path,
    out: Path,
    features: Sequence[Feature],
    asked: int | Share | None,
    progress: Progress,
    divide: Callable[..., Path] = partition,
) -> ShardJob:
    """A job whose partition and dealt spine are ready. A store that is already a partition is used as it is.

    Of a share only its own shards are dealt, so that the jobs of an array may begin at the same moment.
    """
    share = asked if isinstance(asked, Share) else None
    number = asked.shards if isinstance(asked, Share) else asked
    made = (store / "partition.json").exists()
    if not spine.is_file():
        raise SpineError(f"{spine} is not there; give a Parquet or CSV file with patient_id and as_of")
    if not made:
        tables_of(store)
    held = int(json.loads((store / "partition.json").read_text(encoding="utf-8"))["shards"]) if made else 0
    if held and number not in (None, held):
        raise StoreError(f"the store is a partition of {held} shards, not {number}; leave the number of shards out")
    manifest = out / "manifest.json"
    begun = json.loads(manifest.read_text(encoding="utf-8"))["shards"] if manifest.exists() else 0
    shards = held or number or int(begun) or shards_for(store)
    identity = {
        "format": FORMAT,
        "data": data_identity(store),
        "spine": hash_files(spine.parent, [spine]),
        "features": catalogue_identity(features),
        "code": code_identity(),
        "shards": shards,
    }
    out.mkdir(parents=True, exist_ok=True)
    start = {"today": dt.date.today().isoformat(), DONE: False, "synthetic": bool(about_of(store).get("synthetic"))}
    if made:
        start["synthetic"] = bool(about_of(store / f"{0:05}").get("synthetic"))
    same_or_new(manifest, identity, out, start)
    today = dt.date.fromisoformat(json.loads(manifest.read_text(encoding="utf-8"))["today"])
    folder = store if made else out / ".shards"
    share = share or Share(0, shards - 1, shards)
    job = ShardJob(folder, out / ".spine", out, shards, today, str(identity["code"]), tuple(features), share)
    if job.missing():
        if made:
            _complete(store)
        elif share.whole:
            divide(store, folder, shards, progress=progress)
        else:
            divide(store, folder, shards, only=job.missing(), progress=progress)
        _deal_spine(job, spine, progress)
    return job


def _complete(made: Path) -> None:
    shards = int(json.loads((made / "partition.json").read_text(encoding="utf-8"))["shards"])
    gone = [shard for shard in range(shards) if not (made / f"{shard:05}" / DONE).exists()]
    if gone:
        raise StoreError(f"{len(gone)} of {shards} shards of the partition are not complete; run the partition again")


def finish(job: ShardJob, receipts: Sequence[Mapping[str, Any]], engine: str, began: float) -> dict[str, Any]:
    """Completes ``manifest.json`` and deletes the copies of records that this build made for itself.

    While other jobs of an array have shards to build, the manifest stays as it is; the last one to end completes it.
    ``seconds`` is the time of the run that ended last, ``task_seconds`` the sum over all parts of all runs.
    """
    path = job.out / "manifest.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    if before[DONE]:
        return dict(before)
    if unbuilt := job.left():
        return {**before, "built_now": len(receipts), "left": unbuilt}
    try:
        kept = [json.loads(job.receipt(shard).read_text(encoding="utf-8")) for shard in range(job.shards)]
    except FileNotFoundError:  # another job ended at the same moment and completed the manifest
        return dict(json.loads(path.read_text(encoding="utf-8")))
    rows = [pq.read_metadata(job.part(shard)).num_rows for shard in range(job.shards)]
    manifest = {
        **before,
        DONE: True,
        "engine": engine,
        "rows": sum(rows),
        "rows_by_part": rows,
        "columns": [feature.name for feature in job.features],
        "built_now": len(receipts),
        "seconds": round(time.perf_counter() - began, 1),
        "task_seconds": round(sum(receipt["seconds"] for receipt in kept), 1),
        "peak_mb": max([peak_mb(), *(int(receipt["peak_mb"]) for receipt in kept)]),
    }
    write_json(path, manifest)
    for folder in (job.out / ".shards", job.out / ".spine", job.out / RECEIPTS):
        shutil.rmtree(folder, ignore_errors=True)
    for left in job.out.glob(".part-*"):
        left.unlink()
    return manifest


def build_store(
    store: str | Path,
    spine: str | Path,
    out: str | Path,
    features: Sequence[Feature],
    *,
    shards: int | Share | None = None,
    threads: int | None = 2,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Features of every row of ``spine`` (Parquet or CSV: patient_id, as_of, ...) from a Parquet store of any size;
    returns the manifest.

    ``out`` holds ``part-00000.parquet``, ...: the spine's columns (``as_of`` as a date) and one float32 column a
    feature, rows ordered by patient and date within each part. ``store`` may be a partition made before. A second call
    resumes. With a :class:`Share` only its shards are built, and the manifest says ``left`` until the last job ends.
    Raises StoreError, SpineError or RecordsError before anything is computed if the inputs cannot be used or ``out``
    was begun from other inputs.
    """
    began = time.perf_counter()
    job = begin(Path(store), Path(spine), Path(out), features, shards, progress)
    receipts = []
    for shard in job.missing():
        receipt = build_part(job, shard, threads)
        receipts.append(receipt)
        progress(f"shard {shard + 1} of {job.shards}: {receipt['rows']:,} rows, {receipt['seconds']:.1f} s")
    return finish(job, receipts, "local", began)


__all__ = ["ShardJob", "begin", "build_part", "build_store", "finish"]
