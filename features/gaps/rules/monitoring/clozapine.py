"""Clozapine: blood counts due and breaks in treatment (docs/clinical.md section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Circumstance, Due, PersonAsKnown
from features.gaps.rules.monitoring.schedule import due_evidence, due_value
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.monitoring import due_dates
from features.monitoring.situation import NEW_START_DAYS
from features.reference import PROTOCOLS, low_limit
from features.reference.monitoring.clozapine_schedules import REGISTER_DAYS, clozapine_schedule
from features.reference.monitoring.clozapine_services import RESET_DAYS, SERVICES, STRICTEST, STRICTEST_DAYS

BREAK_DAYS = low_limit("th025")
HISTORY_DAYS = 1100
"""How far back breaks are looked for: those that set the interval lie within a year of treatment."""
REPORT_DAYS = 14
DETECTION_MG_L = 0.05
DETECTION_DAYS = 28
CLINIC_KINDS = ("clozapine_clinic", "physical_health", "medicines_review", "depot_clinic", "clinic")
_ASK = (
    "Ask today when it was last taken. If that is more than 48 hours ago: not the previous dose; re-titrate, and tell"
    " the monitoring service."
)
RESTART_DAYS = 7
_TITRATED = (
    "Ask today what was taken in between and at what dose it was restarted: after more than 48 hours it is titrated"
    " again from a low dose; tell the monitoring service."
)
_DISPENSING = "Check dispensing first: a supply may not be recorded."
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)[ _-]?(d|day|days|h|hour|hours)")


def course_of(person: PersonAsKnown) -> Course | None:
    """The clozapine course, until more than 90 days after its supply ran out."""
    for course in person.courses:
        if course.medicine.name == "clozapine" and person.as_of <= course.end + COURSE_GAP_DAYS:
            return course
    return None


def blood_count(person: PersonAsKnown) -> Iterator[Gap]:
    """CLZ_FBC_OVERDUE: from the due day itself (section 4, engine rules). Severity [D]: medium on the day, high from 1
    day past due, critical from 3; from 7 the value says that it is the last step. It is never left out, also not in
    hospital.
    More than 28 days after supply ran out only the counts after stopping are asked for, and for 90 days those of an
    amber or red result (sections 4.2, 4.7). The recorded interval (``clozapine_interval``) is used; without one, the
    interval for the weeks on treatment.
    """
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
    interval = PROTOCOLS[due.protocol].interval_days
    every = f"; every {'day' if interval == 1 else f'{interval} days'} now" if interval else ""
    why, rows = interval_reason(person, due.protocol)
    entry = _recorded_interval(person, due)
    schedule = clozapine_schedule()
    by_weeks = PROTOCOLS[due.protocol].phase in ("initiation", "maintenance")
    known = [citations.protocol(due.protocol)]
    if entry is None and by_weeks:
        why += f" ({schedule.in_words})"
        known.append(citations.clozapine_schedule(schedule.name))
    if entry:
        every = f"; every {REGISTER_DAYS[entry.value]} days now"
        why = f", as recorded on {iso(entry.day)}"
        rows = (Evidence("circumstances", entry.row, entry.day, "interval of blood counts recorded"),)
    today = "; due today" if overdue == 0 else ""
    yield from gap_of(
        CODES["CLZ_FBC_OVERDUE"],
        [
            Finding(
                severity,
                f"{due_value(person, due)}{every}{why}{today}",
                tuple(known),
                (*due_evidence(person, due), *rows),
                due.day,
                overdue,
                title="Clozapine blood count due today" if overdue == 0 else "",
            )
        ],
    )


def _recorded_interval(person: PersonAsKnown, due: Due) -> Circumstance | None:
    """The entry of the register or the record that set the due day, from the same schedule as the features."""
    if not _is_count(due.item):
        return None
    scheduled, row = person.schedule
    return person.circumstance("clozapine_interval") if scheduled.situation.by_register[row] else None


def next_count(person: PersonAsKnown) -> Due | None:
    """The next blood count, due or in the future, by the rule of :func:`blood_count`."""
    held = next((c for c in person.courses if c.medicine.name == "clozapine"), None)
    if held is None:
        return None
    scheduled, row = person.schedule
    place, item = next((k, one) for k, one in enumerate(due_dates.items()) if _is_count(one))
    protocol = int(scheduled.protocol[row, place])
    if protocol < 0:
        return None
    day, last, start = (int(part[row, place]) for part in (scheduled.day, scheduled.last, scheduled.start))
    if not held.current(person.as_of):
        still = ("post_stop", "amber_result", "red_result") if course_of(person) else ("post_stop",)
        if PROTOCOLS[protocol].phase not in still:
            return None
    return Due(item, protocol, day, last, start)


def _is_count(item: due_dates.Item) -> bool:
    return (item.scope, item.test) == due_dates.CLOZAPINE_COUNT


def breaks(person: PersonAsKnown) -> list[tuple[int, int, int]]:
    """(day on which supply ended, day on which it began again, row) of every break in clozapine supply, oldest
    first.
    """
    found, end = [], None
    for row in person.supplies_of("clozapine", HISTORY_DAYS):
        if end is not None and row.day > end:
            found.append((end, row.day, row.row))
        end = max(row.day, end or row.day) + row.length
    return found


def interval_reason(person: PersonAsKnown, protocol: int) -> tuple[str, tuple[Evidence, ...]]:
    """The reason for the current interval: the phase with its dates, and the row that began it."""
    phase = PROTOCOLS[protocol].phase
    course = next((c for c in person.courses if c.medicine.name == "clozapine"), None)
    if course is None or phase in ("baseline",):
        return "", ()
    _, hours, service = _reset(person)
    if phase in ("amber_result", "red_result"):
        colour = "amber" if phase == "amber_result" else "red"
        return f", after the {colour} result of {iso(person.answers.coloured_on)}", ()
    if phase == "post_stop":
        return f", after clozapine ended on {iso(course.end)}", ()
    past = [one for one in breaks(person) if one[1] - one[0] > hours / 24]
    if phase == "treatment_break" and past:
        ended, began, row = past[-1]
        evidence = (Evidence("supplies", row, began, "clozapine supplied again after a break"),)
        said = f", for 6 weeks after the break of {began - ended} days to {iso(began)}"
        return f"{said} (past {hours} hours, {service}; check that the register agrees)", evidence
    new = [one for one in past if one[1] - one[0] > NEW_START_DAYS]
    start, row = (new[-1][1], new[-1][2]) if new else (course.start, course.first_row)
    word = "restarted" if new else "started"
    after = f" after a break of {new[-1][1] - new[-1][0]} days" if new else ""
    weeks = (person.as_of - start) // 7 + 1
    return f", in week {weeks} since it was {word} on {iso(start)}{after}", (
        Evidence("supplies", row, start, f"clozapine {word}"),
    )


def treatment_break(person: PersonAsKnown) -> Iterator[Gap]:
    """CLZ_BREAK: supply ran out, missed doses reported, or a level below detection.

    [D]: days missed are days outside hospital since supply ran out; a gap fires above 2 of them (48 hours) until the
    course has ended (more than 90 days), always critical: stopped in the last 90 days is a top-tier state (section
    4.12). A report counts for 14 days. "Yes" does not give a length: severity is high, and the value says that the
    length is not recorded; an amount ("72 hours",
    "3 days") above 48 hours is critical, up to 48 hours it does not fire. A level below 0.05 mg/L in the last 28 days,
    while supply lasts, is high, and so is a supply after a break at more than half of the dose before, for 7 days. The
    reset limit is that of the monitoring service, or the stricter limit if the
    service is not recorded.
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
        evidence = [person.supplied(course, "last clozapine supply")]
        clinic = _at_clinic(person, course.end)
        if clinic:
            said.append(f"{clinic.what} on {iso(clinic.on)}, after it ran out: check dispensing")
            evidence.append(clinic)
        found.append(
            Finding(
                "critical",
                "; ".join(said),
                tuple(known),
                tuple(evidence),
                course.end,
                missed,
                action=f"{_DISPENSING} {_ASK}" if clinic else _ASK,
                title="Clozapine supply ran out: check dispensing" if clinic else "",
            )
        )
    found.extend(_restarted(person, course))
    found.extend(_reported(person))
    low = person.latest("clozapine_level", DETECTION_DAYS)
    if low and low.value < DETECTION_MG_L and low.day >= course.start:
        found.append(
            Finding(
                "high",
                f"level {low.value:g} mg/L on {iso(low.day)}, below detection",
                (citations.clinical("1.1", "D"),),
                (Evidence("results", low.row, low.day, "clozapine level"),),
                action=f"Repeat the level. {_ASK}",
                title="Clozapine level below detection",
            )
        )
    if found:
        yield from gap_of(CODES["CLZ_BREAK"], found)


