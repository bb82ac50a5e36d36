"""Every look is written before the data leaves; without the log there is no look; every kind of tampering is found."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, text

from serving.auditlog import log
from serving.auditlog.log import Audit, Look, verify_chain
from serving.security.tokens import issue_token
from serving.settings import database_url_of
from serving.storage.database import Database

LOOKS = [
    ("GET", "/v1/teams", "teams.seen", []),
    ("GET", "/v1/patients/N03", "person.seen", ["N03"]),
    ("GET", "/v1/patients/S02", "person.not_visible", ["S02"]),
    ("GET", "/v1/teams/south/worklist", "team.not_visible", []),
    ("GET", "/v1/teams/north/worklist?limit=2&ranking=gaps", "worklist.seen", None),
    ("POST", "/v1/scores", "scores.requested", ["X1"]),
]


def last_event(home):
    engine = create_engine(database_url_of(home))
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM audit_events ORDER BY seq DESC LIMIT 1")).mappings().first()
    engine.dispose()
    return dict(row) if row else None


def break_the_log(home, *statements):
    engine = create_engine(database_url_of(home))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(("method", "path", "action", "patients"), LOOKS, ids=[look[2] for look in LOOKS])
def test_every_look_is_in_the_log(client, shared_home, as_role, method, path, action, patients):
    body = {"people": [{"patient_id": "X1", "tables": {}}]} if method == "POST" else None
    answer = client.request(method, path, headers=as_role("cmht_system"), json=body)
    event = last_event(shared_home)
    assert (event["action"], event["request_id"], event["role"]) == (
        action,
        answer.headers["x-request-id"],
        "cmht_system",
    )
    if patients is None:
        told = answer.json()
        left = told["changes"]["left"]
        entries = (*told["items"], *told["first_below_line_with_safety_gap"], *told["changes"]["joined"], *left)
        shown = [entry["patient_id"] for entry in entries]
        shown += [entry["displaced_by"] for entry in left if entry["displaced_by"]]
        patients = list(dict.fromkeys(shown))
        assert patients
    assert json.loads(event["patient_ids"]) == patients


def test_pages_are_in_the_log_like_the_json(browser, shared_home):
    signed_in = browser("pharmacist:north")
    for path, action in (("/", "teams.seen"), ("/teams/north", "worklist.seen"), ("/patients/N03", "person.seen")):
        signed_in.get(path)
        assert last_event(shared_home)["action"] == action


@pytest.mark.parametrize(
    "path", ["/v1/teams", "/v1/patients/N03", "/v1/teams/north/worklist", "/v1/scores", "/patients/N03"]
)
def test_nothing_is_shown_when_the_log_cannot_be_written(home, start, path):
    token = issue_token(home, "cmht_system", None)
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        break_the_log(
            home, "CREATE TRIGGER full_disk BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        method = "POST" if path == "/v1/scores" else "GET"
        body = {"people": [{"patient_id": "X1", "tables": {}}]} if method == "POST" else None
        answer = client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "N03" not in answer.text and "X1" not in answer.text and "disk full" not in answer.text


def test_the_log_refuses_change_and_removal(home):
    for statement in ("UPDATE audit_events SET actor = 'me'", "DELETE FROM audit_events"):
        with pytest.raises(Exception, match="append-only"):
            break_the_log(home, statement)


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE audit_events SET patient_ids = '[]' WHERE seq = 3", "was changed"),
        ("DELETE FROM audit_events WHERE seq = 3", "are missing"),
        ("DELETE FROM audit_events WHERE seq = (SELECT max(seq) FROM audit_events)", "newest events are missing"),
        ("UPDATE audit_events SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3)", "missing"),
        ("UPDATE audit_events SET previous = hash WHERE seq = 2", "does not follow"),
        ("UPDATE audit_head SET hash = 'x'", "head was changed"),
    ],
    ids=["changed", "removed", "cut off", "reordered", "relinked", "head"],
)
def test_tampering_is_found(home, database: Database, tampering, found):
    by = Audit(database, "tester", "auditor", "r")
    for patient in ("A", "B", "C", "D"):
        by.record(Look("person.seen", (patient,)))
    assert verify_chain(database) == []
    break_the_log(home, "DROP TRIGGER audit_events_no_update", "DROP TRIGGER audit_events_no_delete", tampering)
    if "CASE" in tampering:
        break_the_log(home, "UPDATE audit_events SET seq = -seq WHERE seq < 0")
    assert any(found in broken.reason or "does not follow" in broken.reason for broken in verify_chain(database))


def test_upstream_audit_verify_says_what_was_done_to_the_log(home, database: Database):
    from typer.testing import CliRunner

    import upstream

    def verify(*options):
        return CliRunner().invoke(upstream.app, ["audit", "verify", "--home", str(home), *options])

    by = Audit(database, "tester", "auditor", "r")
    for patient in ("A", "B", "C", "D"):
        by.record(Look("person.seen", (patient,)))
    newest = last_event(home)["seq"]
    holds = verify()
    assert holds.exit_code == 0 and f"holds: {newest} events" in holds.stdout
    break_the_log(home, "DROP TRIGGER audit_events_no_update", "DROP TRIGGER audit_events_no_delete")
    for statement, said in (
        ("UPDATE audit_events SET patient_ids = '[]' WHERE seq = 2", "event 2: was changed after it was written"),
        ("DELETE FROM audit_events WHERE seq = 3", "event 3: events 3 to 3 are missing"),
        (f"DELETE FROM audit_events WHERE seq = {newest}", "the newest events are missing"),
    ):
        break_the_log(home, statement)
        found = verify()
        assert found.exit_code == 1 and said in found.stdout, found.stdout
    assert json.loads(verify("--json").stdout)["holds"] is False


def test_upstream_audit_verify_without_a_database_says_so(tmp_path):
    from typer.testing import CliRunner

    import upstream

    answer = CliRunner().invoke(upstream.app, ["audit", "verify", "--home", str(tmp_path)])
    assert answer.exit_code == 1 and "no service database" in answer.stderr
    assert not (tmp_path / "service.db").exists()


def test_the_auditor_reads_who_saw_whom_and_that_is_in_the_log(client, shared_home, as_role):
    client.get("/v1/patients/N03", headers=as_role("pharmacist"))
    newest = client.get("/v1/audit/events?action=person.seen&limit=1", headers=as_role("auditor")).json()["items"][0]
    assert (newest["patient_ids"], newest["role"]) == (["N03"], "pharmacist")
    assert newest["run_id"] and newest["bundle_id"]
    assert last_event(shared_home)["action"] == "audit.seen"


def test_the_auditor_pages_through_the_log_without_a_gap(client, as_role):
    client.get("/v1/teams", headers=as_role("pharmacist"))
    first = client.get("/v1/audit/events?limit=1", headers=as_role("auditor")).json()
    second = client.get(f"/v1/audit/events?limit=1&before={first['next_before']}", headers=as_role("auditor")).json()
    assert second["items"][0]["seq"] == first["items"][0]["seq"] - 1


def test_emergency_access_is_with_the_auditor_at_once(home, start):
    pharmacist, auditor = issue_token(home, "pharmacist", ["north"], "Sam Example"), issue_token(home, "auditor")
    with start(home) as client:
        own, reader = ({"Authorization": f"Bearer {token}"} for token in (pharmacist, auditor))
        assert client.get("/v1/patients/S02", headers=own).status_code == 404
        for wrong in ({}, {"reason": "curious"}):
            assert client.post("/v1/patients/S02/emergency-access", headers=own, json=wrong).status_code == 422
        opened = client.post("/v1/patients/S02/emergency-access", headers=own, json={"reason": "crisis_call"})
        assert opened.status_code == 201
        assert client.get("/v1/patients/S02", headers=own).status_code == 200
        assert client.get("/v1/patients/S01", headers=own).status_code == 404
        listed = client.get("/v1/audit/emergency-access", headers=reader).json()["items"]
    assert [(g["actor_name"], g["patient_id"], g["reason"]) for g in listed] == [("Sam Example", "S02", "crisis_call")]


def test_the_work_begins_while_its_event_waits_for_the_disk(monkeypatch):
    monkeypatch.setattr(log, "HEAD_START_S", 60)
    order, disk = [], Event()

    def commit_together(write, what, waits, plain):
        order.append("written")
        waits()
        assert disk.wait(60)
        order.append("committed")

    with ThreadPoolExecutor(1) as beside:
        audit = Audit(SimpleNamespace(beside=beside, commit_together=commit_together), "a", "auditor", "r")
        with audit.recording(Look("teams.seen")):
            order.append("worked")
            disk.set()
        order.append("sent")
    assert order == ["written", "worked", "committed", "sent"]
