"""``POST /v1/scores``: parts that add up, the same numbers as the nightly run, rows set aside by place, nothing
stored."""

from __future__ import annotations

import datetime as dt
import json
import math

import pytest

from features.records.reading.checksums import without_checksums
from serving.http import middleware
from serving.nightly.arrival import Acceptance
from serving.nightly.run import score_store
from serving.scoring.schemas import ScoresAnswer
from serving.security.tokens import issue_token


@pytest.fixture(scope="module")
def answer(client, tokens, world):
    records = world.records()
    people = [
        {"patient_id": person, "tables": world.person_tables(records, person)}
        for person in ("N00", "N01", "N03", "S02")
    ]
    body = {"as_of": world.AS_OF.isoformat(), "people": people}
    got = client.post(
        "/v1/scores?contributions=features", json=body, headers={"Authorization": f"Bearer {tokens['cmht_system']}"}
    )
    assert got.status_code == 200, got.text
    return got.json()


def test_the_answer_is_what_the_description_says_to_the_last_key(answer):
    """It is put together from plain values, so the model of the description is held against it here."""
    assert ScoresAnswer.model_validate(answer).model_dump(mode="json") == answer


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
        # Sentences, features with value and day, source rows and ages: all of it.
        assert risk["reasons"] == other["reasons"]
    assert asked["what_if"] == stored["what_if"]
    assert asked["gaps"] == [{name: gap[name] for name in gap if name != "status"} for gap in stored["gaps"]]
    assert asked["flags"] == stored["flags"]


def test_every_person_adds_up_in_both_answers(client, as_role, world):
    """Everybody of the trust, in ``POST /v1/scores`` and in ``GET /v1/patients``: the numbers of the JSON itself,
    exact, not those rounded for display."""
    records = world.records()
    people = [{"patient_id": person, "tables": world.person_tables(records, person)} for person in world.TEAM_OF]
    body = {"as_of": world.AS_OF.isoformat(), "people": people}
    asked = client.post("/v1/scores?contributions=features", json=body, headers=as_role("cmht_system")).json()["people"]
    stored = [client.get(f"/v1/patients/{person}", headers=as_role("everywhere")).json() for person in world.TEAM_OF]
    pairs = sum(map(len, world.HORIZONS.values()))
    added = 0
    for person in (*asked, *stored):
        assert len(person["risks"]) == pairs
        for risk in person["risks"]:
            parts = [part["contribution"] for part in risk["contributions"]]
            total = math.fsum((risk["base"], risk["horizon_part"], *parts))
            assert abs(logit(risk["probability"]) - total) <= 1e-6
            concepts = {}
            for part in risk["contributions"]:
                concepts.setdefault(part["concept"], []).append(part["contribution"])
            for reason in risk["reasons"]:
                assert abs(reason["contribution"] - math.fsum(concepts[reason["concept"]])) <= 1e-9
                assert abs(reason["contribution"] - math.fsum(f["contribution"] for f in reason["features"])) <= 1e-9
            added += 1
    assert added == 2 * pairs * len(world.TEAM_OF)


def test_a_reason_shows_what_it_rests_on(answer):
    """Each feature with value, unit and day; the dated rows, newest first and before the day; and how old every source
    it reads is."""
    seen = set()
    for person in answer["people"]:
        for reason in (reason for risk in person["risks"] for reason in risk["reasons"]):
            assert reason["features"] and reason["sources"]
            for feature in reason["features"]:
                assert feature["missing"] == (feature["value"] is None)
                assert {"unit", "date"} <= set(feature)
                assert feature["date"] is None or feature["date"] < answer["as_of"]
            days = [row["on"] for row in reason["rows"]]
            assert days == sorted(days, reverse=True) and all(day < answer["as_of"] for day in days)
            assert all(row["what"] for row in reason["rows"]) and len(days) <= 5
            assert {row["table"] for row in reason["rows"]} <= {source["source"] for source in reason["sources"]}
            seen |= {row["table"] for row in reason["rows"]}
    assert {"supplies", "results", "contacts"} & seen


def test_a_what_if_is_offered_where_something_is_due_and_is_no_effect(answer, client, as_role):
    """N00 takes clozapine without a blood count for months."""
    person = answer["people"][0]
    found = {what["code"]: what for what in person["what_if"]}
    count = found["blood_count"]
    assert count["kind"] == "model_sensitivity" and "not the effect" in count["note"]
    assert {"name": "days_since_fbc", "unit": "days", "value": 200.0, "changed_to": 0.0} in count["changes"]
    now = {(risk["outcome"], risk["horizon_days"]): risk["probability"] for risk in person["risks"]}
    assert {(risk["outcome"], risk["horizon_days"]) for risk in count["risks"]} == set(now)
    for risk in count["risks"]:
        assert risk["probability"] - now[risk["outcome"], risk["horizon_days"]] == risk["difference"]
    # The gap stands whatever the what-if says (rule 5).
    assert "CLZ_FBC_OVERDUE" in {gap["code"] for gap in person["gaps"]}


