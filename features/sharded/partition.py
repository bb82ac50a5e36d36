"""Splits a Parquet store into shards of people by a hash of their id. Each shard is a store of its own.

People are independent (docs/architecture.md rule 3). Everything is written to a temporary name and renamed, so a
final name means a finished file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import UpstreamError
from features.records.reading.checksums import CHECKSUMS, checksums_of
from features.records.reading.files import UNREAD, read_unread, versions_file
from features.records.reading.ids import clean_ids
from features.records.tables import TABLES
from features.spec import Feature

PEOPLE_PER_SHARD = 5_000
"""Usual number of people in a shard: 4 years of their records load into about 250 MB."""
BATCH_ROWS = 65_536
BUFFER_BYTES = 128 * 2**20
"""Bytes held in memory while dealing rows into shards, before they are written."""
OPEN_FILES = 400
"""Shard files open at once; more shards need another pass over the store."""
DONE = "complete"
FORMAT = 1

Progress = Callable[[str], None]


class StoreError(UpstreamError, ValueError):
    """The store, the partition or the output folder cannot be used. The message says what to do."""


def shard_of(patient_ids: pa.Array | pa.ChunkedArray, shards: int) -> npt.NDArray[np.int64]:
    """CRC-32 of the cleaned id modulo ``shards``; a row without an id goes to shard 0, whose load sets it aside.

    The same on every machine and in every version, and Spark SQL's ``crc32`` is the same function.
    """
    encoded = pc.dictionary_encode(patient_ids.cast(pa.string()))
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    words = clean_ids(encoded.dictionary).to_pylist()
    homes = np.array([0 if word is None else zlib.crc32(word.encode()) % shards for word in words] + [0], np.int64)
    return homes[encoded.indices.fill_null(len(homes) - 1).to_numpy(zero_copy_only=False)]


def files_of(store: Path, table: str) -> list[Path]:
    """The Parquet files of a table: ``contacts.parquet``, or the files inside a folder of that name or of the table's,
    in order of name."""
    for found in (store / f"{table}.parquet", store / table):
        if found.is_file():
            return [found]
        if found.is_dir():
            return sorted(path for path in found.rglob("*.parquet") if not path.name.startswith(("_", ".")))
    return []


def partition(
    store: str | Path,
    out: str | Path,
    shards: int | None = None,
    *,
    only: Iterable[int] | None = None,
    progress: Progress = lambda _: None,
) -> Path:
    """Deals a Parquet store into ``out/00000``, ``out/00001``, ..., each a store of its own; teams come along whole.

    ``only`` names the shards to deal; all by default. Several processes may deal into ``out`` if each has its own.

    Rows keep their order. Memory is bounded by ``BUFFER_BYTES`` and one batch, whatever the size of the store. A shard
    is complete when its folder holds the file ``complete``; shards that are complete are kept. Raises StoreError for a
    store that lacks a table or is CSV, and for a folder that holds the shards of other data.
    """
    store, out = Path(store), Path(out)
    files = tables_of(store)
    shards = shards or shards_for(store)
    identity = {"format": FORMAT, "data": data_identity(store), "shards": shards}
    out.mkdir(parents=True, exist_ok=True)
    same_or_new(out / "partition.json", identity, out)
    asked = range(shards) if only is None else sorted(only)
    todo = [shard for shard in asked if not (out / f"{shard:05}" / DONE).exists()]
    for first in range(0, len(todo), OPEN_FILES):
        group = todo[first : first + OPEN_FILES]
        making = {shard: out / f".{shard:05}" for shard in group}
        for folder in making.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        for name, paths in files.items():
            progress(f"dealing {name} into {len(group)} shards")
            if name == "teams":
                for folder in making.values():
                    pq.write_table(pq.read_table(paths), folder / f"{name}.parquet", compression="zstd")
                continue
            deal(batches_of(paths), {shard: folder / f"{name}.parquet" for shard, folder in making.items()}, shards)
        for shard, folder in making.items():
            finish_shard(store, folder, out / f"{shard:05}", shards)
    return out


def finish_shard(store: Path, folder: Path, final: Path, shards: int) -> None:
    """Adds the unmapped values of its people, ``about.json`` (which says whose shard this is) and the mark that the
    shard is complete; then renames it.
    """
    unread = read_unread(store)
    if unread is not None and unread.num_rows:
        mine = shard_of(unread.column("patient_id"), shards) == int(final.name)
        pq.write_table(unread.filter(pa.array(mine)), folder / UNREAD, compression="zstd")
    sums = {CHECKSUMS: checksums_of(folder)}
    about = {**about_of(store), **sums, "shard": int(final.name), "shards": shards}
    (folder / "about.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / DONE).write_text("", encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    folder.replace(final)


def about_of(store: Path) -> dict[str, Any]:
    about = store / "about.json"
    return dict(json.loads(about.read_text(encoding="utf-8"))) if about.exists() else {}


def shards_for(store: Path) -> int:
    """The number of shards that keeps each at about ``PEOPLE_PER_SHARD`` people."""
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
    """Writes each row to the file of its patient's shard, in the given order; skips rows of other shards."""
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


