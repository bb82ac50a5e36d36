"""Clozapine: blood counts due, breaks in treatment, amber and red results (CLINICAL.md section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Person, Reading
from features.gaps.rules.monitoring import due_evidence, due_value
from features.kernels.coverage import COURSE_GAP_DAYS
from features.kernels.lookups import RED
from features.medicines.courses import Course
from features.reference import PROTOCOLS, THRESHOLDS, bands, low_limit
from features.reference.clozapine_services import RESET_DAYS, SERVICES, STRICTEST, STRICTEST_DAYS

BREAK_DAYS = low_limit("th025")
NEW_START_DAYS = 28
REPORT_DAYS = 14
DETECTION_MG_L = 0.05
DETECTION_DAYS = 28
MYOCARDITIS_DAYS = 56
BEN_YES = ("yes", "registered", "true", "confirmed", "1")
_GENERAL = {"wbc": bands("th003", "th002"), "anc": bands("th013", "th006", "th005")}
_BEN = {"wbc": bands("th009", "th008"), "anc": bands("th013", "th012", "th011")}
_OTHERS: dict[str, tuple[str, ...]] = {"platelets": bands("th014"), "eosinophils": bands("th015")}
_FIRST_WEEKS: dict[str, tuple[str, ...]] = {"troponin": bands("th020"), "crp": bands("th021", "th022")}
_LABELS = {"wbc": "white cells", "anc": "neutrophils", "crp": "CRP"}
_SEVERITY: dict[str, Severity] = {"amber": "high", "red": "critical", "critical": "critical"}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)[ _-]?(d|day|days|h|hour|hours)")


def course_of(person: Person) -> Course | None:
    """The clozapine course, until more than 90 days after its supply ran out."""
    for course in person.courses:
        if course.medicine.name == "clozapine" and person.as_of <= course.end + COURSE_GAP_DAYS:
            return course
    return None


def blood_count(person: Person) -> Iterator[Gap]:
    """CLZ_FBC_OVERDUE: from the due day itself (section 4, engine rules). Severity [D]: medium on the day, high from 1
    day past due, critical from 3; from 7 the value says that it is the last step. Never left out, in hospital or not.
    More than 28 days after supply ran out only the counts after stopping are asked for, and for 90 days those of an
    amber or red result (sections 4.2, 4.7)."""
    held = next((c for c in person.courses if c.medicine.name == "clozapine"), None)
    over = held is not None and not held.current(person.as_of)
    still = ("post_stop", "amber_result", "red_result") if course_of(person) else ("post_stop",)
    dues = [
        due
        for due in person.due
        if due.item.scope == "clozapine"
        and due.item.test == "fbc"
        and not (over and PROTOCOLS[due.protocol].phase not in still)
    ]
    if not dues:
        return
    due = min(dues, key=lambda one: one.day)
    overdue = person.as_of - due.day
    severity: Severity = "critical" if overdue >= 3 else "high" if overdue >= 1 else "medium"
    step = (
        "escalation step 3 of 3"
        if overdue >= 7
        else "escalation step 2 of 3"
        if overdue >= 3
        else "supply on hold by the service's rule"
        if overdue >= 1
        else "due today"
    )
    interval = PROTOCOLS[due.protocol].interval_days
    every = f"; every {interval} days now" if interval else ""
    yield from gap_of(
        CODES["CLZ_FBC_OVERDUE"],
        [
            Finding(
                severity,
                f"{due_value(due)}{every}; {step}",
                (citations.protocol(due.protocol),),
                due_evidence(person, due),
                due.day,
                overdue,
            )
        ],
    )


def treatment_break(person: Person) -> Iterator[Gap]:
    """CLZ_BREAK: supply ran out, missed doses reported, or a level below detection.

    [D]: days missed are days outside hospital since supply ran out; a gap fires above 2 of them (48 hours) until the
    course has ended (more than 90 days), always critical: stopped in the last 90 days is a top-tier state (section
    4.12). A report counts for 14 days; "yes" does not say how long, so it is high and says so; an amount ("72 hours",
    "3 days") above 48 hours is critical, up to 48 hours it does not fire. A level below 0.05 mg/L in the last 28 days,
    while supply lasts, is high. The reset limit is the service's, the stricter where it is not recorded.
    """
    course = course_of(person)
    if course is None:
        return
    found = []
    missed = 0 if person.inpatient else person.uncovered(course.end)
    if missed > BREAK_DAYS and person.as_of - course.end <= COURSE_GAP_DAYS:
        key, hours, words = _reset(person)
        said = [f"supply recorded ran out on {iso(course.end)}, {missed} days ago"]
        known = [citations.threshold("th025"), citations.threshold(key)]
        if missed > NEW_START_DAYS:
            said.append("more than 4 weeks: a new start, blood count weekly for 18 weeks")
            known.append(citations.clinical("4.6", "R"))
        elif missed > hours / 24:
            said.append(f"past {hours} hours ({words}): blood count weekly for 6 weeks")
        else:
            said.append(f"not past {hours} hours ({words})")
        found.append(
            Finding(
                "critical",
                "; ".join(said),
                tuple(known),
                (person.supplied(course, "last clozapine supply"),),
                course.end,
                missed,
            )
        )
    found.extend(_reported(person))
    low = person.latest("clozapine_level", DETECTION_DAYS)
    if low and low.value < DETECTION_MG_L and low.day >= course.start:
        found.append(
            Finding(
                "high",
                f"level {low.value:g} mg/L on {iso(low.day)}, below detection",
                (citations.clinical("1.1", "D"),),
                (Evidence("results", low.row, low.day, "clozapine level"),),
            )
        )
    if found:
        yield from gap_of(CODES["CLZ_BREAK"], found)


def _reset(person: Person) -> tuple[str, int, str]:
    """(row of ``thresholds.csv``, hours, what to say) of the break after which blood counts start again."""
    service = person.circumstance("clozapine_service")
    if service and service.value in SERVICES:
        return SERVICES[service.value], round(24 * RESET_DAYS[service.value]), service.value.upper()
    return STRICTEST, round(24 * STRICTEST_DAYS), "monitoring service not recorded, the stricter limit"


def _reported(person: Person) -> Iterator[Finding]:
    report = person.circumstance("reported_missed_doses")
    if report is None or person.as_of - report.day > REPORT_DAYS or report.value in ("no", "none"):
        return
    amount = _AMOUNT.fullmatch(report.value)
    evidence = (Evidence("circumstances", report.row, report.day, "missed doses reported"),)
    if amount is None:
        yield Finding(
            "high",
            f"missed doses reported on {iso(report.day)}; how long is not recorded",
            (citations.threshold("th025"), citations.clinical("1.1", "D")),
            evidence,
        )
        return
    hours = float(amount[1]) * (24 if amount[2].startswith("d") else 1)
    if hours > BREAK_DAYS * 24:
        key, limit, words = _reset(person)
        past = "past" if hours > limit else "not past"
        yield Finding(
            "critical",
            f"{hours:g} hours of missed doses reported on {iso(report.day)}; {past} {limit} hours ({words})",
            (citations.threshold("th025"), citations.threshold(key)),
            evidence,
        )


def red_or_amber(person: Person) -> Iterator[Gap]:
    """CLZ_RESULT_RED_AMBER: the colour of the white cells and neutrophils in force is amber or red (amber until a
    green count, red until two in a row: the schedule's own answer), or the latest platelets or eosinophils are red, or
    troponin or CRP in the first 8 weeks.

    Limits registered for BEN apply where that is recorded. [D]: platelets and eosinophils of the present course only
    (from 10 days before it); a trend (three falling values) is told with a value that fired and does not fire alone.
    """
    course = course_of(person)
    if course is None:
        return
    found = [*_coloured(person)] if person.answers.colour else []
    for test, keys in _OTHERS.items():
        last = next((r for r in reversed(person.readings(test)) if r.day >= course.start - 10), None)
        key = last and _band(keys, last.value)
        if last and key:
            found.append(_result(test, last, key, ""))
    for test, keys in _FIRST_WEEKS.items():
        last = person.latest(test)
        lately = last and 0 <= last.day - course.start <= MYOCARDITIS_DAYS
        key = last and _band(keys, last.value)
        if last and lately and key and person.as_of - course.start <= MYOCARDITIS_DAYS + 28:
            found.append(_result(test, last, key, ""))
    if found:
        yield from gap_of(CODES["CLZ_RESULT_RED_AMBER"], found)


def _coloured(person: Person) -> Iterator[Finding]:
    ben = person.circumstance("benign_ethnic_neutropenia")
    registered = ben is not None and ben.value in BEN_YES
    since, red = person.answers.coloured_on, person.answers.colour == RED
    for test, keys in (_BEN if registered else _GENERAL).items():
        readings = person.readings(test)
        after = [(r, _band(keys, r.value)) for r in readings if r.day >= since]
        marked = [(r, key) for r, key in after if key]
        if red:
            marked = [(r, key) for r, key in marked if THRESHOLDS[key].severity != "amber"] or marked
        if not marked:
            continue
        reading, key = marked[-1]
        note = " (BEN limits)" if registered else ""
        greens = sum(r.day > reading.day and not held for r, held in after)
        if red:
            note += f"; {greens} of 2 green results since"
        values = [r.value for r in readings[-3:]]
        if len(values) == 3 and values[0] > values[1] > values[2]:
            note += f"; falling over 3 tests ({', '.join(f'{v:g}' for v in values)})"
        yield _result(test, reading, key, note)


def _band(keys: tuple[str, ...], value: float) -> str | None:
    return next((key for key in keys if THRESHOLDS[key].holds(value)), None)


def _result(test: str, reading: Reading, key: str, note: str) -> Finding:
    row = THRESHOLDS[key]
    return Finding(
        _SEVERITY[row.severity],
        f"{_LABELS.get(test, test)} {reading.value:g} {row.unit} on {iso(reading.day)}: {row.severity}{note}",
        (citations.threshold(key),),
        (Evidence("results", reading.row, reading.day, _LABELS.get(test, test)),),
    )


RULES = (blood_count, treatment_break, red_or_amber)
