"""The state machine: one person, one day at a time. The simulation and the oracle run the same code."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.simulator.care.admissions import crises, inpatient_day, maybe_admit, write_stay
from training.simulator.care.appointments import review_works
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.care.list_reviews import review_from_list
from training.simulator.care.lithium import order_lithium
from training.simulator.care.prescribing import collect_supplies, drift_regimen
from training.simulator.care.referrals import (
    community_day,
    introduce,
    leave,
    maybe_move_back,
    maybe_return,
    watch_silence,
)
from training.simulator.events import emit, emit_contact
from training.simulator.hidden_state import step_mind
from training.simulator.jit import entry, making, step
from training.simulator.random import sigmoid, stream_key
from training.simulator.state import (
    AWAY,
    CLOZAPINE_CLINIC,
    COMMUNITY,
    DEPOT,
    DEPOT_CLINIC,
    EVENT,
    FACE_TO_FACE,
    GONE,
    INPATIENT,
    MAIN,
    NONE,
    PERSON,
    PLANNED,
    REFERRALS,
    SLOT,
    SLOTS,
    STATE,
    Setting,
)
from training.simulator.traits import draw_person

PERSON_STREAM, ORACLE_STREAM = 1, 2
PEOPLE, FUTURES, COURSE = 0, 1, 2  # what ``run`` is asked for


@step
def one_day(p, s, m, x):
    """Everything that happens on ``s.day``; afterwards ``s.day`` is the next day."""
    if s.status == AWAY:
        maybe_move_back(p, s, m, x)
        leave(p, s, m, x)
        s.day += 1
        return
    step_mind(p, s, m, x)
    drift_regimen(p, s, m, x)
    collect_supplies(p, s, m, x)
    order_lithium(p, s, m, x)
    if s.status == INPATIENT:
        inpatient_day(p, s, m, x)
    else:
        if s.status == COMMUNITY:
            review_from_list(p, s, m, x)
            community_day(p, s, m, x)
        else:
            maybe_return(p, s, x)
        crises(p, s, x)
        maybe_admit(p, s, m, x)
    watch_silence(s, x)
    leave(p, s, m, x)
    s.day += 1


@step
def begin(p, s, m, x, seed, index, years):
    """The first morning of person ``index``: traits, state and stream depend on (seed, index) and the size of the
    world only."""
    rows, recording = s.rows, s.recording
    s.key = stream_key(seed, index, PERSON_STREAM, 0)
    s.counter = np.uint64(0)
    clear(s, m)
    s.rows, s.recording = rows, recording
    p.index = index
    draw_person(p, s, x, years)
    s.day = p.starts_on
    introduce(p, s, m, x)


@step
def clear(s, m):
    s.day = 0
    s.referral, s.admissions, s.trials, s.relapse, s.substance, s.withdrawn, s.stopped = 0, 0, 0, 0, 0, 0, 0
    s.depot_fails, s.depot_booked, s.blood_booked, s.weekly_until, s.neutropenia_until = 0, 0, 0, 0, 0
    s.fails, s.offers, s.cto, s.stay_method, s.stay_ward, s.stay_legal = 0, 0, 0, 0, 0, 0
    s.push, s.lift, s.complexity = 0.0, 0.0, 1.0
    for k in range(SLOTS):
        m[k].medicine = -1
        m[k].started = NONE
        m[k].as_required = 0


@step
def finish(p, s, m, x):
    """Records what is still open after the last day: the stay, the referral, and contacts booked ahead."""
    if s.status == INPATIENT:
        write_stay(p, s, x, NONE)
    if s.opened_on != NONE:
        emit(p, s, x, REFERRALS, s.opened_on, NONE, -1, 0, 0, s.team, 0.0, 0.0)
    if s.status != COMMUNITY:
        return
    if s.next_contact != NONE and s.next_contact > x.last_day:
        emit_contact(p, s, x, s.next_contact, s.booked_on, s.next_kind, s.next_mode, PLANNED, s.staff)
    if m[DEPOT].medicine >= 0 and s.depot_visit != NONE and s.depot_visit > x.last_day:
        emit_contact(p, s, x, s.depot_visit, s.depot_booked, DEPOT_CLINIC, FACE_TO_FACE, PLANNED, s.staff)
    if m[MAIN].medicine == CLOZAPINE and s.blood_visit != NONE and s.blood_visit > x.last_day:
        emit_contact(p, s, x, s.blood_visit, s.blood_booked, CLOZAPINE_CLINIC, FACE_TO_FACE, PLANNED, s.staff)


@making
def simulate_people(people, died_on, first, seed, years, x):
    """Simulate ``len(people)`` people from index ``first``; returns the number of rows needed (above
    ``len(x.events)``, allocate more)."""
    last_day = x.last_day
    states = np.zeros(1, dtype=STATE)
    m = np.zeros(SLOTS, dtype=SLOT)
    s = states[0]
    s.recording = 1
    for i in range(len(people)):
        p = people[i]
        begin(p, s, m, x, seed, first + i, years)
        while s.day <= last_day and s.status != GONE:
            one_day(p, s, m, x)
        finish(p, s, m, x)
        died_on[i] = s.died_on
    return s.rows


@step
def look_ahead(p, s, m, x, days):
    """Run ``days`` days on. Returns the days (from now) of the first unplanned admission and first disengagement, or
    ``days`` for none; and whether the silence of that disengagement began in them.

    Death, moving away, transfer out and a planned end close the draw: what comes after is no event.
    """
    start = s.day
    admitted, disengaged, new = days, days, False
    s.last_unplanned, s.disengaged_on, s.exited_on = -1, -1, NONE
    while s.day < start + days and s.exited_on == NONE and (admitted == days or disengaged == days):
        one_day(p, s, m, x)
        if admitted == days and s.last_unplanned >= start:
            admitted = s.last_unplanned - start
        if disengaged == days and s.disengaged_on >= start:
            disengaged = s.disengaged_on - start
            new = s.silent_from >= start
    return admitted, disengaged, new


@making
def branch_futures(index, as_of, horizons, draws, draw_seed, review, seed, years, x, out):
    """Replay each person to each date (rows sorted by person, then date), then branch ``draws`` times.

    ``out`` float64 (rows, 3, horizons): share of draws with an unplanned admission, with a disengagement, and with a
    new one (of the draws that complete no silence under way), before each horizon; NaN where the person was not there
    on that date. ``review`` 1 delivers a medicines review on the morning of the date, in every draw. Reviews from a
    list happen in the past that is replayed, and not in the futures: the risk is that without a later one.
    """
    ahead = Setting(x.world, x.medicines, x.teams, x.first_day, x.last_day, x.events, x.reviews[:0])
    people = np.zeros(1, dtype=PERSON)
    now, branch = np.zeros(1, dtype=STATE), np.zeros(1, dtype=STATE)
    m, m_branch = np.zeros(SLOTS, dtype=SLOT), np.zeros(SLOTS, dtype=SLOT)
    p, s, b = people[0], now[0], branch[0]
    days = horizons.max()
    current = -1
    for r in range(len(index)):
        if index[r] != current:
            current = index[r]
            begin(p, s, m, x, seed, current, years)
        while s.day < as_of[r] and s.status != GONE:
            one_day(p, s, m, x)
        if s.day != as_of[r] or s.status == GONE or s.status == AWAY:
            out[r] = np.nan
            continue
        for d in range(draws):
            branch[0] = now[0]
            m_branch[:] = m
            b.key = stream_key(draw_seed, current, ORACLE_STREAM + d, as_of[r])
            b.counter = np.uint64(0)
            if review == 1:
                review_works(b, ahead)
            admitted, disengaged, new = look_ahead(p, b, m_branch, ahead, days)
            for h in range(len(horizons)):
                out[r, 0, h] += (admitted < horizons[h]) / draws
                out[r, 1, h] += (disengaged < horizons[h]) / draws
                if new:
                    out[r, 2, h] += (disengaged < horizons[h]) / draws
        for h in range(len(horizons)):
            others = 1.0 - (out[r, 1, h] - out[r, 2, h])
            out[r, 2, h] = out[r, 2, h] / others if others > 1e-9 else np.nan


@making
def follow_course(index, seed, years, x, out):
    """The hidden course of one person: ``out`` float64 (days, fields), one row per day from ``first_day``, NaN where
    the person is not there."""
    first_day, last_day = x.first_day, x.last_day
    people, states, m = np.zeros(1, dtype=PERSON), np.zeros(1, dtype=STATE), np.zeros(SLOTS, dtype=SLOT)
    p, s = people[0], states[0]
    begin(p, s, m, x, seed, index, years)
    out[:] = np.nan
    while s.day <= last_day and s.status != GONE:
        row = s.day - first_day
        one_day(p, s, m, x)
        if row >= 0:
            out[row, 0] = s.status
            out[row, 1] = s.severity
            out[row, 2] = s.insight
            out[row, 3] = sigmoid(s.adherence) if s.stopped == 0 else 0.0
            out[row, 4] = s.side_effects
            out[row, 5] = sigmoid(s.engagement - (x.world.withdrawal_depth if s.withdrawn == 1 else 0.0))
            out[row, 6] = s.protection
            out[row, 7] = s.missed
            out[row, 8] = s.relapse
            out[row, 9] = s.substance
            out[row, 10] = s.withdrawn


@entry
def run(
    task, people, died_on, index, as_of, horizons, draws, draw_seed, review, first, seed, years,
    world, medicines, teams, first_day, last_day, reviews, events, risks, days,
):  # fmt: skip
    """The one entry point of the day. Each entry point would hold the whole machine and take half a minute to compile;
    a trust that is simulated and then trained on would wait twice."""
    x = Setting(world[0], medicines, teams, first_day, last_day, events, reviews)
    if task == PEOPLE:
        return simulate_people(people, died_on, first, seed, years, x)
    if task == FUTURES:
        branch_futures(index, as_of, horizons, draws, draw_seed, review, seed, years, x, risks)
    if task == COURSE:
        follow_course(first, seed, years, x, days)
    return 0


NOBODY, NO_DAYS = np.zeros(0, dtype=PERSON), np.zeros(0, dtype=np.int64)
NO_EVENTS, NO_RISKS, NO_COURSE = np.zeros(0, dtype=EVENT), np.zeros((0, 0, 0)), np.zeros((0, 0))


def run_people(people: np.ndarray, died_on: np.ndarray, first: int, seed: int, years: float, *world: Any) -> int:
    """``simulate_people`` in the world of the last arguments; the very last takes the rows of events."""
    rows: int = run(
        PEOPLE, people, died_on, NO_DAYS, NO_DAYS, NO_DAYS, 0, 0, 0, first, seed, years,
        *world, NO_RISKS, NO_COURSE,
    )  # fmt: skip
    return rows


def run_oracle(
    index: np.ndarray, as_of: np.ndarray, horizons: np.ndarray, draws: int, draw_seed: int, review: int, seed: int,
    years: float, *world_and_out: Any,
) -> None:  # fmt: skip
    """``branch_futures`` in the world of the last arguments but one; the last is ``out``."""
    *world, out = world_and_out
    run(
        FUTURES, NOBODY, NO_DAYS, index, as_of, horizons, draws, draw_seed, review, 0, seed, years,
        *world, NO_EVENTS, out, NO_COURSE,
    )  # fmt: skip


def run_course(index: int, seed: int, years: float, *world_and_out: Any) -> None:
    """``follow_course`` in the world of the last arguments but one; the last is ``out``."""
    *world, out = world_and_out
    run(
        COURSE, NOBODY, NO_DAYS, NO_DAYS, NO_DAYS, NO_DAYS, 0, 0, 0, index, seed, years,
        *world, NO_EVENTS, NO_RISKS, out,
    )  # fmt: skip
