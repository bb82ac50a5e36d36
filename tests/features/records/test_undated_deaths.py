"""Somebody whose record says that they died, and not when, is on no list, whatever the door: never silently alive."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records, find_gaps
from features.engine.caseload import DEATH_UNDATED, DIED, INPATIENT, ON_CASELOAD, REASONS, caseload, out_of_reach
from features.records.days import day_of
from features.records.reading.deaths import says_no_death
from features.records.sources import hes, omop
from tests.features.records.sources.fhir.resources import ANNA
from tests.features.records.sources.fhir.resources import ingest as ingest_fhir
from tests.features.records.sources.mhsds.test_mhsds import MPI, OPEN, submission
from tests.features.records.sources.mhsds.test_mhsds import ingest as ingest_mhsds
from tests.features.records.sources.omop.conftest import small_extract, write
from tests.tables import TODAY

AS_OF = dt.date(2025, 12, 1)
OF_ANNA = {
    "referrals": [{"patient_id": "anna", "referral_id": "r1", "team_id": "T1", "opened_on": "2025-01-10"}],
    "teams": [{"team_id": "T1", "kind": "A06"}],
    "supplies": [{"patient_id": "anna", "medicine": "clozapine", "supplied_on": "2025-10-01", "days_supplied": "28"}],
}


def anna(**tables):
    rows = {"patients": [{"patient_id": "anna"}], **OF_ANNA, **tables}
    return Records.from_frames({name: pd.DataFrame(found) for name, found in rows.items()}, today=TODAY)


def why(records, day=AS_OF):
    return REASONS[out_of_reach(records, day_of(day))[0]]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("yes", DEATH_UNDATED),
        ("Y", DEATH_UNDATED),
        ("TRUE", DEATH_UNDATED),
        ("1", DEATH_UNDATED),
        ("deceased", DEATH_UNDATED),
        ("Died in hospital", DEATH_UNDATED),
        ("unknown", DEATH_UNDATED),
        ("05/06/2025", DEATH_UNDATED),  # 5 June or 6 May
        ("2025-13-40", DEATH_UNDATED),
        ("45810", DEATH_UNDATED),  # a spreadsheet's day number
        ("2026-05-06", DEATH_UNDATED),  # 6 May 2025, or 5 June: the year is wrong
        ("2031-01-01", ON_CASELOAD),  # nobody records a death years ahead: it stands for none
        ("2062-03-01", ON_CASELOAD),
        ("2099-12-31", ON_CASELOAD),
        ("3000-01-01", ON_CASELOAD),
        ("1921-05-05", DEATH_UNDATED),  # before the birth
        ("2025-06-05", DIED),
        ("no", ON_CASELOAD),
        ("N", ON_CASELOAD),
        ("0", ON_CASELOAD),
        ("Alive", ON_CASELOAD),
        ("9999-12-31", ON_CASELOAD),
        ("31/12/9999", ON_CASELOAD),
        ("1800-01-01", ON_CASELOAD),
        ("01/01/1900", ON_CASELOAD),
        ("", ON_CASELOAD),
        ("NULL", ON_CASELOAD),
    ],
)
def test_text_in_place_of_a_day_of_death_is_read_as_a_death_or_as_none(tmp_path, written, reason):
    people = [{"patient_id": "anna", "birth_date": "1980-05-01", "died_on": written}]
    records = anna(patients=people)
    assert why(records) == reason
    assert (caseload(records, AS_OF).reason[0, 0] == 0) == (reason == ON_CASELOAD)
    assert len(find_gaps(records, AS_OF, ["anna"])) == 0 if reason != ON_CASELOAD else True
    records.save(tmp_path)
    for _ in range(2):  # read as usual, and from the kept columns
        assert why(Records.load(tmp_path, today=TODAY)) == reason
    if reason == DEATH_UNDATED or written[:4] in ("2031", "2062", "2099", "3000"):
        assert [(one.column, one.value) for one in records.unread_of("anna")] == [("died_on", written)]


def test_a_row_known_later_decides():
    said = {"patient_id": "anna", "died_on": "yes", "known_on": "2025-03-01"}
    taken_back = {"patient_id": "anna", "died_on": None, "known_on": "2025-04-01"}
    dated = {"patient_id": "anna", "died_on": "2025-02-20", "known_on": "2025-04-01"}
    assert why(anna(patients=[said, taken_back])) == ON_CASELOAD
    assert why(anna(patients=[taken_back, said | {"known_on": "2025-05-01"}])) == DEATH_UNDATED
    assert why(anna(patients=[said, dated])) == DIED


@pytest.mark.parametrize("written", ["died", "Deceased", "RIP", "R.I.P."])
def test_a_referral_closed_by_death_without_a_day(written):
    row = OF_ANNA["referrals"][0] | {"close_reason": written}
    records = anna(referrals=[row])
    assert why(records) == DEATH_UNDATED
    assert why(anna(referrals=[row | {"closed_on": "2025-06-01"}])) == DIED
    assert [one.column for one in records.unread_of("anna")] == ["close_reason"]


@pytest.mark.parametrize(
    ("died", "dead"),
    [
        ({"deceasedBoolean": True}, True),
        ({"deceasedDateTime": "yes"}, True),
        ({"deceasedDateTime": "last spring", "deceasedBoolean": True}, True),
        ({"deceasedDateTime": "2025-13-40"}, True),
        ({"deceasedDateTime": "9999-12-31"}, False),
        ({"deceasedDateTime": "2062-03-01"}, False),
        ({"deceasedBoolean": False}, False),
    ],
)
def test_fhir(tmp_path, died, dead):
    records, _ = ingest_fhir(tmp_path / "in", ANNA | died)
    assert records.patient_ids.tolist() == ["anna"]  # nobody is lost with a date that cannot be read
    assert (why(records, dt.date(2031, 1, 1)) in (DIED, DEATH_UNDATED)) == dead


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", DEATH_UNDATED),
        ("NULL", DEATH_UNDATED),
        ("yes", DEATH_UNDATED),
        ("2023-13-40", DEATH_UNDATED),
        ("05/06/2023", DEATH_UNDATED),  # 5 June or 6 May
        ("20230605", DIED),
        ("2023-06-05", DIED),
    ],
)
def test_omop(tmp_path, written, reason):
    """A row of the death table says that somebody died, whatever stands for its day."""
    extract = small_extract()
    extract["death"] = [{"person_id": 1, "death_date": written}]
    omop.ingest(write(tmp_path / "in", extract), tmp_path / "store")
    records, day = Records.load(tmp_path / "store"), dt.date(2024, 1, 1)
    place = records.patient_ids.tolist().index("1")
    assert REASONS[out_of_reach(records, day_of(day))[place]] == reason
    assert "1" not in set(caseload(records, day_of(day)).spine["patient_id"])
    assert "1" not in set(find_gaps(records, day)["patient_id"])


def test_omop_a_death_without_a_day_is_not_undone_by_a_second_row(tmp_path):
    for first, second in (("", "2023-06-05"), ("2023-06-05", "")):
        extract = small_extract()
        extract["death"] = [{"person_id": 1, "death_date": day} for day in (first, second)]
        omop.ingest(write(tmp_path / f"in{first}", extract), tmp_path / f"store{first}")
        records = Records.load(tmp_path / f"store{first}")
        assert "1" not in set(caseload(records, day_of(dt.date(2024, 1, 1))).spine["patient_id"])


@pytest.mark.parametrize(
    ("written", "dead"), [("yes", True), ("2025-13-40", True), ("9999-12-31", False), ("2062-01-01", False)]
)
def test_mhsds(tmp_path, written, dead):
    mpi = MPI.removesuffix("-") + written
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=mpi, MHS101Referral=OPEN)
    assert (why(ingest_mhsds(tmp_path, folder)[0]) == DEATH_UNDATED) == dead


@pytest.mark.parametrize(
    ("left", "method", "reason"),
    [("2001-10-20", "4", DIED), ("1801-01-01", "4", DEATH_UNDATED), ("2001-10-20", "1", ON_CASELOAD)],
)
def test_hes_knows_who_died_in_hospital(tmp_path, left, method, reason):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "apc.csv").write_text(
        "PSEUDO_HESID,EPIKEY,ADMIDATE,DISDATE,DISMETH,ADMIMETH,MAINSPEF\n"
        f"anna,1,2001-09-27,2001-09-30,1,28,710\nanna,2,2001-10-10,{left},{method},28,100\n"
    )
    hes.ingest(tmp_path / "in", tmp_path / "store")
    assert why(Records.load(tmp_path / "store")) == reason


def test_a_word_for_no_death_and_a_placeholder_date_are_no_death():
    assert all(map(says_no_death, ("no", "not dead", "99991231", "9999-12-31T00:00:00", "1753-01-01", "01-Jan-1900")))
    assert not any(map(says_no_death, ("yes", "2025-02-30", "1999", "unknown")))


def test_a_person_is_counted_under_the_first_reason_that_applies():
    """The table of attrition counts a person under the first rule that removes them."""
    stay = {"patient_id": "anna", "admitted_on": "2025-06-01", "known_on": "2025-06-01"}
    referral = {"close_reason": "died", "closed_on": "2025-05-01", "closed_known_on": "2025-05-01"}
    assert why(anna(stays=[stay])) == INPATIENT
    assert why(anna(stays=[stay], patients=[{"patient_id": "anna", "died_on": "yes"}])) == DEATH_UNDATED
    gone = anna(stays=[stay], referrals=[OF_ANNA["referrals"][0] | referral])
    assert why(gone) == DIED
    assert REASONS.index(DIED) < REASONS.index(DEATH_UNDATED) < REASONS.index(INPATIENT)