def _restarted(person: PersonAsKnown, course: Course) -> Iterator[Finding]:
    """Supplied again within 7 days, after more than 48 hours outside hospital without supply, and not at half of the
    dose before or less (sections 4.3 and 4.5). High until a review was attended since [D]."""
    if person.as_of - max(c.last_day for c in person.courses if c.medicine.name == "clozapine") > RESTART_DAYS:
        return
    past = breaks(person)
    if not past:
        return
    ended, began, row = past[-1]
    missed = began - ended - person.away_days(ended, began)
    if missed <= BREAK_DAYS or person.as_of - began > RESTART_DAYS or person.reviewed_since(began):
        return
    before, now = course.dose_on(began - 1), float(person.shared.taking.dose_mg_a_day[row])
    if before and now <= before / 2:
        return
    key, hours, words = _reset(person)
    at = f" at {now:g} mg a day" if now == now else ", dose not recorded"
    said = f"supplied again on {iso(began)}{at}, {missed} days after supply recorded ran out"
    known = [citations.threshold("th025"), citations.clinical("4.3", "V")]
    action = _TITRATED
    if missed > hours / 24:
        ecg = person.last_met("ecg_qtc")
        if ecg is None or ecg.day < ended:
            said += f"; past {hours} hours ({words}): no ECG recorded since"
            action += " An ECG before it is restarted."
            known += [citations.threshold(key), citations.clinical("4.5", "V")]
    yield Finding(
        "high",
        said,
        tuple(known),
        (Evidence("supplies", row, began, "clozapine supplied again"),),
        action=action,
        title="Clozapine supplied again after a break: titrated again?",
    )


