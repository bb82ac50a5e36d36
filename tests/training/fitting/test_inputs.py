"""What ``fit`` refuses, and what it says: names, values, labels and slices that no model can be fitted on."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from training.errors import NotEnoughData, ShapeError
from training.fitting.boosters import fit
from training.settings import TrainingSettings

ROWS = 3000
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(ROWS, 3)).astype(np.float32)
DAY = RNG.exponential(1 / np.exp(-5.5 + 0.9 * VALUES[:, 0]))
LABELS = pd.DataFrame({f"a_{days}": (days > DAY).astype(float) for days in (28, 90)})
TRAIN = np.arange(ROWS) < 2000
QUICK = TrainingSettings(trees=5, min_rows_in_leaf=20)


def try_to_fit(values=VALUES, names=("x", "y", "z"), labels=LABELS, train=TRAIN, calibration=~TRAIN):
    described = [SimpleNamespace(name=str(name), direction=0) for name in names]
    matrix = values if isinstance(values, pd.DataFrame) else SimpleNamespace(values=values, names=names)
    return fit(matrix, labels, train, calibration, {"a": (28, 90)}, QUICK, features=described)


def with_infinity():
    values = VALUES.copy()
    values[:50, 1] = np.inf
    return values


def events_between():
    """Labels of an event after 28 days and within 90: not within the whole horizon."""
    return LABELS.assign(a_90=((LABELS["a_90"] == 1) & (LABELS["a_28"] == 0)).astype(float))


def two_calibration_events():
    labels = LABELS.copy()
    labels.loc[~TRAIN] = 0.0
    labels.iloc[[2003, 2009]] = 1.0
    return labels


def test_a_matrix_and_a_frame_of_the_same_values_give_the_same_model():
    matrix, frame = try_to_fit(), try_to_fit(pd.DataFrame(VALUES, columns=["x", "y", "z"]))
    assert matrix.calibration["a"] == frame.calibration["a"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("x", "BMI, kg/m2", "z"), "'BMI, kg/m2'"),
        (("x", "test[0]", "z"), r"'test\[0\]'"),
        (("x", "x", "z"), "x stands for more than one column"),
        (("a b", "a_b", "z"), "'a b'"),
        (("x", "horizon_days", "z"), "horizon_days, which the model adds itself"),
        (("x", "", "z"), "''"),
        (("x", "y"), "2 names for 3 columns"),
    ],
)
def test_an_invalid_feature_name_is_refused_by_name(names, says):
    with pytest.raises(ShapeError, match=says):
        try_to_fit(names=names)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"values": with_infinity()}, "column y holds infinity"),
        ({"values": VALUES.astype(int)}, "float32 or float64"),
        ({"values": sparse.csr_matrix(VALUES)}, "toarray"),
        ({"values": pd.DataFrame({"x": ["a"] * ROWS, "y": 1.0, "z": 1.0})}, "columns x are not numbers"),
        ({"labels": events_between()}, "rows have an event of a within fewer days and none within 90"),
        ({"labels": LABELS * 2 - 1}, "neither 1 .event., 0 .none. nor missing"),
        ({"labels": LABELS.replace({0.0: "no"})}, "labels of a_28 are not numbers"),
        ({"train": np.flatnonzero(TRAIN)}, "`train` is of type int64: give a mask"),
        ({"calibration": ~TRAIN[:-1]}, r"`calibration` has shape \(2999,\) for 3000 rows"),
        ({"calibration": TRAIN}, "2000 rows are in the training and in the calibration slice"),
    ],
)
def test_input_that_no_model_can_be_fitted_on_is_refused(how, says):
    with pytest.raises(ShapeError, match=says):
        try_to_fit(**how)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"labels": two_calibration_events()}, "a has 2 rows with an event in the calibration slice"),
        ({"calibration": np.zeros(ROWS, dtype=bool)}, "No row is in the calibration slice"),
    ],
)
def test_a_slice_with_too_little_in_it_is_refused(how, says):
    with pytest.raises(NotEnoughData, match=says):
        try_to_fit(**how)
