"""The served model: a verified bundle that scores rows for every outcome and horizon, and explains each score
exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.bundle.card import checked_card
from models.bundle.manifest import RANGES, Manifest, check_versions, locate, read_verified
from models.bundle.signature import read_signature
from models.calibration import Calibration, sigmoid
from models.errors import BundleDamaged, BundleRefused, CalibrationError, FeatureMismatch, TreesError
from models.explain.protected import refuse_protected
from models.explain.reasons import ConceptText, FeatureText, Reason, Reasoner
from models.explain.what_if import NOTE, WhatIf, changes, find_offers
from models.ranges import OutcomeRanges, RangesDocument
from models.scores import OutcomeScores, Scores
from models.shapley.explainer import TreeShapley
from models.signing import Signature

Floats = NDArray[np.float64]

HORIZON = "horizon_days"
MARGIN_TOLERANCE = 1e-12
"""Largest allowed difference from the margin recorded at training. A margin is a sum of leaf values in tree order, so
it should be identical.
"""
SELF_TEST_TOLERANCE = 1e-9
"""The same for values that LightGBM sums in another order."""
_CHUNK = 8192


@runtime_checkable
class Matrix(Protocol):
    """The result of ``features.build``: values (rows, features), NaN if missing, and the names of the columns."""

    @property
    def values(self) -> NDArray[np.floating]: ...

    @property
    def names(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class _Outcome:
    """One outcome: the booster's exact explainer over (features, horizon_days), and its calibration."""

    explainer: TreeShapley
    calibration: Calibration
    ranges: OutcomeRanges | None = None

    def score(
        self, name: str, values: NDArray[np.floating], contributions: bool, threads: int, ranges: bool = False
    ) -> OutcomeScores:
        rows, features = values.shape
        horizons = self.calibration.horizons
        slope, offsets = self.calibration.slope, np.asarray(self.calibration.offsets)
        margin = np.empty((rows, len(horizons)))
        parts = np.empty((rows, len(horizons), features)) if contributions else None
        horizon_part = np.empty((rows, len(horizons))) if contributions else None
        wanted = self.ranges if ranges else None
        low, high = (None, None) if wanted is None else (np.empty(margin.shape), np.empty(margin.shape))
        for first in range(0, rows, _CHUNK):
            part = slice(first, min(first + _CHUNK, rows))
            stacked = stack_horizons(values[part], horizons)
            if parts is None or horizon_part is None:
                margin[part] = self.explainer.margins(stacked, threads).reshape(-1, len(horizons))
            else:
                margins, shap = self.explainer.explain(stacked, threads)
                margin[part] = margins.reshape(-1, len(horizons))
                shap = shap.reshape(-1, len(horizons), features + 2)
                np.multiply(shap[:, :, :features], slope, out=parts[part])
                np.multiply(shap[:, :, features], slope, out=horizon_part[part])
            if wanted is not None and low is not None and high is not None:
                low[part], high[part] = wanted.of(stacked, slope * margin[part] + offsets, threads)
        return OutcomeScores(
            outcome=name,
            horizons=horizons,
            probability=sigmoid(slope * margin + offsets),
            base=slope * self.explainer.expected_value + offsets,
            horizon_part=horizon_part,
            contributions=parts,
            low=low,
            high=high,
        )

    def margin(self, values: NDArray[np.floating]) -> Floats:
        """Raw scores (rows, horizons), before calibration."""
        stacked = stack_horizons(values, self.calibration.horizons)
        return self.explainer.margins(stacked).reshape(-1, len(self.calibration.horizons))


