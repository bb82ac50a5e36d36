"""All queries over runs: finding one, writing one, publishing one. Nothing here reads rows about people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Table, insert, select

from serving.tables import gaps, people, person_groups, publications, run_teams, runs, scores, timelines

CHUNK = 2_000


@dataclass(frozen=True)
class NewRun:
    """A whole run as rows, ready to be written. Row keys are the columns of ``serving.tables`` without ``run_id``; rows about
    people may be a stream."""

    run: dict[str, Any]
    teams: list[dict[str, Any]] = field(default_factory=list)
    people: Iterable[dict[str, Any]] = field(default_factory=list)
    scores: Iterable[dict[str, Any]] = field(default_factory=list)
    gaps: Iterable[dict[str, Any]] = field(default_factory=list)
    timelines: Iterable[dict[str, Any]] = field(default_factory=list)
    person_groups: Iterable[dict[str, Any]] = field(default_factory=list)


def find_run(connection: Connection, run_id: str) -> Row[Any] | None:
    return connection.execute(select(runs).where(runs.c.run_id == run_id)).first()


def current_run(connection: Connection) -> Row[Any] | None:
    """The run that everybody sees now, with ``published_at``; None before the first publication."""
    query = (
        select(runs, publications.c.published_at)
        .join(publications, publications.c.run_id == runs.c.run_id)
        .order_by(publications.c.publication_id.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def write_run(connection: Connection, new: NewRun) -> None:
    """Insert every row of a run inside the caller's transaction."""
    run_id = new.run["run_id"]
    connection.execute(insert(runs), new.run)
    _insert(connection, run_teams, run_id, new.teams)
    for table in (people, scores, gaps, timelines, person_groups):
        _insert(connection, table, run_id, getattr(new, table.name))


def publish(connection: Connection, run_id: str, at: dt.datetime) -> None:
    """Point everybody at ``run_id``. The pointer is the newest row, so the history of publications stays."""
    connection.execute(insert(publications), {"run_id": run_id, "published_at": at})


def pack(values: np.ndarray) -> bytes:
    """Numbers as little-endian float64: exact, compact, the same on every machine."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def unpack(data: bytes) -> list[float]:
    return np.frombuffer(data, dtype="<f8").tolist()


def pack_days(days: np.ndarray) -> bytes:
    """Day numbers as little-endian int32."""
    return np.ascontiguousarray(days, dtype="<i4").tobytes()


def unpack_days(data: bytes | None) -> list[int]:
    return [] if data is None else np.frombuffer(data, dtype="<i4").tolist()


def _insert(connection: Connection, table: Table, run_id: str, rows: Iterable[dict[str, Any]]) -> None:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append({"run_id": run_id, **row})
        if len(chunk) == CHUNK:
            connection.execute(insert(table), chunk)
            chunk = []
    if chunk:
        connection.execute(insert(table), chunk)
