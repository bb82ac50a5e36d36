"""Valproate: the pregnancy prevention programme's documents, and the agreement of two specialists for a new start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown
from features.gaps.rules.prescribing.pregnancy import pregnancy
from features.medicines.courses import Course
from features.records.days import day_of
from features.records.tables import SEX
from features.reference import Protocol
from features.reference.monitoring.protocols import protocol_days

AGE_LIMIT = 55
NEW_START_FROM = day_of("2024-01-01")
"""mp162: the alert took effect in January 2024."""
_FORM, _AGREEMENT, _CONTRACEPTION = (citations.protocol_row(key) for key in ("mp161", "mp162", "mp163"))
FORM_DAYS, CONTRACEPTION_DAYS = (protocol_days(key, "interval_days") for key in ("mp161", "mp163"))


def documents(person: PersonAsKnown) -> Iterator[Gap]:
    """VALPROATE_PPP, for people with current valproate.

    [D]: childbearing potential is what the schedule's conditions answer (the circumstance of that kind; where none is
    recorded and it is not ruled out, it cannot be assessed, and the gap says so). Where it is yes, the annual form is
    due from the start of the course and every 365 days (no grace), contraception status every 365 days and 28 of
    grace. Valproate first supplied since January 2024 under 55, for any person, needs the agreement of two
    specialists at any time from a year before it; where the date of birth is not recorded, the gap reports that it
    cannot be assessed. A person under 55 who may become pregnant and took it before needs a second signature at the
    next annual review if none is recorded. A man under 55 needs advice on contraception, during treatment and for 3
    months after, recorded once. Forms and agreements are high, contraception and the second
    signature medium. A pregnancy on record is critical, comes first and gives the gap its title; neither contraception
    nor childbearing potential is then asked for.
    """
    held = person.base("valproate")
    if not held:
        return
    course = held[0]
    started = Evidence("supplies", course.first_row, course.start, "valproate started")
    pregnant = [*_pregnant(person, course)]
    found = [*pregnant, *_agreement(person, course, started), *_second_signature(person, course)]
    if person.answers.childbearing == 1:
        asked = (_ANNUAL_FORM,) if pregnant else (_ANNUAL_FORM, _CONTRACEPTION_STATUS)
        found.extend(_overdue(person, course, started, asked))
    elif not pregnant:
        found.extend(_cannot_assess(person, started) if person.answers.childbearing == -1 else _advice(person, started))
    if found:
        yield from gap_of(CODES["VALPROATE_PPP"], found)


def _cannot_assess(person: PersonAsKnown, started: Evidence) -> Iterator[Finding]:
    unknown = person.absent("childbearing_potential")
    yield Finding(
        "high",
        f"childbearing potential {unknown}: cannot assess whether the annual form is due",
        (citations.protocol_named("mp161"), citations.clinical("1.1", "D")),
        (started,),
        action="Ask and record whether the pregnancy prevention programme applies.",
        unchecked=(f"valproate annual form: childbearing potential {unknown}",),
    )


class ProgrammeDocument(NamedTuple):
    """A document of the pregnancy prevention programme: its row of the schedule, and what is asked without it."""

    row: Protocol
    every: int
    severity: Severity
    label: str
    action: str


_ANNUAL_FORM = ProgrammeDocument(
    _FORM,
    FORM_DAYS,
    "high",
    "annual risk form",
    "Specialist review of the need for valproate and of alternatives; sign the annual risk form.",
)
_CONTRACEPTION_STATUS = ProgrammeDocument(
    _CONTRACEPTION,
    CONTRACEPTION_DAYS,
    "medium",
    "contraception status",
    "Ask about and record highly effective contraception.",
)


def _overdue(
    person: PersonAsKnown, course: Course, started: Evidence, documents: tuple[ProgrammeDocument, ...]
) -> Iterator[Finding]:
    """Documents of the programme that are not recorded, or too long ago."""
    t = person.as_of
    for row, every, severity, label, action in documents:
        last = person.last_met(row.test)
        due = last.day + every if last else course.start
        if t <= due + row.grace_days:
            continue
        said = f"{label} last recorded {iso(last.day)}" if last else f"{label} {person.absent_test(row.test)}"
        evidence = Evidence("results", last.row, last.day, label) if last else started
        yield Finding(severity, said, (citations.protocol_named(row.id),), (evidence,), due, t - due, action)


def _pregnant(person: PersonAsKnown, course: Course) -> Iterator[Finding]:
    known = pregnancy(person)
    if known:
        yield Finding(
            "critical",
            f"pregnancy recorded on {iso(known.on)}; valproate supplied on {iso(course.last_day)}",
            (citations.interaction("ix040"),),
            (known, person.supplied(course, "last supply of valproate")),
            action="Valproate in pregnancy: urgent specialist and perinatal review today; not stopped without advice.",
            title="Valproate taken in pregnancy",
        )


def _advice(person: PersonAsKnown, started: Evidence) -> Iterator[Finding]:
    """Men under 55 and their partners: the group is never named."""
    years = person.years_old(person.as_of)
    code = person.patient("sex")
    if code is None or SEX[code] != "male":
        return
    if person.results.get(_CONTRACEPTION.test) or (years is not None and years >= AGE_LIMIT):
        return
    yield Finding(
        "medium",
        f"advice on contraception during treatment and for 3 months after {person.absent_test(_CONTRACEPTION.test)}",
        (citations.protocol_named("mp163"),),
        (started,),
        action="Give and record the advice on contraception during treatment and for 3 months after; agree a plan.",
    )


def _second_signature(person: PersonAsKnown, course: Course) -> Iterator[Finding]:
    years = person.years_old(person.as_of)
    if course.first_start >= NEW_START_FROM or person.answers.childbearing != 1:
        return
    if (years is not None and years >= AGE_LIMIT) or person.results.get(_AGREEMENT.test):
        return
    absent = person.absent_test(_AGREEMENT.test)
    yield Finding(
        "medium",
        f"agreement of a second specialist {absent}; it is needed at the next annual review",
        (citations.protocol_named("mp162"),),
        (person.supplied(course, "last supply of valproate"),),
        action="Bring a second specialist's signature to the next annual review.",
    )


def _agreement(person: PersonAsKnown, course: Course, started: Evidence) -> Iterator[Finding]:
    if course.first_start < NEW_START_FROM:
        return
    years = person.years_old(course.first_start)
    if years is not None and years >= AGE_LIMIT:
        return
    row = _AGREEMENT
    if any(day >= course.first_start + row.from_day for day, _, _ in person.results.get(row.test, ())):
        return
    said = f"agreement of two specialists for the new start {person.absent_test(row.test)}"
    if years is None:
        said += f"; cannot assess whether it is needed, date of birth {person.absent('patients.birth_date')}"
    yield Finding(
        "high",
        said,
        (citations.protocol_named(row.id),),
        (started,),
        course.first_start,
        person.as_of - course.first_start,
        "Two specialists agree and record that no other treatment is right.",
    )


RULES = (documents,)
