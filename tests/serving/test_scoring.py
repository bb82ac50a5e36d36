"""``POST /v1/scores``: parts that add up, the same numbers as the nightly run, rows set aside by place, nothing stored."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from serving.nightly import score_store


@pytest.fixture(scope="module")
def answer(client, tokens, world):
    records = world.records()
    people = [
        {"patient_id": person, "tables": world.person_tables(records, person)}
        for person in ("N00", "N01", "N03", "S02")
    ]
    body = {"as_of": world.AS_OF.isoformat(), "people": people}
    got = client.post("/v1/scores", json=body, headers={"Authorization": f"Bearer {tokens['cmht_system']}"})
    assert got.status_code == 200, got.text
    return got.json()


def logit(probability):
    return math.log(probability / (1 - probability))


def test_contributions_add_up_in_the_json_itself(answer):
    for person in answer["people"]:
        for risk in person["risks"]:
            total = (
                risk["base"] + risk["horizon_part"] + math.fsum(part["contribution"] for part in risk["contributions"])
            )
            assert logit(risk["probability"]) == pytest.approx(total, abs=1e-6)
            assert risk["logit"] == pytest.approx(total, abs=1e-9)


def test_every_outcome_and_horizon_and_none_falls_with_time(answer, world):
    for person in answer["people"]:
        found = {(risk["outcome"], risk["horizon_days"]): risk["probability"] for risk in person["risks"]}
        assert set(found) == {(outcome, days) for outcome, horizons in world.HORIZONS.items() for days in horizons}
        for outcome, horizons in world.HORIZONS.items():
            risks = [found[outcome, days] for days in horizons]
            assert risks == sorted(risks)


@pytest.mark.parametrize("person", ["N00", "N01", "N03", "S02"])
def test_the_request_and_the_nightly_run_agree_to_the_bit(client, as_role, answer, person):
    asked = next(found for found in answer["people"] if found["patient_id"] == person)
    stored = client.get(f"/v1/patients/{person}", headers=as_role("everywhere")).json()
    night = {(risk["outcome"], risk["horizon_days"]): risk for risk in stored["risks"]}
    for risk in asked["risks"]:
        other = night[risk["outcome"], risk["horizon_days"]]
        assert risk["probability"] == other["probability"]
        for mine, theirs in zip(risk["contributions"], other["contributions"], strict=True):
            assert (mine["name"], mine["value"]) == (theirs["name"], theirs["value"])
            assert mine["contribution"] == theirs["contribution"]
        assert [reason["sentence"] for reason in risk["reasons"]] == [reason["sentence"] for reason in other["reasons"]]
        assert [[f["name"] for f in reason["features"]] for reason in risk["reasons"]] == [
            [f["name"] for f in reason["features"]] for reason in other["reasons"]
        ]
    assert asked["gaps"] == stored["gaps"]
    # The nightly run counts unknown medicines for the whole extract, not by person, and says so with null.
    assert asked["flags"] | {"unknown_medicines": None} == stored["flags"]


def test_a_certain_gap_comes_with_standard_and_rows(answer):
    gap = next(gap for gap in answer["people"][0]["gaps"] if gap["code"] == "CLZ_FBC_OVERDUE")
    assert gap["safety"] and gap["days_overdue"] > 0 and gap["standard"] and gap["evidence"]


def test_one_person_or_many_is_the_same(client, as_role, answer, world):
    alone = client.post(
        "/v1/scores",
        json={
            "as_of": world.AS_OF.isoformat(),
            "people": [{"patient_id": "N03", "tables": world.person_tables(world.records(), "N03")}],
        },
        headers=as_role("cmht_system"),
    ).json()
    assert alone["people"][0] == next(found for found in answer["people"] if found["patient_id"] == "N03")


def test_an_empty_record_is_scored_and_says_so(client, as_role):
    got = client.post(
        "/v1/scores", json={"people": [{"patient_id": "new", "tables": {}}]}, headers=as_role("cmht_system")
    ).json()
    assert got["as_of"] == dt.date.today().isoformat()
    flags = got["people"][0]["flags"]
    assert flags["short_history"] and flags["history_days"] is None
    assert flags["missing_sources"] == ["referrals", "contacts", "supplies", "results"]
    assert got["people"][0]["risks"][0]["probability"] > 0


def test_the_limits_of_a_score_are_flags(client, as_role):
    """Stale sources, unknown medicines and inputs outside training, each on the person they belong to."""

    def supply(medicine, day):
        return {"medicine": medicine, "supplied_on": day, "days_supplied": 28, "route": "oral", "kind": "dispensed"}

    people = [
        {"patient_id": "A", "tables": {"supplies": [supply("olanzapine", "2025-12-20")]}},
        {
            "patient_id": "B",
            "tables": {"supplies": [supply("olanzapine", "2025-06-01"), supply("wonderpill", "2025-06-02")]},
        },
    ]
    got = client.post(
        "/v1/scores", json={"as_of": "2026-01-05", "people": people}, headers=as_role("cmht_system")
    ).json()
    fresh, stale = (person["flags"] for person in got["people"])
    assert {s["source"]: (s["age_days"], s["stale"]) for s in fresh["sources"]} == {
        "referrals": (None, False),
        "contacts": (None, False),
        "supplies": (16, False),
        "results": (None, False),
    }
    assert {s["source"]: (s["age_days"], s["stale"]) for s in stale["sources"]}["supplies"] == (218, True)
    assert (fresh["unknown_medicines"], stale["unknown_medicines"]) == (0, 1)
    assert fresh["short_history"] and not stale["short_history"]
    for limit in fresh["outside_training"] + stale["outside_training"]:
        assert not limit["low"] <= limit["value"] <= limit["high"]


def test_the_nightly_run_keeps_the_limits(client, as_role, answer):
    for person in answer["people"]:
        stored = client.get(f"/v1/patients/{person['patient_id']}", headers=as_role("everywhere")).json()["flags"]
        for name in ("sources", "outside_training", "history_days", "missing_sources"):
            assert stored[name] == person["flags"][name]


def test_a_wrong_value_is_set_aside_by_its_place_in_the_persons_own_list(client, as_role):
    def supply(**row):
        return {
            "medicine": "olanzapine",
            "supplied_on": "2025-06-01",
            "days_supplied": 28,
            "route": "oral",
            "kind": "dispensed",
            **row,
        }

    people = [
        {"patient_id": "A", "tables": {"supplies": [supply(), supply()]}},
        {
            "patient_id": "B",
            "tables": {"supplies": [supply(), supply(days_supplied=-3), supply(supplied_on="1801-02-03")]},
        },
    ]
    got = client.post(
        "/v1/scores", json={"as_of": "2026-01-05", "people": people}, headers=as_role("cmht_system")
    ).json()
    assert got["people"][0]["flags"]["set_aside"] == []
    aside = got["people"][1]["flags"]["set_aside"]
    assert [(row["table"], row["row"], row["column"]) for row in aside] == [
        ("supplies", 1, "days_supplied"),
        ("supplies", 2, "supplied_on"),
    ]
    assert all(row["reason"] and "1801" not in row["reason"] for row in aside)


def test_what_happened_or_became_known_later_changes_nothing(client, as_role, answer, world):
    tables = world.person_tables(world.records(), "N03")
    late = {"medicine": "olanzapine", "route": "oral", "kind": "dispensed", "days_supplied": 28.0}
    tables["supplies"] += [
        {**late, "supplied_on": "2026-01-05", "known_on": "2026-01-05"},
        {**late, "supplied_on": "2025-12-20", "known_on": "2026-01-05"},
    ]
    got = client.post(
        "/v1/scores",
        json={"as_of": world.AS_OF.isoformat(), "people": [{"patient_id": "N03", "tables": tables}]},
        headers=as_role("cmht_system"),
    ).json()
    assert (
        got["people"][0]["risks"] == next(found for found in answer["people"] if found["patient_id"] == "N03")["risks"]
    )


def test_nothing_is_stored(home, start, world):
    from serving.security.tokens import issue_token

    before = (home / "service.db").read_bytes()
    token = issue_token(home, "cmht_system", None)
    with start(home) as client:
        body = {
            "people": [
                {"patient_id": "X1", "tables": {"supplies": [{"medicine": "olanzapine", "supplied_on": "2025-01-01"}]}}
            ]
        }
        assert client.post("/v1/scores", json=body, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        listed = client.get("/v1/patients/X1", headers={"Authorization": f"Bearer {token}"})
    assert listed.status_code == 404
    assert b"olanzapine" not in before or (home / "service.db").read_bytes().count(b"olanzapine") == before.count(
        b"olanzapine"
    )


def test_the_model_says_what_it_is(answer, client, as_role):
    serving = client.get("/v1/model", headers=as_role("operator")).json()
    assert answer["model"] == {"bundle_id": serving["bundle_id"], "version": "test-1", "synthetic": True}
    assert client.get("/v1/model/card", headers=as_role("auditor")).json()["card"]["synthetic"] is True


# The nightly run


def test_the_same_run_is_made_once(home, world):
    again = score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
    assert again.reused and again.people == 13


def test_a_run_that_breaks_publishes_nothing(home, world, database, monkeypatch):
    import serving.nightly as module
    from serving.runs.repository import current_run

    with database.read() as connection:
        before = current_run(connection).run_id

    def fails(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(module, "_publish", fails)
    with pytest.raises(OSError, match="disk full"):
        score_store(home / "store", home / "bundles", home, world.AS_OF - dt.timedelta(days=7), threads=1)
    with database.read() as connection:
        assert current_run(connection).run_id == before
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 1
        assert connection.exec_driver_sql("SELECT count(DISTINCT run_id) FROM scores").scalar() == 1


def test_an_earlier_run_gives_a_trend_and_can_be_published_again(home, start, world):
    from serving.security.tokens import issue_token

    first = score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
    second = score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    assert second.run_id != first.run_id and not second.reused
    headers = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None)}"}
    with start(home) as client:
        person = client.get("/v1/patients/N03", headers=headers).json()
        points = [
            point["as_of"]
            for point in person["trend"]
            if (point["outcome"], point["horizon_days"]) == ("admission", 90)
        ]
        assert points == ["2026-01-05", "2026-01-12"] and person["run"]["as_of"] == "2026-01-12"
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        assert "Over the last lists" in client.get("/patients/N03").text
        score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
        assert client.get("/v1/patients/N03", headers=headers).json()["run"]["as_of"] == "2026-01-05"
