"""One training run, from records to a registered challenger: cohort, features, labels, split, fit, evaluate, bundle, log.

Whatever goes wrong before the end leaves a failed run in MLflow and the aliases as they were.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from features import Records, build
from features.catalogue import CATALOGUE
from features.engine.matrix import FeatureMatrix
from features.leakage import Statement
from models.bundle import write_bundle
from models.errors import BundleRefused
from models.manifest import feature_list_hash
from models.risk_model import RiskModel, stack_horizons
from training import checks, cohort, comparators, comparison, controls, lead, outcomes, splits, tracking
from training.errors import NotEnoughData
from training.evaluation import page, plots, report
from training.evaluation.examine import examine
from training.evaluation.explaining import Explained
from training.fit import HORIZON_COLUMN, Fitted, fit
from training.outcomes import FollowUp
from training.settings import ControlSettings, Settings
from training.splits import Split

if TYPE_CHECKING:
    from training.tune import Tuned

Floats = npt.NDArray[np.float64]
Progress = Callable[[str], None]
Scorer = Callable[[FeatureMatrix], report.Contenders]
_EXPLAINED_ROWS = 1000


@dataclass(frozen=True)
class TrainResult:
    """What a run made. ``metrics`` are named ``admission_28/auroc``; ``seconds`` are wall-clock by stage; ``evaluation`` is evaluation.json."""

    run_id: str
    version: str
    bundle_id: str
    metrics: Mapping[str, float]
    seconds: Mapping[str, float]
    evaluation: Mapping[str, Any]
    comparison: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Prepared:
    """Everything a model is fitted on: rows, what is known on them, what happened after them, and which slice each belongs to."""

    spine: pd.DataFrame
    attrition: pd.DataFrame
    matrix: Any
    follow_up: FollowUp
    labels: pd.DataFrame
    split: Split
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """What a run has made before it is recorded. ``tuned`` and ``rival`` are None where no search and no comparison was asked for."""

    ready: Prepared
    fitted: Fitted
    contenders: report.Contenders
    evaluation: dict[str, Any]
    statement: Statement
    tuned: Tuned | None
    rival: comparison.Champion | None


class _Clock:
    """Names each stage as it begins, and times it."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.seconds, self._name, self._from = progress, dict[str, float](), "", 0.0

    def stage(self, name: str, what: str) -> None:
        now = time.perf_counter()
        if self._name:
            self.seconds[self._name] = round(now - self._from, 3)
        self._name, self._from = name, now
        if what:
            self.progress(what)


def prepare(records: Records, settings: Settings, progress: Progress = lambda _: None) -> Prepared:
    """Cohort at landmarks, features, labels and split of ``records``."""
    return _prepare(records, settings, _Clock(progress))


def train(
    records: Records,
    settings: Settings,
    home: str | Path,
    truth: Any | None = None,
    progress: Progress = lambda _: None,
    compare: str | None = None,
) -> TrainResult:
    """Train on ``records`` and register the result in the MLflow store of ``home`` with the alias ``challenger``.

    ``truth`` is what only a simulator knows (``risk(spine, outcomes, draws, seed)``); it is asked after fitting, for the evaluation only. ``compare``
    (``champion``, another alias, or a version) is scored beside the challenger on the same test rows. Parameters are searched first where
    ``settings.tuning.trials`` is above 0. Raises NotEnoughData, HomeMoved, NoChampion, and whatever the records or the bundle refuse.
    """
    clock = _Clock(progress)
    if (Path(home) / tracking.DATABASE).is_file():
        tracking.open_store(home, settings.tracking).check_place()
    rival = comparison.load(home, settings, compare) if compare is not None else None
    ready = _prepare(records, settings, clock)
    tuned = _tune(ready, settings, clock) if settings.tuning.trials else None
    if tuned is not None:
        settings = settings.model_copy(update={"training": tuned.settings})
    clock.stage(
        "fit",
        f"fitting on {int(ready.split.train.sum()):,} rows, calibrating on {int(ready.split.calibration.sum()):,}",
    )
    fitted = fit(
        ready.matrix,
        ready.labels,
        ready.split.train,
        ready.split.calibration,
        settings.outcomes.horizons,
        settings.training,
    )
    clock.stage("control", "fitting the controls: a logistic regression and an explainable boosting machine")
    score = scorer(ready, fitted, settings.controls)
    contenders = score_test_rows(ready, score)
    calibrated = score_rows(ready, score, ready.split.calibration)
    leads = lead.by_pair(ready.follow_up, ready.labels, ready.split, contenders, calibrated, settings.promotion.slots)
    clock.stage(
        "evaluate",
        f"evaluating on {int(ready.split.test.sum()):,} later rows"
        + (", against the oracle" if truth is not None else ""),
    )
    evaluation = report.evaluate(records, ready.spine, ready.follow_up, ready.split, contenders, settings, truth)
    examine(evaluation, records, ready, fitted, contenders, score, settings, truth)
    evaluation["attrition"] = ready.attrition.to_dict("records")
    evaluation["split"] = settings.splits.kind
    for name, found in leads.items():
        evaluation["pairs"][name]["lead"] = found
    clock.stage(
        "prove",
        f"deleting and garbling the future of {settings.promotion.leak_checks:,} person-dates: no feature may change",
    )
    statement = checks.leakage(
        records, settings.promotion.leak_checks, settings.training.seed, settings.training.threads
    )
    clock.stage("record", "recording the run in MLflow")
    made = Made(ready, fitted, contenders, evaluation, statement, tuned, rival)
    return _record(records, settings, Path(home), made, clock)


