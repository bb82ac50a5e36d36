"""A made-up person's NHS number and name, put into every column of an OMOP extract that may hold text: no report, no
line on the terminal and no log line holds them, and no number is stored."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.records.problems import RecordsError
from features.records.sources.omop import ingest
from features.records.sources.omop.ingest import lines
from tests.features.records.sources.omop.conftest import small_extract, write

NUMBER, NAME = "9434765919", "Zebedee Quillfeather"
TYPED = (f"{NUMBER} {NAME}", f"943 476 5919 {NAME}", NUMBER)
TEXTS = {
    "person": ("gender_source_value", "race_source_value", "person_source_value", "birth_datetime"),
    "death": ("death_date", "cause_source_value"),
    "observation_period": ("observation_period_start_date", "observation_period_end_date"),
    "visit_occurrence": ("visit_start_date", "visit_end_date", "visit_source_value", "visit_concept_id"),
    "drug_exposure": (
        "drug_concept_id", "drug_exposure_start_date", "drug_source_value", "days_supply", "quantity", "sig",
        "stop_reason", "route_source_value",
    ),
    "measurement": (
        "measurement_concept_id", "measurement_date", "value_as_number", "value_source_value", "unit_source_value",
    ),
    "observation": ("observation_concept_id", "observation_date", "value_as_string", "observation_source_value"),
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "condition_source_value"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "column"), [(table, one) for table, columns in TEXTS.items() for one in columns])
def test_nhs_numbers_and_names_reach_no_report_or_log(table, column, tmp_path: Path, caplog):
    caplog.set_level(logging.DEBUG)
    extract = small_extract()
    first, *rest = extract[table]
    extract[table] = [*(first | {column: typed} for typed in TYPED), *rest]
    store = tmp_path / "store"
    report = ingest(write(tmp_path / "in", extract), store)
    told = "\n".join([*lines(report, store), caplog.text, *(path.read_text() for path in store.glob("*.json"))])
    assert "5919" not in told and "Quillfeather" not in told
    kept = [path.read_text() for path in store.glob("*.csv")]
    kept += [str(pq.read_table(path).to_pylist()) for path in store.glob("*.parquet")]
    assert NUMBER not in "\n".join(kept)


def test_a_number_as_the_id_of_a_person_is_refused_without_repeating_it(tmp_path: Path, caplog):
    caplog.set_level(logging.DEBUG)
    extract = small_extract()
    for rows in extract.values():
        for row in rows:
            if row.get("person_id") == 1:
                row["person_id"] = NUMBER
    with pytest.raises(RecordsError) as error:
        ingest(write(tmp_path / "in", extract), tmp_path / "store")
    assert "ids are NHS numbers" in str(error.value)
    assert NUMBER not in str(error.value) + caplog.text
    assert not (tmp_path / "store").exists()
