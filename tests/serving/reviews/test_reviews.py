"""Reviews: recorded once, corrected by replacing, every version kept, all of it in the audit log."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import func, select, update

from serving.auditlog.log import verify_chain
from serving.security.tokens import issue_token
from serving.storage.tables import audit_events, reviews

PATH = "/v1/patients/N03/reviews"
DONE = {
    "actions": ["supply_secured", "gp_informed"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": False,
    "listing_was": "useful",
}


@pytest.fixture
def signed_in(home, start):
    """A client with the token of a pharmacist of the north team."""
    token = issue_token(home, "pharmacist", ["north"], "Sam Example")
    with start(home) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def pharmacist(signed_in):
    """A function that sends a review of N03."""
    return lambda key, path=PATH, **changes: signed_in.post(path, json=DONE | changes, headers={"Idempotency-Key": key})


@pytest.fixture
def read(signed_in):
    return lambda path=PATH: signed_in.get(path).json()


def rows(database, table):
    with database.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_a_review_is_recorded_and_seen_on_the_person(pharmacist, read):
    answer = pharmacist("key-0001")
    assert answer.status_code == 201
    review = answer.json()
    assert {name: review[name] for name in DONE} == DONE
    assert review["reviewer_name"] == "Sam Example"
    assert [r["review_id"] for r in read()["items"]] == [review["review_id"]]
    assert read("/v1/patients/N03")["reviews"] == [review]


def test_the_same_key_records_once(pharmacist, database):
    first, again = pharmacist("key-0001"), pharmacist("key-0001")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert rows(database, reviews) == 1


def test_a_key_cannot_be_used_for_another_review(pharmacist, database):
    pharmacist("key-0001")
    for other in (
        pharmacist("key-0001", side_effects_assessed=True),
        pharmacist("key-0001", "/v1/patients/N04/reviews"),
    ):
        assert (other.status_code, other.json()["type"]) == (409, "urn:upstream:problem:idempotency-key-reused")
    assert rows(database, reviews) == 1


def test_an_edit_keeps_the_version_before(pharmacist, read):
    first = pharmacist("key-0001").json()
    second = pharmacist("key-0002", side_effects_assessed=True, replaces=first["review_id"]).json()
    assert [(r["review_id"], r["replaced_by"], r["side_effects_assessed"]) for r in read()["items"]] == [
        (second["review_id"], None, True),
        (first["review_id"], second["review_id"], False),
    ]
    assert [r["review_id"] for r in read("/v1/patients/N03")["reviews"]] == [second["review_id"]]


def test_a_version_is_replaced_once_and_only_by_a_review_of_the_same_person(pharmacist):
    first = pharmacist("key-0001").json()["review_id"]
    assert pharmacist("key-0002", "/v1/patients/N04/reviews", replaces=first).status_code == 422
    assert pharmacist("key-0003", replaces=first).status_code == 201
    assert pharmacist("key-0004", replaces=first).status_code == 409


@pytest.mark.parametrize(
    "missing", ["medicines_reconciled", "allergies_up_to_date", "side_effects_assessed", "actions"]
)
def test_the_closing_questions_have_no_default(pharmacist, missing):
    answer = pharmacist("key-0001", **{missing: None})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == f"body.{missing}"


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"actions": []}, "body.actions"),
        ({"actions": ["gave chocolate"]}, "body.actions[0]"),
        ({"actions": ["gp_informed", "gp_informed"]}, "body.actions"),
        ({"listing_was": "boring"}, "body.listing_was"),
        ({"snooze_until": "2020-01-01"}, "body.snooze_until"),
        ({"snooze_until": "2199-01-01"}, "body.snooze_until"),
        ({"replaces": "nothing"}, "body.replaces"),
        ({"note": "free text"}, "body.(a name not known here)"),
    ],
)
def test_an_impossible_value_is_refused_with_its_place(pharmacist, database, wrong, where):
    answer = pharmacist("key-0001", **wrong)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
    assert rows(database, reviews) == 0


@pytest.mark.parametrize("key", ["", "short", "has a space in it", "x" * 129])
def test_a_key_must_have_the_form_of_a_key(pharmacist, key):
    answer = pharmacist(key)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "header.Idempotency-Key")


def test_a_snooze_until_a_future_day_is_recorded(pharmacist):
    day = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat()
    assert pharmacist("key-0001", snooze_until=day).json()["snooze_until"] == day


def test_another_teams_person_cannot_be_reviewed_nor_read(pharmacist, read, database):
    assert pharmacist("key-0001", "/v1/patients/S02/reviews").status_code == 404
    assert read("/v1/patients/S02/reviews")["status"] == 404
    assert rows(database, reviews) == 0


def test_review_and_audit_event_are_written_together_or_not_at_all(pharmacist, read, database):
    first = pharmacist("key-0001").json()["review_id"]
    pharmacist("key-0002", replaces=first)
    read()
    with database.engine.connect() as connection:
        actions = list(connection.scalars(select(audit_events.c.action).order_by(audit_events.c.seq)))
        assert actions[-3:] == ["review.recorded", "review.replaced", "reviews.seen"]
    assert verify_chain(database) == []
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    assert pharmacist("key-0003").status_code == 503
    assert rows(database, reviews) == 2


def test_a_correction_keeps_the_day_of_the_review_and_says_when_it_was_written(pharmacist, database):
    first = pharmacist("key-0001").json()
    with database.write() as connection:
        connection.execute(update(reviews).values(reviewed_at=dt.datetime(2026, 1, 6, 9, tzinfo=dt.UTC)))
    second = pharmacist("key-0002", side_effects_assessed=True, replaces=first["review_id"]).json()
    assert second["reviewed_at"][:10] == "2026-01-06"
    assert second["written_at"][:10] == dt.datetime.now(dt.UTC).date().isoformat()
    assert second["run_id"] == first["run_id"]


@pytest.fixture
def undo(signed_in):
    return lambda review_id, person="N03": signed_in.post(f"/v1/patients/{person}/reviews/{review_id}/undo")


def test_an_undone_review_counts_for_nothing_and_stays_in_the_history(pharmacist, read, undo):
    day = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat()
    first = pharmacist("key-0001", snooze_until=day).json()["review_id"]
    listed = {person["patient_id"]: person for person in read("/v1/teams/north/worklist")["items"]}
    assert listed["N03"]["snoozed_until"] == day
    answer = undo(first)
    assert answer.status_code == 200 and answer.json()["undone"] is True
    assert read("/v1/patients/N03")["reviews"] == []
    listed = {person["patient_id"]: person for person in read("/v1/teams/north/worklist")["items"]}
    assert listed["N03"]["snoozed_until"] is None and listed["N03"]["last_review"] is None
    assert [person["patient_id"] for person in read("/v1/teams/north/worklist?reviewed=7")["items"]] == []
    assert [(r["review_id"] == first, r["undone"]) for r in read()["items"]] == [(False, True), (True, False)]


def test_undoing_twice_is_harmless_and_a_version_that_was_corrected_is_not_undone(pharmacist, undo, database):
    first = pharmacist("key-0001").json()["review_id"]
    second = pharmacist("key-0002", replaces=first).json()["review_id"]
    assert undo(first).status_code == 409
    assert undo(second).json() == undo(second).json()
    assert rows(database, reviews) == 3


def test_what_was_undone_can_be_recorded_again(pharmacist, read, undo):
    first = pharmacist("key-0001").json()["review_id"]
    undone = undo(first).json()["review_id"]
    again = pharmacist("key-0002", replaces=undone)
    assert again.status_code == 201
    assert [r["review_id"] for r in read("/v1/patients/N03")["reviews"]] == [again.json()["review_id"]]


def test_nobody_undoes_a_review_of_another_person_or_team(pharmacist, undo, database):
    first = pharmacist("key-0001").json()["review_id"]
    assert undo(first, "N04").status_code == 404
    assert undo(first, "S02").status_code == 404
    assert undo("0" * 24).status_code == 404
    assert rows(database, reviews) == 1


@pytest.mark.parametrize("role", ["data_scientist", "auditor", "operator"])
def test_roles_that_see_no_people_undo_nothing(pharmacist, signed_in, home, role):
    first = pharmacist("key-0001").json()["review_id"]
    headers = {"Authorization": f"Bearer {issue_token(home, role)}"}
    assert signed_in.post(f"/v1/patients/N03/reviews/{first}/undo", headers=headers).status_code == 403


def test_undoing_is_in_the_audit_log(pharmacist, undo, database):
    undo(pharmacist("key-0001").json()["review_id"])
    with database.engine.connect() as connection:
        newest = connection.execute(select(audit_events).order_by(audit_events.c.seq.desc())).first()
    assert newest.action == "review.undone" and newest.patient_ids == ["N03"] and newest.detail["replaces"]
    assert verify_chain(database) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"actions": ["no_change_needed", "medicine_changed"]}, "body.actions"),
        ({"actions": ["not_reached"], "side_effects_assessed": True}, "body.side_effects_assessed"),
    ],
)
def test_what_contradicts_itself_is_refused(pharmacist, database, changes, where):
    answer = pharmacist("key-0001", **changes)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where)
    assert rows(database, reviews) == 0
