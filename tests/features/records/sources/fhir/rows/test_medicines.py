"""Supplies from medication messages: what was prescribed, handed over and given."""

from __future__ import annotations

import pytest

from tests.features.records.sources.fhir.resources import EPS, SNOMED, SUBJECT, coded, fate, ingest, one, rows, to

CLOZAPINE_VTM = (SNOMED, "96221003")
RISPERIDONE_1MG = (SNOMED, "321589009")
ARIPIPRAZOLE = (SNOMED, "406785006")
INTRAMUSCULAR = coded((SNOMED, "78421000"))


def dosage(value, code, frequency=1, period=1, unit="d", **fields):
    return {
        "timing": {"repeat": {"frequency": frequency, "period": period, "periodUnit": unit}},
        "doseAndRate": [{"doseQuantity": {"value": value, "code": code}}],
        **fields,
    }


def dispense(*codes, **fields):
    given = {"whenHandedOver": "2025-03-01T10:00:00Z", "status": "completed", **fields}
    return one("MedicationDispense", subject=SUBJECT, medicationCodeableConcept=coded(*codes), **given)


def request(*codes, **fields):
    given = {"status": "active", "intent": "order", "authoredOn": "2025-03-01", **fields}
    return one("MedicationRequest", subject=SUBJECT, medicationCodeableConcept=coded(*codes), **given)


COLUMNS = ("medicine", "route", "kind", "supplied_on", "days_supplied", "daily_dose_mg")


@pytest.mark.parametrize("system", [SNOMED, "https://dmd.nhs.uk", "https://dmd.nhs.uk/"])
def test_each_code_system_address_of_dmd_is_recognised(tmp_path, system):
    records, _ = ingest(tmp_path / "in", dispense((system, CLOZAPINE_VTM[1]), daysSupply={"value": 28, "code": "d"}))
    assert rows(records, "supplies", *COLUMNS) == [("clozapine", "oral", "dispensed", "2025-03-01", 28.0, "-")]


@pytest.mark.parametrize(
    ("fields", "days", "dose"),
    [
        ({"daysSupply": {"value": 4, "code": "wk"}}, 28.0, "-"),
        ({"quantity": {"value": 56, "unit": "tablet"}, "dosageInstruction": [dosage(1, "tablet", 2)]}, 28.0, 2.0),
        ({"quantity": {"value": 56, "unit": "tablet"}, "dosageInstruction": [dosage(2, "mg", 1)]}, 28.0, 2.0),
        ({"dosageInstruction": [dosage(2, "mg", 2), dosage(1, "mg", 1)]}, "-", 5.0),
        ({"quantity": {"value": 56, "unit": "tablet"}, "daysSupply": {"value": 28, "code": "d"}}, 28.0, 2.0),
        (
            {"quantity": {"value": 56, "unit": "tablet"}, "dosageInstruction": [{"text": "2 a day for 28 days"}]},
            "-",
            "-",
        ),
    ],
)
def test_days_and_dose_come_from_structure_and_never_from_free_text(tmp_path, fields, days, dose):
    records, _ = ingest(tmp_path / "in", dispense(RISPERIDONE_1MG, **fields))
    assert rows(records, "supplies", "days_supplied", "daily_dose_mg") == [(days, dose)]


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("0001", "completed", "mapped to supplies"),
        ("0003", "in-progress", "mapped to supplies"),
        ("0002", "completed", "left out: not dispensed, not handed over"),
        ("0004", "completed", "left out: owing, not handed over"),
        ("0005", "completed", "left out: cancelled, not handed over"),
        ("0006", "completed", "left out: expired, not handed over"),
        (None, "preparation", "not read: status"),
    ],
)
def test_the_type_code_of_eps_decides_whether_anything_was_handed_over(tmp_path, code, status, outcome):
    kind = {"type": {"coding": [{"system": EPS, "code": code, "display": "Item fully dispensed"}]}} if code else {}
    records, report = ingest(tmp_path / "in", dispense(CLOZAPINE_VTM, status=status, **kind))
    assert fate(report, "MedicationDispense") == outcome
    assert len(records["supplies"]) == outcome.startswith("mapped")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, "mapped to supplies"),
        ({"intent": "proposal"}, "left out: not an order"),
        ({"intent": "plan"}, "left out: not an order"),
        ({"status": "draft"}, "not read: status"),
        ({"status": "cancelled"}, "left out: withdrawn"),
        ({"doNotPerform": True}, "left out: an order not to give"),
    ],
)
def test_only_an_order_is_a_prescription(tmp_path, fields, outcome):
    records, report = ingest(tmp_path / "in", request(CLOZAPINE_VTM, **fields))
    assert fate(report, "MedicationRequest") == outcome
    assert len(records["supplies"]) == outcome.startswith("mapped")


