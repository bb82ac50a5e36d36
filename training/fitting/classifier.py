"""``RiskClassifier``: our booster and calibration behind scikit-learn's interface, for one outcome at one horizon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from models.calibration import Calibration, fit_calibration
from models.errors import CalibrationError
from training.errors import NotEnoughData, ShapeError
from training.fitting.boosters import raw_margins
from training.fitting.explanations import explanation
from training.fitting.stacked import lightgbm_parameters, stacked_rows
from training.settings import TrainingSettings

if TYPE_CHECKING:
    import shap

HORIZON = 1
"""Stands in the horizon column: a classifier has one horizon, so the column says nothing."""


class RiskClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One booster with the shipped parameters, calibrated on rows that it did not learn from.

    ``fit(X, y, groups=None)`` takes a frame or array of numbers (NaN is missing) and two classes; the later in sorted
    order is the event. ``calibration_share`` of the rows (of the people, where ``groups`` names them) are kept for the
    calibration; 0 leaves the margins uncalibrated. Where columns are named as in the catalogue, medically certain
    directions hold as in the served model. For both outcomes and all horizons, use ``training.fit``.
    """

    def __init__(
        self,
        trees: int = 160,
        learning_rate: float = 0.04,
        max_depth: int = 3,
        leaves: int = 8,
        min_rows_in_leaf: int = 400,
        feature_fraction: float = 0.25,
        row_fraction: float = 0.7,
        l2: float = 50.0,
        calibration_share: float = 0.2,
        random_state: int = 20260101,
    ) -> None:
        self.trees = trees
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.leaves = leaves
        self.min_rows_in_leaf = min_rows_in_leaf
        self.feature_fraction = feature_fraction
        self.row_fraction = row_fraction
        self.l2 = l2
        self.calibration_share = calibration_share
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> RiskClassifier:
        """Raises ShapeError for other than two classes, and NotEnoughData where the rows kept for the calibration, or
        the rest, hold one class alone.
        """
        values, y = validate_data(self, X, y, dtype=np.float32, ensure_all_finite="allow-nan", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, wanted = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise ShapeError(_classes(len(self.classes_)))
        train = self._train_rows(values, groups)
        for rows, name in ((train, "training"), (~train, "calibration")):
            if rows.any() and len(np.unique(wanted[rows])) < 2:
                raise NotEnoughData(
                    f"The {int(rows.sum())} rows of the {name} slice hold one class alone: bring more rows, or set "
                    f"another calibration_share (now {self.calibration_share})."
                )
        settings = self._training_settings()
        columns = _columns(getattr(self, "feature_names_in_", [f"x{i}" for i in range(values.shape[1])]))
        labels = wanted.astype(np.float64)[:, None]
        stacked, answers = stacked_rows(values, labels, train, (HORIZON,))
        parameters = lightgbm_parameters(settings, columns)
        data = lightgbm.Dataset(stacked, answers, params=parameters)
        self.booster_ = lightgbm.train(parameters, data, num_boost_round=self.trees)
        self.calibration_ = Calibration.identity((HORIZON,))
        if not train.all():
            margin = raw_margins(self.booster_, values[~train], (HORIZON,), 1)
            try:
                self.calibration_ = fit_calibration(margin, labels[~train], np.full(margin.shape, HORIZON))
            except CalibrationError as error:
                raise NotEnoughData(f"The classifier cannot be calibrated: {error}") from error
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Calibrated probabilities, shape (rows, 2), columns as in ``classes_``."""
        values = self._read(X)
        event = self.calibration_.probability(raw_margins(self.booster_, values, (HORIZON,), 1))[:, 0]
        return np.column_stack([1 - event, event])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likelier class. For a list of people, rank by ``predict_proba``."""
        likelier = (self.predict_proba(X)[:, 1] > 0.5).astype(int)
        found: npt.NDArray[Any] = self.classes_[likelier]
        return found

    def explain(self, X: Any) -> shap.Explanation:
        """Exact contributions to the calibrated logit, for shap's plots."""
        values = self._read(X)
        names = tuple(getattr(self, "feature_names_in_", [f"x{i}" for i in range(values.shape[1])]))
        return explanation(self.booster_, self.calibration_, values, names, HORIZON, 1)

    def _read(self, X: Any) -> npt.NDArray[np.float32]:
        check_is_fitted(self)
        found: npt.NDArray[np.float32] = validate_data(
            self, X, dtype=np.float32, ensure_all_finite="allow-nan", reset=False
        )
        return found

    def _train_rows(self, values: npt.NDArray[np.float32], groups: Any) -> npt.NDArray[np.bool_]:
        train = np.ones(len(values), bool)
        if self.calibration_share:
            split = (ShuffleSplit if groups is None else GroupShuffleSplit)(
                1, test_size=self.calibration_share, random_state=self.random_state
            )
            (_, kept), *_ = split.split(values, groups=groups)
            train[kept] = False
        return train

    def _training_settings(self) -> TrainingSettings:
        return TrainingSettings(
            trees=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            leaves=self.leaves,
            min_rows_in_leaf=self.min_rows_in_leaf,
            feature_fraction=self.feature_fraction,
            row_fraction=self.row_fraction,
            l2=self.l2,
            seed=self.random_state,
        )


def _columns(names: Any) -> list[Any]:
    """What the catalogue says of each column; no direction for a column that it does not know."""
    from features import CATALOGUE

    known = set(CATALOGUE.names)
    return [CATALOGUE[n] if n in known else SimpleNamespace(name=n, direction=0) for n in map(str, names)]


def _classes(found: int) -> str:
    if found == 1:
        return "Classifier can't train when only one class is present: bring rows with and without the event."
    return f"Only binary classification is supported. {found} classes are in y: the event happened, or it did not."
