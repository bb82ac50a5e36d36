"""The settings of training, evaluation and promotion: one typed model of mlflow.yaml, unknown names refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from features.errors import SettingsError
from features.settings import (
    ENV_PREFIX,
    ArrivalSettings,
    CohortSettings,
    Days,
    FileSettings,
    LotterySettings,
    RetentionSettings,
    Section,
    load_settings,
)
from training.outcome_settings import OutcomeSettings, Share


class TrackingSettings(Section):
    uri: str | None = None
    experiment: str = "upstream"
    registered_model: str = "upstream"
    artefacts: str = "artefacts"
    artefact_location: str | None = None

    @model_validator(mode="after")
    def _files_have_a_place(self) -> TrackingSettings:
        databases = ("postgresql", "mysql", "mssql", "sqlite")
        if self.uri and not self.uri.startswith((*databases, "http://", "https://", "file:", "databricks")):
            raise ValueError(
                "uri is no address that MLflow knows: write https://server, postgresql://user@host/name or, for a "
                "store under --home, null"
            )
        if self.uri and self.uri.startswith(databases) and not self.artefact_location:
            raise ValueError(
                "uri is a database, which holds no files: name in artefact_location where bundles and reports go, a "
                "folder or bucket that every machine reaches (file:///srv/upstream, s3://...)"
            )
        return self


class SplitSettings(Section):
    train_share: Share = 0.55
    calibration_share: Share = 0.22
    unseen_patients: float = Field(default=0.1, ge=0, lt=0.9)
    kind: Literal["temporal", "patients"] = "temporal"
    origins: int = Field(default=3, ge=1)
    shortest_training: Days = 180

    @model_validator(mode="after")
    def _leaves_a_test_slice(self) -> SplitSettings:
        if self.train_share + self.calibration_share >= 1:
            raise ValueError("train_share + calibration_share must stay below 1: what is left is the test slice")
        return self


class TreeParameters(Section):
    """Parameters of the trees, each of which may be left as it is."""

    trees: int | None = Field(default=None, ge=1, le=5000)
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    max_depth: int | None = Field(default=None, ge=1, le=6)
    leaves: int | None = Field(default=None, ge=2, le=31)
    min_rows_in_leaf: int | None = Field(default=None, ge=1)
    feature_fraction: float | None = Field(default=None, gt=0, le=1)
    row_fraction: float | None = Field(default=None, gt=0, le=1)
    l2: float | None = Field(default=None, ge=0)


class LargerTrees(TreeParameters):
    """Parameters of one outcome from so many people with an event in training on."""

    people: int = Field(ge=1)


class OutcomeTraining(TreeParameters):
    """Parameters of one outcome; what is not set is taken from the parameters for every outcome."""

    larger: tuple[LargerTrees, ...] = ()
    """Steps by rising number of people; the last that is reached counts."""

    @model_validator(mode="after")
    def _steps_rise(self) -> OutcomeTraining:
        people = [step.people for step in self.larger]
        if people != sorted(set(people)):
            raise ValueError(f"larger has steps at {people} people: write rising numbers, each once")
        return self


class TrainingSettings(Section):
    trees: int = Field(default=160, ge=1, le=5000)
    learning_rate: float = Field(default=0.04, gt=0, le=1)
    max_depth: int = Field(default=3, ge=1, le=6)
    leaves: int = Field(default=8, ge=2, le=31)
    min_rows_in_leaf: int = Field(default=400, ge=1)
    feature_fraction: float = Field(default=0.25, gt=0, le=1)
    row_fraction: float = Field(default=0.7, gt=0, le=1)
    l2: float = Field(default=50.0, ge=0)
    by_outcome: dict[str, OutcomeTraining] = Field(
        default={
            "admission": OutcomeTraining(
                l2=300.0, larger=(LargerTrees(people=2000, trees=300, max_depth=4, leaves=16),)
            ),
            "disengagement": OutcomeTraining(trees=240, max_depth=2, leaves=4),
        }
    )
    fewest_calibration_events: int = Field(default=10, ge=1)
    bins: int = Field(default=127, ge=3, le=255)
    seed: int = 20260101
    threads: int = Field(default=2, ge=1)
    refit_folds: int = Field(default=3, ge=0, le=10)
    range_refits: int = Field(default=20, ge=0, le=200)
    range_rows: int = Field(default=20_000, ge=100)

    @model_validator(mode="after")
    def _one_refit_has_no_spread(self) -> TrainingSettings:
        if self.range_refits == 1:
            raise ValueError("range_refits is 1: a spread needs at least 2 refits; write 0 for no ranges, or 20")
        return self

    def of(self, outcome: str) -> TrainingSettings:
        """The parameters of one outcome, its own over those of all."""
        own = self.by_outcome.get(outcome)
        return self if own is None else self.model_copy(update=own.model_dump(exclude_none=True, exclude={"larger"}))

    def with_events(self, outcome: str, people: int) -> TrainingSettings:
        """The same, with the parameters that ``people`` with an event in training reach for ``outcome``; itself where
        they reach no step of ``larger``."""
        own = self.by_outcome.get(outcome, OutcomeTraining())
        steps = [step for step in own.larger if step.people <= people]
        if not steps:
            return self
        reached = steps[-1].model_dump(exclude_none=True, exclude={"people"})
        now = own.model_copy(update={**reached, "larger": ()})
        return self.model_copy(update={"by_outcome": {**self.by_outcome, outcome: now}})


class TuningSettings(Section):
    trials: int = Field(default=0, ge=0)
    patience: int = Field(default=30, ge=0)
    seconds: float = Field(default=600, gt=0)


class ControlSettings(Section):
    logistic_strength: float = Field(default=0.001, gt=0)
    boosting_rows: int = Field(default=12000, ge=100)
    boosting_rounds: int = Field(default=200, ge=1)
    survival_rows: int = Field(default=12000, ge=100)
    survival_penalty: float = Field(default=3000, gt=0)


class EvaluationSettings(Section):
    bootstrap_draws: int = Field(default=200, ge=0)
    oracle_rows: int = Field(default=1200, ge=0)
    oracle_draws: int = Field(default=80, ge=1)
    ceiling_particles: int = Field(default=0, ge=0)
    ceiling_futures: int = Field(default=600, ge=1)
    default_weekly_reviews: int = Field(default=10, ge=1)
    enough_events: int = Field(default=30, ge=1)
    stability_refits: int = Field(default=5, ge=0)
    capacity_weeks: int = Field(default=26, ge=0)
    coherence_rows: int = Field(default=1_000_000, ge=0)
    ablation: Literal["none", "tables", "concepts"] = "none"
    planted_people: int = Field(default=200, ge=0)


class OutcomeGates(Section):
    """Gates of one outcome; what is not set is taken from the gates of every outcome."""

    fewest_events: int | None = Field(default=None, ge=0)
    beats_best_rule: bool | None = None
    slots: tuple[Days, ...] | None = Field(default=None, min_length=1)
    capture_at_least: float | None = Field(default=None, ge=0)
    difference_above: float | None = None
    smallest_lead: float | None = Field(default=None, ge=0)
    calibration_slope: tuple[float, float] | None = None
    observed_to_expected: tuple[float, float] | None = None
    worst_group_at_least: float | None = Field(default=None, ge=0, le=1)
    worst_team_at_least: float | None = Field(default=None, ge=0, le=1)
    far_below: float | None = Field(default=None, ge=0, le=1)
    stability_at_least: float | None = Field(default=None, ge=0, le=1)
    auroc_at_most: float | None = Field(default=None, gt=0.5, le=1)


class PromotionSettings(Section):
    @property
    def sha256(self) -> str:
        """Hash of all gates, recorded with each decision."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    headline: tuple[str, ...] = ("admission_90", "disengagement_180")
    fewest_events: int = Field(default=100, ge=0)
    beats_best_rule: bool = True
    slots: tuple[Days, ...] = Field(default=(5, 10, 15, 25), min_length=1)
    capture_at_least: float | None = Field(default=1.0, ge=0)
    difference_above: float | None = 0.0
    smallest_lead: float = Field(default=0.03, ge=0)
    calibration_slope: tuple[float, float] = (0.8, 1.25)
    observed_to_expected: tuple[float, float] | None = (0.9, 1.1)
    not_worse_than_champion: bool = True
    worst_group_at_least: float | None = Field(default=0.8, ge=0, le=1)
    worst_team_at_least: float | None = Field(default=0.8, ge=0, le=1)
    far_below: float = Field(default=0.5, ge=0, le=1)
    stability_at_least: float | None = Field(default=0.4, ge=0, le=1)
    leak_checks: int = Field(default=500, ge=1)
    one_row_ms_at_most: float = Field(default=20.0, gt=0)
    auroc_at_most: float | None = Field(default=0.9, gt=0.5, le=1)
    by_outcome: dict[str, OutcomeGates] = Field(default={})

    def of(self, outcome: str) -> PromotionSettings:
        """The gates of one outcome, its own over those of all."""
        own = self.by_outcome.get(outcome)
        return self if own is None else self.model_copy(update=own.model_dump(exclude_none=True))


