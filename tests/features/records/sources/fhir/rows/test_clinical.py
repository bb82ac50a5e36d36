"""Results, conditions, allergies and circumstances from Observation, Condition, AllergyIntolerance and Flag."""

from __future__ import annotations

import pytest

from tests.features.records.sources.fhir.resources import LOINC, SNOMED, SUBJECT, coded, fate, ingest, one, rows

ANC_UK, ANC_LOINC = (SNOMED, "1022551000000104"), (LOINC, "751-8")


def observed(*codes, value=None, unit="10*9/L", status="final", **fields):
    quantity = {} if value is None else {"valueQuantity": {"value": value, "unit": unit, "code": unit}}
    given = {"effectiveDateTime": "2025-03-01", "issued": "2025-03-02T08:00:00Z", **quantity, **fields}
    return one("Observation", "o1", status=status, code=coded(*codes), subject=SUBJECT, **given)


@pytest.mark.parametrize("codes", [(ANC_UK,), (ANC_LOINC,), (ANC_UK, ANC_LOINC)])
def test_a_test_is_known_by_its_uk_code_or_by_loinc(tmp_path, codes):
    records, _ = ingest(tmp_path / "in", observed(*codes, value=2.1))
    assert rows(records, "results", "test", "taken_on", "value", "known_on") == [
        ("anc", "2025-03-01", 2.1, "2025-03-02")
    ]


def test_a_row_with_conflicting_codings_is_set_aside(tmp_path):
    records, report = ingest(tmp_path / "in", observed(ANC_UK, (LOINC, "2951-2"), value=140))
    assert len(records["results"]) == 0
    assert fate(report, "Observation") == "set aside: conflicting codings"


