"""A copy of everything held about a person, erasure, and retention."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import stat
from contextlib import closing

import pytest
from typer.testing import CliRunner

import upstream
from features import Records
from features.settings import RetentionSettings
from serving.auditlog.home import verify_home
from serving.data_rights.repository import ERASED, KEPT
from serving.data_rights.service import (
    KEPT_BECAUSE,
    ErasureIncomplete,
    PersonUnknown,
    apply_retention,
    erase_person,
    export_person,
)
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.storage.tables import metadata
from tests.serving.conftest import bearer

REVIEW = {
    "actions": ["monitoring_arranged"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": True,
}
PERSON = "N03"


@pytest.fixture
def used(home, start):
    """A home in which a pharmacist looked at the person and at the list, and reviewed the person."""
    headers = bearer(issue_token(home, "pharmacist", ["north"]))
    with start(home) as client:
        assert client.get(f"/v1/patients/{PERSON}", headers=headers).status_code == 200
        assert client.get("/v1/teams/north/worklist", headers=headers).status_code == 200
        answer = client.post(
            f"/v1/patients/{PERSON}/reviews", json=REVIEW, headers=headers | {"Idempotency-Key": "the-first-review"}
        )
        assert answer.status_code == 201, answer.text
    return home


def tables_with(home, person):
    """The tables of the database in which the id stands in any column."""
    found = set()
    with closing(sqlite3.connect(home / "service.db")) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                if person in map(str, row) or f'"{person}"' in str(row):
                    found.add(table)
    return found


def last_event(home):
    with closing(sqlite3.connect(home / "service.db")) as connection:
        action, detail = connection.execute("SELECT action, detail FROM audit_events ORDER BY seq DESC").fetchone()
    return action, json.loads(detail)


def test_every_table_about_people_is_erased_or_kept_for_a_reason():
    about_people = {table.name for table in metadata.sorted_tables if "patient_id" in table.c}
    assert about_people == {table.name for table in (*ERASED, *KEPT)}
    assert {table.name for table in KEPT} < KEPT_BECAUSE.keys()


def test_a_copy_holds_every_row_about_the_person_and_nobody_else(used):
    found = export_person(used, PERSON)
    assert found["held"].keys() == tables_with(used, PERSON) - {"work_items"}
    assert {"referrals", "contacts"} <= found["records"].keys()
    others = set(Records.load(used / "store").patient_ids.tolist()) - {PERSON}
    text = json.dumps(found)
    assert not [other for other in others if f'"{other}"' in text]
    assert last_event(used)[0] == "person.exported"


def test_after_an_erasure_the_id_is_only_in_tables_that_must_keep_it(used):
    done = erase_person(used, PERSON, "Sam Ward", "request 2026/14")
    assert (
        tables_with(used, PERSON)
        == {"reviews", "exposures", "audit_events"}
        == done.why_kept.keys() - {"emergency_access"}
    )
    assert PERSON not in Records.load(used / "store").patient_ids.tolist()
    assert verify_home(used).broken == []
    action, detail = last_event(used)
    assert (action, detail["by"], detail["why"]) == ("person.erased", "Sam Ward", "request 2026/14")
    assert PERSON not in json.dumps(detail) and detail["removed"]["people"] >= 1


def test_nobody_opens_an_erased_person_and_a_later_extract_does_not_bring_them_back(used, start, world):
    sent_again = Records.load(used / "store")
    erase_person(used, PERSON, "Sam Ward", "request 2026/14")
    sent_again.save(used / "store")
    score_store(used / "store", used / "bundles", used, world.AS_OF + dt.timedelta(days=1), threads=1)
    headers = bearer(issue_token(used, "pharmacist", ["north"]))
    with start(used) as client:
        assert client.get(f"/v1/patients/{PERSON}", headers=headers).status_code == 404
        assert client.get("/v1/patients/N00", headers=headers).status_code == 200


@pytest.mark.parametrize(("by", "why"), [("", "x"), ("x", " ")])
def test_nobody_is_erased_without_a_name_and_a_reason(used, by, why):
    with pytest.raises(ErasureIncomplete):
        erase_person(used, PERSON, by, why)
    assert "people" in tables_with(used, PERSON)


def test_a_request_for_an_unknown_person_is_a_clear_error(used):
    for ask in (lambda: export_person(used, "nobody"), lambda: erase_person(used, "nobody", "Sam", "why")):
        with pytest.raises(PersonUnknown, match="check the id"):
            ask()


def test_retention_deletes_what_is_old_and_keeps_the_published_list_and_the_reviews(used, world, start):
    score_store(used / "store", used / "bundles", used, world.AS_OF + dt.timedelta(days=1), threads=1)
    long_ago = (dt.datetime.now(dt.UTC) - dt.timedelta(days=800)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with closing(sqlite3.connect(used / "service.db")) as connection, connection:
        connection.execute("UPDATE runs SET finished_at = ?", (long_ago,))
        connection.execute("UPDATE tokens SET expires_at = ?", (long_ago,))
    would = apply_retention(used, RetentionSettings(), dry_run=True)
    assert would["runs"] == 1 and would["tokens and sessions"] == 1
    assert apply_retention(used, RetentionSettings()) == would
    assert apply_retention(used, RetentionSettings(), dry_run=True)["runs"] == 0
    action, detail = last_event(used)
    assert action == "retention.applied" and detail["settings"]["runs_days"] == 730
    assert "reviews" in tables_with(used, PERSON) and verify_home(used).broken == []
    headers = bearer(issue_token(used, "pharmacist", ["north"]))
    with start(used) as client:
        assert client.get("/v1/teams/north/worklist", headers=headers).json()["items"]


def test_the_commands(used, tmp_path):
    def run(*words, ok=True):
        done = CliRunner().invoke(upstream.app, [*words, "--home", str(used)])
        assert (done.exit_code == 0) is ok, done.output
        return done.output

    copy = tmp_path / "copy.json"
    run("person", "export", "--id", PERSON, "--out", str(copy))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600 and json.loads(copy.read_text())["held"]
    run("person", "export", "--id", PERSON, "--out", str(copy), ok=False)
    said = run("person", "erase", "--id", PERSON, "--by", "Sam Ward", "--why", "request 2026/14")
    assert "evidence of who saw whom" in said and "backups" in said
    assert json.loads(run("retention", "--dry-run", "--json"))["dry_run"] is True
