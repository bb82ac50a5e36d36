"""Feedback: kept once, coded answers only."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from tests.serving.cds.conftest import SELECT, VIEW

AT = "2026-11-28T10:20:30Z"
FEEDBACK = f"{VIEW}/feedback"


def entry(card, **changes):
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": AT, **changes}


def taken(stored=0, repeated=0, unknown_cards=0, comments_dropped=0):
    return {
        "stored": stored,
        "repeated": repeated,
        "unknown_cards": unknown_cards,
        "comments_dropped": comments_dropped,
    }


@pytest.fixture
def send(call):
    def sent(*entries, path=FEEDBACK):
        answer = call(path, {"feedback": list(entries)})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return sent


def rows(database, card):
    with database.read() as connection:
        query = text("SELECT outcome, reason, suggestions, commented FROM card_feedback WHERE card_id = :card")
        return [tuple(row) for row in connection.execute(query, {"card": card})]


def test_the_same_entry_counts_once(view, send, database):
    card = view("N00")[0]["uuid"]
    assert send(entry(card)) == taken(stored=1)
    assert send(entry(card), entry(card, outcomeTimestamp="2026-11-28T11:20:30+01:00")) == taken(repeated=2)
    assert send(entry(card, outcomeTimestamp="2026-11-28T10:20:31Z")) == taken(stored=1)
    assert len(rows(database, card)) == 2


def test_a_comment_is_counted_and_not_kept(view, send, database):
    card = view("N00")[0]["uuid"]
    said = {"userComment": "Mrs Jones told me so"}
    assert send(entry(card, overrideReason=said)) == taken(stored=1, comments_dropped=1)
    assert rows(database, card) == [("overridden", None, 0, 1)]
    with database.read() as connection:
        for table in ("cards", "card_feedback", "audit_events"):
            assert "Jones" not in str(connection.execute(text(f"SELECT * FROM {table}")).all())


def test_a_reason_of_ours_is_kept_by_its_code_and_another_is_another(view, send, database):
    ours = {"code": "not_taking_it", "system": "urn:upstream:override-reason"}
    theirs = {"code": "Mrs Jones told me so", "system": "https://epr.example/reasons"}
    card = view("N00")[0]["uuid"]
    send(entry(card, overrideReason={"reason": ours}))
    send(entry(card, overrideReason={"reason": theirs}, outcomeTimestamp="2026-11-28T10:20:31Z"))
    assert {reason for _, reason, _, _ in rows(database, card)} == {"not_taking_it", "another_reason"}


def test_a_card_that_this_client_was_never_shown_is_counted_and_not_kept(view, send, database):
    assert send(entry(str(uuid.uuid4()))) == taken(unknown_cards=1)
    shown = view("N00")[0]["uuid"]
    assert send(entry(shown), path=f"{SELECT}/feedback") == taken(unknown_cards=1)
    assert rows(database, shown) == []


def test_accepted_suggestions_are_counted(view, send, database):
    card = view("N00")[0]["uuid"]
    send(entry(card, outcome="accepted", acceptedSuggestions=[{"id": str(uuid.uuid4())}]))
    assert rows(database, card) == [("accepted", None, 1, 0)]


def test_an_unknown_service_is_404(call):
    assert call("/cds-services/none/feedback", {"feedback": [entry(str(uuid.uuid4()))]}).status_code == 404
