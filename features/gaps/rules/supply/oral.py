"""Care gaps of oral supply: medicine that ran out, and less collected than before (docs/clinical.md sections 2.4 and
3).
"""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import SEVERITIES, Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown
from features.gaps.rules.monitoring.lithium import consecutive, same_dose
from features.gaps.rules.supply.depot import lateness
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import KEPT_DAYS, Course
from features.reference import Medicine, high_limit, in_scope
from features.reference.medicines.stops import SuddenStop, sudden_stop

GAP_DAYS, LONG_GAP_DAYS = 14, 30
WEEK = 7
TITRATED, AGAIN_DAYS = "lamotrigine", 14
_REPLACED_WITHIN_DAYS = 90
"""A medicine that began in the 90 days before another ended, or later, replaces it [D]; one taken for longer was there
beside it."""
FALL = 0.1
LEVEL_FALL = 0.2
WINDOW = 90
LOW_COVER, SEVERE_COVER = high_limit("th103"), high_limit("th104")


def class_of(medicine: Medicine) -> str:
    if medicine.is_antipsychotic:
        return "antipsychotic"
    if medicine.base == "lithium":
        return "lithium"
    return "mood stabiliser" if medicine.medicine_class == "mood_stabiliser" else ""


def classes(person: PersonAsKnown) -> dict[str, list[Course]]:
    """Regular courses by class: antipsychotic (injections with them), lithium, other mood stabilisers."""
    if person.classes is None:
        person.classes = {}
        for course in person.courses:
            name = class_of(course.medicine)
            if name and not course.required:
                person.classes.setdefault(name, []).append(course)
    return person.classes


def weekly(person: PersonAsKnown, course: Course) -> bool:
    """True if the last two supplies were for a week or less: weekly collection is a sign of risk."""
    lengths = [row.length for row in person.supplies_of(course.medicine.name, KEPT_DAYS)[-2:]]
    return len(lengths) == 2 and max(lengths) <= WEEK


def _over(person: PersonAsKnown, course: Course) -> bool:
    """True if a stop no longer counts: it was reviewed since, or it is a year ago."""
    since = person.as_of - course.end
    return since > COURSE_GAP_DAYS and (since > YEAR or person.reviewed_since(course.end))


def supply_gap(person: PersonAsKnown) -> Iterator[Gap]:
    """SUPPLY_GAP_ORAL: all regular medicine of a class ran out 14 or more days ago (days in hospital left out), 7 where
    it is dispensed weekly; or a mood stabiliser ran out that is not to stop suddenly (``sudden_stops.csv``, from 3 days
    for lithium); or lamotrigine was supplied again at the full dose after such a gap.
    WITHDRAWAL_RISK: another medicine of that table ran out: antidepressants, benzodiazepines, z-drugs,
    gabapentinoids.

    [D]: antipsychotics and mood stabilisers are medium to 30 days and high above, or where under half of 90 days was
    covered; the table gives the others. After 90 days NO_ANTIPSYCHOTIC tells antipsychotics; the rest stand for a year
    or until a review was attended since. Where clozapine or an injection lasted longest, CLZ_BREAK or LAI_OVERDUE
    tells it. Silent in hospital. Falling cover of the same medicine is said here, not as ADHERENCE_FALLING too.
    """
    by_class, mood, others = _gone(person)
    yield from gap_of(CODES["SUPPLY_GAP_ORAL"], [*by_class.values(), *mood])
    yield from gap_of(CODES["WITHDRAWAL_RISK"], others)


def _gone(person: PersonAsKnown) -> tuple[dict[str, Finding], list[Finding], list[Finding]]:
    """Gaps of classes without supply, then of mood stabilisers and other medicines that are not to stop suddenly.
    Computed once; none in hospital.
    """
    if person.gone is None:
        stops = [] if person.inpatient else [*_sudden_stops(person), *_taken_again(person)]
        mood = [finding for medicine, finding in stops if class_of(medicine)]
        others = [finding for medicine, finding in stops if not class_of(medicine)]
        person.gone = ({} if person.inpatient else class_gaps(person), mood, others)
    return person.gone


