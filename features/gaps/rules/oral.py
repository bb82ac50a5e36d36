"""Oral supply: medicine that ran out, and less collected than before (CLINICAL.md sections 2.4 and 3)."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Person
from features.gaps.rules.lithium import consecutive, same_dose
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.reference import Medicine, high_limit

GAP_DAYS, LONG_GAP_DAYS = 14, 30
FALL = 0.1
LEVEL_FALL = 0.2
WINDOW = 90
LOW_COVER, SEVERE_COVER = high_limit("th103"), high_limit("th104")


def _class_of(medicine: Medicine) -> str:
    if medicine.is_antipsychotic:
        return "antipsychotic"
    if medicine.base == "lithium":
        return "lithium"
    return "mood stabiliser" if medicine.medicine_class == "mood_stabiliser" else ""


def classes(person: Person) -> dict[str, list[Course]]:
    """Regular courses by class: antipsychotic (injections with them), lithium, other mood stabilisers."""
    found: dict[str, list[Course]] = {}
    for course in person.courses:
        name = _class_of(course.medicine)
        if name and not course.required:
            found.setdefault(name, []).append(course)
    return found


def supply_gap(person: Person) -> Iterator[Gap]:
    """SUPPLY_GAP_ORAL: all regular medicine of a class ran out 14 or more days ago (days in hospital left out), until
    90 days have passed.

    [D]: medium to 30 days, high above. Where clozapine or an injection lasted longest, CLZ_BREAK or LAI_OVERDUE tells
    it. Silent in hospital.
    """
    if person.inpatient:
        return
    found = []
    for name, courses in classes(person).items():
        last = max(courses, key=lambda course: course.end)
        if last.medicine.is_long_acting_injection or last.medicine.base == "clozapine":
            continue
        if not GAP_DAYS <= person.as_of - last.end <= COURSE_GAP_DAYS:
            continue
        gap = person.uncovered(last.end)
        if gap < GAP_DAYS:
            continue
        severity: Severity = "high" if gap > LONG_GAP_DAYS else "medium"
        found.append(
            Finding(
                severity,
                f"supply of {name} recorded ran out on {iso(last.end)}, {gap} days ago",
                (citations.clinical("2.4", "D"),),
                (person.supplied(last, f"last supply of {last.medicine.name}"),),
                last.end,
                gap,
            )
        )
    if found:
        yield from gap_of(CODES["SUPPLY_GAP_ORAL"], found)


def covered(person: Person, courses: list[Course], start: int, end: int) -> float | None:
    """CMA7: share of the days in [start, end) outside hospital on which any of the courses covers; None where all were
    in hospital."""
    away: set[int] = set()
    for stay in person.stays:
        away.update(range(max(stay.admitted, start), min(stay.discharged, end)))
    days = end - start - len(away)
    if not days:
        return None
    spans = sorted(
        (max(begin, start), min(stop, end))
        for course in courses
        for begin, stop in course.spans
        if stop > start and begin < end
    )
    held, reached = 0, start
    for begin, stop in spans:
        begin = max(begin, reached)
        if stop > begin:
            held += stop - begin
            if away:
                held -= sum(begin <= day < stop for day in away)
            reached = stop
    return held / days


def falling(person: Person) -> Iterator[Gap]:
    """ADHERENCE_FALLING: under 80% of the last 90 days covered and 10 points less than in the 90 days before; or two
    gaps of more than 14 days in 180; or a lithium level down by more than 0.2 mmol/L at the same dose.

    [D]: for people supplied the class for 180 days or more and current; high under 50%, else medium. A level that fell
    with the dose not recorded does not fire.
    """
    t = person.as_of
    found = []
    for name, courses in classes(person).items():
        last = max(courses, key=lambda course: course.end)
        if min(c.first_start for c in courses) > t - 2 * WINDOW or t > last.end + COURSE_GAP_DAYS:
            continue
        now = covered(person, courses, t - WINDOW, t)
        if now is None:
            continue
        evidence = (person.supplied(last, f"last supply of {last.medicine.name}"),)
        if now < LOW_COVER:
            before = covered(person, courses, t - 2 * WINDOW, t - WINDOW)
            if before is not None and round(before - now, 6) >= FALL:
                key = "th104" if now < SEVERE_COVER else "th103"
                said = f"{name}: {now:.0%} of the last 90 days covered, {before:.0%} of the 90 before"
                known = (citations.threshold(key), citations.clinical("1.1", "D"))
                found.append(Finding("high" if now < SEVERE_COVER else "medium", said, known, evidence))
        gaps = gaps_over(person, courses, t - 2 * WINDOW)
        if gaps >= 2:
            said = f"{name}: {gaps} gaps of more than 14 days in the last 180 days"
            found.append(Finding("medium", said, (citations.clinical("3", "D"),), evidence))
    found.extend(_level_fall(person))
    if found:
        yield from gap_of(CODES["ADHERENCE_FALLING"], found)


def gaps_over(person: Person, courses: list[Course], start: int) -> int:
    """Runs of more than 14 days since ``start``, outside hospital, that nothing of the class covers."""
    t = person.as_of
    spans = sorted((b, e) for course in courses for b, e in course.spans if e > start)
    count, reached = 0, max(start, min((b for b, _ in spans), default=t))
    for begin, stop in [*spans, (t, t)]:
        if begin > reached and begin - reached - person.away_days(reached, begin) > GAP_DAYS:
            count += 1
        reached = max(reached, stop)
    return count


def _level_fall(person: Person) -> Iterator[Finding]:
    held = person.base("lithium")
    pair = consecutive(person, "lithium_level") if held else None
    if pair and round(pair[0].value - pair[1].value, 6) > LEVEL_FALL and same_dose(held[0], *pair):
        yield Finding(
            "medium",
            f"lithium level fell from {pair[0].value:g} on {iso(pair[0].day)} to {pair[1].value:g} on "
            f"{iso(pair[1].day)} at the same dose",
            (citations.clinical("3", "D"),),
            tuple(Evidence("results", r.row, r.day, "lithium level") for r in reversed(pair)),
        )


RULES = (supply_gap, falling)
