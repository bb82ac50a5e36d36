"""The same tests of storage on SQLite and on a real PostgreSQL, and what only PostgreSQL adds: row-level security."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import func, make_url, select, text, update

from serving.auditing.service import open_in_emergency
from serving.auditlog import log
from serving.auditlog.log import Along, Audit, AuditUnavailable, Look, verify_chain
from serving.http.problems import Problem
from serving.identity.callers import Caller, Role
from serving.people import repository as person_queries
from serving.reviews.service import record_review, review_history
from serving.security.tokens import find_caller, issue_token, revoke_token, session_caller
from serving.settings import HomeName
from serving.start import StartError, serve
from serving.storage.database import Database, DatabaseUnavailable, NotHeld
from serving.storage.tables import (
    PERSON_TABLES,
    audit_events,
    exposures,
    identities,
    people,
    person_explanations,
    score_explanations,
    summaries,
    tokens,
)
from serving.worklists.ranking import Ranking
from serving.worklists.service import list_teams, team_worklist
from tests.serving.storage.published import NORTH, NOW, REVIEW, audit

SOUTH = Caller("south-1", Role.PHARMACIST, frozenset({"south"}), "Sasha")
SYSTEM = Caller("system", Role.CMHT_SYSTEM, None, "EHR")
AUDITOR = Caller("auditor", Role.AUDITOR, frozenset(), "Ada")


@pytest.fixture
def database(two_teams):
    return two_teams


def test_tokens_live_until_they_are_revoked(database):
    secret = issue_token(database, Role.PHARMACIST, ["north"], "Noor")
    with database.read() as connection:
        assert find_caller(connection, secret, "token").team_ids == {"north"}
        assert find_caller(connection, secret, "session") is None
    revoke_token(database, secret)
    with database.read() as connection:
        assert find_caller(connection, secret, "token") is None


def test_a_worklist_holds_own_people_and_each_showing_is_in_the_exposure_log(database):
    shown = team_worklist(
        database,
        NORTH,
        audit(database, NORTH),
        "north",
        outcome=None,
        horizon=None,
        ranking=Ranking.RISK,
        limit=50,
        offset=0,
    )
    assert [entry.patient_id for entry in shown.items] == ["N2", "N1"]
    with database.write() as connection:
        logged = connection.execute(
            select(exposures.c.run_id, exposures.c.patient_id, exposures.c.position, exposures.c.rank).order_by(
                "position"
            )
        ).all()
    assert logged == [("run-1", "N2", 1, 1), ("run-1", "N1", 2, 2)]


def test_counts_of_teams(database):
    counted = list_teams(database, SYSTEM, audit(database, SYSTEM), 50, 0)
    assert [(t.team_id, t.people, t.people_with_safety_gap) for t in counted.items] == [
        ("north", 2, 1),
        ("south", 2, 1),
    ]


def test_reviews_are_kept_with_their_history(database):
    first = record_review(database, NORTH, audit(database, NORTH), "N1", REVIEW, "key-00001", NOW)
    again = record_review(database, NORTH, audit(database, NORTH), "N1", REVIEW, "key-00001", NOW)
    assert (first.created, again.created, first.review) == (True, False, again.review)
    edit = REVIEW.model_copy(update={"replaces": first.review.review_id})
    record_review(database, NORTH, audit(database, NORTH), "N1", edit, "key-00002", NOW + dt.timedelta(hours=1))
    kept = review_history(database, NORTH, audit(database, NORTH), "N1").items
    assert [item.replaced_by is None for item in kept] == [True, False]
    with pytest.raises(Problem) as refused:
        record_review(database, NORTH, audit(database, NORTH), "S1", REVIEW, "key-00003", NOW)
    assert refused.value.status == 404


def test_the_chain_holds_and_finds_a_change(database):
    for patient in ("N1", "N2", "N1"):
        audit(database, NORTH).record(Look("person.seen", (patient,)))
    assert verify_chain(database) == []
    with database.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(audit_events)) == 3
    with pytest.raises(DatabaseUnavailable), database.write() as connection:
        connection.execute(text("UPDATE audit_events SET actor = 'nobody' WHERE seq = 2"))
    with database.write() as connection:
        if database.url.get_backend_name() == "sqlite":
            connection.execute(text("DROP TRIGGER audit_events_no_update"))
        else:
            connection.execute(text("DROP TRIGGER audit_events_append_only ON audit_events"))
        connection.execute(text("UPDATE audit_events SET actor = 'nobody' WHERE seq = 2"))
    assert [(b.seq, b.reason) for b in verify_chain(database)] == [(2, "was changed after it was written")]


# Emergency access


def test_an_idle_session_has_ended(database):
    half_an_hour = dt.timedelta(minutes=30)
    secret = issue_token(database, Role.PHARMACIST, ["north"], "Noor", kind="session")
    bearer = issue_token(database, Role.PHARMACIST, ["north"], "Noor")

    def caller():
        return session_caller(database, secret, half_an_hour)

    def last_used(ago):
        with database.write() as connection:
            connection.execute(update(tokens).values(last_used_at=dt.datetime.now(dt.UTC) - ago))

    assert caller().team_ids == {"north"}
    last_used(half_an_hour - dt.timedelta(seconds=20))
    assert caller() is not None, "used in time, and that prolongs it"
    with database.read() as connection:
        used = connection.scalar(select(func.max(tokens.c.last_used_at)))
    assert dt.datetime.now(dt.UTC) - used < dt.timedelta(minutes=1)
    last_used(half_an_hour + dt.timedelta(seconds=1))
    assert caller() is None
    with database.read() as connection:
        assert find_caller(connection, bearer, "token") is not None, "a token is no session: it lives to its day"
    assert session_caller(database, bearer, half_an_hour) is None


def test_emergency_access_opens_one_person_for_an_hour_for_one_caller(database):
    def seen(caller):
        with database.read(caller) as connection:
            return [p for p in ("N1", "S1", "S2") if person_queries.person(connection, caller, p) is not None]

    assert seen(NORTH) == ["N1"]
    open_in_emergency(database, NORTH, audit(database, NORTH), "S1", "crisis_call")
    assert (seen(NORTH), seen(SOUTH)) == (["N1", "S1"], ["S1", "S2"])
    hours_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    open_in_emergency(database, NORTH, audit(database, NORTH), "S2", "crisis_call", hours_ago)
    assert seen(NORTH) == ["N1", "S1"]


# What only PostgreSQL adds


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("caller", "sees"),
    [(NORTH, {"N1", "N2"}), (SOUTH, {"S1", "S2"}), (SYSTEM, {"N1", "N2", "S1", "S2"}), (AUDITOR, set()), (None, set())],
    ids=["north", "south", "system", "auditor", "nobody"],
)
def test_row_level_security_holds_even_when_a_query_skips_the_choke_point(database, caller, sees):
    raw = {table.name: f"SELECT patient_id FROM {table.name}" for table in PERSON_TABLES}
    record_review(database, NORTH, audit(database, NORTH), "N1", REVIEW, "key-00001", NOW)
    everybody = ("N1", "N2", "S1", "S2")
    summary = {"run_id": "run-1", "medicines": [], "about": {}, "dues": [], "registers": [], "on_registers": ""}
    sealed = {"key_id": "k", "sealed": b"x", "given_at": NOW}
    with database.write() as connection:
        connection.execute(summaries.insert(), [summary | {"patient_id": one} for one in everybody])
        connection.execute(identities.insert(), [sealed | {"patient_id": one} for one in everybody])
        numbered = [{"explanation_id": number, "patient_id": one} for number, one in enumerate(everybody)]
        connection.execute(person_explanations.insert(), [row | {"feature_values": b""} for row in numbered])
        connection.execute(
            score_explanations.insert(), [row | {"contributions": b"", "reasons": []} for row in numbered]
        )
    with database.read(caller) as connection:
        found = {table: set(connection.execute(text(query)).scalars()) for table, query in raw.items()}
    assert found["people"] == found["scores"] == found["timelines"] == found["person_groups"] == sees
    assert found["summaries"] == found["identities"] == sees, "doses and names are held like everything else"
    assert found["person_explanations"] == found["score_explanations"] == sees
    assert found["gaps"] == {p for p in sees if p.endswith("2")}
    assert found["reviews"] == sees & {"N1"}


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_scope_ends_with_its_transaction(database):
    with database.read(SYSTEM) as connection:
        assert connection.scalar(text("SELECT count(*) FROM people")) == 4
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM people")) == 0


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_caller_cannot_write_about_another_teams_people(database):
    with pytest.raises(DatabaseUnavailable), database.write(NORTH) as connection:
        connection.execute(
            people.insert(),
            {"run_id": "run-1", "patient_id": "X", "team_id": "south", "flags": {}, "feature_values": b""},
        )


def _add_people(connection, rows):
    connection.execute(people.insert(), rows)


def _someone(patient_id, team_id):
    return {"run_id": "run-1", "patient_id": patient_id, "team_id": team_id, "flags": {}, "feature_values": b""}


def test_events_and_their_rows_are_committed_together(database):
    """What several callers wait for goes into one transaction, the rows of each kind at once."""
    batches = []

    def add(connection, rows):
        batches.append(rows)
        _add_people(connection, rows)

    looks = [
        (Audit.of(database, caller, "r"), Look("card.shown", (row["patient_id"],)), Along(caller, ((add, (row,)),)))
        for caller, row in [
            (NORTH, _someone("X", "north")),
            (SOUTH, _someone("Y", "south")),
            (NORTH, _someone("Z", "north")),
        ]
    ]
    with database.write() as connection:
        log._record(connection, looks)
    assert [[row["patient_id"] for row in rows] for rows in batches] == [["X", "Z"], ["Y"]]
    with database.read() as connection:
        found = connection.execute(select(audit_events.c.patient_ids).order_by(audit_events.c.seq.desc()).limit(3))
        assert [row.patient_ids for row in found] == [["Z"], ["Y"], ["X"]]
    assert not verify_chain(database)


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_rows_of_an_event_are_held_to_their_own_caller(database):
    """Also where a caller who may see everybody waits for the same disk."""
    audit = Audit.of(database, NORTH, "r")
    along = Along(NORTH, ((_add_people, (_someone("X", "south"),)),))
    theirs = Along(SYSTEM, ((_add_people, (_someone("Y", "south"),)),))
    with pytest.raises(DatabaseUnavailable), database.write() as connection:
        log._record(
            connection,
            [(Audit.of(database, SYSTEM, "r"), Look("card.shown"), theirs), (audit, Look("card.shown"), along)],
        )
    with pytest.raises(AuditUnavailable):
        audit.record(Look("card.shown"), along)
    exposed = {"patient_id": "S1", "outcome": "a", "horizon_days": 1, "ranking": "r", "position": 1, "rank": 1}
    shown = Look("card.shown", team_id="south", run_id="run-1", shown=(exposed,))
    with pytest.raises(AuditUnavailable):
        audit.record(shown, Along(NORTH, ()))
    audit.record(Look("card.shown"), Along(NORTH, ((_add_people, (_someone("X", "north"),)),)))


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_read_cannot_write(database):
    with pytest.raises(DatabaseUnavailable, match="answered InternalError"), database.read() as connection:
        connection.execute(text("DELETE FROM audit_head"))


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_statements_stay_prepared_from_one_read_to_the_next(database):
    """The driver forgets them at a rollback; then PostgreSQL plans each query anew, which took half of its time."""
    for _ in range(8):
        with database.read(NORTH) as connection:
            connection.execute(select(tokens.c.token_id)).all()
    with database.read() as connection:
        kept = connection.execute(text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    assert any("FROM tokens" in statement for statement in kept)


@pytest.mark.parametrize("rights", ["SUPERUSER", "BYPASSRLS"])
def test_a_login_that_policies_do_not_hold_is_refused(postgresql, rights, home, monkeypatch):
    name = f"free_{rights.lower()}"
    with postgresql.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN {rights}"))
        connection.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
    url = make_url(postgresql.url).set(username=name, database=name).render_as_string(hide_password=False)
    opened = Database(url)
    with pytest.raises(NotHeld, match="NOSUPERUSER NOBYPASSRLS"):
        opened.check_is_held()
    opened.close()
    monkeypatch.setenv("UPSTREAM_DATABASE_URL", url)
    with pytest.raises(StartError, match="row-level security"):
        serve(home, port=0)


def test_the_database_login_of_the_tests_is_subject_to_row_level_security(database):
    database.check_is_held()


@pytest.mark.parametrize("name", ["trust?north", "trust?south", "feature%2Fbranch", "a%20b", "a#b"])
def test_a_home_whose_name_an_address_would_misread_is_refused_and_nothing_is_written(tmp_path, monkeypatch, name):
    monkeypatch.delenv("UPSTREAM_DATABASE_URL", raising=False)
    (tmp_path / name).mkdir()
    with pytest.raises(HomeName, match="rename the folder"):
        issue_token(tmp_path / name, "operator")
    assert [path.name for path in tmp_path.rglob("*")] == [name]
