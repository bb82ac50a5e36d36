"""Writes a store as an OMOP CDM 5.4 extract, as a trust that maps its own words would: a tool of the certificate.

A word that OMOP's standard vocabularies do not hold (a depot, a kind of contact, a review) is a local concept, with an
id above two thousand million as OMOP asks, and the mapping tables beside the extract say what each of them means.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from features import Records

LOCAL = 2_000_000_000
EXTRACT, MAPPINGS = "omop", "mappings"
_KINDS = {"prescribed": 32838, "dispensed": 32825, "administered": 32818}
_SEX = {"male": 8507, "female": 8532}
_LAI = "long_acting_injection"
OPEN_WITHIN_DAYS = 31
"""A period that ends so near to the end of the extract counts as open (mappings/observation_periods.csv)."""


class LocalConcepts:
    """Numbers local concepts from two thousand million, in the order in which they are first used."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, ...], int] = {}

    def of(self, *words: str) -> int:
        return self.ids.setdefault(words, LOCAL + len(self.ids) + 1)


def export(records: Records, folder: Path) -> dict[str, str]:
    """Writes ``folder/omop`` and ``folder/mappings``; returns our patient id of each person_id."""
    concepts = LocalConcepts()
    person = {who: number for number, who in enumerate(records.patient_ids, 1)}
    site = {team: number for number, team in enumerate(records["teams"]["team_id"], 1)}
    tables = {
        "person": _people(records, person),
        "death": _deaths(records, person),
        "care_site": [{"care_site_id": n, "care_site_name": team} for team, n in site.items()],
        "observation_period": _periods(records, person),
        "visit_occurrence": [*_contacts(records, person, site, concepts), *_stays(records, person, concepts)],
        "drug_exposure": list(_drugs(records, person, concepts)),
        "measurement": list(_results(records, person, concepts)),
        "condition_occurrence": list(_diagnoses(records, person, concepts)),
    }
    tables["concept"] = [
        {"concept_id": number, "concept_name": words[-1], "domain_id": "local", "vocabulary_id": words[0],
         "concept_code": words[1]}
        for words, number in concepts.ids.items()
    ]  # fmt: skip
    for name, rows in tables.items():
        _write(folder / EXTRACT / f"{name}.csv", rows)
    for name, rows in _mappings(concepts).items():
        _write(folder / MAPPINGS / f"{name}.csv", rows)
    return {str(number): who for who, number in person.items()}


def _write(path: Path, rows: Iterable[dict[str, object]]) -> None:
    rows = list(rows)
    if not rows:
        return
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _rows(records: Records, table: str) -> Iterable[dict[str, object]]:
    """Rows of a table: days as text, nothing where a value is missing."""
    frame = records[table]
    for column in frame.select_dtypes("datetime"):
        frame[column] = frame[column].dt.strftime("%Y-%m-%d")
    frame = frame.astype("object").where(frame.notna(), "")
    return frame.to_dict("records")


def _people(records: Records, person: dict[str, int]) -> list[dict[str, object]]:
    made = []
    for row in _rows(records, "patients"):
        year, month, day = str(row["birth_date"]).split("-")
        born = {"year_of_birth": year, "month_of_birth": month, "day_of_birth": day}
        told = {"gender_concept_id": _SEX.get(row["sex"], 0), **born, "race_concept_id": 0}
        made.append({"person_id": person[row["patient_id"]], **told})
    return made


def _deaths(records: Records, person: dict[str, int]) -> list[dict[str, object]]:
    return [
        {"person_id": person[row["patient_id"]], "death_date": row["died_on"]}
        for row in _rows(records, "patients")
        if row["died_on"]
    ]


def _periods(records: Records, person: dict[str, int]) -> list[dict[str, object]]:
    """One observation period for each referral; the period of an open referral ends on the last day of the extract."""
    return [
        {"observation_period_id": number, "person_id": person[row["patient_id"]],
         "observation_period_start_date": row["opened_on"],
         "observation_period_end_date": row["closed_on"] or records.about["last_day"], "period_type_concept_id": 32880}
        for number, row in enumerate(_rows(records, "referrals"), 1)
    ]  # fmt: skip


def _contacts(
    records: Records, person: dict[str, int], site: dict[str, int], concepts: LocalConcepts
) -> Iterable[dict[str, object]]:
    """Contacts that took place: OMOP has no visit for one that did not."""
    for number, row in enumerate(_rows(records, "contacts"), 1):
        if row["outcome"] == "attended":
            kind = concepts.of("visit", f"contacts|{row['mode']}|{row['kind']}||", "contact")
            yield {"visit_occurrence_id": number, "person_id": person[row["patient_id"]], "visit_concept_id": kind,
                   "visit_start_date": row["contact_on"], "visit_end_date": row["contact_on"],
                   "care_site_id": site.get(row["team_id"], "")}  # fmt: skip


def _stays(records: Records, person: dict[str, int], concepts: LocalConcepts) -> Iterable[dict[str, object]]:
    for number, row in enumerate(_rows(records, "stays"), 1):
        kind = concepts.of("visit", f"stays|||{row['method']}|{row['ward']}", "stay")
        yield {"visit_occurrence_id": 10_000_000 + number, "person_id": person[row["patient_id"]],
               "visit_concept_id": kind, "visit_start_date": row["admitted_on"],
               "visit_end_date": row["discharged_on"], "care_site_id": ""}  # fmt: skip


