"""What a team could use instead of a model: simple rules.

A rule is a number per person, higher for people to review first; it is not a probability. Rules read the same feature
columns as the model, so both see the same past on both clocks. If a fact is missing, the rule assumes what a team
would assume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk_model import Matrix
from training.fitting.controls.benchmarks import Logistic, fit_logistic

Floats = npt.NDArray[np.float64]
Column = Callable[[str], Floats]
NEVER = 10_000.0
"""Days since something that never happened, for ranking: longer ago than anything that did."""


@dataclass(frozen=True)
class Rule:
    """``needs`` are feature names; ``score`` gets a function from a feature name to its column."""

    name: str
    label: str
    needs: tuple[str, ...]
    score: Callable[[Column], Floats]


def _or(values: Floats, otherwise: float) -> Floats:
    return np.where(np.isnan(values), otherwise, values)


_GAPS = (
    "antipsychotic_gap_days",
    "clozapine_gap_days",
    "lithium_gap_days",
    "mood_stabiliser_gap_days",
    "depot_days_past_due",
)

FIVE_FACTORS = (
    "unplanned_admissions_730d",
    "crisis_contacts_365d",
    "days_since_attended",
    "missed_180d",
    "tests_overdue",
)
"""The inputs of a five-factor logistic regression: past admissions, crises, silence, missed appointments, overdue
checks.
"""

_RECENT_DAYS = 28


def _ordered(x: Column) -> Floats:
    """A fixed list of predictors; each decides only between people whom the earlier ones leave tied (as in published
    ordered lists).
    """
    crises = _or(x("crisis_contacts_365d"), 0) + _or(x("admissions_365d"), 0)
    discharged = _or(x("days_since_discharge"), NEVER) < _RECENT_DAYS
    order = np.lexsort(
        (_or(x("days_since_attended"), NEVER), _or(x("missed_180d"), 0), discharged, np.minimum(crises, 3))
    )
    ties = np.column_stack(
        [np.minimum(crises, 3), discharged, _or(x("missed_180d"), 0), _or(x("days_since_attended"), NEVER)]
    )
    new = np.concatenate([[0], (np.diff(ties[order], axis=0) != 0).any(axis=1)]) if len(order) else np.zeros(0)
    place = np.empty(len(order))
    place[order] = np.cumsum(new)
    return place


RULES: tuple[Rule, ...] = (
    Rule(
        "crises_last_year",
        "Crisis contacts and admissions in the last year",
        ("crisis_contacts_365d", "admissions_365d"),
        lambda x: _or(x("crisis_contacts_365d"), 0) + _or(x("admissions_365d"), 0),
    ),
    Rule(
        "days_since_seen",
        "Days since last seen (never seen first)",
        ("days_since_attended",),
        lambda x: _or(x("days_since_attended"), NEVER),
    ),
    Rule(
        "missed_in_a_row",
        "Contacts missed since last seen",
        ("missed_since_attended",),
        lambda x: _or(x("missed_since_attended"), 0),
    ),
    Rule(
        "last_missed",
        "Most recently missed appointment first",
        ("days_since_missed",),
        lambda x: -_or(x("days_since_missed"), NEVER),
    ),
    Rule("overdue_monitoring", "Tests and checks overdue", ("tests_overdue",), lambda x: _or(x("tests_overdue"), 0)),
    Rule(
        "supply_gap",
        "Longest current gap in the supply of a regular medicine, or days a depot is late",
        _GAPS,
        lambda x: np.max([_or(x(name), 0) for name in _GAPS], axis=0),
    ),
    Rule(
        "recent_discharge",
        "Most recently discharged from hospital first",
        ("days_since_discharge",),
        lambda x: -_or(x("days_since_discharge"), NEVER),
    ),
    Rule(
        "ordered_list",
        "A fixed order: crises, then recent discharge, then missed appointments, then days since seen",
        ("crisis_contacts_365d", "admissions_365d", "days_since_discharge", "missed_180d", "days_since_attended"),
        _ordered,
    ),
)


def apply_rules(matrix: Matrix, rules: Sequence[Rule] = RULES) -> dict[str, Floats]:
    """Scores by rule name, one per row. A rule is left out if its features are not in the matrix."""
    place = {name: column for column, name in enumerate(matrix.names)}

    def column(name: str) -> Floats:
        return np.asarray(matrix.values[:, place[name]], dtype=np.float64)

    return {
        rule.name: np.asarray(rule.score(column), dtype=np.float64) for rule in rules if set(rule.needs) <= place.keys()
    }


def without_looking(people: Sequence[str], seed: int) -> dict[str, Floats]:
    """The two rules that read nothing: at random (one number per row), and alphabetical. The records hold no names,
    so ids take their place.
    """
    _, place = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    return {
        "random": np.random.default_rng(seed).random(len(place)),
        "alphabetical": -place.astype(np.float64),
    }


def fit_five_factors(matrix: Matrix, labels: pd.DataFrame, train: npt.NDArray[np.bool_]) -> Logistic | None:
    """A logistic regression on :data:`FIVE_FACTORS` alone; None if the matrix lacks one of them."""
    if not set(FIVE_FACTORS) <= set(matrix.names):
        return None
    return fit_logistic(_five(matrix), labels, train, strength=1.0)


def five_factor_values(matrix: Matrix) -> npt.NDArray[np.floating]:
    """The columns that :func:`fit_five_factors` reads."""
    return _five(matrix).values


@dataclass(frozen=True)
class _Columns:
    values: npt.NDArray[np.floating]
    names: tuple[str, ...]


def _five(matrix: Matrix) -> _Columns:
    place = {name: column for column, name in enumerate(matrix.names)}
    return _Columns(matrix.values[:, [place[name] for name in FIVE_FACTORS]], FIVE_FACTORS)
