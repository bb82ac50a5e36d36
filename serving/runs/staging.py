"""Where a nightly run keeps its finished shards until it publishes: one SQLite file a run, beside the service database.

A shard is written in one transaction, so after a power cut or ``kill -9`` each is there whole or not at all, and the next run begins where
this one ended. The file is named by the run and by who is in it; it is removed once the run is published, and so is any older one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Select,
    Table,
    case,
    create_engine,
    event,
    func,
    insert,
    select,
)

from serving.tables import gaps, people, person_groups, runs, scores, timelines

STAGED = (people, scores, gaps, timelines, person_groups)
CHUNK = 2_000
_shards = Table("shards", MetaData(), Column("first", Integer, primary_key=True))


class AlreadyRunning(Exception):
    """Another nightly run is at work on this home; the message names its process."""


@contextmanager
def only_runner(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``. The operating system lets go of it when the process ends however it ends, so it is never stale."""
    folder.mkdir(parents=True, exist_ok=True)
    # Rows about people will lie here.
    folder.chmod(0o700)
    with (folder / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise AlreadyRunning(
                f"another nightly run (process {holder}) is at work on this home; nothing was done. Wait for it to end, then run again"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


class Staging:
    """The finished shards of one run. ``who`` is everything besides the run that decides what a shard holds. Use it under ``only_runner``."""

    def __init__(self, folder: Path, run_id: str, who: Sequence[str]) -> None:
        self.run_id = run_id
        key = hashlib.sha256("\n".join(who).encode()).hexdigest()[:16]
        self._folder, self._path = folder, folder / f"{run_id}-{key}.db"
        self.remove(keep=self._path.name)
        self._engine = _engine(self._path)
        with self._engine.begin() as connection:
            runs.metadata.create_all(connection, tables=[runs, *STAGED])
            _shards.metadata.create_all(connection)
            self.finished = frozenset(connection.scalars(select(_shards.c.first)))

    def add(self, first: int, rows: dict[str, list[dict[str, Any]]]) -> None:
        """Write the shard that begins at person ``first``: rows by table name, without ``run_id``."""
        with self._engine.begin() as connection:
            for table in STAGED:
                found = [{"run_id": self.run_id, **row} for row in rows[table.name]]
                if found:
                    connection.execute(insert(table), found)
            connection.execute(insert(_shards), {"first": first})

    def team_sizes(self) -> dict[str, int]:
        """How many people each team has."""
        return dict(self._read(select(people.c.team_id, func.count()).group_by(people.c.team_id)))

    def risks(self) -> list[Any]:
        """(team, outcome, horizon in days, probability) of every score, in the order of people."""
        query = select(people.c.team_id, scores.c.outcome, scores.c.horizon_days, scores.c.probability)
        return self._read(query.join(scores, scores.c.patient_id == people.c.patient_id).order_by(scores.c.patient_id))

    def candidates(self, outcome: str, horizon: int, pressing: Sequence[str]) -> list[Any]:
        """(patient, team, risk, last seen, worst pressing severity by its place or None, number of pressing safety gaps) of everybody."""
        severity = case({name: place for place, name in enumerate(pressing)}, value=gaps.c.severity)
        unsafe = (
            select(gaps.c.patient_id, func.min(severity).label("worst"), func.count().label("number"))
            .where(gaps.c.safety.is_(True), gaps.c.severity.in_(pressing))
            .group_by(gaps.c.patient_id)
            .subquery()
        )
        query = (
            select(
                people.c.patient_id,
                people.c.team_id,
                scores.c.probability,
                people.c.last_seen_on,
                unsafe.c.worst,
                func.coalesce(unsafe.c.number, 0),
            )
            .join(scores, scores.c.patient_id == people.c.patient_id)
            .outerjoin(unsafe, unsafe.c.patient_id == people.c.patient_id)
            .where(scores.c.outcome == outcome, scores.c.horizon_days == horizon)
            .order_by(people.c.team_id, people.c.patient_id)
        )
        return self._read(query)

    def safety_codes(self, severity: str) -> list[Any]:
        """(patient, code) of every safety gap of one severity."""
        return self._read(
            select(gaps.c.patient_id, gaps.c.code).where(gaps.c.safety.is_(True), gaps.c.severity == severity)
        )

    def gap_counts(self, pressing: Sequence[str]) -> tuple[int, int]:
        """How many gaps there are, and how many people have a safety gap of a ``pressing`` severity."""
        unsafe = gaps.c.safety.is_(True) & gaps.c.severity.in_(pressing)
        ((found,),) = self._read(select(func.count()).select_from(gaps))
        ((with_safety,),) = self._read(select(func.count(gaps.c.patient_id.distinct())).where(unsafe))
        return found, with_safety

    def _read(self, query: Select[Any]) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))

    def rows(self, table: Table) -> Iterator[dict[str, Any]]:
        """Every staged row of ``table`` in the order of its key, a chunk in memory at a time."""
        query = select(table).order_by(*table.primary_key.columns)
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=CHUNK).execute(query).mappings():
                yield dict(row)

    def close(self) -> None:
        self._engine.dispose()

    def remove(self, keep: str = "") -> None:
        """Remove every staged run of this folder but the file named ``keep``."""
        for path in self._folder.glob("*.db*"):
            if not keep or not path.name.startswith(keep):
                path.unlink(missing_ok=True)


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
