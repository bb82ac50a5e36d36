"""Lithium: the level that is due, the level itself, and kidney, thyroid and calcium."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, Person, Reading, meant
from features.gaps.rules.monitoring import due_evidence, due_value
from features.medicines.courses import Course
from features.reference import THRESHOLDS, bands, low_limit

_RAISES = (
    ("ix024", "nsaid"),
    ("ix025", "ace inhibitor"),
    ("ix026", "angiotensin receptor blocker"),
    ("ix027", "thiazide diuretic"),
    ("ix028", "loop diuretic"),
)
_ORGANS = frozenset(("egfr", "u_and_e", "tft", "calcium"))
_LEVELS: tuple[tuple[str, Severity], ...] = (
    ("th035", "critical"),
    ("th034", "critical"),
    ("th033", "critical"),
    ("th032", "high"),
    ("th028", "medium"),
)
_ORGAN_LIMITS = {
    "egfr": bands("th038", "th037"),
    "calcium_adjusted": bands("th043", "th042", "th041"),
    "calcium": bands("th043", "th042", "th041"),
    "tsh": bands("th045", "th044", "th046"),
    "sodium": bands("th050"),
}
_NAMES = {
    "egfr": "eGFR",
    "calcium_adjusted": "adjusted calcium",
    "calcium": "calcium",
    "tsh": "TSH",
    "sodium": "sodium",
}
_SEVERITY: dict[str, Severity] = {"amber": "medium", "red": "high", "critical": "critical"}
(RENAL_DOSE,) = bands("th039")
bands(*(key for key, _ in _LEVELS))
HIGHER_RISK_LEVEL = low_limit("th031")
LEVEL_RISE = low_limit("th036")
EGFR_FALL = low_limit("th040")


def _lithium(person: Person) -> Course | None:
    held = person.base("lithium")
    return held[0] if held else None


def interacting(person: Person) -> list[tuple[str, Course]]:
    """Current medicines that raise a lithium level, with the interaction's id."""
    return [(key, course) for key, term in _RAISES for course in person.on(meant(term))]


def risk_words(person: Person) -> list[str]:
    """What may be said of why a person is in mp140's higher-risk group. Whether they are is the schedule's answer;
    years lived are never named."""
    said = [f"with {course.medicine.name}" for _, course in interacting(person)]
    for test in ("egfr", "tsh", "calcium_adjusted"):
        last = person.latest(test)
        if last and any(THRESHOLDS[key].holds(last.value) for key in _ORGAN_LIMITS[test]):
            said.append(f"{_NAMES[test]} {last.value:g}")
    level = person.latest("lithium_level")
    if level and level.value >= HIGHER_RISK_LEVEL:
        said.append(f"last level {level.value:g}")
    return said


def level_due(person: Person) -> Iterator[Gap]:
    """LI_LEVEL_OVERDUE: past due and past the days of grace (14 or 28). Severity [D]: high. The higher-risk group is
    named where it applies."""
    dues = [
        due
        for due in person.due
        if due.item.scope == "lithium" and due.item.test == "lithium_level" and due.past_grace(person.as_of)
    ]
    if not dues:
        return
    due = min(dues, key=lambda one: one.day)
    flag = person.answers.lithium_high_risk == 1
    said = risk_words(person) if flag else []
    group = f"; higher-risk group{': ' if said else ''}{', '.join(said)}" if flag else ""
    known = [citations.protocol(due.protocol)]
    if flag:
        known.append(citations.protocol_named("mp140"))
    value = f"{due_value(due)}{group}"
    yield from gap_of(
        CODES["LI_LEVEL_OVERDUE"],
        [Finding("high", value, tuple(known), due_evidence(person, due), due.day, person.as_of - due.day)],
    )


def same_dose(course: Course, earlier: Reading, later: Reading) -> bool | None:
    """Whether the dose was the same at two levels; None where it is not recorded."""
    before, after = course.dose_on(earlier.day), course.dose_on(later.day)
    return None if before is None or after is None else before == after


def consecutive(person: Person, test: str) -> tuple[Reading, Reading] | None:
    """The last two results with a number, both in the last year."""
    rows = [r for r in person.readings(test) if person.as_of - r.day <= YEAR]
    return (rows[-2], rows[-1]) if len(rows) > 1 else None


