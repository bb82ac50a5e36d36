"""Care gaps of lithium: overdue and abnormal levels, and kidney, thyroid and calcium tests."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown, Reading, meant
from features.gaps.rules.monitoring.schedule import due_evidence, due_value
from features.gaps.rules.prescribing.pregnancy import pregnancy
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.reference import THRESHOLDS, bands, low_limit
from features.reference.monitoring.protocols import protocol_days

_RAISES = (
    ("ix024", "nsaid"),
    ("ix025", "ace inhibitor"),
    ("ix026", "angiotensin receptor blocker"),
    ("ix027", "thiazide diuretic"),
    ("ix028", "loop diuretic"),
)
ORGANS = frozenset(("egfr", "u_and_e", "tft", "calcium"))
_LEVELS: tuple[tuple[str, Severity], ...] = (
    ("th035", "critical"),
    ("th034", "critical"),
    ("th033", "critical"),
    ("th032", "high"),
    ("th028", "medium"),
)
_LEVEL_ACTIONS = {
    "th035": "Lithium toxicity: emergency admission; stop lithium.",
    "th034": "Stop lithium; same-day medical review; repeat the level with kidney function and electrolytes.",
    "th033": "Same day: look for toxicity; omit or reduce; repeat the 12-hour level with kidney function.",
    "th032": "Repeat the 12-hour level; check the time of the sample, kidney function, fluids and new medicines.",
    "th028": "Ask about missed doses and the time of the sample; then review the dose with the prescriber.",
}
_RISE_ACTION = "Repeat the 12-hour level with kidney function; look for a new medicine, illness or loss of fluid."
_ORGANS_NOW = (
    "Medical review today, with a lithium level, kidney function and calcium; ask whether lithium can continue."
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
STABLE_CHANGE = 0.2
(OLDER_LEVEL,) = bands("th107")
_FIRST_USE, _AFTER_RELAPSE = (THRESHOLDS[key] for key in bands("th029", "th030"))
_TARGET = f"{_FIRST_USE.low:g} to {_FIRST_USE.high:g}, or to {_AFTER_RELAPSE.high:g} after a relapse"
OLDER_YEARS = 65
EGFR_FALL = low_limit("th040")


def _lithium(person: PersonAsKnown) -> Course | None:
    held = person.base("lithium")
    return held[0] if held else None


def interacting(person: PersonAsKnown) -> list[tuple[str, Course]]:
    """Current medicines that raise a lithium level, with the interaction's id."""
    return [(key, course) for key, term in _RAISES for course in person.on(meant(term))]


def risk_words(person: PersonAsKnown) -> list[str]:
    """The reasons that may be shown for a person in mp140's higher-risk group. The schedule decides who is in it. Age
    is never named.
    """
    said = [f"with {course.medicine.name}" for _, course in interacting(person)]
    for test in ("egfr", "tsh", "calcium_adjusted"):
        last = person.latest(test)
        if last and any(THRESHOLDS[key].holds(last.value) for key in _ORGAN_LIMITS[test]):
            said.append(f"{_NAMES[test]} {last.value:g}")
    level = person.latest("lithium_level")
    if level and level.value >= HIGHER_RISK_LEVEL:
        said.append(f"last level {level.value:g}")
    return said


def level_due(person: PersonAsKnown) -> Iterator[Gap]:
    """LI_LEVEL_OVERDUE: past due and past the days of grace (14 or 28). Severity [D]: high. The higher-risk group is
    named where it applies."""
    dues = [due for due in person.late if due.item.scope == "lithium" and due.item.test == "lithium_level"]
    found = [*_until_stable(person), *_in_pregnancy(person), *_no_longer_raised(person)]
    if not dues:
        yield from gap_of(CODES["LI_LEVEL_OVERDUE"], found)
        return
    due = min(dues, key=lambda one: one.day)
    flag = person.answers.lithium_high_risk == 1
    said = risk_words(person) if flag else []
    group = f"; higher-risk group{': ' if said else ''}{', '.join(said)}" if flag else ""
    known = [citations.protocol(due.protocol)]
    if flag:
        known.append(citations.protocol_named("mp140"))
    value = f"{due_value(person, due)}{group}"
    yield from gap_of(
        CODES["LI_LEVEL_OVERDUE"],
        [Finding("high", value, tuple(known), due_evidence(person, due), due.day, person.as_of - due.day), *found],
    )


