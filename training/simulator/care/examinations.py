"""Examinations: vital signs, bloods, the tests around the start of a course, and the entries that reviews make.

Other modules decide who is examined and when (``monitoring``, ``referrals``, ``admissions``, ``prescribing``). Shares
are simulator defaults unless a row of ``epidemiology.csv`` is named.
"""

from __future__ import annotations

import numpy as np

from training.simulator.care.formulary import (
    CARBAMAZEPINE,
    CLOZAPINE,
    LAMOTRIGINE,
    LITHIUM,
    OLANZAPINE_EMBONATE,
    VALPROATE,
)
from training.simulator.events import emit, emit_result, measure, measure_some
from training.simulator.jit import step
from training.simulator.random import chance
from training.simulator.state import (
    ANTIDEPRESSANT,
    CARE_REVIEW,
    CONDITIONS,
    DEPOT,
    MAIN,
    MEDICINES_REVIEW,
    MOOD,
    SECOND,
    TEST,
)
from training.simulator.traits import well_kept

_BLOOD = (
    "wbc",
    "anc",
    "platelets",
    "egfr",
    "sodium",
    "potassium",
    "calcium",
    "tsh",
    "alt",
    "hba1c",
    "total_cholesterol",
)
WBC, ANC, PLATELETS, EGFR, SODIUM, POTASSIUM, CALCIUM, TSH, ALT, HBA1C, CHOLESTEROL = (TEST[name] for name in _BLOOD)
_BODY = ("weight", "bmi", "waist", "systolic_bp", "diastolic_bp", "pulse", "temperature", "qtc")
WEIGHT, BMI, WAIST, SYSTOLIC, DIASTOLIC, PULSE, TEMPERATURE, QTC = (TEST[name] for name in _BODY)
_OTHER = ("prolactin", "crp", "troponin", "clotting", "gass_total", "movement_disorder_check", "bowel_function")
PROLACTIN, CRP, TROPONIN, CLOTTING, GASS, MOVEMENT, BOWEL = (TEST[name] for name in _OTHER)
_STATUS = (
    "smoking_status",
    "alcohol_status",
    "pregnancy_status",
    "contraception_status",
    "annual_physical_health_check",
)
SMOKING_STATUS, ALCOHOL_STATUS, PREGNANCY, CONTRACEPTION, ANNUAL_CHECK = (TEST[name] for name in _STATUS)
_REVIEWS = ("adherence_review", "structured_medication_review", "clinical_review", "lai_review", "hdat_review")
ADHERENCE_REVIEW, STRUCTURED_REVIEW, CLINICAL_REVIEW, LAI_REVIEW, HDAT_REVIEW = (TEST[name] for name in _REVIEWS)
_REST = ("anticholinergic_review", "rash_check", "post_injection_observation")
ANTICHOLINERGIC_REVIEW, RASH, POST_INJECTION = (TEST[name] for name in _REST)
RISK_FORM, TWO_SPECIALISTS = TEST["annual_risk_acknowledgement"], TEST["two_specialist_agreement"]

TWO_SPECIALISTS_FROM = 19723
"""2024-01-01: from then on a new valproate course under 55 needs the agreement of two specialists
(monitoring_protocols mp162)."""


@step
def tick(p, s, x, test, share, kept):
    """Records a check without a number, with this probability."""
    if chance(s, share):
        emit_result(p, s, x, test, np.nan, kept)


@step
def take_vital_signs(p, s, x):
    bmi = s.weight / (p.height * p.height)
    if chance(s, 0.95):
        measure(p, s, x, WEIGHT, s.weight, 0.4, False)
        measure(p, s, x, BMI, bmi, 0.1, False)
    if chance(s, 0.85):
        measure(p, s, x, WAIST, 55.0 + 0.5 * s.weight, 4.0, False)
    if chance(s, 0.95):
        measure(p, s, x, SYSTOLIC, 106.0 + 0.6 * bmi + 0.15 * (s.day - p.born_on) / 365.25, 9.0, False)
        measure(p, s, x, DIASTOLIC, 66.0 + 0.3 * bmi, 6.0, False)
        measure(p, s, x, PULSE, 77.0 + 4.0 * s.side_effects, 8.0, False)
    if chance(s, 0.6):
        measure(p, s, x, TEMPERATURE, 36.7, 0.3, False)


