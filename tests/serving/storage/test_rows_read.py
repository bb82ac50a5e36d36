"""How much of a real PostgreSQL a list reads: its own people and their reviews, however many the trust has."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import insert, make_url, text

from serving.identity.callers import Caller, Role
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import list_lines, people, publications, reviews, run_teams, runs, scores
from serving.worklists import repository
from serving.worklists.schemas import Filters

PEOPLE = {"north": 250, "south": 2_400}
NOW = dt.datetime(2026, 1, 6, 9, tzinfo=dt.UTC)
READ = text(
    "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = :name"
)
NOORA = Caller("north-1", Role.PHARMACIST, frozenset({"north"}), "Noora")


@pytest.fixture(scope="module")
def trust(postgresql):
    """Two teams; everybody was reviewed once, and every fifth put off."""
    with postgresql.connect() as connection:
        connection.execute(text("CREATE DATABASE rows_read OWNER upstream"))
    url = make_url(postgresql.url).set(username="upstream", database="rows_read")
    database = Database(url.render_as_string(hide_password=False))
    migrations.upgrade(database)
    run = {"run_id": "R", "bundle_id": "B", "model_version": "1", "data_hash": "h", "data_source": "made up"}
    run |= {"synthetic": True, "as_of": NOW.date(), "started_at": NOW, "finished_at": NOW, "features": []}
    team_of = {f"{team}-{n}": team for team, number in PEOPLE.items() for n in range(number)}
    with database.write() as connection:
        connection.execute(insert(runs), run | {"summary": {}})
        connection.execute(insert(publications), {"run_id": "R", "published_at": NOW})
        connection.execute(insert(run_teams), [{"run_id": "R", "team_id": t, "name": t} for t in PEOPLE])
        rows = [{"run_id": "R", "patient_id": p, "team_id": t} for p, t in team_of.items()]
        person = {"flags": {}, "feature_values": b"", "history_days": 400}
        connection.execute(insert(people), [row | person for row in rows])
        score = {"outcome": "admission", "horizon_days": 90, "probability": 0.1, "base": 0.0, "horizon_part": 0.0}
        score |= {"reasons": [], "contributions": b"", "raised_by": ""}
        connection.execute(insert(scores), [{"run_id": "R", "patient_id": p, **score} for p in team_of])
        line = {"place": 1, "standing": "listed", "joined": False, "risk": 0.1, "worst_gap": 9}
        connection.execute(insert(list_lines), [row | line for row in rows])
        connection.execute(insert(reviews), [_review(p, t) for p, t in team_of.items()])
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    yield database
    database.close()


def _review(person, team):
    return {
        "review_id": person,
        "patient_id": person,
        "team_id": team,
        "reviewed_at": NOW,
        "reviewer": person,
        "actions": [],
        "idempotency_key": "key",
        "snooze_until": NOW.date() + dt.timedelta(days=9) if int(person.split("-")[1]) % 5 == 0 else None,
    }


@pytest.mark.parametrize("table", ["reviews", "people", "scores", "list_lines"])
def test_a_list_reads_no_more_than_its_own_people(trust, table):
    with trust.read(NOORA) as connection:
        listed = repository.everybody_of(connection, NOORA, "north", "admission", 90, Filters(), NOW)
        read = connection.scalar(READ, {"name": table})

    assert len(listed) == PEOPLE["north"]
    assert sum(row.snoozed_until is not None for row in listed) == PEOPLE["north"] / 5
    # The policy of each row that is read looks its person up.
    assert 0 < read <= 12 * PEOPLE["north"]


def test_queries_are_not_compiled(trust):
    with trust.read(NOORA) as connection:
        assert connection.scalar(text("SHOW jit")) == "off"
        connection.rollback()
        assert connection.scalar(text("SHOW jit")) == "off"
