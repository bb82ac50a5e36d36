"""Texts on SQLite and on PostgreSQL: what is stored, who sees it, and calls that come at once."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from serving.http.problems import Problem
from serving.identity.callers import Caller, Role
from serving.messages import repository
from serving.messages.incoming.inbound import take_receipt
from serving.messages.reply_contacts import reply_contacts
from serving.messages.retention import delete_old_texts, erase_texts, export_texts
from serving.messages.sending import send_text, send_texts
from serving.messages.service import change_reply, show_inbox, show_thread, unread_distress
from serving.storage.database import DatabaseUnavailable
from serving.storage.tables import text_numbers, text_replies, texts
from tests.serving.messages.databases import small_trust_at
from tests.serving.messages.desks import KEYS, NUMBERS, SAM, arrive, audit_of, desk_over, reply

SUE = Caller("sue", Role.PHARMACIST, frozenset({"south"}), "Sue")


@pytest.fixture
def desk(empty_url):
    database = small_trust_at(empty_url)
    yield desk_over(database, {who: NUMBERS[who] for who in ("N03", "N04")})
    database.close()


def count(desk, table):
    with desk.database.write() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_from_sending_to_erasure(desk):
    audit = audit_of(desk.database)
    assert [one.sent for one in send_texts(desk, SAM, audit, ["N03", "N04"], "invite", "k")] == [True, True]
    assert take_receipt(desk, "p1", "delivered", "2026-01-06T12:00:01Z")
    arrive(desk, reply(NUMBERS["N03"], "1", "r1"))
    arrive(desk, reply(NUMBERS["N03"], "I can't cope", "r2"))
    arrive(desk, reply(NUMBERS["N04"], "STOP", "r3"))
    inbox = show_inbox(desk, SAM, audit, "north")
    assert [row.reply_id for row in inbox.replies] == ["r2", "r1"] and len(inbox.opted_out) == 1
    assert unread_distress(desk.database, SAM, "north") == 1
    assert "r2" in [line.reply_id for line in show_thread(desk, SAM, audit, "N03", "r2").lines]
    for change in ("take", "leave", "done"):
        assert change_reply(desk, SAM, audit, "r2", change) == "north"
    change_reply(desk, SAM, audit, "r1", "done")
    assert send_text(desk, SAM, audit, "N04", "invite", "k2").why == "opted-out"
    assert len(reply_contacts(desk.database)) == 1
    assert len(export_texts(desk.database, "N03", KEYS)["replies"]) == 2
    gone = delete_old_texts(desk.database, 365, desk.now.at + dt.timedelta(days=366))
    assert (gone["words of replies"], gone["text_replies"]) == (1, 2)
    assert erase_texts(desk.database, "N03")["text_replies"] == 1


def test_another_team_sees_none_of_it_even_where_a_query_skips_the_choke_point(desk):
    send_text(desk, SAM, audit_of(desk.database), "N03", "invite", "k")
    arrive(desk, reply(NUMBERS["N03"], "hello", "r1"))
    with pytest.raises(Problem):
        show_thread(desk, SUE, audit_of(desk.database), "N03", "r1")
    if desk.database.url.get_backend_name() == "postgresql":
        with desk.database.write(SUE) as connection:
            for table in (text_numbers, texts, text_replies):
                assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name


def at_once(calls):
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.exception() or future.result() for future in [threads.submit(*call) for call in calls]]


def test_a_reply_that_comes_eight_times_at_once_is_there_once_and_answered_once(desk):
    given = reply(NUMBERS["N03"], "1", "r1")
    found = at_once([(arrive, desk, given)] * 8)
    assert all(isinstance(one, (bool, DatabaseUnavailable)) for one in found), "503 at worst: the provider sends again"
    arrive(desk, given)
    assert count(desk, text_replies) == 1
    assert desk.messenger.sent.count((NUMBERS["N03"], "automatic")) == 1


def test_eight_simultaneous_sends_of_one_press_send_one_text(desk):
    at_once([(send_text, desk, SAM, audit_of(desk.database), "N03", "invite", "k")] * 8)
    assert desk.messenger.invites(NUMBERS["N03"]) == 1


def test_the_later_of_stop_and_start_counts_in_any_order_of_arrival(desk):
    first, last = desk.now.at, desk.now.at + dt.timedelta(minutes=1)
    with desk.database.write() as connection:
        repository.set_opt_out(connection, "h", first, "reply")
        repository.end_opt_out(connection, "h", last)
        repository.set_opt_out(connection, "h", first, "reply")
        assert not repository.opted_out(connection, "h")