def _at_clinic(person: PersonAsKnown, since: int) -> Evidence | None:
    """The latest blood count on or after a day, or the latest clinic contact attended in person: a sign that
    clozapine was dispensed although no supply is recorded.
    """
    counts = [row for test in ("fbc", "anc", "wbc") for row in person.results.get(test, ()) if row[0] >= since]
    if counts:
        day, _, row = max(counts, key=lambda one: one[0])
        return Evidence("results", row, day, "blood count")
    seen = [c for c in person.contacts if c.attended and c.day >= since and c.kind in CLINIC_KINDS]
    return Evidence("contacts", seen[-1].row, seen[-1].day, "clinic attended") if seen else None


def _reset(person: PersonAsKnown) -> tuple[str, int, str]:
    """(row of ``thresholds.csv``, hours, words) for the break after which blood counts start again."""
    service = person.circumstance("clozapine_service")
    if service and service.value in SERVICES:
        return SERVICES[service.value], round(24 * RESET_DAYS[service.value]), service.value.upper()
    return (
        STRICTEST,
        round(24 * STRICTEST_DAYS),
        f"monitoring service {person.absent('clozapine_service')}, the stricter limit",
    )


def _reported(person: PersonAsKnown) -> Iterator[Finding]:
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
            action=_ASK,
            title="Clozapine doses reported missed",
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
            action=_ASK,
            title="Clozapine doses reported missed for more than 48 hours",
        )


RULES = (blood_count, treatment_break)