def test_a_test_that_was_not_done_never_counts_as_done(tmp_path):
    absent = coded(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unsatisfactory"))
    records, report = ingest(tmp_path / "in", observed(ANC_UK, dataAbsentReason=absent))
    assert len(records["results"]) == 0
    assert fate(report, "Observation") == "left out: the test was not done (dataAbsentReason)"


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error", "unknown"])
def test_an_observation_that_is_not_reported_is_not_read(tmp_path, status):
    records, report = ingest(tmp_path / "in", observed(ANC_UK, value=2.1, status=status))
    assert (len(records["results"]), fate(report, "Observation")) == (0, "not read: status")


def test_a_panel_gives_each_of_its_parts_but_those_without_a_value(tmp_path):
    parts = [
        {"code": coded((LOINC, "8480-6")), "valueQuantity": {"value": 120, "code": "mm[Hg]"}},
        {"code": coded((LOINC, "8462-4")), "dataAbsentReason": coded(("x", "error"))},
    ]
    records, _ = ingest(tmp_path / "in", observed((LOINC, "85354-9"), component=parts))
    assert sorted(rows(records, "results", "test", "value")) == [("blood_pressure", "-"), ("systolic_bp", 120.0)]


def test_a_diagnosis_is_found_through_the_parents_of_its_icd_code(tmp_path):
    found = one(
        "Condition", code=coded(("http://hl7.org/fhir/sid/icd-10", "F20.0")), subject=SUBJECT, recordedDate="2025-01-05"
    )
    records, _ = ingest(tmp_path / "in", found)
    assert rows(records, "conditions", "category", "system", "code", "label", "known_on") == [
        ("diagnosis", "icd10", "F20.0", "schizophrenia", "2025-01-05")
    ]


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
@pytest.mark.parametrize("kind", ["Condition", "AllergyIntolerance"])
def test_what_was_refuted_is_left_out(tmp_path, kind, status):
    who = {"subject": SUBJECT} if kind == "Condition" else {"patient": SUBJECT}
    wrong = one(
        kind,
        code=coded((SNOMED, "58214004")),
        recordedDate="2025-01-05",
        verificationStatus=coded(("x", status)),
        **who,
    )
    records, report = ingest(tmp_path / "in", wrong)
    assert (len(records["conditions"]), fate(report, kind)) == (0, "left out: refuted or entered in error")


def test_no_known_drug_allergy_is_a_status_and_no_allergy(tmp_path):
    none = one("AllergyIntolerance", code=coded((SNOMED, "409137002")), patient=SUBJECT, recordedDate="2025-01-05")
    records, _ = ingest(tmp_path / "in", none)
    assert rows(records, "conditions", "category", "label") == [("allergy", "no known drug allergy")]


def test_smoking_is_a_circumstance(tmp_path):
    records, _ = ingest(tmp_path / "in", observed((LOINC, "72166-2"), valueCodeableConcept=coded((SNOMED, "77176002"))))
    assert rows(records, "circumstances", "kind", "value", "from_on") == [("smoking", "smoker", "2025-03-01")]


def test_a_date_that_cannot_be_read_sets_its_row_aside_and_no_other(tmp_path):
    records, report = ingest(
        tmp_path / "in",
        observed(ANC_UK, value=2.1, effectiveDateTime="01/02/2025"),
        {**observed(ANC_UK, value=3), "id": "o2"},
    )
    assert rows(records, "results", "value") == [(3.0,)]
    assert report["types"]["Observation"]["fates"] == {
        "mapped to results": 1,
        "set aside: a date that cannot be read": 1,
    }


def test_words_in_place_of_a_number_never_count_as_a_result_that_was_read(tmp_path):
    records, _ = ingest(tmp_path / "in", observed(ANC_UK, valueString="QNS"))
    assert [row for row in rows(records, "results", "value") if row != ("-",)] == []
    assert len(records["results"]) == 0


LITHIUM, PRESSURE, SMOKING = (LOINC, "14334-7"), (LOINC, "85354-9"), (LOINC, "72166-2")
ICD10 = "http://hl7.org/fhir/sid/icd-10"


def unread(records):
    return [(one.concept, one.column, one.value) for one in records.unread_of("anna")]


@pytest.mark.parametrize(
    ("codes", "fields", "told", "said"),
    [
        ((PRESSURE,), {"valueString": "185/112"}, [("systolic_bp", 185.0), ("diastolic_bp", 112.0)], []),
        ((PRESSURE,), {"valueString": "BP 185 / 112 mmHg"}, [("systolic_bp", 185.0), ("diastolic_bp", 112.0)], []),
        (
            (PRESSURE,),
            {"value": 185, "unit": "mm[Hg]"},
            [("blood_pressure", "-")],
            [("blood_pressure", "value", "185.0")],
        ),
        (((LOINC, "11524-6"),), {"value": 520, "unit": "ms"}, [("qtc", 520.0)], []),
        ((LITHIUM,), {"valueString": "2.1 mmol/L H"}, [("lithium_level", 2.1)], []),
        (
            (LITHIUM,),
            {"valueCodeableConcept": {"text": "Below detection"}},
            [],
            [("lithium_level", "value", "Below detection")],
        ),
    ],
)
def test_a_value_that_is_no_number_is_read_or_shown(tmp_path, codes, fields, told, said):
    records, _ = ingest(tmp_path / "in", observed(*codes, **fields))
    assert rows(records, "results", "test", "value") == told
    assert unread(records) == said


@pytest.mark.parametrize(
    "code",
    [
        {"text": "Lithium level"},
        {"coding": [{"system": "urn:lab", "code": "LI", "display": "Serum lithium"}]},
        {"coding": [{"system": "urn:lab", "code": "LI"}], "text": "Li"},
    ],
)
def test_a_test_that_is_known_by_its_name_alone_stays_with_the_person(tmp_path, code):
    found = observed(value=2.1, unit="mmol/L") | {"code": code}
    records, _ = ingest(tmp_path / "in", found)
    assert len(records["results"]) == 0
    assert unread(records) == [("lithium_level", "value", "a name without a code of ours: 2.1 mmol/L")]
    records, report = ingest(tmp_path / "other", found | {"code": {"text": "Shoe size"}})
    assert (unread(records), fate(report, "Observation")) == ([], "not mapped: the code is in no mapping table")


@pytest.mark.parametrize(
    ("codes", "fields", "told", "said"),
    [
        ((SMOKING,), {"valueString": "Ex-smoker"}, ["ex_smoker"], []),
        ((SMOKING,), {"valueCodeableConcept": {"text": "20 a day"}}, ["20_a_day"], []),
        ((SMOKING,), {"valueCodeableConcept": {"text": "at weekends"}}, [], [("smoking", "value", "at weekends")]),
        (((SNOMED, "8517006"),), {}, ["ex_smoker"], []),  # the code is the answer, as general practice writes it
        (((SNOMED, "77176002"),), {}, ["smoker"], []),
        (((SNOMED, "8517006"),), {"valueBoolean": False}, [], []),
    ],
)
def test_smoking_in_words_and_as_the_code_itself(tmp_path, codes, fields, told, said):
    records, _ = ingest(tmp_path / "in", observed(*codes, **fields))
    assert [value for (value,) in rows(records, "circumstances", "value")] == told
    assert unread(records) == said


def diagnosed(code, clinical=None, verification=None, **fields):
    status = {"clinicalStatus": coded(("x", clinical))} if clinical else {}
    status |= {"verificationStatus": coded(("x", verification))} if verification else {}
    return one("Condition", code=code, subject=SUBJECT, recordedDate="2025-01-05", **status, **fields)


@pytest.mark.parametrize(
    ("found", "told", "said"),
    [
        (diagnosed(coded((ICD10, "F20.0")), verification="provisional"), ["schizophrenia"], []),
        (diagnosed(coded((ICD10, "F20.0")), verification="differential"), [], []),
        (diagnosed(coded((ICD10, "O24.4"))), ["pregnancy"], []),
        (diagnosed(coded((SNOMED, "77386006"))), ["pregnancy"], []),
        (diagnosed(coded((SNOMED, "77386006")), clinical="resolved"), [], []),
        (diagnosed({"text": "Bipolar affective disorder"}), ["Bipolar affective disorder"], []),
        (diagnosed({"text": "FH: bipolar"}), ["FH: bipolar"], [("diagnosis", "label", "FH: bipolar")]),
        (diagnosed({"text": "Ingrowing nail"}), [], []),
    ],
)
def test_a_diagnosis_in_words_and_one_that_is_none(tmp_path, found, told, said):
    records, _ = ingest(tmp_path / "in", found)
    assert [label for (label,) in rows(records, "conditions", "label")] == told
    assert unread(records) == said


def test_an_allergy_in_words_is_read_and_one_without_a_day_stays_with_the_person(tmp_path):
    allergy = one("AllergyIntolerance", code={"text": "Clozapine"}, patient=SUBJECT, recordedDate="2025-01-05")
    assert rows(ingest(tmp_path / "a", allergy)[0], "conditions", "label", "recorded_on") == [
        ("Clozapine", "2025-01-05")
    ]
    del allergy["recordedDate"]
    assert unread(ingest(tmp_path / "b", allergy)[0]) == [("allergy", "recorded_on", "")]
    dated = allergy | {"meta": {"lastUpdated": "2025-02-01T10:00:00Z"}}
    assert rows(ingest(tmp_path / "c", dated)[0], "conditions", "recorded_on") == [("2025-02-01",)]


def test_a_flag_with_a_name_alone_stays_with_the_person(tmp_path):
    flag = one("Flag", status="active", code={"text": "BEN"}, subject=SUBJECT, period={"start": "2025-01-01"})
    records, _ = ingest(tmp_path / "in", flag)
    assert unread(records) == [("benign_ethnic_neutropenia", "value", "a flag without a code of ours")]
