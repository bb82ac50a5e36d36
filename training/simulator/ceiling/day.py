"""One particle through one recorded day: the hidden parts move by the simulator's own rules, the recorded parts are
those of the record, and the answer is how likely the particle makes the record.
"""

from __future__ import annotations

import math

from training.simulator.care.admissions import admission_hazard
from training.simulator.care.appointments import be_seen
from training.simulator.care.examinations import GASS, PULSE
from training.simulator.care.formulary import CLOZAPINE, LITHIUM
from training.simulator.care.list_reviews import has_review
from training.simulator.care.lithium import LITHIUM_LEVEL
from training.simulator.care.monitoring import CLOZAPINE_LEVEL
from training.simulator.ceiling.likelihood import (
    ALMOST_RULED_OUT,
    answered,
    collections,
    contact_outcome,
    crisis_rows,
    detained,
    happened,
    lithium_ordered,
    measured,
    new_regimen,
    next_booked,
    noticed,
    treatment,
    was_collected,
)
from training.simulator.hidden_state import step_unseen
from training.simulator.jit import step
from training.simulator.state import (
    ATTENDED,
    AWAY,
    BLACK,
    CARER,
    CIRCUMSTANCES,
    CLOSED,
    CLOZAPINE_CLINIC,
    COMMUNITY,
    CONTACTS,
    COORDINATOR,
    DEPOT,
    DEPOT_CLINIC,
    EMERGENCY,
    GONE,
    INFORMAL,
    INPATIENT,
    MAIN,
    MEDICINES_REVIEW,
    MISSED,
    MISSED_DOSES,
    MOOD,
    NONE,
    OUTREACH,
    PHYSICAL,
    RESULTS,
    ROUTINE,
    SLOTS,
    SUBSTANCE_USE,
    TEXT,
)
from training.simulator.traits import deprived


@step
def live_day(p, s, m, after, m_after, x, rows):
    """Moves ``s`` and ``m``, a particle in the morning, to the evening. ``after`` and ``m_after`` are the person in the
    evening, of which only recorded parts are read; the first ``rows`` of ``x.events`` are the day's rows. Returns the
    likelihood.
    """
    started = s.status
    admitted = after.admissions > s.admissions
    step_unseen(p, s, m, x)
    like = life(p, s, after, x)
    if started != INPATIENT:
        if started == COMMUNITY:
            like *= new_regimen(s, m, m_after)
        like *= supplies(s, m, m_after, x)
    if m[MOOD].medicine == LITHIUM:
        like *= lithium_ordered(p, s, m, x, after.lithium_on == s.day and s.lithium_on != s.day)
    like *= rows_of_the_day(p, s, m, after, m_after, x, rows, started, admitted)
    if started == INPATIENT:
        if after.status == COMMUNITY:
            s.withdrawn = 0
    else:
        like *= admission(p, s, after, x, rows, started, admitted)
    like *= planned_end(p, s, after, m_after, x, started)
    for k in range(SLOTS):
        fresh = m_after[k].medicine != m[k].medicine or m_after[k].started != m[k].started
        if fresh or (started == INPATIENT and after.status != INPATIENT):
            m[k].stock = m_after[k].stock
    return like


@step
def life(p, s, after, x):
    """Losing and finding a home (``hidden_state.step_life``)."""
    w, like = x.world, 1.0
    if s.homeless == 0:
        times = 1.0 + w.homeless_substance * s.substance + w.homeless_deprived * deprived(p)
        like = happened(w.homeless_hazard * times, after.homeless == 1)
    s.homeless, s.smoker = after.homeless, after.smoker
    return like


@step
def supplies(s, m, m_after, x):
    """Collected oral medicines, as far as the register reaches back; the particle's stock grows by them."""
    like = collections(s, m, m_after) if s.day >= x.first_day else 1.0
    for k in range(SLOTS):
        if m[k].medicine >= 0 and k != DEPOT and m[k].medicine != CLOZAPINE and was_collected(m, m_after, k):
            m[k].stock = min(84.0, m[k].stock) + (14.0 if m[k].as_required == 1 else 28.0)
    return like


@step
def rows_of_the_day(p, s, m, after, m_after, x, rows, started, admitted):
    """Contacts, texts, calls of carers, results and notes, in the order in which they happened."""
    w, like, carer, crisis = x.world, 1.0, False, False
    for i in range(rows):
        crisis = crisis or (x.events[i].table == CONTACTS and x.events[i].number % 100 == 99)
    for i in range(rows):
        e = x.events[i]
        if e.table == RESULTS:
            like *= result(s, m, e.a, e.x)
        elif e.table == CIRCUMSTANCES and e.a == COORDINATOR and started in (COMMUNITY, INPATIENT):
            s.engagement -= w.engagement_staff_change
        elif e.table == CONTACTS and e.day == s.day and e.number % 100 != 99:
            if e.a == CARER:
                carer = True
            elif e.b == TEXT:
                like *= answered(s, e.c)
            else:
                like *= contact(p, s, m, after, m_after, x, i, rows, crisis or admitted)
    if s.day < x.first_day and started == COMMUNITY:
        contact_before_the_register(p, s, after, x, admitted)
    elif started == COMMUNITY and p.has_carer == 1:
        like *= happened(w.carer_hazard * (3.0 if s.withdrawn else 1.0), carer)
    return like


