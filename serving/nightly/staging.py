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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.exc import OperationalError

from features.errors import UpstreamError
from serving.runs.run_lock import remove_staged
from serving.storage.compiled_statements import errors_of_driver, insert_directly
from serving.storage.explanations import EMPTY, KEPT_APART, next_id
from serving.storage.packed import LongJSON, plain_text
from serving.storage.tables import gaps, people, person_groups, runs, scores, summaries, timelines

STAGED = (people, scores, gaps, timelines, person_groups, summaries)
AS_STORED = {people: ("behind",), scores: ("contributions", "reasons")}
"""Columns whose values come as SQLite stores them (``serving.nightly.rows.scored``): most of a run, made for a whole
shard at once."""


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
                    insert_directly(
                        connection, table, rows[table.name], {"run_id": self.run_id}, AS_STORED.get(table, ())
                    )
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

    def rows(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """Every staged row of ``table`` as SQLite stores it, shard by shard in key order, one row in memory at a
        time."""
        keys = ", ".join(column.name for column in table.primary_key.columns)
        for path in self._paths():
            with closing(sqlite3.connect(path)) as source:
                yield from source.execute(f"SELECT {_names(table)} FROM {table.name} ORDER BY {keys}")

    def copy_into(self, connection: Connection) -> None:
        """Inserts every staged row inside the caller's transaction, its values as they are stored, explanations
        apart."""
        for table in STAGED:
            if table not in KEPT_APART:
                _copy(connection, table, self.rows(table))
                continue
            first = next_id(connection, KEPT_APART[table])
            _copy(connection, KEPT_APART[table], _explanations(table, self.rows(table), first))
            _copy(connection, table, _without_explanations(table, self.rows(table), first))

    def _paths(self) -> list[Path]:
        return [self._shards / f"{first}.db" for first in sorted(self.finished)]

    def remove(self, keep: str = "") -> None:
        """Removes every staged run of this folder except ``keep``."""
        remove_staged(self._folder, keep)


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _explanations(table: Table, rows: Iterable[tuple[Any, ...]], first: int) -> Iterator[tuple[Any, ...]]:
    """The explanations of rows of ``table``, numbered from ``first`` on, as rows of their own table."""
    names = [column.name for column in table.columns]
    taken = itemgetter(*(names.index(column.name) for column in KEPT_APART[table].columns if not column.primary_key))
    for number, row in enumerate(rows, first):
        yield number, *taken(row)


def _without_explanations(table: Table, rows: Iterable[tuple[Any, ...]], first: int) -> Iterator[tuple[Any, ...]]:
    """The same rows with the numbers of their explanations in place of these."""
    names = [column.name for column in table.columns]
    stored = {name: "[]" if value == [] else value for name, value in EMPTY.items()}
    rest = [(place, stored[name]) for place, name in enumerate(names) if name in stored]
    number_at = names.index("explanation_id")
    for number, row in enumerate(rows, first):
        found = list(row)
        for place, value in rest:
            found[place] = value
        found[number_at] = number
        yield tuple(found)


def _copy(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "postgresql":
        _copy_to_postgres(connection, table, rows)
        return
    into: Any = connection.connection.driver_connection
    marks = ", ".join("?" for _ in table.columns)
    adding = f"INSERT INTO {table.name} ({_names(table)}) VALUES ({marks})"
    with errors_of_driver(connection.dialect, adding):
        into.executemany(adding, rows)


def _copy_to_postgres(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of SQLite by COPY, through a temporary table: PostgreSQL copies into no table with row policies."""
    staged, names = f"staged_{table.name}", _names(table)
    packed = [place for place, column in enumerate(table.columns) if isinstance(column.type, LongJSON)]
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {staged} (LIKE {table.name}) ON COMMIT DROP")
    copying = f"COPY {staged} ({names}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    with errors_of_driver(connection.dialect, copying), driver.cursor() as cursor, cursor.copy(copying) as copy:
        for row in map(list, rows):
            for place in packed:
                row[place] = plain_text(row[place])
            copy.write_row(row)
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staged}")


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
