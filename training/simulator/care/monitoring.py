"""Tests by protocol: clozapine blood counts and the yearly physical check. Ordered by the team, done if people come."""

from __future__ import annotations

from training.simulator.care.appointments import hold, working_day
from training.simulator.care.examinations import (
    ANC,
    CRP,
    PLATELETS,
    SMOKING_STATUS,
    TROPONIN,
    WBC,
    WEIGHT,
    check_whole_body,
    tick,
)
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.care.prescribing import stop_clozapine, supply
from training.simulator.events import emit_circumstance, emit_result, measure, measure_some
from training.simulator.jit import step
from training.simulator.random import aside, chance, normal, uniform
from training.simulator.state import (
    ATTENDED,
    CLOZAPINE_CLINIC,
    COMMUNITY,
    DISPENSED,
    FACE_TO_FACE,
    INFECTION,
    MAIN,
    NONE,
    PHYSICAL,
    TEST,
)

CLOZAPINE_LEVEL, CONSTIPATION = TEST["clozapine_level"], TEST["constipation_check"]
CRP_SHARE, WEIGHT_SHARE = 0.035, 0.25
"""Share of counts with a C-reactive protein beside those of the first weeks, as for a fever, one in five with a
troponin (ep137, ep138); and share of weights at a count that are entered (ep131)."""


@step
def clozapine_interval(s, m):
    """Weekly to week 18, fortnightly to week 52, then four-weekly; weekly again for six weeks after a break
    (docs/clinical.md section 4)."""
    day = s.day - m[MAIN].started
    if day < 126 or s.day < s.weekly_until:
        return 7
    return 14 if day < 364 else 28


@step
def visit_clozapine(p, s, m, x):
    """Blood first, then tablets until the next test is due."""
    if s.day != s.blood_visit:
        return
    booked = s.blood_booked
    s.blood_booked = s.day
    if not chance(s, 0.5 + 0.5 * x.teams[s.team].bloods):
        s.blood_visit = working_day(s.day + 1 + int(6.0 * uniform(s)))
        return
    if hold(p, s, x, booked, CLOZAPINE_CLINIC, FACE_TO_FACE) != ATTENDED:
        s.blood_visit = working_day(s.day + 1 + int(3.0 * uniform(s)))
        if s.day - m[MAIN].due > 60:
            stop_clozapine(s, m)
        return
    take_clozapine_blood(p, s, m, x)


@step
def take_clozapine_blood(p, s, m, x):
    """The count, the supply that it allows, and the day of the next one."""
    if m[MAIN].stock > 0.0 and s.taken < 0.15:
        s.weekly_until = s.day + 42
    count_blood(p, s, m, x)
    if m[MAIN].medicine != CLOZAPINE:
        return
    interval = clozapine_interval(s, m)
    if s.neutropenia_until > s.day:
        interval = 3
    supply(p, s, m, x, MAIN, float(interval), DISPENSED)
    m[MAIN].due = s.day + interval
    m[MAIN].stock = min(m[MAIN].stock, 2.0 * interval)
    s.blood_visit = working_day(s.day + interval - (2 if interval == 3 else 0)) if interval < 7 else s.day + interval


@step
def count_blood(p, s, m, x):
    low = 1.3 if p.ben == 1 else 0.0
    if s.neutropenia_until <= s.day and chance(s, 0.0006):
        s.neutropenia_until = s.day + 10 + int(10.0 * uniform(s))
    fall = 2.3 if s.neutropenia_until > s.day else 0.0
    anc = max(0.3, 4.6 - low - fall + 0.75 * normal(s))
    emit_result(p, s, x, ANC, round(anc * 100.0) / 100.0, True)
    emit_result(p, s, x, WBC, round((anc + max(1.4, 2.6 + 0.4 * normal(s))) * 100.0) / 100.0, True)
    if chance(s, 0.9):
        measure(p, s, x, PLATELETS, 250.0, 45.0, True)
    if anc < (1.0 if p.ben == 1 else 1.5):
        stop_clozapine(s, m)
        return
    smoke = 0.75 if s.smoker == 1 else 1.15
    young_course = s.day - m[MAIN].started < 28
    if chance(s, 0.5 if young_course else 0.05):
        measure(p, s, x, CLOZAPINE_LEVEL, 0.0013 * m[MAIN].dose * smoke * s.taken, 0.08, True)
    if young_course and chance(s, 0.2):
        measure(p, s, x, CRP, 4.0, 2.0, True)
        measure(p, s, x, TROPONIN, 0.3, 0.1, True)
    tick(p, s, x, CONSTIPATION, 0.7, True)
    tick(p, s, x, SMOKING_STATUS, 0.5, True)
    if chance(s, 0.08):
        measure_some(p, s, x, WEIGHT, s.weight, 0.4, True, WEIGHT_SHARE)
    if not young_course and aside(s, CRP) < CRP_SHARE:
        emit_result(p, s, x, CRP, 1.0 + round(60.0 * aside(s, CRP + 100)) / 10.0, True)
        if aside(s, TROPONIN) < 0.2:
            emit_result(p, s, x, TROPONIN, 0.1 + round(5.0 * aside(s, TROPONIN + 100)) / 10.0, True)
    if chance(s, 0.01):
        emit_circumstance(p, s, x, s.day, INFECTION, 0)


@step
def check_body(p, s, m, x):
    """The yearly physical check: offered by the team when due, done in part."""
    t = x.teams[s.team]
    if s.physical_booked == NONE:
        if s.status == COMMUNITY and s.day > s.physical_on + 345 and chance(s, 0.022 * t.physical):
            s.physical_booked = working_day(s.day + 7 + int(14.0 * uniform(s)))
        return
    if s.day != s.physical_booked:
        return
    s.physical_booked = NONE
    if s.status != COMMUNITY or hold(p, s, x, s.day - 10, PHYSICAL, FACE_TO_FACE) != ATTENDED:
        s.physical_on = max(s.physical_on, s.day - 315)
        return
    s.physical_on = s.day
    check_whole_body(p, s, m, x)
