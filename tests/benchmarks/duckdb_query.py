"""The same 8 window features as one hand-written DuckDB query: a range join and conditional aggregates, two threads,
both clocks."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import CORES, WINDOWS, Floor, lines

FROM_FILE_FLOOR, IN_MEMORY_FLOOR = Floor(1.0, 1.0, 1.0), Floor(1.0, 1.0, 1.0)
"""No slower and no larger."""

QUERY = f"""
select s.person, s.as_of,
    {", ".join(f"count(e.day) filter (e.day >= s.as_of - {w}) as count_{w}" for w in WINDOWS)},
    {", ".join(f"coalesce(sum(e.value) filter (e.day >= s.as_of - {w}), 0) as total_{w}" for w in WINDOWS)}
from spine s left join events e
    on e.person = s.person and e.day >= s.as_of - {max(WINDOWS)} and e.day < s.as_of and e.known_on < s.as_of
group by s.person, s.as_of
"""


def load(folder: Path) -> Any:
    import duckdb

    database = duckdb.connect(config={"threads": CORES})
    database.execute(
        f"create table events as select person, day::date as day, day::date as known_on, value from "
        f"'{folder}/events.parquet'"
    )
    database.execute(f"create table spine as select person, as_of::date as as_of from '{folder}/spine.parquet'")
    return database


def query(database: Any) -> dict[str, Any]:
    return dict(database.execute(QUERY).fetchnumpy())


STAGES = (("query", query),)
FROM_FILE = (load, query)


def in_order(found: dict[str, Any]) -> Any:
    """Values with counts first, rows by person and date, as the spine has them."""
    import numpy as np

    names = [f"{verb}_{w}" for verb in ("count", "total") for w in WINDOWS]
    values = np.column_stack([np.asarray(found[name], float) for name in names])
    return values[np.lexsort((found["as_of"], found["person"]))]


def run() -> list[dict[str, Any]]:
    return lines(
        "features-duckdb", "duckdb_query", FROM_FILE_FLOOR, IN_MEMORY_FLOOR, lambda: {"duckdb": version("duckdb")}
    )
