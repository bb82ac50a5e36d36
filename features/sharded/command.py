"""The command ``upstream features build``: takes a spine, or one day for everybody, and the engine that builds the
shards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.engine.matrix import SpineError
from features.sharded.engines import ShardEngine
from features.sharded.local import build_store
from features.sharded.partition import Progress, files_of, tables_of
from features.spec import Feature


def build_features(
    store: Path,
    out: Path,
    features: Sequence[Feature],
    spine: Path | None,
    as_of: str | None,
    engine: ShardEngine,
    master: str,
    shards: int | None,
    *,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Writes parts and manifest into ``out`` with the chosen engine; returns the manifest.

    Exactly one of ``spine`` (a file) and ``as_of`` (YYYY-MM-DD: one row for everybody in the store) is given. Raises
    SpineError for neither or both and for a date that cannot be read, and what ``build_store`` and
    ``build_store_on_spark`` raise.
    """
    if (spine is None) == (as_of is None):
        raise SpineError("say which rows to build: --spine FILE, or --as-of YYYY-MM-DD for everybody on one day")
    asked = spine if spine is not None else _everybody(store, out, str(as_of))
    if engine is ShardEngine.LOCAL:
        return build_store(store, asked, out, features, shards=shards, progress=progress)
    from features.sharded.spark import build_store_on_spark

    return build_store_on_spark(store, asked, out, features, master=master, shards=shards, progress=progress)


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
    pq.write_table(pa.table({"patient_id": ids, "as_of": pa.array([day] * len(ids), pa.date32())}), path)
    return path
