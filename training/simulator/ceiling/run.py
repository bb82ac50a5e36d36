"""The filter: the person's records day by day, a cloud of particles beside them, and futures from the cloud."""

from __future__ import annotations

import numpy as np

from training.simulator.ceiling.day import live_day
from training.simulator.ceiling.futures import expected_events, leave_ward_later
from training.simulator.ceiling.particles import (
    PARTICLE,
    RESAMPLING,
    attention,
    draw_traits,
    own_streams,
    place_of,
    put_on,
    resample,
    take_off,
)
from training.simulator.jit import entry, making, step
from training.simulator.person_day import begin, one_day
from training.simulator.random import stream_key
from training.simulator.state import (
    AWAY,
    CONDITIONS,
    EVENT,
    GONE,
    INPATIENT,
    PERSON,
    SLOT,
    SLOTS,
    STATE,
    Setting,
)

MOST_ROWS_A_DAY = 400
HIDDEN = (
    "severity",
    "engagement",
    "adherence",
    "missed",
    "side_effects",
    "withdrawn",
    "substance",
    "own_severity",
    "own_engagement",
    "own_adherence",
)
FUTURE_STREAM = 2_000_003


@step
def substance_diagnosed(events, rows):
    """Whether the rows hold a diagnosis of substance use (rows 6 and 7 of ``observation.DIAGNOSIS_ROWS``)."""
    for i in range(rows):
        e = events[i]
        if e.table == CONDITIONS and e.a == 0 and (e.number == 6 or e.number == 7):
            return True
    return False


@making
def normalise(weights, previous, cloud):
    """Makes the weights sum to one, or takes the previous ones where no particle can explain the day. Returns the
    effective number of particles, 0 where none could explain it.
    """
    total = weights.sum()
    if not total > 1e-290:
        weights[:] = previous
        return 0.0
    drawn, squares = 0.0, 0.0
    for j in range(len(weights)):
        weights[j] /= total
        times = weights[j] * attention(cloud[j])
        drawn += times
        squares += times * times
    return drawn * drawn / squares


@step
def hidden_values(p, s, values):
    """The quantities of ``HIDDEN``, in that order."""
    values[0], values[1], values[2], values[3] = s.severity, s.engagement, s.adherence, s.missed
    values[4], values[5], values[6] = s.side_effects, s.withdrawn, s.substance
    values[7], values[8], values[9] = p.severity, p.engagement, p.adherence


