"""Tests: clozapine blood counts, lithium and its organs, yearly physical checks, side-effect scales. Ordered by protocol, done if people come."""

from __future__ import annotations

import numpy as np

from .appointments import hold, working_day
from .compiled import step
from .events import emit_circumstance, emit_result, measure
from .formulary import CLOZAPINE, LITHIUM
from .layout import (
    ATTENDED,
    CLOZAPINE_CLINIC,
    COMMUNITY,
    DEPOT,
    DISPENSED,
    FACE_TO_FACE,
    INFECTION,
    MAIN,
    MEDICINES_REVIEW,
    MOOD,
    NONE,
    PHYSICAL,
    TEST,
)
from .prescribing import stop_clozapine, supply
from .streams import chance, normal, uniform

(
    WBC,
    ANC,
    PLATELETS,
    CLOZAPINE_LEVEL,
    LITHIUM_LEVEL,
    EGFR,
    SODIUM,
    POTASSIUM,
    CALCIUM,
    TSH,
    ALT,
    HBA1C,
    CHOLESTEROL,
    WEIGHT,
    BMI,
) = (
    TEST[name]
    for name in (
        "wbc",
        "anc",
        "platelets",
        "clozapine_level",
        "lithium_level",
        "egfr",
        "sodium",
        "potassium",
        "calcium",
        "tsh",
        "alt",
        "hba1c",
        "total_cholesterol",
        "weight",
        "bmi",
    )
)
SYSTOLIC, DIASTOLIC, PULSE, QTC, PROLACTIN, GASS = (
    TEST[name] for name in ("systolic_bp", "diastolic_bp", "pulse", "qtc", "prolactin", "gass_total")
)
SMOKING_STATUS, ALCOHOL_STATUS, ADHERENCE_REVIEW, STRUCTURED_REVIEW, ANNUAL_CHECK, CONSTIPATION, MOVEMENT = (
    TEST[name]
    for name in (
        "smoking_status",
        "alcohol_status",
        "adherence_review",
        "structured_medication_review",
        "annual_physical_health_check",
        "constipation_check",
        "movement_disorder_check",
    )
)
CRP, TROPONIN, TEMPERATURE, WAIST = (TEST[name] for name in ("crp", "troponin", "temperature", "waist"))


@step
def clozapine_interval(s, m):
    """Weekly to week 18, fortnightly to week 52, then four-weekly; weekly again for six weeks after a break (CLINICAL.md section 4)."""
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
    if young_course:
        measure(p, s, x, CRP, 4.0, 2.0, True)
        measure(p, s, x, TROPONIN, 0.3, 0.1, True)
    if chance(s, 0.55):
        emit_result(p, s, x, CONSTIPATION, np.nan, True)
    if chance(s, 0.5):
        emit_result(p, s, x, SMOKING_STATUS, np.nan, True)
    if chance(s, 0.15):
        measure(p, s, x, WEIGHT, s.weight, 0.4, True)
    if chance(s, 0.01):
        emit_circumstance(p, s, x, s.day, INFECTION, 0)


