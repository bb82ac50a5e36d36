"""Engines and transactions. SQLite by default (WAL, busy timeout, foreign keys), PostgreSQL if the URL says so.

Reads about people go through ``Database.read``, which refuses a statement that touches a person table without the
choke point of ``serving.storage.visible``. Writes go through ``Database.write``: one transaction, committed at the end
or not at all.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, String, bindparam, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.selectable import CTE

from features.errors import UpstreamError
from serving.identity.callers import Caller
from serving.storage.compiled_statements import CompiledStatement, Direct, errors_of_driver
from serving.storage.damage import WholeCheck, is_damage
from serving.storage.shared_commits import SharedCommits
from serving.storage.tables import PERSON_TABLES

BUSY_TIMEOUT_MS = 10_000
WRITERS = 4
POOL = 20
"""Connections that are kept: more than the lanes and writers of the service use at once. One beyond them would be
opened for a single use. The one used last is used next, because it has prepared the most statements."""
FEWEST_FREE_BYTES = 1_000_000
"""With less free disk space, SQLite cannot write an audit event and its log."""
BEGIN_WRITING = "BEGIN IMMEDIATE"
READ_ONLY = "SELECT current_setting('transaction_read_only')"
SCOPE_NAME = "visible_people"
SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""Of a read on PostgreSQL: one snapshot, so that a page never mixes the rows of two runs, and no way to write."""
HOLD_TO = select(
    *(
        func.set_config(f"upstream.{name}", bindparam(name, type_=String), True)
        for name in ("everything", "teams", "actor")
    )
)
T = TypeVar("T")


class DatabaseUnavailable(UpstreamError):
    """The service database cannot be read or written; the message names no value."""


class NotHeld(UpstreamError):
    """The database would not apply its row policies to this login; the message says what to do."""


class UnscopedQuery(Exception):
    """A query read rows about people without going through ``visible_people``."""


