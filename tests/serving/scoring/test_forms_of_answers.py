"""How small or large an answer is asked for, and people line by line."""

from __future__ import annotations

import json
import math

import pytest

from serving.scoring import streaming

PEOPLE = ("N00", "N01", "N03")


@pytest.fixture
def people(world):
    records = world.records()
    return [{"patient_id": person, "tables": world.person_tables(records, person)} for person in PEOPLE]


@pytest.fixture
def ask(client, as_role, world, people):
    def asked(**query):
        body = {"as_of": world.AS_OF.isoformat(), "people": people}
        answer = client.post("/v1/scores", params=query, json=body, headers=as_role("cmht_system"))
        assert answer.status_code == 200, answer.text
        return answer

    return asked


def risks(answer):
    return [risk for person in answer.json()["people"] for risk in person["risks"]]


def test_an_answer_names_concepts_unless_asked_for_more_or_less(ask):
    few, usual, many = ask(contributions="none"), ask(), ask(contributions="features")
    assert ask(contributions="concepts").json() == usual.json()
    assert len(few.content) < len(usual.content) < len(many.content) / 2
    for one, two, three in zip(risks(few), risks(usual), risks(many), strict=True):
        assert one["probability"] == two["probability"] == three["probability"]
        assert one["contributions"] == []
        assert [part["name"] for part in two["contributions"]] == list(
            dict.fromkeys(part["concept"] for part in three["contributions"])
        )
        for part in two["contributions"]:
            of_concept = [each["contribution"] for each in three["contributions"] if each["concept"] == part["name"]]
            assert part["contribution"] == pytest.approx(math.fsum(of_concept), abs=1e-9)
            assert part["value"] is None


@pytest.mark.parametrize("form", ["concepts", "features"])
def test_every_form_with_parts_adds_up(ask, form):
    for risk in risks(ask(contributions=form)):
        total = math.fsum((risk["base"], risk["horizon_part"], *(c["contribution"] for c in risk["contributions"])))
        assert math.log(risk["probability"] / (1 - risk["probability"])) == pytest.approx(total, abs=1e-6)


def test_an_unknown_form_is_refused(client, as_role):
    assert client.post("/v1/scores?contributions=all", json={}, headers=as_role("cmht_system")).status_code == 422


# People line by line


@pytest.fixture
def send(client, as_role, world):
    def sent(lines, **query):
        body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        headers = as_role("cmht_system") | {"Content-Type": "application/x-ndjson"}
        params = {"as_of": world.AS_OF.isoformat(), **query}
        answer = client.post("/v1/scores/stream", params=params, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.content.splitlines()]

    return sent


def test_a_stream_gives_what_one_request_gives(ask, send, people):
    first, *rest = send(people)
    assert first["as_of"] == "2026-01-05"
    assert [line["line"] for line in rest] == [1, 2, 3]
    assert [line["person"] for line in rest] == ask().json()["people"]


def test_more_people_than_are_held_at_once_come_in_order(send, people, monkeypatch):
    monkeypatch.setattr(streaming, "PEOPLE_AT_ONCE", 2)
    many = [{**people[i % 3], "patient_id": f"P{i}"} for i in range(7)]
    for one in many:
        one["tables"] = {name: [{k: v for k, v in row.items()} for row in rows] for name, rows in one["tables"].items()}
    _, *rest = send(many, contributions="none")
    assert [(line["line"], line["person"]["patient_id"]) for line in rest] == [(i + 1, f"P{i}") for i in range(7)]


def test_a_line_that_is_wrong_says_so_and_repeats_nothing(send, people):
    secret = "Mrs Jones"
    wrong = [
        b"{" + secret.encode(),
        {"patient_id": "P", "tables": {secret: []}},
        {"patient_id": "9434765919", "tables": {}},
        {"patient_id": "P", "tables": {"supplies": [{"days_supplied": [secret]}]}},
        b"",
        people[0],
        people[0],
        {"nhs_number": "9434765919", "tables": {}},
        {"patient_id": "D", "tables": {"patients": [{"died_on": "2025-01-01"}]}},
    ]
    _, *rest = send(wrong)
    by_line = {line["line"]: line for line in rest}
    assert sorted(by_line) == [1, 2, 3, 4, 6, 7, 8, 9]
    assert {number: line["error"]["status"] for number, line in by_line.items() if "error" in line} == {
        1: 422, 2: 422, 3: 422, 4: 422, 7: 422, 8: 422,
    }  # fmt: skip
    assert by_line[6]["person"]["patient_id"] == "N00"
    assert by_line[9]["not_scored"] == {"patient_id": "D", "reason": "died"}
    text = json.dumps(rest)
    assert secret not in text and "9434765919" not in text


def test_a_line_longer_than_any_may_be_is_skipped_and_said(send, people, monkeypatch):
    monkeypatch.setattr(streaming, "LONGEST_LINE", len(json.dumps(people[0])) + 10)
    _, *rest = send([b"x" * 400_000, people[0]])
    assert [(line["line"], line.get("error", {}).get("status")) for line in rest] == [(1, 413), (2, None)]


def test_a_stream_asks_for_its_media_type_and_a_day_that_has_come(client, as_role):
    system = as_role("cmht_system")
    answer = client.post("/v1/scores/stream", content=b"{}", headers=system | {"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "Content-Type: application/x-ndjson" in answer.json()["detail"]
    lines = system | {"Content-Type": "application/x-ndjson"}
    assert client.post("/v1/scores/stream?as_of=2999-01-01", content=b"{}", headers=lines).status_code == 422


def test_everybody_of_a_stream_is_in_the_audit_log(shared_home, send, people):
    from sqlalchemy import text

    from serving.settings import database_url_of
    from serving.storage.database import Database

    send(people)
    database = Database(database_url_of(shared_home))
    with database.read() as connection:
        query = text("SELECT patient_ids FROM audit_events WHERE action = 'scores.requested' ORDER BY seq DESC LIMIT 1")
        assert json.loads(connection.execute(query).scalar_one()) == list(PEOPLE)
    database.close()


@pytest.mark.parametrize("role", ["pharmacist", "data_scientist", "auditor", "operator", None])
def test_a_stream_is_for_systems_alone(client, as_role, role):
    headers = (as_role(role) if role else {}) | {"Content-Type": "application/x-ndjson"}
    assert client.post("/v1/scores/stream", content=b"{}", headers=headers).status_code == (403 if role else 401)