def _prepare(records: Records, settings: Settings, clock: _Clock) -> Prepared:
    clock.stage("cohort", "choosing who is scored at each landmark")
    last_day = outcomes.last_settled_day(records, settings.outcomes.settling_days)
    shortest = min(min(days) for days in settings.outcomes.horizons.values())
    dates = cohort.landmarks(records, settings.cohort, last_day + 1 - shortest)
    people = cohort.select(records, dates, settings.cohort)
    if not len(people.spine):
        raise NotEnoughData(
            "Nobody is on a caseload at any landmark. The attrition table says why:\n"
            + people.attrition.to_string(index=False)
        )
    clock.stage(
        "labels",
        f"following {len(people.spine):,} rows of {people.spine['patient_id'].nunique():,} people to their outcomes",
    )
    follow_up = outcomes.follow_up(records, people.spine, settings.outcomes, settings.cohort.in_scope_team_kinds)
    labels = follow_up.labels(settings.outcomes.horizons)
    slices = {"temporal": splits.by_time, "patients": splits.by_patients}[settings.splits.kind]
    split = slices(people.spine, settings.outcomes.longest_horizon, last_day, settings.splits)
    clock.stage("features", f"building {len(CATALOGUE)} features on {len(people.spine):,} rows")
    matrix = build(records, people.spine, threads=settings.training.threads)
    return Prepared(people.spine, people.attrition, matrix, follow_up, labels, split, settings.training.seed)


def scorer(ready: Prepared, fitted: Fitted, settings: ControlSettings | None = None) -> Scorer:
    """Fits the controls beside the model, and gives what scores the rows of any matrix with the model, the controls and the rules."""
    settings, train = settings or ControlSettings(), ready.split.train
    logistic = controls.fit_logistic(ready.matrix, ready.labels, train, strength=settings.logistic_strength)
    boosting = controls.fit_boosting(
        ready.matrix, ready.spine["patient_id"].tolist(), ready.labels, train, fitted.horizons, settings, ready.seed
    )
    five = comparators.fit_five_factors(ready.matrix, ready.labels, train)

    def score(matrix: FeatureMatrix) -> report.Contenders:
        return report.Contenders(
            fitted.by_pair(matrix.values),
            logistic.probabilities(matrix.values),
            comparators.apply_rules(matrix)
            | comparators.without_looking(matrix.spine["patient_id"].tolist(), ready.seed),
            five.probabilities(comparators.five_factor_values(matrix)) if five is not None else {},
            boosting.probabilities(matrix.values),
        )

    return score


def score_test_rows(ready: Prepared, score: Scorer) -> report.Contenders:
    """Scores of the test rows; NaN elsewhere, so that nothing in an evaluation can look at a row that trained."""
    return score_rows(ready, score, ready.split.test)


def score_rows(ready: Prepared, score: Scorer, rows: splits.Mask) -> report.Contenders:
    """Scores of some rows of the spine; NaN elsewhere."""
    at = np.flatnonzero(rows)
    part = FeatureMatrix(_rows_of(ready.matrix.values, at), ready.matrix.names, ready.spine.iloc[at])
    return score(part).spread(at, len(ready.spine))


def _tune(ready: Prepared, settings: Settings, clock: _Clock) -> Tuned:
    clock.stage(
        "tune",
        f"searching parameters: {settings.tuning.trials} trials an outcome, at most {settings.tuning.seconds:g} s in all",
    )
    from training.tune import tune  # Optuna is imported only where a search was asked for

    found = tune(
        ready.matrix,
        ready.spine["patient_id"].tolist(),
        ready.labels,
        ready.split.train,
        settings.outcomes.horizons,
        settings.training,
        settings.tuning,
    )
    for outcome in settings.outcomes.horizons:
        best = found.best(outcome)
        clock.progress(f"{outcome}: log loss {best.log_loss:.5f} with trial {best.number} (0 is mlflow.yaml's own)")
    if found.cut:
        clock.progress(
            f"the seconds ran out before the trials of {', '.join(found.cut)}: another machine may find another answer"
        )
    return found


