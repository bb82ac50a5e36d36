"""Who a person is: traits drawn once, in order, from the person's own stream (shares: ``epidemiology.csv`` ep159 to
ep212)."""

from __future__ import annotations

import numpy as np

from training.simulator.jit import making, step
from training.simulator.random import aside, chance, normal, pick, uniform, whole
from training.simulator.state import (
    BIPOLAR,
    BLACK,
    DEPRESSION,
    OTHER_PSYCHOSIS,
    PERSONALITY,
    SCHIZOPHRENIA,
)

ETHNIC_SHARES = np.array([0.74, 0.06, 0.08, 0.065, 0.02, 0.015, 0.02])
DIAGNOSIS_SHARES = np.array([0.38, 0.08, 0.12, 0.25, 0.10, 0.07])
ALLERGY_SHARES = np.array([0.74, 0.14, 0.07, 0.05])
DEPRIVATION_SHARES = np.array([0.17, 0.15, 0.13, 0.115, 0.10, 0.09, 0.08, 0.065, 0.055, 0.045])
BURN_IN_DAYS = 400
LITHIUM_CARE = 71
"""Salt of a trait drawn beside the stream."""
RECALLED, HALF_YEARLY = 0.42, 0.17
"""Shares of people whose lithium is tested every three months on recall, and every half year after the first. The
others have a level about once a year; their kidney, thyroid and calcium results mostly stay with the GP."""


@step
def deprived(p):
    """1 for somebody who lives in one of the two most deprived tenths of areas."""
    return 1.0 if p.deprivation <= 2 else 0.0


@step
def well_kept(p):
    return p.lithium_care < RECALLED + HALF_YEARLY


@step
def draw_calendar(p, s, x, years):
    """Initial caseload or arrival. The numbers depend only on the turnover, so the caseload stays roughly steady."""
    initial = chance(s, 1.0 / (1.0 + x.world.arrivals_per_year * years))
    arrival = x.first_day + int(uniform(s) * (x.last_day - x.first_day + 1))
    since = int(-1300.0 * np.log(1.0 - uniform(s))) + 30
    p.initial = 1 if initial else 0
    if initial:
        p.referred_on = x.first_day - min(since, 7300)
        p.starts_on = max(x.first_day - BURN_IN_DAYS, p.referred_on)
    else:
        p.referred_on = arrival
        p.starts_on = arrival
    p.established = 1 if (initial and since > 90) or chance(s, 0.6) else 0


@step
def draw_demography(p, s):
    age = 43.0 + 14.5 * normal(s)
    while age < 18.5 or age > 88.0:
        age = 43.0 + 14.5 * normal(s)
    p.born_on = p.referred_on - int(age * 365.25)
    p.sex = 1 if chance(s, 0.525) else 0
    p.ethnicity = pick(s, ETHNIC_SHARES)
    p.deprivation = 1 + pick(s, DEPRIVATION_SHARES)
    u = uniform(s)
    p.learning_disability = 0 if u < 0.022 else (1 if u < 0.032 else 2)
    u = uniform(s)
    p.autism = 0 if u < 0.025 else (1 if u < 0.042 else 2)
    p.interpreter = 1 if chance(s, 0.015 if p.ethnicity == 0 else 0.12) else 0
    p.young = 1.0 if age < 35.0 else 0.0
    p.childbearing = 1 if p.sex == 0 and age < 52.0 and chance(s, 0.85) else 0
    p.ben = 1 if p.ethnicity == BLACK and chance(s, 0.3) else 0
    p.clozapine_service = whole(s, 0, 2)
    p.allergy = pick(s, ALLERGY_SHARES)
    p.diabetic = 1 if chance(s, 0.12) else 0
    p.height = 1.62 + 0.13 * p.sex + 0.07 * normal(s)
    p.weight = max(16.5, 28.5 + 5.5 * normal(s)) * p.height * p.height
    p.renal = 96.0 - 0.55 * max(0.0, age - 30.0) + 9.0 * normal(s)


@step
def draw_mind(p, s, x):
    """Traits that no record holds, given the recorded ones: severity, insight, side effects, substance use."""
    w = x.world
    p.severity = w.severity_spread * normal(s) - 0.1
    if p.diagnosis == SCHIZOPHRENIA:
        p.severity += 0.15
    if p.diagnosis == DEPRESSION:
        p.severity -= 0.15
    if p.diagnosis == PERSONALITY:
        p.severity += 0.25
    p.insight = normal(s) + (0.4 if p.diagnosis >= BIPOLAR else -0.2)
    p.sensitivity = np.exp(0.45 * normal(s) - 0.1)
    prone = chance(s, 0.44 + w.substance_young_men * p.young * p.sex)
    p.substance = 2.0 * np.exp(0.5 * normal(s)) if prone else 0.12


@step
def draw_habits(p, s, x):
    """Traits that no record holds: own levels of taking tablets and of coming to contacts."""
    w = x.world
    p.adherence = w.adherence_level + w.adherence_spread * normal(s) + w.adherence_carer * p.has_carer
    p.adherence -= w.adherence_young * p.young + w.adherence_deprived * deprived(p)
    p.engagement = w.engagement_level + w.engagement_spread * normal(s) - w.engagement_young * p.young
    p.engagement -= w.engagement_living_alone * p.living_alone + w.engagement_deprived * deprived(p)


@step
def draw_illness(p, s, x):
    p.diagnosis = pick(s, DIAGNOSIS_SHARES)
    draw_mind(p, s, x)
    p.living_alone = 1 if chance(s, 0.4) else 0
    p.has_carer = 1 if p.living_alone == 0 and chance(s, 0.45) else 0
    p.employed = 1 if chance(s, 0.09) else 0
    years_ill = max(0.2, -6.0 * np.log(1.0 - uniform(s)))
    p.diagnosed_on = p.referred_on - int(min(years_ill, 25.0) * 365.25 * (0.3 if p.initial == 0 else 1.0))
    p.diagnosed_on = max(p.diagnosed_on, p.born_on + 6000)
    draw_habits(p, s, x)


@making
def draw_team(p, s, x):
    """A team that takes the person: early intervention takes young people with psychosis, others take anyone."""
    teams = x.teams
    early = p.young > 0.0 and p.diagnosis <= OTHER_PSYCHOSIS and chance(s, 0.6)
    shares = np.ones(len(teams))
    for t in range(len(teams)):
        if teams[t].early_intervention == 1:
            shares[t] = 1.0 if early else 0.0
        elif early:
            shares[t] = 0.0
    if shares.sum() == 0.0:
        shares[:] = 1.0
    p.home_team = pick(s, shares)
    p.interpreter_met = 1 if chance(s, teams[p.home_team].interpreter) else 0
    p.adjustment_met = 1 if chance(s, 0.5) else 0


@step
def draw_person(p, s, x, years):
    """Fill the traits ``p`` (docs/simulator.md), from the stream of ``s``."""
    draw_calendar(p, s, x, years)
    draw_demography(p, s)
    draw_illness(p, s, x)
    draw_team(p, s, x)
    p.lithium_care = aside(s, LITHIUM_CARE)
