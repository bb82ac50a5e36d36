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
from typing import Any

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


def find_offers(inputs: NDArray[np.floating], names: Sequence[str]) -> list[Offer]:
    """The actions offered to at least one row. ``inputs`` (rows, features) is in the order of ``names``. An action
    without a known feature is left out.
    """
    place = _places(tuple(names))
    found = []
    for action in ACTIONS:
        rows = np.flatnonzero(_offered(action, inputs, place))
        if len(rows):
            changed = _done(action, inputs[rows], place)
            moved = ((changed != inputs[rows]) & ~np.isnan(changed)).any(axis=1)
            if moved.any():
                found.append(Offer(action, rows[moved], changed[moved]))
    return found


@lru_cache(maxsize=8)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def changes(before: NDArray[np.floating], after: NDArray[np.floating], features: Sequence[Any]) -> tuple[Change, ...]:
    """The inputs that differ between two rows, in the order of ``features`` (objects with name and unit)."""
    moved = np.flatnonzero((before != after) & ~np.isnan(after)).tolist()
    return tuple(
        Change(features[i].name, features[i].unit, None if np.isnan(before[i]) else float(before[i]), float(after[i]))
        for i in moved
    )


def _offered(action: Action, inputs: NDArray[np.floating], place: dict[str, int]) -> NDArray[np.bool_]:
    due = np.zeros(len(inputs), dtype=bool)
    for name in action.offered:
        if name in place:
            due |= inputs[:, place[name]] > action.above
    for name in action.unless:
        if name in place:
            due &= np.isnan(inputs[:, place[name]])
    return due


def _done(action: Action, inputs: NDArray[np.floating], place: dict[str, int]) -> NDArray[np.floating]:
    out = inputs.copy()
    for name, counted_from in action.due:
        if name in place:
            past = inputs[:, place[name]]
            since = inputs[:, place[counted_from]] if counted_from in place else np.full_like(past, np.nan)
            again = np.where(np.isnan(since), 0, past - since)
            out[:, place[name]] = np.where(np.isnan(past), np.nan, np.minimum(0, again))
    for name in action.fewer:
        if name in place:
            out[:, place[name]] = np.maximum(0, inputs[:, place[name]] - 1)
    for name in action.since:
        if name in place:
            out[:, place[name]] = 0
    for name in action.ended:
        if name in place:
            out[:, place[name]] = np.where(np.isnan(inputs[:, place[name]]), np.nan, 0)
    return out
