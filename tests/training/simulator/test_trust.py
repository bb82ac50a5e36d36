"""A simulated trust: the same seed gives the same bytes, people are independent, and no row is known before it can
be."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from features.records.tables import TABLES
from training.simulator import SimulationError, World, simulate
from training.simulator import simulation as trust_module

DAY_OF = {name: spec.event_day for name, spec in TABLES.items() if spec.event_day}


@pytest.fixture(scope="module")
def trust():
    return simulate(patients=300, years=2, seed=7, teams=4)


def digest(frames: dict[str, pd.DataFrame]) -> str:
    content = hashlib.sha256()
    for name in sorted(frames):
        content.update(pd.util.hash_pandas_object(frames[name], index=False).to_numpy().tobytes())
    return content.hexdigest()


def test_the_same_seed_gives_the_same_trust_on_any_number_of_threads(trust):
    again = simulate(patients=300, years=2, seed=7, teams=4, threads=1)
    assert digest(again.frames) == digest(trust.frames)
    assert again.records.data_hash == trust.records.data_hash


def test_a_person_does_not_depend_on_who_was_simulated_before(trust, monkeypatch):
    # Shards share one state between their people: anything left over from the one before would show where the shards
    # are cut elsewhere.
    monkeypatch.setattr(trust_module, "SHARD", 17)
    assert digest(simulate(patients=300, years=2, seed=7, teams=4).frames) == digest(trust.frames)


def test_another_seed_gives_another_trust(trust):
    other = simulate(patients=300, years=2, seed=8, teams=4)
    assert digest(other.frames) != digest(trust.frames)


@pytest.mark.parametrize("name", sorted(DAY_OF))
def test_adding_people_does_not_change_the_others(trust, larger, name):
    same = larger.frames[name][larger.frames[name]["patient_id"].isin(trust.frames["patients"]["patient_id"])]
    pd.testing.assert_frame_equal(same.reset_index(drop=True), trust.frames[name])


@pytest.fixture(scope="module")
def larger():
    return simulate(patients=400, years=2, seed=7, teams=4)


def test_every_row_passes_the_checks_of_records(trust):
    # Rows sent twice and local codes are set aside with their reason, and now and then an impossible laboratory value;
    # nothing else. A contact has an id: sent twice, it is one contact, and the report counts it as replaced.
    set_aside = trust.records.quarantine
    twice = set_aside["reason"].str.contains("sent twice|earlier row")
    local = set_aside["column"].isin(["kind", "test"])
    assert set(set_aside.loc[twice, "table"]) == {"supplies", "results"}
    again = int(trust.frames["contacts"]["contact_id"].duplicated().sum())
    assert trust.records.report.tables["contacts"].replaced == again > 0
    assert set(set_aside.loc[local, "table"]) == {"contacts", "results"}
    assert (~twice & ~local).sum() <= 3
    assert len(trust.records) == 300


def test_it_says_that_it_is_synthetic(trust):
    about = trust.records.about
    assert trust.records.synthetic
    assert about["source"] == "upstream simulator"
    assert (about["seed"], about["first_day"], about["last_day"]) == (7, "2022-01-03", "2024-01-03")
    assert trust.records["teams"]["name"].str.endswith("(synthetic)").all()


def test_patients_are_numbered(trust):
    assert trust.records.patient_ids[0] == "S000001"
    assert trust.records.patient_ids[-1] == "S000300"


@pytest.mark.parametrize(
    ("table", "clock", "event"),
    [
        ("supplies", "known_on", "supplied_on"),
        ("results", "known_on", "taken_on"),
        ("stays", "known_on", "admitted_on"),
        ("stays", "discharge_known_on", "discharged_on"),
        ("referrals", "known_on", "opened_on"),
        ("referrals", "closed_known_on", "closed_on"),
        ("contacts", "outcome_known_on", "contact_on"),
        ("contacts", "known_on", "booked_on"),
        ("circumstances", "known_on", "from_on"),
        ("conditions", "known_on", "recorded_on"),
    ],
)
def test_nothing_is_known_before_it_happened(trust, table, clock, event):
    rows = trust.frames[table].dropna(subset=[clock, event])
    assert len(rows)
    assert (rows[clock] >= rows[event]).all()


def test_an_unbooked_contact_is_not_known_before_it_took_place(trust):
    rows = trust.frames["contacts"]
    unbooked = rows[rows["booked_on"].isna()]
    assert (unbooked["known_on"] >= unbooked["contact_on"]).all()


def test_a_death_is_not_known_before_it_happened(trust):
    dead = trust.frames["patients"].dropna(subset=["died_on"])
    assert len(dead)
    assert (dead["known_on"] >= dead["died_on"]).all()


@pytest.mark.parametrize("name", sorted(DAY_OF))
def test_nothing_happens_after_death(trust, name):
    died = trust.frames["patients"].set_index("patient_id")["died_on"]
    rows = trust.frames[name]
    assert not (rows[DAY_OF[name]] > rows["patient_id"].map(died)).any()


def test_the_extract_holds_only_what_was_known_on_its_last_day(trust):
    last = pd.Timestamp("2024-01-03")
    for name, frame in trust.frames.items():
        for clock in (c for c in frame.columns if c.endswith("known_on")):
            assert not (frame[clock] > last).any(), (name, clock)


def test_contacts_are_booked_ahead_of_the_last_day(trust):
    rows = trust.records["contacts"]
    ahead = rows[rows["contact_on"] > pd.Timestamp("2024-01-03")]
    open_people = trust.records["referrals"].query("closed_on.isna()")["patient_id"].nunique()
    assert (ahead["outcome"] == "planned").all()
    assert ahead["patient_id"].nunique() > 0.8 * open_people


def test_rows_become_known_late_and_some_very_late(trust):
    rows = trust.frames["results"]
    delay = (rows["known_on"] - rows["taken_on"]).dt.days
    assert 0.5 < delay.mean() < 5
    assert delay.quantile(0.999) > 30


def test_stays_do_not_overlap(trust):
    stays = trust.frames["stays"].sort_values(["patient_id", "admitted_on"])
    before = stays.groupby("patient_id")["discharged_on"].shift()
    assert not (stays["admitted_on"] < before).any()


def test_no_one_has_two_referrals_open_at_once(trust):
    referrals = trust.frames["referrals"].sort_values(["patient_id", "opened_on"], kind="stable")
    before = referrals.groupby("patient_id")["closed_on"].shift()
    assert not (referrals["opened_on"] < before).any()


def test_a_depot_is_given_at_a_visit_or_on_a_ward(trust):
    given = trust.frames["supplies"].query("route == 'long_acting_injection' and supplied_on >= '2022-01-03'")
    visits = trust.frames["contacts"].query("kind == 'depot_clinic' and outcome != 'did_not_attend'")
    at_visit = given.merge(visits, left_on=["patient_id", "supplied_on"], right_on=["patient_id", "contact_on"])
    assert (given["kind"] == "administered").all()
    assert len(at_visit) > 0.93 * len(given)


def test_a_world_without_admissions_has_none():
    quiet = simulate(
        patients=150, years=1, seed=3, teams=2, world=World(admission_base=-60.0, planned_admission_hazard=0.0)
    )
    assert len(quiet.frames["stays"]) == 0


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_sizes_that_make_no_trust_are_refused(sizes):
    patients, years, teams = sizes
    with pytest.raises(SimulationError, match="at least 1 person"):
        simulate(patients=patients, years=years, seed=1, teams=teams)


def test_one_person_is_a_trust():
    assert len(simulate(patients=1, years=0.5, seed=1, teams=1).records) == 1


def test_no_booking_vanishes_with_the_admission_the_crisis_or_the_closure_that_ended_it():
    """Staff book the next contact at each routine one. If the booking were missing wherever an admission follows, an
    appointment that is not there would tell of the admission beforehand."""
    trust = simulate(patients=900, years=3, seed=5, teams=4, world=World(submission_gap=0.0, local_codes=0.0))
    contacts, stays = trust.frames["contacts"], trust.frames["stays"]
    routine = contacts["kind"].isin(["routine", "care_review", "medicines_review"]) & (contacts["mode"] != "text")
    met = contacts[routine & (contacts["outcome"] == "attended")].drop_duplicates(["patient_id", "contact_on"])
    met = met[met["contact_on"] < contacts["contact_on"].max() - pd.Timedelta(days=120)]
    booked = contacts[["patient_id", "booked_on"]].dropna().drop_duplicates().assign(booked=True)
    met = met[["patient_id", "contact_on"]].merge(
        booked, left_on=["patient_id", "contact_on"], right_on=["patient_id", "booked_on"], how="left"
    )
    urgent = stays[stays["method"] == "emergency"][["patient_id", "admitted_on"]]
    soon = met.merge(urgent, on="patient_id")
    ahead = (soon["admitted_on"] - soon["contact_on"]).dt.days
    soon = soon[(ahead > 0) & (ahead <= 28)]
    assert len(soon) > 100
    assert soon["booked"].notna().mean() > 0.97
    assert met["booked"].notna().mean() > 0.97
