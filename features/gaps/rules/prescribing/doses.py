"""Doses above a maximum, and medicines supplied against a recorded allergy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import inf

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, gap_of, iso
from features.gaps.person_view import PersonAsKnown
from features.gaps.rules.prescribing.short_injections import too_much_in_a_course
from features.medicines.courses import Course, by_base, first_of_each
from features.reference import MEDICINES, Medicine
from features.reference.medicines.allergies import medicines_of_allergy
from features.reference.medicines.dose_limits import DoseLimit, dose_limits

RENAL_DOSE = "th039"


def above_maximum(person: PersonAsKnown) -> Iterator[Gap]:
    """DOSE_ABOVE_MAXIMUM: the daily dose by mouth of one medicine is above its maximum, or above a lower maximum that
    holds from an age or below a kidney function; an injection is to be avoided below a kidney function; or a course of
    a short-acting injection is above its limits.

    HDAT covers antipsychotics above their usual maximum; this rule covers their lower maxima. The age is a clinical
    fact that is never named. A maximum of an age is shown with severity low where no date of birth is
    recorded and the dose is above it; one of a kidney function needs an eGFR on record [D].
    """
    found: list[Finding] = []
    for base, courses in by_base(c for c in person.current if not c.medicine.is_long_acting_injection).items():
        doses = [course.dose for course in courses]
        known = [dose for dose in doses if dose is not None]
        if not known:
            continue
        taken = sum(known)
        if taken <= least_maximum(base):
            continue
        most = MEDICINES[base].max_daily_dose_mg if base in MEDICINES else None
        usual = _usual(courses, base, taken, most)
        lower = _lower(person, courses, base, taken)
        found.extend(filter(None, (usual, lower)))
    for course in person.current:
        if course.medicine.is_long_acting_injection:
            found.extend(_to_avoid(person, course))
    found.extend(too_much_in_a_course(person))
    yield from gap_of(CODES["DOSE_ABOVE_MAXIMUM"], found)


@cache
def least_maximum(base: str) -> float:
    """The lowest of all maxima of a medicine; infinite if none is known. A dose up to it is within all of them."""
    usual = MEDICINES[base].max_daily_dose_mg if base in MEDICINES else None
    lower = [limit.max_daily_dose_mg for limit in dose_limits().get(base, ())]
    return min([*lower, *([] if usual is None else [usual])], default=inf)


def is_limited_injection(medicine: Medicine) -> bool:
    """Whether a medicine is an injection that is to be avoided below a kidney function."""
    return medicine.is_long_acting_injection and medicine.name in dose_limits()


@cache
def injections_limited_below() -> float:
    """The highest eGFR below which an injection is to be avoided."""
    rows = (row for one in MEDICINES.values() if is_limited_injection(one) for row in dose_limits()[one.name])
    return max((row.egfr_below for row in rows if row.egfr_below is not None), default=-inf)


def _evidence(courses: list[Course]) -> tuple[Evidence, ...]:
    return tuple(Evidence("supplies", c.last_row, c.last_day, f"{c.medicine.name} supplied") for c in courses)


def _usual(courses: list[Course], base: str, taken: float, most: float | None) -> Finding | None:
    if most is None or taken <= most or courses[0].medicine.is_antipsychotic:
        return None
    known = (citations.of_medicine(courses[0].medicine, "max_daily_dose_mg"),)
    return Finding("high", f"{base} {taken:g} mg a day; maximum {most:g} mg a day", known, _evidence(courses))


def _fact(limit: DoseLimit) -> citations.Fact:
    return citations.Fact(f"{limit.id}: {limit.source}", limit.verified)


def _lower(person: PersonAsKnown, courses: list[Course], base: str, taken: float) -> Finding | None:
    """The strictest lower maximum that applies and that the dose exceeds; otherwise one that could not be checked."""
    above = [limit for limit in dose_limits().get(base, ()) if taken > limit.max_daily_dose_mg]
    if not above:
        return None
    kidney = person.readings("egfr")
    years = person.years_old(person.as_of)
    applying, unsure = [], []
    for limit in above:
        if limit.age_from is not None:
            if years is None:
                unsure.append((limit, f"date of birth {person.absent('patients.birth_date')}"))
            elif years >= limit.age_from:
                applying.append(limit)
        elif limit.egfr_below is not None and kidney and kidney[-1].value < limit.egfr_below:
            applying.append(limit)
    evidence = _evidence(courses)
    if applying:
        limit = min(applying, key=lambda one: one.max_daily_dose_mg)
        known: tuple[citations.Fact, ...] = (_fact(limit),)
        said = f"{base} {taken:g} mg a day; maximum for this person {limit.max_daily_dose_mg:g} mg a day"
        if limit.max_daily_dose_mg == 0:
            said = f"{base} {taken:g} mg a day; to be avoided at this kidney function"
        if limit.egfr_below is not None:
            last = kidney[-1]
            said += f" (eGFR {last.value:g} on {iso(last.day)})"
            evidence = (*evidence, Evidence("results", last.row, last.day, "eGFR"))
            known = (*known, citations.threshold(RENAL_DOSE))
        return Finding("high", said, known, evidence)
    if unsure:
        limit, why = unsure[0]
        said = f"{base} {taken:g} mg a day: a lower maximum of {limit.max_daily_dose_mg:g} mg may apply; {why}"
        return Finding("low", said, (_fact(limit),), evidence, unchecked=(f"maximum dose of {base}: {why}",))
    return None


def _to_avoid(person: PersonAsKnown, course: Course) -> Iterator[Finding]:
    """An injection whose product is not to be given at the last kidney function recorded."""
    kidney = person.readings("egfr")
    for limit in dose_limits().get(course.medicine.name, ()):
        if kidney and limit.egfr_below is not None and kidney[-1].value < limit.egfr_below:
            last = kidney[-1]
            yield Finding(
                "high",
                f"{course.medicine.name}: to be avoided at this kidney function (eGFR {last.value:g} on"
                f" {iso(last.day)})",
                (_fact(limit), citations.threshold(RENAL_DOSE)),
                (*_evidence([course]), Evidence("results", last.row, last.day, "eGFR")),
                action="Ask the prescriber before the next injection whether another is safer at this kidney function.",
            )


def allergy_conflict(person: PersonAsKnown) -> Iterator[Gap]:
    """ALLERGY_CONFLICT: a medicine is supplied that a recorded allergy names, by its SNOMED CT concept or the words of
    its label. Critical [D]."""
    found = []
    for row, day, code in person.conditions["allergy"]:
        names = medicines_of_allergy(code, person.label(row))
        for course in first_of_each(person.current):
            if course.medicine.name not in names:
                continue
            said = f"allergy to {course.medicine.base} recorded on {iso(day)}; supplied on {iso(course.last_day)}"
            rows = (
                Evidence("conditions", row, day, "allergy"),
                person.supplied(course, f"last supply of {course.medicine.name}"),
            )
            found.append(Finding("critical", said, (citations.clinical("1.1", "D"),), rows))
    yield from gap_of(CODES["ALLERGY_CONFLICT"], found)


RULES = (above_maximum, allergy_conflict)
