"""Doors that stood ajar: the demo's sign-in, the rights of files, odd signs in ids, heads that were kept elsewhere."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import stat
import time

import httpx
import pytest
from typer.testing import CliRunner

from features.records.reading.nhs_numbers import KeyProblem, NhsKey
from serving import cli
from serving.auditlog.home import verify_home
from serving.security.tokens import issue_token
from serving.start import keep_private
from tests.faults.processes import served
from tests.serving.conftest import bearer


def offered(client, **headers):
    return "choice" in client.get("/sign-in", headers=headers).text


def signs_in(client, **headers):
    return client.post("/sign-in", data={"choice": "auditor"}, headers=headers).status_code


def test_the_demo_opens_to_a_browser_on_this_machine(home, start):
    with start(home) as client:
        assert offered(client) and signs_in(client) == 303
        here = {"Origin": "http://127.0.0.1", "Referer": "http://127.0.0.1/sign-in", "Sec-Fetch-Site": "same-origin"}
        assert signs_in(client, **here) == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "198.51.100.7"},
        {"Forwarded": "for=198.51.100.7"},
        {"Origin": "https://upstream.example.nhs.uk", "Sec-Fetch-Site": "same-origin"},
        {"Referer": "https://upstream.example.nhs.uk/sign-in", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_the_demo_is_closed_behind_a_proxy(home, start, headers):
    with start(home) as client:
        assert not offered(client, **headers)
        assert signs_in(client, **headers) in (403, 404)


def test_a_demo_beside_real_people_lets_nobody_in_without_a_password(home, start):
    with sqlite3.connect(home / "service.db") as connection:
        connection.execute("UPDATE runs SET synthetic = 0")
    with start(home) as client:
        assert not offered(client) and signs_in(client) == 404


@pytest.mark.parametrize(
    "path", ["/v1/patients/a%00b", "/v1/patients/a%0Ab/reviews", "/v1/audit/events?patient_id=a%00"]
)
def test_control_characters_in_an_id_are_refused_on_every_database(client, as_role, path):
    role = "auditor" if "audit" in path else "cmht_system"
    assert client.get(path, headers=as_role(role)).status_code == 422


def test_only_the_account_of_the_service_reads_a_home(home):
    home.chmod(0o755)
    (home / "service.db").chmod(0o644)
    keep_private(home)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "service.db")] == [0o700, 0o600]


def test_a_key_that_every_account_can_read_is_refused(tmp_path):
    file = tmp_path / "key"
    file.write_text("2026:" + "ab" * 32)
    file.chmod(0o600)
    assert NhsKey.read(file).key_id == "2026"
    file.chmod(0o644)
    with pytest.raises(KeyProblem, match="chmod 600"):
        NhsKey.read(file)


def test_a_saved_head_finds_a_chain_that_was_cut_and_resealed(home):
    issue_token(home, "auditor")
    kept = verify_home(home).head
    assert not verify_home(home, kept).broken
    issue_token(home, "operator")
    assert not verify_home(home, kept).broken, "the chain has grown since"
    with sqlite3.connect(home / "service.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM audit_events WHERE seq > 1")
        connection.execute("UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit_events)")
    assert not verify_home(home).broken, "alone, it looks whole"
    (found,) = verify_home(home, kept).broken
    assert "rewritten, or cut" in found.reason


def test_a_review_is_in_the_chain_with_all_that_it_says(home, start):
    review = {
        "actions": ["no_change_needed"],
        "medicines_reconciled": True,
        "allergies_up_to_date": True,
        "side_effects_assessed": True,
    }
    headers = bearer(issue_token(home, "cmht_system")) | {"Idempotency-Key": "review-of-today-1"}
    with start(home) as client:
        assert client.post("/v1/patients/N03/reviews", json=review, headers=headers).status_code == 201
    with sqlite3.connect(home / "service.db") as connection:
        query = "SELECT detail FROM audit_events WHERE action = 'review.recorded'"
        assert len(json.loads(connection.execute(query).fetchone()[0])["row_sha256"]) == 64


def test_security_events_are_a_stream_of_their_own(home, tmp_path):
    """The file that a trust's monitoring reads holds refusals, sign-ins, sign-outs and emergency access, and only
    them."""
    events = tmp_path / "security.log"
    pharmacist = bearer(issue_token(home, "pharmacist", ["north"]))
    settings = {"UPSTREAM_SECURITY_LOG": str(events), "UPSTREAM_ENVIRONMENT": "demo"}
    with served(home, **settings) as (address, _), httpx.Client(base_url=address, timeout=60) as client:
        client.get("/v1/teams", headers=bearer("upstream_Canary"))
        client.get("/v1/teams", headers=pharmacist)
        client.post("/v1/patients/S00/emergency-access", headers=pharmacist, json={"reason": "crisis_call"})
        client.post("/sign-in", data={"choice": "auditor"}, headers={"Origin": address})
        proof = re.search(r'name="proof" value="([^"]+)"', client.get("/audit").text)[1]
        left = client.post("/sign-out", data={"proof": proof}, headers={"Origin": address})
        assert left.headers["location"] == "/sign-in", left.text
        while events.read_text().count("\n") < 4:  # a line is written once its answer has gone out
            time.sleep(0.05)
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert [line["security"] for line in lines] == [
        "not-signed-in",
        "emergency-access-opened",
        "signed-in",
        "signed-out",
    ]
    assert {line["address"] for line in lines} == {"127.0.0.1"} and "S00" not in events.read_text()
    assert stat.S_IMODE(events.stat().st_mode) == 0o600


def test_refusals_are_events_with_an_address_and_no_value(home, start, caplog):
    with caplog.at_level(logging.WARNING), start(home) as client:
        client.get("/v1/teams", headers=bearer("upstream_Canary"))
        client.get("/v1/teams", headers=bearer(issue_token(home, "auditor")))
        client.post("/sign-in", data={"choice": "auditor"})
        told = [json.loads(r.getMessage()) for r in caplog.records if '"security"' in r.getMessage()]
        metrics = client.get("/metrics", headers=bearer(issue_token(home, "operator"))).text
    assert [(one["security"], one["status"]) for one in told] == [
        ("not-signed-in", 401),
        ("role-may-not", 403),
        ("signed-in", 303),
    ]
    assert {one["address"] for one in told} == {"127.0.0.1"} and "Canary" not in caplog.text
    assert 'upstream_security_events_total{kind="not-signed-in"} 1.0' in metrics


def test_a_demo_session_that_is_open_when_real_people_are_published_shows_nobody(home, start):
    with start(home) as client:
        assert client.post("/sign-in", data={"choice": "pharmacist:north"}).status_code == 303
        assert client.get("/teams/north").status_code == 200
        with sqlite3.connect(home / "service.db") as connection:
            connection.execute("UPDATE runs SET synthetic = 0")
        assert client.get("/teams/north").status_code == 303


def test_a_home_of_a_demo_is_served_as_one_only_with_the_switch(home, monkeypatch):
    """``upstream serve`` on a home with the demo's note: production, unless --demo is given."""
    seen = []
    monkeypatch.setattr("serving.start.serve", lambda *_, **__: seen.append(os.environ.get("UPSTREAM_ENVIRONMENT")))
    monkeypatch.delenv("UPSTREAM_ENVIRONMENT", raising=False)
    refused = CliRunner().invoke(cli.app, ["serve", "--home", str(home), "--demo"])
    assert refused.exit_code != 0 and not seen
    (home / "demo.json").write_text("{}")
    CliRunner().invoke(cli.app, ["serve", "--home", str(home)])
    monkeypatch.setenv("UPSTREAM_ENVIRONMENT", "production")
    CliRunner().invoke(cli.app, ["serve", "--home", str(home), "--demo"])
    assert seen == [None, "demo"]


