"""Regimens: who starts on what, how doses move, switches, depots and clozapine, and how supplies are collected."""

from __future__ import annotations

import math

import numpy as np

from training.simulator.care.appointments import hold, working_day
from training.simulator.care.examinations import begin_course, mark_injection
from training.simulator.care.formulary import (
    CARBAMAZEPINE,
    CLOZAPINE,
    LAMOTRIGINE,
    LITHIUM,
    PROCYCLIDINE,
    VALPROATE,
)
from training.simulator.events import emit_circumstance, emit_supply
from training.simulator.jit import making, step
from training.simulator.random import chance, normal, pick, uniform
from training.simulator.state import (
    ADMINISTERED,
    ANTICHOLINERGIC,
    ANTIDEPRESSANT,
    ATTENDED,
    BEN,
    BIPOLAR,
    CLOSED,
    CLOZAPINE_SERVICE,
    COMMUNITY,
    DEPOT,
    DEPOT_CLINIC,
    DISPENSED,
    FACE_TO_FACE,
    GP,
    INPATIENT,
    MAIN,
    MOOD,
    NONE,
    OTHER,
    OTHER_PSYCHOSIS,
    PRESCRIBED,
    SCHIZOAFFECTIVE,
    SECOND,
    SEDATIVE,
    SLOTS,
    TRUST,
)
from training.simulator.traits import deprived

# by diagnosis: F20, F25, F29, F31, F32.3, F60.3
CLOZAPINE_SHARE = np.array([0.212, 0.212, 0.02, 0.0, 0.0, 0.0])
DEPOT_SHARE = np.array([0.245, 0.245, 0.18, 0.08, 0.02, 0.0])
ORAL_SHARE = np.array([0.92, 0.92, 0.80, 0.60, 0.50, 0.35])  # of those on neither
ANTIDEPRESSANT_SHARE = np.array([0.30, 0.40, 0.32, 0.38, 0.92, 0.68])
SECOND_SHARE = np.array([0.15, 0.15, 0.05, 0.03, 0.02, 0.0])


@step
def fill(s, m, x, slot, medicine):
    """Put a medicine into a slot at its usual dose."""
    row = x.medicines[medicine]
    m[slot].medicine = medicine
    steps = round(0.8 * normal(s))
    m[slot].dose = min(row.high, max(row.low, row.usual + steps * row.step))
    m[slot].started = s.day
    m[slot].stock = 0.0
    m[slot].due = s.day
    m[slot].as_required = 0
    m[slot].prescriber = TRUST


@making
def choose(s, x, slot):
    shares = np.zeros(len(x.medicines))
    for i in range(len(x.medicines)):
        if x.medicines[i].slot == slot:
            shares[i] = x.medicines[i].share
    return pick(s, shares)


@step
def start_regimen(p, s, m, x):
    """The first regimen, by diagnosis. Established people hold stock, and their courses began before we meet them."""
    d = p.diagnosis
    if chance(s, CLOZAPINE_SHARE[d] * (1.0 if p.established else 0.25)):
        start_clozapine(p, s, m, x)
    elif chance(s, DEPOT_SHARE[d] / (1.0 - CLOZAPINE_SHARE[d])):
        start_depot(p, s, m, x)
    elif chance(s, ORAL_SHARE[d]):
        fill(s, m, x, MAIN, choose(s, x, MAIN))
    if (m[MAIN].medicine >= 0 or m[DEPOT].medicine >= 0) and chance(
        s, SECOND_SHARE[d] * (2.8 if m[MAIN].medicine == CLOZAPINE else 1.0)
    ):
        second = choose(s, x, MAIN)
        if second != m[MAIN].medicine:
            fill(s, m, x, SECOND, second)
    start_mood(p, s, m, x)
    if chance(s, ANTIDEPRESSANT_SHARE[d]):
        fill(s, m, x, ANTIDEPRESSANT, choose(s, x, ANTIDEPRESSANT))
    if chance(s, 0.17):
        fill(s, m, x, SEDATIVE, choose(s, x, SEDATIVE))
        m[SEDATIVE].as_required = 1 if chance(s, 0.5) else 0
    if (m[MAIN].medicine >= 0 or m[DEPOT].medicine >= 0) and chance(s, 0.12):
        fill(s, m, x, ANTICHOLINERGIC, PROCYCLIDINE)
    if chance(s, 0.42):
        fill(s, m, x, OTHER, choose(s, x, OTHER))
    settle_courses(p, s, m)
    for k in range(SLOTS):
        begin_course(p, s, m, x, k)


