"""Reads Medication resources as rows of supplies: prescribed, dispensed and administered. Free text never becomes a
dose.
"""

from __future__ import annotations

import math

from features.records.days import NO_DAY
from features.records.sources.dmd import Product
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CONFLICT
from features.records.sources.fhir.dates import day
from features.records.sources.fhir.rows.people import last_updated
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MAPPED, NOT_MAPPED, NOT_READ, USED, Sink
from features.reference import MEDICINES

NAN = math.nan
_ORDERS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")
_Coded = r.MedicationRequest | r.MedicationDispense | r.MedicationAdministration | r.MedicationStatement
NOT_SYSTEMIC = f"{NOT_MAPPED}a route that does not act on the whole body"


class Dose:
    """The sum of the dosage instructions: units and mg for each day and each dose, days between doses, as required."""

    __slots__ = ("as_required", "dose_mg", "dose_units", "interval", "mg_a_day", "route", "units_a_day")

    def __init__(self) -> None:
        self.units_a_day = self.mg_a_day = self.dose_units = self.dose_mg = self.interval = NAN
        self.as_required: bool | None = None
        self.route: str | None = None


def dose_of(dosages: list[r.Dosage], sink: Sink) -> Dose:
    """The total daily dose, if every instruction is structured. Otherwise unknown."""
    dose = Dose()
    units = mg = 0.0
    for dosage in dosages:
        asked = dosage.asNeededBoolean if dosage.asNeededCodeableConcept is None else True
        dose.as_required = asked if dose.as_required is None else bool(asked) and dose.as_required
        dose.route = dose.route or _route(dosage.route)
        quantity = dosage.doseAndRate[0].doseQuantity if len(dosage.doseAndRate) == 1 else None
        kind, amount = _amount(quantity, sink)
        a_day, period = _frequency(dosage.timing, sink)
        if kind == "unit":
            units, mg, dose.dose_units = units + amount * a_day, NAN, amount
        elif kind == "mg":
            units, mg, dose.dose_mg = NAN, mg + amount * a_day, amount
        else:
            units = mg = NAN
        if len(dosages) == 1 and not math.isnan(period):
            dose.interval = period
    if dosages:
        dose.units_a_day, dose.mg_a_day = units, mg
    return dose


def _route(route: r.CodeableConcept | None) -> str | None:
    return next((c.code for c in route.coding if c.code), None) if route else None


def _amount(quantity: r.Quantity | None, sink: Sink) -> tuple[str, float]:
    """("mg", milligrams), ("unit", tablets) or ("", NaN)."""
    if quantity is None or quantity.value is None or quantity.comparator:
        return "", NAN
    if quantity.code is None and quantity.unit is None:
        return "unit", quantity.value
    table = sink.book.lists["dose_unit"]
    meaning = next((table[("", word)] for word in (quantity.code, quantity.unit) if word and ("", word) in table), None)
    if meaning is None:
        return "", NAN
    kind, _, factor = meaning.partition("=")
    return kind, quantity.value * float(factor)


def _frequency(timing: r.Timing | None, sink: Sink) -> tuple[float, float]:
    """Doses a day, and days between two doses; NaN where timing is not structured."""
    repeat = timing.repeat if timing else None
    if repeat is None or not repeat.period:
        return NAN, NAN
    days = sink.book.code("duration", repeat.periodUnit)
    if days is None:
        return NAN, NAN
    period = repeat.period * float(days)
    often = repeat.frequency or 1.0
    return often / period, period / often


def _days(quantity: r.Quantity | None, sink: Sink) -> float:
    if quantity is None or quantity.value is None:
        return NAN
    size = sink.book.code("duration", quantity.code) or sink.book.code("duration", quantity.unit)
    return NAN if size is None else round(quantity.value * float(size), 6)


def _product(one: _Coded, route: str | None, dose_mg: float, sink: Sink) -> tuple[str | None, Product | None, str]:
    """(key of a Medication to be looked up later, product, fate where neither is known). A product that is known by
    its name alone is one of no medicine, which the checks of the records set aside and keep with the person."""
    concept = one.medicationCodeableConcept
    if one.medicationReference is not None:
        key = sink.scope.key(one.medicationReference)
        if key is None:
            return None, None, f"{ASIDE}the reference to the medicine leads nowhere"
        if key[0] != "#":
            return key, None, ""
        held = _contained(one, key[1:])
        if not isinstance(held, r.Medication):
            return None, None, f"{ASIDE}the reference to the medicine leads nowhere"
        concept = held.code
    found = sink.book.product_of(concept, route, None if math.isnan(dose_mg) else dose_mg)
    if isinstance(found, str):
        return None, None, sink.conflict()
    if found is None:
        fate, name = sink.name_unmapped("medicine", concept), sink.book.in_words(concept)
        return (None, Product(name, ""), "") if name else (None, None, fate)
    return None, found, ""


