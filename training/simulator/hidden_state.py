"""The hidden processes of one person, moved on by one day: severity and relapse, substance episodes, adherence, side
effects, engagement.

None of this is recorded. Services see the person only through contacts, tests and collected supplies.
"""

from __future__ import annotations

import math

from training.simulator.events import emit_circumstance
from training.simulator.jit import step
from training.simulator.random import chance, normal, sigmoid, uniform
from training.simulator.state import (
    DEPOT,
    HOUSING,
    INPATIENT,
    MAIN,
    MOOD,
    NONE,
    SECOND,
    SLOTS,
    SMOKING,
)
from training.simulator.traits import deprived


@step
def step_substance(p, s, x):
    w = x.world
    if s.substance == 0:
        if s.status != INPATIENT and chance(s, w.substance_start * p.substance * (1.0 + 0.3 * max(0.0, s.severity))):
            s.substance = 1
    elif chance(s, w.substance_end * (5.0 if s.status == INPATIENT else 1.0)):
        s.substance = 0


@step
def step_severity(p, s, x):
    """Own level, relapse, life events and substance pull; medicine protects; a ward settles."""
    w = x.world
    if s.relapse == 0:
        log_risk = w.relapse_missed * s.missed + w.relapse_substance * s.substance + w.relapse_level * p.severity
        if chance(s, w.relapse_hazard * math.exp(log_risk + 0.25 * s.push)):
            s.relapse = 1
    else:
        settles = w.relapse_end * (0.35 + 0.9 * s.protection + (2.0 if s.status == INPATIENT else 0.0))
        if chance(s, settles):
            s.relapse = 0
    s.push = s.push * 0.97
    if chance(s, w.life_event_hazard):
        s.push = s.push + w.life_event_push * (0.5 + uniform(s))
    target = p.severity + w.severity_relapse * s.relapse + w.severity_substance * s.substance + s.push
    target += w.severity_unprotected * (0.75 - s.protection)
    if s.status == INPATIENT:
        target -= 0.9
    s.severity = s.severity + w.severity_pull * (target - s.severity) + w.severity_noise * normal(s)
    low_insight = p.insight - 0.6 * max(0.0, s.severity - 0.5)
    s.insight = s.insight + 0.03 * (low_insight - s.insight)


@step
def take_medicines(p, s, m, x):
    """Whether today's tablets are taken (all or none); depots work by themselves. Sets the protection and the missed
    doses.
    """
    inpatient = s.status == INPATIENT
    takes = inpatient or (s.stopped == 0 and chance(s, sigmoid(s.adherence)))
    load, shield, wanted, count = 0.0, 0.0, 0.0, 0
    for k in range(SLOTS):
        if m[k].medicine < 0:
            continue
        row = x.medicines[m[k].medicine]
        count += 1
        has = takes
        if k == DEPOT:
            has = s.depot_last != NONE and s.day - s.depot_last <= row.interval + 10
        elif not inpatient:
            has = takes and m[k].stock >= 1.0
            if has and m[k].as_required == 0:
                m[k].stock = m[k].stock - 1.0
        if k in (MAIN, DEPOT, MOOD, SECOND):
            wanted = max(wanted, row.protects)
            if has:
                shield = max(shield, row.protects)
        if has:
            strength = m[k].dose / row.usual
            load += strength * (0.5 * row.weight + 0.7 * row.sedation + 0.8 * row.movement)
    s.complexity = float(count)
    s.taken = s.taken + ((1.0 if takes else 0.0) - s.taken) / 14.0
    slow = 45.0 if m[DEPOT].medicine >= 0 and shield < wanted else 14.0
    s.protection = s.protection + (shield - s.protection) / slow
    short = (wanted - shield) / wanted if wanted > 0.0 else 0.25
    s.missed = s.missed + (short - s.missed) / 30.0
    relieved = 0.3 if m[4].medicine >= 0 else 0.0
    s.side_effects = s.side_effects + (p.sensitivity * max(0.0, load - relieved) - s.side_effects) / 25.0
    gain = 0.0
    if m[MAIN].medicine >= 0 and takes:
        gain = x.medicines[m[MAIN].medicine].weight
    s.weight = s.weight + 0.0012 * (p.weight * (1.0 + 0.12 * gain) - s.weight) + 0.05 * normal(s)


@step
def step_adherence(p, s, x):
    """The wish to take tablets, on the logit; and stopping altogether, which is a decision, not forgetting."""
    w = x.world
    target = p.adherence + w.adherence_insight * s.insight - w.adherence_side_effects * (s.side_effects - 0.6)
    target -= w.adherence_complexity * (s.complexity - 2.0) + w.adherence_substance * s.substance
    target += w.adherence_support * (s.support - 0.5) + s.lift
    s.lift = s.lift * (1.0 - 1.0 / w.review_fade_days)
    s.adherence = s.adherence + w.adherence_pull * (target - s.adherence) + w.adherence_noise * normal(s)
    s.support = s.support * (1.0 - 1.0 / 45.0)
    if s.stopped == 0:
        if s.status != INPATIENT and chance(s, w.stop_hazard * math.exp(-0.45 * (s.adherence - 2.0))):
            s.stopped = 1
    elif s.status == INPATIENT or chance(s, w.stop_end):
        s.stopped = 0


@step
def step_engagement(p, s, x):
    """The wish to come, on the logit; and withdrawal, a period of not answering."""
    w = x.world
    target = p.engagement - w.engagement_side_effects * (s.side_effects - 0.6)
    s.engagement = s.engagement + w.engagement_pull * (target - s.engagement) + w.engagement_noise * normal(s)
    s.engagement = min(4.5, max(-2.5, s.engagement))
    if s.withdrawn == 0:
        log_risk = -w.withdrawal_engagement * (s.engagement - 2.0) + w.withdrawal_substance * s.substance
        log_risk -= w.withdrawal_insight * s.insight + w.withdrawal_severity * min(1.0, max(-1.0, s.severity))
        log_risk += w.withdrawal_stopped * s.stopped
        log_risk += w.withdrawal_young * p.young + w.withdrawal_living_alone * p.living_alone
        if s.status != INPATIENT and chance(s, w.withdrawal_hazard * math.exp(log_risk)):
            s.withdrawn = 1
    elif s.status == INPATIENT or chance(s, w.withdrawal_end):
        s.withdrawn = 0


@step
def step_life(p, s, x):
    """Losing and finding a home; stopping and starting smoking."""
    w = x.world
    if s.homeless == 0:
        times = 1.0 + w.homeless_substance * s.substance + w.homeless_deprived * deprived(p)
        if chance(s, w.homeless_hazard * times):
            s.homeless = 1
            emit_circumstance(p, s, x, s.day, HOUSING, 1 + int(3.0 * uniform(s)))
    elif chance(s, w.homeless_end):
        s.homeless = 0
        emit_circumstance(p, s, x, s.day, HOUSING, 0)
    if chance(s, 0.00018 if s.smoker == 1 else 0.00008):
        s.smoker = 1 - s.smoker
        emit_circumstance(p, s, x, s.day, SMOKING, 0 if s.smoker == 1 else 1)


@step
def step_unseen(p, s, m, x):
    """The parts of a hidden day that leave no row of their own."""
    step_substance(p, s, x)
    take_medicines(p, s, m, x)
    step_adherence(p, s, x)
    step_severity(p, s, x)
    step_engagement(p, s, x)


@step
def step_mind(p, s, m, x):
    """One hidden day."""
    step_unseen(p, s, m, x)
    step_life(p, s, x)
