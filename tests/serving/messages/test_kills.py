"""Processes that are killed while a reply arrives. The provider sends again what got no answer; nothing is lost and
nothing is there twice, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from serving.messages.service import show_inbox
from serving.storage.tables import text_opt_outs, text_replies
from tests.conftest import ROOT
from tests.serving.messages.databases import small_trust_at
from tests.serving.messages.desks import NUMBERS, SAM, arrive, audit_of, desk_over, reply
from tests.serving.messages.test_stop import small_trust

PLACES = ("before the commit", "after the commit", "while it is read", "before the answer")
KILLS = 20


@contextmanager
def receiver() -> Iterator[Callable[..., int]]:
    """Takes a reply in a separate process, and gives that process's exit code."""
    words = [sys.executable, "-m", "tests.serving.messages.killed_receiver"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as running:

        def died_of(*what: object) -> int:
            running.stdin.write(json.dumps(what) + "\n")
            running.stdin.flush()
            return int(running.stdout.readline())

        yield died_of
        running.stdin.close()


@pytest.mark.slow
def test_killed_between_receipt_and_storage_nothing_is_lost_and_nothing_is_twice(empty_url):
    """Twenty processes die by SIGKILL, five at each place; every fourth reply is STOP."""
    database = small_trust_at(empty_url)
    desk = desk_over(database, {who: NUMBERS[who] for who in ("N03", "N04")})
    with receiver() as died_of:
        for count in range(KILLS):
            place = PLACES[count % len(PLACES)]
            given = reply(NUMBERS["N03"], "STOP" if place == "while it is read" else "1", f"r{count:02d}")
            assert died_of(empty_url, place, given) == -signal.SIGKILL, place
            with database.write() as connection:
                held = connection.scalars(select(text_replies.c.reply_id)).all()
            assert (given["id"] in held) is (place != "before the commit"), place
            arrive(desk, given)
    with database.write() as connection:
        rows = connection.execute(select(text_replies)).all()
        out = connection.execute(select(text_opt_outs)).all()
    assert sorted(row.reply_id for row in rows) == [f"r{count:02d}" for count in range(KILLS)]
    assert all(row.handled_at is not None for row in rows) and len(out) == 1
    assert len(show_inbox(desk, SAM, audit_of(database), "north").replies) == KILLS - KILLS // len(PLACES)
    database.close()


@pytest.mark.parametrize("times", [2, 5])
def test_a_reply_that_comes_again_is_there_once(tmp_path, times):
    database = small_trust(tmp_path)
    desk = desk_over(database, {"N03": NUMBERS["N03"]})
    for _ in range(times):
        arrive(desk, reply(NUMBERS["N03"], "1", "r1"))
    with database.write() as connection:
        assert len(connection.execute(select(text_replies)).all()) == 1
    database.close()