class Database:
    """A service database. ``url`` is any SQLAlchemy URL; one ``Database`` serves all threads."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.engine = _engine(url)
        self._reading = self.engine.execution_options(upstream_scoped=True, **(SNAPSHOT if self._is_postgres else {}))
        self._writing = self.engine.execution_options(upstream_writing=True)
        # Threads that write while their caller continues; started on first use.
        self.damaged = False
        self._writer = threading.RLock()
        self._check = WholeCheck(self.url)
        self.beside = ThreadPoolExecutor(WRITERS, thread_name_prefix="database")
        self._together: dict[Any, SharedCommits[Any]] = {}
        self._at_once: Any = None
        """A connection that waits for nobody, once it was asked for."""

    @property
    def _is_postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    @contextmanager
    def read(self, caller: Caller | None = None) -> Iterator[Connection]:
        """A connection for reading on behalf of a caller. Raises ``UnscopedQuery`` for queries over people that are
        not scoped.

        On PostgreSQL row-level security also limits the connection to the caller's teams; without a caller it shows
        no people.
        """
        with self._errors(), self._reading.connect() as connection:
            if caller is not None:
                self.hold_to(connection, caller)
            yield connection
            if self._is_postgres:  # the driver forgets its prepared statements at a rollback, not at a commit
                connection.commit()

    def ask(self, statement: CompiledStatement, values: Mapping[str, Any]) -> Sequence[Any]:
        """The rows of one statement on tables that hold no people, read by itself: on SQLite without what the toolkit
        does for a transaction, which took longer than the statement."""
        if self._is_postgres:
            with self.read() as connection:
                return statement.run(connection, values)
        dialect = self.engine.dialect
        with self._errors(), errors_of_driver(dialect, "connect"):
            pooled = self.engine.raw_connection()
            try:
                return statement.run_on(pooled.dbapi_connection, dialect, values)
            finally:
                pooled.close()

    def ask_at_once(self, statement: CompiledStatement, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """The same where nobody need be waited for, by the thread of the event loop alone: handing a lookup to another
        thread and back takes longer than the lookup. None where anything is in the way, and on PostgreSQL, which lies
        behind a network; then ask again with ``ask``."""
        if self._is_postgres:
            return None
        dialect = self.engine.dialect
        try:
            if self._at_once is None:
                self._at_once = self.engine.raw_connection()
                self._at_once.detach()
                self._at_once.dbapi_connection.execute("PRAGMA busy_timeout=0")
            return statement.run_on(self._at_once.dbapi_connection, dialect, values)
        except (SQLAlchemyError, sqlite3.Error):
            self._drop_at_once()
            return None

    def _drop_at_once(self) -> None:
        kept, self._at_once = self._at_once, None
        if kept is not None:
            kept.close()

    @contextmanager
    def write(self, caller: Caller | None = None) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises. Without a caller it is the
        service's own job and not limited to teams.
        """
        with self._errors(), self._turn_to_write(), self._writing.begin() as connection:
            self.hold_to(connection, caller)
            yield connection

    def commit_together(
        self,
        write: Callable[[Connection, Sequence[T]], None],
        what: T,
        waits: Callable[[], None] = lambda: None,
        plain: bool = False,
    ) -> None:
        """Writes ``what`` as the service's own job, and commits it: in one transaction with what other threads have
        ``write`` write at that moment, because most of a commit is waiting for the disk. ``waits`` is called when only
        waiting is left. ``plain``: ``write`` runs nothing but compiled statements for it."""
        commits = self._together.get(write)
        if commits is None:  # setdefault: two threads that come first together share one
            made = SharedCommits(self._transaction, write, DatabaseUnavailable, BUSY_TIMEOUT_MS / 1_000)
            commits = self._together.setdefault(write, made)
        try:
            commits.commit(what, waits, plain)
        except TimeoutError:
            raise DatabaseUnavailable("the service database is busy with another write") from None

    def _transaction(self, plain: bool) -> AbstractContextManager[Connection]:
        return self._write_directly() if plain and not self._is_postgres else self.write()

    @contextmanager
    def _write_directly(self) -> Iterator[Any]:
        """:meth:`write` on SQLite for compiled statements alone, without the toolkit, which took as long as the
        database."""
        dialect = self.engine.dialect
        with self._errors(), self._turn_to_write(), errors_of_driver(dialect, "a transaction"):
            pooled = self.engine.raw_connection()
            try:
                driver: Any = pooled.dbapi_connection
                driver.execute(BEGIN_WRITING)
                yield Direct(driver, dialect)
                driver.execute("COMMIT")
            finally:
                pooled.close()  # which rolls back what is not committed

    @contextmanager
    def could_write(self) -> Iterator[Connection]:
        """A transaction that could write now, and writes nothing: it is rolled back. On SQLite it takes the lock of a
        writer; PostgreSQL says whether it is read-only."""
        with self._errors(), self._turn_to_write(), self._writing.connect() as connection:
            self.hold_to(connection, None)
            if self._is_postgres and connection.scalar(text(READ_ONLY)) != "off":
                raise DatabaseUnavailable("the service database is read-only")
            if self.url.get_backend_name() == "sqlite" and self.url.database:
                free = shutil.disk_usage(Path(self.url.database).parent).free
                if free < FEWEST_FREE_BYTES:
                    raise DatabaseUnavailable("the disk of the service database is full; make room on it")
            yield connection
            connection.rollback()

    def check_whole(self) -> None:
        """Starts the check of the whole database beside the service; ``is_damaged`` tells what it found."""
        self._check.start()

    def wait_for_check(self) -> None:
        """Returns when the check of the whole database is done."""
        self._check.wait()

    @property
    def is_damaged(self) -> bool:
        """True once the check of the whole, or any statement, found damage."""
        return self.damaged or self._check.damaged

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """One writer of this process at a time on SQLite, whose own queue sleeps up to a tenth of a second between two
        looks at the lock and serves in any order. Writers of other processes still wait there.
        """
        if self.url.get_backend_name() != "sqlite":
            yield
            return
        if not self._writer.acquire(timeout=BUSY_TIMEOUT_MS / 1_000):
            raise DatabaseUnavailable("the service database is busy with another write")
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self.damaged = self.damaged or is_damage(error)
            # The driver's text may quote a value; only the kind of failure leaves this module.
            raise DatabaseUnavailable(f"the service database answered {type(error).__name__}") from None

    def hold_to(self, connection: Connection, caller: Caller | None) -> None:
        """Sets the caller for PostgreSQL's row policies, until it is set anew or the transaction ends. SQLite has no
        policies: there the choke point is the only check.
        """
        if not self._is_postgres:
            return
        everything = caller is None or (caller.sees_people and caller.team_ids is None)
        teams = sorted(caller.team_ids or ()) if caller is not None and caller.sees_people else []
        actor = caller.token_id if caller is not None and caller.sees_people else ""
        held = {"everything": "on" if everything else "off", "teams": json.dumps(teams), "actor": actor}
        connection.execute(HOLD_TO, held)

    def check_is_held(self) -> None:
        """Raises ``NotHeld`` if row-level security does not apply to this login: then the choke point would be the
        only check.
        """
        if not self._is_postgres:
            return
        with self.read() as connection:
            free = connection.scalar(
                text("SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user")
            )
        if free:
            raise NotHeld(
                "the database login is a superuser or bypasses row-level security, so PostgreSQL would not hold it to "
                "a caller's teams; "
                "make one without: CREATE ROLE upstream LOGIN NOSUPERUSER NOBYPASSRLS, and own the database with it"
            )

    def close(self) -> None:
        self._check.stop()
        self.beside.shutdown()
        self._drop_at_once()
        self.engine.dispose()