@step
def take_bloods(p, s, m, x):
    """Fasting bloods. Prolactin is tested if a medicine raises it, and occasionally otherwise."""
    over = max(0.0, s.weight / (p.height * p.height) - 24.0)
    sugar = 31.5 + 0.4 * over + 0.08 * (s.day - p.born_on) / 365.25 + 15.0 * p.diabetic
    measure(p, s, x, HBA1C, sugar, 3.0, False)
    measure(p, s, x, CHOLESTEROL, 4.3 + 0.04 * over, 0.7, False)
    if chance(s, 0.95):
        measure(p, s, x, ALT, 22.0 + 0.7 * over, 7.0, False)
        here = 0.5 if m[MOOD].medicine == LITHIUM and not well_kept(p) else 1.0  # the others stay with the GP
        measure_some(p, s, x, EGFR, p.renal, 4.0, False, here)
        measure(p, s, x, SODIUM, 140.0, 2.0, False)
        measure(p, s, x, POTASSIUM, 4.3, 0.3, False)
        measure_some(p, s, x, TSH, 2.0, 0.6, False, here)
    if chance(s, 0.9) and m[MAIN].medicine != CLOZAPINE:
        count_cells(p, s, x, False)
    raises = m[DEPOT].medicine >= 0 or (m[MAIN].medicine >= 0 and x.medicines[m[MAIN].medicine].movement > 0.38)
    taken = m[DEPOT].medicine >= 0 or m[MAIN].medicine >= 0
    if chance(s, 0.85 if raises else (0.7 if taken else 0.2)):
        measure(p, s, x, PROLACTIN, 620.0 if raises else 300.0, 260.0 if raises else 90.0, False)


@step
def count_cells(p, s, x, kept):
    measure(p, s, x, WBC, 7.2, 1.4, kept)
    measure(p, s, x, ANC, 4.4, 1.0, kept)
    measure(p, s, x, PLATELETS, 250.0, 45.0, kept)


@step
def take_ecg(p, s, x, share):
    if chance(s, share):
        measure(p, s, x, QTC, 413.0 + 8.0 * (1 - p.sex) + 4.0 * s.complexity, 13.0, False)


@step
def ask_habits(p, s, x):
    tick(p, s, x, SMOKING_STATUS, 0.97, False)
    tick(p, s, x, ALCOHOL_STATUS, 0.97, False)
    if p.childbearing == 1:
        tick(p, s, x, PREGNANCY, 0.5, False)


@step
def confirm_allergy(p, s, x, share):
    """Allergies are checked again: the same answer, with a new date."""
    if s.day >= x.first_day and chance(s, share):
        emit(p, s, x, CONDITIONS, s.day, 0, 1, 0, 0, p.allergy, 0.0, 0.0)


@step
def examine(p, s, m, x):
    """The first assessment by a team: in most cases the baseline that guidance asks for."""
    if chance(s, 0.9):
        take_vital_signs(p, s, x)
        ask_habits(p, s, x)
    if chance(s, 0.8):
        take_bloods(p, s, m, x)
    take_ecg(p, s, x, 0.6)
    tick(p, s, x, MOVEMENT, 0.6, False)
    confirm_allergy(p, s, x, 0.7)


@step
def clerk(p, s, m, x):
    """The examination on admission, if the person allows it."""
    if not chance(s, 0.9):
        return
    take_vital_signs(p, s, x)
    take_bloods(p, s, m, x)
    take_ecg(p, s, x, 0.8)
    ask_habits(p, s, x)
    confirm_allergy(p, s, x, 0.9)


@step
def check_whole_body(p, s, m, x):
    """The yearly physical health check, done in part."""
    emit_result(p, s, x, ANNUAL_CHECK, np.nan, False)
    take_vital_signs(p, s, x)
    if chance(s, 0.93):
        take_bloods(p, s, m, x)
    ask_habits(p, s, x)
    take_ecg(p, s, x, 0.6)
    tick(p, s, x, MOVEMENT, 0.5, False)
    confirm_allergy(p, s, x, 0.3)


