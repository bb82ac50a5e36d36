"""One transaction for everything that waits to be written, because most of a commit is waiting for the disk.

Whoever has the turn writes for all who wait behind it; each returns once its own entry is committed, never before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


def _nothing() -> None:
    """Called in place of ``waits`` where nobody asks."""


class _Entry(Generic[T]):
    """What one caller waits for: ``written`` is set once it is committed, or has failed with ``error``."""

    def __init__(self, what: T, plain: bool) -> None:
        self.what, self.plain, self.written = what, plain, threading.Event()
        self.error: BaseException | None = None


class SharedCommits(Generic[T]):
    """``write`` puts some entries into the database, inside one ``transaction``, which is given whether all of them are
    plain. Where that raises ``hopeless``, no entry is tried again alone. A caller waits at most ``patience`` seconds
    for its turn."""

    def __init__(
        self,
        transaction: Callable[[bool], AbstractContextManager[Connection]],
        write: Callable[[Connection, Sequence[T]], None],
        hopeless: type[Exception],
        patience: float,
    ) -> None:
        self._transaction, self._write, self._hopeless = transaction, write, hopeless
        self._patience = patience
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._waiting: list[_Entry[T]] = []

    def commit(self, what: T, waits: Callable[[], None] = _nothing, plain: bool = False) -> None:
        """Returns once ``what`` is committed, alone or with others. ``waits`` is called when only waiting is left: for
        the disk, or for the turn of another. ``plain``: only compiled statements write it. Raises what writing it
        raised, and ``TimeoutError`` where no turn came in time."""
        mine = _Entry(what, plain)
        with self._lock:
            self._waiting.append(mine)
        free = self._turn.acquire(blocking=False)
        if not free:
            waits()
        if free or self._turn.acquire(timeout=self._patience):
            try:
                if not mine.written.is_set():
                    self._commit(self._taken(), waits)
            finally:
                self._turn.release()
        elif self._withdrawn(mine):
            raise TimeoutError
        mine.written.wait()
        if mine.error is not None:
            raise mine.error

    def _taken(self) -> list[_Entry[T]]:
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken

    def _withdrawn(self, mine: _Entry[T]) -> bool:
        """Whether an entry could still be taken back; if not, somebody is writing it."""
        with self._lock:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def _commit(self, entries: Sequence[_Entry[T]], waits: Callable[[], None] = _nothing) -> None:
        error: BaseException | None = None
        try:
            with self._transaction(all(entry.plain for entry in entries)) as connection:
                self._write(connection, [entry.what for entry in entries])
                waits()
        except BaseException as problem:  # noqa: BLE001 - it is raised in the threads of those whose entries failed
            if len(entries) > 1 and not isinstance(problem, self._hopeless):
                for entry in entries:  # one entry that cannot be written does not hold up the others
                    self._commit([entry], waits)
                return
            error = problem
        for entry in entries:
            entry.error = error
            entry.written.set()
