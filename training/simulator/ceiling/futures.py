"""Futures from a particle, with less chance in them than counted events have."""

from __future__ import annotations

import math

from training.simulator.care.admissions import admission_hazard
from training.simulator.jit import step
from training.simulator.person_day import one_day
from training.simulator.random import normal
from training.simulator.state import AWAY, INFORMAL, INPATIENT, NONE


@step
def leave_ward_later(s, x):
    """Draws the day of discharge anew for somebody who is still on a ward: it was drawn on admission, and no record
    holds it.
    """
    w = x.world
    middle = w.stay_log_median + (0.35 if s.stay_legal != INFORMAL else 0.0)
    for _ in range(100):
        leaves = s.admitted_on + max(1, int(math.exp(middle + w.stay_log_spread * normal(s))))
        if leaves >= s.day:
            s.leaves_on = leaves
            return


@step
def expected_events(p, s, m, x, horizons, days, expected):
    """Runs ``days`` days on. Adds to ``expected`` (horizons,) the summed chance of a first unplanned admission on each
    day, whose mean over futures is the probability of one; returns the days until the first disengagement (``days``
    for none) and whether its silence began in them. Leaving closes a future, as in ``person_day.look_ahead``.
    """
    start, disengaged, new, admitted = s.day, days, False, False
    s.last_unplanned, s.disengaged_on, s.exited_on = -1, -1, NONE
    while s.day < start + days and s.exited_on == NONE and (not admitted or disengaged == days):
        at_risk = not admitted and s.status != INPATIENT and s.status != AWAY
        ago = s.day - start
        one_day(p, s, m, x)
        if at_risk:
            s.day -= 1
            today = admission_hazard(p, s, x)
            s.day += 1
            admitted = s.last_unplanned >= start
            for h in range(len(horizons)):
                if ago < horizons[h]:
                    expected[h] += today
        if disengaged == days and s.disengaged_on >= start:
            disengaged = s.disengaged_on - start
            new = s.silent_from >= start
    return disengaged, new
