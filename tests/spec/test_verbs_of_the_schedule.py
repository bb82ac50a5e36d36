"""What the features of the schedule say of one person's items, as a small table."""

from __future__ import annotations

import numpy as np
import pytest

from features.kernels import schedule

AS_OF, GRACE = 30, 7
DUE = np.array([[10, 28, 40]], np.int32)  # the third is not due yet; the second is due, and in its days of grace


@pytest.mark.parametrize(
    ("verb", "test_of", "expected"),
    [
        (schedule.DAYS_PAST_DUE, [0, 1, 2], 20),  # the earliest counts
        (schedule.TESTS_DUE, [0, 1, 2], 2),
        (schedule.TESTS_OVERDUE, [0, 1, 2], 1),
        (schedule.COMPLETE_SHARE, [0, 1, 2], 2 / 3),
        (schedule.TESTS_DUE, [0, 0, 2], 1),  # one test that two items ask for counts once
        (schedule.TESTS_UNSURE, [0, 1, 2], 0),
    ],
)
def test_one_feature_of_three_items(verb, test_of, expected):
    out = np.empty((1, 1), np.float32)
    schedule.verbs_kernel(
        DUE, np.zeros((1, 3), np.int16), np.zeros((1, 3), np.bool_), np.ones(1, np.bool_), np.zeros(1, np.int8),
        np.array([GRACE], np.int32), np.array(test_of, np.int32), np.array([verb], np.int64), np.zeros(1, np.int64),
        np.array([0, 1, 2, 3]), np.zeros(3, np.int64), np.array([AS_OF], np.int32), np.zeros(1, np.int64),
        np.zeros(1, np.int64), out,
    )  # fmt: skip
    assert out[0, 0] == pytest.approx(expected)
