"""Observation, Condition and AllergyIntolerance as rows: results, circumstances and conditions."""

from __future__ import annotations

from features.records.days import NO_DAY
from features.records.reading.results import read_pair
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CONFLICT, Diagnosis
from features.records.sources.fhir.dates import day
from features.records.sources.fhir.rows.people import last_updated
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MAPPED, NOT_READ, Sink
from features.reference import TESTS
from features.reference.diagnoses import is_a_diagnosis, may_name_a_diagnosis

_SEEN = ("final", "amended", "corrected", "preliminary")
_WRONG = ("refuted", "entered-in-error")
NOT_DONE = f"{LEFT_OUT}the test was not done (dataAbsentReason)"
NO_VALUE = f"{LEFT_OUT}no value"
NOT_ONE_OF_OURS = "a name without a code of ours"
_OVER = ("resolved", "inactive", "remission")


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
    named = None if tests or question or one.component else book.test_in_words(one.code)
    done = one.dataAbsentReason is None
    if one.valueString is not None and book.code("not_done", one.valueString.strip().casefold()):
        done = False  # "QNS": the specimen did not suffice
    parts = [part for part in one.component if part.dataAbsentReason is None]
    if one.component and not parts and one.valueQuantity is None:
        done = False
    stated = None if question or not done or one.valueBoolean is False else book.word("circumstance", one.code)
    if stated == CONFLICT:
        return sink.conflict()
    if stated is not None and on != NO_DAY:  # the code of the Observation is the answer: "ex-smoker"
        kind, _, value = stated.rpartition("=")
        sink.add("circumstance", subject, kind, value, on, issued)
        made.append("circumstances")
    if named is not None and done and _says_something(one):
        sink.add("result", subject, named, on, None, None, None, issued, f"{NOT_ONE_OF_OURS}: {_as_written(one)}"[:80])
        return f"{MAPPED}results"
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
            words = _words(held) if whole is None else None
            if words and not TESTS[test].unit and read_pair(test, words, None) is None:
                words = None
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


def _as_written(one: r.Observation) -> str:
    """The value of an Observation as text."""
    quantity = one.valueQuantity
    if quantity is not None and quantity.value is not None:
        return " ".join(filter(None, (quantity.comparator, f"{quantity.value:g}", quantity.unit or quantity.code)))
    return _words(one) or f"{one.valueInteger:g}"


def _words(one: r.Observation | r.Component) -> str | None:
    """What stands in place of a number: words, a code, a range or a ratio."""
    if one.valueString is not None:
        return one.valueString.strip() or None
    if one.valueCodeableConcept is not None:
        concept = one.valueCodeableConcept
        return concept.text or next((c.display or c.code for c in concept.coding), None) or "a code"
    if one.valueRange is not None:
        return "a range"
    return "a ratio" if one.valueRatio is not None else None


def _circumstance(one: r.Observation, question: str, sink: Sink) -> str | None:
    """The value of a circumstance: from the mapping table, from our own code system, or the words as written, which the
    records read or keep as not understood."""
    concept = one.valueCodeableConcept
    meaning = sink.book.word("circumstance", concept)
    if meaning == CONFLICT:
        return meaning
    if meaning is None:
        if concept is not None:
            sink.name_unmapped(f"Observation value of {question}", concept)
        return _words(one)
    kind, _, value = meaning.rpartition("=")
    return value if kind in ("", question) else None


def condition(one: r.Condition, key: str, sink: Sink) -> str:
    if _status(one.verificationStatus, sink):
        return f"{LEFT_OUT}refuted or entered in error"
    if _status(one.verificationStatus, sink, ("differential",)):
        return f"{LEFT_OUT}one of several diagnoses that were thought of"
    found = sink.book.diagnosis(one.code)
    if isinstance(found, str):
        return sink.conflict()
    if found is None:
        label = one.code.text if one.code and not one.code.coding else None
        if not label or not (is_a_diagnosis(label) or may_name_a_diagnosis(label)):
            return sink.name_unmapped("Condition", one.code)
        found = Diagnosis(None, None, label, "")
    if found.group == "pregnancy" and _status(one.clinicalStatus, sink, _OVER):
        return f"{LEFT_OUT}a pregnancy that is over"
    recorded = day(one.recordedDate)
    on = recorded if recorded != NO_DAY else day(one.onsetDateTime)
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
    text = one.code.text if one.code else None
    if not codes and not text:
        return sink.name_unmapped("AllergyIntolerance", one.code)
    recorded = day(one.recordedDate)
    on = recorded if recorded != NO_DAY else day(one.onsetDateTime)
    if on == NO_DAY:
        on = last_updated(one)
        sink.notes["AllergyIntolerance: without a day; the day of the last update was taken"] += on != NO_DAY
    system, code = codes[0] if codes else (None, None)
    display = (next((c.display for c in one.code.coding if c.display), None) if one.code else None) or text or "allergy"
    name = {"snomed": "snomed_ct"}.get(system, system) if system else None
    _add(one.patient, key, "allergy", Diagnosis(name, code, none or display, ""), on, recorded, sink)
    return f"{MAPPED}conditions"


def _status(status: r.CodeableConcept | None, sink: Sink, wanted: tuple[str, ...] = _WRONG) -> bool:
    return any(code in wanted for _, code in sink.book.ordered(status))


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