def _record(
    records: Records,
    settings: Settings,
    home: Path,
    made: Made,
    clock: _Clock,
) -> TrainResult:
    ready, fitted, evaluation = made.ready, made.fitted, made.evaluation
    store = tracking.open_store(home, settings.tracking, create=True)
    facts = {
        "data_hash": records.data_hash,
        "code_commit": tracking.code_commit(),
        "feature_list_hash": feature_list_hash(fitted.names),
        "synthetic": str(records.synthetic).lower(),
    }
    found = report.flat_metrics(evaluation)
    name = f"{'synthetic ' if records.synthetic else ''}{facts['data_hash'][:8]}"
    with tempfile.TemporaryDirectory() as scratch, store.run(name, facts) as run:
        run.parameters(
            {**_flat(settings.model_dump(mode="json")), **facts, "features": len(fitted.names), **_sizes(ready)}
        )
        run.metrics(found)
        for trial in made.tuned.trials if made.tuned is not None else ():
            run.child(f"{trial.outcome}, trial {trial.number}", trial.parameters, {"log_loss": trial.log_loss})
        example = stack_horizons(ready.matrix.values[:5], (90,))
        columns = (*fitted.names, HORIZON_COLUMN)
        model_ids = {
            outcome: run.booster(booster, outcome, example, columns) for outcome, booster in fitted.boosters.items()
        }
        version = run.register(
            next(iter(model_ids.values())), {**facts, **{f"model_id.{o}": m for o, m in model_ids.items()}}
        )
        bundle = write_bundle(
            Path(scratch) / tracking.BUNDLE,
            boosters=fitted.boosters,
            calibration=fitted.calibration,
            horizons=fitted.horizons,
            features=fitted.features,
            reference_matrix=ready.matrix.values[ready.split.train],
            card=card(records, settings, ready, evaluation),
            provenance={
                **facts,
                "synthetic": records.synthetic,
                "run_id": run.run_id,
                "model_version": f"{version.name}-{version.version}",
                "trained_on": {**_sizes(ready), "slices": evaluation["slices"]},
            },
        )
        served = RiskModel.load(bundle)
        run.files(bundle, tracking.BUNDLE)
        pictures = plots.as_html(plots.draw(evaluation, _explain(served, ready, made.contenders)))
        page.write(evaluation, Path(scratch) / tracking.EVALUATION, pictures)
        run.files(Path(scratch) / tracking.EVALUATION, tracking.EVALUATION)
        plots.save(pictures, Path(scratch) / "plots")
        run.files(Path(scratch) / "plots", "plots")
        (Path(scratch) / "settings").mkdir()
        (Path(scratch) / "settings" / "mlflow.yaml").write_text(
            yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False), encoding="utf-8"
        )
        run.files(Path(scratch) / "settings", "settings")
        timed = checks.latency(served, ready.matrix.values[ready.split.test][:200], ready.matrix.names)
        checks.write(Path(scratch) / tracking.CHECKS, made.statement, timed)
        run.files(Path(scratch) / tracking.CHECKS, tracking.CHECKS)
        run.metrics({"latency/one_row_ms": timed["median_ms"], "leakage/checks": made.statement.checks})
        beside = _compare(records, settings, made, version.version)
        if beside is not None:
            comparison.write(beside, Path(scratch) / tracking.COMPARISON)
            run.files(Path(scratch) / tracking.COMPARISON, tracking.COMPARISON)
            run.metrics(comparison.flat(beside))
        clock.stage("", "")
        run.metrics({f"seconds/{stage}": value for stage, value in clock.seconds.items()})
        store.tag(
            version.version, {"bundle_id": served.manifest.bundle_id, "bundle": f"runs:/{run.run_id}/{tracking.BUNDLE}"}
        )
        bundle_id = served.manifest.bundle_id
    # Only a run that ended well becomes the challenger.
    store.alias(tracking.CHALLENGER, version.version)
    return TrainResult(run.run_id, version.version, bundle_id, found, dict(clock.seconds), evaluation, beside)


