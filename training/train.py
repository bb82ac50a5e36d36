"""One training run, from records to a registered challenger: prepare, tune, fit, score, evaluate, prove, record.

Any failure before the end leaves a failed run in MLflow and the aliases unchanged.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from features import Records
from models.ranges import FittedRanges
from training.dataset.prepare import Clock, Prepared, Progress, prepare
from training.errors import NoChampion, StoreAbsent
from training.evaluation import competing_risks, lead_over_rule, report
from training.evaluation.robustness import examine
from training.fitting.boosters import Fitted, fit
from training.fitting.contenders import score_rows, score_test_rows, scorer
from training.fitting.ranges import ends, fit_ranges, rescaled
from training.fitting.recalibrate import GivenBundle, carried_ranges, check_fits, open_bundle, recalibrate
from training.fitting.refit import refit
from training.fitting.trainable import larger_trees, trainable
from training.impact.exposure import Exposure, exposure_aware, until_reviewed
from training.registry import comparison, release_checks, tracking
from training.registry.record import Made, TrainResult, record
from training.settings import Settings
from training.statistics.resampling import codes

if TYPE_CHECKING:
    from training.fitting.tune import Tuned


def train(
    records: Records,
    settings: Settings,
    home: str | Path,
    truth: Any | None = None,
    progress: Progress = lambda _: None,
    compare: str | None = None,
    exposure: Exposure | None = None,
    bundle: Path | str | None = None,
) -> TrainResult:
    """Train on ``records`` and register the result in the MLflow store of ``home`` with the alias ``challenger``.

    ``truth`` is the simulator's knowledge (``risk(spine, outcomes, draws, seed)``); it is used after fitting, for the
    evaluation only. ``compare`` (``champion``, another alias, or a version) is scored beside the challenger on the
    same test rows; by default the champion, if there is one, because a gate reads the difference. Parameters are
    searched first if ``settings.tuning.trials`` is above 0. ``exposure`` says who was listed and reviewed since the
    first list; without it, rows after ``settings.impact.live_from`` are used as they are and promotion refuses. With
    ``bundle``, its trees are kept and only calibrated again on these records; everything after that, to the gates, is
    the same. Raises StoreFault, NotEnoughData, HomeMoved, NoChampion, ExposureUnknown, and the errors of records and
    bundles.
    """
    clock = Clock(progress)
    tracking.open_store(home, settings.tracking, create=True).check_place()
    rival = _rival(home, settings, compare)
    ready = prepare(records, settings, clock)
    possible = trainable(ready, settings)
    ready, settings = possible.ready, possible.settings
    for why in possible.left_out.values():
        progress(why)
    ready, noted = exposure_aware(ready, settings.outcomes.horizons, exposure, settings.impact.live_from)
    if noted.problem:
        progress(f"promotion will refuse this model: {noted.problem}")
    given = _given(bundle, records, ready, settings)
    if given is None:
        larger = larger_trees(ready, ready.split.train, settings, progress)
        settings = settings.model_copy(update={"training": larger})
    tuned = _tune(ready, settings, clock) if settings.tuning.trials and given is None else None
    if tuned is not None:
        settings = settings.model_copy(update={"training": tuned.settings})
    clock.stage(
        "fit",
        f"fitting on {int(ready.split.train.sum()):,} rows, calibrating on {int(ready.split.calibration.sum()):,}",
    )
    fitted = (
        recalibrate(given, ready, settings)
        if given is not None
        else fit(
            ready.matrix,
            ready.labels,
            ready.split.train,
            ready.split.calibration,
            settings.outcomes.horizons,
            settings.training,
            weights=ready.weights,
        )
    )
    clock.stage("control", "fitting the controls: logistic regression, explainable boosting, proportional hazards")
    score = scorer(ready, fitted, settings.controls)
    contenders = score_test_rows(ready, score)
    calibrated = score_rows(ready, score, ready.split.calibration)
    leads = lead_over_rule.by_pair(
        ready.follow_up, ready.labels, ready.split, contenders, calibrated, settings.promotion.slots, ready.weights
    )
    ranges = carried_ranges(given, fitted) if given is not None else _ranges(ready, fitted, settings, clock)
    clock.stage(
        "evaluate",
        f"evaluating on {int(ready.split.test.sum()):,} later rows"
        + (", against the oracle" if truth is not None else ""),
    )
    sampled = report.sample_truth(truth, ready.spine, ready.follow_up, ready.split, settings)
    evaluation = report.evaluate(
        records,
        ready.spine,
        ready.follow_up,
        ready.split,
        contenders,
        settings,
        truth,
        ready.with_under_way,
        sampled,
        ready.weights,
    )
    evaluation = report.with_ranges(
        evaluation,
        records,
        ready.spine,
        ready.split,
        contenders.model,
        ranges,
        lambda rows: ends(fitted, ranges, ready.matrix.values[rows]) if ranges else {},
        sampled,
        settings,
    )
    evaluation = examine(
        evaluation,
        records,
        ready,
        fitted,
        contenders,
        score,
        settings,
        truth,
        lambda followed: until_reviewed(followed, settings.outcomes.horizons, exposure),
    )
    evaluation = competing_risks.with_incidence(
        evaluation, ready.follow_up, ready.split.test, contenders.model, settings, ready.weights
    )
    evaluation = report.with_run(evaluation, ready.attrition, settings.splits.kind, leads, possible.left_out)
    clock.stage(
        "prove",
        f"deleting and garbling the future of {settings.promotion.leak_checks:,} person-dates: no feature may change",
    )
    statement = release_checks.leakage(
        records, settings.promotion.leak_checks, settings.training.seed, settings.training.threads
    )
    served = _refit(ready, fitted, settings, clock)
    if ranges is not None and served is not fitted:
        ranges = rescaled(ranges, ready.labels, ready.split.train, served)
    clock.stage("record", "recording the run in MLflow")
    made = Made(
        ready, fitted, served, contenders, evaluation, statement, tuned, rival, noted, ranges, possible.left_out
    )
    return record(records, settings, Path(home), made, clock)


def _given(bundle: Path | str | None, records: Records, ready: Prepared, settings: Settings) -> GivenBundle | None:
    if bundle is None:
        return None
    given = open_bundle(bundle)
    check_fits(given, records.data_hash, ready.matrix.names, settings)
    return given


def _ranges(ready: Prepared, fitted: Fitted, settings: Settings, clock: Clock) -> FittedRanges | None:
    """The ranges of the evaluated model; None where the settings ask for no refits."""
    number = settings.training.range_refits
    if not number:
        return None
    clock.stage("ranges", f"fitting {number} times again on other draws of people, for the range of each risk")
    people = codes(ready.spine["patient_id"])
    values, labels, train = ready.matrix.values, ready.labels, ready.split.train
    return fit_ranges(fitted, values, labels, people, train, settings.training, ready.weights)


def _refit(ready: Prepared, fitted: Fitted, settings: Settings, clock: Clock) -> Fitted:
    """The model that serves: fitted again on everything, or the evaluated one where the settings ask for that."""
    if not settings.training.refit_folds or fitted.trees_of:
        return fitted
    clock.stage("refit", f"fitting the served model on all {len(ready.spine):,} rows")
    return refit(
        ready.matrix.values, ready.labels, codes(ready.spine["patient_id"]), fitted, settings.training, ready.weights
    )


def _rival(home: str | Path, settings: Settings, compare: str | None) -> comparison.Champion | None:
    """The version to compare with: the requested one, else the champion if there is one."""
    if compare is not None:
        return comparison.load(home, settings, compare)
    try:
        return comparison.load(home, settings, tracking.CHAMPION)
    except (StoreAbsent, NoChampion):
        return None


def _tune(ready: Prepared, settings: Settings, clock: Clock) -> Tuned:
    clock.stage(
        "tune",
        f"searching parameters: {settings.tuning.trials} trials an outcome, at most {settings.tuning.seconds:g} s in "
        f"all",
    )
    from training.fitting.tune import tune  # Optuna is imported only if a search was requested

    found = tune(
        ready.matrix,
        ready.spine,
        ready.labels,
        ready.split.train,
        settings.outcomes.horizons,
        settings.training,
        settings.tuning,
        weights=ready.weights,
    )
    for confirmed in found.confirmed.values():
        clock.progress(confirmed.line())
    for outcome in found.settled:
        clock.progress(f"{outcome}: the search ended when {settings.tuning.patience} trials in a row were no better")
    if found.cut:
        clock.progress(
            f"the time ran out before the trials of {', '.join(found.cut)}: another machine may find another answer"
        )
    return found
