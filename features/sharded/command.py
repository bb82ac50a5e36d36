"""The command ``upstream features build``: takes a spine, or one day for everybody, and the engine that builds the
shards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from features.engine.matrix import SpineError
from features.sharded.engines import ShardEngine
from features.sharded.local import build_store
from features.sharded.partition import Progress, StoreError, files_of, tables_of
from features.sharded.share import share_of
from features.spec import Feature


def build_features(
    store: Path,
    out: Path,
    features: Sequence[Feature],
    spine: Path | None,
    as_of: str | None,
    engine: ShardEngine,
    master: str,
    shards: str | None,
    *,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Writes parts and manifest into ``out`` with the chosen engine; returns the manifest.

    Exactly one of ``spine`` (a file) and ``as_of`` (YYYY-MM-DD: one row for everybody in the store) is given.
    ``shards`` is a number, or one job's share of an array (``0-99/400``). Raises SpineError for neither or both and for
    a date that cannot be read, StoreError for a share that cannot be read or is asked of Spark, and what
    ``build_store`` and ``build_store_on_spark`` raise.
    """
    share = share_of(shards) if shards is not None else None
    if (spine is None) == (as_of is None):
        raise SpineError("say which rows to build: --spine FILE, or --as-of YYYY-MM-DD for everybody on one day")
    asked = spine if spine is not None else _everybody(store, out, str(as_of))
    if engine is ShardEngine.LOCAL:
        return build_store(store, asked, out, features, shards=share, progress=progress)
    if share is not None and not share.whole:
        raise StoreError("--shards A-B/N is for a job array of the local engine; Spark deals its tasks itself: give N")
    from features.sharded.spark import build_store_on_spark

    number = share.shards if share else None
    return build_store_on_spark(store, asked, out, features, master=master, shards=number, progress=progress)


def _everybody(store: Path, out: Path, as_of: str) -> Path:
    """A spine file next to ``out`` with one row for each person of the store. It is the same file every time."""
    try:
        day = dt.date.fromisoformat(as_of)
    except ValueError:
        raise SpineError("--as-of is not a date; write YYYY-MM-DD") from None
    folders = sorted(store.glob("[0-9]*")) if (store / "partition.json").exists() else [store]
    if folders == [store]:
        tables_of(store)
    files = [path for folder in folders for path in files_of(folder, "patients")]
    ids = pa.concat_tables([pq.read_table(path, columns=["patient_id"]) for path in files])["patient_id"]
    path = out.with_name(f"{out.name}.spine-{day.isoformat()}.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    pq.write_table(pa.table({"patient_id": ids, "as_of": pa.array([day] * len(ids), pa.date32())}), beside)
    beside.replace(path)
    return path