class Stated(Section):
    """A number that a trust states for itself, with where it comes from."""

    value: float = Field(gt=0)
    source: str = Field(min_length=5, max_length=300)


class ImpactSettings(Section):
    """What the read-out of impact needs to speak of hours and pounds. Nothing is assumed: unset is not computed."""

    plan: str = "impact-plan.json"
    live_from: dt.date | None = None
    psychiatrist_minutes: Stated | None = None
    psychiatrist_share: Stated | None = None
    bed_day_pounds: Stated | None = None


class WatchSettings(Section):
    """Bounds of the steps of repair, written beforehand: docs/change_control.md is generated from them."""

    alpha: float = Field(default=0.01, gt=0, le=0.1)
    slope_alpha: float = Field(default=0.01, gt=0, le=0.1)
    fewest_events: int = Field(default=100, ge=20)
    step_p: float = Field(default=0.01, gt=0, le=0.1)
    most_intercept: float = Field(default=0.7, gt=0, le=2)
    slope: tuple[float, float] = (0.7, 1.4)

    @model_validator(mode="after")
    def _slope_holds_one(self) -> WatchSettings:
        if not 0 < self.slope[0] < 1 < self.slope[1]:
            raise ValueError(f"slope is {list(self.slope)}; write two bounds above 0 with 1 between them")
        return self


