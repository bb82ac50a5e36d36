"""Antipsychotics together: dose against the maximum, combinations, and trials without clozapine."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown
from features.kernels.regimen import OVER_DAYS, SWITCH_DAYS
from features.medicines.courses import Course, by_base
from features.medicines.regimen import facts as regimen_facts
from features.reference import MEDICINES, Medicine, low_limit
from features.reference.monitoring.protocols import protocol_days

_MAXIMUM = dict(zip(MEDICINES, regimen_facts().maximum_mg.tolist(), strict=True))
TRIAL_DAYS = 42
_UNPLANNED = ("emergency", "unknown", "")
ECG_DAYS = protocol_days("mp078", "interval_days") + protocol_days("mp078", "grace_days")
PERCENT_OF_MAXIMUM = low_limit("th101")


def antipsychotics(person: PersonAsKnown) -> list[Course]:
    return [course for course in person.current if course.medicine.is_antipsychotic]


def percent(course: Course) -> float | None:
    """Percentage of the maximum dose of one course; None where the dose or the maximum is not known."""
    maximum, dose = _MAXIMUM[course.medicine.name], course.dose
    return None if dose is None or maximum != maximum else 100.0 * dose / maximum


def _maximum_fact(medicine: Medicine) -> citations.Fact:
    if medicine.is_long_acting_injection:
        return citations.of_medicine(medicine, "lai_max_dose_mg", "lai_max_dose_per_days")
    return citations.of_medicine(medicine, "bnf_max_daily_dose_mg")


def _replaced(course: Course, held: list[Course], as_of: int) -> bool:
    """Whether tablets ran out, and another antipsychotic began after they were last supplied: a change."""
    if course.injection or course.required or course.end >= as_of:
        return False
    others = (one for one in held if one.medicine.base != course.medicine.base and not one.required)
    return any(one.end >= as_of and one.start > course.last_day for one in others)


def high_dose(person: PersonAsKnown) -> Iterator[Gap]:
    """HDAT: percentages of the maximum dose sum to more than 100, as-required medicines included (RCPsych CR190).

    [D]: high where no ECG was recorded in 111 days (mp078: every 90 days and 21 of grace), else medium. A dose that is
    not recorded is named. Tablets that ran out and were replaced since do not count, though their 28 days of grace
    last.
    """
    total = person.regimen("percent_of_max")
    if not round(total, 6) > PERCENT_OF_MAXIMUM:
        return
    held = antipsychotics(person)
    gone = [course for course in held if _replaced(course, held, person.as_of)]
    if gone:
        total -= sum(percent(course) or 0 for course in gone)
        held = [course for course in held if course not in gone]
        if not round(total, 6) > PERCENT_OF_MAXIMUM:
            return
    parts, known = [], [citations.threshold("th101"), citations.protocol_named("mp078")]
    for course in held:
        share = percent(course)
        said = "dose not recorded" if share is None else f"{share:.0f}%"
        said += ", as required" if course.required else ""
        if course.end < person.as_of and not (course.injection or course.required):
            said += f", ran out on {iso(course.end)}"
        parts.append(f"{course.medicine.name} {said}")
        if share is not None:
            known.append(_maximum_fact(course.medicine))
    ecg = person.last_met("ecg_qtc")
    recent = ecg is not None and person.as_of - ecg.day <= ECG_DAYS
    said = (
        f"{total:.1f}% of maximum ({'; '.join(parts)}); ECG "
        f"{f'last recorded {iso(ecg.day)}' if ecg else person.absent_test('ecg_qtc')}"
    )
    evidence = tuple(person.supplied(c, c.medicine.name) for c in held)
    yield from gap_of(CODES["HDAT"], [Finding("medium" if recent else "high", said, tuple(known), evidence)])


def combination(person: PersonAsKnown) -> Iterator[Gap]:
    """ANTIPSYCHOTIC_POLYPHARMACY: two or more different antipsychotics, each current for more than 60 days without a
    break.

    A tablet and an injection of one medicine are one. [D]: medium for two, high for three or more.
    """
    if not person.regimen("antipsychotics_60d") >= 2:
        return
    since = {id(c): person.taken_since(c) for c in antipsychotics(person)}
    long = [c for c in antipsychotics(person) if person.as_of - since[id(c)] > OVER_DAYS]
    bases = by_base(long).values()
    count = len(bases)
    if count < 2:
        return
    together = max(min(since[id(c)] for c in courses) for courses in bases)
    names = " with ".join(dict.fromkeys(c.medicine.name for c in long))
    said = f"{names}, together since {iso(together)}"
    if any(c.medicine.base == "clozapine" for c in long):
        said += "; augments clozapine"
    evidence = tuple(person.supplied(c, c.medicine.name) for c in long)
    severity: Severity = "high" if count >= 3 else "medium"
    yield from gap_of(
        CODES["ANTIPSYCHOTIC_POLYPHARMACY"], [Finding(severity, said, (citations.clinical("1.1", "D"),), evidence)]
    )


def _trials(person: PersonAsKnown) -> list[tuple[str, int, int, Course]]:
    """(medicine, start, end, course) of every adequate trial: a regular antipsychotic held for 6 weeks or more, up to
    today."""
    found = []
    for course in person.courses:
        if not course.medicine.is_antipsychotic or course.required:
            continue
        for start, end in (*course.past, (course.start, course.end)):
            end = min(end, person.as_of)
            if end - start >= TRIAL_DAYS:
                found.append((course.medicine.base, start, end, course))
    return sorted(found, key=lambda trial: trial[1])


def resistance(person: PersonAsKnown) -> Iterator[Gap]:
    """TRS_NO_CLOZAPINE: schizophrenia or schizoaffective disorder recorded (ICD-10, SNOMED CT or label), never
    clozapine, two different antipsychotics each for 6 weeks or more [D], and an unplanned admission at least 6 weeks
    into a trial, or a switch: the second trial begins within 60 days of the end of the first."""
    if len({c.medicine.base for c in person.courses if c.medicine.is_antipsychotic and not c.required}) < 2:
        return
    diagnosed = person.diagnosed("schizophrenia")
    if not diagnosed or any(c.medicine.base == "clozapine" for c in person.courses):
        return
    trials = _trials(person)
    if len({name for name, _, _, _ in trials}) < 2:
        return
    said = ", ".join(dict.fromkeys(f"{name} from {iso(start)}" for name, start, _, _ in trials))
    evidence = list(diagnosed)
    evidence += [Evidence("supplies", c.first_row, c.start, c.medicine.name) for _, _, _, c in trials]
    admitted = [
        stay
        for stay in person.stays
        if stay.method in _UNPLANNED and any(start + TRIAL_DAYS <= stay.admitted <= end for _, start, end, _ in trials)
    ]
    switched = any(
        first != second and abs(begin - end) <= SWITCH_DAYS and end < person.as_of
        for first, _, end, _ in trials
        for second, begin, _, _ in trials
    )
    if not admitted and not switched:
        return
    if admitted:
        said += f"; admitted on treatment on {iso(admitted[-1].admitted)}"
        evidence.append(Evidence("stays", admitted[-1].row, admitted[-1].admitted, "admission on treatment"))
    if switched:
        said += "; switched between them"
    yield from gap_of(
        CODES["TRS_NO_CLOZAPINE"],
        [Finding("medium", f"{said}; clozapine not recorded", (citations.clinical("1.1", "D"),), tuple(evidence))],
    )


RULES = (high_dose, combination, resistance)
