"""The evaluation of one run as typed models: what ``evaluation.json`` holds, and what the page, the metrics, the gates,
the evidence file and the plots read.

The modules next to this one compute figures; :func:`training.evaluation.report.evaluate` combines them once, here.
Nothing changes an evaluation after that. A field that an older run did not write is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

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


class Stability(FrozenModel):
    """How much refits on other draws of people change the list and the risks."""

    refits: int
    median_jaccard_top25: Figure
    mean_absolute_prediction_error: Figure
    mean_risk: float
    listing_flips: Figure
    top_three_concepts_agree: Figure
    curve: list[RefitPoint]


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
    not_judged: dict[str, NotJudged] = {}
    unseen_people: PartOfRows
    new_events: PartOfRows | None = None
    under_way: PartOfRows | None = None
    oracle: OracleFigures | None
    stability: Stability | None = None
    capacity: Capacity | None = None
    sample_size: SampleSize | None = None
    validation_widths: dict[str, Width] | None = None
    calibration_over_time: list[AtLandmark] | None = None
    lead: LeadAtSlots | None = None

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


class Slice(FrozenModel):
    """One slice of the rows: training, calibration, test."""

    slice: str
    first: str | None
    last: str | None
    landmarks: int
    rows: int
    people: int


class LabelCount(FrozenModel):
    """How many rows have one label, or one reason for having none."""

    outcome: str
    horizon: int
    status: str
    rows: int


class AttritionStep(FrozenModel):
    """One rule of the cohort, and how many rows it removed."""

    step: str
    removed: int
    left: int


class InputShift(FrozenModel):
    """How far one input moved between training and test."""

    feature: str
    index: Figure
    missing_before: Figure
    missing_after: Figure


class Drift(FrozenModel):
    """Inputs of the test slice against those of training."""

    features: int
    rows_before: int
    rows_after: int
    shifted: int
    largely_shifted: int
    index: dict[str, float]
    largest: list[InputShift]


class Coherence(FrozenModel):
    """Random rows in which a longer horizon has less risk."""

    rows: int
    crossings: int
    share: Figure
    largest_fall: float
    trees_with_the_horizon: int


class PlantedEffect(FrozenModel):
    """Whether the model's risk rises with a hidden cause as the true risk does."""

    concept: str
    acts_on: str
    outcome: str
    people: int
    true_effect: Figure
    model_effect: Figure
    share_recovered: Figure


class PlantedFault(FrozenModel):
    """How much risks change if the records are damaged in a known way."""

    fault: str
    pair: str
    mean_risk: float
    mean_change: Figure
    largest_change: float
    top_shared: float
    auroc_whole: Figure
    auroc_with_fault: Figure
    auroc_lost: Figure


class GroupHeld(FrozenModel):
    """How often ranges held the true risk in one group."""

    group: str
    level: str
    people: int
    held: Figure


class RangeCoverage(FrozenModel):
    """How often 90% ranges held the true risk of simulated people: all, the twentieth of highest risk, people whom the
    model never saw, and the group where it was least often (of those with enough people)."""

    rows: int
    held: Figure
    held_top: Figure
    held_unseen_people: Figure | None
    worst_group: GroupHeld | None
    groups: int
    mean_low: Figure
    mean_high: Figure


class Ranges(FrozenModel):
    """The ranges of the run. ``coverage`` by outcome and horizon is empty where no truth is known."""

    level: float
    refits: int
    learned: dict[str, Any]
    coverage: dict[str, RangeCoverage]


class PlantedFindings(FrozenModel):
    """What the simulator planted, and what was found."""

    people: int
    effects: list[PlantedEffect]
    faults: list[PlantedFault]


class External(FrozenModel):
    """A bundle evaluated on records that were not used to make it."""

    bundle_id: str
    model_version: str
    trained_on_data: str
    trained_on_synthetic: bool
    cannot_be_known: list[str]


class Evaluation(FrozenModel):
    """All of ``evaluation.json``. ``pairs`` holds a :class:`Pair` by outcome and horizon (``admission_28``)."""

    synthetic: bool
    data_hash: str
    bootstrap_draws: int
    suppressed_below: int
    enough_events: int
    groups_not_in_records: list[str]
    slots: str
    slices: list[Slice]
    embargo_days: int
    censoring: list[LabelCount]
    pairs: dict[str, Pair]
    drift: Drift | None = None
    coherence: dict[str, Coherence] | None = None
    planted: PlantedFindings | None = None
    ranges: Ranges | None = None
    external: External | None = None
    attrition: list[AttritionStep] | None = None
    split: str | None = None
    left_out: dict[str, str] | None = None
    """Outcomes of the settings for which the records have too few events, and why they were not trained."""

    @classmethod
    def read(cls, text: str | bytes) -> Evaluation:
        """The evaluation in ``evaluation.json``. Raises pydantic.ValidationError for any other file."""
        return cls.model_validate_json(text)

    def as_json(self) -> dict[str, Any]:
        """Plain data, as ``evaluation.json`` holds it."""
        return self.model_dump(mode="json", exclude_unset=True)
