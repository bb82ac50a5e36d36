"""Booking and holding contacts: who comes, how a missed contact affects engagement, and how the team reaches out."""

from __future__ import annotations

import numpy as np

from training.simulator.care.formulary import CLOZAPINE
from training.simulator.events import emit_circumstance, emit_contact
from training.simulator.jit import step
from training.simulator.random import (
    GOLDEN,
    S11,
    TO_UNIT,
    chance,
    mix,
    normal,
    sigmoid,
    uniform,
    whole,
)
from training.simulator.state import (
    ASSESSMENT,
    ATTENDED,
    CANCELLED_PATIENT,
    CANCELLED_SERVICE,
    CARE_REVIEW,
    CLOZAPINE_CLINIC,
    DEPOT,
    DEPOT_CLINIC,
    FACE_TO_FACE,
    FOLLOW_UP,
    MAIN,
    MEDICINES_REVIEW,
    MISSED,
    MISSED_DOSES,
    NONE,
    OUTREACH,
    PHYSICAL,
    ROUTINE,
    SUBSTANCE_USE,
    TELEPHONE,
    VIDEO,
)


@step
def weekday(day):
    """0 is Monday: day 0 of the epoch was a Thursday."""
    return (day + 3) % 7


@step
def working_day(day):
    """The day itself, or the Monday after a weekend."""
    w = weekday(day)
    return day + (7 - w) if w >= 5 else day


@step
def since_start(s, x):
    """Years since the first day of the record."""
    return max(0.0, (s.day - x.first_day) / 365.25)


@step
def policy_holds(s, x):
    return x.world.policy_year > 0.0 and since_start(s, x) >= x.world.policy_year