def _contained(one: r.Resource, name: str) -> object | None:
    for raw in one.contained:
        head = r.decode_head(raw)
        if head.id == name and head.resourceType in r.TYPES:
            return r.decode(raw)
    return None


def _prescriber(one: r.Resource, sink: Sink) -> str | None:
    for extension in one.extension:
        if extension.url.endswith("PrescriptionType") and extension.valueCoding:
            code = extension.valueCoding.code or ""
            return sink.book.code("prescription_type", code[:2])
    return None


def _add(
    one: _Coded, key: str, kind: str, on: int, dose: Dose, sink: Sink, *, days: float = NAN, quantity: float = NAN,
    expected: float = NAN, prescriber: str | None = None, business: int = NO_DAY, missed: bool = False,
    reversed_on: int = NO_DAY,
) -> str:  # fmt: skip
    if on == NO_DAY:
        return f"{ASIDE}no day"
    route = sink.book.products.routes.get(dose.route or "")
    if route is not None and not route.systemic:
        return NOT_SYSTEMIC
    reference, product, fate = _product(one, dose.route, dose.dose_mg, sink)
    if fate:
        return fate
    sink.add(
        "supply", key, sink.scope.key(one.subject), reference, product.medicine if product else None,
        (product.route if product else "") or (route.route if route else ""), product.strength_mg if product else NAN,
        kind, on, days, quantity, dose.units_a_day, dose.mg_a_day, dose.dose_units, dose.dose_mg, expected,
        dose.interval, dose.as_required, prescriber, business, missed,
        None if reversed_on == NO_DAY else "reversed", reversed_on,
    )  # fmt: skip
    return f"{MAPPED}contacts" if missed else f"{MAPPED}supplies"


def _reversed_on(one: r.Resource, on: int) -> int:
    """The day on which a recorded resource was withdrawn: its last update, if that is after its own day. Otherwise
    the resource never counted.
    """
    updated = last_updated(one)
    return updated if NO_DAY not in (updated, on) and updated > on else NO_DAY


def request(one: r.MedicationRequest, key: str, sink: Sink) -> str:
    if one.doNotPerform:
        return f"{LEFT_OUT}an order not to give"
    if one.intent not in _ORDERS:
        return f"{LEFT_OUT}not an order"
    wanted = one.dispenseRequest
    start = one.authoredOn or (wanted.validityPeriod.start if wanted and wanted.validityPeriod else None)
    withdrawn = one.status in ("cancelled", "entered-in-error")
    reversed_on = _reversed_on(one, day(start)) if withdrawn else NO_DAY
    if one.status == "cancelled" and reversed_on == NO_DAY:
        return f"{LEFT_OUT}withdrawn"
    if one.status in ("draft", "unknown", None) or (withdrawn and reversed_on == NO_DAY):
        return f"{NOT_READ}status"
    sink.note_partial("MedicationRequest", start)
    if one.status in ("stopped", "on-hold"):
        sink.notes["MedicationRequest: stopped or on hold, without the day; read for its whole length"] += 1
    return _add(
        one, key, "prescribed", day(start), dose_of(one.dosageInstruction, sink), sink,
        quantity=_units(wanted.quantity if wanted else None, sink),
        expected=_days(wanted.expectedSupplyDuration if wanted else None, sink),
        prescriber=_prescriber(one, sink), business=day(one.authoredOn), reversed_on=reversed_on,
    )  # fmt: skip


def _units(quantity: r.Quantity | None, sink: Sink) -> float:
    kind, amount = _amount(quantity, sink)
    return amount if kind == "unit" else NAN


