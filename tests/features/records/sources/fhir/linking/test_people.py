"""Who a resource is about: five kinds of reference, one person behind several Patients, days of London."""

from __future__ import annotations

import pytest

from features import RecordsError
from features.records.days import day_of
from features.records.reading.nhs_numbers import NhsKey
from features.records.sources.fhir.dates import NotADate, birth_day, day
from tests.features.records.sources.fhir.resources import (
    ANNA,
    LOINC,
    NHS_NUMBER,
    SUBJECT,
    UK_CORE,
    bundle,
    coded,
    fate,
    ingest,
    ndjson,
    one,
    rows,
    to,
)

KEY = NhsKey("k1", b"x" * 32)
NUMBER = {"system": NHS_NUMBER, "value": "943 476 5919"}
WEIGHT = {"status": "final", "code": coded((LOINC, "29463-7")), "effectiveDateTime": "2025-03-01"}
KILOS = {"valueQuantity": {"value": 80, "unit": "kg", "code": "kg"}}


def weighed(**fields):
    return one("Observation", "o1", **WEIGHT, **KILOS, **fields)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-07-01", "2025-07-01"),
        ("2025-07-01T23:30:00Z", "2025-07-02"),
        ("2025-01-01T23:30:00Z", "2025-01-01"),
        ("2025-07-01T00:30:00+01:00", "2025-07-01"),
        ("2025-07-01T00:30:00.123+02:00", "2025-06-30"),
        ("2025-07-01T22:30:00-05:00", "2025-07-02"),
        ("2024", "2024-12-31"),
        ("2024-02", "2024-02-29"),
    ],
)
def test_a_time_is_its_day_in_london_and_a_partial_date_the_last_day_of_its_period(written, read):
    assert day(written) == day_of(read)


def test_a_birth_year_is_the_first_of_july():
    assert birth_day("1980") == day_of("1980-07-01")


@pytest.mark.parametrize("written", ["yesterday", "2025-02-30", "2025-13", "01/02/2025", "2025-07-01T99:00:00Z"])
def test_an_invalid_date_is_refused_and_not_repeated_in_the_error(written):
    with pytest.raises(NotADate) as refused:
        day(written)
    assert written not in str(refused.value)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([(None, ANNA), (None, weighed(subject=SUBJECT))], id="relative"),
        pytest.param(
            [
                ("https://a.example/fhir/Patient/anna", ANNA),
                ("https://a.example/fhir/Observation/o1", weighed(subject=to("https://a.example/fhir/Patient/anna"))),
            ],
            id="absolute",
        ),
        pytest.param(
            [
                ("urn:uuid:5b0d", {k: v for k, v in ANNA.items() if k != "id"}),
                ("urn:uuid:77aa", weighed(subject=to("urn:uuid:5b0d"))),
            ],
            id="urn",
        ),
        pytest.param(
            [(None, {**ANNA, "identifier": [NUMBER]}), (None, weighed(subject={"identifier": NUMBER}))], id="logical"
        ),
    ],
)
def test_every_kind_of_reference_leads_to_the_person(tmp_path, entries):
    records, report = ingest(ndjson(tmp_path / "in", bundle(*entries), name="message.json"))
    assert rows(records, "results", "test", "value") == [("weight", 80.0)]
    assert fate(report, "Observation") == "mapped to results"


def test_a_urn_is_resolved_inside_its_bundle_only_and_people_of_two_servers_differ(tmp_path):
    there = "https://b.example/fhir/Patient/anna"
    folder = ndjson(tmp_path / "in", bundle(("https://a.example/fhir/Patient/anna", ANNA)), name="1.json")
    ndjson(folder, bundle(("urn:uuid:5b0d", one("Patient", "bob"))), name="2.json")
    ndjson(
        folder,
        bundle(
            ("https://a.example/fhir/Observation/o1", weighed(subject=to(there))),
            ("https://a.example/fhir/Observation/o2", {**weighed(subject=to("urn:uuid:5b0d")), "id": "o2"}),
        ),
        name="3.json",
    )
    records, report = ingest(folder)
    assert len(records["results"]) == 0
    assert report["types"]["Observation"]["fates"] == {"set aside: the reference to the person leads nowhere": 1,
                                                       "set aside: no person is named": 1}  # fmt: skip


