"""The read-out on a small made-up trust whose effect is known by construction."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import Records
from training.impact.plan import ImpactPlan
from training.impact.power import people_each_arm
from training.impact.readout import ImpactData, read_out
from training.settings import ImpactSettings, Stated

DAY = dt.date(2025, 3, 3)
PLAN = ImpactPlan(written_on=DAY, approved_by="Ada Example, chief pharmacist", detect=-0.5, event_rate=0.2)
PEOPLE = 600


def trust(people: int = PEOPLE) -> Records:
    """Even numbers are drawn. One in ten of them is admitted for ten days, one in five of the others."""
    ids = [f"P{i:04d}" for i in range(people)]
    admitted = [i for i in range(people) if (i // 2) % (10 if i % 2 == 0 else 5) == 0]
    on = DAY + dt.timedelta(days=30)
    frames = {
        "patients": pd.DataFrame({"patient_id": ids}),
        "teams": pd.DataFrame({"team_id": ["T1"], "name": ["Team"], "kind": ["A06"], "weekly_reviews": [10.0]}),
        "referrals": pd.DataFrame(
            {"patient_id": ids, "referral_id": ids, "team_id": "T1", "opened_on": DAY - dt.timedelta(days=400)}
        ),
        "contacts": pd.DataFrame(
            [
                {"patient_id": i, "contact_id": f"{i}-{d}", "team_id": "T1", "contact_on": DAY + dt.timedelta(days=d),
                 "booked_on": DAY + dt.timedelta(days=d - 20), "mode": "face_to_face", "kind": "routine",
                 "outcome": "attended"}
                for i in ids for d in (-30, 10, 200, 300)
            ]
        ),
        "stays": pd.DataFrame(
            [
                {"patient_id": ids[i], "admitted_on": on, "discharged_on": on + dt.timedelta(days=10),
                 "method": "emergency", "ward": "acute"}
                for i in admitted
            ]
        ),
    }  # fmt: skip
    return Records.from_frames(frames, about={"synthetic": True, "source": "made up for tests"})


def data(people: int = PEOPLE) -> ImpactData:
    ids = [f"P{i:04d}" for i in range(people)]
    drawn = np.arange(people) % 2 == 0
    draws = pd.DataFrame(
        {"run_id": "r", "team_id": "T1", "patient_id": ids, "drawn_on": DAY, "propensity": 0.5, "drawn": drawn,
         "risk": 0.2 + 0.001 * ((np.arange(people) // 2) % 7), "line_risk": 0.2,
         "gaps_closed": np.where(drawn, 0.75, 0.25)}
    )  # fmt: skip
    reviews = pd.DataFrame(
        {"patient_id": [i for i, d in zip(ids, drawn, strict=True) if d], "reviewed_on": DAY + dt.timedelta(days=3),
         "reviewer": "someone", "medicines_reconciled": True, "allergies_up_to_date": False,
         "side_effects_assessed": True}
    )  # fmt: skip
    return ImpactData(draws, reviews, pd.DataFrame(columns=["patient_id", "team_id", "as_of", "distance", "listed"]))


@pytest.fixture(scope="module")
def records() -> Records:
    return trust()


def test_the_planted_effect_is_read_in_people_and_bed_days(records):
    found = read_out(data(), PLAN, records).found
    assert found["answer"] == "read" and found["registered_before_first_draw"]
    admission = found["effects"]["admission"]
    assert admission["listed"] == pytest.approx(0.1) and admission["not_listed"] == pytest.approx(0.2)
    assert admission["relative"]["value"] == pytest.approx(-0.5)
    assert found["effects"]["gaps_closed"]["difference"]["value"] == pytest.approx(0.5)
    assert found["avoided"]["admission"]["value"] == pytest.approx(0.1 * 300)
    assert found["avoided"]["bed_days"]["value"] == pytest.approx(1.0 * 300)
    assert "pounds" not in found["avoided"]


def test_hours_and_pounds_are_given_only_with_a_source(records):
    settings = ImpactSettings(
        psychiatrist_minutes=Stated(value=30, source="time study of May 2025"),
        psychiatrist_share=Stated(value=0.5, source="rota of 2024"),
        bed_day_pounds=Stated(value=500, source="finance, 2025"),
    )
    found = read_out(data(), PLAN, records, settings).found
    assert found["activity"]["psychiatrist_hours_freed"] == 300 * 0.5 * 0.5
    assert found["activity"]["medicines_reconciled"] == 300 and found["activity"]["allergies_up_to_date"] == 0
    assert found["avoided"]["pounds"]["value"] == pytest.approx(500 * 300)
    assert found["avoided"]["pounds"]["source"] == "finance, 2025"
    without = read_out(data(), PLAN, records)
    assert without.found["activity"]["psychiatrist_hours_freed"] is None
    assert any("not stated" in line for line in without.text)


def test_too_few_people_cannot_tell_yet_and_show_no_effect(records):
    few = data()
    found = read_out(ImpactData(few.draws.head(100), few.reviews, few.lines), PLAN, records)
    assert found.found["answer"] == "cannot tell yet" and "effects" not in found.found
    # 100 in the first week; 394 are needed: 2.9 weeks more of draws, then 104 days for the last outcome
    assert found.found["needed"] == 2 * people_each_arm(0.2, -0.5) == 394
    assert found.found["weeks_until"] == 17.8
    assert any("cannot tell yet" in line and "weeks more" in line for line in found.text)


def test_a_plan_written_after_the_first_draw_is_reported(records):
    late = ImpactPlan(**{**PLAN.model_dump(), "written_on": DAY + dt.timedelta(days=1)})
    found = read_out(data(), late, records)
    assert not found.found["registered_before_first_draw"] and "AFTER the first draw" in found.text[0]


def test_no_draws_give_no_time(records):
    empty = data()
    found = read_out(ImpactData(empty.draws.head(0), empty.reviews, empty.lines), PLAN, records).found
    assert found["answer"] == "cannot tell yet" and found["weeks_until"] is None


def test_the_time_is_given_in_the_first_weeks_before_anybody_is_followed_up(records):
    young = data()
    draws = young.draws.assign(drawn_on=DAY + dt.timedelta(days=290))
    found = read_out(ImpactData(draws, young.reviews, young.lines), PLAN, records).found
    assert found["followed_up"] == 0 and found["answer"] == "cannot tell yet"
    assert found["weeks_until"] == pytest.approx((394 - 600) / 600 + 104 / 7, abs=0.06)


def test_people_whom_the_records_no_longer_hold_and_arms_of_one_kind_show_no_effect(records):
    whole = data()
    gone = whole.draws.assign(patient_id="nobody")
    found = read_out(ImpactData(gone, whole.reviews, whole.lines), PLAN, records).found
    assert found["followed_up"] == 0 and "effects" not in found
    for got in (True, False):
        one_kind = whole.draws[whole.draws["drawn"] == got]
        found = read_out(ImpactData(one_kind, whole.reviews.head(0), whole.lines), PLAN, records).found
        assert found["answer"] == "cannot tell yet" and found["checks"]["balance"] is None
