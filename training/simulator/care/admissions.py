"""Admission from the hidden state, the stay, discharge and what follows; crisis contacts around them."""

from __future__ import annotations

import math

from training.simulator.care.appointments import book, call_off, call_off_clinics, since_start, weekday, working_day
from training.simulator.care.examinations import begin_course, clerk
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.care.prescribing import (
    choose,
    fill,
    start_clozapine,
    start_depot,
    switch,
    titrate,
)
from training.simulator.events import emit, emit_circumstance, emit_contact, emit_supply
from training.simulator.jit import step
from training.simulator.random import chance, normal, sigmoid, uniform
from training.simulator.state import (
    ACUTE,
    ADMINISTERED,
    ATTENDED,
    BLACK,
    CLOSED,
    COMMUNITY,
    CRISIS,
    CTO,
    DEPOT,
    DISPENSED,
    ELECTIVE,
    EMERGENCY,
    FACE_TO_FACE,
    FOLLOW_UP,
    INFORMAL,
    INPATIENT,
    LIAISON,
    MAIN,
    MOOD,
    NONE,
    OLDER_ADULT,
    OTHER_PSYCHOSIS,
    PICU,
    PLACE_OF_SAFETY,
    REHABILITATION,
    SECTION_2,
    SECTION_3,
    SLOTS,
    STAYS,
    TELEPHONE,
    TRANSFERRED_IN,
    TRUST,
)
from training.simulator.traits import deprived


@step
def admission_hazard(p, s, x):
    """Chance of an unplanned admission today."""
    w = x.world
    z = (
        w.admission_base
        + w.drift_admission * since_start(s, x)
        + w.admission_severity * s.severity
        + w.admission_missed * s.missed
    )
    z += w.admission_substance * s.substance + w.admission_homeless * s.homeless + w.admission_cto * s.cto
    z += w.admission_deprived * deprived(p)
    if s.discharged_on != NONE:
        since = s.day - s.discharged_on
        if since < 2:
            return 0.0
        z += w.admission_discharge * math.exp(-since / w.admission_fade_days)
    z += w.admission_season * math.sin(6.283185307179586 * ((s.day % 365) - 80) / 365.0)
    return min(0.2, math.exp(z))


@step
def crises(p, s, x):
    """Free-standing crisis contacts: seen by a crisis or liaison team, without an admission."""
    w = x.world
    if chance(s, w.crisis_hazard * math.exp(w.crisis_severity * s.severity + 0.4 * s.substance)):
        u = uniform(s)
        kind = CRISIS if u < 0.68 else (LIAISON if u < 0.93 else PLACE_OF_SAFETY)
        seen_in_crisis(p, s, x, kind)
        if s.status == COMMUNITY and chance(s, 0.5):
            book(p, s, x, 2.0 + 6.0 * uniform(s), 0)


@step
def seen_in_crisis(p, s, x, kind):
    """An unbooked contact with somebody who is not the person's own team; it is a contact that took place."""
    mode = TELEPHONE if kind == CRISIS and chance(s, 0.4) else FACE_TO_FACE
    emit_contact(p, s, x, s.day, NONE, kind, mode, ATTENDED, 99)
    s.last_attended = s.day
    s.silent_from = s.day
    s.fails, s.offers = 0, 0
    s.support = min(1.5, s.support + 0.1)


@step
def maybe_admit(p, s, m, x):
    if chance(s, admission_hazard(p, s, x)):
        u = uniform(s)
        if u < 0.48:
            seen_in_crisis(p, s, x, CRISIS)
        elif u < 0.62:
            seen_in_crisis(p, s, x, LIAISON)
        elif u < 0.74:
            seen_in_crisis(p, s, x, PLACE_OF_SAFETY)
        admit(p, s, m, x, EMERGENCY)
    elif chance(s, x.world.planned_admission_hazard * math.exp(0.5 * s.severity)):
        admit(p, s, m, x, ELECTIVE)


@step
def admit(p, s, m, x, method):
    """Admits the person today: bookings are cancelled, the silence clock stops."""
    w = x.world
    s.admitted_on = s.day
    s.admissions += 1
    s.stay_method = method
    age = (s.day - p.born_on) / 365.25
    s.stay_ward = OLDER_ADULT if age >= 65.0 else (PICU if method == EMERGENCY and chance(s, 0.06) else ACUTE)
    s.stay_legal = INFORMAL
    if method == EMERGENCY:
        s.last_unplanned = s.day
        z = w.detained_base + w.detained_severity * (s.severity - 1.5) - w.detained_insight * s.insight
        z += w.detained_black if p.ethnicity == BLACK else 0.0
        if chance(s, sigmoid(z)):
            s.stay_legal = SECTION_2 if chance(s, 0.72) else SECTION_3
    longer = 0.35 if s.stay_legal != INFORMAL else 0.0
    s.leaves_on = s.day + max(1, int(math.exp(w.stay_log_median + longer + w.stay_log_spread * normal(s))))
    if s.status == COMMUNITY:
        call_off(p, s, x)
        call_off_clinics(p, s, m, x)
    s.next_contact = NONE
    s.status = INPATIENT
    clerk(p, s, m, x)


