"""Stores larger than memory: people are dealt into shards by a hash of their id, and each shard is loaded and built on its own.

People are independent (DESIGN rule 3), so a shard of a store is a store: nine tables and ``about.json``, read by the same ``Records.load``,
built by the same ``build_values``. What is finished carries its final name, because everything is written beside and renamed: a run that was
killed starts again with what is missing and ends with the same bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import resource
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
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
from features.engine.spec import Feature
from features.records import Records
from features.records.days import day_of, from_datetimes
from features.records.tables import TABLES

PEOPLE_PER_SHARD = 5_000
"""Usual size of a shard: 4 years of records of so many people load into some 250 MB."""
BATCH_ROWS = 65_536
BLOCK_ROWS = 50_000
"""Spine rows that are computed and written together: bounds the matrix in memory, whatever the spine asks of a shard."""
BUFFER_BYTES = 128 * 2**20
"""How much is held while dealing rows into shards, before it goes to the disk."""
OPEN_FILES = 400
"""Shard files open at once; more shards take another pass over the store."""
ROW = "spine_row"
"""Column of a dealt spine: the row's position in the spine as given, so that an error can name it."""
DONE = "complete"
FORMAT = 1

Progress = Callable[[str], None]


class StoreError(ValueError):
    """The store, the partition or the output folder cannot be used. The message says what to do."""


@dataclass(frozen=True)
class Job:
    """Everything that the build of one shard needs; small, so that it travels to another machine."""

    partition: Path
    spine: Path
    out: Path
    shards: int
    today: dt.date
    code: str
    features: tuple[Feature, ...]

    def part(self, shard: int) -> Path:
        return self.out / f"part-{shard:05}.parquet"

    def missing(self) -> list[int]:
        """Shards whose part is not there yet."""
        return [shard for shard in range(self.shards) if not self.part(shard).exists()]


# Dealing


def shard_of(patient_ids: pa.Array | pa.ChunkedArray, shards: int) -> npt.NDArray[np.int64]:
    """CRC-32 of the trimmed id modulo ``shards``; a row without an id goes to shard 0, whose load sets it aside.

    The same on every machine and in every version, and Spark SQL's ``crc32`` is the same function.
    """
    encoded = pc.dictionary_encode(pc.utf8_trim_whitespace(patient_ids.cast(pa.string())))
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    homes = np.array([zlib.crc32(word.encode()) % shards for word in encoded.dictionary.to_pylist()] + [0], np.int64)
    return homes[encoded.indices.fill_null(len(homes) - 1).to_numpy(zero_copy_only=False)]


def files_of(store: Path, table: str) -> list[Path]:
    """The Parquet files of a table: ``contacts.parquet``, or the files inside a folder of that name or of the table's, in order of name."""
    for found in (store / f"{table}.parquet", store / table):
        if found.is_file():
            return [found]
        if found.is_dir():
            return sorted(path for path in found.rglob("*.parquet") if not path.name.startswith(("_", ".")))
    return []


def partition(
    store: str | Path, out: str | Path, shards: int | None = None, *, progress: Progress = lambda _: None
) -> Path:
    """Deals a Parquet store into ``out/00000``, ``out/00001``, ..., each a store of its own; teams come along whole.

    Rows keep their order. Memory is bounded by ``BUFFER_BYTES`` and one batch, whatever the size of the store. A shard is complete when its
    folder holds the file ``complete``; shards that are complete are kept. Raises StoreError for a store that lacks a table or is CSV, and for a folder
    that holds the shards of other data.
    """
    store, out = Path(store), Path(out)
    files = _tables_of(store)
    shards = shards or shards_for(store)
    identity = {"format": FORMAT, "data": data_identity(store), "shards": shards}
    out.mkdir(parents=True, exist_ok=True)
    _same_or_new(out / "partition.json", identity, out)
    todo = [shard for shard in range(shards) if not (out / f"{shard:05}" / DONE).exists()]
    for first in range(0, len(todo), OPEN_FILES):
        group = todo[first : first + OPEN_FILES]
        making = {shard: out / f".{shard:05}" for shard in group}
        for folder in making.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for name, paths in files.items():
            progress(f"dealing {name} into {len(group)} shards")
            if not TABLES[name].per_patient:
                for folder in making.values():
                    pq.write_table(pq.read_table(paths), folder / f"{name}.parquet", compression="zstd")
                continue
            deal(batches_of(paths), {shard: folder / f"{name}.parquet" for shard, folder in making.items()}, shards)
        for shard, folder in making.items():
            finish_shard(store, folder, out / f"{shard:05}", shards)
    return out


