"""Entries that wait for the disk together are committed together; nobody returns before their own is committed."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from serving.storage.shared_commits import SharedCommits


class Full(Exception):
    """The disk is full."""


class Log:
    """A database that remembers each transaction once it is committed."""

    def __init__(self, patience=60.0):
        self.committed, self.begun, self.hold = [], 0, None
        self.commits = SharedCommits(self.transaction, self.write, Full, patience)

    @contextmanager
    def transaction(self, plain):
        self.begun, self.plain = self.begun + 1, plain
        written = []
        yield written
        self.committed.append(written)

    def write(self, connection, entries):
        if self.hold is not None:
            self.hold()
        for entry in entries:
            if isinstance(entry, Exception):
                raise entry
            connection.append(entry)

    def waiting(self):
        return len(self.commits._waiting)


def together(log, *entries, plain=()):
    """What each entry's thread ended with, all of them waiting behind one that is being written."""
    held, go, found = threading.Event(), threading.Event(), {}

    def hold():
        log.hold = None
        held.set()
        assert go.wait(60)

    def commit(entry):
        try:
            log.commits.commit(entry, plain=entry in plain)
            found[str(entry)] = any(entry in written for written in log.committed)
        except (ValueError, Full) as error:
            found[str(entry)] = type(error)

    log.hold = hold
    threads = [threading.Thread(target=commit, args=(entry,)) for entry in ("first", *entries)]
    threads[0].start()
    assert held.wait(60)
    for number, thread in enumerate(threads[1:], 1):
        thread.start()
        while log.waiting() < number:
            pass
    go.set()
    for thread in threads:
        thread.join()
    return found


def test_what_waits_is_committed_in_one_transaction_in_its_order():
    log = Log()
    assert together(log, "a", "b", "c") == {"first": True, "a": True, "b": True, "c": True}
    assert log.committed == [["first"], ["a", "b", "c"]]


def test_a_transaction_is_plain_where_all_of_its_entries_are():
    log = Log()
    log.commits.commit("a", plain=True)
    assert log.plain
    together(log, "a", "b", plain=("a", "b"))
    assert log.plain
    together(log, "a", "b", plain=("a",))
    assert not log.plain


def test_one_alone_is_committed_at_once():
    log = Log()
    log.commits.commit("a")
    log.commits.commit("b")
    assert log.committed == [["a"], ["b"]]


def test_it_says_when_only_the_disk_is_waited_for():
    log, seen = Log(), []
    log.commits.commit("a", lambda: seen.append((log.begun, list(log.committed))))
    assert (seen, log.committed) == ([(1, [])], [["a"]])


def test_it_says_when_the_turn_of_another_is_waited_for():
    log, waits = Log(patience=0.01), threading.Event()
    with log.commits._turn, pytest.raises(TimeoutError):
        log.commits.commit("a", waits.set)
    assert waits.is_set()


def test_an_entry_that_cannot_be_written_fails_alone():
    log = Log()
    found = together(log, "a", ValueError("bad"), "c")
    assert found == {"first": True, "a": True, "bad": ValueError, "c": True}
    assert log.committed == [["first"], ["a"], ["c"]]


def test_where_nothing_can_be_written_nothing_is_tried_again():
    log = Log()
    found = together(log, "a", Full("full"), "c")
    assert found == {"first": True, "a": Full, "full": Full, "c": Full}
    assert (log.committed, log.begun) == ([["first"]], 2)


def test_without_a_turn_in_time_nothing_is_written_later():
    log = Log(patience=0.01)
    with log.commits._turn, pytest.raises(TimeoutError):
        log.commits.commit("late")
    log.commits.commit("next")
    assert log.committed == [["next"]]


def test_without_a_turn_in_time_an_entry_that_another_is_writing_is_waited_for():
    log, taken, returned, found = Log(), [], threading.Event(), []

    class AnothersTurn:
        def acquire(self, blocking=True, timeout=-1):
            taken.extend(log.commits._taken())
            return False

    def commit():
        log.commits.commit("a")
        found.append(list(log.committed))
        returned.set()

    log.commits._turn = AnothersTurn()
    thread = threading.Thread(target=commit)
    thread.start()
    assert not returned.wait(0.2), "nobody returns before their entry is committed"
    log.commits._commit(taken)
    thread.join()
    assert found == [[["a"]]]
