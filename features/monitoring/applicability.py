"""Conditions of the monitoring protocols: for each person and day, whether a condition applies, does not apply, or
cannot be assessed.

Every text of ``applies_if`` is listed here or refused, so a new protocol row cannot be skipped silently.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from features.kernels.schedule import APPLIES, CANNOT_ASSESS, DOES_NOT
from features.monitoring.situation import Answers, Situation, known_if
from features.reference import high_limit

SODIUM_LOW, POTASSIUM_LOW = high_limit("th047"), high_limit("th055")


def _always(s: Situation) -> Answers:
    return np.full(len(s.person), APPLIES, np.int8)


def _never_known(s: Situation) -> Answers:
    return np.full(len(s.person), CANNOT_ASSESS, np.int8)


def _smi(s: Situation) -> Answers:
    return known_if(s.diagnosed("smi"))


def _sodium(s: Situation) -> Answers:
    """Age 65 or over, a diuretic, or a sodium ever below the normal range (th047)."""
    yes = (s.age >= 65) | s.current("diuretic") | (s.result("sodium", lowest=True) < SODIUM_LOW)
    return np.where(yes, APPLIES, np.where(np.isnan(s.age), CANNOT_ASSESS, DOES_NOT)).astype(np.int8)


def _under_55(s: Situation) -> Answers:
    return np.where(np.isnan(s.age), CANNOT_ASSESS, np.where(s.age < 55, APPLIES, DOES_NOT)).astype(np.int8)


def _young(s: Situation) -> Answers:
    """Age 18 to 25 applies. The other half of the condition cannot be assessed by this service."""
    return known_if((s.age >= 18) & (s.age < 26))


def _cardiac_or_qt(s: Situation) -> Answers:
    yes = (s.cardiac == APPLIES) | (s.regimen("qt_medicines") >= 2) | (s.result("potassium") < POTASSIUM_LOW)
    return known_if(yes)


def _cardiac_older_high(s: Situation) -> Answers:
    return known_if((s.cardiac == APPLIES) | (s.age >= 65))


def _inpatient_or_cardiac(s: Situation) -> Answers:
    stays = s.p.records.columns("stays")
    row = s.latest(s.p.events("stays", "", lambda: np.ones(len(stays["admitted_on"]), bool)))
    over = np.zeros(len(row), bool)
    if len(stays["admitted_on"]):
        over = (stays["discharged_on"][row] < s.as_of) & (stays["discharge_known_on"][row] < s.as_of)
    return known_if((s.cardiac == APPLIES) | ((row >= 0) & ~over))


def _methadone(s: Situation) -> Answers:
    row = s.latest(s.p.supplies("methadone"))
    dose = np.where(row >= 0, s.p.regimen.dose_mg_a_day[row] if len(s.p.regimen.day) else np.nan, np.nan)
    yes = (dose > 100) | (s.regimen("qt_medicines") >= 2)
    return np.where(yes, APPLIES, np.where(np.isnan(dose), CANNOT_ASSESS, DOES_NOT)).astype(np.int8)


CONDITIONS: dict[str, Callable[[Situation], Answers]] = {
    "": _always,
    "until stable": _always,
    "amber result": _always,
    "red result": _always,
    "clozapine stopped": _always,
    "break >72 h (DMS, ZTAS) or >96 h (CPMS)": _always,
    "continuous use over 28 days": _always,
    "continuous use over 3 months": _always,
    "sum of ACB scores >=3": _always,
    "total >100% of BNF maximum": _always,
    "dose change, formulation change or interacting medicine started or stopped": _always,
    (
        "stopped or reduced smoking, switched to e-cigarette, pneumonia or serious infection, interacting medicine, "
        "suspected toxicity"
    ): _always,
    "on GP SMI register": _smi,
    "not high risk": lambda s: np.where(s.lithium_high_risk == APPLIES, DOES_NOT, APPLIES).astype(np.int8),
    (
        "age >=65; interacting medicine; renal or thyroid risk; raised calcium; poor adherence or symptom control; "
        "last level >=0.8; sodium or fluid change; pregnancy"
    ): lambda s: s.lithium_high_risk,
    "childbearing potential": lambda s: s.childbearing,
    "childbearing potential; also advise males and partners": lambda s: s.childbearing,
    "female of childbearing potential": lambda s: s.childbearing,
    "age under 55, new start any sex": _under_55,
    "age >=65, diuretic or previous hyponatraemia": _sodium,
    "age 18 to 25 or suicide risk": _young,
    "cardiovascular disease or risk factors": lambda s: s.cardiac,
    "cardiac risk or interacting medicine": _cardiac_or_qt,
    "cardiac disease, electrolyte disturbance or QT-prolonging medicine": _cardiac_or_qt,
    "cardiac disease, older age or high dose": _cardiac_older_high,
    "SmPC requirement, cardiovascular risk or history, or inpatient": _inpatient_or_cardiac,
    "symptoms or history of thyroid disease": lambda s: known_if(s.diagnosed("thyroid")),
    "dose >100 mg daily or QT risk factors": _methadone,
    "toxicity, interaction or adherence concern": _never_known,
    "Han Chinese or Thai ancestry": _never_known,
}
"""Each text of ``applies_if`` and its assessment. ``_always`` if the phase or the scope already implies it."""
UNCONDITIONAL = frozenset(text for text, assess in CONDITIONS.items() if assess is _always)
