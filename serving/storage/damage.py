"""Finds a damaged database: by a full check of SQLite when the service starts, and by errors of the driver.

PostgreSQL reports damaged pages by itself where its checksums are on (``initdb --data-checksums``).
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

DAMAGED_SQLITE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
DAMAGED_POSTGRES = frozenset({"XX001", "XX002"})
"""SQLSTATE of data_corrupted and index_corrupted."""
DAMAGED = "the database is damaged: stop the service and restore the newest backup (docs/operations.md, Restore)"


def is_damage(error: SQLAlchemyError) -> bool:
    """True if the driver reports that the database itself is damaged. A retry does not help."""
    original = getattr(error, "orig", None) if isinstance(error, DBAPIError) else None
    # The low byte is the kind of error, whatever more the driver knows about it.
    code = getattr(original, "sqlite_errorcode", None)
    return (code is not None and code & 0xFF in DAMAGED_SQLITE) or (
        getattr(original, "sqlstate", None) in DAMAGED_POSTGRES
    )


class WholeCheck:
    """SQLite's ``quick_check`` of the whole file, in a thread that ``stop`` ends. ``damaged`` is True once it found
    something. Other databases are not checked.
    """

    def __init__(self, url: URL) -> None:
        self.damaged = False
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        if url.get_backend_name() == "sqlite" and url.database:
            self._thread = threading.Thread(target=self._run, args=(url.database,), name="database check", daemon=True)

    def start(self) -> None:
        if self._thread is not None:
            self._thread.start()

    def wait(self) -> None:
        """Returns when the check is done."""
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            if self._connection is not None:
                with suppress(sqlite3.ProgrammingError):  # it ended meanwhile
                    self._connection.interrupt()
            self._thread.join(timeout=5)

    def _run(self, path: str) -> None:
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False)
            self._connection.execute("PRAGMA query_only = ON")
            self.damaged = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
        except sqlite3.DatabaseError as error:
            self.damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED_SQLITE
        finally:
            if self._connection is not None:
                self._connection.close()