_judged: WeakKeyDictionary[ClauseElement, bool] = WeakKeyDictionary()
"""What ``is_scoped`` said of statements that are kept and run again."""


def is_scoped(statement: ClauseElement) -> bool:
    """True if ``statement`` reads no person table, or reads them joined to the ``visible_people`` expression."""
    if (known := _judged.get(statement)) is None:
        known = _judged[statement] = _is_scoped(statement)
    return known


def _is_scoped(statement: ClauseElement) -> bool:
    touches = False
    for element in visitors.iterate(statement):
        if isinstance(element, CTE) and element.name == SCOPE_NAME:
            return True
        touches = touches or element in PERSON_TABLES
    return not touches


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_pre_ping=parsed.get_backend_name() != "sqlite",
        hide_parameters=True,
        pool_size=POOL,
        pool_use_lifo=True,
        # A list reads thousands of small JSON values; pydantic's reader takes a quarter of the time of the standard
        # one.
        json_deserializer=from_json,
    )
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif parsed.get_backend_name() == "postgresql":
        event.listen(engine, "connect", _prepare_postgres)
    event.listen(engine, "before_execute", _refuse_unscoped)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transactions leave reads and table definitions outside; `_begin_sqlite` starts real ones.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Temporary rows in memory: copying people from one run to another would write each row to a file first.
    pragmas = ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "temp_store=MEMORY")
    for pragma in (*pragmas, f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_postgres(connection: Any, _record: Any) -> None:
    # Compiling a list's query took half a second, the query itself a few milliseconds. Outside a transaction, because
    # a rollback would undo it.
    connection.autocommit = True
    connection.execute("SET jit = off")
    connection.autocommit = False


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("upstream_writing")
    begin = BEGIN_WRITING if writing else "BEGIN"
    try:
        # On the driver's own connection, because the toolkit's took a third of the time of a lookup.
        connection.connection.cursor().execute(begin)
    except sqlite3.Error as error:
        raise OperationalError(begin, None, error, hide_parameters=True) from None


def _refuse_unscoped(
    connection: Connection, statement: ClauseElement, _many: Any, _params: Any, options: dict[str, Any]
) -> None:
    if connection.get_execution_options().get("upstream_scoped") and not is_scoped(statement):
        raise UnscopedQuery("rows about people were asked for without visible_people(caller); join the query to it")


def ping(database: Database) -> None:
    """Raise ``DatabaseUnavailable`` unless the database answers."""
    with database.read() as connection:
        connection.execute(text("SELECT 1"))