LOCAL = ("https://trust.example/medicines", "12345")


@pytest.mark.parametrize("door", ["in the order", "contained", "a resource of its own"])
@pytest.mark.parametrize(
    ("concept", "kept"),
    [
        ({"text": "Clozapine 100mg tablets"}, "Clozapine 100mg tablets"),
        (coded((SNOMED, "196421000000109"), text="Clozapine 100mg tablets"), "Clozapine 100mg tablets"),
        ({"text": "Clozapin 100"}, "Clozapin 100"),  # a slip: nothing tells what it is, and the person keeps it
        (coded(LOCAL, text="Clozaril 25mg tablets"), "Clozaril 25mg tablets"),
        ({"coding": [{"system": LOCAL[0], "code": LOCAL[1], "display": "Lithium carbonate 400mg MR"}]}, None),
        (coded(LOCAL, text="Emollient cream"), ""),  # a code of what no rule asks about: counted, not shown
        (coded(LOCAL), ""),
        ({"text": "  "}, ""),
    ],
)  # fmt: skip
def test_a_medicine_by_name_alone_is_no_supply_and_stays_with_the_person(tmp_path, concept, kept, door):
    order = {k: v for k, v in request().items() if k != "medicationCodeableConcept"}
    held = one("Medication", "m1", code=concept)
    given = {
        "in the order": [{**order, "medicationCodeableConcept": concept}],
        "contained": [{**order, "medicationReference": to("#m1"), "contained": [held]}],
        "a resource of its own": [{**order, "medicationReference": to("Medication/m1")}, held],
    }[door]
    records, report = ingest(tmp_path / "in", *given)
    assert len(records["supplies"]) == 0
    assert len(report["unmapped"]) == 1
    if kept is None:
        kept = concept["coding"][0]["display"]
    (person,) = records.patient_ids
    unread = [(one.table, one.column, one.value, str(one.on)) for one in records.unread_of(person)]
    name = f"{kept} - a name without a code"
    assert unread == ([("supplies", "medicine", name, "2025-03-01")] if kept else [])
    assert sum(report["types"]["MedicationRequest"]["fates"].values()) == 1
    assert fate(report, "MedicationRequest").startswith(("set aside: ", "not mapped: "))


def test_a_number_in_the_name_of_a_medicine_is_blanked(tmp_path):
    order = {**request(), "medicationCodeableConcept": {"text": "clozapine for 943 476 5919"}}
    records, _ = ingest(tmp_path / "in", order)
    (unread,) = records.unread_of(records.patient_ids[0])
    assert "5919" not in unread.value


@pytest.mark.parametrize("where", ["contained", "resource"])
def test_a_medicine_by_reference_is_looked_up(tmp_path, where):
    held = one("Medication", "m1", code=coded(CLOZAPINE_VTM))
    pointing = {k: v for k, v in request().items() if k != "medicationCodeableConcept"}
    pointing["medicationReference"] = to("#m1" if where == "contained" else "Medication/m1")
    given = [{**pointing, "contained": [held]}] if where == "contained" else [pointing, held]
    records, _ = ingest(tmp_path / "in", *given)
    assert rows(records, "supplies", "medicine") == [("clozapine",)]


