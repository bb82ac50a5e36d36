"""An NHS number in any column of any table reaches no quarantine, no report, no list of what was not understood and no
error. The ids that a trust gives its contacts, referrals, teams and staff are stored as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features import Records
from features.records import RecordsError
from features.records.reading.nhs_numbers import without_numbers
from features.records.sources import hes, mhsds
from features.records.sources.fhir.ingest import lines as lines_of_fhir
from features.records.tables import TABLES
from tests.features.records.sources.fhir.resources import ANNA, SUBJECT, one
from tests.features.records.sources.fhir.resources import ingest as ingest_fhir
from tests.features.records.sources.mhsds.test_mhsds import MPI, OPEN, submission
from tests.tables import TODAY

NUMBER = "9434765919"
TEXTS = (
    f"ref 943 476 5919 ({NUMBER})",
    f"NHS{NUMBER}",
    "943\u2009476\u20095919",
    "943-476-5919 mother",
    "943.476.5919",
)
ROW = {
    "patient_id": "anna", "team_id": "T1", "referral_id": "r", "contact_id": "c", "contact_on": "2025-03-01",
    "opened_on": "2025-01-01", "outcome": "attended", "medicine": "clozapine", "supplied_on": "2025-03-01",
    "test": "anc", "taken_on": "2025-03-01", "value": "4", "unit": "10^9/L", "admitted_on": "2025-03-01",
    "category": "allergy", "recorded_on": "2025-03-01", "from_on": "2025-03-01",
}  # fmt: skip
IDS = {"team_id", "referral_id", "contact_id", "staff_id"}
CODES = {("conditions", "system"), ("conditions", "code")}
COLUMNS = [(name, column.name) for name, spec in TABLES.items() for column in spec.columns]


def extract(folder: Path, table: str, column: str, texts: tuple[str, ...]) -> Path:
    folder.mkdir()
    for name, spec in TABLES.items():
        (folder / f"{name}.csv").write_text(",".join(spec.names) + "\n", encoding="utf-8")
    (folder / "patients.csv").write_text("patient_id\nanna\n", encoding="utf-8")
    lines = [",".join(TABLES[table].names)]
    for place, text in enumerate(texts):
        row = ROW | {name: f"{name}{place}" for name in ("referral_id", "contact_id")}
        row |= {"kind": "smoking"} if table == "circumstances" else {}
        row[column] = text
        lines.append(",".join(row.get(name, "") for name in TABLES[table].names))
    (folder / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_number_reaches_a_quarantine_a_report_or_an_error(table, column, tmp_path):
    try:
        records = Records.load(extract(tmp_path / "in", table, column, TEXTS), today=TODAY)
    except RecordsError as error:
        assert column == "patient_id" and "5919" not in str(error)
        return
    store = records.save(tmp_path / "store")
    written = {path.name: path.read_bytes() for path in store.iterdir() if path.suffix != ".parquet"}
    written |= {path.name: str(pq.read_table(path).to_pylist()).encode() for path in store.glob("*.parquet")}
    written |= {"terminal": "\n".join(records.report.lines()).encode()}
    holding = {name for name, content in written.items() if b"5919" in content}
    assert holding <= ({f"{table}.parquet"} if column in IDS or (table, column) in CODES else set())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("call 943 476 5919 today", "call [NHS number] today"),
        ("943\u202f476\u202f5919", "[NHS number]"),
        ("943\u200b476\u200b5919", "[NHS number]"),
        ("x9434765919y", "x[NHS number]y"),
        ("9434765918", "9434765918"),
        ("seen 2025-03-01 10:30", "seen 2025-03-01 10:30"),
        ("tel 01234 567890", "tel 01234 567890"),
    ],
)
def test_a_number_is_blanked_within_a_text(text, left):
    assert without_numbers(text) == left


TYPED = ("943 476 5919", NUMBER, f"{'x' * 75} {NUMBER}")


@pytest.mark.parametrize("typed", TYPED)
def test_no_number_that_somebody_typed_reaches_a_report_of_fhir(typed, tmp_path):
    said = {"text": f"asked for {typed}"}
    local = {"coding": [{"system": "https://trust.example/codes", "code": typed, "display": f"see {typed}"}]}
    _, report = ingest_fhir(
        tmp_path / "in",
        ANNA,
        one("Observation", "o1", status="final", code=said, subject=SUBJECT, effectiveDateTime="2025-03-01"),
        one("Observation", "o2", status="final", code=local, subject=SUBJECT, effectiveDateTime="2025-03-01"),
        one("Flag", "f1", status="active", code=said, subject=SUBJECT, period={"start": "2025-03-01"}),
        one("Condition", "c1", code=local, subject=SUBJECT, recordedDate="2025-03-01"),
        one("Medication", "m1", code=said),
    )
    assert len(report["unmapped"]) >= 4
    written = [path.read_text() for path in (tmp_path / "in-store").iterdir() if path.suffix in (".json", ".csv")]
    assert not re.search(r"943 ?476 ?5919", "\n".join([*written, *lines_of_fhir(report, tmp_path)]))


def test_no_number_that_somebody_typed_reaches_a_report_of_mhsds_or_hes(tmp_path):
    mpi = MPI.replace("2 N -", f"{NUMBER} {NUMBER} {NUMBER}")
    submission(tmp_path / "mhsds", "2025-01", "2025-02-05", MHS001MPI=mpi, MHS101Referral=OPEN)
    mhsds.ingest(tmp_path / "mhsds", tmp_path / "mhsds-store")
    (tmp_path / "hes").mkdir()
    (tmp_path / "hes" / "op.csv").write_text(
        f"PSEUDO_HESID,ATTENDKEY,APPTDATE,ATTENDED,MAINSPEF,SEX,ETHNOS\nanna,k,{NUMBER},{NUMBER},710,{NUMBER},N\n"
    )
    hes.ingest(tmp_path / "hes", tmp_path / "hes-store")
    for store in ("mhsds-store", "hes-store"):
        written = [path.read_text() for path in (tmp_path / store).iterdir() if path.suffix in (".json", ".csv")]
        assert written and NUMBER not in "".join(written)
