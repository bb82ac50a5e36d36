"""One particle: the traits and the daily quantities of one person that no record holds. Everything else is recorded,
and is taken from the day itself.
"""

from __future__ import annotations

import math

import numpy as np

from training.simulator.jit import making, step
from training.simulator.random import chance, normal, stream_key, uniform
from training.simulator.state import SLOTS
from training.simulator.traits import draw_habits, draw_mind

TRAITS = ("own_severity", "own_insight", "own_adherence", "own_engagement", "own_sensitivity")
"""Traits that are numbers on a line. How prone somebody is to substance use has two kinds, and is not moved."""
PARTICLE = np.dtype(
    [(name, "f8") for name in TRAITS]
    + [
        (name, "f8")
        for name in (
            "own_substance",
            "severity",
            "insight",
            "adherence",
            "engagement",
            "side_effects",
            "protection",
            "missed",
            "taken",
            "push",
        )
    ]
    + [(name, "i8") for name in ("interpreter_met", "relapse", "substance", "withdrawn", "stopped")],
    align=True,
)
FILTER_STREAM, RESAMPLING = 1_000_003, 999_983
WITHDRAWN_TIMES, RELAPSE_TIMES, STOPPED_TIMES, SUBSTANCE_TIMES = 5.0, 4.0, 3.0, 2.0
KEPT = 0.99
"""On resampling a trait keeps this share of its distance from the mean and gets noise that restores the spread (Liu
and West 2001). Without it, one value of a trait would be left after some years of resampling.
"""


@step
def put_on(h, stock, p, s, m):
    """Writes a particle over the hidden fields of a person, a state and its medicines."""
    p.severity, p.insight, p.adherence, p.engagement = h.own_severity, h.own_insight, h.own_adherence, h.own_engagement
    p.substance, p.sensitivity, p.interpreter_met = h.own_substance, math.exp(h.own_sensitivity), h.interpreter_met
    s.severity, s.insight, s.adherence, s.engagement = h.severity, h.insight, h.adherence, h.engagement
    s.side_effects, s.protection, s.missed, s.taken, s.push = h.side_effects, h.protection, h.missed, h.taken, h.push
    s.relapse, s.substance, s.withdrawn, s.stopped = h.relapse, h.substance, h.withdrawn, h.stopped
    for k in range(SLOTS):
        m[k].stock = stock[k]


@step
def take_off(h, stock, p, s, m):
    """Reads a particle from a person, a state and its medicines."""
    h.own_severity, h.own_insight, h.own_adherence, h.own_engagement = p.severity, p.insight, p.adherence, p.engagement
    h.own_substance, h.own_sensitivity, h.interpreter_met = p.substance, math.log(p.sensitivity), p.interpreter_met
    h.severity, h.insight, h.adherence, h.engagement = s.severity, s.insight, s.adherence, s.engagement
    h.side_effects, h.protection, h.missed, h.taken, h.push = s.side_effects, s.protection, s.missed, s.taken, s.push
    h.relapse, h.substance, h.withdrawn, h.stopped = s.relapse, s.substance, s.withdrawn, s.stopped
    for k in range(SLOTS):
        stock[k] = m[k].stock


@step
def draw_traits(p, s, x, substance_diagnosed):
    """Hidden traits of a particle, given the recorded ones, on the morning on which the state ``s`` begins. A recorded
    diagnosis of substance use says that the person is prone to it; its absence says little.
    """
    draw_mind(p, s, x)
    tries = 0
    while tries < 200 and (
        (substance_diagnosed and p.substance <= 0.5)
        or (not substance_diagnosed and p.substance > 0.5 and chance(s, 0.45))
    ):
        draw_mind(p, s, x)
        tries += 1
    draw_habits(p, s, x)
    if p.interpreter == 1:
        p.interpreter_met = 1 if chance(s, x.teams[p.home_team].interpreter) else 0
    s.severity = p.severity + (0.0 if p.initial else 0.6)
    s.insight, s.adherence, s.engagement = p.insight, p.adherence, p.engagement
    s.substance = 1 if chance(s, 0.1 * p.substance) else 0