def _drugs(records: Records, person: dict[str, int], concepts: LocalConcepts) -> Iterable[dict[str, object]]:
    """Supplies: a tablet of the daily dose for each day, or one injection of the dose."""
    for number, row in enumerate(_rows(records, "supplies"), 1):
        depot = row["route"] == _LAI
        strength = row["dose_mg"] if depot else row["daily_dose_mg"]
        basis = "injection_unit" if depot else "solid"
        product = concepts.of("drug", f"{row['medicine']}|{row['route']}|{strength}|{basis}", "product")
        yield {"drug_exposure_id": number, "person_id": person[row["patient_id"]], "drug_concept_id": product,
               "drug_exposure_start_date": row["supplied_on"], "drug_exposure_end_date": "",
               "drug_type_concept_id": _KINDS[row["kind"]], "quantity": 1 if depot else row["days_supplied"],
               "days_supply": "" if depot else row["days_supplied"], "drug_source_concept_id": 0}  # fmt: skip


def _results(records: Records, person: dict[str, int], concepts: LocalConcepts) -> Iterable[dict[str, object]]:
    for number, row in enumerate(_rows(records, "results"), 1):
        unit = concepts.of("unit", row["unit"], row["unit"]) if row["unit"] else 0
        yield {"measurement_id": number, "person_id": person[row["patient_id"]],
               "measurement_concept_id": concepts.of("test", row["test"], row["test"]),
               "measurement_date": row["taken_on"], "value_as_number": row["value"], "unit_concept_id": unit,
               "measurement_source_concept_id": 0}  # fmt: skip


def _diagnoses(records: Records, person: dict[str, int], concepts: LocalConcepts) -> Iterable[dict[str, object]]:
    for number, row in enumerate(_rows(records, "conditions"), 1):
        if row["category"] == "diagnosis":
            yield {"condition_occurrence_id": number, "person_id": person[row["patient_id"]],
                   "condition_concept_id": concepts.of("ICD10", row["code"], "diagnosis"),
                   "condition_start_date": row["recorded_on"], "condition_source_concept_id": 0}  # fmt: skip


def _mappings(concepts: LocalConcepts) -> dict[str, list[dict[str, object]]]:
    """What each local concept means, in the columns of our mapping tables."""
    found: dict[str, list[dict[str, object]]] = {"products": [], "tests": [], "units": [], "visits": []}
    for (vocabulary, code, *_), number in concepts.ids.items():
        named = {"vocabulary_id": vocabulary, "concept_code": code, "concept_id": number}
        if vocabulary == "drug":
            medicine, route, strength, basis = code.split("|")
            dose = {"medicine": medicine, "route": route, "strength_mg": strength, "dose_basis": basis}
            found["products"].append(named | dose)
        elif vocabulary == "test":
            found["tests"].append(named | {"test": code, "verified": "yes"})
        elif vocabulary == "unit":
            found["units"].append(named | {"unit": code, "verified": "yes"})
        elif vocabulary == "visit":
            table, mode, kind, method, ward = code.split("|")
            meant = {"table": table, "mode": mode, "kind": kind, "method": method, "ward": ward}
            found["visits"].append({"concept_id": number, **meant, "note": ""})
    return found


def carried(records: Records) -> Records:
    """The store without what OMOP has no place for: the records that a faithful door gives back.

    Left out: contacts that did not take place, bookings, staff, reasons for closing, legal status, days between two
    doses, what is taken as required, prescribers, circumstances, allergies, shared care, closures in the last month,
    and the second clock.
    """
    gone = {
        "patients": ["ethnicity", "deprivation_decile", "learning_disability", "autism", "known_on"],
        "contacts": ["staff_id", "booked_on", "outcome_known_on", "known_on"],
        "referrals": ["closed_known_on", "known_on"],
        "stays": ["discharge_known_on", "known_on"],
        "supplies": ["interval_days", "as_required", "prescriber", "known_on"],
        "results": ["known_on"],
        "conditions": ["known_on"],
    }
    frames = {name: records[name].drop(columns=gone.get(name, [])) for name in (*gone, "teams")}
    frames["contacts"] = frames["contacts"][frames["contacts"]["outcome"] == "attended"]
    frames["conditions"] = frames["conditions"][frames["conditions"]["category"] == "diagnosis"]
    frames["stays"] = frames["stays"].assign(legal_status="unknown")
    referrals, died = frames["referrals"], records["patients"].set_index("patient_id")["died_on"]
    dead = referrals["patient_id"].map(died) <= referrals["closed_on"]
    end = pd.Timestamp(records.about["last_day"]) - pd.Timedelta(days=OPEN_WITHIN_DAYS)
    open_still = (referrals["closed_on"] >= end) & ~dead
    frames["referrals"] = referrals.assign(
        closed_on=referrals["closed_on"].mask(open_still),
        close_reason=pd.Series("died", index=referrals.index).where(dead),
    )
    return Records.from_frames(frames, about=records.about)
