"""Burdens of treatment: side effects, anticholinergic load, dependence."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Person, meant
from features.gaps.rules.monitoring import due_evidence, due_value
from features.reference import TESTS, THRESHOLDS, bands, groups, low_limit

_SCORES: tuple[tuple[str, tuple[tuple[str, Severity], ...]], ...] = (
    ("gass_total", (("th097", "high"), ("th096", "medium"))),
    ("gass_clozapine_total", (("th099", "high"), ("th098", "medium"))),
)
bands(*(key for _, scores in _SCORES for key, _ in scores))
PROLACTIN, PROLACTIN_HIGH = low_limit("th084"), low_limit("th085")
ACB_TOTAL = low_limit("th102")
SCORE_LIMIT = 2
PROCYCLIDINE_DAYS = 90
OLDER = 65
HIGH_LOAD = 6
LONG_DAYS = 28
REVIEWED_DAYS = 90
DEPENDENCE = "dependence forming"


def side_effects(person: Person) -> Iterator[Gap]:
    """SIDE_EFFECT_BURDEN: a moderate or severe score, prolactin of 530 or more, movement or sedation scored 2 or more,
    or a scale past due.

    [D]: for people with a current psychotropic; values count for a year; prolactin (with an antipsychotic) is medium
    from 530 and high from 3180; movement and sedation are medium; a scale past its grace is low.
    """
    t = person.as_of
    if not any(course.medicine.is_psychotropic for course in person.current):
        return
    found = []
    for test, scores in _SCORES:
        last = person.latest(test)
        for key, severity in scores:
            if last and THRESHOLDS[key].holds(last.value):
                row = (Evidence("results", last.row, last.day, TESTS[test].label),)
                said = f"{TESTS[test].label} {last.value:g} on {iso(last.day)}: {THRESHOLDS[key].meaning}"
                found.append(Finding(severity, said, (citations.threshold(key),), row))
                break
    hormone = person.latest("prolactin")
    raised = hormone is not None and hormone.value >= PROLACTIN
    if hormone and raised and any(course.medicine.is_antipsychotic for course in person.current):
        high = hormone.value >= PROLACTIN_HIGH
        row = (Evidence("results", hormone.row, hormone.day, "prolactin"),)
        known = (citations.threshold("th085" if high else "th084"),)
        said = f"prolactin {hormone.value:g} mIU/L on {iso(hormone.day)}"
        found.append(Finding("high" if high else "medium", said, known, row))
    for test in ("movement_score", "sedation_score"):
        last = person.latest(test)
        if last and last.value >= SCORE_LIMIT:
            row = (Evidence("results", last.row, last.day, TESTS[test].label),)
            said = f"{TESTS[test].label} {last.value:g} on {iso(last.day)}"
            found.append(Finding("medium", said, (citations.clinical("1.1", "D"),), row))
    dues = [due for due in person.due if due.item.test == "side_effect_scale" and due.past_grace(t)]
    if dues:
        due = min(dues, key=lambda one: one.day)
        known = (citations.protocol(due.protocol),)
        found.append(Finding("low", due_value(due), known, due_evidence(person, due), due.day, t - due.day))
    if found:
        yield from gap_of(CODES["SIDE_EFFECT_BURDEN"], found)


def anticholinergic(person: Person) -> Iterator[Gap]:
    """ANTICHOLINERGIC_BURDEN: scores of the current medicines sum to 3 or more.

    [D]: low from 3, medium from 6, with procyclidine for more than 90 days, or from 65 years (which is never named).
    """
    total = person.regimen("acb_total")
    if not total >= ACB_TOTAL:
        return
    held = [course for course in person.current if course.medicine.acb_score]
    long = person.regimen("procyclidine_days") > PROCYCLIDINE_DAYS
    years = person.years_old(person.as_of)
    severity: Severity = "medium" if total >= HIGH_LOAD or long or (years is not None and years >= OLDER) else "low"
    parts = ", ".join(f"{c.medicine.name} {c.medicine.acb_score}" for c in held)
    said = f"score {total:g} ({parts})"
    known = [citations.threshold("th102"), *(citations.of_medicine(c.medicine, "acb_score") for c in held)]
    if long:
        said += f"; procyclidine for {person.regimen('procyclidine_days'):g} days"
        known.append(citations.clinical("1.1", "D"))
    rows = tuple(person.supplied(c, c.medicine.name) for c in held)
    yield from gap_of(CODES["ANTICHOLINERGIC_BURDEN"], [Finding(severity, said, tuple(known), rows)])


def dependence(person: Person) -> Iterator[Gap]:
    """BZD_Z_PREGABALIN_LONG: a dependence-forming medicine current for more than 28 days without a break.

    [D]: high where an opioid and another of the group are both current; low where a medicines review was attended or
    recorded in the last 90 days; else medium. Opioids alone are left to the GP's review: the code is for
    benzodiazepines, z-drugs and gabapentinoids.
    """
    if not person.regimen("dependence_days") > LONG_DAYS:
        return
    t = person.as_of
    held = person.on(groups()[DEPENDENCE])
    opioid = meant("opioid")
    long = [c for c in held if t - c.start > LONG_DAYS and c.medicine.name not in opioid]
    if not long:
        return
    with_opioid = [c for c in held if c.medicine.name in opioid] or person.on(opioid)
    reviewed = person.last_met("structured_medication_review")
    recent = [c for c in person.contacts if c.attended and c.kind == "medicines_review" and t - c.day <= REVIEWED_DAYS]
    severity: Severity = "medium"
    said = ", ".join(f"{c.medicine.name} for {t - c.start} days" for c in long)
    known = [citations.group(DEPENDENCE), citations.protocol_named("mp218")]
    if with_opioid:
        severity = "high"
        said += f"; with {', '.join(c.medicine.name for c in with_opioid)}"
        known.append(citations.interaction("ix068"))
    elif recent or (reviewed and t - reviewed.day <= REVIEWED_DAYS):
        severity = "low"
        said += "; reviewed in the last 90 days"
    rows = tuple(Evidence("supplies", c.first_row, c.start, f"{c.medicine.name} started") for c in long)
    yield from gap_of(CODES["BZD_Z_PREGABALIN_LONG"], [Finding(severity, said, tuple(known), rows)])


RULES = (side_effects, anticholinergic, dependence)