def test_signing_in_again_ends_the_session_before(home, start):
    with start(home) as client:
        client.post("/sign-in", data={"choice": "auditor"})
        before = client.cookies["upstream_session"]
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        assert client.get("/teams/north").status_code == 200
        client.cookies.clear()
        assert client.get("/audit", headers={"Cookie": f"upstream_session={before}"}).status_code == 303


def test_a_client_that_guesses_cookies_is_rate_limited(home, start):
    with start(home, stranger_rate_per_minute=5) as client:
        cookies = [{"Cookie": f"upstream_session=guess{n}"} for n in range(8)]
        assert [client.get("/", headers=one).status_code for one in cookies] == [303] * 5 + [429] * 3


def test_asking_whether_it_is_ready_writes_nothing(home, start):
    with start(home) as client:
        client.get("/readyz")
        files = [home / "service.db", home / "service.db-wal"]
        before = [path.read_bytes() for path in files]
        for _ in range(5):
            assert client.get("/readyz").status_code == 200
        assert [path.read_bytes() for path in files] == before


def test_a_log_that_cannot_be_written_is_not_ready(home, start, monkeypatch):
    with start(home) as client:
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100_000}))
        answer = client.get("/readyz")
        assert answer.status_code == 503 and "disk" in answer.text


def test_a_database_with_a_damaged_page_is_not_ready(home, start):
    path = home / "service.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'exposures'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    path.write_bytes(content)
    with start(home) as client:
        client.app.state.service.database.wait_for_check()
        answer = client.get("/readyz")
        assert answer.status_code == 503 and "restore the newest backup" in answer.text
        assert client.get("/livez").status_code == 200
