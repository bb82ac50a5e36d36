"""All queries over runs: finding one, writing one, publishing one. Nothing here reads rows about people."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, insert, select

from serving.tables import publications, run_teams, runs


@dataclass(frozen=True)
class NewRun:
    """A run and its teams as rows, ready to be written; rows about people come from ``serving.runs.staging``."""

    run: dict[str, Any]
    teams: list[dict[str, Any]] = field(default_factory=list)


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
    """Insert a run and its teams inside the caller's transaction."""
    connection.execute(insert(runs), new.run)
    if new.teams:
        connection.execute(insert(run_teams), [{"run_id": new.run["run_id"], **team} for team in new.teams])


def publish(connection: Connection, run_id: str, at: dt.datetime) -> None:
    """Point everybody at ``run_id``. The pointer is the newest row, so the history of publications stays."""
    connection.execute(insert(publications), {"run_id": run_id, "published_at": at})


def pack(values: np.ndarray) -> bytes:
    """Numbers as little-endian float64: exact, compact, the same on every machine."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def unpack(data: bytes) -> list[float]:
    return np.frombuffer(data, dtype="<f8").tolist()
