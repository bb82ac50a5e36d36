"""Writes events from compiled code: every event of every table is one row of the same shape."""

from __future__ import annotations

import math

import numpy as np

from training.simulator.jit import step
from training.simulator.random import MIX_1, S11, TO_UNIT, aside, mix, normal
from training.simulator.state import CIRCUMSTANCES, CONTACTS, RESULTS, SUPPLIES


@step
def emit(p, s, x, table, day, day2, a, b, c, number, first, second):
    """Writes one row. Nothing is written while the oracle looks ahead, nor past the end of the rows (the caller then
    allocates more)."""
    if s.recording == 0:
        return
    i = s.rows
    s.rows = i + 1
    if i >= len(x.events):
        return
    e = x.events[i]
    e.person = p.index
    e.table = table
    e.day = day
    e.day2 = day2
    e.a = a
    e.b = b
    e.c = c
    e.number = number
    e.x = first
    e.y = second


@step
def emit_contact(p, s, x, day, booked_on, kind, mode, outcome, staff):
    if day >= x.first_day:
        emit(p, s, x, CONTACTS, day, booked_on, kind, mode, outcome, s.team * 100 + staff, 0.0, 0.0)


@step
def emit_supply(p, s, x, medicine, supply_kind, days, dose, as_required, prescriber, kept):
    """``kept`` rows (clozapine, lithium, depots) reach back before the first day, as a loaded register does."""
    if s.day >= x.first_day or kept:
        emit(p, s, x, SUPPLIES, s.day, 0, medicine, supply_kind, prescriber, as_required, days, dose)


@step
def emit_result(p, s, x, test, value, kept):
    """``kept`` marks the rows of a register of its own (clozapine, lithium). A world may lose the tests of people who
    are unwell."""
    if x.world.informative_missing > 0.0:
        # not drawn from the stream, so that the hidden course is the same with and without the loss
        u = float(mix(s.key + s.counter * MIX_1 + np.uint64(test)) >> S11) * TO_UNIT
        if u < 1.0 - math.exp(-x.world.informative_missing * max(0.0, s.severity)):
            return
    if s.day >= x.first_day or kept:
        emit(p, s, x, RESULTS, s.day, 0, test, 1 if kept else 0, 0, 0, value, 0.0)


@step
def measure(p, s, x, test, centre, spread, kept):
    """A measured number around its true value, written to one decimal place."""
    value = centre + spread * normal(s)
    emit_result(p, s, x, test, max(0.1, round(value * 10.0) / 10.0), kept)
    return value


@step
def measure_some(p, s, x, test, centre, spread, kept, share):
    """As ``measure``, but only this share is entered into the record. The random numbers are the same either way."""
    value = centre + spread * normal(s)
    if aside(s, test) < share:
        emit_result(p, s, x, test, max(0.1, round(value * 10.0) / 10.0), kept)


@step
def emit_circumstance(p, s, x, day, kind, value):
    emit(p, s, x, CIRCUMSTANCES, day, 0, kind, value, 0, 0, 0.0, 0.0)
