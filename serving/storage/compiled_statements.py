"""Statements that every request runs, compiled once and run on the driver's own connection: what the toolkit does for
each run took longer than the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement


class CompiledStatement:
    """A statement on tables that hold no people. It reads and writes values as the toolkit does."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._by_dialect: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Runs it with these values, and returns its rows, each a tuple of its columns in order, where it has some.
        Raises ``DBAPIError``."""
        if not connection.in_transaction():
            connection.begin()
        return self.run_on(connection.connection, connection.dialect, values)

    def run_on(self, driver: Any, dialect: Dialect, values: Mapping[str, Any]) -> Sequence[Any]:
        """The same on a connection of the driver, in whatever transaction it has."""
        compiled = self._by_dialect.get(dialect.name)
        if compiled is None:
            compiled = self._by_dialect[dialect.name] = _Compiled(self._statement, dialect)
        return compiled.run(driver, dialect, values)


class Direct:
    """A connection of the driver, in a transaction, that ``CompiledStatement.run`` takes in place of the toolkit's."""

    def __init__(self, driver: Any, dialect: Dialect) -> None:
        self.connection, self.dialect = driver, dialect

    def in_transaction(self) -> bool:
        return True


class _Compiled:
    """The text of a statement in one dialect, and how its values are handed to the driver and read from it."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._text, self._order = compiled.string, compiled.positiontup
        self._given, self._as_sent = dict(compiled.params), dict(compiled._bind_processors)
        as_read = [column.type._cached_result_processor(dialect, None) for column in compiled._result_columns]
        self._as_read = [(place, read) for place, read in enumerate(as_read) if read is not None]

    def run(self, driver: Any, dialect: Dialect, values: Mapping[str, Any]) -> Sequence[Any]:
        sent = {**self._given, **values}
        for name, as_sent in self._as_sent.items():
            sent[name] = as_sent(sent[name])
        errors: Any = dialect.loaded_dbapi
        cursor = driver.cursor()
        try:
            cursor.execute(self._text, sent if self._order is None else [sent[name] for name in self._order])
            rows: Sequence[Any] = cursor.fetchall() if cursor.description is not None else ()
        except errors.Error as error:
            raise _as_toolkit(dialect, self._text, error) from None
        finally:
            cursor.close()
        return [self._read(row) for row in rows] if self._as_read else rows

    def _read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        found = list(row)
        for place, as_read in self._as_read:
            found[place] = as_read(found[place])
        return tuple(found)


def insert_directly(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    shared: Mapping[str, Any],
    as_stored: Collection[str] = (),
) -> None:
    """Inserts rows with the same keys, and the values that they share, on SQLite as the toolkit stores them. It goes
    column by column: the toolkit makes two dictionaries for each row. Values of the columns ``as_stored`` come as they
    are stored. Raises ``DBAPIError``."""
    if not rows:
        return
    compiled: Any = insert(table).compile(dialect=connection.dialect, column_keys=[*shared, *rows[0]])
    columns = []
    for name in compiled.positiontup:
        values = [shared[name]] * len(rows) if name in shared else [row[name] for row in rows]
        as_sent = None if name in as_stored else compiled._bind_processors.get(name)
        columns.append(values if as_sent is None else list(map(as_sent, values)))
    driver: Any = connection.connection.driver_connection
    with errors_of_driver(connection.dialect, compiled.string):
        driver.executemany(compiled.string, zip(*columns, strict=True))


@contextmanager
def errors_of_driver(dialect: Dialect, statement: str) -> Iterator[None]:
    """What the driver raises as the ``DBAPIError`` that the toolkit raises, without the values of the statement."""
    driver: Any = dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        raise _as_toolkit(dialect, statement, error) from None


def _as_toolkit(dialect: Any, statement: str, error: Exception) -> Exception:
    found: Exception = DBAPIError.instance(
        statement, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
    )
    return found
