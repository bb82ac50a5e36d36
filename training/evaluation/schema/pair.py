"""All that is known of one outcome within one horizon, as a typed model."""

from __future__ import annotations

from pydantic import Field

from training.evaluation.schema.competing import CumulativeIncidence
from training.evaluation.schema.scores import (
    AcrossTeams,
    EqualShare,
    Figure,
    FrozenModel,
    LeadOverRule,
    Levels,
    Probability,
    RuleFigures,
    UnequalCalibration,
    WorstLevel,
)


class CurvePoint(FrozenModel):
    """One point of the smooth calibration curve."""

    predicted: float
    observed: float | None
    observed_low: float | None
    observed_high: float | None


class Listed(FrozenModel):
    """Calibration among the rows that made a list."""

    rows: int
    event_rows: int
    mean_predicted: Figure
    observed: Figure
    observed_to_expected: Figure
    calibration_slope: Figure
    calibration_intercept: Figure
    calibration_in_the_large: Figure
    ici: Figure


class RiskDistribution(FrozenModel):
    """Percentiles (5, 25, 50, 75, 95) of the risk of rows with an event and of rows without."""

    event: list[float]
    none: list[float]


class DecisionCurve(FrozenModel):
    """Net benefit by threshold; ``model_best_between`` is None if the model is best at no threshold."""

    thresholds: list[float]
    net_benefit: dict[str, list[Figure]]
    model_over_best_alternative: list[Figure] | None = None
    model_best_between: tuple[float, float] | None = None


class NotJudged(FrozenModel):
    """A control that could not be fitted, and the reason."""

    label: str
    why: str


class PartOfRows(FrozenModel):
    """The model on some of the rows: people not in training, or silences that had not begun."""

    rows: int
    event_rows: int
    auroc: Figure
    calibration_slope: Figure
    best_rule: str
    best_rule_auroc: Figure


class OracleFigures(FrozenModel):
    """The model compared with the true risk of simulated people, on the same sampled rows."""

    rows: int
    event_rows: int
    oracle_auroc: Figure
    model_auroc: Figure
    best_rule: str
    best_rule_auroc: Figure
    regret: Figure
    share_of_the_way: Figure
    mean_absolute_error: Figure
    mean_true_risk: Figure
    mean_model_risk: Figure


class CeilingFigures(FrozenModel):
    """The oracle, a filter that sees only the records (the ceiling), and the model, on the same sampled rows of
    simulated people. ``share`` is (ceiling - model) / (ceiling - 0.5)."""

    rows: int
    event_rows: int
    oracle_auroc: Figure
    ceiling_auroc: Figure
    model_auroc: Figure
    not_in_records: Figure
    model_short: Figure
    share: Figure
    observed_to_expected: Figure


class LeadAtSlots(FrozenModel):
    """Events found by lists of the same lengths, model and best simple rule, paired by team."""

    slots: list[int]
    rule: str
    rule_label: str
    rule_chosen_on: str
    rule_found_there: Figure
    events: int
    teams: int
    model: Figure
    rule_found: Figure
    difference: Figure
    by_slots: dict[str, Figure]


class RefitPoint(FrozenModel):
    """A twentieth of the rows by risk: the model's mean risk, and the 5th, 50th and 95th percentile of the refits."""

    risk: float
    low: float
    middle: float
    high: float


class NetBenefitOfRefits(FrozenModel):
    """Net benefit at the thresholds of the decision curve: the model's, the refits' (``low`` and ``high`` are the
    lowest and highest, from 40 refits on the 5th and 95th percentile), and the share of refits that beat both reviewing
    everybody and reviewing nobody."""

    percentiles: bool
    thresholds: list[float]
    model: list[float]
    low: list[float]
    middle: list[float]
    high: list[float]
    share_useful: list[float]

    def share_at(self, threshold: float) -> float | None:
        """The share of refits that beat both at ``threshold``; None if it is no threshold of the curve."""
        return dict(zip(self.thresholds, self.share_useful, strict=True)).get(threshold)


class Stability(FrozenModel):
    """How much refits on other draws of people change the list, the risks, and the benefit of acting on them."""

    refits: int
    median_jaccard_top25: Figure
    mean_absolute_prediction_error: Figure
    mean_risk: float
    listing_flips: Figure
    top_three_concepts_agree: Figure
    curve: list[RefitPoint]
    net_benefit: NetBenefitOfRefits | None = None


