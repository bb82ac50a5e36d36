"""What comes in: stored before it is read, once, in any order; words sealed; distress shown; the automatic answer."""

from __future__ import annotations

import datetime as dt
import json
import logging

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import upstream
from serving.http.problems import Problem
from serving.identity.callers import Caller, Role
from serving.messages.incoming.inbound import replay, store_reply
from serving.messages.incoming.reaching_out import deal_with_waiting
from serving.messages.providers.messengers import NotSent
from serving.messages.reply_contacts import add_reply_contacts, reply_contacts
from serving.messages.retention import delete_old_texts, erase_texts, export_texts
from serving.messages.sending import send_text, send_texts
from serving.messages.service import change_reply, show_inbox, show_thread, unread_distress
from serving.storage import migrations
from serving.storage.tables import audit_events, text_replies
from tests.serving.messages.desks import AUTOMATIC, KEYS, NOON, NUMBERS, SAM, arrive, audit_of, desk_over, reply

N03, N04 = NUMBERS["N03"], NUMBERS["N04"]
CANARY = "Zebrafinch lives at 12 Quagga Street and can't cope"


@pytest.fixture
def desk(database):
    return desk_over(database)


def thread(desk, who="N03", opening="", caller=SAM):
    return show_thread(desk, caller, audit_of(desk.database), who, opening)


def inbox(desk, team="north"):
    return show_inbox(desk, SAM, audit_of(desk.database), team)


def answers(desk, number):
    return desk.messenger.sent.count((number, "automatic"))


def test_a_reply_is_stored_once_and_found_by_its_team(desk):
    assert [arrive(desk, reply(N03, "1", "r1")) for _ in range(3)] == [True, False, False]
    assert [(row.patient_id, row.meaning) for row in inbox(desk).replies] == [("N03", "call")]
    with pytest.raises(Problem):
        inbox(desk, "south")


def test_words_stay_sealed_until_a_member_opens_them_and_each_opening_is_audited(desk):
    arrive(desk, reply(N03, CANARY, "r1"))
    assert [line.words for line in thread(desk).lines if line.sealed] == [None]
    with pytest.raises(Problem, match="Open it before"):
        change_reply(desk, SAM, audit_of(desk.database), "r1", "done")
    opened = next(line for line in thread(desk, opening="r1").lines if line.reply_id == "r1")
    assert opened.words == CANARY
    with desk.database.engine.connect() as connection:
        events = connection.execute(select(audit_events.c.patient_ids).where(audit_events.c.action == "text.opened"))
        assert events.scalars().all() == [["N03"]]
    assert change_reply(desk, SAM, audit_of(desk.database), "r1", "done") == "north"
    assert inbox(desk).replies == ()


def test_another_team_and_a_role_that_sees_no_people_open_nothing(desk):
    arrive(desk, reply(N03, CANARY, "r1"))
    for caller in (
        Caller("x", Role.PHARMACIST, frozenset({"south"}), "Sue"),
        Caller("y", Role.OPERATOR, frozenset(), "Op"),
    ):
        with pytest.raises(Problem):
            thread(desk, opening="r1", caller=caller)
        with pytest.raises(Problem):
            change_reply(desk, caller, audit_of(desk.database), "r1", "take")


def test_words_of_distress_stand_first_until_somebody_opens_them(desk):
    arrive(desk, reply(N04, "2", "r1"))
    arrive(desk, reply(N03, CANARY, "r2"))
    assert [row.patient_id for row in inbox(desk).replies] == ["N03", "N04"]
    assert (inbox(desk).distress, unread_distress(desk.database, SAM, "north")) == (1, 1)
    change_reply(desk, SAM, audit_of(desk.database), "r2", "take")
    assert inbox(desk).replies[0].taken_by_name == "Sam" and inbox(desk).distress == 1
    thread(desk, opening="r2")
    assert inbox(desk).distress == 0


def test_every_reply_but_stop_gets_one_automatic_answer_in_twelve_hours(desk):
    arrive(desk, reply(N03, "hello", "r1"))
    arrive(desk, reply(N03, "hello again", "r2"))
    assert answers(desk, N03) == 1
    desk.now.at += dt.timedelta(hours=2)
    arrive(desk, reply(N03, "I can't cope", "r3"))
    assert answers(desk, N03) == 2, "words of distress are answered again after an hour"
    arrive(desk, reply(N03, "STOP", "r4"))
    arrive(desk, reply(N03, "I can't cope", "r5"))
    assert answers(desk, N03) == 2, "STOP holds for the automatic answer too"


def test_an_answer_that_the_provider_refused_is_sent_later_and_the_reply_is_kept(desk):
    desk.messenger.fails = NotSent("down", certain=True)
    arrive(desk, reply(N03, "1", "r1"))
    assert [row.meaning for row in inbox(desk).replies] == ["call"]
    desk.messenger.fails = None
    deal_with_waiting(desk)
    deal_with_waiting(desk)
    assert answers(desk, N03) == 1


def test_a_reply_from_nobodys_number_is_counted_and_answered(desk):
    arrive(desk, reply("+447700900555", CANARY, "r1"))
    assert (inbox(desk).of_nobody, inbox(desk).replies, answers(desk, "+447700900555")) == (1, (), 1)


