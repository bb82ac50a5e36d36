"""An id with a slash in it is an id like any other: a person who is listed can be opened."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from serving.security.tokens import issue_token
from tests.serving.conftest import bearer, sign_in

RENAMED = {"N03": "RXX/0042/N", "north": "adult/north"}


@pytest.fixture
def renamed(home):
    """The home with another name for a person and for a team, in every column of every table."""
    with closing(sqlite3.connect(home / "service.db")) as connection, connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for column in [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]:
                if column in ("patient_id", "team_id"):
                    for before, after in RENAMED.items():
                        connection.execute(f'UPDATE "{table}" SET {column} = ? WHERE {column} = ?', (after, before))
    return home


def test_every_address_of_a_list_opens_its_person(renamed, start):
    with start(renamed) as client:
        sign_in(client, "pharmacist:adult/north")
        teams = re.findall(r'href="(/teams/[^"?]+)"', client.get("/").text)
        listed = client.get(next(link for link in teams if "%2F" in link))
        assert listed.status_code == 200
        person = next(link for link in re.findall(r'href="(/patients/[^"]+)"', listed.text) if "RXX" in link)
        page = client.get(person.replace("&amp;", "&"))
        assert page.status_code == 200 and "RXX/0042/N" in page.text
        linked = [link for link in re.findall(r'(?:href|action)="(/patients/[^"#]+)', page.text) if "RXX" in link]
        assert linked and all("RXX%2F0042%2FN" in link for link in linked)
        sheet = client.get(next(link for link in linked if link.endswith("/conversation")))
        assert sheet.status_code == 200


@pytest.mark.parametrize("slash", ["%2F", "%2f"])
def test_programs_ask_by_the_escaped_id(renamed, start, slash):
    token = bearer(issue_token(renamed, "pharmacist", ["adult/north"]))
    name = "RXX/0042/N".replace("/", slash)
    with start(renamed) as client:
        answer = client.get(f"/v1/patients/{name}", headers=token)
        assert answer.status_code == 200 and answer.json()["patient_id"] == "RXX/0042/N"
        assert client.get(f"/v1/teams/adult{slash}north/worklist", headers=token).status_code == 200
        assert client.get(f"/v1/patients/{name}/reviews", headers=token).status_code == 200
        assert client.get(f"/v1/patients/{name}").status_code == 401
        assert client.get(f"/v1{slash}patients{slash}N00", headers=token).status_code == 404