def _compare(records: Records, settings: Settings, made: Made, version: str) -> dict[str, Any] | None:
    """The rival of ``made`` beside it on the same test rows; None where none was asked for."""
    if made.rival is None:
        return None
    ready = made.ready
    return comparison.side_by_side(
        made.rival,
        version,
        made.contenders.model,
        ready.matrix.values,
        ready.matrix.names,
        ready.follow_up,
        ready.labels,
        ready.split.test,
        lambda teams: team_slots(records, teams, settings.evaluation.default_weekly_reviews),
        settings.evaluation.bootstrap_draws,
        settings.training.seed,
    )


def _explain(served: RiskModel, ready: Prepared, contenders: report.Contenders) -> dict[str, Explained]:
    """What moves the risks of some test rows, by outcome. Also proves that the bundle scores as the fitted model did."""
    rows = np.flatnonzero(ready.split.test)[:: max(1, int(ready.split.test.sum()) // _EXPLAINED_ROWS)]
    matrix = _rows_of(ready.matrix.values, rows)
    scores = served.score(matrix, names=ready.matrix.names)
    concepts = [CATALOGUE[name].concept for name in ready.matrix.names]
    found: dict[str, Explained] = {}
    for outcome, days in served.outcomes.items():
        scored, middle = scores[outcome], len(days) // 2
        for column, horizon in enumerate(days):
            apart = np.abs(scored.probability[:, column] - contenders.model[f"{outcome}_{horizon}"][rows]).max()
            if apart > 1e-9:
                raise BundleRefused(
                    f"the bundle scores {outcome} at {horizon} days {apart:.2g} apart from the model that was evaluated: report this"
                )
        base = scored.base[middle] + scored.horizon_part[:, middle]
        moved = scored.contributions[:, middle, :]
        found[outcome] = Explained(outcome, days[middle], ready.matrix.names, concepts, moved, matrix, base)
    return found


def team_slots(records: Records, teams: pd.Series, otherwise: int) -> list[int]:
    """Weekly reviews of each distinct team of ``teams``, in order of first sight; ``otherwise`` where a team states none."""
    stated = records["teams"].set_index("team_id")["weekly_reviews"]
    found = [stated.get(name, np.nan) for name in pd.unique(teams)]
    return [otherwise if pd.isna(value) else int(value) for value in found]


def _rows_of(values: npt.NDArray[np.floating], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
    return np.ascontiguousarray(values[rows])


def card(records: Records, settings: Settings, ready: Prepared, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The model card that travels in the bundle: what it is for, what it is not, what it learned from, and how well it did."""
    return {
        "name": "Upstream risk of disengagement and unplanned psychiatric admission",
        "synthetic": records.synthetic,
        "intended_use": "To order the reviews of a pharmacist embedded in a community mental health team, within the reviews the team can do.",
        "not_for": [
            "grading anyone as low risk, predicting suicide, or deciding a discharge",
            "people or services unlike those it was trained on",
            *(["any use on real people: it was trained on simulated people"] if records.synthetic else []),
        ],
        "outcomes": {
            "admission": "first unplanned admission to an acute, older adult or intensive care bed",
            "disengagement": f"{settings.outcomes.silent_days} silent days of an open referral with at least "
            f"{settings.outcomes.min_unsuccessful_offers} missed offers, or closure because the person did not attend or refused",
        },
        "horizons_days": {name: list(days) for name, days in settings.outcomes.horizons.items()},
        "exits": "death, transfer, moving away and planned discharge before an event are censored, never counted as a good result",
        "method": "one LightGBM booster per outcome over stacked horizons, monotone in the horizon, calibrated affinely on later data",
        "trained_on": {
            **_sizes(ready),
            "source": str(records.about.get("source", "not stated")),
            "data_hash": records.data_hash,
        },
        "not_used": "age, sex, ethnicity, deprivation, language, disability, autism and housing are not features",
        "slices": evaluation["slices"],
        "figures": {
            name: {
                "events": pair["events"],
                "prevalence": pair["prevalence"],
                "auroc": pair["contenders"]["model"]["auroc"],
                "best_simple_rule": pair["contenders"][pair["best_rule"]]["label"],
                "best_simple_rule_auroc": pair["contenders"][pair["best_rule"]]["auroc"],
                "calibration_slope": pair["contenders"]["model"]["calibration_slope"],
                "precision_at_slots": pair["contenders"]["model"]["precision_at_slots"],
            }
            for name, pair in evaluation["pairs"].items()
        },
    }


def _sizes(ready: Prepared) -> dict[str, Any]:
    return {
        "people": int(ready.spine["patient_id"].nunique()),
        "rows": len(ready.spine),
        "landmarks": int(ready.spine["as_of"].nunique()),
        "train_rows": int(ready.split.train.sum()),
        "calibration_rows": int(ready.split.calibration.sum()),
        "test_rows": int(ready.split.test.sum()),
    }


def _flat(tree: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return out