@step
def start_mood(p, s, m, x):
    if p.diagnosis == BIPOLAR:
        u = uniform(s)
        if u < 0.23:
            fill(s, m, x, MOOD, LITHIUM)
        elif u < 0.45 and p.childbearing == 0:
            fill(s, m, x, MOOD, VALPROATE)
        elif u < 0.54:
            fill(s, m, x, MOOD, VALPROATE if chance(s, 0.3) else LAMOTRIGINE)
        elif u < 0.60:
            fill(s, m, x, MOOD, LAMOTRIGINE)
        elif u < 0.62:
            fill(s, m, x, MOOD, CARBAMAZEPINE)
    elif p.diagnosis == SCHIZOAFFECTIVE and chance(s, 0.2):
        fill(s, m, x, MOOD, VALPROATE if chance(s, 0.5) else LITHIUM)


@step
def settle_courses(p, s, m):
    """Backdate courses of established people and share prescribing with the GP."""
    for k in range(SLOTS):
        if m[k].medicine < 0:
            continue
        if p.established:
            m[k].started = s.day - 30 - int(-900.0 * np.log(1.0 - uniform(s)))
            m[k].stock = 28.0 * uniform(s)
            m[k].due = s.day + int(m[k].stock)
        shared = m[k].medicine != CLOZAPINE and k != DEPOT and (k >= ANTIDEPRESSANT or p.established)
        if shared and k != SECOND and chance(s, 0.72 if k < OTHER else 1.0):
            m[k].prescriber = GP


@step
def start_clozapine(p, s, m, x):
    fill(s, m, x, MAIN, CLOZAPINE)
    s.blood_visit = working_day(s.day + 3)
    s.blood_booked = s.day
    m[SECOND].medicine = -1 if m[SECOND].medicine >= 0 and chance(s, 0.6) else m[SECOND].medicine
    emit_circumstance(p, s, x, s.day, CLOZAPINE_SERVICE, p.clozapine_service)
    if p.ben == 1:
        emit_circumstance(p, s, x, s.day, BEN, 0)


@step
def start_depot(p, s, m, x):
    fill(s, m, x, DEPOT, choose(s, x, DEPOT))
    interval = x.medicines[m[DEPOT].medicine].interval
    s.depot_last = s.day - int(uniform(s) * interval) if p.established else NONE
    s.depot_due = s.depot_last + interval if p.established else working_day(s.day + 3)
    s.depot_visit = working_day(max(s.day + 1, s.depot_due))
    s.depot_booked = s.day
    s.depot_fails = 0


@step
def stop_depot(s, m):
    m[DEPOT].medicine = -1
    s.depot_visit = NONE
    s.depot_due = NONE
    s.depot_last = NONE


@step
def stop_clozapine(s, m):
    m[MAIN].medicine = -1
    s.blood_visit = NONE


@step
def collect_supplies(p, s, m, x):
    """Oral medicine is collected when it runs low and the person manages to. Clozapine is given out at the blood
    test."""
    if s.status == INPATIENT or s.stopped == 1:
        return
    ready = 0.0
    for k in range(SLOTS):
        if m[k].medicine < 0 or k == DEPOT or m[k].medicine == CLOZAPINE or s.day < m[k].due:
            continue
        low = m[k].stock <= 4.0
        if ready == 0.0:
            ready = uniform(s)
        eager = 0.10 + 0.36 / (1.0 + np.exp(1.2 - 0.9 * s.adherence))
        if s.status == CLOSED:
            eager *= 0.7
        if m[k].as_required == 1:
            if chance(s, 0.02):
                supply(p, s, m, x, k, 14.0, DISPENSED)
        elif ready < (eager if low else 0.08 * eager):
            supply(p, s, m, x, k, 28.0, DISPENSED)


@step
def supply(p, s, m, x, k, days, kind):
    kept = m[k].medicine == CLOZAPINE or m[k].medicine == LITHIUM
    emit_supply(p, s, x, m[k].medicine, kind, days, m[k].dose, m[k].as_required, m[k].prescriber, kept)
    m[k].stock = min(84.0, m[k].stock) + days
    m[k].due = s.day + int(days) - 5


@step
def visit_depot(p, s, m, x):
    """The depot clinic: given at the visit; missed visits are chased within the week; five failures in a row end the
    depot."""
    if s.day != s.depot_visit:
        return
    medicine = m[DEPOT].medicine
    outcome = hold(p, s, x, s.depot_booked, DEPOT_CLINIC, FACE_TO_FACE)
    s.depot_booked = s.day
    if outcome == ATTENDED:
        interval = x.medicines[medicine].interval
        emit_supply(p, s, x, medicine, ADMINISTERED, 0.0, m[DEPOT].dose, 0, TRUST, True)
        mark_injection(p, s, x, medicine)
        s.depot_last = s.day
        s.depot_due = s.day + interval
        s.depot_fails = 0
        s.depot_visit = working_day(s.depot_due + (2 if chance(s, 0.15) else 0))
        return
    s.depot_fails += 1
    if s.depot_fails >= 6 and s.day - s.depot_due > 42:
        stop_depot(s, m)
        return
    wait = 4.0 + 7.0 * uniform(s) if chance(s, x.teams[s.team].outreach) else 8.0 + 12.0 * uniform(s)
    s.depot_visit = working_day(s.day + int(wait))


