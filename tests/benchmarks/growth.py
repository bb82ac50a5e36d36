"""Growth: ``build_store`` on 5,000 to 200,000 people, one row each, every size in a process of its own; prints one
JSON line a size.

``python -m tests.benchmarks.growth 5000 20000 60000 200000``. Larger stores are copies of one simulated trust under
new patient ids: the engine's work is real, the variety of histories is that of the smaller trust. All synthetic.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.records.reading.checksums import without_checksums
from features.records.tables import TABLES
from tests.benchmarks.measure import CACHE, peak_mb, simulated_store
from training.simulator.oracle import VERSION

BASE, YEARS, SIZES = 5_000, 4, (5_000, 20_000, 60_000, 200_000)
ALSO_OWN = ("contact_id", "referral_id")
"""Ids that belong to one patient and so need a new name in each copy."""


def tiled_store(base: Path, times: int, out: Path) -> Path:
    """``times`` copies of every person of ``base``, written copy by copy so that memory does not grow with
    ``times``."""
    if (out / "about.json").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    for name, table in TABLES.items():
        rows = pq.read_table(base / f"{name}.parquet")
        own = [column for column in ("patient_id", *ALSO_OWN) if column in rows.column_names]
        copies = times if table.per_patient else 1
        with pq.ParquetWriter(out / f"{name}.parquet", rows.schema, compression="zstd") as writer:
            for copy in range(copies):
                writer.write_table(_renamed(rows, own, copy) if table.per_patient else rows)
    about = without_checksums(json.loads((base / "about.json").read_text(encoding="utf-8")))
    (out / "about.json").write_text(json.dumps(about), encoding="utf-8")
    return out


def _renamed(rows: pa.Table, columns: list[str], copy: int) -> pa.Table:
    for column in columns:
        place = rows.column_names.index(column)
        ids = pc.binary_join_element_wise(rows[column].cast(pa.string()), pa.scalar(f"c{copy}"), "-")
        rows = rows.set_column(place, rows.schema.field(place), ids.cast(rows.schema.field(place).type))
    return rows


def measure(people: int, base_people: int = BASE) -> dict[str, Any]:
    """One size, in this process: seconds and peak memory of the whole build, dealing and hashing included."""
    from features import CATALOGUE
    from features.sharded.local import build_store

    base = simulated_store(base_people, YEARS)
    store = tiled_store(base, people // base_people, CACHE / f"{people}-of-{base_people}-v{VERSION}" / "store")
    last = pd.Timestamp(pq.read_table(base / "results.parquet", columns=["taken_on"])[0].to_pandas().max())
    ids = pq.read_table(store / "patients.parquet", columns=["patient_id"])
    with tempfile.TemporaryDirectory() as folder:
        spine = Path(folder) / "spine.parquet"
        pq.write_table(ids.append_column("as_of", pa.array([last.date()] * len(ids), pa.date32())), spine)
        made = build_store(store, spine, Path(folder) / "out", tuple(CATALOGUE))
    return {
        "name": "features-growth",
        "people": len(ids),
        "rows": made["rows"],
        "features": len(made["columns"]),
        "shards": made["shards"],
        "seconds": made["seconds"],
        "building_seconds": made["task_seconds"],
        "peak_mb": peak_mb(),
        "synthetic": made["synthetic"],
    }


def main(sizes: list[int]) -> int:
    """Each size in its own process, so that the peak is its own."""
    failed = 0
    for people in sizes or SIZES:
        code = f"import json; from tests.benchmarks.growth import measure; print(json.dumps(measure({people})))"
        failed |= subprocess.run([sys.executable, "-c", code], check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]]))
