"""The month's report on lists and outcomes that are simulated over two years, with a shift that is planted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import Records
from features.errors import SettingsError
from training.impact.month_report import month_lines, month_of, month_report, render
from training.impact.watching import Repair, rows_until_alarm
from training.settings import OutcomeSettings, WatchSettings

FIRST, APART, LISTS, PEOPLE = dt.date(2024, 1, 1), 91, 8, 600
OUTCOMES = OutcomeSettings(horizons={"admission": (90,)}, submission_gap_tolerance=None)
WATCHING = WatchSettings()
QUIET = {
    "refused": [],
    "accepted": [],
    "drifted": {},
    "drift_note": "",
    "trained_until": {"admission_90": "2023-09-01"},
}


def played(shift: float, reviewed_helps: float = 1.0, seed: int = 1):
    """Eight lists, a quarter of a year apart. Log-odds of the events are those of the list plus ``shift``. The 60
    people with the highest risks have places and are reviewed; then their chance is ``reviewed_helps`` of that.
    """
    rng = np.random.default_rng(seed)
    ids = [f"P{i:04d}" for i in range(PEOPLE)]
    days = [FIRST + dt.timedelta(days=APART * n) for n in range(LISTS)]
    tables, stays = [], []
    for day in days:
        logit = rng.normal(-2.3, 0.8, PEOPLE)
        risk = 1 / (1 + np.exp(-logit))
        placed = np.argsort(np.argsort(-risk)) < 60
        true = 1 / (1 + np.exp(-(logit + shift))) * np.where(placed, reviewed_helps, 1.0)
        admitted = day + dt.timedelta(days=40)
        stays += [
            (ids[i], admitted, admitted + dt.timedelta(days=4)) for i in np.flatnonzero(rng.random(PEOPLE) < true)
        ]
        tables.append(
            pd.DataFrame(
                {"patient_id": ids, "team_id": "T1", "as_of": day, "bundle_id": "b1", "outcome": "admission",
                 "horizon": 90, "risk": risk, "placed": placed, "exposed": placed}
            )
        )  # fmt: skip
    last = days[-1] + dt.timedelta(days=APART + 30)
    every = [FIRST + dt.timedelta(days=n) for n in range(-60, (last - FIRST).days, 30)]
    frames = {
        "patients": pd.DataFrame({"patient_id": ids}),
        "teams": pd.DataFrame({"team_id": ["T1"], "name": ["Team"], "kind": ["A06"], "weekly_reviews": [10.0]}),
        "referrals": pd.DataFrame(
            {"patient_id": ids, "referral_id": ids, "team_id": "T1", "opened_on": FIRST - dt.timedelta(days=400)}
        ),
        "contacts": pd.DataFrame(
            [
                {"patient_id": i, "contact_id": f"{i}-{d}", "team_id": "T1", "contact_on": d, "booked_on": d,
                 "mode": "face_to_face", "kind": "routine", "outcome": "attended"}
                for i in ids[:40] for d in every
            ]
        ),
        "stays": pd.DataFrame(stays, columns=["patient_id", "admitted_on", "discharged_on"]).assign(
            method="emergency", ward="acute"
        ),
    }  # fmt: skip
    records = Records.from_frames(frames, about={"synthetic": True, "source": "made up for tests"})
    runs = [
        {"as_of": day, "bundle_id": "b1", "model_version": "7", "synthetic": True, "left_out": {"no open referral": 3}}
        for day in days
    ]
    return records, {**QUIET, "scores": pd.concat(tables, ignore_index=True), "runs": runs}


def report(records, rows, month):
    return month_report(records, rows, dt.date.fromisoformat(month + "-01"), OUTCOMES, WATCHING)


@pytest.fixture(scope="module")
def shifted():
    return played(0.5)


def test_a_planted_shift_is_noticed_within_the_delay_that_theory_allows_and_repaired_by_the_first_step(shifted):
    records, rows = shifted
    found = report(records, rows, "2026-01")
    watched = found["happened"][0]["watch"]
    risk = rows["scores"].loc[~rows["scores"]["exposed"], "risk"].to_numpy()
    lists = np.ceil(1.25 * rows_until_alarm(risk, 0.5, WATCHING.alpha) / (PEOPLE - 60))
    allowed = FIRST + dt.timedelta(days=int(APART * (lists - 1)) + 90 + OUTCOMES.settling_days)
    assert dt.date.fromisoformat(watched["alarm_on"]) <= allowed
    assert watched["repair"]["step"] == "intercept" and watched["repair"]["intercept"] == pytest.approx(0.5, abs=0.15)
    later_records, later = played(0.5, seed=2)
    free = later["scores"][~later["scores"]["exposed"]]
    fixed = Repair(**watched["repair"]).apply(free["risk"].to_numpy())
    again = report(later_records, {**later, "scores": free.assign(risk=fixed)}, "2026-01")["happened"][0]
    assert again["watch"]["alarm_at"] is None
    assert again["not_reviewed"]["ratio"]["value"] == pytest.approx(1.0, abs=0.1)
    assert any("ALARM" in line and "intercept" in line for line in month_lines(found))
    assert "Step of repair in the change control plan: <strong>intercept</strong>" in render(found)


def test_before_the_first_window_has_passed_it_says_from_when_it_can_tell(shifted):
    records, rows = shifted
    found = report(records, rows, "2024-02")
    assert found["happened"] == [
        {"outcome": "admission", "horizon": 90, "scored": PEOPLE, "followed_up": 0, "answer": "cannot tell yet",
         "from": "2024-04-14"}
    ]  # fmt: skip
    assert found["estimated"][0]["expected_events"] == pytest.approx(rows["scores"]["risk"][:PEOPLE].sum(), abs=0.01)
    assert "Cannot tell yet. From 2024-04-14" in render(found)


def test_people_who_were_reviewed_are_apart_and_their_good_fortune_raises_no_alarm():
    records, rows = played(0.0, reviewed_helps=0.3)
    one = report(records, rows, "2026-01")["happened"][0]
    assert one["reviewed"]["ratio"]["high"] < 0.7
    assert one["not_reviewed"]["ratio"]["low"] < 1 < one["not_reviewed"]["ratio"]["high"]
    assert one["watch"]["alarm_at"] is None


def test_the_page_says_what_came_who_was_left_out_which_runs_were_refused_and_that_it_is_synthetic(shifted):
    records, rows = shifted
    rows = {
        **rows,
        "refused": [{"as_of": dt.date(2025, 5, 2), "at": None, "reasons": ["contacts fell from 900 to 12"]}],
        "accepted": [{"at": "2025-05-03T06:00:00+00:00", "by": "Ada Example", "why": "a team moved"}],
        "drifted": {"days_since_contact": 0.4},
    }
    found = report(records, rows, "2025-05")
    contacts = next(one for one in found["feeds"] if one["table"] == "contacts")
    assert contacts["days_old"] <= 31 and contacts["arrived"] == 40
    page = render(found)
    for said in ("Synthetic data.", "3: no open referral", "contacts fell from 900 to 12", "Ada Example: a team moved",
                 "days since contact: stability index 0.40", "admission 90: 2023-09-01"):  # fmt: skip
        assert said in page
    assert report(records, rows, "2025-06")["runs"]["refused"] == []


def test_a_month_is_written_as_year_and_month(shifted):
    assert month_of(shifted[1], None) == dt.date(2025, 9, 1)
    with pytest.raises(SettingsError, match="2026-01"):
        month_of(shifted[1], "January")
