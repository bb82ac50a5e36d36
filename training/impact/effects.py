"""Effects of being listed and of being reviewed, from the lottery band, with 95% intervals clustered by person.

Each row is one person in one draw. The chance of a place is known (``propensity``), so weighting by one over that
chance gives the outcome of the band as if everybody had been listed, and as if nobody had (Hajek's ratio form). The
intervals are those of the linearised ratio, summed within people, so several draws of one person count as related.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import ShapeError

Floats = npt.NDArray[np.float64]
Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its 95% interval."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, error: float) -> Interval:
        return cls(value, value - Z95 * error, value + Z95 * error)

    def holds(self, truth: float) -> bool:
        return self.low <= truth <= self.high

    def scaled(self, factor: float) -> Interval:
        """The interval times ``factor``, with its ends in order."""
        ends = sorted((self.low * factor, self.high * factor))
        return Interval(self.value * factor, ends[0], ends[1])

    def as_dict(self) -> dict[str, float | None]:
        return {name: round(float(v), 6) if np.isfinite(v) else None for name, v in asdict(self).items()}


@dataclass(frozen=True)
class DrawRows:
    """Rows of draws as arrays of one length: ``drawn`` (got a place), ``propensity``, ``person`` (0, 1, ...), and
    ``reviewed`` (a review was recorded within the follow-up).
    """

    drawn: npt.NDArray[np.bool_]
    propensity: Floats
    person: npt.NDArray[np.int64]
    reviewed: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if len({len(self.drawn), len(self.propensity), len(self.person), len(self.reviewed)}) != 1:
            raise ShapeError("drawn, propensity, person and reviewed differ in length; give one value a row of each")
        if len(self.propensity) and not ((self.propensity > 0) & (self.propensity < 1)).all():
            raise ShapeError(
                "a propensity is not between 0 and 1; leave out people whose place was not drawn: nobody can be "
                "compared with them"
            )


@dataclass(frozen=True)
class ListingEffect:
    """What being listed did to one outcome. ``relative`` is the change as a share of the outcome of those not listed:
    -0.25 is a quarter fewer. ``per_review`` is the change in people reviewed because they were listed; None where
    listing hardly changed who was reviewed.
    """

    listed: float
    not_listed: float
    difference: Interval
    relative: Interval
    per_review: Interval | None
    rows: int
    people: int
    events: int

    def as_dict(self) -> dict[str, Any]:
        return {name: value.as_dict() if isinstance(value, Interval) else value for name, value in vars(self).items()}


LEAST_STEP = 0.05
"""Least difference in reviews between listed and not listed for an effect of a review: below, the ratio explodes."""


def listing_effect(rows: DrawRows, outcome: npt.NDArray[Any]) -> ListingEffect:
    """The effect of being drawn onto the list on ``outcome`` (0 or 1, or an amount such as days).

    Raises ShapeError if either arm is empty.
    """
    y = np.asarray(outcome, dtype=np.float64)
    if not rows.drawn.any() or rows.drawn.all():
        raise ShapeError("everybody or nobody was drawn; an effect needs people of both kinds")
    one, listed = _mean(y, rows.drawn, rows.propensity)
    zero, not_listed = _mean(y, ~rows.drawn, 1 - rows.propensity)
    difference = _error(one - zero, rows.person)
    relative = Interval(float("nan"), float("nan"), float("nan"))
    if listed > 0 and not_listed > 0:
        log_ratio, spread = np.log(listed / not_listed), _error(one / listed - zero / not_listed, rows.person)
        relative = Interval(*(float(np.exp(log_ratio + z * spread) - 1) for z in (0, -Z95, Z95)))
    return ListingEffect(
        listed=listed,
        not_listed=not_listed,
        difference=Interval.around(listed - not_listed, difference),
        relative=relative,
        per_review=_per_review(rows, one - zero, listed - not_listed),
        rows=len(y),
        people=len(np.unique(rows.person)),
        events=int((y > 0).sum()),
    )


def _mean(y: Floats, arm: npt.NDArray[np.bool_], chance: Floats) -> tuple[Floats, float]:
    """Influence of each row on the weighted mean of an arm, and that mean."""
    weights = np.where(arm, 1 / chance, 0.0)
    mean = float(weights @ y / weights.sum())
    return weights * (y - mean) / weights.sum(), mean


def _error(influence: Floats, person: npt.NDArray[np.int64]) -> float:
    """Standard error of a sum of influences, summed within people first."""
    _, codes = np.unique(person, return_inverse=True)
    sums = np.bincount(codes, influence)
    return float(np.sqrt((sums**2).sum() * len(sums) / max(1, len(sums) - 1)))


def _per_review(rows: DrawRows, influence: Floats, difference: float) -> Interval | None:
    """The effect on people reviewed because they were listed: the effect of listing over its effect on reviews."""
    reviewed = rows.reviewed.astype(np.float64)
    one, with_place = _mean(reviewed, rows.drawn, rows.propensity)
    zero, without = _mean(reviewed, ~rows.drawn, 1 - rows.propensity)
    step = with_place - without
    if step < LEAST_STEP:
        return None
    ratio = difference / step
    return Interval.around(ratio, _error((influence - ratio * (one - zero)) / step, rows.person))