class Settings(FileSettings):
    """All of mlflow.yaml. ``Settings()`` gives the defaults, ``Settings.load()`` reads the file; environment
    variables override both."""

    tracking: TrackingSettings = TrackingSettings()
    cohort: CohortSettings = CohortSettings()
    arrival: ArrivalSettings = ArrivalSettings()
    lottery: LotterySettings = LotterySettings()
    retention: RetentionSettings = RetentionSettings()
    outcomes: OutcomeSettings = OutcomeSettings()
    splits: SplitSettings = SplitSettings()
    training: TrainingSettings = TrainingSettings()
    tuning: TuningSettings = TuningSettings()
    controls: ControlSettings = ControlSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    promotion: PromotionSettings = PromotionSettings()
    impact: ImpactSettings = ImpactSettings()
    watching: WatchSettings = WatchSettings()

    @model_validator(mode="after")
    def _headline_is_trained(self) -> Settings:
        trained = {
            f"{outcome}_{horizon}" for outcome, horizons in self.outcomes.horizons.items() for horizon in horizons
        }
        missing = sorted(set(self.promotion.headline) - trained)
        if missing:
            raise ValueError(f"promotion.headline names {', '.join(missing)}, which outcomes.horizons does not train")
        judged = {name.rpartition("_")[0] for name in self.promotion.headline}
        if unjudged := sorted(set(self.outcomes.own) - judged):
            raise ValueError(
                f"promotion.headline names no prediction window of {', '.join(unjudged)}: it would be served without a "
                f"gate; add {unjudged[0]}_{self.outcomes.horizons[unjudged[0]][0]}"
            )
        return self

    @model_validator(mode="after")
    def _outcomes_are_known(self) -> Settings:
        known = self.outcomes.definitions
        for section, named in (("training", self.training.by_outcome), ("promotion", self.promotion.by_outcome)):
            if unknown := sorted(set(named) - set(known)):
                raise ValueError(
                    f"{section}.by_outcome names {', '.join(unknown)}; the outcomes are {', '.join(known)}"
                )
        return self

    def with_options(self, split: str | None = None, trials: int | None = None, refits: int | None = None) -> Settings:
        """The same settings with the options of a command line. Raises SettingsError for an unknown split."""
        if split not in (None, "temporal", "patients"):
            raise SettingsError(
                f"there is no split {split!r}: choose temporal, patients, leave-one-team-out or rolling"
            )
        asked = {"splits": ("kind", split), "tuning": ("trials", trials), "evaluation": ("stability_refits", refits)}
        changed = {
            section: getattr(self, section).model_copy(update={field: value})
            for section, (field, value) in asked.items()
            if value is not None
        }
        return self.model_copy(update=changed)

    @staticmethod
    def _refuse_gates_from_outside() -> None:
        """Gates are read only from the file, because its hash is recorded with every decision."""
        named = sorted(name for name in os.environ if name.upper().startswith(f"{ENV_PREFIX}PROMOTION"))
        if named:
            raise SettingsError(
                f"{', '.join(named)}: a promotion gate is not set by an environment variable. Unset it, and write the "
                f"gate into the settings file, where it can be reviewed."
            )

    @classmethod
    def load(cls, path: str | Path | None = None) -> Settings:
        """Read `path`; by default the file of ``settings_path()``. Raises SettingsError naming every wrong value at
        once."""
        cls._refuse_gates_from_outside()
        return load_settings(cls, path)
