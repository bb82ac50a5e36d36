"""Clozapine levels and what moves them (smoking, infection, interacting medicines), and the bowel."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Person, meant
from features.gaps.rules.monitoring import due_evidence, due_value
from features.medicines.courses import Course
from features.reference import THRESHOLDS, bands, high_limit, low_limit
from features.reference.protocols import protocol_days

SMOKES = ("smoker", "current_smoker", "yes")
CHANGE_DAYS = 90
INFECTION_DAYS = 28
INHIBITOR_DAYS = 30
LEVEL_AFTER_DAYS = protocol_days("mp124", "to_day")
LEVEL_TOXIC, LEVEL_HIGH, LEVEL_LOW = low_limit("th019"), low_limit("th018"), high_limit("th016")
(NO_MOTION,) = bands("th100")
_INHIBITORS = (("ix013", "fluvoxamine"), ("ix014", "ciprofloxacin"), ("ix015", "oral contraceptive"))
_NO = ("no", "none", "resolved")
BOWEL_RECENT_DAYS = 28
STACKING_ACB = 3


def _clozapine(person: Person) -> Course | None:
    held = person.base("clozapine")
    return held[0] if held else None


def level_or_change(person: Person) -> Iterator[Gap]:
    """CLZ_LEVEL_SMOKING: the latest level is outside 0.35 to 0.6 mg/L, or something that moves it changed and no level
    followed.

    [D]: a level counts for a year; above 0.6 is high, 1.0 and above critical, below 0.35 medium. A change of smoking
    counts for 90 days, an infection for 28, a CYP1A2 inhibitor started for 30, until a level taken after it; the level
    is due 7 days after (mp124).
    """
    course = _clozapine(person)
    if course is None:
        return
    found = [*_level(person, course)]
    taken = person.results.get("clozapine_level")
    last_level = taken[-1][0] if taken else -(2**30)
    for day, severity, said, known, evidence in (*_smoking(person), *_infection(person), *_inhibitor(person)):
        if last_level > day:
            continue
        due = day + LEVEL_AFTER_DAYS
        found.append(
            Finding(
                severity,
                f"{said}; no level recorded since, due {iso(due)}",
                (*known, citations.protocol_named("mp124")),
                (evidence,),
                due,
                max(0, person.as_of - due),
            )
        )
    if found:
        yield from gap_of(CODES["CLZ_LEVEL_SMOKING"], found)


def _level(person: Person, course: Course) -> Iterator[Finding]:
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
    yield Finding(
        severity,
        f"level {last.value:g} mg/L{at} on {iso(last.day)}: {THRESHOLDS[key].meaning}",
        (citations.threshold(key),),
        (Evidence("results", last.row, last.day, "clozapine level"),),
    )


_Change = tuple[int, Severity, str, tuple[citations.Fact, ...], Evidence]


def _smoking(person: Person) -> Iterator[_Change]:
    rows = person.circumstances.get("smoking", [])
    for earlier, later in zip(rows[-2::-1], rows[:0:-1], strict=True):
        before, after = earlier.value in SMOKES, later.value in SMOKES
        if before == after:
            continue
        if person.as_of - later.day <= CHANGE_DAYS:
            said = "smoking started again" if after else "smoking stopped"
            yield (
                later.day,
                "high",
                f"{said} on {iso(later.day)}",
                (citations.interaction("ix002" if after else "ix001"),),
                Evidence("circumstances", later.row, later.day, "smoking"),
            )
        return


def _infection(person: Person) -> Iterator[_Change]:
    row = person.circumstance("infection")
    if row and row.value not in _NO and person.as_of - row.day <= INFECTION_DAYS:
        evidence = Evidence("circumstances", row.row, row.day, "infection")
        yield row.day, "high", f"infection recorded on {iso(row.day)}", (citations.interaction("ix003"),), evidence


def _inhibitor(person: Person) -> Iterator[_Change]:
    for key, term in _INHIBITORS:
        for course in person.on(meant(term)):
            if person.as_of - course.start <= INHIBITOR_DAYS:
                severity: Severity = "medium" if key == "ix015" else "high"
                evidence = Evidence("supplies", course.first_row, course.start, f"{course.medicine.name} started")
                said = f"{course.medicine.name} started on {iso(course.start)}"
                yield course.start, severity, said, (citations.interaction(key),), evidence


def bowel(person: Person) -> Iterator[Gap]:
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
        found.append(Finding("critical", said, (citations.threshold("th100"),), (evidence,)))
    opioids = person.on(meant("opioid"))
    stacked = [c for c in person.current if c.medicine.acb_score >= STACKING_ACB and c.medicine.name != "clozapine"]
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
            )
        )
    for due in person.due:
        if due.item.scope == "clozapine" and due.item.test == "constipation_check" and due.past_grace(person.as_of):
            known = (citations.protocol(due.protocol),)
            overdue = person.as_of - due.day
            found.append(Finding("medium", due_value(due), known, due_evidence(person, due), due.day, overdue))
    if found:
        yield from gap_of(CODES["CLZ_GI_HYPOMOTILITY"], found)


RULES = (level_or_change, bowel)
