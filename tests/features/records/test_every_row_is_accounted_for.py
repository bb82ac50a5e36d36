"""Every row of input has one fate, through each door: read, merged, replaced, set aside, left out or not mapped. The
rows are drawn from few words, so that they meet, contradict each other and cannot be read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from features.records.sources import fhir, hes, mhsds, omop
from features.records.tables import TABLES
from tests.examples import examples
from tests.features.records.sources.fhir.resources import ANNA, LOINC, SNOMED, coded, ndjson, one
from tests.features.records.sources.omop.conftest import small_extract, write
from tests.features.records.test_resending import extracts
from tests.tables import TODAY

Pool = dict[str, list[str]]
Rows = list[dict[str, str]]


def drawn(pool: Pool, most: int = 6) -> st.SearchStrategy[Rows]:
    row = st.fixed_dictionaries({column: st.sampled_from(words) for column, words in pool.items()})
    return st.lists(row, min_size=1, max_size=most)


def few(test):
    return settings(max_examples=examples(10), deadline=None)(test)


# --- our own tables, as CSV and as Parquet


@few
@given(extract=extracts())
def test_every_row_of_our_own_tables_is_accounted_for(extract, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for form in ("csv", "parquet"):
        (folder / form).mkdir()
        for name, rows in extract.items():
            frame = pd.DataFrame(rows, columns=list(rows[0]), dtype="str")
            path = folder / form / f"{name}.{form}"
            frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
        report = Records.load(folder / form, today=TODAY).report
        for name in TABLES:
            table = report.tables[name]
            written = [row for row in extract[name] if form == "parquet" or any(row.values())]  # ",,," is a blank line
            assert table.read == len(written), (form, name)
            assert table.read == table.kept + table.set_aside + table.replaced + table.merged, (form, name)


# --- OMOP

DAYS = ["2023-01-10", "2023-02-11", "20230211", "11/02/2023", "soon", "", "9999-12-31"]
PEOPLE = ["1", "2", "3", "99", ""]
OMOP: dict[str, Pool] = {
    "visit_occurrence": {
        "visit_occurrence_id": ["1", "2", "3", ""],
        "person_id": PEOPLE,
        "visit_concept_id": ["9202", "9201", "424242", "0"],
        "visit_start_date": DAYS,
        "visit_end_date": DAYS,
        "care_site_id": ["7", ""],
    },
    "drug_exposure": {
        "drug_exposure_id": ["1", "2", "3", "4", ""],
        "person_id": PEOPLE,
        "drug_concept_id": ["501", "502", "503", "504", "0"],
        "drug_exposure_start_date": DAYS,
        "drug_exposure_end_date": DAYS,
        "quantity": ["56", "-28", "-56", "", "many"],
        "days_supply": ["28", "0", "-28", ""],
        "route_concept_id": ["", "40549429", "4302612"],
        "stop_reason": ["", "rash"],
    },
    "measurement": {
        "measurement_id": ["1", "2", ""],
        "person_id": PEOPLE,
        "measurement_concept_id": ["701", "702", "704"],
        "measurement_date": DAYS,
        "value_as_number": ["0.7", "<0.2", "55", ""],
        "unit_concept_id": ["8753", "0"],
    },
    "death": {"person_id": PEOPLE, "death_date": DAYS},
}


@few
@given(tables=st.fixed_dictionaries({name: drawn(pool) for name, pool in OMOP.items()}))
def test_every_row_of_omop_is_accounted_for(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("omop")
    extract = small_extract() | tables
    report = omop.ingest(write(folder / "in", extract), folder / "store")
    for name, rows in extract.items():
        table = report["tables"][name]
        fates = [table[fate] for fate in ("mapped", "not_mapped", "set_aside", "used", "not_read")]
        assert table["rows"] == len(rows) == sum(fates) == sum(table["fates"].values()), name


# --- FHIR

_DAY = st.sampled_from(["2025-03-01", "2025-03-01T09:30:00Z", "2025-03", "", "soon"])
_WHO = st.sampled_from(["Patient/anna", "Patient/nobody", ""])
_STATUS = st.sampled_from(["completed", "final", "cancelled", "entered-in-error", "stopped", "unknown", "odd"])
_CODE = st.sampled_from([coded((SNOMED, "387568001")), coded((LOINC, "14334-7")), coded(("x", "y"), text="Newmab")])


@st.composite
def resources(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(["MedicationDispense", "MedicationRequest", "Observation", "Condition", "Basic"]))
    code = draw(_CODE)
    days = {"whenHandedOver": draw(_DAY), "authoredOn": draw(_DAY), "effectiveDateTime": draw(_DAY)}
    return one(
        kind,
        draw(st.sampled_from(["a", "b", "c"])),
        status=draw(_STATUS),
        intent="order",
        subject={"reference": draw(_WHO)},
        medicationCodeableConcept=code,
        code=code,
        valueQuantity={"value": draw(st.sampled_from([0.7, -3, 55])), "unit": draw(st.sampled_from(["mmol/L", "?"]))},
        **days,
    )


@few
@given(sent=st.lists(resources(), min_size=1, max_size=8))
def test_every_row_of_fhir_is_accounted_for(sent, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fhir")
    report = fhir.ingest(ndjson(folder / "in", ANNA, *sent), folder / "store")
    assert report["resources"] == len(sent) + 1 == sum(kind["resources"] for kind in report["types"].values())
    for name, kind in report["types"].items():
        assert kind["resources"] == sum(kind["fates"].values()), name


# --- MHSDS

_MONTH_DAYS = ["2025-01-10", "2025-01-20", "2025-13-01", "", "1900-01-01"]
MHSDS: dict[str, Pool] = {
    "MHS001MPI": {
        "LocalPatientID": ["anna", "bede", ""],
        "PersonBirthDate": ["1980-05-01", "", "x"],
        "Gender": ["2", "9", ""],
        "PersDeathDate": ["", "", "2025-01-25"],
    },
    "MHS101Referral": {
        "ServiceRequestID": ["r1", "r2", ""],
        "LocalPatientID": ["anna", "bede", "stranger", ""],
        "CareProfTeamLocalID": ["T1", ""],
        "ReferralRequestReceivedDate": _MONTH_DAYS,
        "ServDischDate": _MONTH_DAYS,
        "ReferClosReason": ["", "05", "zz"],
    },
    "MHS201CareContact": {
        "CareContactID": ["c1", "c2", ""],
        "ServiceRequestID": ["r1", "r9", ""],
        "CareContDate": _MONTH_DAYS,
        "AttendStatus": ["5", "7", "", "99"],
        "ConsMechanismMH": ["01", "11", ""],
    },
    "MHS501HospProvSpell": {
        "HospProvSpellID": ["h1", "h2", ""],
        "ServiceRequestID": ["r1", "r9"],
        "StartDateHospProvSpell": _MONTH_DAYS,
        "DischDateHospProvSpell": _MONTH_DAYS,
        "MethAdmMHHospProvSpell": ["2A", "11", ""],
    },
}
HEADER = "DatSetVer,ReportingPeriodStartDate,ReportingPeriodEndDate,DateTimeDatSetCreate\n"


def as_csv(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@few
@given(
    months=st.lists(st.fixed_dictionaries({name: drawn(pool) for name, pool in MHSDS.items()}), min_size=2, max_size=2)
)
def test_every_row_of_mhsds_is_accounted_for(months, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mhsds")
    sent = dict.fromkeys(MHSDS, 0)
    for place, tables in enumerate(months, 1):
        month = folder / "in" / f"2025-0{place}"
        for name, rows in tables.items():
            as_csv(month / f"{name}.csv", rows)
            sent[name] += len(rows)
        when = f"6.0,2025-0{place}-01,2025-0{place}-28,2025-0{place + 1}-05T10:00:00\n"
        (month / "MHS000Header.csv").write_text(HEADER + when, encoding="utf-8")
    report = mhsds.ingest(folder / "in", folder / "store")
    for name, rows in sent.items():
        table = report["tables"][name]
        assert table["rows"] == rows == sum(table["fates"].values()), name


# --- HES

HES: dict[str, Pool] = {
    "op": {
        "PSEUDO_HESID": ["anna", "bede", ""],
        "ATTENDKEY": ["k1", "k2", ""],
        "APPTDATE": ["2004-03-01", "1800-01-01", "", "x"],
        "ATTENDED": ["5", "3", "9", ""],
        "MAINSPEF": ["710", "110", ""],
        "SEX": ["1", "2", "&"],
        "ETHNOS": ["N", "Z"],
    },
    "apc": {
        "PSEUDO_HESID": ["anna", "cuth", ""],
        "EPIKEY": ["1", "2"],
        "ADMIDATE": ["2001-09-27", "2001-09-27", "1801-01-01", "x", ""],
        "DISDATE": ["2001-10-20", "1801-01-01", "", "2001-09-01"],
        "ADMIMETH": ["28", "11", ""],
        "MAINSPEF": ["710", "715", "110"],
        "MYDOB": ["041968", "", "131968"],
        "DIAG_4_01": ["F200", "X", ""],
    },
}


@few
@given(tables=st.fixed_dictionaries({name: drawn(pool) for name, pool in HES.items()}))
def test_every_row_of_hes_is_accounted_for(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hes")
    for name, rows in tables.items():
        as_csv(folder / "in" / f"{name}.csv", rows)
    report = hes.ingest(folder / "in", folder / "store")
    for name, rows in tables.items():
        table = report["tables"][f"{name}.csv"]
        assert table["rows"] == len(rows) == sum(table["fates"].values()), name
    written = json.loads((folder / "store" / "ingest.json").read_text(encoding="utf-8"))
    assert written["tables"] == report["tables"]
