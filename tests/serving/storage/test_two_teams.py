"""A person with two teams has each gap, reason and resource once, for anybody who sees both teams."""

from __future__ import annotations

import json
import shutil

import pytest
from sqlalchemy import text

from serving.auditlog.log import Audit
from serving.cds import repository as card_queries
from serving.fhir.export import export_run
from serving.fhir.service import resources_of
from serving.gap_statuses import repository as status_queries
from serving.identity.callers import Caller, Role
from serving.people import repository as person_queries
from serving.settings import database_url_of
from serving.storage.database import Database
from serving.storage.visible import place_of
from serving.worklists import repository as list_queries
from serving.worklists.entries import repository as entry_queries

BOTH = Caller("both-1", Role.PHARMACIST, frozenset({"north", "south"}), "Noor")
SOUTH = Caller("south-1", Role.PHARMACIST, frozenset({"south"}), "Sam")
WHO = "N00"


@pytest.fixture(scope="module")
def home(made_home, tmp_path_factory):
    """The published list with N00 of the north team in the south team too."""
    copy = shutil.copytree(made_home, tmp_path_factory.mktemp("two") / "home")
    database = Database(database_url_of(copy))
    with database.write() as connection:
        for table in ("people", "list_lines"):
            names = connection.execute(text(f"SELECT * FROM {table}")).keys()
            taken = ", ".join("'south'" if name == "team_id" else name for name in names)
            connection.execute(
                text(f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE patient_id = :who"), {"who": WHO}
            )
    database.close()
    return copy


@pytest.fixture
def database(home):
    opened = Database(database_url_of(home))
    yield opened
    opened.close()


GAPS = {
    "a list": lambda connection: [line.code for line in entry_queries.gap_lines(connection, BOTH, [WHO])[WHO]],
    "the page": lambda connection: [gap["code"] for gap in person_queries.care_gaps(connection, BOTH, WHO)],
    "statuses": lambda connection: [gap.code for gap in status_queries.gaps_of(connection, BOTH, [WHO])],
}


@pytest.mark.parametrize("place", GAPS)
def test_each_gap_is_there_once(database, place):
    with database.read(BOTH) as connection:
        codes = GAPS[place](connection)
        stored = connection.exec_driver_sql("SELECT code FROM gaps WHERE patient_id = 'N00'").scalars().all()
    assert sorted(codes) == sorted(stored) != []


def test_a_dense_line_counts_each_gap_once(database):
    with database.read(BOTH) as connection:
        first, number = entry_queries.first_gaps(connection, BOTH, [WHO])[WHO]
        lines = entry_queries.gap_lines(connection, BOTH, [WHO])[WHO]
    assert number == len(lines)
    assert first == next(line for line in lines if line.shown)


def test_a_card_names_each_gap_once(database):
    with database.read(BOTH) as connection:
        shown = [gap.code for gap in card_queries.shown_gaps(connection, BOTH, WHO)]
    assert len(shown) == len(set(shown)) > 0


def test_each_fhir_resource_is_there_once_and_names_each_horizon_once(database, home, tmp_path):
    audit = Audit.of(database, BOTH, "test")
    for kind in ("RiskAssessment", "DetectedIssue", "Task", "ServiceRequest"):
        made = [one["id"] for one in resources_of(database, BOTH, audit, kind, WHO)]
        assert len(made) == len(set(made)), kind
    [admission, disengagement] = resources_of(database, BOTH, audit, "RiskAssessment", WHO)
    assert [len(one["prediction"]) for one in (admission, disengagement)] == [3, 2]
    manifest = export_run(home, tmp_path / "out")
    for output in manifest["output"]:
        lines = (tmp_path / "out" / output["url"]).read_text().splitlines()
        ids = [json.loads(line)["id"] for line in lines]
        assert len(ids) == len(set(ids)) == output["count"], output["type"]


def test_the_team_counts_people_and_not_places(database):
    with database.read(BOTH) as connection:
        rows, _ = list_queries.teams(connection, BOTH, 10, 0)
    assert {row.team_id: row.people for row in rows} == {"north": 8, "south": 6}


def test_each_caller_acts_for_the_team_that_is_their_own(database):
    with database.read(SOUTH) as connection:
        assert place_of(connection, SOUTH, WHO).team_id == "south"
    with database.read(BOTH) as connection:
        assert place_of(connection, BOTH, WHO).team_id == "north"
        assert place_of(connection, BOTH, "nobody") is None
