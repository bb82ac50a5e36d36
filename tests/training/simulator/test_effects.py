"""Every planted effect acts where the table says it acts, in the direction it says, on whom it says: looked for over
several seeds, not one lucky one.

Each world is the ordinary one with one number raised far. People draw their own random numbers, so people without
the effect live the very same days in both worlds, and what differs is the effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from features.records.tables import CLOSE_REASONS
from training.simulator import Truth, World
from training.simulator import state as at
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.oracle import COURSE, FIRST_DAY
from training.simulator.person_day import run_course
from training.simulator.planted import ADMISSION, COMING, DETENTION, PLANTED, RELAPSE, SEVERITY, TAKING, WITHDRAWAL
from training.simulator.simulation import _run
from training.simulator.teams import draw_teams

SEEDS = (11, 12, 13)
PEOPLE, YEARS, TEAMS = 120, 2.0, 3
PUSH = {"times the hazard, added": 60.0, "share prone to them, added": 0.5, "log-hazard per year over 45": 0.1}
"""How far a number is raised, by its scale; 2.5 on a log-hazard, a logit or in units of severity."""
BUSY = World(admission_base=-7.0)
WORLDS = {
    "detained_black": BUSY,
    "detained_insight": BUSY,
    "detained_severity": World(severity_spread=2.5),
    "adherence_support": World(cadence_days=12.0),
}
"""Worlds in which an effect can be counted: many admissions, so that some are of a small group; people ill enough, or
seen often enough to feel supported."""


class Lived(NamedTuple):
    """One simulated trust, before anything is written: traits, days of death, event rows by table, and what was hidden
    (people, ``COURSE``), each a mean over a person's days."""

    people: np.ndarray
    died_on: np.ndarray
    tables: list[np.ndarray]
    seed: int
    world: World

    def of(self, table: int, mask: np.ndarray) -> np.ndarray:
        rows = self.tables[table]
        return rows[mask[rows["person"]]]

    def hidden(self, column: str, mask: np.ndarray) -> float:
        return float(hidden(self.seed, self.world)[mask, COURSE.index(column)].mean())


@cache
def live(seed: int, world: World) -> Lived:
    truth = Truth(seed, PEOPLE, YEARS, TEAMS, world)
    return Lived(*_run(truth, draw_teams(TEAMS, seed)[0], threads=1), seed, world)


@cache
def hidden(seed: int, world: World) -> np.ndarray:
    """What ``Truth.course`` replays, for everybody at once."""
    truth = Truth(seed, PEOPLE, YEARS, TEAMS, world)
    setting, days = truth._world(), np.zeros((truth.last_day - FIRST_DAY + 1, 1 + len(COURSE)))
    means = []
    for person in range(PEOPLE):
        run_course(person, *setting, days)
        means.append(days[~np.isnan(days[:, 0]), 1:].mean(axis=0))
    return np.array(means)


def share_missed(t: Lived, mask: np.ndarray) -> float:
    outcome = t.of(at.CONTACTS, mask)["c"]
    return float((outcome == at.MISSED).sum() / np.isin(outcome, (at.MISSED, at.ATTENDED)).sum())


def emergencies(t: Lived, mask: np.ndarray) -> np.ndarray:
    rows = t.of(at.STAYS, mask)
    return rows[rows["a"] == at.EMERGENCY]


def closed(t: Lived, mask: np.ndarray, reason: str) -> float:
    return float((t.of(at.REFERRALS, mask)["a"] == CLOSE_REASONS.index(reason)).sum())


def homes_lost(t: Lived, mask: np.ndarray) -> float:
    rows = t.of(at.CIRCUMSTANCES, mask)
    return float(((rows["a"] == at.HOUSING) & (rows["b"] > 0)).sum())


MEASURES: dict[str, Callable[[Lived, np.ndarray], float]] = {
    ADMISSION: lambda t, mask: float(len(emergencies(t, mask))),
    DETENTION: lambda t, mask: float((emergencies(t, mask)["c"] != at.INFORMAL).mean()),
    COMING: lambda t, mask: -share_missed(t, mask),
    TAKING: lambda t, mask: t.hidden("takes_medicine", mask),
    WITHDRAWAL: lambda t, mask: t.hidden("withdrawn", mask),
    RELAPSE: lambda t, mask: t.hidden("relapse", mask),
    SEVERITY: lambda t, mask: t.hidden("severity", mask),
    "losing a home": homes_lost,
    "moving away": lambda t, mask: closed(t, mask, "moved_away"),
    "substance episodes": lambda t, mask: t.hidden("substance", mask),
    "stopping clozapine": lambda t, mask: -float((t.of(at.SUPPLIES, mask)["a"] == CLOZAPINE).sum()),
    "death": lambda t, mask: float((t.died_on[mask] != at.NONE).sum()),
}

WHOM: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "people under 35": lambda p: p["young"] > 0,
    "men under 35": lambda p: (p["young"] > 0) & (p["sex"] == 1),
    "people who live alone": lambda p: p["living_alone"] == 1,
    "people with a carer": lambda p: p["has_carer"] == 1,
    "people in the two most deprived tenths": lambda p: p["deprivation"] <= 2,
    "Black people": lambda p: p["ethnicity"] == at.BLACK,
    "people who need an interpreter": lambda p: (p["interpreter"] == 1) & (p["interpreter_met"] == 0),
    "autistic people and people with a learning disability": lambda p: (
        ((p["autism"] == 0) | (p["learning_disability"] == 0)) & (p["adjustment_met"] == 0)
    ),
}
"""Groups that are traits; being homeless is a state that anybody may come to."""
EVERYBODY, INSIGHTFUL, ILL = (
    lambda p: p["index"] >= 0,
    lambda p: p["insight"] > 0.3,
    lambda p: p["severity"] > 0.4,
)
WHERE_IT_SHOWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "severity_unprotected": lambda p: p["adherence"] < 0.8,
    "adherence_insight": INSIGHTFUL,
    "withdrawal_insight": INSIGHTFUL,
    "detained_insight": lambda p: p["insight"] > 0.0,
    "adherence_side_effects": lambda p: p["sensitivity"] > 1.1,
    "engagement_side_effects": lambda p: p["sensitivity"] > 1.1,
    "withdrawal_severity": ILL,
    "relapse_level": ILL,
    "detained_severity": lambda p: p["severity"] > 1.8,
}
"""Quantities that lie on both sides of 0: their effect is looked for among people on the upper side."""


def test_every_acts_on_can_be_measured_and_every_group_is_a_trait_or_a_home():
    assert {p.acts_on for p in PLANTED} == set(MEASURES)
    assert {p.group for p in PLANTED if p.group} == {*WHOM, "homeless people"}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: p.field)
def test_each_effect_has_its_direction_and_acts_on_its_group(planted):
    push = PUSH.get(planted.scale, 2.5)
    world = WORLDS.get(planted.field, World())
    moved = []
    for seed in SEEDS:
        plain = live(seed, world)
        raised = live(seed, replace(world, **{planted.field: getattr(world, planted.field) + push}))
        mask = (WHOM.get(planted.group) or WHERE_IT_SHOWS.get(planted.field) or EVERYBODY)(plain.people)
        if planted.group in WHOM:
            unreached = ~mask
            for table in range(len(plain.tables)):
                assert plain.of(table, unreached).tobytes() == raised.of(table, unreached).tobytes()
        measured = MEASURES[planted.acts_on]
        moved.append(planted.sign * (measured(raised, mask) - measured(plain, mask)))
    assert np.nanmean(moved) > 0, moved
    assert np.sum(np.asarray(moved) > 0) >= len(SEEDS) - 1, moved
