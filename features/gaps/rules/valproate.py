"""Valproate: the pregnancy prevention programme's documents, and the agreement of two specialists for a new start."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, gap_of, iso
from features.gaps.person_view import Person
from features.medicines.courses import Course
from features.records.days import day_of
from features.reference.protocols import protocol_days

AGE_LIMIT = 55
NEW_START_FROM = day_of("2024-01-01")
"""mp162: the alert took effect in January 2024."""
_FORM, _AGREEMENT, _CONTRACEPTION = (citations.protocol_row(key) for key in ("mp161", "mp162", "mp163"))
FORM_DAYS, CONTRACEPTION_DAYS = (protocol_days(key, "interval_days") for key in ("mp161", "mp163"))


def documents(person: Person) -> Iterator[Gap]:
    """VALPROATE_PPP, for people with current valproate.

    [D]: childbearing potential is what the schedule's conditions answer (the circumstance of that kind; where none is
    recorded and it is not ruled out, it cannot be assessed, and the gap says so). Where it is yes, the annual form is
    due from the start of the course and every 365 days (no grace), contraception status every 365 days and 28 of
    grace. A course started since January 2024 under 55, whoever takes it, needs the agreement of two specialists at
    any time from a year before it; where the date of birth is not recorded, that cannot be assessed and is said. Forms
    and agreements are high, contraception medium.
    """
    held = person.base("valproate")
    if not held:
        return
    course = held[0]
    started = Evidence("supplies", course.first_row, course.start, "valproate started")
    found = [*_agreement(person, course, started)]
    if person.answers.childbearing == 1:
        found.extend(_programme(person, course, started))
    elif person.answers.childbearing == -1:
        found.append(
            Finding(
                "high",
                "childbearing potential not recorded: cannot assess whether the annual form is due",
                (citations.protocol_named("mp161"), citations.clinical("1.1", "D")),
                (started,),
            )
        )
    if found:
        yield from gap_of(CODES["VALPROATE_PPP"], found)


def _programme(person: Person, course: Course, started: Evidence) -> Iterator[Finding]:
    t = person.as_of
    for row, every, severity, label in (
        (_FORM, FORM_DAYS, "high", "annual risk form"),
        (_CONTRACEPTION, CONTRACEPTION_DAYS, "medium", "contraception status"),
    ):
        last = person.last_met(row.test)
        due = last.day + every if last else course.start
        if t <= due + row.grace_days:
            continue
        said = f"{label} last recorded {iso(last.day)}" if last else f"{label} not recorded"
        evidence = Evidence("results", last.row, last.day, label) if last else started
        known = (citations.protocol_named(row.id),)
        yield Finding("high" if severity == "high" else "medium", said, known, (evidence,), due, t - due)


def _agreement(person: Person, course: Course, started: Evidence) -> Iterator[Finding]:
    if course.start < NEW_START_FROM:
        return
    years = person.years_old(course.start)
    if years is not None and years >= AGE_LIMIT:
        return
    row = _AGREEMENT
    if any(day >= course.start + row.from_day for day, _, _ in person.results.get(row.test, ())):
        return
    said = "agreement of two specialists for the new start not recorded"
    if years is None:
        said += "; cannot assess whether it is needed, date of birth not recorded"
    yield Finding(
        "high", said, (citations.protocol_named(row.id),), (started,), course.start, person.as_of - course.start
    )


RULES = (documents,)
