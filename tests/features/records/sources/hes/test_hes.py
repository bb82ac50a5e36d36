"""HES files: attendance codes, sentinel dates, spells of several episodes, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from features import Records
from features.records.sources import hes
from tests.features.records.sources.fhir.resources import rows

OP = "PSEUDO_HESID,ATTENDKEY,APPTDATE,ATTENDED,MAINSPEF,SEX,ETHNOS\n"
APC = "PSEUDO_HESID,EPIKEY,ADMIDATE,DISDATE,ADMIMETH,MAINSPEF,MYDOB,DIAG_4_01\n"


def ingest(tmp_path, **files):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    report = hes.ingest(folder, tmp_path / "store")
    for table in report["tables"].values():
        assert sum(table["fates"].values()) == table["rows"]
    return Records.load(tmp_path / "store"), report


def test_appointments_of_mental_health_specialties_are_contacts(tmp_path):
    lines = [f"anna,k{code},2004-03-0{code or 1},{code},710,2,N\n" for code in range(2, 8)]
    records, report = ingest(tmp_path, op=OP + "".join(lines) + "anna,k9,2004-03-09,5,110,2,N\n")
    assert [outcome for (outcome,) in rows(records, "contacts", "outcome")] == [
        "cancelled_by_patient", "did_not_attend", "cancelled_by_service", "attended", "attended", "did_not_attend",
    ]  # fmt: skip
    assert report["tables"]["op.csv"]["fates"]["left out: not a mental health specialty"] == 1
    assert rows(records, "contacts", "known_on")[0] == ("2004-05-31",)


def test_sentinel_dates_and_unknown_signs_are_no_dates(tmp_path):
    text = OP + "anna,k1,1800-01-01,5,710,&,&\nanna,k2,1801-01-01 00:00:00,5,710,1,Z\n"
    records, report = ingest(tmp_path, op=text)
    assert len(records["contacts"]) == 0
    assert report["tables"]["op.csv"]["fates"] == {"set aside: no day": 2}


def test_the_episodes_of_one_admission_are_one_stay_with_its_diagnoses(tmp_path):
    text = APC + "anna,1,2001-09-27,1801-01-01,28,710,041968,F200\nanna,2,2001-09-27,2001-10-20,28,715,041968,F321\n"
    records, report = ingest(tmp_path, apc=text)
    assert rows(records, "stays", "admitted_on", "discharged_on", "method", "ward") == [
        ("2001-09-27", "2001-10-20", "emergency", "acute")
    ]
    assert sorted(rows(records, "conditions", "code")) == [("F20.0",), ("F32.1",)]
    assert rows(records, "patients", "birth_date") == [("1968-04-15",)]
    assert report["tables"]["apc.csv"]["fates"]["merged into the first episode of its spell"] == 1


PILOT = Path(__file__).resolve().parents[5].parent / "shared" / "data" / "nhs_artificial_hes"


@pytest.mark.external
def test_every_row_of_the_artificial_files_has_a_fate(tmp_path):
    """NHS Digital's artificial pilot: outpatients, admitted care, and an emergency department."""
    if not PILOT.exists():
        pytest.skip("the artificial HES files are not on this machine (../shared/data/nhs_artificial_hes)")
    report = hes.ingest(PILOT, tmp_path / "store")
    assert all(sum(table["fates"].values()) == table["rows"] for table in report["tables"].values())
    assert sum(table["rows"] for table in report["tables"].values()) == 4_075
    assert len(Records.load(tmp_path / "store")["contacts"]) == 25
