"""Gaps that follow from the monitoring schedule: the same due dates that the features read.

Two lines, so that the checks of a medicine are not lost among the checks for everybody: MONITORING_OVERDUE holds the
checks of one medicine (valproate bloods, an ECG, prolactin, weekly weight), MONITORING_NEVER_DONE the annual physical
health check and its parts. Both name each check and the day of its last result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import SEVERITIES, Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import NOT_RECORDED, YEAR, Due, PersonAsKnown, meeting, scope_names
from features.gaps.rules.monitoring.again import late_after_a_change, late_after_a_rise
from features.gaps.shard import Shard
from features.gaps.shard_columns import Bools
from features.monitoring.applicability import UNCONDITIONAL
from features.monitoring.due_dates import CLOZAPINE_COUNT
from features.records.days import NO_DAY
from features.reference import PROTOCOLS, TESTS, Protocol

_OWN_CODES = frozenset(
    {
        ("clozapine", "fbc"),
        ("clozapine", "clozapine_level"),
        ("clozapine", "constipation_check"),
        ("high_dose_or_combined_antipsychotics", "ecg_qtc"),
        ("olanzapine embonate injection", "post_injection_observation"),
        *(("lithium", test) for test in ("lithium_level", "egfr", "u_and_e", "tft", "calcium")),
        *(
            ("valproate", test)
            for test in ("annual_risk_acknowledgement", "two_specialist_agreement", "contraception_status")
        ),
    }
)
_OWN_TESTS = frozenset({"structured_medication_review", "hdat_review", "anticholinergic_review"})
_NEEDED = ("required", "mandatory")
FULL_CHECK = "annual_physical_health_check"
_GENERAL_SCOPES = ("smi_any", "antipsychotic_any_except_clozapine", "antipsychotic_long_acting_injection")
_ANNUAL = frozenset((FULL_CHECK, "weight_bmi", "blood_pressure", "hba1c", "lipids", "alcohol_status"))
"""Main parts of an annual physical health check. If one is overdue, a line is shown."""
_BESIDE = frozenset(
    (
        "waist",
        "pulse",
        "temperature",
        "smoking_status",
        "u_and_e",
        "fbc",
        "lft",
        "movement_disorder_check",
        "side_effect_scale",
        "adherence_review",
        "lai_review",
        "clinical_review",
    )
)
"""Checks done together with a review or an annual check. Alone they are shown once they are a year past their due
day.
"""
_SOFT = frozenset(("side_effect_scale", "adherence_review", "clinical_review", "lai_review"))
EARLY_DAYS = 126
"""Weekly weights end with week 6; the check at 12 weeks ends the start of treatment. Six more weeks are allowed to
catch up.
"""
REVIEW_DAYS = 84


def due_evidence(person: PersonAsKnown, due: Due) -> tuple[Evidence, ...]:
    """The latest result that meets the schedule of ``due``; without one, the supply that started the course."""
    last = None
    if due.last != NO_DAY:  # the result that set the due date, if a later one does not meet the schedule
        met = (person.results.last_on(test, due.last) for test in reversed(meeting(due.item.test)))
        last = next(filter(None, met), None)
    if last is None and (due.last != NO_DAY or (due.item.scope, due.item.test) != CLOZAPINE_COUNT):
        last = person.last_met(due.item.test)
    if last:
        return (Evidence("results", last.row, last.day, f"last {TESTS[due.item.test].label}"),)
    names = scope_names(due.item.scope)
    for course in person.courses:
        if course.medicine.name in names:
            return (Evidence("supplies", course.first_row, course.start, f"{course.medicine.name} started"),)
    return ()


def due_value(person: PersonAsKnown, due: Due) -> str:
    """When a scheduled test was last recorded, and whether a later result of it was not understood."""
    test, last = due.item.test, due.last
    days = person.unread_days(*meeting(test)) if person.place in person.shared.with_unread_concepts else ()
    if not days:
        return _last_recorded(test, last)
    if last == NO_DAY:
        return f"{TESTS[test].label}: {person.absent_test(test)}"
    later = any(day > iso(last) for day in days)
    return f"{_last_recorded(test, last)}{f'; since then {person.absent_test(test)}' if later else ''}"


def _due_values(person: PersonAsKnown, dues: Iterable[Due]) -> list[str]:
    if person.place in person.shared.with_unread_concepts:
        return [due_value(person, due) for due in dues]
    return [_last_recorded(item.test, last) for item, _, _, last, _ in dues]


def _line_of(row: Protocol) -> tuple[bool, bool, bool]:
    """Yearly checks come first: a missed baseline is not overdue care."""
    return row.test != FULL_CHECK, row.interval_days is None, row.test not in _ANNUAL


@lru_cache(maxsize=50_000)
def _last_recorded(test: str, day: int) -> str:
    return f"{TESTS[test].label}: {NOT_RECORDED if day == NO_DAY else f'last recorded {iso(day)}'}"


_POINT_CHECK = tuple(row.interval_days is None for row in PROTOCOLS)
"""Whether each protocol asks for a baseline or a single check, which is not scheduled again."""
_PLACE_IN_LINE = tuple(map(_line_of, PROTOCOLS))
_FIRST_WEEKS = frozenset(("troponin", "crp"))
FIRST_WEEKS_DAYS = 126
"""Checks for myocarditis apply only in the first weeks of clozapine."""


def _lapses_after(row: Protocol) -> float:
    """Days after its due day from which a single check lapses: a result today would no longer be that check."""
    again = any(
        (other.scope, other.test) == (row.scope, row.test) and other.interval_days is not None and other.to_day is None
        for other in PROTOCOLS
    )
    if row.interval_days is not None or again:
        return np.inf
    return FIRST_WEEKS_DAYS if row.test in _FIRST_WEEKS else YEAR


_LAPSES_AFTER = np.array([_lapses_after(row) for row in PROTOCOLS])
_OWN_CODE = np.array([row.test in _OWN_TESTS or (row.scope, row.test) in _OWN_CODES for row in PROTOCOLS])
"""Whether the check of each protocol has a code of its own."""
_CLINICAL_REVIEW = np.array([row.test == "clinical_review" for row in PROTOCOLS])


class _LateChecks(NamedTuple):
    """For each person of a shard the late checks of MONITORING_NEVER_DONE (``general``) and of MONITORING_OVERDUE
    (``asked``), in order of due day."""

    general: list[list[Due]]
    asked: list[list[Due]]


def _late_checks(shard: Shard) -> _LateChecks:
    """The checks past their grace, without those that have a code of their own or are no longer due."""
    found: _LateChecks | None = shard.kept.get(_late_checks)
    if found is None:
        checks, protocol = shard.due_columns, shard.due_columns.protocol
        stand = checks.past_grace & ~_OWN_CODE[protocol] & (shard.as_of - checks.day <= _LAPSES_AFTER[protocol])
        review = np.flatnonzero(stand & _CLINICAL_REVIEW[protocol])
        if len(review):  # it is held at a contact and seldom recorded as a test
            stand[review] = shard.last_seen_on[checks.who[review]] < checks.day[review] - REVIEW_DAYS
        order = np.lexsort((checks.day, checks.who))
        asked = _of_a_medicine(protocol, checks.start, shard.as_of)
        parts = (order[(stand & ~asked)[order]], order[(stand & asked)[order]])
        found = shard.kept[_late_checks] = _LateChecks(*(shard.by_person(checks, part) for part in parts))
    return found


def _of_a_medicine(protocol: npt.NDArray[np.int16], start: npt.NDArray[np.int32], as_of: int) -> Bools:
    """Whether each check belongs to MONITORING_OVERDUE: one medicine requires it, or it is the weekly weight of a
    start.
    """
    early = as_of - start.astype(np.int64) <= EARLY_DAYS
    return np.where(_WEEKLY_WEIGHT[protocol], early, _BY_A_MEDICINE[protocol])


def _asked_by_a_medicine(row: Protocol) -> bool:
    if row.scope in _GENERAL_SCOPES:
        return row.test == "ecg_qtc"
    if row.scope == "olanzapine" and row.test in _ANNUAL:
        return False
    if row.scope == "high_dose_or_combined_antipsychotics":
        return False
    if row.requirement in _NEEDED or row.test in ("ecg_qtc", "prolactin", "rash_check"):
        return True
    return row.scope != "clozapine" and row.test not in _SOFT


_BY_A_MEDICINE = np.array([_asked_by_a_medicine(row) for row in PROTOCOLS])
_WEEKLY_WEIGHT = np.array(
    [row.test == "weight_bmi" and row.scope in _GENERAL_SCOPES and row.phase == "initiation" for row in PROTOCOLS]
)


_DAY = attrgetter("day")


def _first_of_each(dues: Iterable[Due]) -> dict[str, Due]:
    """The first due of each test, by test."""
    first: dict[str, Due] = {}
    for due in dues:
        first.setdefault(due.item.test, due)
    return first


def _asking(due: Due, as_of: int) -> list[Protocol]:
    """The row that asks for a check, and every later row of it that has fallen due: a check missed once stays missed.
    An older due day has more rows, so that a removed check never makes the gap smaller.
    """
    first = PROTOCOLS[due.protocol]
    if first.phase == "event" or due.start == NO_DAY:
        return [first]
    begin, end = due.day - due.start, as_of - due.start
    since = [
        row
        for row in due.item.rows
        if row.phase != "event"
        and (row.applies_if in UNCONDITIONAL or row.applies_if == first.applies_if)
        and row.from_day <= end
        and (row.to_day is None or row.to_day >= begin)
    ]
    return [first, *since]


class _Asked(NamedTuple):
    """A check that a medicine asks for: how severely, whether any row requires it, and whether it is past its due day
    by more than a whole interval; and where it is asked for again, by which medicine and why."""

    due: Due
    severity: Severity
    required: bool
    missed: bool
    medicine: str = ""
    why: str = ""


def _asked(due: Due, as_of: int, medicine: str = "", why: str = "") -> _Asked:
    """[D]: high for a check that a protocol calls mandatory, or calls required and that missed a whole interval more;
    medium for other required checks and ECGs; else low."""
    asking = _asking(due, as_of)
    wanted = {row.requirement for row in asking}
    intervals = [row.interval_days for row in asking if row.interval_days is not None]
    missed = bool(intervals) and as_of - due.day > min(intervals)
    severity: Severity = "medium" if "required" in wanted or due.item.test == "ecg_qtc" else "low"
    if "mandatory" in wanted or ("required" in wanted and missed):
        severity = "high"
    return _Asked(due, severity, not wanted.isdisjoint(_NEEDED), missed, medicine, why)


def _own_line(one: _Asked, annual: bool) -> bool:
    """True if a medicine's check is shown in MONITORING_OVERDUE although an annual check is overdue too: it is
    required, or it was done once and has missed a whole further interval. A check that the annual check also asks for
    (``annual``) must be required and have missed a whole further interval.
    """
    if one.required:
        return not annual or one.severity == "high"
    return not annual and one.due.last != NO_DAY and one.missed


def overdue(person: PersonAsKnown) -> Iterator[Gap]:
    """The annual check, then the checks of each medicine: both read the same list of what is past its grace.

    A check that a medicine recommends and no protocol requires is named in the annual check if that is overdue too,
    because one visit can do both. So is a required check that the annual check asks for as well. Once either has
    missed a whole interval more after it was done, it is overdue monitoring of that medicine (:func:`_own_line`).
    """
    t, late = person.as_of, _late_checks(person.shard)
    general, asked = late.general[person.who], [_asked(due, t) for due in late.asked[person.who]]
    scheduled = {due.item for due in general} | {one.due.item for one in asked}
    again = [
        _asked(due, t, course.medicine.name, f"dose raised on {iso(due.start)}")
        for due, course in late_after_a_rise(person)
        if due.item not in scheduled
    ]
    changed = ""
    for due, course in late_after_a_change(person):
        if due.item in scheduled:
            continue
        scheduled.add(due.item)
        begun = f"{course.medicine.name} started on {iso(due.start)}"
        if _WEEKLY_WEIGHT[due.protocol]:
            again.append(_asked(due, t, course.medicine.name, begun))
        else:
            general, changed = sorted([*general, due], key=_DAY), begun
    asked = sorted([*asked, *again], key=lambda one: one.due.day) if again else asked
    first = _first_of_each(general)
    alone = [due for test, due in first.items() if test not in _BESIDE or t - due.day > YEAR]
    if alone:  # the others are named beside these
        own = {one.due.item.test for one in asked if _own_line(one, one.due.item.test in first)}
        severe = any(one.severity != "low" for one in asked)  # the same wherever it is shown
        beside = [one.due for one in asked if one.due.item.test not in own]
        if beside:
            first = _first_of_each(sorted([*general, *beside], key=_DAY))
        count = len({due.item.test for due in (*person.late, *general)})
        yield from annual_check(person, alone, list(first.values()), severe, count, changed)
        asked = [one for one in asked if one.due.item.test in own]
    if asked:
        yield from of_medicines(person, asked)


def of_medicines(person: PersonAsKnown, asked: list[_Asked]) -> Iterator[Gap]:
    """MONITORING_OVERDUE: checks that a medicine asks for, past their grace, never recorded or recorded once.

    Each check is named once, with the medicine that asked for it first and the last result, as severely as any
    medicine asks for it (:func:`_asked`). Low ones that have not missed a whole interval more wait for the medicines
    review where that is overdue.
    """
    t = person.as_of
    found, names = [], []
    by_test: dict[str, list[_Asked]] = {}
    for one in asked:
        by_test.setdefault(one.due.item.test, []).append(one)
    for same in by_test.values():
        due, severity = same[0].due, min((one.severity for one in same), key=SEVERITIES.index)
        held = [c.medicine.name for c in person.current if c.medicine.name in scope_names(due.item.scope)]
        by = f" ({same[0].medicine or ', '.join(dict.fromkeys(held))})" if held else ""
        why = f"; {same[0].why}" if same[0].why else ""
        value, known = f"{due_value(person, due)}{by}{why}", (citations.protocol(due.protocol),)
        waits = severity == "low" and not same[0].missed
        names.append(f"{TESTS[due.item.test].label}{by}")
        found.append(Finding(severity, value, known, due_evidence(person, due), due.day, t - due.day, folds=waits))
    # The number of days is that of the earliest, so the most severe gives the title only where it is as old.
    worst = min(range(len(found)), key=lambda i: SEVERITIES.index(found[i].severity))
    if found[worst].due == found[0].due:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        name = names[worst]
        found[worst] = found[worst]._replace(title=f"{name[:1].upper()}{name[1:]}{more} overdue")
    yield from gap_of(CODES["MONITORING_OVERDUE"], found)


def annual_check(
    person: PersonAsKnown, alone: list[Due], dues: list[Due], severe: bool, count: int, changed: str = ""
) -> Iterator[Gap]:
    """MONITORING_NEVER_DONE: the annual physical health check or a part of it past its grace, or a check that was
    never recorded.

    ``alone`` are the parts that are worth a line, ``dues`` all that are named in it, both in order of due day: checks
    that a medicine requires are in MONITORING_OVERDUE, those that it recommends are named here. ``severe``: one of them
    is not low. [D]: what is done along with a review (waist, movement, a side-effect scale) is named here, and by
    itself only once it is a year past its due day. Medium where the protocol of one of them says required or an ECG is
    overdue, else low. The value names each check and gives the ``count`` of all that are past due; ``changed`` says
    which medicine asks for checks of its first weeks.
    """
    t = person.as_of
    needed = severe or any(PROTOCOLS[due.protocol].requirement in _NEEDED for due in alone)
    severity: Severity = "medium" if needed else "low"
    dues = sorted(dues, key=lambda due: _PLACE_IN_LINE[due.protocol])
    first = min(alone, key=lambda due: _POINT_CHECK[due.protocol])
    named = [*_due_values(person, dues), *([changed] if changed else [])]
    value = f"{'; '.join(named)}; {count} scheduled checks past due in all"
    known = tuple([citations.protocol(due.protocol) for due in dues])
    yield from gap_of(
        CODES["MONITORING_NEVER_DONE"],
        [Finding(severity, value, known, due_evidence(person, first), first.day, t - first.day)],
    )


RULES = (overdue,)
