"""Compares the simulated trust with its targets: name, target, range, value, within, source.

Most targets are rows of ``features/reference/epidemiology.csv``, by name, with the row's own status (verified,
unverified, simulator default). Quantities without a row have sanity ranges that we set and mark. Each is measured
from the records alone (``realised.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from features.records import Records
from features.reference import medicines_in, read_rows
from training.simulator.rates.realised import ANTIPSYCHOTICS, CLASSES, TrustFigures
from training.simulator.simulation import simulate

FEWEST, SHARE = 36, 0.85
"""A trust passes the check if at least this many quantities, and at least this share of all of them, lie within their
ranges.
"""
OUR_OWN = "plain sanity range"


def _people(column: str, *values: object) -> Callable[[TrustFigures], float]:
    return lambda a: float(a.people.loc[a.current, column].dropna().isin(values).mean())


def _label(name: str, *codes: str) -> Callable[[TrustFigures], float]:
    def mean(a: TrustFigures) -> float:
        mine = a.labels["patient_id"].isin(a.diagnosed(*codes)) if codes else slice(None)
        return float(a.labels.loc[mine, name].mean())

    return mean


def _codes(*codes: str) -> Callable[[TrustFigures], float]:
    return lambda a: len(a.diagnosed(*codes)) / len(a.current)


def _class(*prefixes: str) -> Callable[[TrustFigures], float]:
    return lambda a: a.share_on(a.medicines[a.medicines["medicine_class"].str.startswith(prefixes)])


def _medicine(name: str, *codes: str) -> Callable[[TrustFigures], float]:
    return lambda a: a.share_on(a.medicines[a.medicines["medicine"] == name], a.diagnosed(*codes) if codes else None)


def _depot(*codes: str) -> Callable[[TrustFigures], float]:
    def share(a: TrustFigures) -> float:
        return a.share_on(
            a.medicines[a.medicines["route"] == "long_acting_injection"], a.diagnosed(*codes) if codes else None
        )

    return share


def _oral(*names: str) -> Callable[[TrustFigures], float]:
    return lambda a: a.oral_share(*names)


def _missed(a: TrustFigures) -> float:
    counts = a.booked["outcome"].value_counts()
    return float(counts["did_not_attend"] / (counts["did_not_attend"] + counts["attended"]))


def _missed_medical(a: TrustFigures) -> float:
    counts = a.booked.loc[
        a.booked["kind"].isin(["medicines_review", "care_review", "assessment"]), "outcome"
    ].value_counts()
    return float(counts["did_not_attend"] / (counts["did_not_attend"] + counts["attended"]))


def _anticholinergic(a: TrustFigures) -> float:
    users = a.medicines.loc[a.medicines["medicine_class"].str.startswith(ANTIPSYCHOTICS), "patient_id"]
    return a.share_on(a.medicines[a.medicines["medicine_class"] == "anticholinergic"], pd.Index(users.unique()))


def _outcome(name: str) -> Callable[[TrustFigures], float]:
    return lambda a: float((a.booked["outcome"] == name).mean())


def _stay_length(a: TrustFigures) -> float:
    stays = a.records["stays"]
    stays = stays[stays["discharged_on"].notna() & stays["method"].isin(["emergency", "unknown"])]
    return float((stays["discharged_on"] - stays["admitted_on"]).dt.days.mean())


def _emergencies(a: TrustFigures) -> pd.DataFrame:
    return a.records["stays"].query("method in ('emergency', 'unknown')")


def _is_oral_antipsychotic(rows: pd.DataFrame) -> pd.Series:
    return rows["medicine"].map(CLASSES).fillna("").str.startswith(ANTIPSYCHOTICS) & (rows["medicine"] != "clozapine")


RATES: dict[str, Callable[[TrustFigures], float]] = {
    "psych_admission_28d_cmht_smi": _label("admission_28"),
    "psych_admission_90d_cmht_smi": _label("admission_90"),
    "psych_admission_180d_cmht_smi": _label("admission_180"),
    "psych_admission_12m_cmht_smi_mixed": _label("admission_365"),
    "psych_admission_12m_community_schizophrenia": _label("admission_365", "F20", "F25"),
    "disengagement_90d": _label("disengagement_90"),
    "disengagement_cmht_per_year": _label("disengagement_365"),
    "readmission_28d_after_discharge": lambda a: a.readmitted(28),
    "readmission_90d_after_discharge": lambda a: a.readmitted(90),
    "readmission_6m_after_discharge_smi": lambda a: a.readmitted(182),
    "share_of_admissions_detained_mha": lambda a: float((_emergencies(a)["legal_status"] != "informal").mean()),
    "mean_length_of_stay_days_adult_acute": _stay_length,
    "planned_share_of_mh_admissions": lambda a: float((a.records["stays"]["method"] == "planned").mean()),
    "dna_rate_cmht_all_disciplines": _missed,
    "dna_rate_medical_outpatient_cmht": _missed_medical,
    "attended_share_of_booked_contacts": _outcome("attended"),
    "cancelled_by_patient_share": _outcome("cancelled_by_patient"),
    "cancelled_by_provider_share": _outcome("cancelled_by_service"),
    "contacts_per_patient_per_year_cmht": lambda a: float((a.contacts["outcome"] == "attended").sum() / a.person_years),
    "no_care_review_last_12m": lambda a: a.no_review(),
    "pdc_below_0_8_oral_antipsychotic": lambda a: a.covered_below(_is_oral_antipsychotic),
    "pdc_below_0_8_lithium": lambda a: a.covered_below(lambda rows: rows["medicine"] == "lithium"),
    "lai_doses_over_7_days_late": lambda a: a.late_depots(),
    "clozapine_fbc_on_time": lambda a: a.blood_on_time(),
    "six_physical_checks_complete_smi_recent": lambda a: a.yearly(
        ("weight", "systolic_bp", "hba1c", "total_cholesterol", "smoking_status", "alcohol_status")
    ),
    "oral_antipsychotic_share_olanzapine": _oral("olanzapine"),
    "oral_antipsychotic_share_quetiapine": _oral("quetiapine"),
    "oral_antipsychotic_share_aripiprazole": _oral("aripiprazole"),
    "oral_antipsychotic_share_risperidone": _oral("risperidone"),
    "oral_antipsychotic_share_amisulpride": _oral("amisulpride"),
    "oral_antipsychotic_share_haloperidol": _oral("haloperidol"),
    "oral_antipsychotic_share_other_oral": _oral(
        "lurasidone", "cariprazine", "zuclopenthixol", "chlorpromazine", "paliperidone"
    ),
    "clozapine_share_community_schizophrenia": _medicine("clozapine", "F20", "F25"),
    "lai_share_community_schizophrenia": _depot("F20", "F25"),
    "lai_share_cmht_smi": _depot(),
    "lithium_share_bipolar": _medicine("lithium", "F31"),
    "valproate_share_bipolar": _medicine("valproate", "F31"),
    "lamotrigine_share_bipolar": _medicine("lamotrigine", "F31"),
    "antidepressant_share_smi": _class("antidepressant"),
    "anticholinergic_share_antipsychotic_users": _anticholinergic,
    "benzodiazepine_or_z_drug_share_smi": lambda a: a.share_on(
        a.medicines[a.medicines["medicine"].isin(medicines_in("benzodiazepine_or_z_drug"))]
    ),
    "antipsychotic_polypharmacy_community_schizophrenia": lambda a: a.several_antipsychotics(a.diagnosed("F20", "F25")),
    "above_recommended_dose_community_schizophrenia": lambda a: float(
        (a.percent_of_maximum.loc[a.diagnosed("F20", "F25")] > 100.5).mean()
    ),
    "clozapine_patients_on_second_antipsychotic": lambda a: a.several_antipsychotics(a.taking("clozapine")),
    "clozapine_bp_weight_12m": lambda a: a.tested("weight", a.taking("clozapine")),
    "clozapine_lipids_12m": lambda a: a.tested("total_cholesterol", a.taking("clozapine")),
    "clozapine_glucose_12m": lambda a: a.tested("hba1c", a.taking("clozapine")),
    "clozapine_ecg_12m": lambda a: a.tested("qtc", a.taking("clozapine")),
    "annual_antipsychotic_side_effect_assessment_documented": lambda a: a.tested("gass_total", a.users(ANTIPSYCHOTICS)),
    "ethnicity_share_national_cmht_white_british": _people("ethnicity", "white_british"),
    "ethnicity_share_national_cmht_asian": _people("ethnicity", "asian"),
    "ethnicity_share_national_cmht_black": _people("ethnicity", "black"),
    "deprivation_q1_most_deprived_share": _people("deprivation_decile", 1, 2),
    "diagnosis_mix_schizophrenia_f20": _codes("F20"),
    "diagnosis_mix_schizoaffective_f25": _codes("F25"),
    "diagnosis_mix_other_psychosis_f21_f29": _codes("F29"),
    "diagnosis_mix_bipolar_f30_f31": _codes("F31"),
    "diagnosis_mix_psychotic_or_severe_depression": _codes("F32"),
    "diagnosis_mix_personality_disorder_primary": _codes("F60"),
    "autism_recorded_cmht_smi": _people("autism", "confirmed", "suspected"),
    "learning_disability_cmht_smi": _people("learning_disability", "confirmed", "suspected"),
    "interpreter_needed_cmht": lambda a: a.circumstance("interpreter", "required"),
    "homeless_or_temporary_accommodation": lambda a: a.circumstance("housing", "temporary", "hostel", "rough_sleeping"),
    "in_employment_secondary_mh": lambda a: a.circumstance("employment", "employed"),
    "diabetes_prevalence_smi": lambda a: a.share_on(a.records["conditions"].query("code == 'E11.9'")),
    "current_smoker_smi": lambda a: a.circumstance("smoking", "smoker"),
    "annual_mortality_cmht_smi": lambda a: float(a.people["died_on"].notna().sum() / a.person_years),
    "referral_close_per_year_planned": lambda a: float(
        a.records["referrals"]["close_reason"].isin(["planned_end", "transferred", "moved_away"]).sum() / a.person_years
    ),
    "black_ethnicity_detention": lambda a: a.detained_odds_ratio(a.group("ethnicity", "black")),
    "most_deprived_quintile": lambda a: a.odds_ratio("admission_180", a.of(a.group("deprivation_decile", 1, 2))),
    "homelessness": lambda a: a.odds_ratio(
        "admission_180", a.living("housing", "temporary", "hostel", "rough_sleeping")
    ),
    "deprivation_q5_vs_q1": lambda a: a.odds_ratio(
        "disengagement_180",
        a.of(a.group("deprivation_decile", 1, 2)),
        a.of(a.group("deprivation_decile", 1, 2, 9, 10)),
    ),
    "living_alone_or_no_family_support": lambda a: a.odds_ratio("disengagement_180", a.living("living_alone", "yes")),
}


def _lithium(test: str, times: int) -> Callable[[TrustFigures], float]:
    return lambda a: a.repeated(test, times, a.held_for_a_year("lithium"))


AUDITS: dict[str, Callable[[TrustFigures], float]] = {
    "lithium_level_met_standard": _lithium("lithium_level", 4),
    "lithium_renal_met_standard": _lithium("egfr", 2),
    "lithium_thyroid_met_standard": _lithium("tsh", 2),
    "lithium_calcium_6_monthly_cmht": _lithium("calcium", 2),
    "lithium_baseline_renal": lambda a: a.around_start("lithium", "egfr", 90, 0),
    "lithium_baseline_thyroid": lambda a: a.around_start("lithium", "tsh", 90, 0),
    "clozapine_crp_or_ck_18w": lambda a: a.around_start("clozapine", "crp", 0, 126),
    "clozapine_troponin_or_bnp_18w": lambda a: a.around_start("clozapine", "troponin", 0, 126),
    "clozapine_monitored_under_ben": lambda a: a.share_on(
        a.records["circumstances"].query("kind == 'benign_ethnic_neutropenia' and value == 'yes'"),
        a.taking("clozapine"),
    ),
}
"""Published audits of people on clozapine and lithium. They are measured and shown, and do not count for the check: a
trust of its size has about 70 people who have taken lithium for a year."""
NOT_MET = frozenset({"clozapine_monitored_under_ben"})
"""Audits that the trust does not meet, each with its reason in ``docs/simulator.md``."""


class Sanity:
    """Our own range for a quantity without a reference row: wide enough for the noise of 2,000 people, narrow enough
    to catch an implausible trust.
    """

    def __init__(self, target: float, low: float, high: float, measured: Callable[[TrustFigures], float]) -> None:
        self.target, self.low, self.high, self.measured = target, low, high, measured


GROUPS: dict[str, Callable[[TrustFigures], pd.Index]] = {
    "black": lambda a: a.group("ethnicity", "black"),
    "asian": lambda a: a.group("ethnicity", "asian"),
    "women": lambda a: a.group("sex", "female"),
    "most_deprived": lambda a: a.group("deprivation_decile", 1, 2),
}


def _ratio(route: str, group: str) -> Callable[[TrustFigures], float]:
    """Share on it in a group over the share of everybody else, among people with schizophrenia or schizoaffective
    disorder."""

    def measured(a: TrustFigures) -> float:
        rows = a.medicines
        rows = rows[rows["medicine"] == "clozapine"] if route == "clozapine" else rows[rows["route"] == route]
        return a.ratio(rows, GROUPS[group](a), a.diagnosed("F20", "F25"))

    return measured


SANITY: dict[str, Sanity] = {
    **{
        f"{name}_share_{group}_over_others": Sanity(1.0, low, high, _ratio(route, group))
        for name, route in (("depot", "long_acting_injection"), ("clozapine", "clozapine"))
        for group, low, high in (
            ("black", 0.4, 1.8),
            ("asian", 0.4, 1.8),
            ("women", 0.65, 1.5),
            ("most_deprived", 0.65, 1.5),
        )
    },
    # ep064: 39% had no support with physical health. The gap also fires for one part of the check, and the trust's
    # share lies above this range: it is not believable yet
    "gap_monitoring_never_done": Sanity(0.39, 0.2, 0.6, lambda a: a.gap("MONITORING_NEVER_DONE")),
    # ep100 of schizophrenia and schizoaffective disorder (ep179, ep180), half to twice: 10.1% of 46%
    "gap_high_dose_antipsychotics": Sanity(0.046, 0.023, 0.092, lambda a: a.gap("HDAT")),
    "gap_allergy_not_recorded": Sanity(0.2, 0.08, 0.4, lambda a: a.gap("ALLERGY_NOT_RECORDED")),
    "gap_medicines_review_overdue": Sanity(0.25, 0.12, 0.45, lambda a: a.gap("MEDICINES_REVIEW_OVERDUE")),
    "gap_commonest_of_all": Sanity(0.5, 0.3, 0.7, lambda a: float(a.gaps.max())),
}


def measure(records: Records) -> pd.DataFrame:
    """name, target, low, high, value, within, source: one row for each of ``RATES`` and ``SANITY``.

    A row of ``epidemiology.csv`` without a range is given a fifth of its value on either side.
    """
    figures = TrustFigures(records)
    rows = _published(RATES, figures)
    for name, own in SANITY.items():
        rows.append((name, own.target, own.low, own.high, own.measured(figures), OUR_OWN))
    return _as_table(rows)


def measure_audits(records: Records) -> pd.DataFrame:
    """The same columns as :func:`measure`, one row for each of ``AUDITS``."""
    return _as_table(_published(AUDITS, TrustFigures(records)))


Row = tuple[str, float, float, float, float, str]


def _published(rates: dict[str, Callable[[TrustFigures], float]], figures: TrustFigures) -> list[Row]:
    known = {row["quantity"]: row for row in read_rows("epidemiology")}
    rows = []
    for name, rate in rates.items():
        row = known[name]
        target, low, high = (float(row[column] or "nan") for column in ("value", "low", "high"))
        low = 0.8 * target if np.isnan(low) else low
        high = 1.2 * target if np.isnan(high) else high
        source = f"{row['quantity_id']}, {row['status'].replace('_', ' ')}"
        rows.append((name, target, low, high, rate(figures), source))
    return rows


def _as_table(rows: list[Row]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["name", "target", "low", "high", "value", "source"])
    table.insert(5, "within", table["value"].between(table["low"], table["high"]))
    return table


def check_rates(patients: int, years: float, seed: int, teams: int) -> dict[str, Any]:
    """Simulates and measures a trust of that size: ``rates`` (name, target, low, high, value, within), how many are
    within, ``audits`` (the same, not counted), and what was simulated.
    """
    trust = simulate(patients=patients, years=years, seed=seed, teams=teams)
    table = measure(trust.records)
    rates = _as_dicts(table)
    return {
        "synthetic": True,
        "patients": patients,
        "years": years,
        "seed": seed,
        "teams": teams,
        "quantities": len(rates),
        "within": int(table["within"].sum()),
        "needed": max(FEWEST, math.ceil(SHARE * len(rates))),
        "rates": rates,
        "audits": _as_dicts(measure_audits(trust.records)),
    }


def _as_dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    return [{**row, "value": None if np.isnan(row["value"]) else row["value"]} for row in rows]


def check_lines(checked: dict[str, Any]) -> list[str]:
    """``check_rates`` as lines for a terminal."""
    head = f"{'name':<56}{'target':>9}{'low':>9}{'high':>9}{'simulated':>11}  {'within':<8}source"
    lines = ["Synthetic records. None of these people exist.", head]
    lines.extend(map(_line, checked["rates"]))
    lines.append("Published audits of clozapine and lithium, not counted (few people):")
    lines.extend(map(_line, checked["audits"]))
    lines.append(f"{checked['within']} of {checked['quantities']} within their ranges ({checked['needed']} are needed)")
    return lines


def _line(row: dict[str, Any]) -> str:
    value = "none" if row["value"] is None else f"{row['value']:.4g}"
    return (
        f"{row['name']:<56}{row['target']:>9.4g}{row['low']:>9.4g}{row['high']:>9.4g}{value:>11}  "
        f"{'yes' if row['within'] else 'NO':<8}{row['source']}"
    )
