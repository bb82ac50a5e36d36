"""How good scores are, as typed figures: over all rows, and by group, team and period."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A frozen part of the evaluation. An unknown field name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Figure(FrozenModel):
    """A figure and its 95% interval. None if it is not defined (for example no events)."""

    value: float | None
    low: float | None = None
    high: float | None = None


class RuleFigures(FrozenModel):
    """A simple rule, judged as a ranking."""

    label: str
    auroc: Figure
    average_precision: Figure
    precision_at_slots: Figure
    captured_at_slots: Figure


class Probability(FrozenModel):
    """The model, or a control that also gives a probability."""

    label: str
    auroc: Figure
    average_precision: Figure
    brier: Figure
    scaled_brier: Figure
    log_loss: Figure
    ici: Figure
    e50: Figure
    e90: Figure
    observed_to_expected: Figure
    calibration_slope: Figure
    calibration_intercept: Figure
    calibration_in_the_large: Figure
    precision_at_slots: Figure
    captured_at_slots: Figure

    def figures(self) -> dict[str, Figure]:
        """Every figure by its name."""
        return {name: getattr(self, name) for name in Probability.model_fields if name != "label"}


class LeadOverRule(FrozenModel):
    """Lead of the model over the best simple rule on the test rows."""

    auroc: Figure
    captured_at_slots: Figure
    captured_at_slots_by_team: Figure


class EqualShare(FrozenModel):
    """Events captured where every team lists the same share of its caseload."""

    share: float
    captured: Figure


class SuppressedLevel(FrozenModel):
    """A group, team or period that is too small to show."""

    level: str
    suppressed: Literal[True]


class ShownLevel(FrozenModel):
    """Figures of one group, team or period."""

    level: str
    suppressed: Literal[False]
    enough_events: bool
    people: int
    rows: int
    events: int
    share_of_slots: Figure
    share_of_events: Figure
    auroc: Figure
    average_precision: Figure
    brier: Figure
    prevalence: Figure
    observed_to_expected: Figure
    calibration_slope: Figure
    calibration_intercept: Figure
    calibration_in_the_large: Figure
    captured_at_slots: Figure
    precision_at_slots: Figure
    listed_share: Figure
    captured_at_equal_share: Figure | None = None


class SensitivityGap(FrozenModel):
    """Share of events captured in the best level less that in the worst."""

    best: str
    worst: str
    value: float | None
    low: float | None
    high: float | None
    within_tolerance: bool
    tolerance: float

    @property
    def gap(self) -> Figure:
        return Figure(value=self.value, low=self.low, high=self.high)


class Levels(FrozenModel):
    """One partition of the rows: by ethnicity, by team, by quarter."""

    name: str
    label: str
    levels: list[SuppressedLevel | ShownLevel]
    sensitivity_gap: SensitivityGap | None

    def shown(self) -> Iterator[ShownLevel]:
        """The levels that are not suppressed."""
        return (level for level in self.levels if isinstance(level, ShownLevel))


class WorstLevel(FrozenModel):
    """The level whose events the lists capture least."""

    group: str
    level: str
    events: int
    captured_at_slots: Figure
    levels_judged: int


class UnequalCalibration(FrozenModel):
    """A level whose observed over expected lies outside the tolerance."""

    group: str
    level: str
    value: float | None
    low: float | None
    high: float | None

    @property
    def ratio(self) -> Figure:
        return Figure(value=self.value, low=self.low, high=self.high)


class AcrossTeams(FrozenModel):
    """AUROC over teams by random effects, and the prediction range for a new team."""

    teams: int
    auroc: float
    prediction_low: float
    prediction_high: float
