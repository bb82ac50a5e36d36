"""Affine calibration on the logit: one slope per outcome and one offset per horizon.

``logit(probability) = slope * margin + offset[horizon]`` with ``slope > 0`` and offsets that never fall as the horizon
grows. It is affine so that additive contributions on the margin stay additive on the calibrated logit
(docs/architecture.md rule 4). The offsets are ordered so that a longer horizon never carries less risk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import CalibrationError

Floats = NDArray[np.float64]

MOST_HORIZONS = 8
_NEWTON_STEPS = 100
_LARGEST_PARAMETER = 100.0


@dataclass(frozen=True)
class Calibration:
    """Calibration of one outcome: ``offsets[i]`` belongs to ``horizons[i]`` (days, rising). Raises
    ``CalibrationError`` for a slope or offsets that break the rules."""

    horizons: tuple[int, ...]
    slope: float
    offsets: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.horizons or len(self.horizons) != len(self.offsets):
            raise CalibrationError(
                f"{len(self.horizons)} horizons and {len(self.offsets)} offsets: give one offset for each horizon"
            )
        if any(b <= a for a, b in zip(self.horizons, self.horizons[1:], strict=False)) or self.horizons[0] <= 0:
            raise CalibrationError(f"horizons {self.horizons}: expected rising numbers of days above 0")
        if not all(np.isfinite((self.slope, *self.offsets))):
            raise CalibrationError("slope or offset is not a finite number: fit the calibration again")
        if self.slope <= 0:
            raise CalibrationError(
                f"slope {self.slope:.4g}: expected above 0, or a higher margin would mean less risk; check the model "
                f"on later data"
            )
        if any(b < a for a, b in zip(self.offsets, self.offsets[1:], strict=False)):
            raise CalibrationError(
                f"offsets {self.offsets} fall as the horizon grows: a longer horizon cannot carry less risk"
            )

    @classmethod
    def identity(cls, horizons: Sequence[int]) -> Calibration:
        """The calibration that leaves the margin unchanged."""
        return cls(tuple(int(h) for h in horizons), 1.0, (0.0,) * len(horizons))

    def logit(self, margin: Floats) -> Floats:
        """Calibrated logits for margins; both have shape (rows, horizons)."""
        return self.slope * margin + np.asarray(self.offsets)

    def probability(self, margin: Floats) -> Floats:
        """Probabilities for margins; both have shape (rows, horizons)."""
        return sigmoid(self.logit(margin))

    def to_json(self) -> dict[str, Any]:
        return {"horizons": list(self.horizons), "slope": self.slope, "offsets": list(self.offsets)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        if set(data) != {"horizons", "slope", "offsets"}:
            raise CalibrationError(f"calibration has the keys {sorted(data)}: expected horizons, slope and offsets")
        try:
            return cls(
                tuple(int(h) for h in data["horizons"]), float(data["slope"]), tuple(float(o) for o in data["offsets"])
            )
        except TypeError as error:
            raise CalibrationError(f"calibration is not made of numbers: {error}") from error


def sigmoid(logit: Floats) -> Floats:
    """The logistic function without overflow. It rises wherever its argument rises."""
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def fit_calibration(
    margin: ArrayLike, label: ArrayLike, horizon: ArrayLike, weight: ArrayLike | None = None
) -> Calibration:
    """Maximum likelihood over rows stacked over horizons, without penalty (Platt scaling with one offset per horizon).

    ``margin``, ``label`` (1 event, 0 none, NaN censored and dropped) and ``horizon`` (days) have shape (rows,). The
    rows should come from people and days that neither trained nor test the model. The order of the offsets holds
    exactly. The likelihood is concave, so its best ordered point has some equal neighbours: every way to tie
    neighbours is fitted, and the best ordered fit is kept.

    ``weight`` says how much each row counts; all the same without it. It is for rows that stand for people whose label
    was cut off, never for resampling of events, which would destroy the probability.

    Raises ``CalibrationError`` if a horizon has only one kind of label, the labels are separated by the margin, or
    the slope is not above 0.
    """
    m, y, h = (np.asarray(a, dtype=np.float64).ravel() for a in (margin, label, horizon))
    if not len(m) == len(y) == len(h):
        raise CalibrationError(
            f"{len(m)} margins, {len(y)} labels and {len(h)} horizons: expected one of each for every row"
        )
    counts = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    if len(counts) != len(y) or not np.isfinite(counts).all() or (counts <= 0).any():
        raise CalibrationError(f"{len(counts)} weights for {len(y)} labels: expected one finite weight above 0 each")
    known = ~np.isnan(y)
    m, y, h, counts = m[known], y[known], h[known], counts[known]
    if not np.isfinite(m).all() or not np.isin(y, (0.0, 1.0)).all():
        raise CalibrationError("margins must be finite and labels 0, 1 or missing")
    horizons, index = np.unique(h, return_inverse=True)
    if not 0 < len(horizons) <= MOST_HORIZONS:
        raise CalibrationError(f"{len(horizons)} horizons with known labels: expected 1 to {MOST_HORIZONS}")
    events = np.bincount(index, weights=y)
    rows = np.bincount(index)
    for days, e, n in zip(horizons, events, rows, strict=True):
        if e == 0 or e == n:
            raise CalibrationError(
                f"horizon {days:.0f} days: {e:.0f} events in {n} rows; an offset needs both kinds, so use a longer or "
                f"later slice"
            )
    slope, offsets = _best_in_order(m, y, index, len(horizons), counts)
    if slope <= 0:
        raise CalibrationError(
            f"the fitted slope is {slope:.4g}: higher margins go with fewer events here; the model does not carry "
            f"over to this slice"
        )
    return Calibration(tuple(int(d) for d in horizons), slope, tuple(float(o) for o in offsets))


def _best_in_order(m: Floats, y: Floats, index: NDArray[np.int64], n: int, counts: Floats) -> tuple[float, Floats]:
    best: tuple[float, float, Floats] | None = None
    # The first is "no ties". If its offsets are ordered, it is the best fit.
    for ties in sorted(product((False, True), repeat=n - 1), key=sum):
        group = np.concatenate(([0], np.cumsum(~np.asarray(ties, dtype=bool)))).astype(np.int64)
        likelihood, slope, tied = _newton(m, y, group[index], int(group[-1]) + 1, counts)
        if np.all(np.diff(tied) >= 0) and (best is None or likelihood > best[0]):
            best = (likelihood, slope, tied[group])
            if not any(ties):
                break
    if best is None:  # all offsets equal is always in order
        raise CalibrationError("no ordered offsets found: check the margins for extreme values")
    return best[1], best[2]


def _newton(m: Floats, y: Floats, group: NDArray[np.int64], n: int, counts: Floats) -> tuple[float, float, Floats]:
    """Damped Newton steps for one slope and ``n`` offsets; row i counts ``counts[i]`` times. Returns
    (log likelihood, slope, offsets).
    """
    centre, scale = float(m.mean()), float(m.std())
    if scale <= 1e-12 * max(1.0, abs(centre)):
        raise CalibrationError(
            "all margins are the same: there is nothing to scale; check that the model learned anything"
        )
    z = (m - centre) / scale
    share = np.bincount(group, weights=counts * y, minlength=n) / np.bincount(group, weights=counts, minlength=n)
    beta = np.concatenate(([1.0], np.log(share / (1 - share))))
    likelihood = _log_likelihood(beta, z, y, group, counts)
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(beta[0] * z + beta[1:][group])
        w, missed = counts * p * (1 - p), counts * (y - p)
        gradient = np.concatenate(([z @ missed], np.bincount(group, weights=missed, minlength=n)))
        hessian = np.zeros((n + 1, n + 1))
        hessian[0, 0] = w @ (z * z)
        hessian[0, 1:] = hessian[1:, 0] = np.bincount(group, weights=w * z, minlength=n)
        hessian[range(1, n + 1), range(1, n + 1)] = np.bincount(group, weights=w, minlength=n)
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        size = 1.0
        while size > 1e-10 and _log_likelihood(beta + size * step, z, y, group, counts) < likelihood:
            size /= 2
        beta = beta + size * step
        likelihood = _log_likelihood(beta, z, y, group, counts)
        if np.abs(beta).max() > _LARGEST_PARAMETER:
            raise CalibrationError(
                "the margin separates events from non-events completely: no finite slope exists; use more rows"
            )
        if np.abs(step).max() < 1e-10 or size <= 1e-10:
            break
    slope = beta[0] / scale
    return likelihood, float(slope), beta[1:] - slope * centre


def _log_likelihood(beta: Floats, z: Floats, y: Floats, group: NDArray[np.int64], counts: Floats) -> float:
    logit = beta[0] * z + beta[1:][group]
    return float(np.sum(counts * (y * logit - np.logaddexp(0.0, logit))))