@step
def shocked(s, x):
    """Whether the person's team is in trouble in these four weeks (sickness, a fire, a strike). The same for all of
    its people.
    """
    weeks = np.uint64(s.day // 28)
    return float(mix(x.teams[s.team].shock_key + weeks * GOLDEN) >> S11) * TO_UNIT < x.world.team_shock


@step
def will_attend(p, s, x, kind, mode):
    """Probability that the person comes, on the day."""
    w = x.world
    z = s.engagement + w.drift_engagement * since_start(s, x)
    if s.withdrawn == 1:
        z -= w.withdrawal_depth
    if kind in (DEPOT_CLINIC, CLOZAPINE_CLINIC):
        z += 0.25
        if kind == CLOZAPINE_CLINIC:
            z += 1.5 + (1.5 if s.withdrawn == 1 else 0.0)
    elif kind == ASSESSMENT:
        z -= 0.5
    elif kind == PHYSICAL:
        z -= 0.2
    elif kind == OUTREACH:
        z += 0.3 + (0.9 if s.withdrawn == 1 else 0.0)
    if mode == TELEPHONE:
        z += 0.25
    elif mode == VIDEO:
        z -= 0.1
    z -= w.engagement_substance * s.substance + w.engagement_homeless * s.homeless
    z -= w.engagement_unwell * max(0.0, s.severity - 1.0)
    if p.interpreter == 1 and p.interpreter_met == 0:
        z -= w.engagement_interpreter_unmet
    if (p.autism == 0 or p.learning_disability == 0) and p.adjustment_met == 0:
        z -= w.engagement_adjustment_unmet
    if (s.day % 365) > 320 and (s.day % 365) < 352:
        z -= 0.08
    return sigmoid(z)


@step
def hold(p, s, x, booked_on, kind, mode):
    """Holds today's booked contact, or not. Returns its outcome, writes the row and updates engagement and the
    silence clock.
    """
    w = x.world
    clinic = kind in (DEPOT_CLINIC, CLOZAPINE_CLINIC)
    thin = 0.25 if clinic or kind in (OUTREACH, FOLLOW_UP) else 1.0
    u = uniform(s)
    by_service = w.cancelled_by_service * (w.team_shock_cancels if shocked(s, x) else 1.0)
    staff = s.staff if chance(s, 0.8) else whole(s, 1, 12)
    if u < thin * by_service:
        outcome = CANCELLED_SERVICE
    elif u < thin * (by_service + w.cancelled_by_patient * (0.7 + 0.6 * sigmoid(1.5 - s.engagement))):
        outcome = CANCELLED_PATIENT
    elif chance(s, will_attend(p, s, x, kind, mode)):
        outcome = ATTENDED
    else:
        outcome = MISSED
    emit_contact(p, s, x, s.day, booked_on, kind, mode, outcome, staff)
    if outcome == ATTENDED:
        be_seen(p, s, x, kind, staff == s.staff)
    elif outcome == MISSED:
        s.fails = s.fails + 1
        s.offers = s.offers + 1
        s.engagement = s.engagement - w.engagement_missed
    return outcome


@step
def be_seen(p, s, x, kind, own_staff):
    """A contact that took place: the silence clock restarts, trust grows, and staff may notice hidden problems."""
    w = x.world
    s.last_attended = s.day
    s.silent_from = s.day
    s.fails = 0
    s.offers = 0
    s.support = min(1.5, s.support + 0.35)
    s.engagement = s.engagement + w.engagement_attended * (1.0 if own_staff else 0.3)
    if kind in (OUTREACH, FOLLOW_UP):
        s.engagement = s.engagement + w.engagement_outreach
    if s.withdrawn == 1 and chance(s, 0.55):
        s.withdrawn = 0
    if s.stopped == 1 and chance(s, w.persuaded):
        s.stopped = 0
    if kind == MEDICINES_REVIEW or (kind == OUTREACH and w.list_feedback > 0.0):
        review_works(s, x)
    if s.substance == 1 and s.day > s.substance_known + 180 and chance(s, 0.3 * w.visit_detects):
        s.substance_known = s.day
        emit_circumstance(p, s, x, s.day, SUBSTANCE_USE, 0)
    if s.missed > 0.35 and s.day > s.missed_known + 60 and chance(s, 0.4 * w.visit_detects):
        s.missed_known = s.day
        emit_circumstance(p, s, x, s.day, MISSED_DOSES, 0)


@step
def review_works(s, x):
    """The effect of a medicines review beyond that of a contact: tablets are taken more regularly for some months,
    side effects eased.
    """
    effect = x.world.review_effect
    s.adherence = s.adherence + effect
    s.lift = min(2.0 * effect, s.lift + effect)
    s.side_effects = s.side_effects * max(0.0, 1.0 - 0.4 * effect)  # at most all of them


@step
def call_off(p, s, x):
    """Cancels the contact that is booked ahead. Its row stays: a booking that vanished from the record with the event
    that ended it would tell of that event beforehand."""
    if s.next_contact != NONE and s.next_contact > s.day:
        emit_contact(p, s, x, s.next_contact, s.booked_on, s.next_kind, s.next_mode, CANCELLED_SERVICE, s.staff)
    s.next_contact = NONE


@step
def call_off_clinics(p, s, m, x):
    """Cancels the visits that are booked ahead at the depot and the clozapine clinic; their rows stay."""
    if m[DEPOT].medicine >= 0 and s.depot_visit != NONE and s.depot_visit > s.day:
        emit_contact(p, s, x, s.depot_visit, s.depot_booked, DEPOT_CLINIC, FACE_TO_FACE, CANCELLED_SERVICE, s.staff)
    if m[MAIN].medicine == CLOZAPINE and s.blood_visit != NONE and s.blood_visit > s.day:
        emit_contact(p, s, x, s.blood_visit, s.blood_booked, CLOZAPINE_CLINIC, FACE_TO_FACE, CANCELLED_SERVICE, s.staff)


@step
def book(p, s, x, gap, kind):
    """The next routine contact, about ``gap`` days ahead on a working day, in place of one that was booked before."""
    call_off(p, s, x)
    s.next_contact = working_day(s.day + max(1, int(gap)))
    s.booked_on = s.day
    s.next_kind = kind
    u = uniform(s)
    s.next_mode = FACE_TO_FACE
    if kind in (ROUTINE, MEDICINES_REVIEW):
        face_to_face = 0.66 * (1.0 - x.world.policy_remote if policy_holds(s, x) else 1.0)
        s.next_mode = FACE_TO_FACE if u < face_to_face else (TELEPHONE if u < 0.92 else VIDEO)
    elif kind == CARE_REVIEW:
        s.next_mode = FACE_TO_FACE if u < 0.85 else VIDEO
    elif kind == OUTREACH and u < 0.25:
        s.next_mode = TELEPHONE


@step
def usual_gap(p, s, x):
    """Days to the next routine contact: the team's cadence, shorter if the person was seen to be unwell or has just
    left a ward.
    """
    t = x.teams[s.team]
    gap = x.world.cadence_days * t.cadence * (1.0 + 0.22 * normal(s))
    gap /= 1.0 + 0.35 * max(0.0, min(2.5, s.severity))
    if s.discharged_on != NONE and s.day - s.discharged_on < 60:
        gap *= 0.55
    if t.early_intervention == 1:
        gap *= 0.6
    if policy_holds(s, x):
        gap *= x.world.policy_cadence
    return max(5.0, gap)


@step
def next_routine(p, s, x):
    """The kind of the next contact: a review if one is due and the team manages it."""
    t = x.teams[s.team]
    kind = ROUTINE
    if s.day > s.medicines_review_on + 300 and chance(s, 0.22 * t.reviews):
        kind = MEDICINES_REVIEW
    elif s.day > s.care_review_on + 300 and chance(s, 0.20 * t.reviews):
        kind = CARE_REVIEW
    book(p, s, x, usual_gap(p, s, x), kind)


@step
def after_missed(p, s, x):
    """Outreach, or another letter with a date: teams differ."""
    t = x.teams[s.team]
    if x.world.list_feedback > 0.0 and s.fails >= 2 and chance(s, x.world.list_feedback):
        book(p, s, x, 1.0 + 4.0 * uniform(s), OUTREACH)
    elif chance(s, t.outreach / (1.0 + 0.25 * max(0, s.fails - 1))):
        book(p, s, x, 3.0 + 7.0 * uniform(s), OUTREACH)
    else:
        book(p, s, x, 14.0 + 0.55 * usual_gap(p, s, x), ROUTINE)
