"""A hand-made OMOP 5.4 extract with warts, and the public sample where it is there."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

Rows = list[dict[str, object]]
SAMPLE = Path(__file__).resolve().parents[5].parent / "shared" / "data" / "omop_synpuf50"


def write(folder: Path, tables: dict[str, Rows]) -> Path:
    """One CSV a table; the header is every key that some row has."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


def concept(concept_id: int, name: str, domain: str, vocabulary: str, code: str) -> dict[str, object]:
    return {
        "concept_id": concept_id,
        "concept_name": name,
        "domain_id": domain,
        "vocabulary_id": vocabulary,
        "concept_class_id": "x",
        "standard_concept": "S",
        "concept_code": code,
    }


def small_extract() -> dict[str, Rows]:
    """Four people: 1 in care with lithium, 2 with warts, 3 who died, 4 of whom nothing but the person row is known."""
    drug = {"person_id": 1, "drug_type_concept_id": 32838, "drug_source_concept_id": 0}
    return {
        "person": [
            {
                "person_id": 1,
                "gender_concept_id": 8532,
                "year_of_birth": 1980,
                "month_of_birth": 5,
                "day_of_birth": 17,
                "race_concept_id": 8527,
            },
            {
                "person_id": 2,
                "gender_concept_id": 8507,
                "year_of_birth": 1970,
                "month_of_birth": "",
                "day_of_birth": "",
                "race_concept_id": 0,
            },
            {
                "person_id": 3,
                "gender_concept_id": 8507,
                "year_of_birth": 1950,
                "month_of_birth": 2,
                "day_of_birth": "",
                "race_concept_id": 8515,
            },
            {
                "person_id": 4,
                "gender_concept_id": 0,
                "year_of_birth": 1990,
                "month_of_birth": 1,
                "day_of_birth": 1,
                "race_concept_id": 777,
            },
        ],
        "death": [
            {"person_id": 3, "death_date": "2023-06-02"},
            {"person_id": 3, "death_date": "2023-06-03"},
            {"person_id": 99, "death_date": "2023-01-01"},
        ],
        "observation_period": [
            period(1, 1, "2022-01-01", "2023-12-20"),
            period(2, 2, "2022-01-01", "2023-03-01"),
            period(3, 3, "2022-01-01", "2023-06-02"),
        ],
        "care_site": [{"care_site_id": 7, "care_site_name": "North team"}, {"care_site_id": 8, "care_site_name": ""}],
        "visit_occurrence": [
            visit(1, 1, 9202, "2023-01-10", 7),
            visit(2, 1, 9202, "2023-05-10", 7),
            visit(3, 1, 9203, "2023-12-31", 8),
            visit(4, 1, 9201, "2023-02-01", 8, end="2023-02-20"),
            visit(5, 2, 0, "2022-05-05", ""),
            visit(6, 2, 424242, "2022-06-05", ""),
            visit(6, 2, 9202, "2022-06-06", ""),
            visit(7, 2, 9201, "2022-07-10", "", end="2022-07-01"),
            visit(8, 99, 9202, "2022-07-10", ""),
            visit(9, 3, 9202, "not a date", ""),
        ],
        "drug_exposure": [
            drug
            | {
                "drug_exposure_id": 1,
                "drug_concept_id": 501,
                "drug_exposure_start_date": "2023-01-10",
                "days_supply": 28,
                "quantity": 56,
            },
            drug
            | {
                "drug_exposure_id": 2,
                "drug_concept_id": 502,
                "drug_exposure_start_date": "2023-02-10",
                "route_concept_id": 4302612,
            },
            drug
            | {
                "drug_exposure_id": 3,
                "drug_concept_id": 503,
                "drug_exposure_start_date": "2023-02-11",
                "days_supply": 0,
                "quantity": 30,
            },
            drug | {"drug_exposure_id": 4, "drug_concept_id": 504, "drug_exposure_start_date": "2023-02-12"},
            drug | {"drug_exposure_id": 5, "drug_concept_id": 0, "drug_exposure_start_date": "2023-02-13"},
            drug
            | {
                "drug_exposure_id": 6,
                "drug_concept_id": 505,
                "drug_exposure_start_date": "2023-02-14",
                "route_concept_id": 40549429,
            },
            drug | {"drug_exposure_id": 7, "drug_concept_id": 506, "drug_exposure_start_date": "2023-02-15"},
        ],
        "drug_strength": [
            {
                "drug_concept_id": 501,
                "ingredient_concept_id": 19124477,
                "amount_value": 400,
                "amount_unit_concept_id": 8576,
            }
        ],
        "concept_ancestor": [
            {"ancestor_concept_id": 19124477, "descendant_concept_id": 501, "min_levels_of_separation": 2},
            {"ancestor_concept_id": 900, "descendant_concept_id": 502, "min_levels_of_separation": 2},
            {"ancestor_concept_id": 710062, "descendant_concept_id": 503, "min_levels_of_separation": 2},
            {"ancestor_concept_id": 733008, "descendant_concept_id": 503, "min_levels_of_separation": 2},
            {"ancestor_concept_id": 1124300, "descendant_concept_id": 505, "min_levels_of_separation": 2},
            {"ancestor_concept_id": 901, "descendant_concept_id": 506, "min_levels_of_separation": 2},
            {"ancestor_concept_id": 602, "descendant_concept_id": 601, "min_levels_of_separation": 1},
        ],
        "measurement": [
            result(1, 701, "2023-01-12", 0.7, 8753),
            result(2, 702, "2023-01-12", 7.0, 8554),
            result(3, 703, "2023-01-12", "", 0),
            result(4, 701, "2023-02-12", 0.8, 0),
            result(5, 704, "2023-02-12", 1, 0),
            result(6, 701, "2023-03-12", 55, 8753),
        ],
        "observation": [
            {
                "observation_id": 1,
                "person_id": 1,
                "observation_concept_id": 705,
                "observation_date": "2023-02-12",
                "observation_source_concept_id": 0,
            }
        ],
        "condition_occurrence": [
            condition(1, 601, "2022-02-02", 0),
            condition(2, 0, "2022-02-03", 603),
            condition(3, 604, "2022-02-04", 0),
            condition(4, 605, "2022-02-05", 606),
        ],
        "procedure_occurrence": [{"procedure_occurrence_id": 1, "person_id": 1}],
        "concept": [
            concept(19124477, "lithium", "Drug", "RxNorm", "6448"),
            concept(501, "lithium carbonate 400 MG Oral Tablet", "Drug", "RxNorm Extension", "OMOP1"),
            concept(502, "paliperidone 100 MG Injection", "Drug", "RxNorm Extension", "OMOP2"),
            concept(900, "paliperidone", "Drug", "RxNorm", "679314"),
            concept(503, "amitriptyline / perphenazine Oral Tablet", "Drug", "RxNorm Extension", "OMOP3"),
            concept(710062, "amitriptyline", "Drug", "RxNorm", "704"),
            concept(733008, "perphenazine", "Drug", "RxNorm", "8076"),
            concept(504, "lithium-flavoured toothpaste", "Drug", "RxNorm Extension", "OMOP4"),
            concept(505, "diclofenac eye drops", "Drug", "RxNorm Extension", "OMOP5"),
            concept(1124300, "diclofenac", "Drug", "RxNorm", "3355"),
            concept(506, "a tablet of something", "Drug", "RxNorm Extension", "OMOP6"),
            concept(901, "not sulpiride at all", "Drug", "RxNorm", "10239"),
            concept(701, "Lithium [Moles/volume] in Serum or Plasma", "Measurement", "LOINC", "14334-7"),
            concept(702, "Hemoglobin A1c", "Measurement", "LOINC", "4548-4"),
            concept(703, "", "Measurement", "CPT4", "80053"),
            concept(704, "Shoe size", "Measurement", "LOINC", "99999-9"),
            concept(705, "", "Observation", "CPT4", "1036F"),
            concept(8753, "millimole per liter", "Unit", "UCUM", "mmol/L"),
            concept(8554, "percent", "Unit", "UCUM", "%"),
            concept(601, "Paranoid schizophrenia in the open", "Condition", "SNOMED", "1"),
            concept(602, "Schizophrenia", "Condition", "SNOMED", "58214004"),
            concept(603, "Severe intellectual disability", "Condition", "ICD10CM", "F72"),
            concept(604, "Ingrowing nail", "Condition", "SNOMED", "400097005"),
            concept(605, "Mood disorder", "Condition", "SNOMED", "46206005"),
            concept(606, "Major depressive affective disorder, recurrent", "Condition", "ICD9CM", "296.33"),
        ],
    }