@step
def order_lithium(p, s, m, x):
    """Level and organs: three-monthly in the first year, then six-monthly, when somebody orders them and the person goes."""
    if m[MOOD].medicine != LITHIUM:
        return
    interval = 90 if s.day - m[MOOD].started < 365 else 180
    if s.day < s.lithium_on + interval - 10:
        return
    ready = 0.03 * x.teams[s.team].bloods if s.status == COMMUNITY else 0.006
    if not chance(s, ready * (0.15 if s.withdrawn == 1 else 1.0)):
        return
    s.lithium_on = s.day
    if chance(s, 0.85):
        measure(p, s, x, LITHIUM_LEVEL, 0.15 + 0.00075 * m[MOOD].dose * s.taken, 0.08, True)
    if chance(s, 0.85):
        years = (s.day - m[MOOD].started) / 365.25
        measure(p, s, x, EGFR, p.renal - 0.9 * min(20.0, years), 4.0, True)
        measure(p, s, x, SODIUM, 140.0, 2.0, True)
        measure(p, s, x, POTASSIUM, 4.3, 0.3, True)
    if chance(s, 0.7):
        measure(p, s, x, TSH, 2.2 + 1.2 * max(0.0, normal(s)), 0.5, True)
    if chance(s, 0.6):
        measure(p, s, x, CALCIUM, 2.38, 0.07, True)


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
    emit_result(p, s, x, ANNUAL_CHECK, np.nan, False)
    take_vital_signs(p, s, x)
    if chance(s, 0.93):
        take_fasting_bloods(p, s, m, x)
    for test in (SMOKING_STATUS, ALCOHOL_STATUS):
        if chance(s, 0.97):
            emit_result(p, s, x, test, np.nan, False)
    if chance(s, 0.45):
        measure(p, s, x, QTC, 415.0 + 8.0 * (1 - p.sex) + 4.0 * s.complexity, 14.0, False)


@step
def take_vital_signs(p, s, x):
    if chance(s, 0.95):
        measure(p, s, x, WEIGHT, s.weight, 0.4, False)
        measure(p, s, x, BMI, s.weight / (p.height * p.height), 0.1, False)
    if chance(s, 0.5):
        measure(p, s, x, WAIST, 55.0 + 0.5 * s.weight, 4.0, False)
    if chance(s, 0.95):
        bmi = s.weight / (p.height * p.height)
        measure(p, s, x, SYSTOLIC, 112.0 + 0.6 * bmi + 0.15 * (s.day - p.born_on) / 365.25, 9.0, False)
        measure(p, s, x, DIASTOLIC, 70.0 + 0.3 * bmi, 6.0, False)
        measure(p, s, x, PULSE, 80.0 + 4.0 * s.side_effects, 8.0, False)


@step
def take_fasting_bloods(p, s, m, x):
    bmi = s.weight / (p.height * p.height)
    measure(p, s, x, HBA1C, 34.0 + 0.45 * max(0.0, bmi - 24.0) + 0.1 * (s.day - p.born_on) / 365.25, 3.5, False)
    measure(p, s, x, CHOLESTEROL, 4.3 + 0.04 * max(0.0, bmi - 24.0), 0.7, False)
    if chance(s, 0.9):
        measure(p, s, x, ALT, 22.0 + 0.7 * max(0.0, bmi - 24.0), 7.0, False)
        measure(p, s, x, EGFR, p.renal, 4.0, False)
        measure(p, s, x, SODIUM, 140.0, 2.0, False)
        measure(p, s, x, POTASSIUM, 4.3, 0.3, False)
        measure(p, s, x, TSH, 2.0, 0.6, False)
    if chance(s, 0.8) and m[MAIN].medicine != CLOZAPINE:
        measure(p, s, x, WBC, 7.2, 1.4, False)
        measure(p, s, x, ANC, 4.4, 1.0, False)
    if chance(s, 0.35):
        blocked = m[DEPOT].medicine >= 0 or (m[MAIN].medicine >= 0 and x.medicines[m[MAIN].medicine].movement > 0.38)
        measure(p, s, x, PROLACTIN, 900.0 if blocked else 320.0, 120.0, False)


@step
def assess_tolerability(p, s, m, x, kind):
    """Scales at reviews and now and then elsewhere; a medicines review that took place leaves its marks in the results too."""
    review = kind == MEDICINES_REVIEW
    if chance(s, 0.75 if review else 0.025):
        measure(p, s, x, GASS, 6.0 + 14.0 * s.side_effects, 4.0, False)
        if chance(s, 0.6):
            emit_result(p, s, x, MOVEMENT, np.nan, False)
    if review:
        emit_result(p, s, x, STRUCTURED_REVIEW, np.nan, False)
        if chance(s, 0.85):
            emit_result(p, s, x, ADHERENCE_REVIEW, np.nan, False)
