"""Storage for the finished shards of a nightly run until it publishes: one SQLite file per shard, next to the service
database.

A shard is written to a temporary name, synced and renamed, so after a power cut or ``kill -9`` each shard is complete
or absent, and the next run resumes. Processes write their shards in parallel. The folder's name depends on the run and
its people. It is removed once the run is published, with any older one.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select
from sqlalchemy.exc import OperationalError

from features.errors import UpstreamError
from serving.runs.repository import insert_rows
from serving.runs.run_lock import remove_staged
from serving.storage.compiled_statements import errors_of_driver
from serving.storage.tables import gaps, people, person_groups, runs, scores, summaries, timelines

STAGED = (people, scores, gaps, timelines, person_groups, summaries)
CHUNK = 2_000


class ShardNotWritten(UpstreamError):
    """A finished shard cannot be stored, mostly because the disk is full."""


class Staging:
    """The finished shards of one run. ``who`` identifies everything else that decides the content of a shard. Use it
    under ``only_runner``.
    """

    def __init__(self, folder: Path, run_id: str, who: Sequence[str]) -> None:
        self.run_id = run_id
        key = hashlib.sha256("\n".join(who).encode()).hexdigest()[:16]
        self._folder, self._shards = folder, folder / f"{run_id}-{key}"
        self.remove(keep=self._shards.name)
        self._shards.mkdir(parents=True, exist_ok=True)

    @property
    def finished(self) -> frozenset[int]:
        """The first person's position of each finished shard."""
        return frozenset(int(path.stem) for path in self._shards.glob("*.db"))

    def add(self, first: int, rows: dict[str, list[dict[str, Any]]]) -> None:
        """Writes the shard that begins at person ``first``: rows by table name, without ``run_id``."""
        beside = self._shards / f"{first}.{os.getpid()}"
        engine = _engine(beside)
        try:
            with engine.begin() as connection:
                runs.metadata.create_all(connection, tables=[runs, *STAGED])
                for table in STAGED:
                    found = [{"run_id": self.run_id, **row} for row in rows[table.name]]
                    if found:
                        connection.execute(insert(table), found)
            engine.dispose()
            _sync(beside)
            beside.rename(self._shards / f"{first}.db")
            _sync(self._shards)
        except OperationalError as error:
            # The driver's text may quote a value; only the kind of failure leaves this module.
            raise ShardNotWritten(
                f"a part of the nightly run could not be written ({type(error).__name__}); nothing was published. Make "
                f"room on the disk of {self._folder}, then start the run again: it keeps the finished parts"
            ) from None
        finally:
            engine.dispose()
            beside.unlink(missing_ok=True)

    def rows(self, table: Table) -> Iterator[dict[str, Any]]:
        """Every staged row of ``table``, shard by shard in key order, one chunk in memory at a time."""
        query = select(table).order_by(*table.primary_key.columns)
        for engine in self._engines():
            with engine.connect() as connection:
                for row in connection.execution_options(yield_per=CHUNK).execute(query).mappings():
                    yield dict(row)

    def copy_into(self, connection: Connection) -> None:
        """Inserts every staged row inside the caller's transaction. From SQLite to SQLite, values are copied as
        stored.
        """
        as_stored = connection.dialect.name == "sqlite"
        for table in STAGED:
            if not as_stored:
                insert_rows(connection, table, self.rows(table))
                continue
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            marks = ", ".join("?" for _ in table.columns)
            keys = ", ".join(column.name for column in table.primary_key.columns)
            into = connection.connection.driver_connection
            assert isinstance(into, sqlite3.Connection)
            adding = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
            for path in self._paths():
                with closing(sqlite3.connect(path)) as source, errors_of_driver(connection, adding):
                    into.executemany(adding, source.execute(f"SELECT {names} FROM {table.name} ORDER BY {keys}"))

    def _paths(self) -> list[Path]:
        return [self._shards / f"{first}.db" for first in sorted(self.finished)]

    def _engines(self) -> Iterator[Engine]:
        for path in self._paths():
            engine = _engine(path)
            try:
                yield engine
            finally:
                engine.dispose()

    def remove(self, keep: str = "") -> None:
        """Removes every staged run of this folder except ``keep``."""
        remove_staged(self._folder, keep)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _json_text(value: Any) -> str:
    """Writes JSON with pydantic: a night writes a million small values, and the standard writer takes four times as
    long.
    """
    return to_json(value, inf_nan_mode="constants").decode()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True, json_serializer=_json_text)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # A file counts only once it is synced and renamed, so SQLite need not guard it against a crash.
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=OFF")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