def dispense(one: r.MedicationDispense, key: str, sink: Sink) -> str:
    """Adds a supply if the EPS type code says so, whatever the status, or if the status is completed. A supply that
    was handed over and later cancelled or found to be an error becomes a supply and its reversal.
    """
    meaning = sink.book.word("dispense_type", one.type)
    if meaning == CONFLICT:
        return sink.conflict()
    withdrawn = one.status in ("entered-in-error", "cancelled") or meaning == "cancelled"
    reversed_on = _reversed_on(one, day(one.whenHandedOver)) if withdrawn else NO_DAY
    if reversed_on == NO_DAY:
        if one.status == "entered-in-error":
            return f"{NOT_READ}status"
        if meaning is not None and meaning != "supply":
            return f"{LEFT_OUT}{meaning}, not handed over"
        if meaning is None and one.status != "completed":
            return f"{NOT_READ}status"
    dose, expected, prescriber = dose_of(one.dosageInstruction, sink), NAN, None
    for reference in one.authorizingPrescription:
        name = sink.scope.key(reference)
        held = _contained(one, name[1:]) if name and name[0] == "#" else None
        if isinstance(held, r.MedicationRequest):
            prescriber = _prescriber(held, sink)
            ordered = dose_of(held.dosageInstruction, sink)
            if math.isnan(dose.interval):
                dose.interval = ordered.interval
            if held.dispenseRequest:
                expected = _days(held.dispenseRequest.expectedSupplyDuration, sink)
    return _add(
        one, key, "dispensed", day(one.whenHandedOver), dose, sink, days=_days(one.daysSupply, sink),
        quantity=_units(one.quantity, sink), expected=expected, prescriber=prescriber, reversed_on=reversed_on,
    )  # fmt: skip


def administration(one: r.MedicationAdministration, key: str, sink: Sink) -> str:
    """Adds an administered dose. A depot that was not given is a missed contact, never a supply."""
    dose = Dose()
    period = one.effectivePeriod
    on = day(one.effectiveDateTime or (period.end or period.start if period else None))
    reversed_on = _reversed_on(one, on) if one.status == "entered-in-error" else NO_DAY
    if one.status not in ("completed", "in-progress", "not-done") and reversed_on == NO_DAY:
        return f"{NOT_READ}status"
    if one.dosage is not None:
        kind, amount = _amount(one.dosage.dose, sink)
        dose.route = _route(one.dosage.route)
        dose.dose_mg = amount if kind == "mg" else NAN
        dose.dose_units = amount if kind == "unit" else NAN
    prescriber = None
    name = sink.scope.key(one.request)
    held = _contained(one, name[1:]) if name and name[0] == "#" else None
    if isinstance(held, r.MedicationRequest):
        prescriber = _prescriber(held, sink)
        ordered = dose_of(held.dosageInstruction, sink)
        dose.interval, dose.as_required = ordered.interval, ordered.as_required
        dose.mg_a_day, dose.units_a_day = ordered.mg_a_day, ordered.units_a_day
    return _add(
        one, key, "administered", on, dose, sink, prescriber=prescriber, missed=one.status == "not-done",
        reversed_on=reversed_on,
    )  # fmt: skip


def statement(one: r.MedicationStatement, key: str, sink: Sink) -> str:
    """Reads ``not-taken`` as missed doses. No other statement is a supply."""
    if one.status != "not-taken":
        return f"{LEFT_OUT}a statement of use is no supply"
    period = one.effectivePeriod
    on = day(one.effectiveDateTime or (period.end or period.start if period else None) or one.dateAsserted)
    if on == NO_DAY:
        return f"{ASIDE}no day"
    subject = sink.scope.key(one.subject)
    sink.add("circumstance", subject, "reported_missed_doses", "yes", on, day(one.dateAsserted))
    return f"{MAPPED}circumstances"


def medication(one: r.Medication, key: str, sink: Sink) -> str:
    if one.status == "entered-in-error":
        return f"{NOT_READ}status"
    found = sink.book.product_of(one.code, None, None)
    if isinstance(found, str):
        return sink.conflict()
    if found is None:
        name = sink.book.in_words(one.code)
        if name:
            sink.add("medication", key, name, "", NAN)
        return sink.name_unmapped("medicine", one.code)
    sink.add("medication", key, found.medicine, found.route, found.strength_mg)
    return f"{USED}medicine of a supply"


def is_depot(medicine: str | None) -> bool:
    return medicine in MEDICINES and MEDICINES[medicine].is_long_acting_injection


__all__ = ["administration", "dispense", "is_depot", "last_updated", "medication", "request", "statement"]
