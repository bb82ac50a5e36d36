"""The evaluation of one run as a typed model: what ``evaluation.json`` holds. The page, the metrics, the gates, the
evidence file and the plots read it.

The modules of ``training/evaluation`` compute figures; :func:`training.evaluation.report.evaluate` combines them once,
here. Nothing changes an evaluation after that. A field that an older run did not write is None.
"""

from __future__ import annotations

from typing import Any

from training.evaluation.schema.pair import Pair
from training.evaluation.schema.scores import Figure, FrozenModel


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


class Ablated(FrozenModel):
    """One group of features, and what the AUROC of each outcome and horizon loses without it; None where no model
    could be fitted without it."""

    group: str
    features: int
    lost: dict[str, Figure | None]


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
    weighted: bool = False
    """Whether rows of the test slice stand for people whose follow-up ended at a review from the list."""
    pairs: dict[str, Pair]
    drift: Drift | None = None
    coherence: dict[str, Coherence] | None = None
    planted: PlantedFindings | None = None
    ranges: Ranges | None = None
    ablation: list[Ablated] | None = None
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
