"""Boosters over stacked horizons: the horizon only raises, directions hold, and the same input gives the same trees."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.calibration import Calibration
from models.errors import CalibrationError
from training.errors import NotEnoughData, ShapeError
from training.fitting.boosters import fit, without_calibration
from training.settings import TrainingSettings

HORIZONS = {"admission": (28, 90)}
SETTINGS = TrainingSettings(trees=40, learning_rate=0.1, min_rows_in_leaf=20, l2=1.0, feature_fraction=1.0)
FEATURES = [
    SimpleNamespace(name=name, direction=direction) for name, direction in (("gap", 1), ("covered", -1), ("noise", 0))
]


def made_up(rows=3000, seed=0):
    """Risk rises with the first column, falls with the second; a third of the first is missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 3)).astype(np.float32)
    hazard = np.exp(-5.5 + 0.9 * values[:, 0] - 0.6 * values[:, 1])
    day = rng.exponential(1 / hazard)
    values[rng.random(rows) < 0.3, 0] = np.nan
    labels = pd.DataFrame({f"admission_{h}": (day < h).astype(float) for h in (28, 90)})
    labels.loc[: rows // 20, "admission_90"] = np.nan
    train = np.arange(rows) < rows * 2 // 3
    return SimpleNamespace(values=values, names=("gap", "covered", "noise")), labels, train, ~train


def test_any_matrix_and_labels_can_be_fitted_and_the_mean_probability_is_right():
    matrix, labels, train, later = made_up()
    fitted = fit(matrix, labels, train, later, HORIZONS, SETTINGS, features=FEATURES)
    probability = fitted.probabilities(matrix.values[later])["admission"]
    for column, horizon in enumerate((28, 90)):
        known = labels[f"admission_{horizon}"].to_numpy()[later]
        assert probability[:, column].mean() == pytest.approx(np.nanmean(known), rel=0.1)


def test_a_longer_horizon_never_carries_less_risk_and_known_directions_hold():
    fitted = fit(*made_up(), HORIZONS, SETTINGS, features=FEATURES)
    probe = np.random.default_rng(1).normal(size=(2000, 3)).astype(np.float32)
    probability = fitted.probabilities(probe)["admission"]
    assert (probability[:, 1] >= probability[:, 0]).all()
    for column, sign in ((0, 1), (1, -1)):
        more = probe.copy()
        more[:, column] += 1
        assert (sign * (fitted.probabilities(more)["admission"] - probability) >= -1e-12).all()


def test_the_same_input_gives_the_same_trees_on_any_number_of_threads():
    one, two = (
        fit(*made_up(), HORIZONS, SETTINGS.model_copy(update={"threads": n}), features=FEATURES) for n in (1, 2)
    )
    assert one.boosters["admission"].model_to_string() == two.boosters["admission"].model_to_string()
    assert one.calibration == two.calibration


def test_too_few_events_are_refused_with_their_number():
    matrix, labels, train, later = made_up()
    few = labels.where(labels != 1, 0)
    few.iloc[:5] = 1
    with pytest.raises(NotEnoughData, match="admission has 10 events in"):
        fit(matrix, few, train, later, HORIZONS, SETTINGS, features=FEATURES)
    with pytest.raises(NotEnoughData, match="admission has 0 rows with an event in the calibration slice"):
        fit(matrix, labels.where(pd.Series(train), 0.0), train, later, HORIZONS, SETTINGS, features=FEATURES)


def test_what_does_not_fit_together_is_refused():
    matrix, labels, train, later = made_up()
    with pytest.raises(ShapeError, match="2999 rows of labels and 3000 rows of features"):
        fit(matrix, labels.iloc[1:], train, later, HORIZONS, SETTINGS, features=FEATURES)
    with pytest.raises(ShapeError, match="lack admission_180"):
        fit(matrix, labels, train, later, {"admission": (28, 180)}, SETTINGS, features=FEATURES)
    with pytest.raises(ShapeError, match="not the columns of the matrix"):
        fit(matrix, labels, train, later, HORIZONS, SETTINGS, features=FEATURES[::-1])
    with pytest.raises(ShapeError, match="gap, covered, noise are not in the catalogue"):
        fit(matrix, labels, train, later, HORIZONS, SETTINGS)


@pytest.mark.parametrize(("fewest", "slope"), [(1, 1.0), (10, None)])
def test_a_chance_calibration_slope_stops_training_but_not_a_demo(fewest, slope):
    """A demo of any size ends with a page; it alone continues with a calibration slice of few events."""
    settings = TrainingSettings(fewest_calibration_events=fewest)
    error = CalibrationError("the fitted slope is -1.07")
    if slope is None:
        with pytest.raises(NotEnoughData, match=r"admission cannot be calibrated: the fitted slope is -1\.07"):
            without_calibration(error, "admission", (28, 90), settings)
    else:
        assert without_calibration(error, "admission", (28, 90), settings) == Calibration((28, 90), slope, (0.0, 0.0))