@step
def place_of(share, weights):
    """The particle at this share of the cumulated weights."""
    total = 0.0
    for j in range(len(weights)):
        total += weights[j]
        if share < total:
            return j
    return len(weights) - 1


@step
def attention(h):
    """How many times more particles a rare hidden state gets than its weight asks for; their weights are smaller for
    it. A withdrawal is one particle in thirty until somebody misses two contacts, and then most of them.
    """
    times = WITHDRAWN_TIMES if h.withdrawn == 1 else 1.0
    times *= RELAPSE_TIMES if h.relapse == 1 else 1.0
    times *= STOPPED_TIMES if h.stopped == 1 else 1.0
    return times * (SUBSTANCE_TIMES if h.substance == 1 else 1.0)


@making
def resample(cloud, stock, weights, old_cloud, old_stock, keys, counters, s):
    """Draws the particles anew in proportion to weight times attention (systematic), with traits moved as ``KEPT``
    says. Each place keeps its own stream of random numbers, so that two copies of one particle part ways.
    """
    count = len(cloud)
    mean, spread = np.zeros(6), np.zeros(6)
    total, squares = 0.0, 0.0
    for j in range(count):
        h, w = cloud[j], weights[j]
        squares += w * w
        values = (h.own_severity, h.own_insight, h.own_adherence, h.own_sensitivity, h.own_engagement, h.engagement)
        for i in range(6):
            mean[i] += w * values[i]
            spread[i] += w * values[i] * values[i]
        weights[j] = w * attention(h)
        total += weights[j]
    # few effective particles show too little of the spread: a share of squares, as in the variance of a small sample
    lost = 1.0 / max(0.25, 1.0 - squares)
    for i in range(6):
        spread[i] = math.sqrt(max(0.0, spread[i] - mean[i] * mean[i]) * (lost - KEPT * KEPT))
    old_cloud[:] = cloud
    old_stock[:] = stock
    first, reached, source, left = uniform(s) / count, weights[0] / total, 0, 0.0
    key, counter = s.key, s.counter
    for j in range(count):
        while reached < first + j / count and source < count - 1:
            source += 1
            reached += weights[source] / total
        cloud[j] = old_cloud[source]
        stock[j] = old_stock[source]
        s.key, s.counter = keys[j], counters[j]
        move_traits(cloud[j], mean, spread, s)
        counters[j] = s.counter
    s.key, s.counter = key, counter
    for j in range(count):
        weights[j] = 1.0 / attention(cloud[j])
        left += weights[j]
    weights /= left


@step
def move_traits(h, mean, spread, s):
    """Moves a copy a little; what follows a trait closely moves with it: side effects with sensitivity, and the wish to
    come with its own level.
    """
    sensitivity = h.own_sensitivity
    h.own_severity = mean[0] + KEPT * (h.own_severity - mean[0]) + spread[0] * normal(s)
    h.own_insight = mean[1] + KEPT * (h.own_insight - mean[1]) + spread[1] * normal(s)
    h.own_adherence = mean[2] + KEPT * (h.own_adherence - mean[2]) + spread[2] * normal(s)
    h.own_sensitivity = mean[3] + KEPT * (sensitivity - mean[3]) + spread[3] * normal(s)
    h.side_effects *= math.exp(h.own_sensitivity - sensitivity)
    both = normal(s)
    h.own_engagement = mean[4] + KEPT * (h.own_engagement - mean[4]) + spread[4] * both
    h.engagement = mean[5] + KEPT * (h.engagement - mean[5]) + spread[5] * both


@step
def own_streams(keys, counters, seed, person):
    for j in range(len(keys)):
        keys[j] = stream_key(seed, person, FILTER_STREAM, j)
        counters[j] = np.uint64(0)