def class_gaps(person: PersonAsKnown) -> dict[str, Finding]:
    """Classes in which all regular medicine ran out, by name."""
    found = {}
    for name, courses in classes(person).items():
        last = max(courses, key=lambda course: course.end)
        medicine = last.medicine
        if medicine.is_long_acting_injection or medicine.base == "clozapine" or _stop_rule(person, last):
            continue
        if person.as_of - last.end < WEEK or _over(person, last):
            continue
        if medicine.is_antipsychotic and person.as_of - last.end > COURSE_GAP_DAYS:
            continue
        gap, each_week = person.uncovered(last.end), weekly(person, last)
        if gap < (WEEK if each_week else GAP_DAYS):
            continue
        severity: Severity = "high" if gap > LONG_GAP_DAYS else "medium"
        said = f"supply of {name} recorded ran out on {iso(last.end)}, {gap} days ago"
        if each_week:
            said += "; supplied weekly before"
        known = [citations.clinical("2.4", "D")]
        fall = _fall(person, name, courses)
        if fall:
            said += f"; {fall.value.removeprefix(f'{name}: ')}"
            severity = min(severity, fall.severity, key=SEVERITIES.index)
            known.extend(fall.facts)
        often = _often(person, name, courses)
        if often:
            said += f"; {often.value.removeprefix(f'{name}: ')}"
            known.extend(often.facts)
        evidence = (person.supplied(last, f"last supply of {medicine.name}"),)
        title = f"Supply of {name} ran out"
        found[name] = Finding(severity, said, tuple(known), evidence, last.end, gap, title=title)
    return found


def _sudden_stops(person: PersonAsKnown) -> Iterator[tuple[Medicine, Finding]]:
    """Medicines that ran out and are not to stop suddenly. A current supply of another medicine of the family is a
    switch.
    """
    for course in person.courses:
        medicine = course.medicine
        rule = _stop_rule(person, course)
        if rule is None or course.required or _over(person, course):
            continue
        if person.as_of - course.end < rule.from_day:
            continue
        gap = person.uncovered(course.end)
        if gap < rule.from_day:
            continue
        if _replaced(person, course):
            continue
        severity: Severity = "high" if rule.severity == "high" else "medium"
        finding = Finding(
            severity,
            f"supply of {medicine.name} ran out on {iso(course.end)}, {gap} days ago: risk of {rule.risk}",
            (citations.sudden_stop(rule.scope),),
            (person.supplied(course, f"last supply of {medicine.name}"),),
            course.end,
            gap,
            action=rule.action,
            title=f"Supply of {medicine.name} ran out: not to stop suddenly",
        )
        yield medicine, finding


def _taken_again(person: PersonAsKnown) -> Iterator[tuple[Medicine, Finding]]:
    """Lamotrigine supplied again within 14 days, after at least the days of ``sudden_stops.csv`` without it, and not at
    half of the dose before or less: the rash it risks comes with the full dose. Until a review was attended since [D].
    """
    for course in person.courses:
        rule = sudden_stop(course.medicine.name) if course.medicine.base == TITRATED else None
        if rule is None or course.required or person.as_of >= course.end or len(course.spans) < 2:
            continue
        began, ended = course.spans[-1][0], max(end for _, end in course.spans[:-1])
        gap = began - ended - person.away_days(ended, began)
        if person.as_of - began > AGAIN_DAYS or ended - course.first_start < rule.taken_days or gap < rule.from_day:
            continue
        before, now = course.dose_on(began - 1), course.dose_on(began)
        if (before and now and now <= before / 2) or person.reviewed_since(began):
            continue
        finding = Finding(
            "high",
            f"{course.medicine.name} supplied again on {iso(began)}, {gap} days after supply ran out: "
            f"risk of {rule.risk}",
            (citations.sudden_stop(rule.scope),),
            (person.supplied(course, f"last supply of {course.medicine.name}"),),
            action=f"Ask today what was taken in between. {rule.action.partition(': ')[2].capitalize()}",
            title=f"{course.medicine.name.capitalize()} supplied again after a gap: titrated again?",
        )
        yield course.medicine, finding


def _stop_rule(person: PersonAsKnown, course: Course) -> SuddenStop | None:
    """The row of ``sudden_stops.csv`` for a course that lasted as long as the row asks; None if there is none. An
    earlier course, more than 90 days before it, is no use of this one."""
    rule = sudden_stop(course.medicine.name)
    return rule if rule and course.end - person.taken_since(course, COURSE_GAP_DAYS) >= rule.taken_days else None


