"""The rows of a table as SQLite stores them, each with its explanation in place, wherever that is kept."""

from __future__ import annotations

import sqlite3

from serving.storage.explanations import EMPTY, KEPT_APART
from serving.storage.tables import metadata


def stored_rows(connection: sqlite3.Connection, table: str, run_id: str | None = None) -> list[tuple]:
    """In an order of their own, without the numbers of explanations; of one run, if it is named."""
    apart = KEPT_APART.get(metadata.tables[table])
    names = [column.name for column in metadata.tables[table].columns if column.name != "explanation_id"]
    taken = ", ".join(
        f"coalesce(e.{name}, t.{name})" if apart is not None and name in EMPTY else f"t.{name}" for name in names
    )
    joined = f"LEFT JOIN {apart.name} e ON e.explanation_id = t.explanation_id" if apart is not None else ""
    said = f"SELECT {taken} FROM {table} t {joined} WHERE ? IS NULL OR t.run_id = ?"
    return sorted(connection.execute(said, (run_id, run_id)), key=repr)