@step
def begin_course(p, s, m, x, k):
    """The tests before a course of clozapine, lithium or an antiepileptic, on the day it started (ep127, ep128, ep135
    to ep138).

    Courses of established people began before the first day; registers still hold these tests, so they are ``kept``.
    """
    medicine = m[k].medicine
    if medicine < 0 or not (k == MOOD or (k == MAIN and medicine == CLOZAPINE)):
        return
    today, s.day = s.day, m[k].started
    if chance(s, 0.85):
        measure(p, s, x, WEIGHT, s.weight, 0.4, True)
    if medicine != CLOZAPINE and chance(s, 0.8):
        count_cells(p, s, x, True)
    if medicine != LITHIUM and chance(s, 0.8):
        measure(p, s, x, ALT, 24.0, 7.0, True)
    if medicine != VALPROATE and chance(s, 0.84):
        measure(p, s, x, EGFR, p.renal, 4.0, True)
        measure(p, s, x, SODIUM, 140.0, 2.0, True)
        measure(p, s, x, POTASSIUM, 4.3, 0.3, True)
    if medicine == CLOZAPINE:
        begin_clozapine(p, s, x)
    elif medicine == LITHIUM:
        if chance(s, 0.82):
            measure(p, s, x, TSH, 2.0, 0.6, True)
            measure(p, s, x, CALCIUM, 2.38, 0.07, True)
    elif medicine == VALPROATE:
        tick(p, s, x, CLOTTING, 0.75, True)
        if s.day >= TWO_SPECIALISTS_FROM:
            tick(p, s, x, TWO_SPECIALISTS, 0.75, True)
        sign_valproate_forms(p, s, x, 0.8)
    elif medicine in (LAMOTRIGINE, CARBAMAZEPINE):
        tick(p, s, x, RASH, 0.8, True)
    if p.childbearing == 1:
        tick(p, s, x, PREGNANCY, 0.7, True)
    s.day = today


@step
def begin_clozapine(p, s, x):
    if chance(s, 0.9):
        measure(p, s, x, QTC, 418.0, 13.0, True)
    if chance(s, 0.8):
        measure(p, s, x, HBA1C, 36.0 + 15.0 * p.diabetic, 3.0, True)
        measure(p, s, x, CHOLESTEROL, 4.5, 0.7, True)
    if chance(s, 0.6):
        measure(p, s, x, CRP, 4.0, 2.0, True)
    if chance(s, 0.5):
        measure(p, s, x, TROPONIN, 0.3, 0.1, True)
    tick(p, s, x, BOWEL, 0.8, True)
    tick(p, s, x, SMOKING_STATUS, 0.9, True)


@step
def sign_valproate_forms(p, s, x, share):
    """The annual risk form and contraception, for women who may become pregnant."""
    if p.childbearing == 1:
        tick(p, s, x, RISK_FORM, share, True)
        tick(p, s, x, CONTRACEPTION, share, True)


@step
def mark_injection(p, s, x, medicine):
    """An injection clinic's entry with the injection: sometimes the yearly review of it."""
    tick(p, s, x, LAI_REVIEW, 0.0025 * x.medicines[medicine].interval, False)
    if medicine == OLANZAPINE_EMBONATE:
        tick(p, s, x, POST_INJECTION, 0.98, False)


@step
def at_high_dose(m, x):
    """Near the top of the range, or two antipsychotics: the reviewer also checks the dose."""
    main = m[MAIN].medicine
    return m[SECOND].medicine >= 0 or (main >= 0 and m[MAIN].dose > 0.8 * x.medicines[main].high)


@step
def leave_marks(p, s, m, x, kind):
    """Results that a contact produces: scales at reviews and occasionally elsewhere, checks, allergies checked
    again."""
    review = kind == MEDICINES_REVIEW
    if chance(s, 0.75 if review else 0.03):
        measure_some(p, s, x, GASS, 6.0 + 14.0 * s.side_effects, 4.0, False, 0.85)
        tick(p, s, x, MOVEMENT, 0.8, False)
    if m[ANTIDEPRESSANT].medicine >= 0:
        tick(p, s, x, CLINICAL_REVIEW, 0.85 if kind in (MEDICINES_REVIEW, CARE_REVIEW) else 0.1, False)
    if kind == CARE_REVIEW:
        tick(p, s, x, ADHERENCE_REVIEW, 0.5, False)
        confirm_allergy(p, s, x, 0.3)
        if m[MOOD].medicine == VALPROATE:
            sign_valproate_forms(p, s, x, 0.4)
    elif review:
        emit_result(p, s, x, STRUCTURED_REVIEW, np.nan, False)
        tick(p, s, x, ADHERENCE_REVIEW, 0.85, False)
        tick(p, s, x, ANTICHOLINERGIC_REVIEW, 0.6, False)
        confirm_allergy(p, s, x, 0.7)
        if m[DEPOT].medicine >= 0:
            tick(p, s, x, LAI_REVIEW, 0.8, False)
        if at_high_dose(m, x):
            tick(p, s, x, HDAT_REVIEW, 0.8, False)
            take_ecg(p, s, x, 0.5)
        if m[MOOD].medicine == VALPROATE:
            sign_valproate_forms(p, s, x, 0.7)