def period(number: int, person: int, start: str, end: str) -> dict[str, object]:
    return {
        "observation_period_id": number,
        "person_id": person,
        "observation_period_start_date": start,
        "observation_period_end_date": end,
        "period_type_concept_id": 32880,
    }


def visit(number: int, person: int, kind: int, start: str, site: object, end: str = "") -> dict[str, object]:
    return {
        "visit_occurrence_id": number,
        "person_id": person,
        "visit_concept_id": kind,
        "visit_start_date": start,
        "visit_end_date": end or start,
        "care_site_id": site,
        "admitted_from_concept_id": 0,
    }


def result(number: int, kind: int, day: str, value: object, unit: int) -> dict[str, object]:
    return {
        "measurement_id": number,
        "person_id": 1,
        "measurement_concept_id": kind,
        "measurement_date": day,
        "value_as_number": value,
        "unit_concept_id": unit,
    }


def condition(number: int, kind: int, day: str, source: int) -> dict[str, object]:
    return {
        "condition_occurrence_id": number,
        "person_id": 2,
        "condition_concept_id": kind,
        "condition_start_date": day,
        "condition_source_concept_id": source,
    }


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "omop", small_extract())


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """The small extract with tables replaced (or left out: None)."""

    def change(**tables: Rows | None) -> Path:
        extract = {name: rows for name, rows in (small_extract() | tables).items() if rows is not None}
        return write(tmp_path / "changed", extract)

    return change


@pytest.fixture
def sample() -> Path:
    if not (SAMPLE / "person.csv").is_file():
        pytest.skip("the OMOP sample ../shared/data/omop_synpuf50 is not there")
    return SAMPLE
