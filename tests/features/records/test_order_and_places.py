"""Whether rows already lie in order, and where in the records the people of a spine are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import Records
from features.records.kernels import in_order


@pytest.mark.parametrize(
    ("patient", "day", "known", "expected"),
    [
        ([0, 0, 1], [5, 6, 1], [9, 8, 1], True),
        ([1, 0], [1, 1], [1, 1], False),
        ([0, 0], [6, 5], [1, 1], False),
        ([0, 0], [5, 5], [9, 8], False),
        ([0, 0], [5, 5], [8, 8], True),
    ],
)
def test_rows_are_in_order_by_patient_then_day_then_the_day_they_were_known(patient, day, known, expected):
    assert in_order(*(np.array(column, np.int32) for column in (patient, day, known))) is expected


def test_each_row_of_a_spine_finds_its_person_however_often_it_is_named():
    records = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna", "bede", "cuth"]})})
    for wanted, expected in (
        (["anna", "bede", "cuth"], [0, 1, 2]),
        (["anna", "anna", "bede", "cuth", "cuth", "cuth"], [0, 0, 1, 2, 2, 2]),
        (["cuth", "anna", "anna", "nobody", None, "cuth"], [2, 0, 0, -1, -1, 2]),
    ):
        assert records.positions(pa.array(wanted, pa.large_string())).tolist() == expected
        assert records.positions(pa.chunked_array([pa.array(wanted, pa.string())] * 2)).tolist() == expected * 2
