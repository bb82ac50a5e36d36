"""Care answers what it can see, and what a trust records of it: contacts and outreach, regimens that move, depots and
clozapine, late supplies, texts, and every way in and out. All of it is read from the records of one trust, as an
auditor would."""

from __future__ import annotations

import pandas as pd
import pytest

from training.simulator import World, simulate

FIRST = pd.Timestamp("2022-01-03")


@pytest.fixture(scope="module")
def contacts(trust):
    return trust.frames["contacts"]


@pytest.fixture(scope="module")
def supplies(trust):
    rows = trust.frames["supplies"]
    return rows[rows["supplied_on"] >= FIRST]


def test_every_reason_for_closing_and_every_way_of_admission_occurs(trust):
    referrals, stays = trust.frames["referrals"], trust.frames["stays"]
    assert {"planned_end", "did_not_attend", "refused", "transferred", "moved_away", "died"} == set(
        referrals["close_reason"].dropna()
    )
    assert {"emergency", "planned", "transfer", "unknown"} == set(stays["method"])
    again = referrals.sort_values("opened_on", kind="stable").groupby("patient_id")["close_reason"].first()
    came_back = referrals["patient_id"].value_counts()
    assert (came_back[again.index[again == "planned_end"]] > 1).sum() > 5
    assert trust.frames["patients"]["died_on"].notna().sum() > 10


def test_outreach_follows_some_missed_contacts_and_not_others(contacts):
    rows = contacts[contacts["kind"].isin(["routine", "outreach"]) & (contacts["mode"] != "text")]
    rows = rows.sort_values(["patient_id", "contact_on"], kind="stable")
    following = rows.groupby("patient_id")["kind"].shift(-1)
    after = following[(rows["outcome"] == "did_not_attend") & following.notna()]
    after_seen = following[(rows["outcome"] == "attended") & following.notna()]
    assert 0.2 < (after == "outreach").mean() < 0.9
    assert (after_seen == "outreach").mean() < 0.05


def test_teams_differ_in_cadence_and_staff_come_and_go(trust, contacts):
    seen = (
        contacts[contacts["outcome"] == "attended"].groupby("team_id").size()
        / trust.frames["referrals"].groupby("team_id")["patient_id"].nunique()
    )
    assert seen.max() > 1.15 * seen.min()
    coordinators = trust.frames["circumstances"].query("kind == 'care_coordinator'").groupby("patient_id")["value"]
    assert (coordinators.nunique() > 1).mean() > 0.2


def test_some_texts_are_answered_and_some_are_not(contacts):
    texts = contacts[contacts["mode"] == "text"]["outcome"].value_counts(normalize=True)
    assert set(texts.index) == {"attended", "did_not_attend"}
    assert texts.min() > 0.1


def test_regimens_start_by_diagnosis(trust, supplies):
    diagnosis = trust.frames["conditions"].query("category == 'diagnosis'").drop_duplicates("patient_id")
    code = diagnosis.set_index("patient_id")["code"].str[:3]

    def share(medicine, group):
        people = code.index[code == group]
        return people.isin(supplies.loc[supplies["medicine"] == medicine, "patient_id"]).mean()

    assert share("lithium", "F31") > 0.1 > share("lithium", "F20")
    assert share("clozapine", "F20") > 0.1 > share("clozapine", "F31")
    assert share("sertraline", "F32") > share("sertraline", "F20")


def test_doses_move_medicines_are_switched_and_stopped(supplies):
    oral = supplies[(supplies["route"] == "oral") & ~supplies["as_required"]]
    doses = oral.groupby(["patient_id", "medicine"])["daily_dose_mg"].nunique()
    assert (doses > 1).mean() > 0.03
    main = oral[oral["medicine"].isin(["olanzapine", "quetiapine", "aripiprazole", "risperidone"])]
    first, last = (main.groupby(["patient_id", "medicine"])["supplied_on"].agg(which) for which in ("min", "max"))
    kinds = main.groupby("patient_id")["medicine"].nunique()
    assert (kinds > 1).mean() > 0.03
    assert (last < pd.Timestamp("2024-06-01")).mean() > 0.1
    assert (first > pd.Timestamp("2022-09-01")).mean() > 0.1


