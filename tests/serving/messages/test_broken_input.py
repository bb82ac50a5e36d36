"""What goes wrong at the edges: callbacks twice and out of order, unknown references, odd characters, numbers in many
spellings, people who moved or share a phone, and the hours around a clock change."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from sqlalchemy import select, update

from features.reference import MEDICINES
from serving.messages.desk import may_send_at
from serving.messages.incoming.inbound import read_waiting, store_reply, take_receipt
from serving.messages.numbers.loading import read_numbers, store_numbers
from serving.messages.reply_contacts import reply_contacts
from serving.messages.retention import delete_old_texts
from serving.messages.sending import send_text, send_texts
from serving.messages.service import show_inbox, show_thread
from serving.messages.templates import clinical_words, found_in
from serving.storage.tables import people, run_teams, text_receipts, text_replies, texts
from tests.serving.messages.desks import AUTOMATIC, INVITE, KEYS, NUMBERS, SAM, arrive, audit_of, desk_over, reply

N03, N04 = NUMBERS["N03"], NUMBERS["N04"]


@pytest.fixture
def desk(database):
    return desk_over(database)


def send(desk, who="N03", key="k"):
    return send_text(desk, SAM, audit_of(desk.database), who, "invite", key)


def held(desk, column):
    with desk.database.engine.connect() as connection:
        return connection.scalars(select(column)).all()


def rename_team(desk, name):
    with desk.database.write() as connection:
        connection.execute(update(run_teams).where(run_teams.c.team_id == "north").values(name=name))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 2, 0)])
def test_early_repeated_and_disordered_receipts_give_the_final_status(desk, order):
    """The provider's receipts overtake its answer to the send itself."""
    receipts = [
        ("sending", "2026-01-06T12:00:00Z"),
        ("temporary-failure", "2026-01-06T12:01:00Z"),
        ("delivered", "2026-01-06T12:02:00Z"),
    ]
    carry = desk.messenger.send

    def overtaken(number, template, reference):
        for place in order:
            take_receipt(desk, "p1", *receipts[place])
        return carry(number, template, reference)

    desk.messenger.send = overtaken
    assert send(desk).sent
    for place in (0, 1, 2):
        take_receipt(desk, "p1", *receipts[place])
    assert held(desk, texts.c.status) == ["delivered"]


def test_a_receipt_for_an_unknown_reference_changes_no_text(desk):
    send(desk)
    assert take_receipt(desk, "nobody-knows", "permanent-failure", "no date") is True
    assert take_receipt(desk, "nobody-knows", "permanent-failure", None) is False
    assert held(desk, texts.c.status) == ["created"]


def test_a_receipt_after_retention_is_taken_and_deleted_with_the_next(desk):
    send(desk)
    later = desk.now.at + dt.timedelta(days=400)
    delete_old_texts(desk.database, 365, later)
    desk.now.at = later
    assert take_receipt(desk, "p1", "delivered", "2026-01-06T12:00:00Z")
    assert held(desk, texts.c.status) == []
    delete_old_texts(desk.database, 365, later + dt.timedelta(days=366))
    assert held(desk, text_receipts.c.provider_id) == []


@pytest.mark.parametrize(
    "words",
    [
        "😀👍🏽 ok",
        "‮reversed",
        "half a \ud83d",
        "\x00nothing",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "ف" * 5_000,
        "x" * 20_000,
        "",
    ],
)
def test_any_characters_are_stored_shown_and_read_back(desk, words):
    assert arrive(desk, reply(N03, words, "r1"))
    found = show_thread(desk, SAM, audit_of(desk.database), "N03", "r1")
    shown = next(line.words for line in found.lines if line.reply_id == "r1")
    assert shown == words.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    "written", ["07700900013", "07700 900013", "+44 7700 900013", "00447700900013", "447700900013"]
)
def test_a_number_finds_its_person_however_it_is_written(desk, written):
    arrive(desk, {"id": "r1", "source_number": written, "message": "1"})
    assert [row.patient_id for row in show_inbox(desk, SAM, audit_of(desk.database), "north").replies] == ["N03"]


