"""Sending: what is checked at the moment of sending, what one press does, and what a page is given back."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from sqlalchemy import select

from serving.http.problems import Problem
from serving.identity.callers import Caller, Role
from serving.messages.desk import may_send_at
from serving.messages.incoming.inbound import store_reply, take_receipt, take_reply
from serving.messages.numbers.loading import read_numbers, store_numbers
from serving.messages.providers.messengers import NotSent
from serving.messages.sending import send_text, send_texts
from serving.storage.tables import audit_events, text_numbers, texts
from tests.serving.messages.desks import KEYS, NUMBERS, SAM, audit_of, desk_over, reply

N03 = NUMBERS["N03"]


@pytest.fixture
def desk(database):
    return desk_over(database)


def send(desk, who="N03", key="press-1", caller=SAM):
    return send_text(desk, caller, audit_of(desk.database), who, "invite", key)


def status(desk, who="N03"):
    with desk.database.engine.connect() as connection:
        return connection.scalars(select(texts.c.status).where(texts.c.patient_id == who)).all()


def test_one_press_sends_once_and_is_audited_without_words_or_number(desk):
    assert send(desk).sent and send(desk).sent
    assert desk.messenger.sent == [(N03, "invite")]
    with desk.database.engine.connect() as connection:
        events = connection.execute(select(audit_events).where(audit_events.c.action == "text.sent")).all()
    assert [event.detail for event in events] == [{"template": "invite"}] and events[0].patient_ids == ["N03"]


@pytest.mark.parametrize(
    ("hour", "month", "leaves"),
    [(8, 1, False), (9, 1, True), (18, 1, True), (19, 1, False), (8, 7, True), (18, 7, False), (7, 7, False)],
)
def test_texts_leave_from_9_to_19_in_london_in_summer_and_in_winter(desk, hour, month, leaves):
    desk.now.at = dt.datetime(2026, month, 6, hour, 59 if hour in (8, 18) and month == 1 else 0, tzinfo=dt.UTC)
    assert may_send_at(desk.now.at) is leaves
    assert send(desk).why == ("" if leaves else "outside-hours") and len(desk.messenger.sent) == leaves


def test_without_consent_a_number_or_a_number_of_ones_own_nothing_is_sent(database):
    desk = desk_over(database, {"N03": N03}, consented=False)
    assert (send(desk).why, send(desk, "N04").why) == ("no-consent", "no-number")
    store_numbers(database, {"N03": (N03, True), "N04": (N03, True)}, KEYS)
    assert send(desk, key="2").why == "shared-number" and desk.messenger.sent == []


def test_consent_that_ends_between_two_texts_ends_them(desk):
    assert send(desk).sent
    store_numbers(desk.database, {"N03": (N03, False)}, KEYS)
    assert send(desk, key="2").why == "no-consent" and len(desk.messenger.sent) == 1


def test_another_teams_person_is_not_there_and_a_system_of_no_people_sends_nothing(desk):
    for caller, who in ((SAM, "S02"), (Caller("x", Role.OPERATOR, frozenset(), "Op"), "N03")):
        with pytest.raises(Problem) as refused:
            send(desk, who, caller=caller)
        assert refused.value.status == 404
    assert desk.messenger.sent == []


def test_a_stop_that_was_stored_and_not_yet_read_counts_before_the_next_send(desk):
    store_reply(desk, reply(N03, "STOP", "r1"))
    assert send(desk).why == "opted-out" and desk.messenger.sent == []


def test_a_stop_in_the_middle_of_a_batch_counts_for_who_is_still_to_come(desk):
    carry = desk.messenger.send

    def send_and_hear(number, template, reference):
        store_reply(desk, reply(NUMBERS["N05"], "Stop", "r1"))
        return carry(number, template, reference)

    desk.messenger.send = send_and_hear
    found = send_texts(desk, SAM, audit_of(desk.database), ["N03", "N05", "S02", "N06"], "invite", "batch")
    assert [one.why for one in found] == ["", "opted-out", "not-visible", ""]
    assert [number for number, _ in desk.messenger.sent] == [N03, NUMBERS["N06"]]


def test_what_the_provider_did_not_take_is_shown_as_such(desk):
    desk.messenger.fails = NotSent("the provider answered 400", certain=True)
    assert send(desk).why == "not-sent" and status(desk) == ["not-sent"]
    desk.messenger.fails = NotSent("the provider answered 503", certain=False)
    assert send(desk, "N04").why == "unknown" and status(desk, "N04") == ["unknown"]
    assert send(desk, "N04").why == "unknown", "the same press asks nothing again"


def test_words_that_differ_at_the_provider_are_not_sent(desk):
    desk.messenger.text_of = lambda template: "Your clozapine is due"
    assert send(desk).why == "template-changed" and desk.messenger.sent == []


@pytest.mark.parametrize("order", [("sending", "delivered"), ("delivered", "temporary-failure")])
def test_receipts_count_in_any_order_twice_and_before_the_id_is_known(desk, order):
    for word in order * 2:
        take_receipt(desk, "p1", word, "2026-01-06T12:00:00Z")
    send(desk)
    assert status(desk) == ["delivered"]


def test_start_after_stop_allows_texts_again_in_any_order_of_arrival(desk):
    later = desk.now.at - dt.timedelta(minutes=1)
    take_reply(desk, reply(N03, "STOP", "r1", later - dt.timedelta(minutes=1)))
    take_reply(desk, reply(N03, "START", "r2", later))
    take_reply(desk, reply(N03, "STOP", "r1", later - dt.timedelta(minutes=1)))
    assert send(desk).sent


def test_numbers_are_sealed_and_open_for_their_own_person_only(desk):
    with desk.database.engine.connect() as connection:
        rows = connection.execute(select(text_numbers)).all()
    assert all(b"7700900" not in row.sealed and "7700900" not in row.number_hash for row in rows)
    assert json.loads(KEYS.open(rows[0].sealed, f"mobile:{rows[0].patient_id}", "k1")) == [NUMBERS[rows[0].patient_id]]


def test_a_consent_that_is_not_understood_is_none():
    import pandas as pd

    rows = [("N01", "07700900001", "Yes"), ("N02", "07700900002", "maybe"), ("N03", "12", "yes"), ("N01", "", "no")]
    found, report = read_numbers(pd.DataFrame(rows, columns=["patient_id", "mobile", "consent"], dtype="string"))
    assert found == {"N01": ("+447700900001", True), "N02": ("+447700900002", False)}
    assert sum(len(rows) for rows in report.problems.values()) == 3 and "07700" not in str(report.lines())
