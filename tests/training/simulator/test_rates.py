"""The rates that emerge lie where ``features/reference/epidemiology.csv`` puts them."""

from __future__ import annotations

import pytest

from docs.simulator import page
from training.simulator import simulate
from training.simulator.rates.targets import AUDITS, NOT_MET, OUR_OWN, RATES, SANITY, SHARE, measure, measure_audits

HELD = (
    "psych_admission_28d_cmht_smi",
    "psych_admission_90d_cmht_smi",
    "psych_admission_180d_cmht_smi",
    "psych_admission_12m_cmht_smi_mixed",
    "disengagement_90d",
    "share_of_admissions_detained_mha",
    "mean_length_of_stay_days_adult_acute",
    "attended_share_of_booked_contacts",
    "cancelled_by_provider_share",
    "contacts_per_patient_per_year_cmht",
    "pdc_below_0_8_oral_antipsychotic",
    "lai_doses_over_7_days_late",
    "clozapine_fbc_on_time",
    "six_physical_checks_complete_smi_recent",
    "oral_antipsychotic_share_olanzapine",
    "lai_share_cmht_smi",
    "antidepressant_share_smi",
    "ethnicity_share_national_cmht_white_british",
    "diagnosis_mix_schizophrenia_f20",
    "deprivation_q1_most_deprived_share",
    "interpreter_needed_cmht",
    "annual_mortality_cmht_smi",
)


@pytest.fixture(scope="module")
def records():
    return simulate(patients=2000, years=4, seed=7).records


@pytest.fixture(scope="module")
def rates(records):
    return measure(records).set_index("name")


@pytest.mark.parametrize("name", HELD)
def test_rate_is_within_its_range(rates, name):
    rate = rates.loc[name]
    assert rate["within"], f"{name}: {rate['value']:.4f}, expected {rate['low']} to {rate['high']}"


def test_nearly_every_rate_is_within_its_range(rates):
    published = rates[rates["source"] != OUR_OWN]
    assert len(published) == len(RATES) >= 40
    assert published["within"].sum() >= max(36, SHARE * len(published))


def test_rates_without_a_reference_row_use_stated_plain_ranges(rates):
    own = rates[rates["source"] == OUR_OWN]
    assert set(own.index) == set(SANITY)
    assert own["within"].sum() >= len(own) - 2


@pytest.fixture(scope="module")
def audits():
    """Of more people: few take lithium."""
    return measure_audits(simulate(patients=5000, years=3, seed=7, teams=10).records).set_index("name")


@pytest.mark.parametrize("name", [name for name in AUDITS if name not in NOT_MET])
def test_people_on_clozapine_and_lithium_are_monitored_as_an_audit_found(audits, name):
    audit = audits.loc[name]
    assert audit["within"], f"{name}: {audit['value']:.3f}, expected {audit['low']} to {audit['high']}"


def test_the_page_lists_every_audit_of_clozapine_lithium_and_depots_that_is_not_met_and_no_other(audits, rates):
    text = page()
    assert set(audits.index) == set(AUDITS) >= NOT_MET
    assert not audits.loc[list(NOT_MET), "within"].any()
    for name in AUDITS:
        assert (f"`{name}`" in text) == (name in NOT_MET), name
    about = rates[rates.index.str.contains("clozapine|lithium|^lai|antipsychotic_side|gap_")]
    assert [name for name in about.index[~about["within"]] if f"`{name}`" not in text] == []


def test_as_many_people_have_a_recorded_ben_status_as_their_ethnicity_and_the_audit_make_likely(audits):
    """The audit's two trusts are in inner London, where 48% of people were Black (ep169, ep170) and not 6.5%."""
    row = audits.loc["clozapine_monitored_under_ben"]
    by_ethnicity = row["target"] * 0.065 / (0.132 + 0.349)
    assert 0.5 * by_ethnicity < row["value"] < 4 * by_ethnicity


def test_no_gap_is_on_nearly_everybody(rates):
    """A worklist on which everybody has the same gap is a worklist that nobody reads."""
    assert rates.at["gap_commonest_of_all", "value"] < 0.65
    for name in ("gap_high_dose_antipsychotics", "gap_allergy_not_recorded"):
        assert rates.at[name, "within"], f"{name}: {rates.at[name, 'value']:.3f}"


def test_missed_contacts_are_a_tenth_to_a_fifth(rates):
    assert 0.10 < rates.at["dna_rate_cmht_all_disciplines", "value"] < 0.18


def test_readmission_is_soonest_straight_after_discharge(rates):
    days = {
        28: "readmission_28d_after_discharge",
        90: "readmission_90d_after_discharge",
        182: "readmission_6m_after_discharge_smi",
    }
    a, b, c = (rates.at[name, "value"] for name in days.values())
    assert a / 28 > (b - a) / 62 > (c - b) / 92
