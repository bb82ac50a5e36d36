"""Care gaps of clozapine levels, of changes that affect them (smoking, infection, interacting medicines), and of the
bowel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown, meant
from features.gaps.rules.monitoring.schedule import due_evidence, due_value
from features.medicines.courses import Course, first_of_each
from features.reference import INTERACTIONS, PROTOCOLS, THRESHOLDS, bands, high_limit, low_limit
from features.reference.monitoring.protocols import protocol_days

REDUCED = "reduced"
SMOKES = ("smoker", "current_smoker", "yes", REDUCED)
_UNKNOWN = ("", "unknown", "not recorded")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(?:[ _]cigarettes?)?[ _]?(?:a|per|/)[ _]?day")
_STOPPED = "Level now and about 7 days later; watch for side effects; by the level, consider about 75% of the dose."
_RESTARTED = "Level in 1 to 2 weeks; ask about signs of relapse; the dose may have to rise again, by the level."
_INFECTED = (
    "Level and blood count today; review the dose with the prescriber today, and watch for toxicity; the dose may have"
    " to come down until the infection is over."
)
_NO_BOWEL = "No bowel motion for days on clozapine"
_BOWEL = (
    "Examine today: pain, distension, vomiting or fever is an emergency (hospital). Laxatives; review what constipates;"
    " ask again tomorrow."
)
_INHIBITED = "Level at about 7 days; ask the prescriber for another medicine or a lower dose of clozapine meanwhile."
_NO_LONGER_INHIBITED = (
    "Ask whether it was stopped. If so the level falls: level about 7 days later; watch for early signs of relapse; the"
    " dose may have to rise, by the level."
)
_TELLS = {
    "th019": (
        "Clozapine level in the toxic range",
        "Review today: lower the dose, consider an anticonvulsant; look for seizures, sedation and infection; repeat.",
    ),
    "th018": (
        "Clozapine level high",
        "Check that it was a trough; review the dose and side effects; consider seizure prophylaxis; repeat in 7 days.",
    ),
    "th016": (
        "Clozapine level low",
        "Check the time of the sample, doses missed and smoking; if the response is poor, review the dose upwards.",
    ),
}
CHANGE_DAYS = 90
INFECTION_DAYS = 28
INHIBITOR_DAYS = 30
LEVEL_AFTER_DAYS = protocol_days("mp124", "to_day")
LEVEL_TOXIC, LEVEL_HIGH, LEVEL_LOW = low_limit("th019"), low_limit("th018"), high_limit("th016")
(NO_MOTION,) = bands("th100")
_INHIBITORS = tuple(row for row in INTERACTIONS if row.a == "clozapine" and row.mechanism.endswith("_inhibition"))
TAKEN_DAYS, GONE_DAYS = 28, 3
"""A medicine taken for this long has moved the dose; its supply is over once it ran out this long ago [D]."""
_NO = ("no", "none", "resolved")
BOWEL_RECENT_DAYS = 28
STACKING_ACB = 3


def _clozapine(person: PersonAsKnown) -> Course | None:
    held = person.base("clozapine")
    return held[0] if held else None


class _Change(NamedTuple):
    """A change that affects the level: the day on which it began, and the number of days after which a level is due."""

    day: int
    severity: Severity
    said: str
    fact: citations.Fact
    evidence: Evidence
    action: str
    after: int = LEVEL_AFTER_DAYS


def level_or_change(person: PersonAsKnown) -> Iterator[Gap]:
    """CLZ_LEVEL_SMOKING: the latest level is outside 0.35 to 0.6 mg/L, a change that affects the level was not
    followed by a level, or the yearly level is past due or was never taken (mp123).

    [D]: a level counts for a year; above 0.6 is high, 1.0 and above critical, below 0.35 medium. A change of smoking
    counts for 90 days, an infection for 28, an inhibitor that started, or that ended after 28 days or more, for 30,
    until a level taken after it. The level is due 7 days after (mp124), and at once with an infection. The yearly
    level is medium.
    """
    course = _clozapine(person)
    if course is None:
        return
    found = [*_level(person, course)]
    taken = person.results.get("clozapine_level")
    last_level = taken[-1][0] if taken else -(2**30)
    changes = [one for one in (*_smoking(person), *_infection(person), *_inhibitor(person)) if last_level <= one.day]
    for one in changes:
        due = one.day + one.after
        when = f"due {iso(due)}" if one.after else "level needed now"
        found.append(
            Finding(
                one.severity,
                f"{one.said}; no level recorded since, {when}",
                (one.fact, citations.protocol_named("mp124")),
                (one.evidence,),
                due,
                max(0, person.as_of - due),
                action=one.action,
                title="Clozapine level needed: something changed that moves it",
            )
        )
    if not changes:
        found.extend(_yearly(person))
    if found:
        yield from gap_of(CODES["CLZ_LEVEL_SMOKING"], found)


def _yearly(person: PersonAsKnown) -> Iterator[Finding]:
    for due in person.late:
        if due.item.scope == "clozapine" and due.item.test == "clozapine_level":
            if PROTOCOLS[due.protocol].phase != "maintenance":
                continue
            known = (citations.protocol(due.protocol),)
            evidence = due_evidence(person, due)
            overdue = person.as_of - due.day
            action = "Take a trough level, 12 hours after the dose, with the next blood count."
            title = "Clozapine level not recorded for a year"
            yield Finding(
                "medium", due_value(person, due), known, evidence, due.day, overdue, action=action, title=title
            )


def _level(person: PersonAsKnown, course: Course) -> Iterator[Finding]:
    last = person.latest("clozapine_level")
    if last is None or last.day < course.first_start:
        return
    severity: Severity
    if last.value >= LEVEL_TOXIC:
        key, severity = "th019", "critical"
    elif last.value > LEVEL_HIGH:
        key, severity = "th018", "high"
    elif last.value < LEVEL_LOW:
        key, severity = "th016", "medium"
    else:
        return
    dose = course.dose_on(last.day)
    at = f" at {dose:g} mg a day" if dose else ""
    title, action = _TELLS[key]
    yield Finding(
        severity,
        f"level {last.value:g} mg/L{at} on {iso(last.day)}: {THRESHOLDS[key].meaning}",
        (citations.threshold(key),),
        (Evidence("results", last.row, last.day, "clozapine level"),),
        action=action,
        title=title,
    )


def smokes(value: str) -> bool | None:
    """True if a word means that the person smokes, False if not, None if it does not show either."""
    amount = _AMOUNT.match(value)
    if amount:
        return float(amount[1]) > 0
    return None if value in _UNKNOWN else value.replace(" ", "_") in SMOKES


def _smoking(person: PersonAsKnown) -> Iterator[_Change]:
    rows = [(row, smokes(row.value)) for row in person.circumstances("smoking")]
    rows = [(row, answer) for row, answer in rows if answer is not None]
    for (earlier, before), (later, after) in zip(rows[-2::-1], rows[:0:-1], strict=True):
        less = before and after and _less(earlier.value, later.value)
        more = earlier.value == REDUCED and after and later.value != REDUCED
        if before == after and not (less or more):
            continue
        if person.as_of - later.day <= CHANGE_DAYS:
            rose = "smoking rose again" if more else "smoking started again"
            said = "smoking reduced" if less else rose if after else "smoking stopped"
            rising = not after or less
            yield _Change(
                later.day,
                "high",
                f"{said} on {iso(later.day)}",
                citations.interaction("ix001" if rising else "ix002"),
                Evidence("circumstances", later.row, later.day, "smoking"),
                _STOPPED if rising else _RESTARTED,
            )
        return


def _less(before: str, after: str) -> bool:
    """True if the recorded number per day fell by half or more, or a word says that less is smoked than before."""
    if after == REDUCED:
        return before != REDUCED
    first, then = _AMOUNT.match(before), _AMOUNT.match(after)
    return bool(first and then) and 2 * float(then[1]) <= float(first[1])  # type: ignore[index]


def _infection(person: PersonAsKnown) -> Iterator[_Change]:
    row = person.circumstance("infection")
    if row and row.value not in _NO and person.as_of - row.day <= INFECTION_DAYS:
        evidence = Evidence("circumstances", row.row, row.day, "infection")
        said = f"infection recorded on {iso(row.day)}"
        yield _Change(row.day, "high", said, citations.interaction("ix003"), evidence, _INFECTED, after=0)


def _inhibitor(person: PersonAsKnown) -> Iterator[_Change]:
    """A medicine that raises the level (the table's rows of inhibition) began, or one taken for 28 days or more
    ended."""
    for row in _INHIBITORS:
        named = meant(row.b)
        severity: Severity = "high" if row.severity == "high" else "medium"
        for course in person.courses:
            if course.medicine.name not in named or course.required:
                continue
            name, fact = course.medicine.name, citations.interaction(row.id)
            gone = person.as_of - course.end
            if GONE_DAYS <= gone <= INHIBITOR_DAYS and course.end - course.start >= TAKEN_DAYS:
                evidence = person.supplied(course, f"last supply of {name}")
                said = f"supply of {name} ended on {iso(course.end)}"
                yield _Change(course.end, severity, said, fact, evidence, _NO_LONGER_INHIBITED)
            elif person.as_of - course.start <= INHIBITOR_DAYS:
                evidence = Evidence("supplies", course.first_row, course.start, f"{name} started")
                said = f"{name} started on {iso(course.start)}"
                yield _Change(course.start, severity, said, fact, evidence, _INHIBITED)


def bowel(person: PersonAsKnown) -> Iterator[Gap]:
    """CLZ_GI_HYPOMOTILITY: 3 days or more without a bowel motion, a bowel check past due, or constipating medicines
    stacked without a laxative.

    [D]: days without a motion count for 28 days and are critical; an opioid or another medicine with an
    anticholinergic score of 3, with no laxative supplied, is high; a check past its grace alone is medium.
    """
    if _clozapine(person) is None:
        return
    found = []
    motion = person.latest("days_without_bowel_motion", BOWEL_RECENT_DAYS)
    if motion and THRESHOLDS[NO_MOTION].holds(motion.value):
        evidence = Evidence("results", motion.row, motion.day, "days without a bowel motion")
        said = f"{motion.value:g} days without a bowel motion on {iso(motion.day)}"
        found.append(
            Finding("critical", said, (citations.threshold("th100"),), (evidence,), action=_BOWEL, title=_NO_BOWEL)
        )
    opioids = person.on(meant("opioid"))
    blockers = meant("anticholinergic medicine")
    stacked = [
        c
        for c in first_of_each(person.current)
        if c.medicine.base != "clozapine" and (c.medicine.acb_score >= STACKING_ACB or c.medicine.name in blockers)
    ]
    if (opioids or stacked) and not person.on(meant("laxative")):
        names = ", ".join(c.medicine.name for c in (*opioids, *stacked))
        found.append(
            Finding(
                "high",
                f"{names} with clozapine; no laxative recorded",
                (
                    citations.interaction("ix017"),
                    *(citations.of_medicine(c.medicine, "acb_score") for c in stacked),
                    citations.clinical("1.1", "D"),
                ),
                tuple(person.supplied(c, c.medicine.name) for c in (*opioids, *stacked)),
                action="Ask about the bowels now; start a laxative; ask whether the other medicine can stop or change.",
                title="Constipating medicine with clozapine and no laxative",
            )
        )
    for due in person.late:
        if due.item.scope == "clozapine" and due.item.test == "constipation_check":
            known = (citations.protocol(due.protocol),)
            overdue = person.as_of - due.day
            found.append(
                Finding(
                    "medium",
                    due_value(person, due),
                    known,
                    due_evidence(person, due),
                    due.day,
                    overdue,
                    action="Ask about the bowels at the next contact, and record the answer.",
                    title="Bowels not asked about on clozapine",
                )
            )
    if found:
        yield from gap_of(CODES["CLZ_GI_HYPOMOTILITY"], found)


RULES = (level_or_change, bowel)