@step
def write_stay(p, s, x, until):
    emit(p, s, x, STAYS, s.admitted_on, until, s.stay_method, s.stay_ward, s.stay_legal, 0, 0.0, 0.0)


@step
def inpatient_day(p, s, m, x):
    """A day on the ward; on the last one, discharge or a move to rehabilitation."""
    s.silent_from = s.day
    s.fails, s.offers = 0, 0
    if s.day < s.leaves_on:
        return
    write_stay(p, s, x, s.day)
    if s.stay_ward == ACUTE and s.day - s.admitted_on > 60 and chance(s, 0.12):
        s.admitted_on = s.day
        s.stay_method = TRANSFERRED_IN
        s.stay_ward = REHABILITATION
        s.leaves_on = s.day + 40 + int(80.0 * uniform(s))
        return
    if s.stay_legal == SECTION_3 and s.cto == 0 and chance(s, 0.3):
        s.cto = 1
        emit_circumstance(p, s, x, s.day, CTO, 0)
    change_on_ward(p, s, m, x)
    s.discharged_on = s.day
    s.admitted_on = NONE
    s.status = COMMUNITY if s.opened_on != NONE else CLOSED
    supply_on_leaving(p, s, m, x)
    if s.status == COMMUNITY:
        follow_up(p, s, m, x)


@step
def change_on_ward(p, s, m, x):
    """Ward changes of regimens: missed oral medicine to a depot, resistance to clozapine, otherwise a dose or a
    switch.
    """
    psychosis = p.diagnosis <= OTHER_PSYCHOSIS
    if m[MAIN].medicine == CLOZAPINE:
        return
    if psychosis and s.stay_method == ELECTIVE and chance(s, 0.5):
        m[DEPOT].medicine = -1
        s.depot_visit = NONE
        start_clozapine(p, s, m, x)
        begin_course(p, s, m, x, MAIN)
    elif psychosis and m[DEPOT].medicine < 0 and chance(s, 0.13):
        m[MAIN].medicine = -1
        start_depot(p, s, m, x)
    elif m[MAIN].medicine >= 0 and chance(s, 0.3):
        switch(p, s, m, x)
    elif m[MAIN].medicine >= 0 and chance(s, 0.4):
        titrate(s, m, x, MAIN, 1.0)
    elif m[MAIN].medicine < 0 and m[DEPOT].medicine < 0 and chance(s, 0.8):
        fill(s, m, x, MAIN, choose(s, x, MAIN))


@step
def supply_on_leaving(p, s, m, x):
    """Fourteen days of tablets to take home; the depot is given before leaving; clozapine visits are put back on the
    calendar."""
    for k in range(SLOTS):
        if m[k].medicine >= 0 and k != DEPOT and m[k].as_required == 0:
            days = 7.0 if m[k].medicine == CLOZAPINE else 14.0
            kept = m[k].medicine == CLOZAPINE or k == MOOD
            emit_supply(p, s, x, m[k].medicine, DISPENSED, days, m[k].dose, 0, TRUST, kept)
            m[k].stock = days
            m[k].due = s.day + int(days) - 4
    if m[DEPOT].medicine >= 0:
        emit_supply(p, s, x, m[DEPOT].medicine, ADMINISTERED, 0.0, m[DEPOT].dose, 0, TRUST, True)
        s.depot_last = s.day
        s.depot_due = s.day + x.medicines[m[DEPOT].medicine].interval
        s.depot_visit = working_day(s.depot_due)
        s.depot_booked = s.day
        s.depot_fails = 0
    if m[MAIN].medicine == CLOZAPINE:
        s.blood_visit = s.day + 7
        s.blood_booked = s.day
        m[MAIN].due = s.day + 7


@step
def follow_up(p, s, m, x):
    """Contact within 72 hours of leaving, in most cases."""
    s.withdrawn = 0
    gap = 1.0 + 2.0 * uniform(s) if chance(s, 0.86) else 5.0 + 6.0 * uniform(s)
    book(p, s, x, gap, FOLLOW_UP)
    s.next_contact = s.day + int(gap) if weekday(s.day + int(gap)) < 5 else s.next_contact
    s.next_mode = FACE_TO_FACE if chance(s, 0.7) else TELEPHONE
