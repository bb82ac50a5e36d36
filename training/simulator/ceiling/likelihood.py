"""How likely a hidden state makes what was recorded. Each function follows the function of the same subject in
``training.simulator.care``, and returns the probability of the record up to a factor that no hidden quantity changes.
"""

from __future__ import annotations

import math

from training.simulator.care.appointments import policy_holds, shocked, weekday, will_attend
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.care.lithium import lithium_tested
from training.simulator.jit import step
from training.simulator.random import sigmoid
from training.simulator.state import (
    ANTICHOLINERGIC,
    ATTENDED,
    CANCELLED_PATIENT,
    CANCELLED_SERVICE,
    CARE_REVIEW,
    CLOSED,
    CLOZAPINE_CLINIC,
    DEPOT,
    DEPOT_CLINIC,
    FOLLOW_UP,
    MAIN,
    MEDICINES_REVIEW,
    NONE,
    OTHER_PSYCHOSIS,
    OUTREACH,
    SECOND,
    SEDATIVE,
    SLOTS,
)

ALMOST_RULED_OUT = 0.02
"""What is left of the probability where a particle misses a rule's limit (of severity, of missed tablets). With 0, a
hair's breadth would end most particles, and what they know of other things with them.
"""
SHARED = 0.8
"""Belief that all slots of a day share one draw, as they do. Without the rest, a tablet more or less in a box would
decide which particles live.
"""


@step
def above(value, limit):
    return 1.0 if value > limit else ALMOST_RULED_OUT


@step
def happened(probability, did):
    return probability if did else 1.0 - probability


@step
def below(value, centre, spread):
    """Share of a normal distribution below a value."""
    return 0.5 * (1.0 + math.erf((value - centre) / (spread * 1.4142135623730951)))


@step
def measured(value, centre, spread):
    """A number written to one decimal place, never below 0.1 (``events.measure``). No number rules anybody out."""
    low = below(value - 0.05, centre, spread) if value > 0.15 else 0.0
    return max(1e-6, below(value + 0.05, centre, spread) - low)


@step
def collections(s, m, after):
    """Which oral medicines were collected today (``prescribing.collect_supplies``)."""
    most, least, apart, kind, others = 1.0, 0.0, 1.0, 1.0, False
    eager = 0.10 + 0.36 / (1.0 + math.exp(1.2 - 0.9 * s.adherence))
    if s.status == CLOSED:
        eager *= 0.7
    for k in range(SLOTS):
        if m[k].medicine < 0 or k == DEPOT or m[k].medicine == CLOZAPINE or s.day < m[k].due:
            continue
        got = was_collected(m, after, k)
        if s.stopped == 1:
            if got:
                return 0.0
        elif m[k].as_required == 1:
            kind *= happened(0.02, got)
        else:
            limit = eager if m[k].stock <= 4.0 else 0.08 * eager
            others = True
            apart *= happened(limit, got)
            if got:
                most = min(most, limit)
            else:
                least = max(least, limit)
    if s.stopped == 1 or not others:
        return kind
    return kind * (SHARED * max(0.0, most - least) + (1.0 - SHARED) * apart)


@step
def was_collected(m, after, k):
    """The slot holds the same course as before, and its next supply is due later."""
    return after[k].medicine == m[k].medicine and after[k].started == m[k].started and after[k].due != m[k].due


@step
def lithium_ordered(p, s, m, x, ordered):
    """Lithium tests (``lithium.order_lithium``): a withdrawn person does not go. Who recalls a person is taken as
    known: the register of their tests shows it."""
    likely = lithium_tested(p, s, m, x)
    return happened(likely, ordered) if likely > 0.0 else 1.0


@step
def contact_outcome(p, s, x, kind, mode, outcome):
    """The outcome of a booked contact (``appointments.hold``)."""
    w = x.world
    thin = 0.25 if kind in (DEPOT_CLINIC, CLOZAPINE_CLINIC) or kind in (OUTREACH, FOLLOW_UP) else 1.0
    by_service = thin * w.cancelled_by_service * (w.team_shock_cancels if shocked(s, x) else 1.0)
    by_person = thin * w.cancelled_by_patient * (0.7 + 0.6 * sigmoid(1.5 - s.engagement))
    if outcome == CANCELLED_SERVICE:
        return 1.0
    if outcome == CANCELLED_PATIENT:
        return by_person
    comes = will_attend(p, s, x, kind, mode)
    return (1.0 - by_service - by_person) * (comes if outcome == ATTENDED else 1.0 - comes)


@step
def noticed(s, x, substance_told, missed_told):
    """Hidden problems that staff write down at a contact that took place, or do not (``appointments.be_seen``)."""
    like = 1.0
    if s.day > s.substance_known + 180:
        like *= happened(0.3 * x.world.visit_detects * above(s.substance, 0), substance_told)
    if s.day > s.missed_known + 60:
        like *= happened(0.4 * x.world.visit_detects * above(s.missed, 0.35), missed_told)
    return like


@step
def answered(s, outcome):
    """Whether a text was answered (``referrals.community_day``)."""
    return happened(0.9 * sigmoid(s.engagement - 1.2) * (0.2 if s.withdrawn else 1.0), outcome == ATTENDED)