def level_abnormal(person: Person) -> Iterator[Gap]:
    """LI_LEVEL_ABNORMAL: the latest level of the last year is below 0.4 or 1.0 and above, or rose by 0.3 or more at
    the same dose.

    [D]: severity medium below 0.4, high from 1.0, critical from 1.2; a rise is high, and where the dose at either
    level is not recorded it fires and says so. The band 0.8 to 1.0 places in the higher-risk group only.
    """
    course = _lithium(person)
    last = person.latest("lithium_level")
    if course is None or last is None:
        return
    found = []
    evidence = Evidence("results", last.row, last.day, "lithium level")
    others = interacting(person)
    beside = f"; with {', '.join(c.medicine.name for _, c in others)}" if others else ""
    extra = tuple(citations.interaction(key) for key, _ in others)
    for key, severity in _LEVELS:
        if THRESHOLDS[key].holds(last.value):
            said = f"level {last.value:g} mmol/L on {iso(last.day)}: {THRESHOLDS[key].meaning}{beside}"
            found.append(Finding(severity, said, (citations.threshold(key), *extra), (evidence,)))
            break
    pair = consecutive(person, "lithium_level")
    if pair and round(pair[1].value - pair[0].value, 6) >= LEVEL_RISE:
        same = same_dose(course, *pair)
        if same is not False:
            dose = "at the same dose" if same else "dose at the two levels not recorded"
            said = (
                f"level rose from {pair[0].value:g} on {iso(pair[0].day)} to {pair[1].value:g} on "
                f"{iso(pair[1].day)}, {dose}{beside}"
            )
            before = Evidence("results", pair[0].row, pair[0].day, "level before")
            found.append(Finding("high", said, (citations.threshold("th036"), *extra), (evidence, before)))
    if found:
        yield from gap_of(CODES["LI_LEVEL_ABNORMAL"], found)


def organs(person: Person) -> Iterator[Gap]:
    """LI_RENAL_THYROID_CALCIUM: a kidney, thyroid or calcium test past its grace, a value outside its limits, or eGFR
    down by 15 in 12 months.

    [D]: values count for a year; amber is medium, red high, eGFR below 30 critical; tests past due are medium. Calcium
    that is not adjusted is held against the same limits. The fall is from the highest eGFR of the 365 days before the
    latest.
    """
    found = [
        Finding(
            "medium",
            due_value(due),
            (citations.protocol(due.protocol),),
            due_evidence(person, due),
            due.day,
            person.as_of - due.day,
        )
        for due in person.due
        if due.item.scope == "lithium" and due.item.test in _ORGANS and due.past_grace(person.as_of)
    ]
    if _lithium(person) is not None:
        for test, keys in _ORGAN_LIMITS.items():
            last = person.latest(test)
            if last is None:
                continue
            key = next((key for key in keys if THRESHOLDS[key].holds(last.value)), None)
            if key is None:
                continue
            row = THRESHOLDS[key]
            severe = test == "egfr" and THRESHOLDS[RENAL_DOSE].holds(last.value)
            known = (
                (citations.threshold(key), citations.threshold(RENAL_DOSE)) if severe else (citations.threshold(key),)
            )
            said = f"{_NAMES[test]} {last.value:g} {row.unit} on {iso(last.day)}: {row.meaning}"
            evidence = (Evidence("results", last.row, last.day, _NAMES[test]),)
            found.append(Finding("critical" if severe else _SEVERITY[row.severity], said, known, evidence))
        found.extend(_kidney_fall(person))
    if found:
        yield from gap_of(CODES["LI_RENAL_THYROID_CALCIUM"], found)


def _kidney_fall(person: Person) -> Iterator[Finding]:
    last = person.latest("egfr")
    if last is None:
        return
    before = [r for r in person.readings("egfr") if last.day - YEAR <= r.day < last.day]
    top = max(before, key=lambda r: (r.value, r.day), default=None)
    if top and top.value - last.value >= EGFR_FALL:
        yield Finding(
            "medium",
            f"eGFR fell from {top.value:g} on {iso(top.day)} to {last.value:g} on {iso(last.day)}",
            (citations.threshold("th040"),),
            (Evidence("results", last.row, last.day, "eGFR"), Evidence("results", top.row, top.day, "eGFR before")),
        )


RULES = (level_due, level_abnormal, organs)
