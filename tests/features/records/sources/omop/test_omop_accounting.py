"""Every input row has one fate, before and after Records has checked the tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from features.records import Records
from features.records.sources.omop import ingest, read

FATES = ("mapped", "not_mapped", "set_aside", "used", "not_read")


def rows_by_csv(folder: Path) -> dict[str, int]:
    """Rows of every file, counted by the csv module alone."""
    counts = {}
    for file in folder.glob("*.csv"):
        with file.open(newline="", encoding="utf-8") as lines:
            counts[file.stem] = sum(1 for _ in csv.reader(lines)) - 1
    return counts


def test_the_accounting_of_a_small_extract(small: Path) -> None:
    found = {(row.omop_table, row.fate): row.rows for row in read(small).accounting.itertuples(index=False)}
    assert {key: rows for key, rows in found.items() if key[0] not in ("concept", "concept_ancestor")} == {
        ("person", "mapped to patients"): 3,
        ("person", "mapped to patients (no observation period, so no referral)"): 1,
        ("death", "mapped to patients.died_on"): 1,
        ("death", "set aside: a second death of one person"): 1,
        ("death", "set aside: the person is not in the person table"): 1,
        ("observation_period", "mapped to referrals"): 3,
        ("care_site", "used as names of teams"): 2,
        ("visit_occurrence", "mapped to contacts"): 6,
        ("visit_occurrence", "mapped to stays"): 2,
        ("visit_occurrence", "not mapped: concept not in the mapping"): 1,
        ("visit_occurrence", "set aside: visit_occurrence_id given twice"): 1,
        ("drug_exposure", "mapped to supplies"): 3,
        ("drug_exposure", "not mapped: concept not in the mapping"): 2,
        ("drug_exposure", "not mapped: no concept"): 1,
        ("drug_exposure", "not mapped: a route that does not act on the whole body"): 1,
        ("drug_strength", "used as vocabulary"): 1,
        ("measurement", "mapped to results"): 5,
        ("measurement", "not mapped: concept not in the mapping"): 1,
        ("observation", "mapped to results"): 1,
        ("condition_occurrence", "mapped to conditions"): 3,
        ("condition_occurrence", "not mapped: concept not in the mapping"): 1,
        ("procedure_occurrence", "not read"): 1,
    }


def test_the_accounting_sums_to_the_rows_of_every_file(small: Path) -> None:
    assert read(small).accounting.groupby("omop_table")["rows"].sum().to_dict() == rows_by_csv(small)


def test_what_records_sets_aside_moves_from_mapped_to_set_aside_and_the_sum_stays(small: Path, tmp_path: Path) -> None:
    report = ingest(small, tmp_path / "store", about={"synthetic": True})
    visits = report["tables"]["visit_occurrence"]
    # Of ten visits: one end before its start, one unknown person, one date that is none, one key given twice, one
    # concept unknown.
    assert [visits[fate] for fate in FATES] == [5, 1, 4, 0, 0]
    assert report["tables"]["measurement"]["set_aside"] == 1, (
        "a lithium level of 55 mmol/L is outside the plausible range"
    )
    for name, rows in rows_by_csv(small).items():
        table = report["tables"][name]
        assert table["rows"] == rows == sum(table[fate] for fate in FATES) == sum(table["fates"].values())


def test_a_panel_row_is_set_aside_only_when_all_of_it_is(small: Path) -> None:
    extract = read(small)
    results = extract.frames["results"]
    panel = results.index[results["taken_on"] == "2023-01-12"][2:]
    assert results.loc[panel, "test"].tolist() == ["u_and_e", "lft", "calcium"]

    def aside(rows: list[int]) -> int:
        quarantine = pd.DataFrame({"table": "results", "row": rows, "column": "test", "reason": "no", "values": ""})
        settled = extract.ledger.settle(quarantine)
        return int(settled.loc[settled["fate"] == "set aside: test: no", "rows"].sum())

    assert aside(list(panel[:2])) == 0
    assert aside(list(panel)) == 1


def test_a_death_before_birth_is_set_aside_and_the_person_kept(changed, tmp_path: Path) -> None:
    folder = changed(death=[{"person_id": 3, "death_date": "1901-01-01"}, {"person_id": 4, "death_date": "2023-01-01"}])
    report = ingest(folder, tmp_path / "store")
    assert report["people_kept"] == 4
    assert [report["tables"]["death"][fate] for fate in FATES] == [1, 0, 1, 0, 0]


def test_ingest_writes_a_store_and_its_account(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    report = ingest(small, out, about={"synthetic": True})
    assert json.loads((out / "ingest.json").read_text()) == report
    store = Records.load(out)
    assert store.synthetic
    assert store.about["source"] == "OMOP CDM"
    assert report["records"] == {name: len(store[name]) for name in report["records"]}
    assert (report["first_day"], report["last_day"]) == ("2022-01-01", "2023-12-31")
    assert report["people_kept"] == 4
    assert ingest(small, out, about={"synthetic": True}) == report, "a second run replaces the store"


@pytest.mark.external
def test_synpuf_every_row_of_every_file_is_accounted_for(sample: Path, tmp_path: Path) -> None:
    counted = rows_by_csv(sample)
    assert read(sample).accounting.groupby("omop_table")["rows"].sum().to_dict() == counted
    report = ingest(sample, tmp_path / "store", about={"synthetic": True})
    assert {name: sum(table[fate] for fate in FATES) for name, table in report["tables"].items()} == counted


@pytest.mark.external
def test_synpuf_people_without_visits_or_periods_stay(sample: Path) -> None:
    extract = read(sample)
    records = Records.from_frames(extract.frames)
    assert len(records.patient_ids) == 50
    assert extract.counts["people_without_visits"] == 12
    assert extract.counts["people_without_observation_period"] == 7
    seen = set(records["contacts"]["patient_id"]) | set(records["stays"]["patient_id"])
    assert len(set(records.patient_ids) - seen) == 12
    assert len(records["referrals"]) == 43


@pytest.mark.external
def test_synpuf_visits_days_and_deaths_are_those_of_its_files(sample: Path) -> None:
    frames = read(sample).frames
    assert len(frames["stays"]) == 25
    assert frames["contacts"]["mode"].value_counts().to_dict() == {"other": 1613, "face_to_face": 209}
    assert frames["patients"]["died_on"].notna().sum() == 4
    assert frames["supplies"]["days_supplied"].isna().any()


@pytest.mark.external
def test_synpuf_lithium_is_lithium_and_what_interacts_with_it_is_there(sample: Path) -> None:
    frames = read(sample).frames
    with (sample / "drug_exposure.csv").open(newline="") as file:
        capsules = [row for row in csv.DictReader(file) if row["drug_concept_id"] == "751247"]
    lithium = frames["supplies"][frames["supplies"]["medicine"] == "lithium"]
    assert len(lithium) == len(capsules)
    assert len(lithium) > 0
    assert {"hydrochlorothiazide", "lisinopril", "furosemide"} <= set(frames["supplies"]["medicine"])
    assert {"schizophrenia", "bipolar disorder", "depression"} <= set(frames["conditions"]["label"])
    assert {"fbc", "u_and_e", "lipids", "hba1c", "tsh", "ecg_qtc"} <= set(frames["results"]["test"])