@pytest.mark.parametrize("written", ["+1 202 555 0143", "NHSNoReply", "", "7700900013", "0700900013 1"])
def test_a_reply_from_a_number_that_is_no_uk_mobile_is_kept_without_a_person(desk, written):
    assert arrive(desk, {"id": "r1", "source_number": written, "message": "1"})
    inbox = show_inbox(desk, SAM, audit_of(desk.database), "north")
    assert (inbox.of_nobody, inbox.replies) == (1, ())


def test_numbers_of_a_file_in_every_way_people_write_them():
    written = ["07700 900 123", "+44 (7700) 900123", "0044-7700-900123", "447700900123", "+44 (0)7700 900123", "n/a"]
    rows = pd.DataFrame(
        {"patient_id": [f"N{i:02d}" for i in range(len(written))], "mobile": written, "consent": "yes"}, dtype="string"
    )
    found, report = read_numbers(rows)
    assert {number for number, _ in found.values()} == {"+447700900123"} and len(found) == 4
    assert report.problems == {"mobile is no UK mobile number": [5, 6]}


def test_a_shared_number_gets_no_text_and_its_reply_is_linked_to_no_person(database):
    desk = desk_over(database, {"N03": N03, "N04": N03})
    assert [one.why for one in send_texts(desk, SAM, audit_of(database), ["N03", "N04"], "invite", "k")] == [
        "shared-number",
        "shared-number",
    ]
    arrive(desk, reply(N03, "1", "r1"))
    assert held(desk, text_replies.c.patient_id) == [None] and reply_contacts(database).empty


def test_a_number_that_changed_hands_finds_its_present_holder(desk):
    send(desk)
    store_numbers(desk.database, {"N04": (N03, True)}, KEYS)
    arrive(desk, reply(N03, "hello", "r1"))
    assert held(desk, text_replies.c.patient_id) == ["N04"]
    store_numbers(desk.database, {"N05": (NUMBERS["N05"], True)}, KEYS)
    arrive(desk, reply(N03, "hello", "r2"))
    assert sorted(held(desk, text_replies.c.patient_id)) == ["N03", "N04"], "no holder: who was texted"


def test_a_stop_from_a_shared_number_stops_both(database):
    desk = desk_over(database, {"N03": N03, "N04": N03})
    arrive(desk, reply(N03, "STOP", "r1"))
    store_numbers(database, {"N04": (N03, True)}, KEYS)
    assert send(desk, "N04").why == "opted-out"


def test_a_person_who_moved_team_is_in_the_inbox_of_the_team_they_are_with_now(desk):
    send(desk)
    with desk.database.write() as connection:
        connection.execute(update(people).where(people.c.patient_id == "N03").values(team_id="south"))
    arrive(desk, reply(N03, "1", "r1"))
    assert show_inbox(desk, SAM, audit_of(desk.database), "north").replies == ()
    sue = SAM.__class__("sue", SAM.role, frozenset({"south"}), "Sue")
    assert [row.patient_id for row in show_inbox(desk, sue, audit_of(desk.database), "south").replies] == ["N03"]


@pytest.mark.parametrize(
    ("moment", "leaves"),
    [
        ("2026-03-28T18:59:59", True),  # the last day of winter time: 18:59 in London
        ("2026-03-28T19:00:00", False),
        ("2026-03-29T07:59:59", False),  # summer time began at 1:00: 8:59 in London
        ("2026-03-29T08:00:00", True),
        ("2026-03-29T17:59:59", True),
        ("2026-03-29T18:00:00", False),  # 19:00 in London
        ("2026-10-24T08:00:00", True),
        ("2026-10-24T18:00:00", False),
        ("2026-10-25T08:59:59", False),  # summer time ended at 2:00: 8:59 in London
        ("2026-10-25T09:00:00", True),
        ("2026-10-25T18:59:59", True),
        ("2026-10-25T19:00:00", False),
    ],
)
def test_night_follows_london_time_across_clock_changes(moment, leaves):
    assert may_send_at(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)) is leaves


