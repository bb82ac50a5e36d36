"""A table as it lies in a file: columns are let go once they are parsed, and a row that is set aside is read again
from the same file."""

from __future__ import annotations

import datetime as dt
import json
import shutil

import pandas as pd

from features import Records
from features.records.reading.files import read_folder
from features.records.tables import TABLES


def folder(path, weight):
    """A store with one weight, as Parquet; every other table is empty."""
    path.mkdir()
    filled = {
        "patients": pd.DataFrame({"patient_id": ["anna"]}),
        "results": pd.DataFrame(
            {
                "patient_id": ["anna"],
                "test": ["weight"],
                "taken_on": [dt.date(2025, 1, 1)],
                "value": [weight],
                "unit": ["kg"],
            }
        ),
    }  # fmt: skip
    for name, spec in TABLES.items():
        filled.get(name, pd.DataFrame(columns=list(spec.names), dtype="str")).to_parquet(path / f"{name}.parquet")
    return path


def test_a_row_is_quoted_from_the_file_that_was_read_after_the_store_is_replaced(tmp_path):
    store = folder(tmp_path / "store", 70.0)
    tables, _ = read_folder(store)
    results = tables["results"]
    assert (results.rows, list(results["value"])) == (1, [70.0])
    results.let_go()
    shutil.rmtree(store)
    folder(store, 99.0)
    assert results.row(0)["value"] == 70.0


def test_a_value_that_cannot_be_right_is_quoted_from_the_file_as_it_was_given(tmp_path):
    records = Records.load(folder(tmp_path / "store", 7000.0), today=dt.date(2025, 6, 1))
    (quoted,) = records.quarantine["values"]
    assert json.loads(quoted)["value"] == "7000.0" and json.loads(quoted)["unit"] == "kg"
    assert len(records["results"]) == 0