def test_after_an_outage_what_never_arrived_is_fetched_once(desk):
    arrive(desk, reply(N03, "1", "r1"))
    listed = [
        {"id": name, "user_number": N03.lstrip("+"), "content": words, "created_at": NOON.isoformat()}
        for name, words in (("r2", "STOP"), ("r1", "1"))
    ]
    desk.messenger.held = listed
    assert (replay(desk), replay(desk)) == (1, 0)
    assert send_text(desk, SAM, audit_of(desk.database), "N03", "invite", "k").why == "opted-out"


def test_coded_replies_become_contacts_by_text_with_both_clocks_and_nothing_else_does(desk, home):
    desk.now.at = NOON + dt.timedelta(days=2)
    send_texts(desk, SAM, audit_of(desk.database), ["N03", "N04"], "invite", "asked")
    for number, words, name in ((N03, "1", "r1"), (N04, "2", "r2"), (N03, CANARY, "r3"), (N04, "STOP", "r4")):
        arrive(desk, reply(number, words, name))
    send_text(desk, SAM, audit_of(desk.database), "N05", "invite", "unanswered")
    rows = reply_contacts(desk.database)
    assert sorted(rows["contact_id"]) == ["upstream-text:r1", "upstream-text:r2"]
    assert set(rows["mode"]) == {"text"} and set(rows["outcome"]) == {"attended"} and set(rows["team_id"]) == {"north"}
    assert {str(day.date()) for day in rows["contact_on"]} == {"2026-01-06"}
    assert {str(day.date()) for day in rows["known_on"]} == {"2026-01-08"}, "it was known when it reached us"
    twice = [add_reply_contacts(home, home / "store") for _ in range(2)]
    assert [(one.added, one.withdrawn) for one in twice] == [(2, 0), (0, 0)]


def test_words_and_numbers_are_in_no_log_no_audit_and_no_page_of_another(desk, caplog):
    caplog.set_level(logging.DEBUG)
    arrive(desk, reply(N03, CANARY, "r1"))
    send_text(desk, SAM, audit_of(desk.database), "N04", "invite", "k")
    thread(desk, opening="r1")
    with desk.database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        dump = "\n".join(raw.iterdump())
    for secret in ("Zebrafinch", "Quagga", "7700900013", "7700900014"):
        assert secret not in dump and secret not in caplog.text
        assert secret.encode().hex() not in dump.lower()


def test_one_persons_texts_are_given_out_and_erased_and_their_stop_stays(desk):
    send_text(desk, SAM, audit_of(desk.database), "N03", "invite", "k")
    arrive(desk, reply(N03, "Zebra", "r1"))
    arrive(desk, reply(N03, "STOP", "r2"))
    given = export_texts(desk.database, "N03", KEYS)
    assert [one["words"] for one in given["replies"]] == ["Zebra", "STOP"] and len(given["texts"]) == 2
    erased = erase_texts(desk.database, "N03")
    assert (erased["text_replies"], erased["texts"], erased["text_numbers"]) == (2, 2, 1)
    assert export_texts(desk.database, "N03", KEYS) == {"texts": [], "replies": [], "numbers": []}
    desk = desk_over(desk.database)
    assert send_text(desk, SAM, audit_of(desk.database), "N03", "invite", "k2").why == "opted-out"


def test_old_texts_go_and_a_reply_that_waits_stays(desk):
    arrive(desk, reply(N03, "hello", "r1"))
    arrive(desk, reply(N04, "1", "r2"))
    change_reply(desk, SAM, audit_of(desk.database), "r2", "done")
    assert delete_old_texts(desk.database, 365, NOON + dt.timedelta(days=364))["text_replies"] == 0
    gone = delete_old_texts(desk.database, 365, NOON + dt.timedelta(days=366))
    assert (gone["words of replies"], gone["text_replies"], gone["texts"]) == (1, 0, 2)
    assert sorted(reply_contacts(desk.database)["contact_id"]) == ["upstream-text:r2"], "the day stays, as a contact"
    gone = delete_old_texts(desk.database, 365, NOON + dt.timedelta(days=365 + 1_097))
    assert gone["text_replies"] == 1
    with desk.database.engine.connect() as connection:
        assert connection.scalars(select(text_replies.c.reply_id)).all() == ["r1"]


def test_the_automatic_answer_names_help(desk):
    store_reply(desk, reply(N03, "hello", "r1"))
    deal_with_waiting(desk)
    assert desk.messenger.sent == [(N03, AUTOMATIC.name)]


def test_the_command_of_retention_deletes_old_texts_too_and_counts_them_first(home, monkeypatch):
    monkeypatch.setenv("UPSTREAM_TEXTING", '{"keep_days": 30}')
    with migrations.opened(home) as database:
        desk = desk_over(database)
        send_text(desk, SAM, audit_of(database), "N03", "invite", "press-1")

    def gone(*options):
        done = CliRunner().invoke(upstream.app, ["retention", "--home", str(home), "--json", *options])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["deleted"]["texts"]

    assert [gone("--dry-run"), gone("--dry-run"), gone(), gone()] == [1, 1, 1, 0]
