"""Somebody who has died, or is in hospital, gets no score and no gap; the answer says why, as known by ``as_of``."""

from __future__ import annotations

import pytest

from features.engine.caseload import DEATH_UNDATED

LATE_DEPOT = {
    "medicine": "paliperidone",
    "route": "long_acting_injection",
    "kind": "administered",
    "supplied_on": "2025-06-01",
    "interval_days": 28,
    "dose_mg": 100,
}
OPEN = {"referral_id": "r1", "team_id": "t1", "opened_on": "2024-01-10"}
STAY = {"admitted_on": "2025-12-01", "ward": "acute"}
DIED = "died"
INPATIENT = "inpatient, or discharge not yet known"

CASES = {
    "at home": ({}, None),
    "died a month ago": ({"patients": [{"died_on": "2025-12-05"}]}, DIED),
    "died the day before": ({"patients": [{"died_on": "2026-01-03", "known_on": "2026-01-04"}]}, DIED),
    "died, and not yet known": ({"patients": [{"died_on": "2026-01-03", "known_on": "2026-01-05"}]}, None),
    "a referral closed because of death": (
        {"referrals": [{**OPEN, "closed_on": "2025-12-05", "close_reason": "died", "closed_known_on": "2025-12-06"}]},
        DIED,
    ),
    "in hospital": ({"stays": [STAY]}, INPATIENT),
    "discharged": ({"stays": [{**STAY, "discharged_on": "2025-12-20", "discharge_known_on": "2025-12-21"}]}, None),
    "discharged, and not yet known": (
        {"stays": [{**STAY, "discharged_on": "2026-01-03", "discharge_known_on": "2026-01-06"}]},
        INPATIENT,
    ),
    "in a place of safety": ({"stays": [{**STAY, "ward": "place_of_safety"}]}, None),
    "died in hospital": ({"patients": [{"died_on": "2025-12-05"}], "stays": [STAY]}, DIED),
}


@pytest.mark.parametrize("case", CASES)
def test_people_whom_the_api_does_not_score(client, as_role, case):
    tables, reason = CASES[case]
    tables = {"referrals": [OPEN], "supplies": [LATE_DEPOT], **tables}
    people = [{"patient_id": "other", "tables": {}}, {"patient_id": "one", "tables": tables}]
    got = client.post(
        "/v1/scores", json={"as_of": "2026-01-05", "people": people}, headers=as_role("cmht_system")
    ).json()
    scored = [person["patient_id"] for person in got["people"]]
    if reason is None:
        assert scored == ["other", "one"] and got["not_scored"] == []
    else:
        assert scored == ["other"] and got["not_scored"] == [{"patient_id": "one", "reason": reason}]


@pytest.mark.parametrize(
    ("died_on", "is_scored"),
    [
        ("2025-13-40", False),
        ("last spring", False),
        ("yes", False),
        ("Y", False),
        ("deceased", False),
        (True, False),
        ("9999-12-31", True),
        ("31/12/9999", True),
        ("1800-01-01", True),
        ("no", True),
        (None, True),
    ],
)
def test_a_day_of_death_that_cannot_be_read_is_not_read_as_alive(client, as_role, died_on, is_scored):
    body = {"people": [{"patient_id": "one", "tables": {"patients": [{"died_on": died_on}]}}]}
    got = client.post("/v1/scores", json=body, headers=as_role("cmht_system")).json()
    why = [] if is_scored else [{"patient_id": "one", "reason": DEATH_UNDATED}]
    assert (len(got["people"]), got["not_scored"]) == (int(is_scored), why)
