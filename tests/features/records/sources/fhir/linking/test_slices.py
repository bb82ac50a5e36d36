"""An extract is linked in slices of bounded size; where a slice ends changes nothing."""

from __future__ import annotations

import numpy as np

from features.records.days import NO_DAY
from features.records.sources.fhir.extract import extract
from features.records.sources.fhir.linking import slices
from features.records.sources.fhir.linking.slices import DayByKey
from tests.features.records.sources.fhir.resources import ANNA, LOINC, SUBJECT, coded, ingest, ndjson, one, to


def visit(name, appointment, subject=SUBJECT):
    booking = [to(f"Appointment/{appointment}")]
    return one("Encounter", name, status="finished", subject=subject, appointment=booking,
               **{"class": {"code": "AMB"}}, period={"start": "2025-03-01"})  # fmt: skip


def weight(name, day, **quantity):
    return one("Observation", name, status="final", subject=SUBJECT, code=coded((LOINC, "29463-7")),
               effectiveDateTime=day, valueQuantity={"value": 80, "unit": "kg", **quantity})  # fmt: skip


FILES = [
    [ANNA, visit("e1", "a1"), weight("o1", "2025-01-01"), weight("lost", "2025-01-01") | {"subject": to("Patient/x")}],
    [weight("o2", "2025-02-01", comparator="<"), visit("e2", "a1"), visit("e3", "a2", to("Patient/ben"))],
    [
        one("Patient", "ben", birthDate="1970-01-01"),
        *(
            one("Appointment", name, status="booked", start="2025-03-01T10:00:00Z",
                participant=[{"actor": SUBJECT, "status": "accepted"}])
            for name in ("a1", "a2")
        ),
        one("Provenance", "p1", target=[to("Encounter/e2")], recorded="2025-03-09", activity=coded(("x", "CREATE"))),
    ],
]  # fmt: skip


def test_the_store_is_the_same_wherever_a_slice_ends(tmp_path, monkeypatch):
    def read(name):
        for number, resources in enumerate(FILES):
            ndjson(tmp_path / name, *resources, name=f"{number}.ndjson")
        return ingest(tmp_path / name)

    whole, account = read("whole")
    monkeypatch.setattr(slices, "ROWS", 1)
    monkeypatch.setattr(extract, "MANY_ROWS", 1)  # each in a file
    sliced, told = read("sliced")
    assert sliced.data_hash == whole.data_hash
    assert told == account
    assert account["types"]["Encounter"]["fates"]["merged into its Appointment"] == 1
    assert whole["contacts"]["patient_id"].tolist() == ["anna", "ben"]  # one contact for each person and day
    assert whole["results"]["comparator"].isna().tolist() == [True, False]


def test_of_several_days_the_first_creation_and_the_last_update_are_taken():
    keys, days = np.array([7, 3, 7, 2**64 - 1], np.uint64), np.array([20, 5, 10, 1], np.int32)
    asked = np.array([3, 7, 2**64 - 1, 0], np.uint64)
    assert DayByKey.earliest(keys, days).of(asked, NO_DAY).tolist() == [5, 10, 1, NO_DAY]
    assert DayByKey.latest(keys, days).of(asked, -1).tolist() == [5, 20, 1, -1]
    assert DayByKey.latest(keys[:0], days[:0]).of(asked, -1).tolist() == [-1] * 4
