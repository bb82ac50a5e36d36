"""Referrals: opening, the community day under a team, and the ways out (planned end, non-attendance, transfer, moving
away, death)."""

from __future__ import annotations

import math

from training.simulator.care.admissions import write_stay
from training.simulator.care.appointments import (
    after_missed,
    book,
    call_off,
    call_off_clinics,
    hold,
    next_routine,
    shocked,
)
from training.simulator.care.examinations import examine, leave_marks
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.care.lithium import bring_lithium_results
from training.simulator.care.monitoring import check_body, visit_clozapine
from training.simulator.care.prescribing import (
    review_treatment,
    start_regimen,
    stop_clozapine,
    stop_depot,
    visit_depot,
)
from training.simulator.events import emit, emit_circumstance, emit_contact
from training.simulator.jit import step
from training.simulator.random import chance, sigmoid, uniform, whole
from training.simulator.state import (
    ADJUSTMENT,
    ASSESSMENT,
    ATTENDED,
    AWAY,
    CARE_REVIEW,
    CARER,
    CHILDBEARING,
    CLOSED,
    CLOSED_DIED,
    CLOSED_MISSED,
    CLOSED_MOVED,
    CLOSED_REFUSED,
    CLOSED_TRANSFERRED,
    COMMUNITY,
    CONDITIONS,
    COORDINATOR,
    CTO,
    DEPOT,
    EMPLOYMENT,
    GONE,
    GP,
    HAS_CARER,
    HOUSING,
    INPATIENT,
    INTERPRETER,
    LANGUAGE,
    LIVING_ALONE,
    MAIN,
    MEDICINES_REVIEW,
    MISSED,
    MOOD,
    NONE,
    PLANNED_END,
    REFERRALS,
    ROUTINE,
    SMOKING,
    TELEPHONE,
    TEXT,
)
from training.simulator.traits import deprived


@step
def introduce(p, s, m, x):
    """The state on the first simulated day, and what is written about a person at referral."""
    s.severity = p.severity + (0.0 if p.initial else 0.6)
    s.insight, s.adherence, s.engagement = p.insight, p.adherence, p.engagement
    s.side_effects, s.protection, s.missed, s.support, s.taken = 0.5, 0.75, 0.15, 0.4, 0.85
    s.weight = p.weight
    for_never = NONE
    s.last_attended, s.discharged_on, s.next_contact, s.physical_booked = for_never, for_never, for_never, for_never
    s.depot_visit, s.depot_due, s.depot_last, s.blood_visit = for_never, for_never, for_never, for_never
    s.admitted_on, s.leaves_on, s.died_on, s.exited_on = for_never, for_never, for_never, for_never
    s.last_unplanned, s.disengaged_on, s.silence_told = -1, -1, -1
    s.switched_on = s.day - 365
    s.substance_known, s.missed_known = s.day - 365, s.day - 365
    s.care_review_on = s.day - int(uniform(s) * 700.0)
    s.medicines_review_on = s.day - int(uniform(s) * 700.0)
    s.physical_on = s.day - int(uniform(s) * 600.0)
    s.lithium_on = s.day - int(uniform(s) * (250.0 if p.initial == 1 else 75.0))
    s.thyroid_on = s.day - 365
    s.trials = whole(s, 0, 3)
    s.smoker = 1 if chance(s, 0.42) else 0
    s.homeless = 1 if chance(s, 0.03 + 0.01 * x.world.homeless_deprived * deprived(p)) else 0
    s.substance = 1 if chance(s, 0.1 * p.substance) else 0
    s.cto = 1 if p.diagnosis <= 1 and chance(s, 0.05) else 0
    s.status = COMMUNITY
    open_referral(p, s, x, p.home_team, p.referred_on)
    start_regimen(p, s, m, x)
    bring_lithium_results(p, s, m, x)
    describe(p, s, m, x)