def data_identity(store: Path) -> str:
    """SHA-256 over the store's table files and ``about.json``. For a partition, that of the store it was made from."""
    made = store / "partition.json"
    if made.exists():
        return str(json.loads(made.read_text(encoding="utf-8"))["data"])
    about = [store / "about.json"] if (store / "about.json").exists() else []
    files = [path for name in TABLES for file in (name, versions_file(name)) for path in files_of(store, file)]
    return hash_files(store, files + about)


def code_identity() -> str:
    """SHA-256 over the code and reference tables of ``features``, so that a folder never holds parts of two
    definitions.
    """
    root = Path(__file__).resolve().parent.parent
    return hash_files(root, sorted(path for end in ("*.py", "*.csv") for path in root.rglob(end)))


def catalogue_identity(features: Sequence[Feature]) -> str:
    return hashlib.sha256(json.dumps([asdict(f) for f in features], sort_keys=True).encode()).hexdigest()


def hash_files(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(root).as_posix()}:{path.stat().st_size}:".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def tables_of(store: Path) -> dict[str, list[Path]]:
    if not store.is_dir():
        raise StoreError(f"{store} is not there; check the path, or make the store with upstream ingest")
    files = {name: files_of(store, name) for name in TABLES}
    gone = [name for name, paths in files.items() if not paths]
    if gone:
        raise StoreError(
            f"the store has no Parquet file of {', '.join(gone)}; a build in shards reads Parquet, so write the store "
            f"with upstream ingest"
        )
    return files | {file: paths for file in map(versions_file, TABLES) if (paths := files_of(store, file))}


def same_or_new(path: Path, identity: Mapping[str, Any], folder: Path, more: Mapping[str, Any] | None = None) -> None:
    """Writes ``identity`` (and ``more``) if the folder is empty; refuses a folder begun from anything else.

    Of several processes that begin at the same moment, one writes and the others compare.
    """
    if not path.exists():
        if any(not held.name.startswith(f".{path.name}.") for held in folder.iterdir()) and not path.exists():
            raise StoreError(f"{folder} holds other files; choose an empty folder")
        _write_once(path, {**identity, **(more or {})})
    before = json.loads(path.read_text(encoding="utf-8"))
    other = [name for name, value in identity.items() if before.get(name) != value]
    if other:
        raise StoreError(
            f"{folder} was begun with other inputs ({', '.join(other)}); choose an empty folder, or remove this one"
        )


def _write_once(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a whole file under a name that nobody has taken; a file that is there already stays."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    beside.write_text(_json(value), encoding="utf-8")
    with suppress(FileExistsError):
        os.link(beside, path)
    beside.unlink()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    beside.write_text(_json(value), encoding="utf-8")
    beside.replace(path)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