@step
def treatment(p, s, m, after, x, kind):
    """What the prescriber did at a routine contact (``prescribing.review_treatment``)."""
    w = x.world
    sees = w.visit_detects * (1.8 if kind in (MEDICINES_REVIEW, CARE_REVIEW) else 1.0)
    psychosis, main, settled = p.diagnosis <= OTHER_PSYCHOSIS, m[MAIN].medicine, s.day - s.switched_on > 56
    depot = m[DEPOT].medicine >= 0
    left, by_depot, by_clozapine, up, down, switched, filled = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if psychosis and not depot and main != CLOZAPINE:
        by_depot = w.depot_offer * sees * above(s.missed, 0.35)
        left -= by_depot
    if psychosis and main != CLOZAPINE and s.trials >= 2:
        by_clozapine = left * w.clozapine_offer * sees * above(s.severity, 0.9) * above(0.35, s.missed)
        left -= by_clozapine
    if settled and main >= 0:
        up = left * 0.16 * sees * above(s.severity, 1.0)
        left -= up
        if main != CLOZAPINE:
            switched = left * 0.08 * sees * above(s.severity, 1.0)
            left -= switched
            eased = left * 0.12 * sees * above(s.side_effects, 1.3)
            down = 0.6 * eased
            switched += 0.4 * eased
    elif settled and not depot:
        filled = left * 0.3 * sees * above(s.severity, 0.8)
    shows_up, shows_down, changes = 0.0, 0.0, 0.0
    if main >= 0:
        row = x.medicines[main]
        if m[MAIN].dose < row.high:
            shows_up = 0.3 if m[MAIN].dose + row.step > 0.8 * row.high else 1.0
        shows_down = 1.0 if m[MAIN].dose > row.low else 0.0
        changes = 1.0 - share_of(x, main)
    new = after[MAIN].medicine
    if after[DEPOT].medicine >= 0 and not depot:
        like = by_depot
    elif new == CLOZAPINE and main != CLOZAPINE:
        like = by_clozapine
    elif main < 0 and new >= 0:
        like = filled
    elif new >= 0 and new != main:
        like = switched * changes
    elif new >= 0 and new == main and after[MAIN].dose > m[MAIN].dose:
        like = up * shows_up
    elif new >= 0 and new == main and after[MAIN].dose < m[MAIN].dose:
        like = down * shows_down
    elif new < 0 and main >= 0:
        like = 1.0  # stopped for another reason today
    else:
        like = 1.0 - by_depot - by_clozapine - filled - up * shows_up - down * shows_down - switched * changes
    if m[ANTICHOLINERGIC].medicine < 0 and main != CLOZAPINE:
        like *= happened(0.025 * sees * above(s.side_effects, 1.2), after[ANTICHOLINERGIC].medicine >= 0)
    return like


@step
def share_of(x, medicine):
    """Share of one oral antipsychotic among those that a prescriber chooses from."""
    total = 0.0
    for i in range(len(x.medicines)):
        if x.medicines[i].slot == MAIN:
            total += x.medicines[i].share
    return x.medicines[medicine].share / total


@step
def next_booked(p, s, x, ahead, after_miss):
    """Days to the next contact (``appointments.usual_gap``): people who look unwell are seen sooner. ``after_miss``: a
    letter with a date, at 14 days and 0.55 of the usual gap.
    """
    t = x.teams[s.team]
    usual = x.world.cadence_days * t.cadence
    times = 1.0 / (1.0 + 0.35 * max(0.0, min(2.5, s.severity)))
    if s.discharged_on != NONE and s.day - s.discharged_on < 60:
        times *= 0.55
    if t.early_intervention == 1:
        times *= 0.6
    if policy_holds(s, x):
        times *= x.world.policy_cadence
    first = ahead - 2 if weekday(s.day + ahead) == 0 else ahead
    low, high = float(first), float(ahead + 1)
    if after_miss:
        low, high = (low - 14.0) / 0.55, (high - 14.0) / 0.55
    if high <= 5.0:
        return 1e-9
    centre, spread = usual * times, 0.22 * usual * times
    return max(1e-9, below(high, centre, spread) - (below(low, centre, spread) if low > 5.0 else 0.0))


@step
def new_regimen(s, m, after):
    """Sedatives and second antipsychotics that begin without a visit (``prescribing.drift_regimen``)."""
    worse, like = 1.0 + max(0.0, s.severity), 1.0
    if m[SEDATIVE].medicine < 0:
        like *= happened(0.00022 * worse, after[SEDATIVE].medicine >= 0)
    if m[SECOND].medicine < 0 and m[MAIN].medicine >= 0:
        like *= happened(0.00006 * worse, after[SECOND].medicine >= 0)
    return like


@step
def crisis_rows(s, x, rows, admitted):
    """Crisis contacts of the day, without an admission or with the one that led to it (``admissions.crises``)."""
    rate = x.world.crisis_hazard * math.exp(x.world.crisis_severity * s.severity + 0.4 * s.substance)
    if not admitted:
        return happened(rate, rows > 0)
    if rows == 1:
        return rate * 0.26 + (1.0 - rate) * 0.74
    return happened(rate, rows > 1)


@step
def detained(p, s, x, by_law, black):
    """Detention on admission (``admissions.admit``)."""
    w = x.world
    z = w.detained_base + w.detained_severity * (s.severity - 1.5) - w.detained_insight * s.insight
    return happened(sigmoid(z + (w.detained_black if black else 0.0)), by_law)