def test_a_press_just_before_19_that_waits_for_the_provider_is_not_sent_at_night(desk):
    desk.now.at = dt.datetime(2026, 1, 6, 18, 59, 58, tzinfo=dt.UTC)

    def slow(template):
        desk.now.at += dt.timedelta(seconds=5)
        return template.text

    desk.messenger.text_of = slow
    assert send(desk).why == "outside-hours" and desk.messenger.sent == []
    assert send(desk).why == "outside-hours", "the same press asks nothing again"


def test_a_batch_that_meets_19_ends_there_and_says_so(desk):
    desk.now.at = dt.datetime(2026, 1, 6, 18, 59, 58, tzinfo=dt.UTC)
    carry = desk.messenger.send

    def slow(number, template, reference):
        desk.now.at += dt.timedelta(seconds=3)
        return carry(number, template, reference)

    desk.messenger.send = slow
    found = send_texts(desk, SAM, audit_of(desk.database), ["N03", "N04", "N05"], "invite", "k")
    assert [one.why for one in found] == ["", "outside-hours", "outside-hours"] and len(desk.messenger.sent) == 1


def test_a_stop_that_is_stored_while_the_text_is_made_ready_counts(desk):
    """Another process stores it after this one looked for replies."""
    place = desk.messenger.text_of

    def heard(template):
        store_reply(desk, reply(N03, "Please STOP", "r1"))
        return place(template)

    desk.messenger.text_of = heard
    assert send(desk).why == "opted-out" and desk.messenger.sent == []
    read_waiting(desk)
    assert held(desk, text_replies.c.meaning) == ["stop"]


@pytest.mark.parametrize("name", ["Oak House", "Appointment Outreach", "Lithium clinic", "Psychosis team"])
def test_a_text_that_names_a_team_of_the_published_list_is_not_sent(desk, name):
    rename_team(desk, name)
    naming = INVITE.model_copy(update={"text": f"{name}: reply 1 to be called, STOP to end"})
    desk.texting.__dict__["templates"] = (naming,)
    try:
        assert send(desk).why == "names-a-team" and desk.messenger.sent == []
    finally:
        desk.texting.__dict__["templates"] = (INVITE,)


def test_a_team_name_of_general_words_blocks_no_text(desk):
    rename_team(desk, "Your appointment team")
    assert send(desk).sent


def test_every_outbound_text_of_a_day_holds_no_clinical_word_and_no_team(desk):
    """Everything that people are sent here, invitations and automatic answers, against every term of the tables."""
    said = []
    carry = desk.messenger.send

    def kept(number, template, reference):
        said.append(template.text)
        return carry(number, template, reference)

    desk.messenger.send = kept
    send_texts(desk, SAM, audit_of(desk.database), [f"N{i:02d}" for i in range(8)], "invite", "k")
    for count, medicine in enumerate(list(MEDICINES)[:20]):
        arrive(desk, reply(NUMBERS[f"N{count % 8:02d}"], f"about my {medicine}, lithium clinic", f"r{count}"))
    assert len(said) >= 15 and set(said) == {INVITE.text, AUTOMATIC.text}
    assert [found_in(text, clinical_words()) for text in set(said)] == [[], []]


@pytest.mark.parametrize(
    "name", ["Psychosis team", "Lithium clinic", "Early intervention", "Memory clinic", "Depot clinic"]
)
def test_the_name_of_a_speciality_is_a_clinical_word_whatever_the_teams_are(name):
    assert found_in(f"The {name} would like to hear from you", clinical_words())
