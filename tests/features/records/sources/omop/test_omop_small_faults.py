"""Small faults of public OMOP extracts, one a row: what is sent, and what stands in the records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from features import Records
from features.records.sources.omop import read
from tests.features.records.sources.omop.conftest import (
    concept,
    condition,
    period,
    result,
    small_extract,
    visit,
    write,
)
from upstream import app

BORN = {"person_id": 1, "gender_concept_id": 8532, "year_of_birth": 1980, "race_concept_id": 0}
EXPOSURE = {"drug_exposure_id": 1, "person_id": 1, "drug_concept_id": 501, "drug_exposure_start_date": "2023-01-10"}


@pytest.mark.parametrize(
    ("parts", "birth"),
    [
        ({"month_of_birth": 0, "day_of_birth": 0}, "1980-07-01"),
        ({"month_of_birth": 5, "day_of_birth": 0}, "1980-05-15"),
        ({"month_of_birth": "", "day_of_birth": 17}, "1980-07-01"),
    ],
)
def test_a_birth_without_month_or_day_keeps_its_year(changed, parts, birth) -> None:
    records = Records.from_frames(read(changed(person=[BORN | parts])).frames)
    assert records["patients"]["birth_date"].dt.date.astype(str).tolist() == [birth]


def test_a_folder_of_parquet_files_is_a_table(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "parts"
    for file in small.glob("*.csv"):
        frame = pd.read_csv(file, dtype=str)
        (other / file.stem).mkdir(parents=True)
        for place, half in enumerate((frame[: len(frame) // 2], frame[len(frame) // 2 :])):
            half.to_parquet(other / file.stem / f"part-{place}.parquet", index=False)
    kept = [Records.from_frames(read(folder).frames) for folder in (small, other)]
    assert kept[0].patient_ids.tolist() == kept[1].patient_ids.tolist()
    assert [len(kept[0][name]) for name in kept[0].tables] == [len(kept[1][name]) for name in kept[1].tables]


def test_a_bound_in_the_source_value_is_read_and_two_rows_of_one_number_are_two_results(changed) -> None:
    above = result(1, 701, "2023-01-12", "", 8753) | {"value_source_value": ">3.0", "operator_concept_id": 4172704}
    other = result(1, 701, "2023-02-12", 0.7, 8753)
    results = Records.from_frames(read(changed(measurement=[above, other], observation=None)).frames)["results"]
    assert results["comparator"].tolist()[0] == ">"
    assert results["value"].round(3).tolist() == [3.0, 0.7]


@pytest.mark.parametrize(
    ("amounts", "days", "assumed"),
    [
        ({"drug_exposure_end_date": "2023-04-02"}, 83, 0),
        ({"drug_exposure_end_date": "2023-01-10", "drug_type_concept_id": 32818}, 1, 0),  # given once
        ({"drug_exposure_end_date": "2023-01-10"}, None, 1),  # many extracts write the start where no end is known
        ({"drug_exposure_end_date": "2023-02-06", "days_supply": 14}, 14, 0),
        ({"drug_exposure_end_date": ""}, None, 1),
    ],
)
def test_an_exposure_without_days_lasts_from_its_start_to_its_end(changed, amounts, days, assumed) -> None:
    given = EXPOSURE | {"days_supply": "", "quantity": ""} | amounts
    records = Records.from_frames(read(changed(drug_exposure=[given])).frames)
    kept = records["supplies"]["days_supplied"].tolist()
    assert kept == [days] if days else kept[0] != kept[0]
    assert ("days_assumed" in records.report.tables["supplies"].defaults) == bool(assumed)


def slashed(day: str) -> str:
    return "/".join(reversed(day.split("-")))


@pytest.mark.parametrize(
    ("written", "open_at_end", "contacts"), [(str, 1, 2), (lambda day: day.replace("-", ""), 1, 2), (slashed, 0, 0)]
)
def test_days_in_digits_are_read_and_days_with_slashes_end_with_an_error(
    tmp_path: Path, written: Callable[[str], str], open_at_end: int, contacts: int
) -> None:
    extract = {name: small_extract()[name] for name in ("care_site", "concept")} | {
        "person": [BORN | {"month_of_birth": 5, "day_of_birth": 17}],
        "observation_period": [period(1, 1, written("2022-01-01"), written("2023-12-20"))],
        "visit_occurrence": [visit(n, 1, 9202, written(f"2023-0{n}-10"), 7) for n in (1, 2)],
    }
    folder = write(tmp_path / "in", extract)
    done = CliRunner().invoke(app, ["ingest", "omop", str(folder), "--out", str(tmp_path / "store")])
    report = json.loads((tmp_path / "store" / "ingest.json").read_text())
    assert (report["referrals_open_at_end"], report["records"]["contacts"]) == (open_at_end, contacts)
    assert done.exit_code == (0 if contacts else 1)


@pytest.mark.parametrize(
    ("amounts", "told", "unread"),
    [
        ({"value_as_number": 2.1, "unit_source_value": "mmol/l"}, [2.1], []),
        ({"value_as_number": 2.1, "unit_source_value": "mEq/L"}, [2.1], []),
        ({"value_as_number": 2.1}, [None], ["unit"]),
        ({"value_as_number": 2.1, "unit_source_value": "mg/L"}, [None], ["unit"]),
        ({"value_source_value": "2.1 mmol/L"}, [2.1], []),
        ({"value_source_value": "2.1", "unit_concept_id": 8753}, [2.1], []),
        ({"value_source_value": "haemolysed", "unit_concept_id": 8753}, [], ["value"]),
        ({}, [None], []),  # the check was done
    ],
)
def test_a_number_that_cannot_be_read_stays_with_the_person(changed, amounts, told, unread) -> None:
    row = result(1, 701, "2023-01-12", "", 0) | {"value_source_value": "", "unit_source_value": ""} | amounts
    records = Records.from_frames(read(changed(measurement=[row], observation=None)).frames)
    assert [None if value != value else value for value in records["results"]["value"]] == told
    assert [(one.concept, one.column) for one in records.unread_of("1")] == [("lithium_level", one) for one in unread]


@pytest.mark.parametrize(
    ("code", "amounts", "told", "unread"),
    [
        ("85354-9", {"value_source_value": "185/112"}, [("systolic_bp", 185), ("diastolic_bp", 112)], []),
        ("85354-9", {"value_as_number": 185}, [("blood_pressure", None)], ["185"]),
        ("11524-6", {"value_as_number": 520, "unit_source_value": "ms"}, [("qtc", 520)], []),
    ],
)
def test_a_value_beside_a_check_is_read_or_shown(changed, code, amounts, told, unread) -> None:
    row = result(1, 999, "2023-01-12", "", 0) | {"value_source_value": "", "unit_source_value": ""} | amounts
    concepts = [*small_extract()["concept"], concept(999, "check", "Measurement", "LOINC", code)]
    records = Records.from_frames(read(changed(measurement=[row], observation=None, concept=concepts)).frames)
    found = [(test, None if v != v else v) for test, v in records["results"][["test", "value"]].to_numpy(object)]
    assert found == told
    assert [one.value for one in records.unread_of("1")] == unread


@pytest.mark.parametrize(("vocabulary", "code"), [("SNOMED", "77386006"), ("ICD10", "O24.4"), ("ICD10CM", "Z33.1")])
def test_a_pregnancy_is_read(changed, vocabulary, code) -> None:
    row = condition(1, 999, "2023-02-02", 0) | {"person_id": 1}
    concepts = [*small_extract()["concept"], concept(999, "x", "Condition", vocabulary, code)]
    records = Records.from_frames(read(changed(condition_occurrence=[row], concept=concepts)).frames)
    assert records["conditions"]["label"].tolist() == ["pregnancy"]
