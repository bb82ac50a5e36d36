"""Hypothesis makes courses, results, circumstances and diagnoses; every schedule verb agrees with the slow rule of
due_or_done.py."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import CATALOGUE, Records, build
from tests.examples import examples
from tests.spec import due_or_done
from tests.spec.due_or_done import Case
from tests.spec.oracle import DAY, History, answer

FIRST = dt.date(2023, 3, 1)
days = st.integers(0, 1000).map(lambda n: FIRST + n * DAY) | st.just(dt.date(2024, 2, 29))
delays = st.sampled_from([0, 0, 0, 1, 2, 30]).map(lambda n: n * DAY)
FEATURES = tuple(f for f in CATALOGUE if f.verb in {rule.__name__ for rule in due_or_done.RULES})
MEDICINES = {
    "clozapine": ("clozapine", "ciprofloxacin", "clozapine", "clozapine"),
    "lithium": ("lithium", "ibuprofen", "lithium", "furosemide"),
    "antipsychotics": ("olanzapine", "haloperidol", "amisulpride", "quetiapine", "procyclidine"),
    "others": ("valproate", "carbamazepine", "sertraline", "venlafaxine", "methadone", "agomelatine", "lorazepam"),
}
VALUES = {
    "wbc": ("10^9/L", [2.4, 2.9, 3.2, 3.5, 6.0]),
    "anc": ("10^9/L", [0.9, 1.2, 1.7, 2.0, 4.0]),
    "lithium_level": ("mmol/L", [0.5, 0.8, 0.9]),
    "egfr": ("mL/min/1.73m2", [50.0, 60.0, 90.0]),
    "sodium": ("mmol/L", [134.0, 135.0, 140.0]),
    "tsh": ("mU/L", [2.0, 4.5]),
    "calcium_adjusted": ("mmol/L", [2.3, 2.6]),
    "potassium": ("mmol/L", [3.4, 3.5]),
    "weight": ("kg", [70.0]),
    "hba1c": ("mmol/mol", [40.0]),
    "lft": (None, [None]),
    "ecg_qtc": (None, [None]),
    "side_effect_scale": (None, [None]),
}


@st.composite
def supplies(draw, group):
    """One to three runs of back-to-back supplies with days missed between them, as courses are."""
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        medicine, day = draw(st.sampled_from(MEDICINES[group])), draw(days)
        length = draw(st.sampled_from([7, 28, 84, None]))
        for _ in range(draw(st.integers(1, 6))):
            rows.append(
                {
                    "medicine": medicine,
                    "supplied_on": day,
                    "days_supplied": length,
                    "kind": draw(st.sampled_from(["dispensed", "dispensed", "prescribed", None])),
                    "daily_dose_mg": draw(st.sampled_from([20.0, 150.0, 1200.0, None])),
                    "as_required": False,
                    "known_on": day + draw(delays),
                }
            )
            if draw(st.integers(0, 4)):  # else the next row is of the same day
                day += ((length or 28) + draw(st.sampled_from([0, 0, -3, 3, 4, 5, 28, 29, 90, 91]))) * DAY
    return rows


@st.composite
def results(draw):
    test, day = draw(st.sampled_from(list(VALUES))), draw(days)
    unit, values = VALUES[test]
    value = draw(st.sampled_from(values))
    return {"test": test, "taken_on": day, "value": value, "unit": unit, "known_on": day + draw(delays)}


@st.composite
def circumstances(draw):
    kind, values = draw(
        st.sampled_from(
            [
                ("smoking", ["smoker", "ex_smoker", "no"]),
                ("infection", ["pneumonia", "no"]),
                ("clozapine_service", ["CPMS", "ZTAS", "elsewhere"]),
                ("clozapine_interval", ["weekly", "Fortnightly", "monthly"]),
                ("benign_ethnic_neutropenia", ["registered", "no"]),
                ("childbearing_potential", ["yes", "no", "unclear"]),
            ]
        )
    )
    day = draw(days)
    return {"kind": kind, "value": draw(st.sampled_from(values)), "from_on": day, "known_on": day + draw(delays)}


@st.composite
def conditions(draw):
    day = draw(days)
    code = draw(st.sampled_from(["F20.0", "I25.1", "E03.9", "Z99"]))
    return {
        "category": draw(st.sampled_from(["diagnosis", "diagnosis", "allergy"])),
        "system": "icd10",
        "code": code,
        "recorded_on": day,
        "known_on": day + draw(delays),
    }


@st.composite
def stays(draw):
    day = draw(days)
    left = draw(st.none() | st.integers(0, 60).map(lambda n: day + n * DAY))
    told = None if left is None else left + draw(delays)
    return {
        "admitted_on": day,
        "discharged_on": left,
        "method": "emergency",
        "known_on": day + draw(delays),
        "discharge_known_on": told,
    }


def records(draw, group: str) -> Records:
    person = {
        "patient_id": "anna",
        "birth_date": draw(st.sampled_from([dt.date(1950, 2, 28), dt.date(1969, 2, 1), dt.date(1999, 7, 1), None])),
        "sex": draw(st.sampled_from(["male", "female", None])),
    }
    opened = draw(st.none() | days)
    rows = {
        "patients": [person],
        "supplies": draw(supplies(group)),
        "results": draw(st.lists(results(), max_size=8)),
        "circumstances": draw(st.lists(circumstances(), max_size=4)),
        "conditions": draw(st.lists(conditions(), max_size=3)),
        "stays": draw(st.lists(stays(), max_size=1)),
        "referrals": [] if opened is None else [{"referral_id": "r1", "team_id": "t1", "opened_on": opened}],
    }
    frames = {name: pd.DataFrame(found).assign(patient_id="anna") for name, found in rows.items() if found}
    for name, frame in frames.items():  # a row given twice is set aside, whatever day it was known
        frames[name] = frame.drop_duplicates([column for column in frame if column != "known_on"])
    made = Records.from_frames(frames, today=dt.date(2030, 1, 1))
    unexpected = made.quarantine[~made.quarantine["reason"].str.startswith("a word that is not understood")]
    assert not len(unexpected), unexpected.to_string()
    return made


@pytest.mark.parametrize("group", list(MEDICINES))
@settings(
    max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_what_is_due_agrees_with_the_slow_rule(group, data):
    made = records(data.draw, group)
    dates = data.draw(st.lists(days, min_size=2, max_size=4, unique=True), label="as_of")
    # and the days around what fell due: the edges of every window
    history = History(made)
    dues = [o.due for o in Case(history, "anna", max(dates)).everything if o.due is not None]
    dates = sorted({*dates, *(due + n * DAY for due in sorted(set(dues))[:2] for n in (0, 1))})
    spine = pd.DataFrame({"patient_id": "anna", "as_of": dates})
    matrix = build(made, spine, list(FEATURES), threads=1)
    for row, as_of in enumerate(dates):
        for column, feature in enumerate(FEATURES):
            np.testing.assert_allclose(
                matrix.values[row, column],
                np.float32(answer(feature, history, "anna", as_of)),
                atol=1e-6,
                err_msg=f"{feature.name} on {as_of}",
            )


def test_every_condition_of_the_protocols_has_a_slow_rule():
    from features.reference import PROTOCOLS

    case = Case(History(Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]})})), "anna", FIRST)
    answers = {due_or_done.applies(case, row) for row in PROTOCOLS if "component of fbc" not in row.applies_if}
    assert answers <= {due_or_done.YES, due_or_done.NO, due_or_done.CANNOT_SAY}
    assert due_or_done.CANNOT_SAY in answers, "of somebody about whom nothing is recorded"
