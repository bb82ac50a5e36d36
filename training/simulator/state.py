"""Shapes shared by compiled and ordinary code: the person, the daily state, medicine slots, teams, and the one row
that every event is written to.

Codes of contacts, outcomes, routes and closures are positions in the vocabularies of ``features.records.tables``, so
they cannot drift apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.records.tables import (
    ADMISSION_METHODS,
    CLOSE_REASONS,
    CONTACT_KINDS,
    LEGAL_STATUSES,
    MODES,
    OUTCOMES,
    PRESCRIBERS,
    SUPPLY_KINDS,
    WARDS,
)

NONE = 2**31 - 1
"""A day that has not come (features.records.days.NO_DAY)."""

# tables an event row may belong to
CONTACTS, SUPPLIES, RESULTS, STAYS, REFERRALS, CIRCUMSTANCES, CONDITIONS = range(7)

KIND = {name: i for i, name in enumerate(CONTACT_KINDS)}
ROUTINE, ASSESSMENT, MEDICINES_REVIEW, CARE_REVIEW = (
    KIND["routine"],
    KIND["assessment"],
    KIND["medicines_review"],
    KIND["care_review"],
)
PHYSICAL, DEPOT_CLINIC, CLOZAPINE_CLINIC = KIND["physical_health"], KIND["depot_clinic"], KIND["clozapine_clinic"]
FOLLOW_UP, OUTREACH, CRISIS, LIAISON = (
    KIND["follow_up_after_discharge"],
    KIND["outreach"],
    KIND["crisis"],
    KIND["liaison"],
)
PLACE_OF_SAFETY, CARER = KIND["place_of_safety"], KIND["carer"]

FACE_TO_FACE, VIDEO, TELEPHONE, TEXT = (MODES.index(m) for m in ("face_to_face", "video", "telephone", "text"))
ATTENDED, MISSED, CANCELLED_PATIENT, CANCELLED_SERVICE, PLANNED = range(5)
assert OUTCOMES == ("attended", "did_not_attend", "cancelled_by_patient", "cancelled_by_service", "planned")

PRESCRIBED, DISPENSED, ADMINISTERED = (SUPPLY_KINDS.index(k) for k in ("prescribed", "dispensed", "administered"))
TRUST, GP = PRESCRIBERS.index("trust"), PRESCRIBERS.index("gp")
EMERGENCY, ELECTIVE, TRANSFERRED_IN = (ADMISSION_METHODS.index(m) for m in ("emergency", "planned", "transfer"))
ACUTE, OLDER_ADULT, PICU, REHABILITATION = (WARDS.index(w) for w in ("acute", "older_adult", "picu", "rehabilitation"))
INFORMAL, SECTION_2, SECTION_3 = (LEGAL_STATUSES.index(s) for s in ("informal", "section_2", "section_3"))
PLANNED_END, CLOSED_MISSED, CLOSED_REFUSED, CLOSED_TRANSFERRED, CLOSED_MOVED, CLOSED_DIED = (
    CLOSE_REASONS.index(r) for r in ("planned_end", "did_not_attend", "refused", "transferred", "moved_away", "died")
)

# diagnoses
DIAGNOSES = (
    ("F20.0", "paranoid schizophrenia"),
    ("F25.9", "schizoaffective disorder, unspecified"),
    ("F29", "unspecified nonorganic psychosis"),
    ("F31.9", "bipolar affective disorder, unspecified"),
    ("F32.3", "severe depressive episode with psychotic symptoms"),
    ("F60.3", "emotionally unstable personality disorder"),
)
SCHIZOPHRENIA, SCHIZOAFFECTIVE, OTHER_PSYCHOSIS, BIPOLAR, DEPRESSION, PERSONALITY = range(6)
ETHNICITIES = ("white_british", "other_white", "asian", "black", "mixed", "other", "not_stated")
BLACK = ETHNICITIES.index("black")

# where a person is
COMMUNITY, INPATIENT, CLOSED, GONE, AWAY = range(5)

# medicine slots of a person
MAIN, DEPOT, MOOD, ANTIDEPRESSANT, ANTICHOLINERGIC, SEDATIVE, SECOND, OTHER = range(8)
SLOTS = 8

# circumstances: what an event row of that table says
CIRCUMSTANCE = (
    "housing",
    "employment",
    "interpreter",
    "language",
    "smoking",
    "carer",
    "living_alone",
    "substance_use",
    "care_coordinator",
    "clozapine_service",
    "benign_ethnic_neutropenia",
    "childbearing_potential",
    "community_treatment_order",
    "reported_missed_doses",
    "reasonable_adjustment",
    "infection",
)
(
    HOUSING,
    EMPLOYMENT,
    INTERPRETER,
    LANGUAGE,
    SMOKING,
    HAS_CARER,
    LIVING_ALONE,
    SUBSTANCE_USE,
    COORDINATOR,
    CLOZAPINE_SERVICE,
    BEN,
    CHILDBEARING,
    CTO,
    MISSED_DOSES,
    ADJUSTMENT,
    INFECTION,
) = range(16)

TESTS = (
    ("wbc", "10^9/L"),
    ("anc", "10^9/L"),
    ("platelets", "10^9/L"),
    ("clozapine_level", "mg/L"),
    ("lithium_level", "mmol/L"),
    ("egfr", "mL/min/1.73m2"),
    ("sodium", "mmol/L"),
    ("potassium", "mmol/L"),
    ("calcium", "mmol/L"),
    ("tsh", "mU/L"),
    ("alt", "U/L"),
    ("hba1c", "mmol/mol"),
    ("total_cholesterol", "mmol/L"),
    ("weight", "kg"),
    ("bmi", "kg/m2"),
    ("systolic_bp", "mmHg"),
    ("diastolic_bp", "mmHg"),
    ("pulse", "bpm"),
    ("qtc", "ms"),
    ("prolactin", "mIU/L"),
    ("gass_total", "score 0-63"),
    ("smoking_status", ""),
    ("alcohol_status", ""),
    ("adherence_review", ""),
    ("structured_medication_review", ""),
    ("annual_physical_health_check", ""),
    ("constipation_check", ""),
    ("movement_disorder_check", ""),
    ("crp", "mg/L"),
    ("troponin", "x ULN"),
    ("temperature", "C"),
    ("waist", "cm"),
    ("clinical_review", ""),
    ("lai_review", ""),
    ("hdat_review", ""),
    ("anticholinergic_review", ""),
    ("rash_check", ""),
    ("post_injection_observation", ""),
    ("bowel_function", ""),
    ("clotting", ""),
    ("pregnancy_status", ""),
    ("contraception_status", ""),
    ("annual_risk_acknowledgement", ""),
    ("two_specialist_agreement", ""),
)
TEST = {name: i for i, (name, _) in enumerate(TESTS)}

PERSON = np.dtype(
    [
        ("index", "i8"),
        ("starts_on", "i8"),  # first simulated day
        ("referred_on", "i8"),  # first referral opened
        ("born_on", "i8"),
        ("initial", "i8"),  # on the caseload on the first day
        ("established", "i8"),  # already treated on the first day
        ("sex", "i8"),
        ("ethnicity", "i8"),
        ("deprivation", "i8"),
        ("learning_disability", "i8"),
        ("autism", "i8"),
        ("diagnosis", "i8"),
        ("interpreter", "i8"),
        ("interpreter_met", "i8"),
        ("adjustment_met", "i8"),
        ("living_alone", "i8"),
        ("has_carer", "i8"),
        ("employed", "i8"),
        ("childbearing", "i8"),
        ("ben", "i8"),
        ("clozapine_service", "i8"),
        ("lithium_care", "f8"),  # whose tests are recalled (care.lithium)
        ("allergy", "i8"),  # row of recording.ALLERGY_ROWS
        ("diabetic", "i8"),
        ("diagnosed_on", "i8"),
        ("home_team", "i8"),
        ("severity", "f8"),  # own level
        ("insight", "f8"),
        ("adherence", "f8"),
        ("engagement", "f8"),
        ("substance", "f8"),  # multiplies the start of episodes; 0 for many
        ("sensitivity", "f8"),  # to side effects
        ("height", "f8"),
        ("weight", "f8"),
        ("renal", "f8"),
        ("young", "f8"),
    ],
    align=True,
)

STATE = np.dtype(
    [("key", "u8"), ("counter", "u8")]
    + [
        (name, "f8")
        for name in (
            "severity",
            "insight",
            "adherence",
            "engagement",
            "side_effects",
            "protection",
            "missed",
            "support",
            "taken",
            "complexity",
            "weight",
            "push",
            "lift",
        )
    ]
    + [
        (name, "i8")
        for name in (
            "day",
            "recording",
            "rows",
            "status",
            "relapse",
            "substance",
            "withdrawn",
            "stopped",
            "homeless",
            "smoker",
            "cto",
            "referral",
            "opened_on",
            "team",
            "staff",
            "next_contact",
            "booked_on",
            "next_kind",
            "next_mode",
            "last_attended",
            "silent_from",
            "offers",
            "fails",
            "silence_told",
            "care_review_on",
            "medicines_review_on",
            "physical_on",
            "physical_booked",
            "depot_visit",
            "depot_booked",
            "depot_due",
            "depot_last",
            "depot_fails",
            "blood_visit",
            "blood_booked",
            "weekly_until",
            "neutropenia_until",
            "lithium_on",
            "thyroid_on",
            "admitted_on",
            "leaves_on",
            "stay_method",
            "stay_ward",
            "stay_legal",
            "discharged_on",
            "admissions",
            "trials",
            "switched_on",
            "last_unplanned",
            "disengaged_on",
            "exited_on",
            "died_on",
            "substance_known",
            "missed_known",
        )
    ],
    align=True,
)

SLOT = np.dtype(
    [
        ("medicine", "i8"),
        ("started", "i8"),
        ("due", "i8"),
        ("as_required", "i8"),
        ("prescriber", "i8"),
        ("dose", "f8"),
        ("stock", "f8"),
    ],
    align=True,
)

TEAM = np.dtype(
    [
        ("early_intervention", "i8"),
        ("older", "i8"),
        ("cadence", "f8"),
        ("outreach", "f8"),
        ("bloods", "f8"),
        ("physical", "f8"),
        ("closing", "f8"),
        ("interpreter", "f8"),
        ("reviews", "f8"),
        ("stability", "f8"),
        ("shock_key", "u8"),
    ],
    align=True,
)

EVENT = np.dtype(
    [
        ("person", "i4"),
        ("day", "i4"),
        ("day2", "i4"),
        ("number", "i4"),
        ("x", "f4"),
        ("y", "f4"),
        ("table", "i1"),
        ("a", "i1"),
        ("b", "i1"),
        ("c", "i1"),
    ]
)


class Setting(NamedTuple):
    """What every step of the simulation may read besides the person: the world's numbers, medicines, teams, calendar,
    the event rows, and the reviews that a list brought: int64 (rows, 2) of person and day, sorted.
    """

    world: np.ndarray
    medicines: np.ndarray
    teams: np.ndarray
    first_day: int
    last_day: int
    events: np.ndarray
    reviews: np.ndarray
