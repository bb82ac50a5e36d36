"""Observation, Condition and AllergyIntolerance as rows: results, circumstances and conditions."""

from __future__ import annotations

from features.records.days import NO_DAY
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CONFLICT, Diagnosis
from features.records.sources.fhir.dates import day
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MAPPED, NOT_READ, Sink
from features.reference import TESTS

_SEEN = ("final", "amended", "corrected", "preliminary")
_WRONG = ("refuted", "entered-in-error")
NOT_DONE = f"{LEFT_OUT}the test was not done (dataAbsentReason)"
NO_VALUE = f"{LEFT_OUT}no value"


def observation(one: r.Observation, key: str, sink: Sink) -> str:
    """Adds a result for each test in the code and in the components. A test with a dataAbsentReason was not done."""
    if one.status not in _SEEN:
        return f"{NOT_READ}status"
    book = sink.book
    taken = one.effectiveDateTime or one.effectiveInstant
    if taken is None and one.effectivePeriod is not None:
        taken = one.effectivePeriod.end or one.effectivePeriod.start
    issued = day(one.issued)
    on = day(taken)
    if on == NO_DAY:
        on = issued
        if on != NO_DAY:
            sink.notes["Observation: without the day of the test; the day it was issued was taken"] += 1
    sink.note_partial("Observation", taken)
    subject = sink.scope.key(one.subject)
    tests = book.tests_of(one.code)
    question = book.word("circumstance_question", one.code)
    if CONFLICT in (tests, question):
        return sink.conflict()
    made: list[str] = []
    done = one.dataAbsentReason is None
    if one.valueString is not None and book.code("not_done", one.valueString.strip().casefold()):
        done = False  # "QNS": the specimen did not suffice
    parts = [part for part in one.component if part.dataAbsentReason is None]
    if one.component and not parts and one.valueQuantity is None:
        done = False
    if question is not None and done and (found := _circumstance(one, question, sink)):
        if found == CONFLICT:
            return sink.conflict()
        if on == NO_DAY:
            return f"{ASIDE}no day"
        sink.add("circumstance", subject, question, found, on, issued)
        made.append("circumstances")
    rows: list[tuple[str, r.Observation | r.Component, bool]] = []
    if tests and done:
        rows += [(test, one, len(tests) == 1) for test in tests]
    for part in parts:
        found_tests = book.tests_of(part.code)
        if found_tests == CONFLICT:
            return sink.conflict()
        rows += [(test, part, True) for test in found_tests]
    # A test with a unit is done only with a value. One without a unit is done by being recorded.
    rows = [(test, held, own) for test, held, own in rows if not TESTS[test].unit or (own and _says_something(held))]
    if rows and on == NO_DAY:
        return f"{ASIDE}no day"
    if one.hasMember and rows and not parts and not _says_something(one):  # the head of a panel: its members tell
        for member in one.hasMember:
            if name := sink.scope.key(member):
                sink.add("member", name)
    for test, held, own in rows:
        quantity, whole = (held.valueQuantity, held.valueInteger) if own else (None, None)
        if quantity is None or quantity.value is None:
            # Words in place of a number ("QNS", "<0.1") are kept, so that the checks can report them as not readable.
            words = _words(held) if TESTS[test].unit and whole is None else None
            sink.add("result", subject, test, on, whole, None, None, issued, words)
        else:
            unit = book.unit(test, quantity.code, quantity.unit)
            sink.add("result", subject, test, on, quantity.value, quantity.comparator, unit, issued, None)
    if rows:
        made.append("results")
    if made:
        return f"{MAPPED}{' and '.join(made)}"
    if not done and (tests or question or one.component):
        return NOT_DONE
    if tests:
        return NO_VALUE
    return sink.name_unmapped("Observation", one.code)


def _says_something(one: r.Observation | r.Component) -> bool:
    """True for a number, or for any other value that stands where the number should be."""
    quantity = one.valueQuantity
    return one.valueInteger is not None or (quantity is not None and quantity.value is not None) or bool(_words(one))


def _words(one: r.Observation | r.Component) -> str | None:
    """What stands in place of a number: words, a code, a range or a ratio."""
    if one.valueString is not None:
        return one.valueString.strip() or None
    if one.valueCodeableConcept is not None:
        return next((c.display or c.code for c in one.valueCodeableConcept.coding), None) or "a code"
    if one.valueRange is not None:
        return "a range"
    return "a ratio" if one.valueRatio is not None else None


def _circumstance(one: r.Observation, question: str, sink: Sink) -> str | None:
    """The value of a circumstance: from the mapping table, or from our own code system."""
    concept = one.valueCodeableConcept
    meaning = sink.book.word("circumstance", concept)
    if meaning is None or meaning == CONFLICT:
        if concept is not None and meaning is None:
            sink.name_unmapped(f"Observation value of {question}", concept)
        return meaning
    kind, _, value = meaning.rpartition("=")
    return value if kind in ("", question) else None


def condition(one: r.Condition, key: str, sink: Sink) -> str:
    if _status(one.verificationStatus, sink):
        return f"{LEFT_OUT}refuted or entered in error"
    found = sink.book.diagnosis(one.code)
    if isinstance(found, str):
        return sink.conflict()
    if found is None:
        return sink.name_unmapped("Condition", one.code)
    recorded = day(one.recordedDate)
    on = recorded if recorded != NO_DAY else day(one.onsetDateTime)
    if on == NO_DAY:
        return f"{ASIDE}no day"
    sink.note_partial("Condition", one.recordedDate or one.onsetDateTime)
    _add(one.subject, key, "diagnosis", found, on, recorded, sink)
    return f"{MAPPED}conditions"


def allergy(one: r.AllergyIntolerance, key: str, sink: Sink) -> str:
    """Adds an allergy, or the status "no known drug allergy", which is never an allergy."""
    if _status(one.verificationStatus, sink):
        return f"{LEFT_OUT}refuted or entered in error"
    none = sink.book.word("allergy_none", one.code)
    codes = sink.book.ordered(one.code)
    if none == CONFLICT:
        return sink.conflict()
    if not codes:
        return sink.name_unmapped("AllergyIntolerance", one.code)
    recorded = day(one.recordedDate)
    on = recorded if recorded != NO_DAY else day(one.onsetDateTime)
    if on == NO_DAY:
        return f"{ASIDE}no day"
    system, code = codes[0]
    display = next((c.display for c in one.code.coding if c.display), "allergy") if one.code else "allergy"
    name = {"snomed": "snomed_ct"}.get(system, system)
    _add(one.patient, key, "allergy", Diagnosis(name, code, none or display, ""), on, recorded, sink)
    return f"{MAPPED}conditions"


def _status(status: r.CodeableConcept | None, sink: Sink) -> bool:
    return any(code in _WRONG for _, code in sink.book.ordered(status))


def _add(
    subject: r.Reference | None, key: str, category: str, found: Diagnosis, on: int, recorded: int, sink: Sink
) -> None:
    sink.add(
        "condition",
        key,
        sink.scope.key(subject),
        category,
        found.system,
        found.code,
        found.group,
        on,
        recorded,
        found.column,
    )