def test_missed_tablets_lead_to_depots_and_resistance_to_clozapine():
    """In a world where either is offered readily: who was put on a depot had been missing tablets, who was put on
    clozapine had been ill on others."""
    trust = simulate(patients=500, years=2, seed=8, teams=3, world=World(depot_offer=0.2, clozapine_offer=0.2))
    supplies = trust.frames["supplies"]
    given = {"depot": supplies["route"] == "long_acting_injection", "clozapine": supplies["medicine"] == "clozapine"}
    before: dict[str, pd.DataFrame] = {}
    for name, rows in given.items():
        start = supplies[rows].groupby("patient_id")["supplied_on"].min()
        weeks = []
        for patient_id, day in start[start > FIRST + pd.Timedelta(days=120)].iloc[:25].items():
            course = trust.truth.course(patient_id).set_index("day")
            weeks.append(course.loc[day - pd.Timedelta(days=60) : day, ["missed_medicine", "severity"]].mean())
        before[name] = pd.DataFrame(weeks)
        assert len(weeks) >= 8
    usual = pd.DataFrame(
        [trust.truth.course(f"S{n:06d}")[["missed_medicine", "severity"]].mean() for n in range(1, 61)]
    ).mean()
    assert before["depot"]["missed_medicine"].mean() > usual["missed_medicine"] + 0.05
    assert before["clozapine"]["severity"].mean() > usual["severity"] + 0.3


def test_supplies_are_collected_late_or_not_at_all(supplies):
    rows = supplies[(supplies["medicine"] == "olanzapine") & ~supplies["as_required"]]
    rows = rows.sort_values(["patient_id", "supplied_on"], kind="stable")
    gap = rows.groupby("patient_id")["supplied_on"].diff().dt.days - rows["days_supplied"]
    assert 0.2 < (gap > 3).mean() < 0.8
    assert (gap > 28).mean() > 0.01


def test_bloods_depend_on_the_teams_reliability():
    """In a world of people who always come, blood counts are on time as often as teams are reliable, and no more."""
    trust = simulate(patients=700, years=2, seed=6, teams=4, world=World(engagement_level=9.0, withdrawal_hazard=0.0))
    counts = trust.frames["results"].query("test == 'anc' and taken_on >= '2022-03-01'")
    on_clozapine = trust.frames["supplies"].query("medicine == 'clozapine'")["patient_id"].unique()
    gap = counts[counts["patient_id"].isin(on_clozapine)].groupby("patient_id")["taken_on"].diff().dt.days
    assert 0.9 < (gap[gap > 20] <= 28).mean() < 0.999


def test_records_come_later_from_some_teams_than_from_others(contacts):
    rows = contacts[contacts["outcome_known_on"].notna() & contacts["team_id"].notna()]
    delay = (rows["outcome_known_on"] - rows["contact_on"]).dt.days.groupby(rows["team_id"]).mean()
    assert delay.max() > 1.3 * delay.min()


def test_tables_differ_in_how_late_they_are(trust):
    late = {
        name: (trust.frames[name]["known_on"] - trust.frames[name][day]).dt.days.clip(lower=0).mean()
        for name, day in (("stays", "admitted_on"), ("results", "taken_on"), ("conditions", "recorded_on"))
    }
    assert late["stays"] < late["results"] < late["conditions"]


def test_annual_forms_of_valproate_are_signed_for_women_who_may_become_pregnant_and_for_nobody_else(trust):
    forms = trust.frames["results"].query("test == 'annual_risk_acknowledgement'")["patient_id"]
    taking = trust.frames["supplies"].query("medicine == 'valproate'")["patient_id"]
    women = trust.frames["patients"].query("sex == 'female'")["patient_id"]
    assert len(forms) > 0
    assert set(forms) <= set(women)
    assert forms.isin(taking).mean() > 0.8  # some had stopped before the record begins