def finish_shard(store: Path, folder: Path, final: Path, shards: int) -> None:
    """Adds ``about.json``, which says whose shard this is, and the mark that the shard is complete; then gives it its name."""
    about = {**about_of(store), "shard": int(final.name), "shards": shards}
    (folder / "about.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / DONE).write_text("", encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    folder.replace(final)


def about_of(store: Path) -> dict[str, Any]:
    about = store / "about.json"
    return dict(json.loads(about.read_text(encoding="utf-8"))) if about.exists() else {}


def shards_for(store: Path) -> int:
    """As many shards as keep each at about ``PEOPLE_PER_SHARD`` people."""
    people = sum(pq.read_metadata(path).num_rows for path in files_of(store, "patients"))
    return max(1, -(-people // PEOPLE_PER_SHARD))


def batches_of(paths: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """Rows of Parquet files in order, at least one (empty) batch, one schema."""
    schema = pq.read_schema(paths[0]).remove_metadata()
    yield pa.RecordBatch.from_pylist([], schema)
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield batch.replace_schema_metadata(None).select(schema.names).cast(schema)


def deal(batches: Iterable[pa.RecordBatch], files: Mapping[int, Path], shards: int) -> None:
    """Writes each row to the file of its patient's shard, in the order given; rows of shards not asked for are passed over."""
    writers: dict[int, pq.ParquetWriter] = {}
    held: dict[int, list[pa.RecordBatch]] = {shard: [] for shard in files}
    size = 0
    try:
        for batch in batches:
            if not writers:
                writers = {s: pq.ParquetWriter(path, batch.schema, compression="zstd") for s, path in files.items()}
            home = shard_of(batch.column("patient_id"), shards)
            order = np.argsort(home, kind="stable")
            there, starts, counts = np.unique(home[order], return_index=True, return_counts=True)
            batch = batch.take(pa.array(order))
            size += batch.nbytes
            for shard, start, count in zip(there.tolist(), starts.tolist(), counts.tolist(), strict=True):
                if shard in held:
                    held[shard].append(batch.slice(start, count))
            if size > BUFFER_BYTES:
                _flush(held, writers)
                size = 0
        _flush(held, writers)
    finally:
        for writer in writers.values():
            writer.close()


def _flush(held: dict[int, list[pa.RecordBatch]], writers: Mapping[int, pq.ParquetWriter]) -> None:
    for shard, batches in held.items():
        if batches:
            writers[shard].write_table(pa.Table.from_batches(batches))
            held[shard] = []


# Identity


def data_identity(store: Path) -> str:
    """SHA-256 over the store's table files and ``about.json``; of a partition, that of the store it was made from."""
    made = store / "partition.json"
    if made.exists():
        return str(json.loads(made.read_text(encoding="utf-8"))["data"])
    about = [store / "about.json"] if (store / "about.json").exists() else []
    return _hash_files(store, [path for name in TABLES for path in files_of(store, name)] + about)


def code_identity() -> str:
    """SHA-256 over the code and reference facts of ``features``: a folder never holds the parts of two definitions."""
    root = Path(__file__).resolve().parent.parent
    return _hash_files(root, sorted(path for end in ("*.py", "*.csv") for path in root.rglob(end)))


def catalogue_identity(features: Sequence[Feature]) -> str:
    return hashlib.sha256(json.dumps([asdict(f) for f in features], sort_keys=True).encode()).hexdigest()


def _hash_files(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(root).as_posix()}:{path.stat().st_size}:".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _tables_of(store: Path) -> dict[str, list[Path]]:
    if not store.is_dir():
        raise StoreError(f"{store} is not there; check the path, or make the store with upstream ingest")
    files = {name: files_of(store, name) for name in TABLES}
    gone = [name for name, paths in files.items() if not paths]
    if gone:
        raise StoreError(
            f"the store has no Parquet file of {', '.join(gone)}; a build in shards reads Parquet, so write the store with upstream ingest"
        )
    return files


def _same_or_new(path: Path, identity: Mapping[str, Any], folder: Path, more: Mapping[str, Any] | None = None) -> None:
    """Writes ``identity`` (and ``more``) where nothing stands yet; refuses a folder that was begun from anything else."""
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name, value in identity.items() if before.get(name) != value]
        if other:
            raise StoreError(
                f"{folder} was begun with other inputs ({', '.join(other)}); choose an empty folder, or remove this one"
            )
        return
    if any(folder.iterdir()):
        raise StoreError(f"{folder} holds other files; choose an empty folder")
    _write_json(path, {**identity, **(more or {})})


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


# The spine


def _spine_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The spine with ``as_of`` as a date and each row's position. Raises SpineError for rows without a readable date."""
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


def _deal_spine(job: Job, spine: Path, progress: Progress) -> None:
    """The rows of each shard in a file of its own, checked before anything is computed."""
    if (job.spine / DONE).exists():
        return
    shutil.rmtree(job.spine, ignore_errors=True)
    job.spine.mkdir()
    progress("dealing the spine")
    for first in range(0, job.shards, OPEN_FILES):
        group = range(first, min(first + OPEN_FILES, job.shards))
        deal(_spine_batches(spine), {shard: job.spine / f"{shard:05}.parquet" for shard in group}, job.shards)
    limit = day_of(job.today) + 1
    horizon: int | None = None
    for shard in range(job.shards):
        rows = pq.read_table(job.spine / f"{shard:05}.parquet", columns=["patient_id", "as_of", ROW])
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
    (job.spine / DONE).write_text("", encoding="utf-8")


def _last_day_known(job: Job) -> int:
    """Read only where a spine asks for days past today (synthetic records may lie there)."""
    return max(_load(job, shard).last_day_known() for shard in range(job.shards))


# Building


def _load(job: Job, shard: int) -> Records:
    return Records.load(job.partition / f"{shard:05}", today=job.today)


def schema_of(job: Job) -> pa.Schema:
    """The spine's columns followed by one float32 column a feature."""
    spine = pq.read_schema(job.spine / f"{0:05}.parquet")
    columns = [spine.field(name) for name in spine.names if name != ROW]
    return pa.schema([*columns, *(pa.field(feature.name, pa.float32()) for feature in job.features)])


def batches_of_shard(job: Job, shard: int, threads: int | None = None) -> Iterator[pa.RecordBatch]:
    """The feature rows of one shard's people, ordered by patient and date: what every runner of a sharded build calls."""
    spine = pq.read_table(job.spine / f"{shard:05}.parquet")
    schema = schema_of(job)
    if not len(spine):
        return
    records = _load(job, shard)
    person = records.positions(spine["patient_id"].to_numpy())
    day = spine["as_of"].cast(pa.int32()).to_numpy().astype(np.int32)
    order = np.lexsort((day, person))
    spine = spine.drop_columns([ROW]).take(pa.array(order)).combine_chunks()
    person, day = person[order], day[order]
    for first in range(0, len(order), BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, len(order))
        values = build_values(records, person[first:last], day[first:last], job.features, threads=threads)
        given = [column.combine_chunks() for column in spine.slice(first, last - first).columns]
        yield pa.RecordBatch.from_arrays([*given, *(pa.array(column) for column in values.T)], schema=schema)


def build_part(job: Job, shard: int, threads: int | None = None) -> dict[str, Any]:
    """Writes the part of one shard beside and renames it; a receipt: shard, rows, seconds, peak_mb of the process."""
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
    beside.replace(final)
    return {"shard": shard, "rows": rows, "seconds": time.perf_counter() - began, "peak_mb": peak_mb()}


def peak_mb() -> int:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def begin(
    store: Path,
    spine: Path,
    out: Path,
    features: Sequence[Feature],
    shards: int | None,
    progress: Progress,
    divide: Callable[..., Path] = partition,
) -> Job:
    """A job whose partition and dealt spine are ready. A store that is a partition already is used as it is."""
    made = (store / "partition.json").exists()
    if not spine.is_file():
        raise SpineError(f"{spine} is not there; give a Parquet or CSV file with patient_id and as_of")
    if not made:
        _tables_of(store)
    held = int(json.loads((store / "partition.json").read_text(encoding="utf-8"))["shards"]) if made else 0
    if held and shards not in (None, held):
        raise StoreError(f"the store is a partition of {held} shards, not {shards}; leave the number of shards out")
    manifest = out / "manifest.json"
    begun = json.loads(manifest.read_text(encoding="utf-8"))["shards"] if manifest.exists() else 0
    shards = held or shards or int(begun) or shards_for(store)
    identity = {
        "format": FORMAT,
        "data": data_identity(store),
        "spine": _hash_files(spine.parent, [spine]),
        "features": catalogue_identity(features),
        "code": code_identity(),
        "shards": shards,
    }
    out.mkdir(parents=True, exist_ok=True)
    start = {"today": dt.date.today().isoformat(), DONE: False, "synthetic": bool(about_of(store).get("synthetic"))}
    if made:
        start["synthetic"] = bool(about_of(store / f"{0:05}").get("synthetic"))
    _same_or_new(manifest, identity, out, start)
    today = dt.date.fromisoformat(json.loads(manifest.read_text(encoding="utf-8"))["today"])
    folder = store if made else out / ".shards"
    job = Job(folder, out / ".spine", out, shards, today, str(identity["code"]), tuple(features))
    if job.missing():
        _complete(store) if made else divide(store, folder, shards, progress=progress)
        _deal_spine(job, spine, progress)
    return job


def _complete(made: Path) -> None:
    shards = int(json.loads((made / "partition.json").read_text(encoding="utf-8"))["shards"])
    gone = [shard for shard in range(shards) if not (made / f"{shard:05}" / DONE).exists()]
    if gone:
        raise StoreError(f"{len(gone)} of {shards} shards of the partition are not complete; run the partition again")


def finish(job: Job, receipts: Sequence[Mapping[str, Any]], engine: str, began: float) -> dict[str, Any]:
    """Completes ``manifest.json`` and removes the copies of records that this build made for itself."""
    path = job.out / "manifest.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    if before[DONE]:
        return dict(before)
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
        "task_seconds": round(sum(receipt["seconds"] for receipt in receipts), 1),
        "peak_mb": max([peak_mb(), *(int(receipt["peak_mb"]) for receipt in receipts)]),
    }
    _write_json(path, manifest)
    for folder in (job.out / ".shards", job.out / ".spine"):
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
    shards: int | None = None,
    threads: int | None = 2,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Features of every row of ``spine`` (Parquet or CSV: patient_id, as_of, ...) from a Parquet store of any size; returns the manifest.

    ``out`` holds ``part-00000.parquet``, ...: the spine's columns (``as_of`` as a date) and one float32 column a feature, rows ordered by patient and
    date within each part. ``store`` may be a partition made before. A second call resumes. Raises StoreError, SpineError or RecordsError before anything is computed
    where the inputs cannot be used or ``out`` was begun from others.
    """
    began = time.perf_counter()
    job = begin(Path(store), Path(spine), Path(out), features, shards, progress)
    receipts = []
    for shard in job.missing():
        receipt = build_part(job, shard, threads)
        receipts.append(receipt)
        progress(f"shard {shard + 1} of {job.shards}: {receipt['rows']:,} rows, {receipt['seconds']:.1f} s")
    return finish(job, receipts, "local", began)


__all__ = [
    "Job",
    "StoreError",
    "begin",
    "build_part",
    "build_store",
    "finish",
    "partition",
    "shard_of",
]