@step
def contact(p, s, m, after, m_after, x, i, rows, interrupted):
    """A booked contact: its outcome, what staff noticed, what the prescriber did, and when the next one is."""
    e = x.events[i]
    kind, mode, outcome, like = e.a, e.b, e.c, 1.0
    from_list = e.day2 == s.day and kind == MEDICINES_REVIEW and has_review(p.index, s.day, x.reviews)
    if not from_list:
        like = contact_outcome(p, s, x, kind, mode, outcome)
    routine = not from_list and kind != DEPOT_CLINIC and kind != CLOZAPINE_CLINIC and kind != PHYSICAL
    booked = after.booked_on == s.day and after.next_contact != NONE and after.opened_on == s.opened_on
    if outcome == MISSED:
        s.engagement -= x.world.engagement_missed
        if routine and booked and not interrupted and after.next_kind == ROUTINE:
            like *= next_booked(p, s, x, after.next_contact - s.day, True)
    if outcome != ATTENDED:
        return like
    substance_told, missed_told = False, False
    for j in range(i + 1, rows):
        later = x.events[j]
        if later.table == CONTACTS:
            break
        if later.table == CIRCUMSTANCES:
            substance_told = substance_told or later.a == SUBSTANCE_USE
            missed_told = missed_told or later.a == MISSED_DOSES
    like *= noticed(s, x, substance_told, missed_told)
    told, told_missed = s.substance_known, s.missed_known
    be_seen(p, s, x, kind, e.number % 100 == s.staff)
    s.substance_known = s.day if substance_told else told
    s.missed_known = s.day if missed_told else told_missed
    if kind == CLOZAPINE_CLINIC:
        like *= clozapine_given(s, m, after, m_after)
    if routine:
        like *= treatment(p, s, m, m_after, x, kind)
        if booked and not interrupted and after.next_kind != OUTREACH:
            like *= next_booked(p, s, x, after.next_contact - s.day, False)
    return like


@step
def clozapine_given(s, m, after, m_after):
    """Tablets until the next blood count. Whoever seems to have stopped goes back to weekly counts
    (``monitoring.visit_clozapine``).
    """
    like, lapsed = 1.0, m[MAIN].stock > 0.0 and s.taken < 0.15
    if s.day - m[MAIN].started >= 126 and s.weekly_until <= s.day and lapsed != (after.weekly_until == s.day + 42):
        like = ALMOST_RULED_OUT
    if m_after[MAIN].medicine == CLOZAPINE and m_after[MAIN].due > s.day:
        days = float(m_after[MAIN].due - s.day)
        m[MAIN].stock = min(min(84.0, m[MAIN].stock) + days, 2.0 * days)
    return like


@step
def contact_before_the_register(p, s, after, x, admitted):
    """A contact earlier than the first day of the record: it had its effect, and nobody can read its outcome."""
    if after.last_attended == s.day and not admitted:
        be_seen(p, s, x, ROUTINE, True)
    elif after.fails > s.fails:
        s.engagement -= x.world.engagement_missed


@step
def result(s, m, test, value):
    """Results that depend on what a person takes or feels. Weight does too, slowly, and is not read."""
    if test == GASS:
        return measured(value, 6.0 + 14.0 * s.side_effects, 4.0)
    if test == PULSE:
        return measured(value, 77.0 + 4.0 * s.side_effects, 8.0)
    if test == CLOZAPINE_LEVEL and m[MAIN].medicine == CLOZAPINE:
        smoke = 0.75 if s.smoker == 1 else 1.15
        return measured(value, 0.0013 * m[MAIN].dose * smoke * s.taken, 0.08)
    if test == LITHIUM_LEVEL and m[MOOD].medicine == LITHIUM:
        return measured(value, 0.15 + 0.00075 * m[MOOD].dose * s.taken, 0.08)
    return 1.0


@step
def admission(p, s, after, x, rows, started, admitted):
    """Crises, admissions of both kinds, and returns of people whose referral was closed."""
    w, like, seen = x.world, 1.0, 0
    if started == CLOSED:
        like = happened(w.return_hazard * math.exp(0.6 * min(2.5, s.severity)), after.referral > s.referral)
    emergency = admitted and after.stay_method == EMERGENCY
    for i in range(rows):
        seen += x.events[i].table == CONTACTS and x.events[i].number % 100 == 99
    if s.day >= x.first_day:
        like *= crisis_rows(s, x, seen, emergency)
    hazard = admission_hazard(p, s, x)
    planned = w.planned_admission_hazard * math.exp(0.5 * s.severity)
    if not emergency:
        return like * (1.0 - hazard) * happened(planned, admitted)
    return like * hazard * detained(p, s, x, after.stay_legal != INFORMAL, p.ethnicity == BLACK)


@step
def planned_end(p, s, after, m_after, x, started):
    """Discharge of somebody who is well, or the absence of one (``referrals.leave``)."""
    ended = after.exited_on == s.day and after.status == CLOSED
    moved = after.exited_on == s.day and (after.status == AWAY or (after.status == GONE and after.died_on != s.day))
    if s.day < x.first_day or not (after.status == COMMUNITY or ended or moved):
        return 1.0
    kept = m_after[DEPOT].medicine >= 0 or m_after[MAIN].medicine == CLOZAPINE
    lately = after.discharged_on != NONE and s.day - after.discharged_on < 180
    well = s.severity < 0.35 and s.relapse == 0 and after.fails == 0 and s.substance == 0 and not kept
    may = well and not lately and s.day - s.opened_on > 150
    return happened(x.world.planned_end_hazard if may else 0.0, ended)