@step
def titrate(s, m, x, k, direction):
    """One step of dose, recorded at the next supply. Few people go into the last fifth of the range."""
    row = x.medicines[m[k].medicine]
    if direction > 0.0 and m[k].dose + row.step > 0.8 * row.high and not chance(s, 0.3):
        return
    m[k].dose = min(row.high, max(row.low, m[k].dose + direction * row.step))


@step
def switch(p, s, m, x):
    """Another oral antipsychotic in place of the present one."""
    new = choose(s, x, MAIN)
    if new != m[MAIN].medicine:
        fill(s, m, x, MAIN, new)
        emit_supply(p, s, x, new, PRESCRIBED, 28.0, m[MAIN].dose, 0, TRUST, False)
        s.trials += 1
        s.switched_on = s.day


@step
def review_treatment(p, s, m, x, thorough):
    """A prescriber's response to what a contact shows."""
    w = x.world
    sees = w.visit_detects * (1.8 if thorough else 1.0)
    psychosis = p.diagnosis <= OTHER_PSYCHOSIS
    main, settled = m[MAIN].medicine, s.day - s.switched_on > 56
    if (
        s.missed > 0.35
        and psychosis
        and m[DEPOT].medicine < 0
        and main != CLOZAPINE
        and chance(s, w.depot_offer * sees)
    ):
        m[MAIN].medicine = -1
        start_depot(p, s, m, x)
        s.switched_on = s.day
    elif (
        s.severity > 0.9
        and s.missed < 0.35
        and psychosis
        and main != CLOZAPINE
        and s.trials >= 2
        and chance(s, w.clozapine_offer * sees)
    ):
        stop_depot(s, m)
        start_clozapine(p, s, m, x)
        begin_course(p, s, m, x, MAIN)
        s.switched_on = s.day
    elif s.severity > 1.0 and settled and main >= 0 and chance(s, 0.16 * sees):
        titrate(s, m, x, MAIN, 1.0)
    elif s.severity > 1.0 and settled and main >= 0 and main != CLOZAPINE and chance(s, 0.08 * sees):
        switch(p, s, m, x)
    elif s.severity > 0.8 and settled and main < 0 and m[DEPOT].medicine < 0 and chance(s, 0.3 * sees):
        fill(s, m, x, MAIN, choose(s, x, MAIN))
        s.switched_on = s.day
    elif s.side_effects > 1.3 and settled and main >= 0 and main != CLOZAPINE and chance(s, 0.12 * sees):
        if chance(s, 0.6):
            titrate(s, m, x, MAIN, -1.0)
        else:
            switch(p, s, m, x)
    if s.side_effects > 1.2 and m[ANTICHOLINERGIC].medicine < 0 and main != CLOZAPINE and chance(s, 0.025 * sees):
        fill(s, m, x, ANTICHOLINERGIC, PROCYCLIDINE)
    elif thorough and m[ANTICHOLINERGIC].medicine >= 0 and chance(s, 0.07):
        m[ANTICHOLINERGIC].medicine = -1
    if thorough and m[SEDATIVE].medicine >= 0 and chance(s, 0.12):
        m[SEDATIVE].medicine = -1
    if thorough and m[SECOND].medicine >= 0 and chance(s, 0.08):
        m[SECOND].medicine = -1


@step
def drift_regimen(p, s, m, x):
    """Slow changes without a visit: sedatives after distress, second antipsychotics, shared care with the GP, other
    medicines."""
    if s.status != COMMUNITY:
        return
    if chance(s, 0.00022 * (1.0 + max(0.0, s.severity))) and m[SEDATIVE].medicine < 0:
        fill(s, m, x, SEDATIVE, choose(s, x, SEDATIVE))
        m[SEDATIVE].as_required = 1 if chance(s, 0.5) else 0
    if chance(s, 0.00006 * (1.0 + max(0.0, s.severity))) and m[SECOND].medicine < 0 and m[MAIN].medicine >= 0:
        second = choose(s, x, MAIN)
        if second != m[MAIN].medicine:
            fill(s, m, x, SECOND, second)
    if chance(s, 0.0004) and m[MAIN].medicine >= 0 and m[MAIN].medicine != CLOZAPINE:
        m[MAIN].prescriber = GP
    if chance(s, 0.00008):
        fill(s, m, x, OTHER, choose(s, x, OTHER))
        m[OTHER].prescriber = GP
    if (
        m[MAIN].medicine == CLOZAPINE
        and s.day - m[MAIN].started < 730
        and chance(s, x.world.clozapine_stop_hazard * math.exp(x.world.clozapine_stop_deprived * deprived(p)))
    ):
        stop_clozapine(s, m)
        fill(s, m, x, MAIN, choose(s, x, MAIN))
        s.switched_on = s.day