class RiskModel:
    """A served model. Open one with ``RiskModel.load``. Immutable; safe for use from several threads."""

    def __init__(self, manifest: Manifest, contents: Mapping[str, bytes], signature: Signature | None = None) -> None:
        """``contents`` are the verified bytes of the bundle's files. Raises ``BundleDamaged`` or ``BundleRefused``
        where they do not fit together."""
        self.manifest, self.signature = manifest, signature
        check_versions(manifest)
        try:
            documents = {name: json.loads(data) for name, data in contents.items() if name.endswith(".json")}
            self.features = tuple(FeatureText(**feature) for feature in documents["features.json"]["features"])
            concepts = {
                slug: ConceptText(slug=slug, **text) for slug, text in documents["features.json"]["concepts"].items()
            }
            self.reasoner = Reasoner(self.features, concepts)
            calibrations = {name: Calibration.from_json(data) for name, data in documents["calibration.json"].items()}
            boosters = {name: contents[entry.booster].decode() for name, entry in manifest.outcomes.items()}
            card = checked_card(documents["card.json"])
            self.ranges = RangesDocument.model_validate(documents[RANGES]) if RANGES in documents else None
            spreads = self._spreads(contents)
        except (ValueError, KeyError, TypeError) as error:
            raise BundleDamaged(
                f"{manifest.bundle_id}: its files are whole but do not have the "
                f"form that this code writes ({error}); train again"
            ) from error
        refuse_protected(self.features)
        self.feature_names: tuple[str, ...] = tuple(feature.name for feature in self.features)
        self.outcomes: dict[str, tuple[int, ...]] = {name: entry.horizons for name, entry in manifest.outcomes.items()}
        self.card: dict[str, Any] = card
        self.reference: dict[str, Any] = documents["reference.json"]
        ranges = {entry["name"]: entry for entry in self.reference["features"]}
        self._low, self._high = (
            np.array([_number(ranges.get(name, {}).get(end)) for name in self.feature_names]) for end in ("low", "high")
        )
        self._golden: dict[str, Any] = documents["golden.json"]
        if {name: c.horizons for name, c in calibrations.items()} != self.outcomes:
            raise BundleRefused(
                f"{manifest.bundle_id}: calibration and manifest name different outcomes or horizons; train again"
            )
        self._outcomes = {
            name: _Outcome(self._explainer(name, text), calibrations[name], self._ranges(name, spreads))
            for name, text in boosters.items()
        }

    @classmethod
    def load(cls, path: Path | str, *, self_test: bool = True) -> RiskModel:
        """Open a bundle folder, or a bundles root by its ``current`` pointer. Every file is verified before any is
        parsed. The home decides whether it must be signed (``bundle.signature.refuse_unsigned``).

        Raises a ``BundleError`` that names the file, what was expected, and what to do.
        """
        folder = locate(path)
        model = cls(*read_verified(folder), read_signature(folder))
        if self_test:
            model.self_test()
        return model

    def score(
        self,
        matrix: Matrix | NDArray[np.floating],
        contributions: bool = True,
        *,
        names: Sequence[str] | None = None,
        threads: int = 1,
        outcomes: Sequence[str] | None = None,
        ranges: bool = True,
    ) -> Scores:
        """Probabilities of every outcome and horizon, the parts that add up to them, and the range of each where the
        bundle has ranges.

        ``matrix`` is a feature matrix, or an array (rows, features) with ``names``; NaN means missing. Use
        ``threads=2`` for large batches only. Raises ``FeatureMismatch`` if names or order differ from the model's, or
        a value is infinite.
        """
        if names is None and not isinstance(matrix, Matrix):
            raise FeatureMismatch(
                "an array was given without names: pass names=(...) or a FeatureMatrix, so that the order can be "
                "checked"
            )
        values = np.asarray(matrix.values if names is None else matrix)  # type: ignore[union-attr]
        self._check(values, tuple(cast(Matrix, matrix).names if names is None else names))
        chosen = self._outcomes if outcomes is None else {name: self._outcomes[name] for name in outcomes}
        return Scores(
            {name: outcome.score(name, values, contributions, threads, ranges) for name, outcome in chosen.items()},
            values,
        )

    def calibration(self, outcome: str) -> Calibration:
        """The slope and offsets of one outcome."""
        return self._outcomes[outcome].calibration

    def margins(self, values: NDArray[np.floating]) -> dict[str, Floats]:
        """Raw scores (rows, horizons) of every outcome, before calibration. The golden rows are compared with them."""
        return {name: outcome.margin(values) for name, outcome in self._outcomes.items()}

    def reasons(self, scores: Scores, row: int, outcome: str, horizon: int, top: int = 5) -> list[Reason]:
        """The ``top`` largest reasons of one score, by clinical concept. The scores must carry contributions."""
        found = scores[outcome]
        if found.contributions is None:
            raise ValueError("these scores carry no contributions: score with contributions=True")
        return self.reasoner.find(found.contributions[row, found.column(horizon)], scores.inputs[row], top)

    def ranked_concepts(
        self, scores: Scores, top: int = 5
    ) -> list[dict[tuple[str, int], list[tuple[int, float, bool, bool]]]]:
        """The same for every row, and each of its outcomes and horizons in order, before it is worded: the arguments of
        ``reasoner.reason``."""
        parts = [found.contributions for found in scores.values() if found.contributions is not None]
        keys = [(name, horizon) for name, found in scores.items() for horizon in found.horizons]
        if sum(part.shape[1] for part in parts) < len(keys):
            raise ValueError("these scores carry no contributions: score with contributions=True")
        whole = np.concatenate(parts, axis=1)
        ranked = iter(self.reasoner.rank_rows(whole.reshape(-1, whole.shape[2]), scores.inputs, top))
        return [dict(zip(keys, islice(ranked, len(keys)), strict=True)) for _ in range(len(whole))]

    def largest_parts(self, concepts: Sequence[int], contributions: Floats) -> list[list[int]]:
        """For each of ``ranked_concepts`` the positions of its features that have a part in a score, largest first:
        what a reason lists. ``contributions`` has shape (features,)."""
        return self.reasoner.largest(concepts, contributions)

    def outside_training(self, scores: Scores, row: int) -> list[dict[str, Any]]:
        """:meth:`outside_training_of_rows` of one row."""
        (found,) = self.outside_training_of_rows(scores, slice(row, row + 1))
        return found

    def outside_training_of_rows(self, scores: Scores, rows: slice) -> list[list[dict[str, Any]]]:
        """Inputs of each of some rows that lie outside the middle 99% of the training rows and have a part in a score:
        {name, value, low, high}.

        A missing value is never outside. A feature never recorded in training has no range.
        """
        values = scores.inputs[rows].astype(np.float64)
        # The range was computed in double precision from single-precision inputs; this keeps a value on the edge
        # inside.
        row, i = np.nonzero((values < self._low) | (values > self._high))
        used = np.zeros(len(row), bool)
        for found in scores.values():
            parts = None if found.contributions is None else found.contributions[rows]
            used |= True if parts is None else parts[row, :, i].any(axis=1)
        row, i = row[used], i[used]
        lists: list[list[dict[str, Any]]] = [[] for _ in range(len(values))]
        numbers = (values[row, i].tolist(), self._low[i].tolist(), self._high[i].tolist())
        for mine, feature, value, low, high in zip(row.tolist(), i.tolist(), *numbers, strict=True):
            lists[mine].append({"name": self.feature_names[feature], "value": value, "low": low, "high": high})
        return lists

    def what_ifs(self, scores: Scores, threads: int = 1) -> list[list[WhatIf]]:
        """For every row, the actions that are due and the estimate with each one done, in the order of
        ``models.explain.what_if.ACTIONS``.
        """
        found: list[list[WhatIf]] = [[] for _ in range(scores.rows)]
        offers = find_offers(scores.inputs, self.feature_names)
        if not offers:
            return found
        # One call for all actions, because a call with a few rows would cost each action a pass over all trees.
        inputs = np.concatenate([offer.inputs for offer in offers])
        keys = [(name, horizon) for name in scores for horizon in scores[name].horizons]
        now = np.concatenate([found.probability for found in scores.values()], axis=1)
        then = np.concatenate(
            [self._outcomes[name].score(name, inputs, False, threads).probability for name in scores], axis=1
        )
        at = 0
        for offer in offers:
            for row, after in zip(offer.rows.tolist(), offer.inputs, strict=True):
                risks = tuple(
                    {"outcome": name, "horizon_days": horizon, "probability": new, "difference": new - old}
                    for (name, horizon), new, old in zip(keys, then[at].tolist(), now[row].tolist(), strict=True)
                )
                what = changes(scores.inputs[row], after, self.features)
                found[row].append(WhatIf(offer.action.code, offer.action.label, NOTE, what, risks))
                at += 1
        return found

    def self_test(self) -> None:
        """Scores the golden rows and compares them with LightGBM's results from when the bundle was written. Raises
        ``BundleRefused`` if they differ.
        """
        rows = np.array([[np.nan if v is None else v for v in row] for row in self._golden["rows"]], dtype=np.float64)
        rows = rows.reshape(len(rows), len(self.feature_names))
        single = rows.astype(np.float32)
        # Features are single precision. Scoring them as such also compiles here, once, what requests will run.
        inputs = single if np.array_equal(single, rows, equal_nan=True) else rows
        scores, alone = self.score(inputs, names=self.feature_names), self.score(inputs[:1], names=self.feature_names)
        if set(self._golden["expected"]) != set(self.outcomes):
            raise BundleRefused(f"{self.manifest.bundle_id}: the golden rows belong to other outcomes; train again")
        margins = self.margins(inputs)
        for name, expected in self._golden["expected"].items():
            found = scores[name]
            # Format 1 stored no margins; its probabilities are compared instead.
            if "margin" in expected and not _within(margins[name], expected["margin"], MARGIN_TOLERANCE, relative=0.0):
                raise BundleRefused(_differs(self.manifest.bundle_id, name, "margin"))
            assert found.contributions is not None and found.horizon_part is not None
            for what, values in (
                ("probability", found.probability),
                ("contribution_sum", found.contributions.sum(axis=2)),
                ("contribution_size", np.abs(found.contributions).sum(axis=2)),
                ("horizon_part", found.horizon_part),
            ):
                if not _within(values, expected[what], SELF_TEST_TOLERANCE, relative=1e-9):
                    raise BundleRefused(_differs(self.manifest.bundle_id, name, what))
            self._check_ranges(found, expected)
            if not np.array_equal(alone[name].probability, found.probability[:1]):
                raise BundleRefused(
                    f"{self.manifest.bundle_id}: self-test failed, {name} of one row differs from the same row in a "
                    f"batch"
                )

    def _check_ranges(self, found: OutcomeScores, expected: Mapping[str, Any]) -> None:
        """Compares the ranges of the golden rows; a bundle has both ends, or neither."""
        for what, values in (("low", found.low), ("high", found.high)):
            if (values is None) != (what not in expected):
                raise BundleRefused(f"{self.manifest.bundle_id}: the golden rows belong to other ranges; train again")
            if values is not None and not _within(values, expected[what], SELF_TEST_TOLERANCE, relative=1e-9):
                raise BundleRefused(_differs(self.manifest.bundle_id, found.outcome, f"{what} end of the range"))

    def _spreads(self, contents: Mapping[str, bytes]) -> dict[str, str]:
        """The text of each outcome's spread booster."""
        found = self.ranges.outcomes if self.ranges is not None else {}
        return {name: contents[entry.booster].decode() for name, entry in found.items()}

    def _ranges(self, outcome: str, spreads: Mapping[str, str]) -> OutcomeRanges | None:
        """The ranges of an outcome; None if the bundle has none for it."""
        if self.ranges is None or outcome not in self.ranges.outcomes:
            return None
        entry = self.ranges.outcomes[outcome]
        if tuple(factor.horizon for factor in entry.factors) != self.outcomes[outcome]:
            raise BundleRefused(
                f"{self.manifest.bundle_id}: ranges and manifest name other horizons of {outcome}; train again"
            )
        return OutcomeRanges(entry, self._explainer(outcome, spreads[outcome]))

    def _explainer(self, outcome: str, text: str) -> TreeShapley:
        try:
            explainer = TreeShapley(text)
        except (TreesError, CalibrationError) as error:
            raise BundleRefused(f"{self.manifest.bundle_id}: booster of {outcome}: {error}") from error
        if explainer.n_features != len(self.features) + 1:
            raise BundleRefused(
                f"{self.manifest.bundle_id}: booster of {outcome} reads {explainer.n_features} columns, "
                f"features.json lists {len(self.features)} and {HORIZON} makes {len(self.features) + 1}; train again"
            )
        return explainer

    def _check(self, values: NDArray[np.floating], names: tuple[str, ...]) -> None:
        if names != self.feature_names:
            raise FeatureMismatch(describe_mismatch(names, self.feature_names))
        if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind != "f":
            raise FeatureMismatch(
                f"matrix of {values.dtype} with shape {values.shape}: expected floats with shape (rows, {len(names)})"
            )
        if np.isinf(values).any():
            wrong = [name for name, bad in zip(names, np.isinf(values).any(axis=0), strict=True) if bad]
            raise FeatureMismatch(f"infinite values in {', '.join(wrong)}: a value that is not known is NaN")


