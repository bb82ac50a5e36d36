"""What came first, the event or leaving, as typed figures."""

from __future__ import annotations

from training.evaluation.schema.scores import Figure, FrozenModel


class IncidenceCurve(FrozenModel):
    """Shares of the rows after so many days, by what came first; None from a day that nobody was followed to."""

    days: list[int]
    event: list[float | None]
    died: list[float | None]
    left: list[float | None]
    under_way: list[float | None]


class IncidenceFifth(FrozenModel):
    """A fifth of the rows by the model's risk."""

    rows: int
    mean_risk: Figure
    event: Figure
    of_those_who_stayed: Figure


class CumulativeIncidence(FrozenModel):
    """What came first to the rows at risk within one horizon, followed as far as the records go, and the model's mean
    risk of the same rows. ``curve`` and ``fifths`` are of the outcome's longest horizon, None for the others.

    ``event``, ``died``, ``left`` and ``under_way`` are cumulative incidences. ``if_nobody_left`` is 1 - Kaplan-Meier:
    leaving counts as censoring. ``of_those_who_stayed`` is the event's share among rows that nothing else took away
    before: what a label means. The three ``observed_to_expected`` are each of these over ``mean_risk``.
    """

    rows: int
    people: int
    event: Figure
    died: Figure
    left: Figure
    under_way: Figure
    if_nobody_left: Figure
    of_those_who_stayed: Figure
    mean_risk: Figure
    observed_to_expected: Figure
    observed_to_expected_if_nobody_left: Figure
    observed_to_expected_of_those_who_stayed: Figure
    curve: IncidenceCurve | None = None
    fifths: list[IncidenceFifth] | None = None
