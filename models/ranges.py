"""The range of each person's risk, which should hold nine true risks in ten.

A risk is uncertain for two reasons. First, a model trained on other people would give another number: the *spread*,
the standard deviation of refits on the logit, which one small booster for each outcome predicts from the same inputs.
Second, many causes of a person's risk are not recorded: *factors*, learned on simulated people whose true risk is
known, give for each prediction window how far true risks lie from a model's. The range is ``logit + shift - below *
width`` to ``logit + shift + above * width`` with ``width**2 = spread**2 + hidden**2``; shift and hidden depend on the
risk. It always holds the risk itself, and neither end falls as the prediction window grows. A range changes no score
and has no part in its explanation (docs/architecture.md rule 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from models.bundle.manifest import FileName
from models.calibration import sigmoid
from models.shapley.explainer import TreeShapley

if TYPE_CHECKING:
    import lightgbm

Floats = NDArray[np.float64]
LEVEL = 0.9
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Factors(NamedTuple):
    """The numbers of a :class:`RangeFactor`, or of several in a row: then each is an array (horizons,)."""

    centre: Any
    lowest: Any
    highest: Any
    shift: Any
    shift_slope: Any
    log_hidden: Any
    log_hidden_slope: Any
    below: Any
    above: Any

    def offset(self, logit: Floats) -> tuple[Floats, Floats]:
        """The shift, and the standard deviation from unrecorded causes, at these risks."""
        at = np.minimum(np.maximum(logit, self.lowest), self.highest) - self.centre
        return self.shift + self.shift_slope * at, np.exp(self.log_hidden + self.log_hidden_slope * at)

    def bounds(self, logit: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Lower and upper end on the logit."""
        shift, hidden = self.offset(logit)
        width = np.hypot(spread, hidden)
        return logit + shift - self.below * width, logit + shift + self.above * width


class RangeFactor(_Frozen):
    """How far true risks lie from a model's, on the logit, at one prediction window. They were learned at risks from
    ``lowest`` to ``highest`` (logits). Beyond these, the factors of the nearer end are used."""

    horizon: int = Field(gt=0)
    centre: Number
    lowest: Number
    highest: Number
    shift: Number
    shift_slope: Number
    log_hidden: Number
    log_hidden_slope: Number
    below: Number = Field(gt=0)
    above: Number = Field(gt=0)

    @property
    def numbers(self) -> Factors:
        return Factors(*(getattr(self, name) for name in Factors._fields))

    def offset(self, logit: Floats) -> tuple[Floats, Floats]:
        """:meth:`Factors.offset`."""
        return self.numbers.offset(logit)

    def bounds(self, logit: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """:meth:`Factors.bounds`."""
        return self.numbers.bounds(logit, spread)


class OutcomeFactors(_Frozen):
    """The ranges of one outcome. ``booster`` is the file whose trees predict the logarithm of the spread; ``scale``
    multiplies it, because the model that serves may have learned from more events than the refits."""

    booster: FileName
    scale: Number = Field(gt=0)
    factors: tuple[RangeFactor, ...] = Field(min_length=1)

    @property
    def columns(self) -> Factors:
        """The factors of all prediction windows, each number as an array (horizons,)."""
        return Factors(*map(np.array, zip(*(factor.numbers for factor in self.factors), strict=True)))

    def range_of(self, logit: Floats, log_spread: Floats, columns: Factors | None = None) -> tuple[Floats, Floats]:
        """Lower and upper probability; all of shape (rows, horizons). ``columns`` are the factors, where a caller keeps
        them."""
        low, high = (columns or self.columns).bounds(logit, self.scale * np.exp(log_spread))
        low, high = np.minimum(low, logit), np.maximum(high, logit)
        # A true risk never falls as the window grows, so the range at one window bounds the others.
        low = np.maximum.accumulate(low, axis=1)
        high = np.minimum.accumulate(high[:, ::-1], axis=1)[:, ::-1]
        return sigmoid(low), sigmoid(high)


class RangesDocument(_Frozen):
    """``ranges.json``: the ranges of a bundle. An outcome without learned factors has none."""

    level: float = Field(default=LEVEL, gt=0, lt=1)
    refits: int = Field(ge=2)
    learned: dict[str, JsonValue]
    outcomes: dict[str, OutcomeFactors] = Field(min_length=1)

    @model_validator(mode="after")
    def _horizons_rise(self) -> RangesDocument:
        for name, outcome in self.outcomes.items():
            days = [factor.horizon for factor in outcome.factors]
            if days != sorted(set(days)):
                raise ValueError(f"factors of {name} are at {days} days: expected rising and distinct numbers")
        return self

    @property
    def files(self) -> set[str]:
        """The files of the spread boosters."""
        return {outcome.booster for outcome in self.outcomes.values()}


@dataclass(frozen=True)
class FittedRanges:
    """What training made: the document, and the booster of each outcome's spread."""

    document: RangesDocument
    boosters: Mapping[str, lightgbm.Booster]


@dataclass(frozen=True)
class OutcomeRanges:
    """The ranges of one outcome as they are served."""

    entry: OutcomeFactors
    spread: TreeShapley

    @cached_property
    def _columns(self) -> Factors:
        return self.entry.columns

    def of(self, stacked: NDArray[np.floating], logit: Floats, threads: int) -> tuple[Floats, Floats]:
        """Lower and upper probability, shape (rows, horizons). ``stacked`` holds each row once for each horizon."""
        log_spread = self.spread.margins(stacked, threads).reshape(logit.shape)
        return self.entry.range_of(logit, log_spread, self._columns)


def factors_at(known: tuple[RangeFactor, ...], horizons: tuple[int, ...]) -> tuple[RangeFactor, ...]:
    """The factors at other prediction windows: linear in the logarithm of the days between learned windows, and those
    of the nearest window beyond them."""
    days = np.log([factor.horizon for factor in known])
    names = [name for name in RangeFactor.model_fields if name != "horizon"]
    columns = {name: [getattr(factor, name) for factor in known] for name in names}
    return tuple(
        RangeFactor(horizon=horizon, **{name: float(np.interp(np.log(horizon), days, columns[name])) for name in names})
        for horizon in horizons
    )