STABLE_DAYS = protocol_days("mp137", "interval_days")
STABLE_GRACE_DAYS = citations.protocol_row("mp137").grace_days
PREGNANCY_LEVEL_DAYS = 28
ENDED_DAYS, ENDED_GRACE_DAYS = protocol_days("mp146", "to_day"), citations.protocol_row("mp146").grace_days
TAKEN_DAYS = 28
"""A medicine taken for this long has moved the dose [D]."""


def _until_stable(person: PersonAsKnown) -> Iterator[Finding]:
    """A level is repeated weekly after a change of dose until two in a row, at the new dose, are within the range and
    within 0.2 mmol/L [D]. The schedule (mp146) asks for the first level after the change."""
    course = _lithium(person)
    if course is None or len(course.doses) < 2 or course.doses[-1][0] < course.start:
        return
    changed = course.doses[-1][0]
    levels = [r for r in person.readings("lithium_level") if r.day > changed]
    if not levels or person.as_of - changed > YEAR or _stable(levels):
        return
    last = levels[-1]
    due = last.day + STABLE_DAYS
    if person.as_of <= due + STABLE_GRACE_DAYS:
        return
    said = (
        f"dose changed on {iso(changed)}; level {last.value:g} on {iso(last.day)} not repeated since: weekly until "
        "two in a row are stable"
    )
    rows = (
        Evidence("results", last.row, last.day, "lithium level"),
        person.supplied(course, f"last supply of {course.medicine.name}"),
    )
    yield Finding("high", said, (citations.protocol_named("mp137"),), rows, due, person.as_of - due)


def _stable(levels: list[Reading]) -> bool:
    if len(levels) < 2:
        return False
    last, before = levels[-1].value, levels[-2].value
    return abs(last - before) < STABLE_CHANGE and not any(THRESHOLDS[key].holds(last) for key, _ in _LEVELS)


def _no_longer_raised(person: PersonAsKnown) -> Iterator[Finding]:
    """A medicine that raises the level, taken for 28 days or more, ended within 90 days and no level was taken since
    (mp146, with its grace). Medium: the level falls [D]."""
    if _lithium(person) is None:
        return
    last = person.last_met("lithium_level")
    raising = frozenset[str]().union(*(meant(term) for _, term in _RAISES))
    for course in person.courses:
        due = course.end + ENDED_DAYS
        if course.medicine.name not in raising or course.required or course.end - course.start < TAKEN_DAYS:
            continue
        if not due + ENDED_GRACE_DAYS < person.as_of <= course.end + COURSE_GAP_DAYS or (
            last and last.day > course.end
        ):
            continue
        taken = f"level last recorded {iso(last.day)}" if last else f"level {person.absent_test('lithium_level')}"
        yield Finding(
            "medium",
            f"supply of {course.medicine.name} ended on {iso(course.end)}: the level may fall; {taken}",
            (citations.protocol_named("mp146"), citations.clinical("1.1", "D")),
            (person.supplied(course, f"last supply of {course.medicine.name}"),),
            due,
            person.as_of - due,
        )


def _in_pregnancy(person: PersonAsKnown) -> Iterator[Finding]:
    known = pregnancy(person) if _lithium(person) is not None else None
    if known is None:
        return
    last = person.last_met("lithium_level")
    due = (last.day if last else known.on) + PREGNANCY_LEVEL_DAYS
    if person.as_of > due:
        said = "pregnancy recorded: level every 4 weeks, weekly from week 36; "
        said += f"last recorded {iso(last.day)}" if last else person.absent_test("lithium_level")
        yield Finding("high", said, (citations.protocol_named("mp140"),), (known,), due, person.as_of - due)


