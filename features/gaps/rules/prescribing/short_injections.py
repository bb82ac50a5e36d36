"""Courses of short-acting injections that last too long or add up to too much. They are no depot and no regular
treatment: what they leave to say is said here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from features.gaps import citations
from features.gaps.gap import Evidence, Finding, iso
from features.gaps.person_view import PersonAsKnown
from features.reference.medicines.injections import INJECTION_COURSES, InjectionCourse

REPORT_DAYS = 28
"""A course is reported for so long after its last injection [D]."""


def too_much_in_a_course(person: PersonAsKnown) -> Iterator[Finding]:
    """A course with more mg, injections or days than ``injection_courses.csv`` allows. Injections that follow each
    other within the longest course belong to one; those of one day add up."""
    for course in person.current:
        limit = INJECTION_COURSES.get(course.medicine.name)
        if limit is not None and person.as_of - course.last_day <= REPORT_DAYS:
            yield from _of_course(person, limit)


def _of_course(person: PersonAsKnown, limit: InjectionCourse) -> Iterator[Finding]:
    supplies = person.supplies_of(limit.medicine, REPORT_DAYS + 4 * limit.within_days)
    doses = person.shared.records.columns("supplies")["dose_mg"]
    mg: dict[int, list[float]] = defaultdict(list)
    rows: dict[int, Evidence] = {}
    for row in supplies:
        mg[row.day].append(float(doses[row.row]))
        rows[row.day] = Evidence("supplies", row.row, row.day, "injection")
    days: list[int] = []
    for day in sorted(mg, reverse=True):
        if days and days[-1] - day > limit.within_days:
            break
        days.append(day)
    if not days:
        return
    days.reverse()
    lately = [day for day in days if days[-1] - day < limit.within_days]
    known = [dose for day in lately for dose in mg[day] if dose == dose]
    total, unknown = sum(known), sum(len(mg[day]) for day in lately) - len(known)
    said = []
    if total > limit.most_mg:
        said.append(f"{total:g} mg in {limit.within_days} days; at most {limit.most_mg:g} mg")
    if len(lately) > limit.most_injections:
        said.append(f"{len(lately)} injections in {limit.within_days} days; at most {limit.most_injections}")
    if days[-1] - days[0] > limit.within_days:
        said.append(f"given from {iso(days[0])} to {iso(days[-1])}; a course lasts at most {limit.within_days} days")
    if said:
        yield Finding(
            "high",
            f"{limit.medicine}: {'; '.join(said)}",
            (citations.injection_course(limit.medicine),),
            tuple(rows[day] for day in days),
            action=(
                "Ask the prescriber before another injection: the course is at its limit. Plan the regular treatment; "
                "check pulse, blood pressure, ECG and movement."
            ),
            title="Course of a short-acting injection above its limit",
            unchecked=(f"dose of {unknown} injections not recorded",) if unknown else (),
        )
