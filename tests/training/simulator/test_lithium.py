"""Lithium is tested as a person's own service tests it, and what is only written down moves nobody's course."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.simulator import World, simulate
from training.simulator.care.lithium import lithium_interval, lithium_tested
from training.simulator.ceiling.likelihood import lithium_ordered
from training.simulator.jit import entry
from training.simulator.random import aside
from training.simulator.state import COMMUNITY, EVENT, MOOD, PERSON, SLOT, SLOTS, STATE, TEAM, Setting
from training.simulator.traits import HALF_YEARLY, RECALLED

RECALL, HALF_YEAR, LEFT_TO_THE_GP = 0.1, RECALLED + 0.01, RECALLED + HALF_YEARLY + 0.1


@entry
def numbers_beside(states, days, out):
    s = states[0]
    for i in range(len(days)):
        s.day = days[i]
        out[i, 0] = aside(s, 7)
        out[i, 1] = aside(s, 8)


@entry
def asked_after(people, states, m):
    return lithium_interval(people[0], states[0], m)


@entry
def chance_and_belief(people, states, m, world, teams, events, ordered, out):
    x = Setting(world[0], np.zeros(0), teams, 0, 0, events, np.zeros((0, 2), dtype=np.int64))
    p, s = people[0], states[0]
    out[0] = lithium_tested(p, s, m, x)
    out[1] = lithium_ordered(p, s, m, x, ordered)


def somebody(care: float, since_start: int, since_level: int, withdrawn: int = 0):
    people, states, m = np.zeros(1, PERSON), np.zeros(1, STATE), np.zeros(SLOTS, SLOT)
    people["lithium_care"] = care
    states["day"], states["lithium_on"] = 20_000, 20_000 - since_level
    states["status"], states["withdrawn"] = COMMUNITY, withdrawn
    m["started"][MOOD] = 20_000 - since_start
    return people, states, m


def likely(ordered: bool, *person: int | float) -> list[float]:
    teams = np.zeros(1, TEAM)
    teams["bloods"] = 1.0
    out = np.zeros(2)
    chance_and_belief(*somebody(*person), World().to_record(), teams, np.zeros(0, EVENT), ordered, out)
    return out.tolist()


def test_numbers_beside_the_stream_leave_it_where_it_is():
    states, out = np.zeros(1, STATE), np.zeros((400, 2))
    states["key"], states["counter"] = 12_345, 99
    numbers_beside(states, np.arange(400) + 19_000, out)
    assert states["counter"].item() == 99
    assert len(np.unique(out)) == out.size
    assert out.min() >= 0 and out.max() < 1 and out.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("care", "since_start", "days"),
    [(RECALL, 900, 76), (RECALL, 100, 76), (HALF_YEAR, 900, 150), (HALF_YEAR, 100, 80), (LEFT_TO_THE_GP, 900, 330)],
)
def test_who_is_recalled_is_asked_more_often(care, since_start, days):
    assert asked_after(*somebody(care, since_start, 0)) == days


def test_the_filter_believes_what_the_simulator_does():
    """No test before it is asked for, then the same probability on both sides; a withdrawn person seldom goes."""
    assert likely(False, RECALL, 900, 75) == [0.0, 1.0]
    asked = likely(True, RECALL, 900, 76)
    assert asked[0] == asked[1] > 0.05
    assert likely(False, RECALL, 900, 76) == [asked[0], 1 - asked[0]]
    assert likely(True, RECALL, 900, 76, 1)[0] < 0.2 * asked[0]


def test_people_referred_on_lithium_come_with_the_tests_of_their_referrer():
    frames = simulate(patients=1500, years=2, seed=3).frames
    lithium = frames["supplies"].query("medicine == 'lithium'").groupby("patient_id")["supplied_on"].min()
    arrived = frames["referrals"].groupby("patient_id")["opened_on"].min()
    arrived = arrived[arrived > pd.Timestamp("2022-01-10")]
    results = frames["results"].query("test == 'egfr'")
    ago = (results["patient_id"].map(arrived) - results["taken_on"]).dt.days
    before = results[ago.between(1, 80)]
    mine = arrived.index[arrived.index.isin(lithium.index)]
    assert len(mine) > 15
    assert mine.isin(before["patient_id"]).mean() > 0.3
    others = arrived.index.difference(mine)
    assert others.isin(before["patient_id"]).mean() < 0.1
