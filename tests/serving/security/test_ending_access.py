"""An administrator can see every live token and session and end it; both are in the audit log."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import upstream
from serving.identity.callers import ScopeError
from serving.security.tokens import end_access, issue_token, issued
from tests.serving.conftest import bearer


def actions(home):
    import sqlite3

    with sqlite3.connect(home / "service.db") as connection:
        return connection.execute("SELECT action, detail FROM audit_events ORDER BY seq").fetchall()


def test_a_token_is_listed_without_its_secret_and_ends_at_once(home, start):
    secret = issue_token(home, "pharmacist", ["north"], "Sam's laptop")
    (found,) = [one for one in issued(home) if one.label == "Sam's laptop"]
    assert (found.role, found.teams, found.is_live) == ("pharmacist", ("north",), True)
    assert secret not in repr(issued(home, ended=True))
    with start(home) as client:
        assert client.get("/v1/teams", headers=bearer(secret)).status_code == 200
        assert end_access(home, "laptop lost", token_id=found.token_id) == [found.token_id]
        assert client.get("/v1/teams", headers=bearer(secret)).status_code == 401
    assert found.token_id not in {one.token_id for one in issued(home)}
    assert found.token_id in {one.token_id for one in issued(home, ended=True)}
    assert end_access(home, "again", token_id=found.token_id) == []
    noted = [(action, json.loads(detail)) for action, detail in actions(home)]
    assert ("token.ended", {"token_id": found.token_id, "source": "laptop lost"}) in noted
    assert any(action == "token.issued" and detail["token_id"] == found.token_id for action, detail in noted)


def test_a_session_of_the_demo_is_listed_and_ended(home, start):
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        assert client.get("/", follow_redirects=True).status_code == 200
        (session,) = [one for one in issued(home) if one.kind == "session"]
        end_access(home, "left the trust", token_id=session.token_id)
        assert client.get("/").headers["location"] == "/sign-in"


def test_one_thing_at_a_time_is_ended(home):
    for named in ({}, {"token_id": "a", "subject": "b"}):
        with pytest.raises(ScopeError):
            end_access(home, "x", **named)


def test_the_command_line_lists_and_revokes(home):
    def run(*words):
        return CliRunner().invoke(upstream.app, [*words, "--home", str(home)])

    made = run("token", "--role", "auditor", "--label", "audit of May")
    assert made.exit_code == 0, made.output
    listed = json.loads(run("token", "list", "--json").stdout)["tokens"]
    (token_id,) = [one["token_id"] for one in listed if one["label"] == "audit of May"]
    assert token_id in run("token", "revoke", "--id", token_id, "--source", "done").stdout
    assert run("token", "revoke", "--id", token_id, "--source", "done").exit_code == 1
    assert run("token").exit_code == 2