@entry
def run_filter(
    index,
    as_of,
    horizons,
    count,
    futures,
    known,
    filter_seed,
    seed,
    years,
    world,
    medicines,
    teams,
    first_day,
    last_day,
    reviews,
    out,
    state_of_filter,
    seen_hidden,
):
    """As ``person_day.run_oracle``, from ``count`` particles that saw the records instead of from the true hidden
    state; ``known`` 1 branches from the truth instead, for a comparison with equally many futures.

    ``out`` float64 (rows, 3, horizons): the probability of an unplanned admission, of a disengagement and of a new
    one. ``state_of_filter`` float64 (rows, 2): the smallest effective number of particles so far, as a share, and
    the days whose records no particle could explain. ``seen_hidden`` float64 (rows, 3, HIDDEN): mean and standard
    deviation of the hidden quantities over particles, and their truth.
    """
    events = np.zeros(MOST_ROWS_A_DAY, dtype=EVENT)
    x = Setting(world[0], medicines, teams, first_day, last_day, events, reviews)
    ahead = Setting(world[0], medicines, teams, first_day, last_day, events[:0], reviews[:0])
    people = np.zeros(2, dtype=PERSON)
    states = np.zeros(4, dtype=STATE)
    m, m_before, m_own = np.zeros(SLOTS, dtype=SLOT), np.zeros(SLOTS, dtype=SLOT), np.zeros(SLOTS, dtype=SLOT)
    p, p_own = people[0], people[1]
    s, before, own, chooser = states[0], states[1], states[2], states[3]
    cloud, spare = np.zeros(count, dtype=PARTICLE), np.zeros(count, dtype=PARTICLE)
    stock, spare_stock = np.zeros((count, SLOTS)), np.zeros((count, SLOTS))
    weights, previous = np.zeros(count), np.zeros(count)
    keys, counters = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.uint64)
    expected, values = np.zeros(len(horizons)), np.zeros(len(HIDDEN))
    days, current = horizons.max(), -1
    fewest, lost = 1.0, 0
    for r in range(len(index)):
        if index[r] != current:
            current, fewest, lost = index[r], 1.0, 0
            s.recording, s.rows = 1, 0
            begin(p, s, m, x, seed, current, years)
            own_streams(keys, counters, filter_seed, current)
            chooser.key, chooser.counter = stream_key(filter_seed, current, RESAMPLING, 0), np.uint64(0)
            told = substance_diagnosed(events, min(s.rows, len(events)))
            for j in range(count):
                people[1] = people[0]
                states[2] = states[0]
                m_own[:] = m
                own.recording, own.key, own.counter = 0, keys[j], counters[j]
                draw_traits(p_own, own, x, told)
                take_off(cloud[j], stock[j], p_own, own, m_own)
                counters[j] = own.counter
            weights[:] = 1.0 / count
        while s.day < as_of[r] and s.status != GONE:
            states[1] = states[0]
            m_before[:] = m
            s.rows = 0
            one_day(p, s, m, x)
            if before.status == AWAY or known == 1:
                continue
            rows = min(s.rows, len(events))
            previous[:] = weights
            for j in range(count):
                people[1] = people[0]
                states[2] = states[1]
                m_own[:] = m_before
                put_on(cloud[j], stock[j], p_own, own, m_own)
                own.recording, own.key, own.counter = 0, keys[j], counters[j]
                weights[j] *= live_day(p_own, own, m_own, s, m, x, rows)
                take_off(cloud[j], stock[j], p_own, own, m_own)
                counters[j] = own.counter
            effective = normalise(weights, previous, cloud)
            lost += effective == 0.0
            fewest = min(fewest, effective / count)
            if 0.0 < effective < 0.5 * count:
                resample(cloud, stock, weights, spare, spare_stock, keys, counters, chooser)
        if s.day != as_of[r] or s.status == GONE or s.status == AWAY:
            out[r] = np.nan
            continue
        hidden_values(p, s, seen_hidden[r, 2])
        for j in range(count):
            put_on(cloud[j], stock[j], p_own, own, m_own)
            hidden_values(p_own, own, values)
            seen_hidden[r, 0] += weights[j] * values
            seen_hidden[r, 1] += weights[j] * values * values
        seen_hidden[r, 1] = np.sqrt(np.maximum(0.0, seen_hidden[r, 1] - seen_hidden[r, 0] ** 2))
        expected[:] = 0.0
        for f in range(futures):
            people[1] = people[0]
            states[2] = states[0]
            m_own[:] = m
            own.recording, own.counter = 0, np.uint64(0)
            own.key = stream_key(filter_seed, current, FUTURE_STREAM + f, as_of[r])
            if known == 0:
                j = place_of((f + 0.5) / futures, weights)
                put_on(cloud[j], stock[j], p_own, own, m_own)
                if own.status == INPATIENT:
                    leave_ward_later(own, ahead)
            disengaged, new = expected_events(p_own, own, m_own, ahead, horizons, days, expected)
            for h in range(len(horizons)):
                out[r, 1, h] += (disengaged < horizons[h]) / futures
                if new:
                    out[r, 2, h] += (disengaged < horizons[h]) / futures
        for h in range(len(horizons)):
            out[r, 0, h] = min(1.0, expected[h] / futures)
            others = 1.0 - (out[r, 1, h] - out[r, 2, h])
            out[r, 2, h] = out[r, 2, h] / others if others > 1e-9 else np.nan
        state_of_filter[r, 0], state_of_filter[r, 1] = fewest, lost
