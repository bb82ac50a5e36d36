"""What the simulated trust turned out like, beside ``features/reference/epidemiology.csv``: name, target, range, value, within.

Each rate is measured from the records alone, the way an audit would, on monthly caseload dates after the first year.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from features.engine.cohort import caseload
from features.records import Records
from features.reference import read_rows
from training import outcomes

from .trust import simulate

ANTIPSYCHOTICS = "antipsychotic"
CLASSES = {row["medicine"]: row["medicine_class"] for row in read_rows("medicines")}
ENOUGH = 36
"""Rates that must lie within their ranges for a trust to pass the check."""
HORIZONS = {"admission": (28, 90, 180, 365), "disengagement": (90, 180)}


class Audit:
    """Tables of one trust as the rates need them, computed once."""

    def __init__(self, records: Records) -> None:
        self.records = records
        about = records.about
        self.first, self.last = pd.Timestamp(str(about["first_day"])), pd.Timestamp(str(about["last_day"]))
        self.years = (self.last - self.first).days / 365.25
        self.people = records["patients"].set_index("patient_id")

    def table(self, name: str, day: str) -> pd.DataFrame:
        rows = self.records[name]
        return rows[rows[day].between(self.first, self.last)]

    @cached_property
    def contacts(self) -> pd.DataFrame:
        rows = self.table("contacts", "contact_on")
        return rows[(rows["outcome"] != "planned") & (rows["mode"] != "text") & (rows["kind"] != "carer")]

    @cached_property
    def booked(self) -> pd.DataFrame:
        return self.contacts[self.contacts["booked_on"].notna()]

    @cached_property
    def spine(self) -> pd.DataFrame:
        dates = pd.date_range(self.first + pd.Timedelta(days=365), self.last - pd.Timedelta(days=200), freq="56D")
        return caseload(self.records, list(dates.date)).spine

    @cached_property
    def labels(self) -> pd.DataFrame:
        return outcomes.label(self.records, self.spine, HORIZONS)

    @cached_property
    def person_years(self) -> float:
        """Years under an open referral within the record."""
        rows = self.records["referrals"]
        start = rows["opened_on"].clip(lower=self.first)
        end = rows["closed_on"].fillna(self.last).clip(upper=self.last)
        return float((end - start).dt.days.clip(lower=0).sum() / 365.25)

    @cached_property
    def middle(self) -> pd.Timestamp:
        return self.first + (self.last - self.first) * 0.7

    @cached_property
    def current(self) -> pd.Index:
        """People on the caseload in the middle of the record."""
        return pd.Index(caseload(self.records, [self.middle.date()]).spine["patient_id"])

    @cached_property
    def diagnosis(self) -> pd.Series:
        rows = self.records["conditions"]
        rows = rows[(rows["category"] == "diagnosis") & rows["code"].str.startswith(("F2", "F3", "F6"))]
        return rows.drop_duplicates("patient_id").set_index("patient_id")["code"].reindex(self.current)

    @cached_property
    def medicines(self) -> pd.DataFrame:
        """Supplies of the current caseload in the 100 days before the middle, with the class of each medicine."""
        rows = self.records["supplies"]
        rows = rows[
            rows["supplied_on"].between(self.middle - pd.Timedelta(days=100), self.middle)
            & rows["patient_id"].isin(self.current)
        ]
        return rows.assign(medicine_class=rows["medicine"].map(CLASSES).fillna("other"))

    def share_on(self, rows: pd.DataFrame, among: pd.Index | None = None) -> float:
        among = self.current if among is None else among
        return float(among.isin(rows["patient_id"]).mean()) if len(among) else np.nan

    def diagnosed(self, *codes: str) -> pd.Index:
        return self.diagnosis.index[self.diagnosis.str.startswith(codes).fillna(False).to_numpy(dtype=bool)]

    @cached_property
    def oral_main(self) -> pd.DataFrame:
        """The last oral antipsychotic that is not clozapine of each person."""
        rows = self.medicines
        rows = rows[
            rows["medicine_class"].str.startswith(ANTIPSYCHOTICS)
            & (rows["route"] == "oral")
            & (rows["medicine"] != "clozapine")
        ]
        return rows.sort_values("supplied_on", kind="stable").drop_duplicates("patient_id", keep="last")

    def oral_share(self, *names: str) -> float:
        return float(self.oral_main["medicine"].isin(names).mean())

    def covered_below(self, keep: Callable[[pd.DataFrame], pd.Series], threshold: float = 0.8) -> float:
        """Share of people supplied at least twice in a year whose days covered, from first supply, fell below the threshold."""
        rows = self.records["supplies"]
        start = self.middle - pd.Timedelta(days=365)
        rows = rows[
            rows["supplied_on"].between(start, self.middle)
            & (rows["route"] == "oral")
            & ~rows["as_required"].fillna(False).astype(bool)
        ]
        rows = rows[keep(rows) & rows["patient_id"].isin(self.current)]
        below = []
        for _, mine in rows.groupby("patient_id", sort=False):
            if len(mine) < 2:
                continue
            first, until, covered = mine["supplied_on"].iloc[0], mine["supplied_on"].iloc[0], 0.0
            for on, days in zip(mine["supplied_on"], mine["days_supplied"], strict=True):
                begin = max(on, until)
                end = min(begin + pd.Timedelta(days=days), self.middle)
                covered += max(0, (end - begin).days)
                until = max(until, end)
            length = (self.middle - first).days
            if length >= 90:
                below.append(covered / length < threshold)
        return float(np.mean(below)) if below else np.nan

    def readmitted(self, days: int) -> float:
        stays = self.records["stays"].sort_values(["patient_id", "admitted_on"], kind="stable")
        stays = stays[stays["method"] != "transfer"]
        nxt = stays.groupby("patient_id")["admitted_on"].shift(-1)
        method = stays.groupby("patient_id")["method"].shift(-1)
        out = stays["discharged_on"]
        seen = out.notna() & (out + pd.Timedelta(days=days) <= self.last) & (out >= self.first)
        back = (nxt - out).dt.days.le(days) & method.isin(["emergency", "unknown"])
        return float(back[seen].mean())

    def late_depots(self) -> float:
        rows = self.records["supplies"]
        rows = rows[(rows["route"] == "long_acting_injection") & (rows["supplied_on"] >= self.first)]
        gap = rows.groupby(["patient_id", "medicine"])["supplied_on"].diff().dt.days
        late = gap - rows["interval_days"]
        return float((late[late.notna() & (gap < 150)] > 7).mean())

    def blood_on_time(self) -> float:
        rows = self.records["results"]
        rows = rows[(rows["test"] == "anc") & (rows["taken_on"] >= self.first)]
        on_clozapine = self.records["supplies"].query("medicine == 'clozapine'")["patient_id"].unique()
        gap = rows[rows["patient_id"].isin(on_clozapine)].groupby("patient_id")["taken_on"].diff().dt.days
        gap = gap[gap.notna() & (gap < 60)]
        due = np.select([gap <= 9, gap <= 18], [7, 14], 28)
        return float((gap <= due).mean())

    def yearly(self, tests: tuple[str, ...]) -> float:
        """Share of the current caseload, a year or more under an open referral, with all tests in the last year."""
        rows = self.records["results"]
        rows = rows[rows["taken_on"].between(self.middle - pd.Timedelta(days=365), self.middle)]
        referrals = self.records["referrals"]
        long = referrals[referrals["opened_on"] <= self.middle - pd.Timedelta(days=365)]
        among = self.current[self.current.isin(long["patient_id"])]
        done = [among.isin(rows.loc[rows["test"] == test, "patient_id"]) for test in tests]
        return float(np.logical_and.reduce(done).mean())

    def no_review(self) -> float:
        rows = self.contacts
        rows = rows[rows["kind"].isin(["care_review"]) & (rows["outcome"] == "attended")]
        rows = rows[rows["contact_on"].between(self.middle - pd.Timedelta(days=365), self.middle)]
        return 1.0 - float(self.current.isin(rows["patient_id"]).mean())

    def circumstance(self, kind: str, *values: str) -> float:
        rows = self.records["circumstances"]
        rows = rows[(rows["kind"] == kind) & (rows["from_on"] <= self.middle)].drop_duplicates(
            "patient_id", keep="last"
        )
        return self.share_on(rows[rows["value"].isin(values)])


def _people(column: str, *values: object) -> Callable[[Audit], float]:
    return lambda a: float(a.people.loc[a.current, column].dropna().isin(values).mean())


def _label(name: str) -> Callable[[Audit], float]:
    return lambda a: float(a.labels[name].mean())


def _codes(*codes: str) -> Callable[[Audit], float]:
    return lambda a: len(a.diagnosed(*codes)) / len(a.current)


def _class(prefix: str, *codes: str) -> Callable[[Audit], float]:
    def share(a: Audit) -> float:
        return a.share_on(
            a.medicines[a.medicines["medicine_class"].str.startswith(prefix)], a.diagnosed(*codes) if codes else None
        )

    return share


def _medicine(name: str, *codes: str) -> Callable[[Audit], float]:
    return lambda a: a.share_on(a.medicines[a.medicines["medicine"] == name], a.diagnosed(*codes) if codes else None)


def _depot(*codes: str) -> Callable[[Audit], float]:
    def share(a: Audit) -> float:
        return a.share_on(
            a.medicines[a.medicines["route"] == "long_acting_injection"], a.diagnosed(*codes) if codes else None
        )

    return share


def _oral(*names: str) -> Callable[[Audit], float]:
    return lambda a: a.oral_share(*names)


def _missed(a: Audit) -> float:
    counts = a.booked["outcome"].value_counts()
    return float(counts["did_not_attend"] / (counts["did_not_attend"] + counts["attended"]))


def _missed_medical(a: Audit) -> float:
    counts = a.booked.loc[
        a.booked["kind"].isin(["medicines_review", "care_review", "assessment"]), "outcome"
    ].value_counts()
    return float(counts["did_not_attend"] / (counts["did_not_attend"] + counts["attended"]))


def _anticholinergic(a: Audit) -> float:
    users = a.medicines.loc[a.medicines["medicine_class"].str.startswith(ANTIPSYCHOTICS), "patient_id"]
    return a.share_on(a.medicines[a.medicines["medicine_class"] == "anticholinergic"], pd.Index(users.unique()))


def _outcome(name: str) -> Callable[[Audit], float]:
    return lambda a: float((a.booked["outcome"] == name).mean())


def _stay_length(a: Audit) -> float:
    stays = a.records["stays"]
    stays = stays[stays["discharged_on"].notna() & stays["method"].isin(["emergency", "unknown"])]
    return float((stays["discharged_on"] - stays["admitted_on"]).dt.days.mean())


def _emergencies(a: Audit) -> pd.DataFrame:
    return a.records["stays"].query("method in ('emergency', 'unknown')")


def _is_oral_antipsychotic(rows: pd.DataFrame) -> pd.Series:
    return rows["medicine"].map(CLASSES).fillna("").str.startswith(ANTIPSYCHOTICS) & (rows["medicine"] != "clozapine")


RATES: dict[str, Callable[[Audit], float]] = {
    "psych_admission_28d_cmht_smi": _label("admission_28"),
    "psych_admission_90d_cmht_smi": _label("admission_90"),
    "psych_admission_180d_cmht_smi": _label("admission_180"),
    "psych_admission_12m_cmht_smi_mixed": _label("admission_365"),
    "disengagement_90d": _label("disengagement_90"),
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
    "current_smoker_smi": lambda a: a.circumstance("smoking", "smoker"),
    "annual_mortality_cmht_smi": lambda a: float(a.people["died_on"].notna().sum() / a.person_years),
    "referral_close_per_year_planned": lambda a: float(
        a.records["referrals"]["close_reason"].isin(["planned_end", "transferred", "moved_away"]).sum() / a.person_years
    ),
}


def measure(records: Records) -> pd.DataFrame:
    """name, target, low, high, value, within: one row per rate that ``epidemiology.csv`` names and gives a range for."""
    audit = Audit(records)
    known = {row["quantity"]: row for row in read_rows("epidemiology")}
    rows = []
    for name, rate in RATES.items():
        target, low, high = (float(known[name][column] or "nan") for column in ("value", "low", "high"))
        value = rate(audit)
        low = 0.8 * target if np.isnan(low) else low
        high = 1.2 * target if np.isnan(high) else high
        rows.append((name, target, low, high, value, bool(low <= value <= high)))
    return pd.DataFrame(rows, columns=["name", "target", "low", "high", "value", "within"])


def check_rates(patients: int, years: float, seed: int, teams: int) -> dict[str, Any]:
    """A trust of that size, measured: ``rates`` (name, target, low, high, value, within), how many are within, and what was simulated."""
    trust = simulate(patients=patients, years=years, seed=seed, teams=teams)
    table = measure(trust.records)
    rates = [{**row, "value": None if np.isnan(row["value"]) else row["value"]} for row in table.to_dict("records")]
    return {
        "synthetic": True,
        "patients": patients,
        "years": years,
        "seed": seed,
        "teams": teams,
        "quantities": len(rates),
        "within": int(table["within"].sum()),
        "rates": rates,
    }


def check_lines(checked: dict[str, Any]) -> list[str]:
    """``check_rates`` for a terminal."""
    head = f"{'name':<46}{'target':>9}{'low':>9}{'high':>9}{'simulated':>11}  within"
    lines = ["Synthetic records. None of these people exist.", head]
    for row in checked["rates"]:
        value = "none" if row["value"] is None else f"{row['value']:.4g}"
        lines.append(
            f"{row['name']:<46}{row['target']:>9.4g}{row['low']:>9.4g}{row['high']:>9.4g}{value:>11}  {'yes' if row['within'] else 'NO'}"
        )
    lines.append(f"{checked['within']} of {checked['quantities']} within their ranges ({ENOUGH} are needed)")
    return lines
