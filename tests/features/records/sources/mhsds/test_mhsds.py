"""MHSDS submissions: what each code means, when a row became known, what is said of what they cannot give."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records, RecordsError
from features.engine.caseload import DEATH_UNDATED, REASONS, out_of_reach
from features.records.days import day_of
from features.records.reading.nhs_numbers import NhsKey
from features.records.sources import mhsds
from features.records.sources.mhsds.rules import ValidationRule, check, check_all
from tests.features.records.sources.fhir.resources import rows

HEADER = "DatSetVer,ReportingPeriodStartDate,ReportingPeriodEndDate,DateTimeDatSetCreate\n"


def submission(folder, month, created, version="6.0", **tables):
    place = folder / month
    place.mkdir(parents=True)
    (place / "MHS000Header.csv").write_text(f"{HEADER}{version},{month}-01,{month}-28,{created}T10:00:00\n")
    for name, text in tables.items():
        lines = [line.split() for line in text.strip().splitlines()]
        (place / f"{name}.csv").write_text(
            "".join(",".join("" if cell == "-" else cell for cell in line) + "\n" for line in lines)
        )
    return folder


MPI = "LocalPatientID NHSNumber PersonBirthDate Gender EthnicCategory PersDeathDate\n anna 9434765919 1980-05-01 2 N -"
REFERRAL = (
    "ServiceRequestID LocalPatientID CareProfTeamLocalID ReferralRequestReceivedDate ServDischDate ReferClosReason\n"
)
OPEN = REFERRAL + "r1 anna T1 2024-12-20 - -"
CONTACT = "CareContactID ServiceRequestID CareContDate AttendStatus ConsMechanismMH CareContSubj\n"


def ingest(tmp_path, folder, **options):
    report = mhsds.ingest(folder, tmp_path / "store", **options)
    for table in report["tables"].values():
        assert sum(table["fates"].values()) == table["rows"]
    return Records.load(tmp_path / "store"), report


@pytest.mark.parametrize(
    ("attend", "outcome"),
    [
        ("5", "attended"),
        ("6", "attended"),
        ("7", "did_not_attend"),
        ("3", "did_not_attend"),
        ("2", "cancelled_by_patient"),
        ("4", "cancelled_by_service"),
    ],
)
@pytest.mark.parametrize(("version", "column"), [("6.0", "AttendStatus"), ("5.0", "AttendOrDNACode")])
def test_attendance_codes_of_both_versions(tmp_path, attend, outcome, version, column):
    contact = CONTACT.replace("AttendStatus", column) + f"c1 r1 2025-01-10 {attend} 11 01"
    folder = submission(
        tmp_path / "in", "2025-01", "2025-02-05", version, MHS001MPI=MPI, MHS101Referral=OPEN, MHS201CareContact=contact
    )
    records, _ = ingest(tmp_path, folder)
    assert rows(records, "contacts", "outcome", "mode", "team_id", "known_on") == [
        (outcome, "video", "T1", "2025-02-05")
    ]


def test_a_contact_with_somebody_else_is_one_with_the_carer_and_a_procedure_names_a_review(tmp_path):
    contacts = CONTACT + "c1 r1 2025-01-10 5 01 02\n c2 r1 2025-01-11 5 01 01"
    activity = "CareActID CareContactID Procedure\n a1 c2 1239511000000100"
    folder = submission(
        tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN, MHS201CareContact=contacts,
        MHS202CareActivity=activity,
    )  # fmt: skip
    records, _ = ingest(tmp_path, folder)
    assert rows(records, "contacts", "contact_id", "kind") == [("c1", "carer"), ("c2", "medicines_review")]


def test_a_referral_sent_every_month_is_one_and_its_closure_was_known_when_first_sent(tmp_path):
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN)
    over = REFERRAL + "r1 anna T1 2024-12-20 2025-02-10 05"
    submission(folder, "2025-02", "2025-03-06", MHS001MPI=MPI, MHS101Referral=over)
    records, report = ingest(tmp_path, folder)
    assert rows(records, "referrals", "opened_on", "closed_on", "close_reason", "closed_known_on") == [
        ("2024-12-20", "2025-02-10", "did_not_attend", "2025-03-06")
    ]
    assert report["tables"]["MHS101Referral"]["fates"]["merged into its latest submission"] == 1


def test_what_lies_before_the_first_submission_was_known_after_45_days(tmp_path):
    early = REFERRAL + "r1 anna T1 2024-06-01 - -"
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=early)
    assert rows(ingest(tmp_path, folder)[0], "referrals", "known_on") == [("2024-07-16",)]


def test_a_death_stays_a_death_in_later_submissions_that_no_longer_hold_it(tmp_path):
    folder = submission(
        tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI[:-1] + "2025-01-20", MHS101Referral=OPEN
    )
    submission(folder, "2025-02", "2025-03-06", MHS001MPI=MPI, MHS101Referral=OPEN)
    assert rows(ingest(tmp_path, folder)[0], "patients", "died_on", "ethnicity") == [("2025-01-20", "black")]


def test_a_spell_has_its_ward_and_the_legal_status_of_its_first_day(tmp_path):
    spell = "HospProvSpellID ServiceRequestID StartDateHospProvSpell DischDateHospProvSpell MethAdmMHHospProvSpell\n" \
            "h1 r1 2025-01-05 - 2A"  # fmt: skip
    ward = "WardStayID HospProvSpellID StartDateWardStay MHAdmittedPatientClass\n w1 h1 2025-01-05 202"
    columns = "MHActLegalStatusClassPeriodID LocalPatientID StartDateMHActLegalStatusClass LegalStatusCode"
    law = columns + "\n l1 anna 2025-01-05 02"
    folder = submission(
        tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN, MHS501HospProvSpell=spell,
        MHS502WardStay=ward, MHS401MHActPeriod=law,
    )  # fmt: skip
    records, _ = ingest(tmp_path, folder)
    assert rows(records, "stays", "admitted_on", "discharged_on", "method", "ward", "legal_status") == [
        ("2025-01-05", "-", "emergency", "picu", "section_2")
    ]


def test_the_nhs_number_becomes_the_id_with_the_key_and_is_never_stored(tmp_path):
    key = NhsKey("k1", b"x" * 32)
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN)
    records, _ = ingest(tmp_path, folder, nhs_key=key)
    assert rows(records, "referrals", "patient_id") == [(key.pseudonym("9434765919"),)]
    assert not any(b"9434765919" in file.read_bytes() for file in (tmp_path / "store").iterdir())


def test_an_unknown_version_is_refused_and_what_cannot_be_given_is_said(tmp_path):
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN)
    assert [what.split(":")[0] for what in ingest(tmp_path, folder)[1]["cannot_give"]][:2] == ["bookings", "medicines"]
    with pytest.raises(RecordsError, match=r"version 7\.1"):
        mhsds.ingest(submission(tmp_path / "new", "2025-01", "2025-02-05", "7.1", MHS001MPI=MPI), tmp_path / "x")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[M1]A is blank.", {"A": [None, "1"]}),
        ("[M1]ADate has an incorrect data format. [M1]ADate=<ADate>", {"ADate": ["01/02/2025", "2025-01-02"]}),
        (
            "[M1]ADate is after the [M2]ReportingPeriodEndDate. [M1]ADate=<ADate>",
            {"ADate": ["2025-02-01", "2025-01-02"]},
        ),
        (
            "[M1]ADate is before the associated [M2]BDate. ",
            {"ADate": ["2025-01-01", "2025-01-03"], "BDate": ["2025-01-02"] * 2},
        ),
        ("Warning - [M1]A is blank but [M2]B is populated. x", {"A": [None, "1"], "B": ["1", "1"]}),
        (
            "Warning - [M1]A is blank but [M2]B is populated with code 05 or code 06. x",
            {"A": [None, None], "B": ["05", "07"]},
        ),
        (
            "Warning - [M1]A is populated but code 04 has been submitted for [M2]B. x",
            {"A": ["1", "1"], "B": ["04", "05"]},
        ),
        ("Warning - [M1]A is populated but [M2]B has been populated with 'N' x", {"A": ["1", "1"], "B": ["N", "Y"]}),
        ("Severity 1 Warning - [M1]A does not match [M2]B. x", {"A": ["RX1", "RX2"], "B": ["RX2", "RX2"]}),
        ("[M1]ATime has an incorrect data format. x", {"ATime": ["25:00:00", "09:30:00"]}),
        (
            "[M1]BirthDay is populated with a date that indicates the person is outside of the 0-130 years age range",
            {"BirthDay": ["1850-01-01", "1950-01-01"]},
        ),
        ("[M1]Finding has failed SNOMED CT checks. x", {"Finding": ["1239511000000101", "1239511000000100"]}),
        ("[M1]DatSetVer has incorrect value for current ruling data set. x", {"DatSetVer": ["9.9", "6.0"]}),
        ("No valid [MHS001]MPI submitted for this [M1]LocalPatientID. x", {"LocalPatientID": ["bob", "anna"]}),
    ],
)
def test_a_rule_finds_the_row_that_breaks_it_and_no_other(text, broken):
    tables = {
        "MHS000Header": pd.DataFrame({"ReportingPeriodEndDate": ["2025-01-31"]}),
        "MHS001MPI": pd.DataFrame({"LocalPatientID": ["anna"]}),
        "T": pd.DataFrame(broken),
    }
    verdict = check(tables, [ValidationRule("R1", "T", "A", text, True)])
    assert (verdict.rejected, verdict.evaluated) == ({"R1": 1}, 1)


@pytest.mark.parametrize(
    ("values", "fate"),
    [
        (["1", "2"], "evaluated"),  # both are codes of our list
        (
            ["1", "K"],
            "a national table",
        ),  # K may be a code that our list lacks: not said to be wrong, not said to be right
        ([None, None], "the item was not sent"),
    ],
)
def test_a_national_code_is_evaluated_where_our_list_holds_every_value(values, fate):
    rule = ValidationRule("R1", "T", "Gender", "Warning - [M1]Gender contains an invalid national code value. x", False)
    verdict = check({"T": pd.DataFrame({"Gender": values})}, [rule])
    assert verdict.fates == {"R1": fate} and not verdict.warned


def test_a_rule_gets_its_weakest_result_over_all_submissions():
    rule = ValidationRule("R1", "T", "Gender", "Warning - [M1]Gender contains an invalid national code value. x", False)
    months = [{"T": pd.DataFrame({"Gender": [value]})} for value in (None, "1", "K", "1")]
    assert check_all(months[:1], [rule]).fates == {"R1": "the item was not sent"}
    assert check_all(months[:2], [rule]).fates == {"R1": "evaluated"}
    assert check_all(months, [rule]).fates == {"R1": "a national table"}


def test_a_rule_that_needs_a_national_table_is_not_counted_as_passed():
    verdict = check(
        {"T": pd.DataFrame({"A": ["1"]})}, [ValidationRule("R1", "T", "A", "[M1]A is not in national tables.", True)]
    )
    assert (verdict.evaluated, verdict.not_evaluable) == (0, {"a national table": 1})


@pytest.mark.parametrize(
    ("attend", "mechanism", "row", "said"),
    [
        ("05", "1", ("attended", "face_to_face"), []),
        ("5", "77", ("attended", "not_recorded"), [("mode", "77")]),
        ("-", "11", None, [("outcome", "")]),
        ("8", "11", None, [("outcome", "8")]),
    ],
)
def test_codes_are_read_in_any_spelling_and_those_that_no_table_holds_stay_with_the_person(
    tmp_path, attend, mechanism, row, said
):
    contact = CONTACT + f"c1 r1 2025-01-10 {attend} {mechanism} 01"
    folder = submission(
        tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN, MHS201CareContact=contact
    )
    records, _ = ingest(tmp_path, folder)
    assert rows(records, "contacts", "outcome", "mode") == ([] if row is None else [row])
    assert [(one.column, one.value) for one in records.unread_of("anna")] == said


@pytest.mark.parametrize(
    ("closed", "reason", "row"),
    [
        ("9999-12-31", "-", ("-", "-")),
        ("2099-12-31", "02", ("-", "-")),
        ("2025-01-10", "5", ("2025-01-10", "did_not_attend")),
        ("2025-01-10", "77", ("2025-01-10", "other")),
    ],
)
def test_a_day_that_stands_for_none_closes_no_referral(tmp_path, closed, reason, row):
    referral = REFERRAL + f"r1 anna T1 2024-12-20 {closed} {reason}"
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=referral)
    assert rows(ingest(tmp_path, folder)[0], "referrals", "closed_on", "close_reason") == [row]


def test_a_referral_closed_by_death_without_a_day_is_a_death_without_a_day(tmp_path):
    referral = REFERRAL + "r1 anna T1 2024-12-20 - 06"
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=referral)
    records, _ = ingest(tmp_path, folder)
    assert REASONS[out_of_reach(records, day_of("2025-06-01"))[0]] == DEATH_UNDATED


def test_a_community_treatment_order_ends_with_its_end(tmp_path):
    columns = "MHActLegalStatusClassPeriodID LocalPatientID StartDateMHActLegalStatusClass LegalStatusCode"
    order = "MHActLegalStatusClassPeriodID StartDateCommTreatOrd EndDateCommTreatOrd\n l1 2024-12-01 "
    law = columns + "\n l1 anna 2024-11-05 03"
    tables = {"MHS001MPI": MPI, "MHS101Referral": OPEN, "MHS401MHActPeriod": law}
    folder = submission(tmp_path / "in", "2025-01", "2025-02-05", MHS404CommTreatOrder=order + "-", **tables)
    submission(folder, "2025-02", "2025-03-06", MHS404CommTreatOrder=order + "2025-02-10", **tables)
    assert rows(ingest(tmp_path, folder)[0], "circumstances", "value", "from_on", "known_on") == [
        ("yes", "2024-12-01", "2025-01-15"),
        ("no", "2025-02-10", "2025-03-06"),
    ]


def test_a_pregnancy_is_read_and_its_day_is_the_day_in_london(tmp_path):
    diagnosis = "ServiceRequestID PrimDiag DiagSchemeInUse CodedDiagTimestamp\n r1 Z321 02 2024-07-14T23:30:00Z"
    folder = submission(
        tmp_path / "in", "2025-01", "2025-02-05", MHS001MPI=MPI, MHS101Referral=OPEN, MHS604PrimDiag=diagnosis
    )
    assert rows(ingest(tmp_path, folder)[0], "conditions", "code", "label", "recorded_on") == [
        ("Z321", "pregnancy", "2024-07-15")
    ]