def given(status="completed", mg=400):
    return one(
        "MedicationAdministration", "d1", status=status, subject=SUBJECT, effectiveDateTime="2025-03-01",
        medicationCodeableConcept=coded(ARIPIPRAZOLE),
        dosage={"route": INTRAMUSCULAR, "dose": {"value": mg, "code": "mg"}},
    )  # fmt: skip


def test_an_injection_of_400_mg_is_the_depot_and_one_of_9_75_mg_is_not(tmp_path):
    records, _ = ingest(tmp_path / "in", given(), {**given(mg=9.75), "id": "d2"})
    assert sorted(rows(records, "supplies", "medicine", "route", "kind", "dose_mg")) == [
        ("aripiprazole", "injection", "administered", 9.75),
        ("aripiprazole 1-monthly injection", "long_acting_injection", "administered", 400.0),
    ]


def test_a_depot_that_was_refused_is_a_missed_contact_and_no_supply(tmp_path):
    records, report = ingest(tmp_path / "in", given("not-done"))
    assert len(records["supplies"]) == 0
    assert rows(records, "contacts", "kind", "outcome", "contact_on") == [
        ("depot_clinic", "did_not_attend", "2025-03-01")
    ]
    assert fate(report, "MedicationAdministration") == "mapped to contacts"


def test_a_statement_that_doses_were_missed_is_a_circumstance_and_any_other_no_supply(tmp_path):
    said = one("MedicationStatement", "s1", status="not-taken", subject=SUBJECT, dateAsserted="2025-03-01")
    records, _ = ingest(tmp_path / "in", said, one("MedicationStatement", "s2", status="active", subject=SUBJECT))
    assert rows(records, "circumstances", "kind", "value") == [("reported_missed_doses", "yes")]
    assert len(records["supplies"]) == 0


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (dispense(CLOZAPINE_VTM, status="entered-in-error", meta={"lastUpdated": "2025-03-09T09:00:00Z"}), "dispensed"),
        (dispense(CLOZAPINE_VTM, status="cancelled", meta={"lastUpdated": "2025-03-09T09:00:00Z"}), "dispensed"),
        (request(CLOZAPINE_VTM, status="cancelled", meta={"lastUpdated": "2025-03-09T09:00:00Z"}), "prescribed"),
        (request(CLOZAPINE_VTM, status="entered-in-error", meta={"lastUpdated": "2025-03-09T09:00:00Z"}), "prescribed"),
    ],
)
def test_what_was_withdrawn_later_is_a_supply_and_its_reversal(tmp_path, message, kind):
    """It counts until the withdrawal is known, and not after."""
    records, _ = ingest(tmp_path / "in", message)
    assert rows(records, "supplies", "kind", "supplied_on", "status") == [
        (kind, "2025-03-01", "-"),
        (kind, "2025-03-01", "reversed"),
    ]
    assert records["supplies"]["known_on"].dt.date.astype("str").tolist()[-1] == "2025-03-09"


def test_what_was_withdrawn_on_its_own_day_never_was_a_supply(tmp_path):
    records, report = ingest(
        tmp_path / "in",
        dispense(CLOZAPINE_VTM, status="entered-in-error", meta={"lastUpdated": "2025-03-01T12:00:00Z"}),
    )
    assert fate(report, "MedicationDispense") == "not read: status" and not len(records["supplies"])


def test_quantity_alone_is_kept_and_the_days_are_said_to_be_assumed(tmp_path):
    records, _ = ingest(tmp_path / "in", dispense(RISPERIDONE_1MG, quantity={"value": 56, "unit": "tablet"}))
    assert rows(records, "supplies", "days_supplied", "quantity", "strength_mg") == [("-", 56.0, 1.0)]
    assert records.report.tables["supplies"].defaults["days_assumed"]["rows"] == 1