def test_a_certain_gap_comes_with_standard_and_rows(answer):
    gap = next(gap for gap in answer["people"][0]["gaps"] if gap["code"] == "CLZ_FBC_OVERDUE")
    assert gap["safety"] and gap["days_overdue"] > 0 and gap["standard"] and gap["evidence"]


def test_one_person_or_many_is_the_same(client, as_role, answer, world):
    alone = client.post(
        "/v1/scores?contributions=features",
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


def test_a_score_flags_old_sources_unknown_medicines_and_unusual_inputs(client, as_role):
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
        assert stored == person["flags"]


def test_the_nightly_run_counts_unknown_medicines_by_person(home, start, world):
    """Set aside when the store was written, or when it is read: both are counted, on the person they belong to."""
    import pandas as pd

    from features import Records

    frames = {name: world.records()[name] for name in world.records().tables}
    strange = frames["supplies"].iloc[:2].assign(patient_id=["N03", "S02"], medicine="wonderpill")
    frames["supplies"] = pd.concat([frames["supplies"], strange], ignore_index=True)
    Records.from_frames(frames, about={"synthetic": True}).save(home / "store")
    extra = pd.read_parquet(home / "store" / "supplies.parquet")
    extra.loc[len(extra)] = extra.iloc[0].to_dict() | {"patient_id": "N03", "medicine": "snakeoil"}
    extra.to_parquet(home / "store" / "supplies.parquet", index=False)
    about = json.loads((home / "store" / "about.json").read_text())
    (home / "store" / "about.json").write_text(json.dumps(without_checksums(about)))
    # Rows set aside are not part of what the scores were made from, so the same day would be the same run.
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=1), threads=1)
    headers = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None, 'test')}"}
    with start(home) as client:
        flags = {
            person: client.get(f"/v1/patients/{person}", headers=headers).json()["flags"]["unknown_medicines"]
            for person in ("N00", "N03", "S02")
        }
    assert flags == {"N00": 0, "N03": 2, "S02": 1}


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
        {"patient_id": "A", "tables": {"supplies": [supply(), supply(supplied_on="2025-07-01")]}},
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
        "/v1/scores?contributions=features",
        json={"as_of": world.AS_OF.isoformat(), "people": [{"patient_id": "N03", "tables": tables}]},
        headers=as_role("cmht_system"),
    ).json()
    assert (
        got["people"][0]["risks"] == next(found for found in answer["people"] if found["patient_id"] == "N03")["risks"]
    )


def test_a_day_to_come_is_refused_and_a_day_before_everything_is_scored(client, as_role):
    person = {"patient_id": "X1", "tables": {}}
    ahead = client.post(
        "/v1/scores?contributions=features",
        json={"as_of": "2999-01-01", "people": [person]},
        headers=as_role("cmht_system"),
    )
    assert ahead.status_code == 422 and ahead.json()["type"].endswith("as-of-in-the-future")
    long_ago = client.post(
        "/v1/scores", json={"as_of": "0001-01-01", "people": [person]}, headers=as_role("cmht_system")
    )
    assert long_ago.status_code == 200 and long_ago.json()["people"][0]["risks"]


def test_memory_is_released_only_after_a_large_answer(client, as_role, answer, monkeypatch):
    given = []
    monkeypatch.setattr(middleware, "_tidy", lambda: given.append(True))
    body = {"people": [{"patient_id": "X1", "tables": {}}]}
    for limit, times in ((10**9, 0), (1_000, 1)):
        monkeypatch.setattr(middleware, "LARGE", limit)
        assert (
            client.post("/v1/scores?contributions=features", json=body, headers=as_role("cmht_system")).status_code
            == 200
        )
        assert len(given) == times


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
        assert (
            client.post(
                "/v1/scores?contributions=features", json=body, headers={"Authorization": f"Bearer {token}"}
            ).status_code
            == 200
        )
        listed = client.get("/v1/patients/X1", headers={"Authorization": f"Bearer {token}"})
    assert listed.status_code == 404
    assert b"olanzapine" not in before or (home / "service.db").read_bytes().count(b"olanzapine") == before.count(
        b"olanzapine"
    )


def test_the_model_says_what_it_is(answer, client, as_role):
    serving = client.get("/v1/model", headers=as_role("operator")).json()
    assert answer["model"] == {
        "bundle_id": serving["bundle_id"],
        "version": "test-1",
        "synthetic": True,
        "not_promoted": [],
    }
    assert client.get("/v1/model/card", headers=as_role("auditor")).json()["card"]["synthetic"] is True


# The nightly run


def test_the_same_run_is_made_once(home, world):
    again = score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
    assert again.reused and again.people == 13


def test_a_run_that_breaks_publishes_nothing(home, world, database, monkeypatch):
    import serving.nightly.run as module
    from serving.runs.repository import current_run

    with database.read() as connection:
        before = current_run(connection).run_id

    def fails(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(module, "_publish", fails)
    with pytest.raises(OSError, match="disk full"):
        score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
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
        assert "The same numbers, in 100 people like this" in client.get("/patients/N03").text
        back = Acceptance("Sam Ward", "the newer extract was wrong")
        score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1, accept=back)
        assert client.get("/v1/patients/N03", headers=headers).json()["run"]["as_of"] == "2026-01-05"
