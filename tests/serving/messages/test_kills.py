"""Processes that are killed while a reply arrives. The provider sends again what got no answer; nothing is lost and
nothing is there twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import select

from serving.messages.incoming.inbound import take_reply
from serving.messages.service import show_inbox
from serving.storage.tables import text_opt_outs, text_replies
from tests.conftest import ROOT
from tests.serving.messages.desks import NUMBERS, SAM, audit_of, desk_over, reply
from tests.serving.messages.test_stop import small_trust

PLACES = ("before the commit", "after the commit", "while it is read", "before the answer")
KILLS = len(PLACES)


def test_killed_between_receipt_and_storage_nothing_is_lost_and_nothing_is_twice(tmp_path):
    database = small_trust(tmp_path)
    desk = desk_over(database, {who: NUMBERS[who] for who in ("N03", "N04")})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for count, place in enumerate(PLACES):
        given = reply(NUMBERS["N03"], "STOP" if place == "while it is read" else "1", f"r{count}")
        words = [sys.executable, "-m", "tests.serving.messages.killed_receiver"]
        url = database.url.render_as_string(hide_password=False)
        done = subprocess.run([*words, url, place, json.dumps(given)], cwd=ROOT, env=environment, check=False)
        assert done.returncode == -9, place
        with database.engine.connect() as connection:
            held = connection.scalars(select(text_replies.c.reply_id)).all()
        assert (f"r{count}" in held) is (place != "before the commit"), place
        take_reply(desk, given)
    with database.engine.connect() as connection:
        rows = connection.execute(select(text_replies)).all()
        out = connection.execute(select(text_opt_outs)).all()
    assert sorted(row.reply_id for row in rows) == [f"r{count}" for count in range(KILLS)]
    assert all(row.handled_at is not None for row in rows) and len(out) == 1
    assert len(show_inbox(desk, SAM, audit_of(database), "north").replies) == KILLS - 1
    database.close()


@pytest.mark.parametrize("times", [2, 5])
def test_a_reply_that_comes_again_is_there_once(tmp_path, times):
    database = small_trust(tmp_path)
    desk = desk_over(database, {"N03": NUMBERS["N03"]})
    for _ in range(times):
        take_reply(desk, reply(NUMBERS["N03"], "1", "r1"))
    with database.engine.connect() as connection:
        assert len(connection.execute(select(text_replies)).all()) == 1
    database.close()
