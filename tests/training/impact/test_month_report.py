"""The month's report on lists and outcomes that are simulated over two years, with a shift that is planted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import Records
from features.errors import SettingsError
from training.impact.month_report import month_lines, month_of, month_report, render
from training.impact.watching.repair import Repair, calibration_slope
from training.impact.watching.sums import rows_until_alarm
from training.outcome_settings import OutcomeSettings
from training.settings import WatchSettings

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


def test_a_change_of_the_model_names_its_last_decision_before_the_first_list_and_the_bounds_are_kept(shifted):
    records, rows = shifted
    runs = [
        {**run, "bundle_id": "b1" if n < 4 else "b2", "model_version": "upstream-2"}
        for n, run in enumerate(rows["runs"])
    ]
    first = runs[4]["as_of"]
    step = {"step": "trained again", "by": "Ada Example", "why": "a refit"}
    decided = {
        "upstream-2": [{**step, "at": f"{first - dt.timedelta(days=days)}T08:00:00+00:00"} for days in (9, 2, -5)]
    }
    month = dt.date(2026, 1, 1)
    found = month_report(records, {**rows, "runs": runs}, month, OUTCOMES, WATCHING, decided)
    (change,) = found["changes"]
    assert (change["by"], change["at"][:10]) == ("Ada Example", str(first - dt.timedelta(days=2)))
    assert "Ada Example" in render(found) and "from 0.7 to 1.4" in render(found)
    (unknown,) = month_report(records, {**rows, "runs": runs}, month, OUTCOMES, WATCHING)["changes"]
    assert unknown["by"] is None and "does not hold the decision" in render({**found, "changes": [unknown]})


def test_the_slope_is_given_by_month_and_left_out_where_events_are_few(shifted):
    months = report(*shifted, "2026-01")["happened"][0]["by_month"]
    assert [one["month"] for one in months][:2] == ["2024-01", "2024-04"] and len(months) == LISTS
    slopes = [one["slope"] for one in months]
    assert all(one["low"] < one["value"] < one["high"] for one in slopes)
    assert 0.8 < np.mean([one["value"] for one in slopes]) < 1.2  # the shift is planted, the slope is right
    assert calibration_slope(np.full(400, 0.1), (np.arange(400) % 10 == 0).astype(float)) is None
    assert calibration_slope(np.linspace(0.01, 0.2, 50), (np.arange(50) < 19).astype(float)) is None


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.5])
def test_the_interval_of_the_slope_holds_the_truth_as_often_as_it_says(slope):
    held = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(-2, 1, 1500)
        event = (rng.random(1500) < 1 / (1 + np.exp(-slope * x))).astype(float)
        held.append(calibration_slope(1 / (1 + np.exp(-x)), event).holds(slope))
    assert 0.90 <= np.mean(held) <= 0.99  # 0.95, three standard deviations either way


def test_the_test_begins_again_with_another_model_and_the_change_is_shown(shifted):
    records, rows = shifted
    new_from = FIRST + dt.timedelta(days=APART * 6)
    newer = pd.to_datetime(rows["scores"]["as_of"]) >= pd.Timestamp(new_from)
    scores = rows["scores"].assign(bundle_id=np.where(newer, "b2", "b1"))
    runs = [{**run, "bundle_id": "b2" if run["as_of"] >= new_from else "b1"} for run in rows["runs"]]
    found = report(records, {**rows, "scores": scores, "runs": runs}, "2026-01")
    one = found["happened"][0]
    assert one["watch"]["bundle_id"] == "b2" and one["watch"]["began"] == new_from.isoformat()
    assert [old["bundle_id"] for old in one["watched_before"]] == ["b1"] and one["watched_before"][0]["alarm_on"]
    assert one["watch"]["rows"] + one["watched_before"][0]["rows"] == one["not_reviewed"]["rows"]
    (change,) = found["changes"]
    assert (change["first_list"], change["before"], change["after"]) == (new_from.isoformat(), "b1", "b2")
    page = render(found)
    assert "The earlier model b1 had an alarm" in page and "Changes of the served model" in page


def test_a_model_without_complete_outcomes_is_not_reported_as_without_alarm(shifted):
    records, rows = shifted
    last = rows["runs"][-1]["as_of"]
    runs = [*rows["runs"], {**rows["runs"][-1], "bundle_id": "b2", "as_of": last + dt.timedelta(days=1)}]
    found = report(records, {**rows, "runs": runs}, "2026-01")
    assert found["happened"][0]["watch"]["began"] is None
    assert any("the test of b2 has no outcome yet" in line for line in month_lines(found))
    assert "the model b2 has no complete outcome yet" in render(found)


def test_before_the_first_window_has_passed_the_report_says_when_it_can_tell(shifted):
    records, rows = shifted
    found = report(records, rows, "2024-02")
    assert found["happened"] == [
        {"outcome": "admission", "horizon": 90, "scored": PEOPLE, "followed_up": 0, "answer": "cannot tell yet",
         "from_day": "2024-04-14"}
    ]  # fmt: skip
    assert found["estimated"][0]["expected_events"] == pytest.approx(rows["scores"]["risk"][:PEOPLE].sum(), abs=0.01)
    assert "Cannot tell yet. From 2024-04-14" in render(found)


def test_reviewed_people_are_counted_separately_and_raise_no_alarm():
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
