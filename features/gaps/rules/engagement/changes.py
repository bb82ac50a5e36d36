"""Care gaps after recent changes: starts, stops and switches, a discharge, and a change of prescriber."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown, meant
from features.kernels.regimen import CURRENT_GRACE_DAYS, SHARED_DAYS
from features.medicines.courses import SIDES, Course
from features.medicines.regimen import FAMILIES
from features.records.days import NO_DAY

RECENT_DAYS = 28
REVIEW_DAYS = 14
_MONITORED = ("clozapine", "lithium", "valproate")


def starts(person: PersonAsKnown) -> list[Course]:
    """Regular psychotropics started in the last 28 days: the ``starts_28d`` of the regimen, by name."""
    return [
        c
        for c in person.current
        if c.medicine.is_psychotropic and not c.required and person.as_of - c.start <= RECENT_DAYS
    ]


def stops(person: PersonAsKnown) -> list[Course]:
    """Regular psychotropics counted as stopped in the last 28 days: the ``stops_28d`` of the regimen, by
    name."""
    t = person.as_of
    return [
        c
        for c in person.courses
        if c.medicine.is_psychotropic
        and not c.required
        and not c.current(t)
        and t - c.end - CURRENT_GRACE_DAYS <= RECENT_DAYS
    ]


def regimen_change(person: PersonAsKnown) -> Iterator[Gap]:
    """REGIMEN_CHANGE_RECENT: a regular psychotropic started or stopped in the last 28 days, unless a medicines or care
    review was attended since.

    A stop is dated on the day supply ran out and counts once 28 days have passed. [D]: the review is due 14 days after
    the latest change (after the day a stop counts); a stop with nothing current of its family is high, else medium.
    """
    if not person.regimen("starts_28d") > 0 and not person.regimen("stops_28d") > 0:
        return
    started, stopped = starts(person), stops(person)
    changed = max([*(c.start for c in started), *(c.end + CURRENT_GRACE_DAYS for c in stopped)], default=NO_DAY)
    if person.reviewed_since(changed):
        return
    said = [f"{c.medicine.name} started on {iso(c.start)}" for c in started]
    severity: Severity = "medium"
    for course in stopped:
        family = next((name for name in FAMILIES if course.medicine.name in meant(name)), "")
        replaced = not family or bool(person.on(meant(family)))
        severity = severity if replaced else "high"
        without = "" if replaced else " with no replacement recorded"
        said.append(f"{course.medicine.name} supply ran out on {iso(course.end)}{without}")
    evidence = (
        *(Evidence("supplies", c.first_row, c.start, f"{c.medicine.name} started") for c in started),
        *(person.supplied(c, f"last supply of {c.medicine.name}") for c in stopped),
    )
    due = changed + REVIEW_DAYS
    yield from gap_of(
        CODES["REGIMEN_CHANGE_RECENT"],
        [
            Finding(
                severity, "; ".join(said), (citations.clinical("1.1", "D"),), evidence, due, max(0, person.as_of - due)
            )
        ],
    )


FOLLOW_UP_DAYS, RECONCILE_DAYS = 3, 7
_SUPPLY = "Confirm supply and the date of any injection."
_AFTER_DISCHARGE = {
    (False, False): (
        "Discharged: neither follow-up nor reconciliation recorded",
        f"{{see}}; reconcile medicines with the ward's and the GP's lists. {_SUPPLY}",
    ),
    (False, True): (
        "Discharged: medicines not yet reconciled",
        f"Reconcile medicines with the ward's and the GP's lists, by 7 days after discharge. {_SUPPLY}",
    ),
    (True, False): ("Discharged: 72-hour follow-up not recorded", f"{{see}}. {_SUPPLY}"),
}
"""Title and action by (reconciled, followed up); ``see`` is one of the next two."""
_SEE_IN_TIME = "See or phone the person within 72 hours of the discharge"
_SEE_NOW = "See or phone the person now"


def after_discharge(person: PersonAsKnown) -> Iterator[Gap]:
    """POST_DISCHARGE_RECONCILE: discharged in the last 28 days, until medicines were reviewed and the person was seen.

    [D]: an attended medicines review or a structured one since the discharge is the reconciliation, due in 7 days; any
    attended contact
    since is the follow-up, due in 3 (72 hours). Medium until the first of them is past due, then high. A
    place-of-safety stay is not a discharge (section 2.2).
    """
    done = [stay for stay in person.stays if stay.discharged != NO_DAY and stay.ward != "place_of_safety"]
    if not done or person.inpatient:
        return
    last = max(done, key=lambda stay: stay.discharged)
    left, t = last.discharged, person.as_of
    if t - left > RECENT_DAYS:
        return
    seen = [c for c in person.contacts if c.attended and c.day >= left]
    said, dues = [f"discharged on {iso(left)}"], []
    evidence = [Evidence("stays", last.row, left, "discharge")]
    structured = person.last_met("structured_medication_review")
    reconciled = any(c.kind == "medicines_review" for c in seen) or (structured is not None and structured.day >= left)
    if not reconciled:
        said.append("no medicines review recorded since")
        dues.append(left + RECONCILE_DAYS)
    if not seen:
        said.append("no 72-hour follow-up recorded")
        dues.append(left + FOLLOW_UP_DAYS)
    if not dues:
        return
    if seen:
        said.append(f"seen on {iso(seen[0].day)}")
        evidence.append(Evidence("contacts", seen[0].row, seen[0].day, "follow-up after discharge"))
    title, action = _AFTER_DISCHARGE[reconciled, bool(seen)]
    given = [row for row in person.injections if row.given]
    if given:
        said.append(f"next {given[-1].medicine.name} due {iso(given[-1].day + given[-1].length)}")
    due = min(dues)
    action = action.format(see=_SEE_NOW if t > due else _SEE_IN_TIME)
    yield from gap_of(
        CODES["POST_DISCHARGE_RECONCILE"],
        [
            Finding(
                "high" if t > due else "medium",
                "; ".join(said),
                (citations.clinical("1.1", "D"),),
                tuple(evidence),
                due,
                max(0, t - due),
                action=action,
                title=title,
            )
        ],
    )


AGREEMENT_BEFORE_DAYS = 90
"""An agreement covers a transfer that follows it within this time, or an earlier transfer."""


def shared_care(person: PersonAsKnown) -> Iterator[Gap]:
    """SHARED_CARE_UNCLEAR: one medicine supplied by trust and GP in 90 days, or its prescriber changed in 90 days, and
    no agreement about that recorded.

    [D]: regular supply from one and when-needed supply from the other are two sources of one medicine. An agreement
    counts where it was recorded at most 90 days before the change (before the first of the two
    supplies), or after it: an older agreement is about an earlier transfer, and the gap says so. Medium for
    clozapine, lithium and valproate, else low.
    """
    if not person.regimen("shared_prescribing_90d") > 0 and not person.regimen("prescriber_changes_180d") > 0:
        return
    t = person.as_of
    found = []
    agreements = person.conditions["shared_care"]
    by_name: dict[str, list[Course]] = {}
    for one in person.courses:
        by_name.setdefault(one.medicine.name, []).append(one)
    for name, courses in by_name.items():
        course = max(courses, key=lambda one: one.last_day)
        seen = [max(days) for days in zip(*(one.seen for one in courses), strict=True)]
        changes = sorted(change for one in courses for change in one.sides if t - change[0] <= SHARED_DAYS)
        if changes:
            day, old, new = changes[-1]
            said = f"{name}: prescriber changed from {SIDES[old]} to {SIDES[new]} on {iso(day)}"
        elif min(seen) >= t - SHARED_DAYS:
            day = min(seen)
            said = ""
        else:
            continue
        if min(seen) >= t - SHARED_DAYS:
            said = f"{name}: supplied by trust and GP in the last 90 days"
            if all(min(one.seen) < t - SHARED_DAYS for one in courses):
                said += ", regularly by one and when needed by the other"
        if any(on >= day - AGREEMENT_BEFORE_DAYS for _, on, _ in agreements):
            continue
        rows: tuple[Evidence, ...] = (person.supplied(course, name),)
        if agreements:
            row, on, _ = agreements[-1]
            said += f"; the last agreement, of {iso(on)}, is older than this transfer"
            rows = (*rows, Evidence("conditions", row, on, "shared-care agreement"))
        else:
            said += "; no agreement recorded"
        severity: Severity = "medium" if course.medicine.base in _MONITORED else "low"
        found.append(Finding(severity, said, (citations.clinical("1.1", "D"),), rows))
    yield from gap_of(CODES["SHARED_CARE_UNCLEAR"], found)


SMOKING_DAYS = 90
_SMOKES = frozenset(("smoker", "current_smoker", "current smoker", "yes"))
_REDUCED = frozenset(("reduced", "cut down", "cutting down", "reducing", "smoker_reduced", "smoking_reduced"))
_STOPPED: tuple[tuple[str, str, Severity, str], ...] = (
    ("ix004", "olanzapine", "medium", "weigh about 25% less olanzapine; look for sedation and low blood pressure"),
    ("ix006", "haloperidol", "low", "look for stiffness and restlessness"),
    ("ix007", "chlorpromazine", "low", "look for sedation"),
    ("ix008", "duloxetine", "low", "look for side effects"),
    ("ix009", "fluvoxamine", "low", "look for side effects"),
    ("ix010", "methadone", "medium", "look for sedation and slow breathing"),
)
_RESTARTED: tuple[tuple[str, str, Severity, str], ...] = (
    ("ix005", "olanzapine", "medium", "look for early signs of relapse; weigh a higher dose"),
)


def smoking_change(person: PersonAsKnown) -> Iterator[Gap]:
    """SMOKING_CHANGE: smoking stopped, fell or started again within 90 days, with a medicine other than clozapine whose
    level it moves, and no medicines review attended since. The words depend on the direction of the change. Clozapine
    has its own rule (CLZ_LEVEL_SMOKING). [D]
    """
    rows = person.circumstances("smoking")
    if len(rows) < 2:
        return
    changes = [
        (row, _direction(before.value, row.value))
        for before, row in pairwise(rows)
        if _direction(before.value, row.value)
    ]
    if not changes or person.as_of - changes[-1][0].day > SMOKING_DAYS:
        return
    row, direction = changes[-1]
    if any(c.kind == "medicines_review" and c.day >= row.day for c in person.reviews):
        return
    found = []
    for key, base, severity, action in _RESTARTED if direction == "started again" else _STOPPED:
        for course in person.base(base)[:1]:
            effect = "may fall" if direction == "started again" else "may rise"
            said = f"smoking {direction} on {iso(row.day)}: the level of {course.medicine.name} {effect}"
            rows_of = (
                Evidence("circumstances", row.row, row.day, "smoking"),
                person.supplied(course, f"last supply of {course.medicine.name}"),
            )
            action_said = f"{base[0].upper()}{base[1:]}: {action}."
            found.append(Finding(severity, said, (citations.interaction(key),), rows_of, action=action_said))
    yield from gap_of(CODES["SMOKING_CHANGE"], found)


def _direction(before: str, after: str) -> str:
    if before in _SMOKES and after in _REDUCED:
        return "reduced"
    if (before in _SMOKES or before in _REDUCED) and after not in _SMOKES and after not in _REDUCED:
        return "stopped"
    if before not in _SMOKES and before not in _REDUCED and after in _SMOKES:
        return "started again"
    return ""


RULES = (regimen_change, after_discharge, shared_care, smoking_change)