def _replaced(person: PersonAsKnown, course: Course) -> bool:
    """Whether a later supply of another medicine makes the end of a course a switch. Any benzodiazepine or z-drug
    stands in for another; an antidepressant, valproate or carbamazepine is replaced by one that began lately.
    """
    stopped = course.medicine
    later = [other for other in person.courses if other.end > course.end]
    if in_scope(stopped, "benzodiazepine_or_z_drug"):
        return any(in_scope(other.medicine, "benzodiazepine_or_z_drug") for other in later)
    lately = [other.medicine for other in later if other.start >= course.end - _REPLACED_WITHIN_DAYS]
    if in_scope(stopped, "antidepressant_any"):
        return any(in_scope(medicine, "antidepressant_any") for medicine in lately)
    return stopped.base in ("valproate", "carbamazepine") and any(
        class_of(medicine) in ("lithium", "mood stabiliser") for medicine in lately
    )


def covered(person: PersonAsKnown, courses: list[Course], start: int, end: int) -> float | None:
    """CMA7: share of the days in [start, end) outside hospital on which any of the courses covers; None if all days
    were in hospital.
    """
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


def _fall(person: PersonAsKnown, name: str, courses: list[Course]) -> Finding | None:
    """A class supplied for 180 days or more, and less of it in the last 90 days than in the 90 before."""
    t = person.as_of
    last = max(courses, key=lambda course: course.end)
    if min(c.first_start for c in courses) > t - 2 * WINDOW or t > last.end + COURSE_GAP_DAYS:
        return None
    now = covered(person, courses, t - WINDOW, t)
    if now is None or now >= LOW_COVER:
        return None
    before = covered(person, courses, t - 2 * WINDOW, t - WINDOW)
    if before is None or round(before - now, 6) < FALL:
        return None
    key = "th104" if now < SEVERE_COVER else "th103"
    return Finding(
        "high" if now < SEVERE_COVER else "medium",
        f"{name}: {now:.0%} of the last 90 days covered, {before:.0%} of the 90 before",
        (citations.threshold(key), citations.clinical("1.1", "D")),
        (person.supplied(last, f"last supply of {last.medicine.name}"),),
    )


def _often(person: PersonAsKnown, name: str, courses: list[Course]) -> Finding | None:
    """At least two gaps of over 14 days in 180 days, one of them in the last 90, in a class supplied for that long."""
    t = person.as_of
    last = max(courses, key=lambda course: course.end)
    if min(c.first_start for c in courses) > t - 2 * WINDOW or t > last.end + COURSE_GAP_DAYS:
        return None
    gaps = gaps_over(person, courses, t - 2 * WINDOW)
    if gaps < 2 or not gaps_over(person, courses, t - WINDOW):
        return None
    said = f"{name}: {gaps} gaps of more than 14 days in the last 180 days"
    evidence = (person.supplied(last, f"last supply of {last.medicine.name}"),)
    return Finding("medium", said, (citations.clinical("3", "D"),), evidence)


def _told_elsewhere(person: PersonAsKnown, last: Course) -> bool:
    """True if the current gap already has its own line: a late injection, or a break in clozapine."""
    if last.medicine.is_long_acting_injection:
        return any(lateness(person))
    return last.medicine.base == "clozapine" and person.uncovered(last.end) > 0


def falling(person: PersonAsKnown) -> Iterator[Gap]:
    """ADHERENCE_FALLING: under 80% of the last 90 days covered and 10 points less than in the 90 days before; or two
    gaps of more than 14 days in 180; or a lithium level down by more than 0.2 mmol/L at the same dose.

    [D]: for people supplied the class for 180 days or more and current; high under 50%, else medium. A level that
    fell while the dose is not recorded does not fire. Medicine that is out of supply now has its own line and does
    not fire here.
    """
    found = []
    gone, stops, _ = _gone(person)
    stopped = [finding.evidence[0].row for finding in stops]
    for name, courses in classes(person).items():
        last = max(courses, key=lambda course: course.end)
        if name in gone or last.last_row in stopped or _told_elsewhere(person, last):
            continue
        both = (_fall(person, name, courses), _often(person, name, courses))
        found += [finding for finding in both if finding]
    found.extend(_level_fall(person))
    if found:
        yield from gap_of(CODES["ADHERENCE_FALLING"], found)


def gaps_over(person: PersonAsKnown, courses: list[Course], start: int) -> int:
    """Periods of more than 14 days since ``start``, outside hospital, without supply of the class."""
    t = person.as_of
    spans = sorted((b, e) for course in courses for b, e in course.spans if e > start)
    count, reached = 0, max(start, min((b for b, _ in spans), default=t))
    for begin, stop in [*spans, (t, t)]:
        if begin - reached > GAP_DAYS and begin - reached - person.away_days(reached, begin) > GAP_DAYS:
            count += 1
        reached = max(reached, stop)
    return count


def _level_fall(person: PersonAsKnown) -> Iterator[Finding]:
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