def same_dose(course: Course, earlier: Reading, later: Reading) -> bool | None:
    """Whether the dose was the same at two levels; None where it is not recorded."""
    before, after = course.dose_on(earlier.day), course.dose_on(later.day)
    return None if before is None or after is None else before == after


def consecutive(person: PersonAsKnown, test: str) -> tuple[Reading, Reading] | None:
    """The last two results with a number, both in the last year."""
    rows = [r for r in person.readings(test) if person.as_of - r.day <= YEAR]
    return (rows[-2], rows[-1]) if len(rows) > 1 else None


def level_abnormal(person: PersonAsKnown) -> Iterator[Gap]:
    """LI_LEVEL_ABNORMAL: the latest level is below 0.4 or 1.0 and above, or rose by 0.3 or more at the same dose.

    [D]: severity medium below 0.4, high from 1.0, critical from 1.2; a rise is high, and where the dose at either
    level is not recorded it fires and says so. From 65 years, which is never named, the target ends at 0.8: medium
    above it. An old level counts until there is a newer one, and the value says that it is old. The action is that of
    the band.
    """
    course = _lithium(person)
    last = person.newest("lithium_level")
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
            said += f"; usual target {_TARGET}" if key == "th028" else ""
            said += person.not_repeated(last.day)
            known = (citations.threshold(key), *extra)
            found.append(Finding(severity, said, known, (evidence,), action=_LEVEL_ACTIONS[key]))
            break
    years = person.years_old(person.as_of)
    if not found and years is not None and years >= OLDER_YEARS and THRESHOLDS[OLDER_LEVEL].holds(last.value):
        said = f"level {last.value:g} mmol/L on {iso(last.day)}: {THRESHOLDS[OLDER_LEVEL].meaning}{beside}"
        known = (citations.threshold(OLDER_LEVEL), *extra)
        action = "Review the dose and the target; ask about tremor, falls and confusion."
        found.append(Finding("medium", said + person.not_repeated(last.day), known, (evidence,), action=action))
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
            known = (citations.threshold("th036"), *extra)
            found.append(Finding("high", said, known, (evidence, before), action=_RISE_ACTION))
    if found:
        yield from gap_of(CODES["LI_LEVEL_ABNORMAL"], found)


def organs(person: PersonAsKnown) -> Iterator[Gap]:
    """LI_RENAL_THYROID_CALCIUM: a kidney, thyroid or calcium test past its grace, a value outside its limits, or eGFR
    down by 15 in 12 months.

    [D]: a value counts until there is a newer one; amber is medium, red high, eGFR below 30 critical; tests past due
    are medium. Unadjusted calcium is compared with the same limits. The fall is from the highest eGFR of the 365 days
    before the latest.
    """
    found = [
        Finding(
            "medium",
            due_value(person, due),
            (citations.protocol(due.protocol),),
            due_evidence(person, due),
            due.day,
            person.as_of - due.day,
        )
        for due in person.late
        if due.item.scope == "lithium" and due.item.test in ORGANS
    ]
    if _lithium(person) is not None:
        for test, keys in _ORGAN_LIMITS.items():
            last = person.newest(test)
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
            said += person.not_repeated(last.day)
            evidence = (Evidence("results", last.row, last.day, _NAMES[test]),)
            severity = "critical" if severe else _SEVERITY[row.severity]
            action = _ORGANS_NOW if severity == "critical" else ""
            found.append(Finding(severity, said, known, evidence, action=action))
        found.extend(_kidney_fall(person))
    if found:
        yield from gap_of(CODES["LI_RENAL_THYROID_CALCIUM"], found)


def _kidney_fall(person: PersonAsKnown) -> Iterator[Finding]:
    last = person.newest("egfr")
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
