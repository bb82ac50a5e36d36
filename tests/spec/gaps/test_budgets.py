"""Each code has a budget, the share of a caseload on which it may fire; a simulated trust keeps them."""

from __future__ import annotations

from math import sqrt

import pandas as pd
import pytest

from features import Records, find_gaps
from features.gaps import CODES
from features.gaps.codes import ANNUAL_REVIEWS, SHOWN_LIMIT, SHOWN_MEAN_LIMIT
from features.gaps.prevalence import CodeShare, Prevalence, caseload, prevalence
from features.records import day_of
from training.simulator import simulate

DAY = "2026-01-04"
LATE_DAYS = 30
"""The last weeks of an extract lack what is known late."""


@pytest.fixture(scope="module")
def measured() -> Prevalence:
    records = simulate(patients=1200, years=3, seed=29).records
    return prevalence(records, records.last_day_known() + 1 - LATE_DAYS)


def test_every_code_has_a_budget_and_its_reason():
    for row in CODES.values():
        assert 0 < row.budget <= 0.65 and len(row.budget_reason) > 15, row.code
    wide = {code for code, row in CODES.items() if row.budget > 0.15}
    assert wide == ANNUAL_REVIEWS, "only the reviews of the year may fire on more than 15%"


@pytest.mark.parametrize("code", CODES)
def test_a_simulated_trust_keeps_the_budget(measured, code):
    """With room for chance: three standard errors of a trust of this size."""
    row = next(one for one in measured.codes if one.code == code)
    room = 3 * sqrt(row.budget * (1 - row.budget) / measured.people)
    assert row.share <= row.budget + room, f"{row.share:.1%} of people; budget {row.budget:.0%}: {row.budget_reason}"
    assert code in ANNUAL_REVIEWS or row.shown_share <= SHOWN_LIMIT


def test_few_gaps_a_person_are_shown_unasked(measured):
    assert 0.2 < measured.shown_a_person <= SHOWN_MEAN_LIMIT
    assert measured.gaps_a_person > measured.shown_a_person


def test_the_caseload_is_who_is_alive_with_an_open_referral_as_known():
    people = ["open", "closed", "closed-known-late", "not-yet", "dead", "none"]
    records = Records.from_frames(
        {
            "patients": pd.DataFrame({"patient_id": people, "died_on": [None, None, None, None, "2025-02-01", None]}),
            "referrals": pd.DataFrame(
                {
                    "patient_id": people[:5],
                    "referral_id": people[:5],
                    "team_id": "t1",
                    "opened_on": ["2025-01-01"] * 3 + ["2026-02-01", "2025-01-01"],
                    "known_on": ["2025-01-01"] * 3 + ["2026-02-01", "2025-01-01"],
                    "closed_on": [None, "2025-06-01", "2025-06-01", None, None],
                    "closed_known_on": [None, "2025-06-01", "2026-03-01", None, None],
                }
            ),
        }
    )
    inside = [records.patient_ids[place] for place in caseload(records, day_of(DAY))]
    assert sorted(inside) == ["closed-known-late", "open"]


def test_a_code_over_its_budget_is_reported():
    over = CodeShare("HDAT", 50, 0.5, 0.0, 0.06, "x")
    shown = CodeShare("HDAT", 1, 0.01, 0.2, 0.06, "x")
    assert not over.within and not shown.within
    assert not Prevalence(100, 0.5, 0.1, (over,)).within
    assert "over" in list(Prevalence(100, 0.5, 0.1, (over,)).lines())[-1]


def test_a_gap_is_shown_where_it_is_severe_or_due_within_14_days():
    frame = pd.DataFrame({"patient_id": ["anna"]})
    found = find_gaps(Records.from_frames({"patients": frame}), DAY).set_index("code")
    assert found.loc["NO_CONTACT", "severity"] == "high" and found.loc["NO_CONTACT", "shown"]
    assert found.loc["ALLERGY_NOT_RECORDED", "severity"] == "low" and not found.loc["ALLERGY_NOT_RECORDED", "shown"]