@step
def describe(p, s, m, x):
    """Circumstances and conditions known at referral."""
    on = p.referred_on
    emit_circumstance(p, s, x, on, HOUSING, s.homeless * 2)
    emit_circumstance(p, s, x, on, EMPLOYMENT, p.employed)
    emit_circumstance(p, s, x, on, INTERPRETER, p.interpreter)
    if p.interpreter == 1:
        emit_circumstance(p, s, x, on, LANGUAGE, whole(s, 0, 4))
    emit_circumstance(p, s, x, on, SMOKING, 0 if s.smoker == 1 else (2 if chance(s, 0.6) else 1))
    emit_circumstance(p, s, x, on, LIVING_ALONE, p.living_alone)
    emit_circumstance(p, s, x, on, HAS_CARER, p.has_carer)
    if p.sex == 0 and (p.referred_on - p.born_on) < 55 * 365:
        emit_circumstance(p, s, x, on, CHILDBEARING, p.childbearing)
    if s.cto == 1:
        emit_circumstance(p, s, x, on, CTO, 0)
    if (p.autism == 0 or p.learning_disability == 0) and p.adjustment_met == 1:
        emit_circumstance(p, s, x, on, ADJUSTMENT, 0)
    recorded = p.diagnosed_on if p.established else on + whole(s, 7, 60)
    emit(p, s, x, CONDITIONS, recorded, 0, 0, 0, 0, p.diagnosis, 0.0, 0.0)
    if chance(s, 0.95):
        emit(
            p,
            s,
            x,
            CONDITIONS,
            on - whole(s, 0, 30) if p.established else on + whole(s, 0, 90),
            0,
            1,
            0,
            0,
            p.allergy,
            0.0,
            0.0,
        )
    if p.substance > 0.5 and chance(s, 0.45):
        emit(p, s, x, CONDITIONS, on + whole(s, 0, 120), 0, 0, 0, 0, 6 + whole(s, 0, 1), 0.0, 0.0)
    if p.diabetic == 1:
        emit(p, s, x, CONDITIONS, on - whole(s, 0, 2000), 0, 0, 0, 0, 8, 0.0, 0.0)
    for extra, share in ((9, 0.17), (10, 0.06), (11, 0.05)):
        if chance(s, share):
            emit(p, s, x, CONDITIONS, on - whole(s, 0, 2000), 0, 0, 0, 0, extra, 0.0, 0.0)
    shared = (m[MAIN].medicine >= 0 and m[MAIN].prescriber == GP) or (
        m[MOOD].medicine >= 0 and m[MOOD].prescriber == GP
    )
    if shared and chance(s, 0.6):
        emit(p, s, x, CONDITIONS, on + whole(s, 0, 60), 0, 2, 0, 0, 0, 0.0, 0.0)


@step
def open_referral(p, s, x, team, on):
    s.referral += 1
    s.team = team
    s.opened_on = on
    s.staff = whole(s, 1, 12)
    s.silent_from = s.day
    s.last_attended = NONE
    s.fails, s.offers = 0, 0
    s.status = COMMUNITY
    emit_circumstance(p, s, x, max(on, s.day), COORDINATOR, s.staff)
    if on < s.day - 60:
        book(p, s, x, 1.0 + 40.0 * uniform(s), ROUTINE)
    else:
        book(p, s, x, 6.0 + 20.0 * uniform(s), ASSESSMENT)


@step
def close_referral(p, s, x, reason):
    emit(p, s, x, REFERRALS, s.opened_on, s.day, reason, 0, 0, s.team, 0.0, 0.0)
    call_off(p, s, x)
    s.opened_on = NONE
    s.physical_booked = NONE
    s.status = CLOSED


@step
def routine_contact(p, s, m, x):
    """The booked contact of today and what follows from its outcome."""
    kind, mode, booked = s.next_kind, s.next_mode, s.booked_on
    outcome = hold(p, s, x, booked, kind, mode)
    if outcome == ATTENDED:
        if kind == CARE_REVIEW:
            s.care_review_on = s.day
        if kind == MEDICINES_REVIEW:
            s.medicines_review_on = s.day
        review_treatment(p, s, m, x, kind in (MEDICINES_REVIEW, CARE_REVIEW))
        if kind == ASSESSMENT:
            examine(p, s, m, x)
        leave_marks(p, s, m, x, kind)
        next_routine(p, s, x)
    elif outcome == MISSED:
        after_missed(p, s, x)
    else:
        book(p, s, x, 6.0 + 14.0 * uniform(s), kind)


@step
def community_day(p, s, m, x):
    w = x.world
    if s.depot_visit == s.day and m[DEPOT].medicine >= 0:
        visit_depot(p, s, m, x)
    if s.blood_visit == s.day and m[MAIN].medicine == CLOZAPINE:
        visit_clozapine(p, s, m, x)
    check_body(p, s, m, x)
    if s.next_contact == s.day:
        routine_contact(p, s, m, x)
    if chance(s, w.text_hazard):
        answers = chance(s, 0.9 * sigmoid(s.engagement - 1.2) * (0.2 if s.withdrawn else 1.0))
        emit_contact(p, s, x, s.day, NONE, ROUTINE, TEXT, ATTENDED if answers else MISSED, s.staff)
        s.offers += 0 if answers else 1
    if p.has_carer == 1 and chance(s, w.carer_hazard * (3.0 if s.withdrawn else 1.0)):
        emit_contact(p, s, x, s.day, NONE, CARER, TELEPHONE, ATTENDED, s.staff)
    unrest = w.team_shock_staff if shocked(s, x) else 1.0
    if chance(s, unrest * w.staff_change_hazard / x.teams[s.team].stability):
        s.staff = 1 + (s.staff + whole(s, 0, 10)) % 12
        s.engagement = s.engagement - w.engagement_staff_change
        emit_circumstance(p, s, x, s.day, COORDINATOR, s.staff)