def test_one_nhs_number_is_one_person_and_becomes_a_pseudonym_with_the_key(tmp_path):
    people = [{**ANNA, "identifier": [NUMBER]}, {**ANNA, "id": "anna-2", "identifier": [NUMBER]}]
    seen = weighed(subject=to("Patient/anna-2"))
    records, report = ingest(tmp_path / "in", *people, seen)
    assert rows(records, "results", "patient_id") == [("anna",)]
    assert report["types"]["Patient"]["fates"] == {"mapped to patients": 1, "merged into the same person": 1}
    keyed, _ = ingest(tmp_path / "in", nhs_key=KEY)
    assert rows(keyed, "results", "patient_id") == [(KEY.pseudonym("9434765919"),)]
    stored = b"".join(file.read_bytes() for file in (tmp_path / "in-store").iterdir())
    assert b"9434765919" not in stored and b"943 476" not in stored


def test_two_birth_dates_under_one_number_stay_two_people(tmp_path):
    people = [
        {**ANNA, "identifier": [NUMBER]},
        {**ANNA, "id": "bea", "birthDate": "1999-01-01", "identifier": [NUMBER]},
    ]
    records, report = ingest(tmp_path / "in", *people, nhs_key=KEY)
    assert rows(records, "patients", "patient_id") == [("anna",), ("bea",)]
    assert any("two birth dates" in note for note in report["notes"])


def test_a_local_number_that_two_people_share_never_joins_them(tmp_path):
    local = {"system": "https://trust.example/id", "value": "7"}
    people = [{**ANNA, "identifier": [local]}, one("Patient", "bob", identifier=[local])]
    records, _ = ingest(tmp_path / "in", *people, weighed(subject={"identifier": local}))
    assert rows(records, "patients", "patient_id") == [("anna",), ("bob",)]
    assert len(records["results"]) == 0


def test_a_replaced_patient_is_the_one_that_replaced_it_and_a_death_in_either_counts(tmp_path):
    old = {**ANNA, "id": "old", "deceasedDateTime": "2025-06-01", "link": [{"other": SUBJECT, "type": "replaced-by"}]}
    records, _ = ingest(tmp_path / "in", ANNA, old, weighed(subject=to("Patient/old")))
    assert rows(records, "patients", "patient_id", "died_on") == [("anna", "2025-06-01")]
    assert rows(records, "results", "patient_id") == [("anna",)]


def test_a_patient_id_that_is_an_nhs_number_is_refused(tmp_path):
    with pytest.raises(RecordsError, match="1 Patient ids are NHS numbers"):
        ingest(tmp_path / "in", one("Patient", "9434765919"))


def test_ethnicity_and_interpreter_come_from_uk_core_extensions(tmp_path):
    ethnic = {"url": f"{UK_CORE}EthnicCategory", "valueCodeableConcept": coded(("x", "N"))}
    spoken = {
        "language": coded(("x", "pl")),
        "extension": [
            {"url": f"{UK_CORE}NHSCommunication", "valueBoolean": None},
            {"url": "interpreterRequired", "valueBoolean": True},
        ],
    }
    records, _ = ingest(
        tmp_path / "in",
        {**ANNA, "extension": [ethnic], "communication": [spoken], "meta": {"lastUpdated": "2025-01-02T10:00:00Z"}},
    )
    assert rows(records, "patients", "sex", "ethnicity") == [("female", "black")]
    assert rows(records, "circumstances", "kind", "value", "from_on") == [("interpreter", "required", "2025-01-02")]


def test_somebody_dead_without_a_date_died_by_the_last_update_or_the_day_of_the_export(tmp_path):
    import datetime as dt

    gone = [{**ANNA, "deceasedBoolean": True, "meta": {"lastUpdated": "2025-01-02T10:00:00Z"}},
            one("Patient", "bob", deceasedBoolean=True)]  # fmt: skip
    records, report = ingest(tmp_path / "in", *gone, exported=dt.date(2025, 3, 1))
    assert rows(records, "patients", "patient_id", "died_on") == [("anna", "2025-01-02"), ("bob", "2025-03-01")]
    assert any("deceased without a date" in note for note in report["notes"])
