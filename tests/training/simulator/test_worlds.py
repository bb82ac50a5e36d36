"""Adversarial worlds: each knob changes what it names. Planted effects and the page that lists them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from docs.simulator import DOCS, PICTURE, page
from training.simulator import World, simulate

SIZE = {"patients": 500, "years": 3, "seed": 5, "teams": 4}


def contacts_of(trust, since="2022-01-03"):
    rows = trust.frames["contacts"]
    return rows[(rows["contact_on"] >= since) & (rows["outcome"] != "planned") & (rows["mode"] != "text")]


def missed(rows):
    return (rows["outcome"] == "did_not_attend").mean()


@pytest.fixture(scope="module")
def plain():
    return simulate(**SIZE)


def test_drift_raises_admissions_in_later_years_only(plain):
    drifted = simulate(**SIZE, world=World(drift_admission=0.6))
    late, before = (
        [len(t.frames["stays"].query(where)) for t in (drifted, plain)]
        for where in ("admitted_on >= '2024-01-01'", "admitted_on < '2022-04-01'")
    )
    assert late[0] > 1.5 * late[1]
    assert before[0] < 1.4 * before[1]


def test_drift_of_engagement_makes_people_come_less(plain):
    drifted = simulate(**SIZE, world=World(drift_engagement=-0.5))
    assert missed(contacts_of(drifted, "2024-01-01")) > 1.3 * missed(contacts_of(plain, "2024-01-01"))


def test_a_policy_changes_nothing_before_its_day_and_care_after_it(plain):
    changed = simulate(**SIZE, world=World(policy_year=1.5, policy_cadence=1.6, policy_remote=0.8))
    was, now = (contacts_of(t).query("contact_on < '2023-06-01'")["contact_id"].size for t in (plain, changed))
    assert was == now
    before, after = (contacts_of(t, "2023-09-01").query("kind == 'routine'") for t in (plain, changed))
    assert len(after) < 0.85 * len(before)
    assert after["mode"].eq("telephone").mean() > before["mode"].eq("telephone").mean() + 0.25


def test_informative_missingness_loses_tests_of_unwell_people_and_does_not_change_their_illness(plain):
    hiding = simulate(**SIZE, world=World(informative_missing=1.5))
    pd.testing.assert_frame_equal(hiding.frames["stays"], plain.frames["stays"])
    pd.testing.assert_frame_equal(hiding.truth.course("S000007"), plain.truth.course("S000007"))
    kept = [t.frames["results"].groupby("patient_id").size() for t in (hiding, plain)]
    share = (kept[0] / kept[1]).fillna(0.0)
    ill = share.index.isin(plain.frames["stays"]["patient_id"])
    assert share[ill].mean() < share[~ill].mean() - 0.05


def test_a_review_helps_unless_the_world_says_that_reviews_do_nothing(plain):
    useless = simulate(**SIZE, world=World(review_effect=0.0))
    spine = pd.DataFrame({"patient_id": plain.frames["patients"]["patient_id"].head(250), "as_of": "2023-06-01"})
    outcomes = {"admission": (180,)}
    nothing = useless.truth.review_effect(spine, outcomes, draws=5)
    assert (nothing["effect"].dropna() == 0.0).all()
    strong = simulate(**SIZE, world=World(review_effect=1.5)).truth.review_effect(spine, outcomes, draws=50)
    effect = strong["effect"].dropna()
    assert effect.mean() < -2.0 * effect.std() / np.sqrt(len(effect))


def test_the_list_changes_what_follows_missed_contacts(plain):
    fed = simulate(**SIZE, world=World(list_feedback=1.0))
    outreach = [(contacts_of(t)["kind"] == "outreach").mean() for t in (fed, plain)]
    assert outreach[0] > outreach[1]
    spine = pd.DataFrame({"patient_id": plain.frames["patients"]["patient_id"].head(250), "as_of": "2023-01-02"})
    risks = [t.truth.risk(spine, {"disengagement": (180,)}, draws=80)["probability"].mean() for t in (fed, plain)]
    assert risks[0] < risks[1]


def test_a_team_with_a_shock_cancels_more_contacts(plain):
    calm, stormy = (simulate(**SIZE, world=World(team_shock=share)) for share in (0.0, 1.0))
    cancelled = [(contacts_of(t)["outcome"] == "cancelled_by_service").mean() for t in (calm, stormy)]
    assert cancelled[1] > 2.0 * cancelled[0]


def test_recording_faults_are_set_aside_or_reported_and_can_be_switched_off():
    clean = simulate(
        patients=200,
        years=2,
        seed=5,
        teams=2,
        world=World(duplicate_rows=0.0, local_codes=0.0, submission_gap=0.0, visits_elsewhere=0.0),
    )
    assert not clean.frames["contacts"]["contact_id"].duplicated().any()
    assert not clean.frames["results"]["test"].eq("LOCAL-17").any()
    dirty = simulate(patients=200, years=2, seed=5, teams=2, world=World(duplicate_rows=0.05, local_codes=0.05))
    records = dirty.records
    local = int((dirty.frames["contacts"]["kind"] == "LOCAL-17").sum())
    assert local > 0
    reasons = records.quarantine.groupby(["table", "column"]).size()
    assert reasons["contacts", "kind"] == local
    again = int(dirty.frames["contacts"]["contact_id"].duplicated().sum())
    assert records.report.tables["contacts"].replaced == again > 0
    assert not records["contacts"]["contact_id"].duplicated().any()
    assert reasons["results", "test"] == (dirty.frames["results"]["test"] == "LOCAL-17").sum()
    assert any("LOCAL-17" in line for line in records.report.lines())


def test_a_month_of_a_team_can_be_missing_and_nothing_else_is():
    every, none = (
        simulate(patients=200, years=1, seed=5, teams=2, world=World(submission_gap=share)) for share in (0.3, 0.0)
    )
    rows = [t.frames["contacts"].dropna(subset=["team_id"]).query("contact_on <= '2023-01-03'") for t in (every, none)]
    counts = [r.groupby(["team_id", r["contact_on"].dt.to_period("M")]).size() for r in rows]
    kept = counts[0].reindex(counts[1].index, fill_value=0)
    assert set(np.unique(kept / counts[1])) == {0.0, 1.0}
    pd.testing.assert_frame_equal(every.frames["results"], none.frames["results"])


def test_blood_counts_of_the_register_are_known_where_the_visit_is_not():
    trust = simulate(patients=400, years=2, seed=5, teams=4, world=World(visits_elsewhere=1.0, submission_gap=0.0))
    contacts, results = trust.frames["contacts"], trust.frames["results"]
    assert not ((contacts["kind"] == "clozapine_clinic") & (contacts["outcome"] == "attended")).any()
    assert (results["test"] == "anc").sum() > 500


def test_people_who_moved_away_come_back():
    trust = simulate(patients=600, years=3, seed=5, teams=4, world=World(move_hazard=0.001, move_back_hazard=0.005))
    referrals = trust.frames["referrals"].sort_values(["patient_id", "opened_on"], kind="stable")
    again = referrals.groupby("patient_id")["opened_on"].shift(-1)
    moved = referrals["close_reason"] == "moved_away"
    assert (again[moved].notna()).sum() > 20
    away = referrals[moved & again.notna()].assign(again=again).query("again - closed_on > '20 days'").iloc[0]
    midway = pd.DataFrame({"patient_id": [away["patient_id"]], "as_of": [away["closed_on"] + pd.Timedelta(days=3)]})
    assert trust.truth.risk(midway, {"admission": (28,)}, draws=2)["probability"].isna().all()


def test_an_unmet_interpreter_need_keeps_people_away():
    def missed_by_those_who_need_one(unmet):
        trust = simulate(**{**SIZE, "patients": 900}, world=World(engagement_interpreter_unmet=unmet))
        told = trust.frames["circumstances"].query("kind == 'interpreter' and value == 'required'")["patient_id"]
        rows = contacts_of(trust)
        return missed(rows[rows["patient_id"].isin(told)])

    assert missed_by_those_who_need_one(2.5) > 1.3 * missed_by_those_who_need_one(0.0)


def test_the_page_says_what_the_code_does():
    assert (DOCS / "simulator.md").read_text(encoding="utf-8") == page()
    assert (DOCS / PICTURE).stat().st_size < 300_000