@step
def watch_silence(s, x):
    """D1 of docs/clinical.md section 2.3: 90 silent days of an open referral with at least two unsuccessful offered
    contacts (an unanswered text is one).

    The event is the first day on which both hold, once for each silence.
    """
    w = x.world
    if s.status != COMMUNITY or s.silence_told == s.silent_from:
        return
    if s.day - s.silent_from >= int(w.silent_days) and s.offers >= int(w.silent_offers):
        s.disengaged_on = s.day
        s.silence_told = s.silent_from


@step
def leave(p, s, m, x):
    """Ways to leave today. None happens before the first day, so that the caseload is complete then."""
    w = x.world
    if s.day < x.first_day:
        return
    age = (s.day - p.born_on) / 365.25
    if chance(s, w.death_hazard * math.exp(w.death_age * (age - 45.0))):
        die(p, s, x)
        return
    if s.status != COMMUNITY:
        return
    silent = s.day - s.silent_from
    gives_up = w.closing_hazard * x.teams[s.team].closing * (2.0 if silent > 90 else 1.0)
    if s.fails >= 3 and silent >= 42 and chance(s, gives_up):
        close_for_absence(p, s, m, x)
        return
    kept = m[DEPOT].medicine >= 0 or m[MAIN].medicine == CLOZAPINE
    well = s.severity < 0.35 and s.relapse == 0 and s.fails == 0 and s.substance == 0 and not kept
    lately = s.discharged_on != NONE and s.day - s.discharged_on < 180
    if well and not lately and s.day - s.opened_on > 150 and chance(s, w.planned_end_hazard):
        close_referral(p, s, x, PLANNED_END)
        s.exited_on = s.day
    elif chance(s, w.transfer_hazard) and len(x.teams) > 1:
        change_team(p, s, x)
    elif chance(s, w.transfer_out_hazard):
        close_referral(p, s, x, CLOSED_TRANSFERRED)
        s.exited_on = s.day
        s.status = GONE
    elif chance(s, w.move_hazard * math.exp(w.move_homeless * s.homeless)):
        close_referral(p, s, x, CLOSED_MOVED)
        s.exited_on = s.day
        s.status = AWAY


@step
def close_for_absence(p, s, m, x):
    """D2 of docs/clinical.md section 2.3: the team closes because the person did not attend or refused."""
    s.disengaged_on = s.day
    call_off_clinics(p, s, m, x)
    close_referral(p, s, x, CLOSED_REFUSED if chance(s, 0.3) else CLOSED_MISSED)
    stop_depot(s, m)
    if m[MAIN].medicine == CLOZAPINE:
        stop_clozapine(s, m)


@step
def change_team(p, s, x):
    team = whole(s, 0, len(x.teams) - 1)
    if team == s.team or x.teams[team].early_intervention == 1:
        return
    seen, silent_from, fails, offers = s.last_attended, s.silent_from, s.fails, s.offers
    close_referral(p, s, x, CLOSED_TRANSFERRED)
    open_referral(p, s, x, team, s.day)
    s.last_attended, s.silent_from, s.fails, s.offers = seen, silent_from, fails, offers
    s.engagement = s.engagement - x.world.engagement_staff_change


@step
def die(p, s, x):
    if s.status == INPATIENT:
        write_stay(p, s, x, s.day)
    if s.opened_on != NONE:
        close_referral(p, s, x, CLOSED_DIED)
    s.died_on = s.day
    s.exited_on = s.day
    s.status = GONE


@step
def maybe_return(p, s, x):
    """A closed person is referred again, sooner when unwell."""
    if chance(s, x.world.return_hazard * math.exp(0.6 * min(2.5, s.severity))):
        open_referral(p, s, x, s.team, s.day)


@step
def maybe_move_back(p, s, m, x):
    """Somebody who moved away comes back to the team they had, without the depot or clozapine that only a clinic
    gives."""
    if chance(s, x.world.move_back_hazard):
        stop_depot(s, m)
        if m[MAIN].medicine == CLOZAPINE:
            stop_clozapine(s, m)
        open_referral(p, s, x, s.team, s.day)
