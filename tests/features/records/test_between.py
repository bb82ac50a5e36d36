"""The records of neighbouring people are views, and say of each row whose it is."""

from __future__ import annotations

import numpy as np

from tests.tables import records

WEIGHTS = """
patient_id  test    taken_on    value  unit  known_on
anna        weight  2025-01-01  70     kg    2025-01-01
bede        weight  2025-01-01  80     kg    2025-01-01
bede        weight  2025-02-01  81     kg    2025-02-01
dora        weight  2025-01-01  90     kg    2025-01-01
"""
PEOPLE = """
patient_id
anna
bede
cora
dora
"""


def test_people_between_are_views_with_the_patient_of_each_row():
    every = records(patients=PEOPLE, results=WEIGHTS)
    part = every.between(1, 4).tables["results"]
    assert part.patient.tolist() == [0, 0, 2]
    assert part.patient.dtype == every.tables["results"].patient.dtype
    assert np.shares_memory(part.columns["value"], every.tables["results"].columns["value"])
    assert every.between(1, 4).between(1, 3).tables["results"].patient.tolist() == [1]
    assert every.between(0, 4).tables["teams"].patient.tolist() == every.tables["teams"].patient.tolist()


def test_the_patient_of_each_row_is_worked_out_only_when_asked_for():
    part = records(patients=PEOPLE, results=WEIGHTS).between(1, 4).tables["results"]
    assert "patient" not in vars(part)
    assert len(part.take(np.array([2]), part.patient[2:], 3)) == 1