def _within(found: Floats, wanted: Any, tolerance: float, relative: float) -> bool:
    expected = np.asarray(wanted, dtype=np.float64)
    return expected.shape == found.shape and bool(np.allclose(found, expected, rtol=relative, atol=tolerance))


def _differs(bundle_id: str, outcome: str, what: str) -> str:
    return (
        f"{bundle_id}: self-test failed, {outcome} {what} of the golden rows differs from what was recorded at "
        f"training; "
        "this machine does not score this model as it was trained, so it must not serve. Check versions, then train "
        "again"
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def stack_horizons(values: NDArray[np.floating], horizons: Sequence[int]) -> NDArray[np.floating]:
    """Turns rows (rows, features) into (rows * horizons, features + 1): each row once per horizon, with
    ``horizon_days`` as the last column.
    """
    rows, features = values.shape
    stacked = np.empty((rows, len(horizons), features + 1), dtype=values.dtype)
    stacked[:, :, :features] = values[:, None, :]
    stacked[:, :, features] = horizons
    return stacked.reshape(rows * len(horizons), features + 1)


def describe_mismatch(found: Sequence[str], expected: Sequence[str]) -> str:
    """Describes how two lists of feature names differ, and what to do."""
    absent = [name for name in expected if name not in set(found)]
    extra = [name for name in found if name not in set(expected)]
    parts = [f"{len(found)} features given, the model reads {len(expected)}"]
    if absent:
        parts.append(f"absent: {', '.join(absent[:5])}{' and more' if len(absent) > 5 else ''}")
    if extra:
        parts.append(f"not in the model: {', '.join(extra[:5])}{' and more' if len(extra) > 5 else ''}")
    if not absent and not extra:
        place = next(
            (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected))
        )
        there = found[place] if place < len(found) else "nothing"
        wanted = expected[place] if place < len(expected) else "nothing"
        parts.append(f"same names in another order or repeated: position {place} is {there}, expected {wanted}")
    return "; ".join(parts) + ". Build the matrix with features=model.feature_names"
