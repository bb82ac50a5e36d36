"""What the model would give if a due check or contact were done: the model's sensitivity, not an effect.

A closed table lists the actions, the inputs that each one changes, and their new values. It holds only what a team
can do next, and only inputs that doing it resets: days since, days past due, a gap that is open now. It never changes
a count over the past, a protected characteristic or a result's value. An action is offered only when it is due.
Clozapine after a gap has no entry, because restarting it is a clinical decision (docs/clinical.md section 4.6).

The estimate can rise or fall. All actions are shown with the same wording, because leaving out those that raise the
estimate would turn a description into advice. Overdue checks stay due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NOTE = (
    "This shows how the model's estimate would change. It is not the "
    "effect of doing it. Do overdue checks whatever the "
    "estimate."
)
LATER_THAN_DAYS = 28
"""The action "see the person" is offered if nobody has seen them for four weeks. Our own choice, not from a
guideline.
"""


@dataclass(frozen=True)
class Action:
    """One thing a team can do next. ``label`` completes "If ...".

    ``since`` inputs become 0 days. ``due`` pairs days past due with the days since that it counts from: the interval
    starts again, as long as the person's own interval (days since less days past due); if that is unknown, days past
    due becomes 0. ``fewer`` inputs fall by one, for the test that was done. ``ended`` inputs become 0 if they are
    recorded. ``offered`` names inputs of which one must exceed ``above``; the action is not offered if one of
    ``unless`` is recorded.
    """

    code: str
    label: str
    offered: tuple[str, ...]
    since: tuple[str, ...] = ()
    due: tuple[tuple[str, str], ...] = ()
    fewer: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    above: float = 0.0


_RESULT = ("days_since_any_result",)
_PHYSICAL = ("blood_pressure", "weight_bmi", "lipids", "hba1c", "smoking_status", "alcohol_status")

ACTIONS: tuple[Action, ...] = (
    Action(
        "blood_count",
        "the blood count were done",
        offered=("clozapine_fbc_days_past_due", "fbc_days_past_due"),
        since=("days_since_fbc", *_RESULT),
        due=(("clozapine_fbc_days_past_due", "days_since_fbc"), ("fbc_days_past_due", "days_since_fbc")),
        fewer=("clozapine_tests_overdue", "tests_overdue"),
        ended=("never_any_result",),
    ),
    Action(
        "lithium_level",
        "the lithium level were taken",
        offered=("lithium_level_days_past_due",),
        since=("days_since_lithium_level", *_RESULT),
        due=(("lithium_level_days_past_due", "days_since_lithium_level"),),
        fewer=("lithium_tests_overdue", "tests_overdue"),
        ended=("never_any_result",),
    ),
    Action(
        "physical_checks",
        "the yearly physical health checks were done",
        offered=("physical_checks_days_past_due", "annual_physical_health_check_days_past_due"),
        since=("days_since_annual_physical_health_check", *(f"days_since_{test}" for test in _PHYSICAL), *_RESULT),
        due=(
            ("physical_checks_days_past_due", ""),
            *((f"{test}_days_past_due", f"days_since_{test}") for test in ("annual_physical_health_check", *_PHYSICAL)),
        ),
        ended=("smi_tests_overdue", "never_any_result"),
    ),
    Action(
        "side_effects",
        "side effects were asked about",
        offered=("side_effect_scale_days_past_due",),
        since=("days_since_side_effect_scale",),
        due=(("side_effect_scale_days_past_due", "days_since_side_effect_scale"),),
        fewer=("tests_overdue",),
    ),
    Action(
        "medicines_review",
        "a medicines review were held",
        offered=("structured_medication_review_days_past_due",),
        since=("days_since_medicines_review", "days_since_structured_medication_review"),
        due=(("structured_medication_review_days_past_due", "days_since_structured_medication_review"),),
        fewer=("tests_overdue",),
    ),
    Action(
        "injection",
        "the long-acting injection were given",
        offered=("depot_days_past_due",),
        since=("days_since_any_psychotropic", "days_since_any_supply"),
        ended=("depot_days_past_due",),
    ),
    Action(
        "supply",
        "the regular medicine were collected",
        offered=("antipsychotic_gap_days",),
        since=("days_since_any_psychotropic", "days_since_any_supply"),
        ended=("antipsychotic_gap_days",),
        unless=("clozapine_gap_days", "depot_days_past_due"),
    ),
    Action(
        "seen",
        "the team saw this person",
        offered=("days_since_attended",),
        since=("days_since_attended", "days_since_in_sight", "days_since_any_contact_row"),
        ended=("never_seen",),
        above=LATER_THAN_DAYS,
    ),
)


@dataclass(frozen=True)
class Change:
    """One input before and after the what-if; ``value`` is None if nothing is recorded."""

    name: str
    unit: str | None
    value: float | None
    changed_to: float


@dataclass(frozen=True)
class WhatIf:
    """One action for one person. ``risks`` holds {outcome, horizon_days, probability, difference}: the estimate with
    the action done, and its difference from the current estimate.
    """

    code: str
    label: str
    note: str
    changes: tuple[Change, ...]
    risks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Offer:
    """The rows to which an action is offered, and their inputs with the action done."""

    action: Action
    rows: NDArray[np.intp]
    inputs: NDArray[np.floating]


class _Places(NamedTuple):
    """Where the inputs of an action stand among the features of a model."""

    action: Action
    offered: list[int]
    unless: list[int]
    due: list[int]
    counted_from: list[int]
    """Of each of ``due``; -1 where the model has no such feature."""
    fewer: list[int]
    since: list[int]
    ended: list[int]


def find_offers(inputs: NDArray[np.floating], names: Sequence[str]) -> list[Offer]:
    """The actions offered to at least one row. ``inputs`` (rows, features) is in the order of ``names``. An action
    without a known feature is left out.
    """
    places, columns, above, starts = _layout(tuple(names))
    if not places:
        return []
    # All actions at once: most are offered to nobody, and a few small arrays for each took half of the time.
    asked = np.logical_or.reduceat(inputs[:, columns] > above, starts, axis=1)
    found = []
    for number in np.nonzero(asked.any(axis=0))[0].tolist():
        place, offered = places[number], asked[:, number]
        if place.unless:
            offered = offered & np.isnan(inputs[:, place.unless]).all(axis=1)
        rows = offered.nonzero()[0]
        if len(rows):
            before = inputs[rows]
            changed = _done(place, before)
            moved = ((changed != before) & ~np.isnan(changed)).any(axis=1)
            if moved.any():
                found.append(Offer(place.action, rows[moved], changed[moved]))
    return found


@lru_cache(maxsize=8)
def _layout(names: tuple[str, ...]) -> tuple[list[_Places], NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]:
    """The actions with a known feature; the columns that decide whether each is offered, the number that each of them
    must exceed, and where those of each action begin."""
    place = {name: i for i, name in enumerate(names)}

    def known(some: Sequence[str]) -> list[int]:
        return [place[name] for name in some if name in place]

    found = []
    for action in ACTIONS:
        due = [(place[name], place.get(counted_from, -1)) for name, counted_from in action.due if name in place]
        found.append(
            _Places(
                action,
                known(action.offered),
                known(action.unless),
                [past for past, _ in due],
                [since for _, since in due],
                known(action.fewer),
                known(action.since),
                known(action.ended),
            )
        )
    found = [one for one in found if one.offered]
    columns = np.array([column for one in found for column in one.offered], np.intp)
    above = np.array([one.action.above for one in found for _ in one.offered], np.float32)
    starts = np.cumsum([0, *(len(one.offered) for one in found)][:-1])
    return found, columns, above, starts


def changes(before: NDArray[np.floating], after: NDArray[np.floating], features: Sequence[Any]) -> tuple[Change, ...]:
    """The inputs that differ between two rows, in the order of ``features`` (objects with name and unit)."""
    moved = np.nonzero((before != after) & ~np.isnan(after))[0].tolist()
    return tuple(
        Change(features[i].name, features[i].unit, None if np.isnan(before[i]) else float(before[i]), float(after[i]))
        for i in moved
    )


def _done(place: _Places, inputs: NDArray[np.floating]) -> NDArray[np.floating]:
    out = inputs.copy()
    if place.due:
        past, since = inputs[:, place.due], inputs[:, place.counted_from]
        since[:, [column < 0 for column in place.counted_from]] = np.nan
        again = np.where(np.isnan(since), 0, past - since)
        out[:, place.due] = np.where(np.isnan(past), np.nan, np.minimum(0, again))
    if place.fewer:
        out[:, place.fewer] = np.maximum(0, inputs[:, place.fewer] - 1)
    out[:, place.since] = 0
    if place.ended:
        out[:, place.ended] = np.where(np.isnan(inputs[:, place.ended]), np.nan, 0)
    return out
