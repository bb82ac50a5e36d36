"""A later extract that no longer holds a row says so; what was set aside once is not forgotten by a later step."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from features import Records
from features.records.sources.merging import merge_into
from features.records.tables import TABLES
from features.records.withdrawn import replace_store, withdrawn
from tests.tables import TODAY

FIRST = {
    "patients": [{"patient_id": "anna"}, {"patient_id": "bede"}],
    "teams": [{"team_id": "T1"}],
    "referrals": [{"patient_id": "anna", "referral_id": "r1", "team_id": "T1", "opened_on": "2025-01-02"}],
    "contacts": [
        {"patient_id": "anna", "contact_id": c, "contact_on": day, "outcome": "attended"}
        for c, day in (("c1", "2025-02-03"), ("c2", "2025-03-03"))
    ],
    "results": [{"patient_id": "anna", "test": "anc", "taken_on": "2025-03-01", "value": "4", "unit": "10^9/L"}],
}


def load(tables: dict[str, list[dict[str, str]]]) -> Records:
    return Records.from_frames({name: pd.DataFrame(rows, dtype="object") for name, rows in tables.items()}, today=TODAY)


def without(table: str, row: int) -> dict[str, list[dict[str, str]]]:
    return {**FIRST, table: [one for place, one in enumerate(FIRST[table]) if place != row] or FIRST[table][:0]}


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize(("table", "row"), [("contacts", 1), ("patients", 1)])
def test_a_row_that_the_next_extract_lacks_is_counted(table, row, format, tmp_path):
    load(FIRST).save(tmp_path / "store", format)
    later = load(without(table, row))
    assert withdrawn(tmp_path / "store", later) == {table: 1}
    replace_store(later, tmp_path / "store")
    assert json.loads((tmp_path / "store" / "report.json").read_text())["withdrawn"] == {table: 1}
    assert any(f"{table}: 1 rows of the store that was replaced" in line for line in later.report.lines())


def test_a_row_that_was_amended_or_sent_again_is_not_withdrawn(tmp_path):
    load(FIRST).save(tmp_path / "store")
    amended = FIRST["contacts"][1] | {"contact_on": "2025-03-05", "known_on": "2025-03-20"}
    assert withdrawn(tmp_path / "store", load(FIRST | {"contacts": [*FIRST["contacts"], amended]})) == {}


def test_ingest_reports_what_was_withdrawn(run, tmp_path):
    for name, tables in (("first", FIRST), ("second", without("contacts", 0))):
        folder = tmp_path / name
        folder.mkdir()
        for table, spec in TABLES.items():
            rows = tables.get(table, [])
            pd.DataFrame(rows, columns=list(rows[0]) if rows else list(spec.names)).to_csv(
                folder / f"{table}.csv", index=False
            )
        said = run("ingest", "own", folder, "--out", tmp_path / "store").stdout
    assert "contacts: 1 rows of the store that was replaced are not in this extract any more" in said


def test_what_two_sources_set_aside_is_kept_when_they_come_together(tmp_path):
    bad = {"patient_id": "anna", "test": "anc", "taken_on": "2025-03-02", "value": "clotted", "unit": "10^9/L"}
    worse = {"patient_id": "anna", "contact_id": "c3", "contact_on": "2025-04-01", "outcome": "went well"}
    load(FIRST | {"results": [bad]}).save(tmp_path / "one")
    load(FIRST | {"contacts": [worse]}).save(tmp_path / "two")
    merge_into(tmp_path / "one", Path(tmp_path / "two"), "two")
    merged = Records.load(tmp_path / "one", today=TODAY)
    assert {(one.table, one.value) for one in merged.unread_of("anna")} == {
        ("results", "clotted"),
        ("contacts", "went well"),
    }
    assert set(merged.quarantine["table"]) == {"results", "contacts"}