class ListFigures(FrozenModel):
    """Figures of weekly lists of one length."""

    listings: int
    precision: Figure
    number_needed_to_review: Figure
    captured: Figure
    events_captured: int
    flagged_a_week_before: Figure
    of_captured_a_week_before: Figure
    lead_days: list[float]
    flagged_at_least: list[tuple[float, float]]
    new_information: Figure
    turnover: Figure
    slots_without_outcome: Figure
    warning_days_per_false_listing: Figure


class ContenderAtSlots(FrozenModel):
    """One contender's weekly lists of one length."""

    precision: Figure
    precision_with_cool_off: Figure
    captured_with_cool_off: Figure


class WorstAtSlots(FrozenModel):
    """The team or group whose events weekly lists of one length capture least."""

    group: str
    level: str
    events: int
    captured: Figure
    levels_judged: int


class AtSlots(FrozenModel):
    """Weekly lists of one length: the model's, and every contender's."""

    as_listed: ListFigures
    with_cool_off: ListFigures
    averted_per_100_reviews_if: dict[str, Figure]
    best_rule: str
    captured_over_best_rule: Figure
    contenders: dict[str, ContenderAtSlots]
    worst_team: WorstAtSlots | None
    worst_group: WorstAtSlots | None


class Capacity(FrozenModel):
    """Weekly lists at several lengths, by length."""

    rows: int
    weeks: int
    teams: int
    events: int
    cool_off_days: int
    slots: dict[str, AtSlots]


class Needed(FrozenModel):
    """People and events that Riley's criteria require."""

    parameters: int
    prevalence: float
    auroc: float
    people: int
    events: int
    by_shrinkage: int
    by_optimism: int
    by_overall_risk: int


class SampleSize(FrozenModel):
    """The size of the training data, compared with what the criteria require."""

    people: int
    events: int
    needed: Needed | None
    enough: bool
    parameters_supported: int
    events_per_parameter: float | None = None
    events_per_parameter_boosting: int | None = None


class Width(FrozenModel):
    """How wide an interval the test slice gives."""

    width: float | None
    at_most: float
    narrow_enough: bool


class AtLandmark(FrozenModel):
    """Observed over expected at one landmark, and from the first landmark to this one."""

    as_of: str
    known_on: str
    rows: int
    event_rows: int | None
    observed_to_expected: Figure | None
    so_far: Figure | None


class Pair(FrozenModel):
    """One outcome within one horizon."""

    outcome: str
    horizon: int
    rows: int
    people: int
    event_rows: int
    events: int
    prevalence: float | None
    prevalence_interval: Figure
    listed_rows: int
    contenders: dict[str, Probability | RuleFigures]
    best_rule: str
    best_rule_at_slots: str
    over_best_rule: LeadOverRule
    equal_share: EqualShare | None = None
    worst_group: WorstLevel | None
    unequal_calibration: list[UnequalCalibration]
    groups: list[Levels]
    teams: Levels
    across_teams: AcrossTeams | None
    periods: Levels
    curve: list[CurvePoint]
    listed: Listed
    risk_distribution: RiskDistribution
    decision_curve: DecisionCurve
    not_judged: dict[str, NotJudged] = Field(default_factory=dict)
    unseen_people: PartOfRows
    new_events: PartOfRows | None = None
    under_way: PartOfRows | None = None
    oracle: OracleFigures | None
    ceiling: CeilingFigures | None = None
    stability: Stability | None = None
    capacity: Capacity | None = None
    sample_size: SampleSize | None = None
    validation_widths: dict[str, Width] | None = None
    calibration_over_time: list[AtLandmark] | None = None
    lead: LeadAtSlots | None = None
    cumulative_incidence: CumulativeIncidence | None = None

    @property
    def name(self) -> str:
        return f"{self.outcome}_{self.horizon}"

    @property
    def model(self) -> Probability:
        """The model's own figures."""
        found = self.contenders["model"]
        assert isinstance(found, Probability)
        return found

    @property
    def rule(self) -> Probability | RuleFigures:
        """Figures of the simple rule of highest AUROC on the test rows."""
        return self.contenders[self.best_rule]
