"""Care gaps of treatment burden: side effects, anticholinergic burden, dependence."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown, meant
from features.kernels.regimen import CURRENT_GRACE_DAYS
from features.medicines.courses import Course, first_of_each
from features.records.tables import SEX
from features.reference import TESTS, THRESHOLDS, Medicine, bands, groups, in_scope, low_limit

SCORES: tuple[tuple[str, tuple[tuple[str, Severity], ...]], ...] = (
    ("gass_total", (("th097", "high"), ("th096", "medium"))),
    ("gass_clozapine_total", (("th099", "high"), ("th098", "medium"))),
)
bands(*(key for _, scores in SCORES for key, _ in scores))
PROLACTIN, PROLACTIN_MARKED, PROLACTIN_HIGH = low_limit("th084"), low_limit("th112"), low_limit("th085")
_PROLACTIN_ACTION = (
    "Repeat it; ask about periods, sexual effects and bone health; lower the dose, switch or add aripiprazole."
)
_PROLACTIN_HIGH_ACTION = "Repeat within days; refer to endocrinology to exclude a prolactinoma; review the medicine."
bands("th082", "th083")
ACB_TOTAL = low_limit("th102")
SCORE_LIMIT = 2
PROCYCLIDINE_DAYS = 90
OLDER = 65
HIGH_LOAD = 6
STRONG_SCORE = 2
LONG_DAYS = 28
REVIEWED_DAYS = 90
DEPENDENCE = "dependence forming"
BENZODIAZEPINES = "benzodiazepine_or_z_drug"


def side_effects(person: PersonAsKnown) -> Iterator[Gap]:
    """SIDE_EFFECT_BURDEN: a moderate or severe score, raised prolactin, or movement or sedation scored 2 or more.

    [D]: for people with a current psychotropic; the latest value counts until there is a newer one; prolactin (with an
    antipsychotic) is medium from th112 and high from th085; below, from the reference of th082 or th083, it is named
    beside another side effect only; movement and sedation are medium. A scale that is overdue is part of the annual
    check (MONITORING_NEVER_DONE).
    """
    if not any(course.medicine.is_psychotropic for course in person.current):
        return
    found = []
    for test, scores in SCORES:
        last = person.newest(test)
        for key, severity in scores:
            if last and THRESHOLDS[key].holds(last.value):
                row = (Evidence("results", last.row, last.day, TESTS[test].label),)
                said = f"{TESTS[test].label} {last.value:g} on {iso(last.day)}: {THRESHOLDS[key].meaning}"
                said += person.not_repeated(last.day)
                action = "Go through the scale with the person; change the dose or the medicine for what troubles them."
                found.append(Finding(severity, said, (citations.threshold(key),), row, action=action))
                break
    for test, action in (
        ("movement_score", "Examine for stiffness, restlessness and tardive dyskinesia; lower the dose or switch."),
        ("sedation_score", "Ask about sleep and the time of doses; lower the dose, move it to night or switch."),
    ):
        last = person.newest(test)
        if last and last.value >= SCORE_LIMIT:
            row = (Evidence("results", last.row, last.day, TESTS[test].label),)
            said = f"{TESTS[test].label} {last.value:g} on {iso(last.day)}{person.not_repeated(last.day)}"
            found.append(Finding("medium", said, (citations.clinical("1.1", "D"),), row, action=action))
    # a prolactin below the marked level is common with an antipsychotic: it is named beside other side effects
    found.extend(one for one in _prolactin(person) if found or one.severity != "low")
    yield from gap_of(CODES["SIDE_EFFECT_BURDEN"], found)


def _prolactin(person: PersonAsKnown) -> Iterator[Finding]:
    last = person.newest("prolactin")
    if last is None or not any(course.medicine.is_antipsychotic for course in person.current):
        return
    code = person.patient("sex")
    reference = "th082" if code is not None and SEX[code] == "male" else "th083"
    severity: Severity
    if last.value >= PROLACTIN_HIGH:
        key, severity = "th085", "high"
    elif last.value >= PROLACTIN_MARKED:
        key, severity = "th112", "medium"
    elif last.value >= PROLACTIN:
        key, severity = "th084", "low"
    elif THRESHOLDS[reference].holds(last.value):
        key, severity = reference, "low"
    else:
        return
    yield Finding(
        severity,
        f"prolactin {last.value:g} mIU/L on {iso(last.day)}{person.not_repeated(last.day)}",
        (citations.threshold(key),),
        (Evidence("results", last.row, last.day, "prolactin"),),
        action=_PROLACTIN_ACTION if key != "th085" else _PROLACTIN_HIGH_ACTION,
    )


def anticholinergic(person: PersonAsKnown) -> Iterator[Gap]:
    """ANTICHOLINERGIC_BURDEN: scores of the current medicines sum to 3 or more, from two that score 2 or more,
    or to 6 from three; or with procyclidine for more than 90 days and no review in 90; or from 65 years (which is never
    named).

    One licensed antipsychotic that scores 3 alone is not a burden: the score was validated over 65. [D]: low, medium
    from 6, with procyclidine for more than 90 days, or from 65 years.
    """
    total = person.regimen("acb_total")
    if not total >= ACB_TOTAL:
        return
    held = first_of_each(course for course in person.current if course.medicine.acb_score)
    scores: dict[str, int] = {}
    for course in held:
        scores[course.medicine.base] = max(scores.get(course.medicine.base, 0), course.medicine.acb_score)
    years = person.years_old(person.as_of)
    older = years is not None and years >= OLDER
    strong = sum(score >= STRONG_SCORE for score in scores.values()) >= 2
    stacked = strong or (len(scores) > 2 and total >= HIGH_LOAD)
    days = max((person.as_of - person.taken_since(c) for c in person.base("procyclidine")), default=0)
    long = days > PROCYCLIDINE_DAYS
    long = long and not _reviewed(person, person.as_of - PROCYCLIDINE_DAYS)
    if not (stacked or older or long):
        return
    severity: Severity = "medium" if total >= HIGH_LOAD or long or older else "low"
    parts = ", ".join(f"{c.medicine.name} {c.medicine.acb_score}" for c in held)
    said = f"score {total:g} ({parts})"
    known = [citations.threshold("th102"), *(citations.of_medicine(c.medicine, "acb_score") for c in held)]
    unchecked: tuple[str, ...] = ()
    if years is None:
        unchecked = ("anticholinergic burden from a lower score: date of birth not recorded",)
    action = _anticholinergic_action(held)
    if long:
        said += f"; procyclidine for {days} days"
        known.append(citations.clinical("1.1", "D"))
        action = "Try to withdraw procyclidine slowly: it is seldom needed for more than 3 months."
    rows = tuple(person.supplied(c, c.medicine.name) for c in held)
    only = all(c.medicine.is_antipsychotic for c in held)
    finding = Finding(severity, said, tuple(known), rows, action=action, unchecked=unchecked, folds=only)
    yield from gap_of(CODES["ANTICHOLINERGIC_BURDEN"], [finding])


def _reviewed(person: PersonAsKnown, since: int) -> bool:
    """Whether a medicines review was attended or recorded in the last 90 days, as mp218 and mp221 ask, and since the
    medicine began."""
    recorded = person.last_met("structured_medication_review")
    days = [c.day for c in person.reviews if c.kind == "medicines_review"]
    days += [recorded.day] if recorded else []
    return any(person.as_of - day <= REVIEWED_DAYS and day >= since for day in days)


def _anticholinergic_action(held: list[Course]) -> str:
    """The medicine to review first: if possible, one with a score that is not an antipsychotic."""
    spare = [c for c in held if not c.medicine.is_antipsychotic and c.medicine.acb_score >= STRONG_SCORE]
    names = ", ".join(dict.fromkeys(c.medicine.name for c in spare or held))
    verb = "Review the need for" if spare else "Review"
    return f"{verb} {names}; ask about constipation, dry mouth, retention and confusion; swap where it can be."


def forms_dependence(medicine: Medicine) -> bool:
    return medicine.name in groups()[DEPENDENCE]


def _used(person: PersonAsKnown, course: Course) -> list[Course]:
    """A course with those of its group that it follows without a break, the first first: of a benzodiazepine or z-drug
    those of any other, because mp218 asks about the group."""
    used, since = [course], person.taken_since(course)
    if in_scope(course.medicine, BENZODIAZEPINES):
        others = [c for c in person.courses if in_scope(c.medicine, BENZODIAZEPINES) and c is not course]
        for other in sorted(others, key=lambda c: -c.end):
            gap = since - other.end
            if gap < -CURRENT_GRACE_DAYS:
                continue  # taken at the same time: it has a line of its own
            if gap - person.away_days(other.end, since) <= CURRENT_GRACE_DAYS and person.taken_since(other) < since:
                used.insert(0, other)
                since = person.taken_since(other)
    return used


def dependence(person: PersonAsKnown) -> Iterator[Gap]:
    """BZD_Z_PREGABALIN_LONG: a dependence-forming medicine taken for more than 28 days without a break, or a
    benzodiazepine or z-drug after another.

    [D]: high if an opioid and another of the group are both current; it does not fire if a medicines review was
    attended or recorded in the last 90 days, as mp218 asks; else medium. Opioids alone are for the GP's review: the
    code is for benzodiazepines, z-drugs and gabapentinoids.
    """
    t = person.as_of
    held = person.on(groups()[DEPENDENCE])
    opioid = meant("opioid")
    used = [_used(person, c) for c in held if c.medicine.name not in opioid]
    followed = {id(c) for courses in used for c in courses[:-1]}
    used = [courses for courses in used if id(courses[-1]) not in followed]
    long = [(courses, since) for courses in used if t - (since := person.taken_since(courses[0])) > LONG_DAYS]
    if not long:
        return
    with_opioid = [c for c in held if c.medicine.name in opioid] or person.on(opioid)
    severity: Severity = "medium"
    said = ", ".join(
        f"{' then '.join(dict.fromkeys(c.medicine.name for c in courses))} for {t - since} days"
        for courses, since in long
    )
    known = [citations.group(DEPENDENCE), citations.protocol_named("mp218")]
    if with_opioid:
        severity = "high"
        said += f"; with {', '.join(c.medicine.name for c in with_opioid)}"
        known.append(citations.interaction("ix068"))
    elif _reviewed(person, max(since for _, since in long)):
        return
    started = {c.first_row: c for courses, _ in long for c in courses}.values()
    rows = tuple(Evidence("supplies", c.first_row, c.start, f"{c.medicine.name} started") for c in started)
    yield from gap_of(CODES["BZD_Z_PREGABALIN_LONG"], [Finding(severity, said, tuple(known), rows)])


RULES = (side_effects, anticholinergic, dependence)
