"""Records a training run: parameters, metrics, boosters, bundle, report, plots and proofs in MLflow, and the alias
``challenger``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from features import Records
from features.catalogue import CATALOGUE
from features.leakage import Statement
from models.bundle.manifest import feature_list_hash
from models.errors import BundleRefused
from models.publishing import write_bundle
from models.ranges import FittedRanges
from models.risk_model import RiskModel, stack_horizons
from training.dataset.prepare import Clock, Prepared, team_slots
from training.evaluation import page, report
from training.evaluation.plots import draw
from training.evaluation.plots.attributions import Explained
from training.evaluation.schema.evaluation import Evaluation
from training.fitting.boosters import Fitted
from training.fitting.contenders import Contenders, rows_of
from training.fitting.inputs import HORIZON_COLUMN
from training.fitting.refit import trained_until
from training.impact.exposure import ExposureNote
from training.registry import comparison, release_checks, tracking
from training.registry.decisions import RECALIBRATED
from training.settings import Settings
from training.statistics.resampling import codes

if TYPE_CHECKING:
    from training.fitting.tune import Confirmation, Tuned

_EXPLAINED_ROWS = 1000


@dataclass(frozen=True)
class TrainResult:
    """The results of a run. ``metrics`` are named ``admission_28/auroc``; ``seconds`` are wall-clock by stage;
    ``evaluation`` is evaluation.json.
    """

    run_id: str
    version: str
    bundle_id: str
    metrics: Mapping[str, float]
    seconds: Mapping[str, float]
    evaluation: Evaluation
    comparison: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {**vars(self), "evaluation": self.evaluation.as_json()}


@dataclass(frozen=True)
class Made:
    """What a run has made before it is recorded: ``fitted`` was evaluated, ``served`` is what serves. ``tuned`` and
    ``rival`` are None if no search and no comparison was requested; ``exposure`` is for promotion's gate."""

    ready: Prepared
    fitted: Fitted
    served: Fitted
    contenders: Contenders
    evaluation: Evaluation
    statement: Statement
    tuned: Tuned | None
    rival: comparison.Champion | None
    exposure: ExposureNote
    ranges: FittedRanges | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Outcomes of the settings for which these records have too few events, and why."""

    @property
    def refitted(self) -> bool:
        """Whether the served model was fitted again, on all rows, after the evaluation."""
        return self.served is not self.fitted


def record(
    records: Records,
    settings: Settings,
    home: Path,
    made: Made,
    clock: Clock,
) -> TrainResult:
    ready, fitted, evaluation = made.ready, made.served, made.evaluation
    store = tracking.open_store(home, settings.tracking, create=True)
    facts = {
        "data_hash": records.data_hash,
        "code_commit": tracking.code_commit(),
        "feature_list_hash": feature_list_hash(fitted.names),
        "synthetic": str(records.synthetic).lower(),
        **{f"left_out.{outcome}": why for outcome, why in made.left_out.items()},
        **({RECALIBRATED: made.fitted.trees_of} if made.fitted.trees_of else {}),
    }
    found = report.flat_metrics(evaluation)
    name = _run_name(records, ready)
    with tempfile.TemporaryDirectory() as scratch, store.run(name, facts) as run:
        run.parameters(
            {**_flat(settings.model_dump(mode="json")), **facts, "features": len(fitted.names), **ready.sizes}
        )
        run.input(ready.split.summary(ready.spine), records.data_hash, str(records.about.get("source", "not stated")))
        run.table(_predictions(ready, made.contenders), "evaluation_predictions.parquet")
        for trial in made.tuned.trials if made.tuned is not None else ():
            run.child(f"{trial.outcome}, trial {trial.number}", trial.parameters, {"log_loss": trial.log_loss})
        for outcome, one in made.tuned.confirmed.items() if made.tuned is not None else ():
            run.metrics(_of_search(outcome, one))
        example = stack_horizons(ready.matrix.values[:5], (90,))
        columns = (*fitted.names, HORIZON_COLUMN)
        model_ids = {
            outcome: run.booster(booster, outcome, example, columns) for outcome, booster in fitted.boosters.items()
        }
        for outcome, model_id in model_ids.items():
            own = {key: value for key, value in found.items() if _outcome_of(key) == outcome}
            run.metrics(own, model_id)
        run.metrics(
            found
        )  # after the boosters, because MLflow gives each logged model the metrics that its run has by then
        served_id = run.new_model("upstream")
        version = run.register(served_id, {**facts, **{f"model_id.{o}": m for o, m in model_ids.items()}})
        bundle = write_bundle(
            Path(scratch) / tracking.BUNDLE,
            boosters=fitted.boosters,
            calibration=fitted.calibration,
            horizons=fitted.horizons,
            features=fitted.features,
            reference_matrix=ready.matrix.values
            if made.served is not made.fitted
            else ready.matrix.values[ready.split.train],
            card=card(records, settings, made),
            provenance={
                **facts,
                "synthetic": records.synthetic,
                "run_id": run.run_id,
                "model_version": f"{version.name}-{version.version}",
                "trained_on": {**ready.sizes, "slices": _slices(made), "until": _until(made)},
            },
            ranges=made.ranges,
        )
        served = RiskModel.load(bundle)
        run.files(_evaluated_bundle(Path(scratch), made, records), tracking.EVALUATED)
        run.files(bundle, tracking.BUNDLE)
        rows = ready.matrix.to_pandas().iloc[np.flatnonzero(ready.split.test)[:5]][list(fitted.names)]
        run.serve(served_id, bundle, rows, pd.DataFrame(fitted.by_pair(rows.to_numpy(dtype=np.float32))))
        pictures = draw.as_html(draw.draw(evaluation, _explain(served, ready, fitted)))
        page.write(evaluation, Path(scratch) / tracking.EVALUATION, pictures)
        run.files(Path(scratch) / tracking.EVALUATION, tracking.EVALUATION)
        draw.save(pictures, Path(scratch) / "plots")
        run.files(Path(scratch) / "plots", "plots")
        (Path(scratch) / "settings").mkdir()
        (Path(scratch) / "settings" / "mlflow.yaml").write_text(
            yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False), encoding="utf-8"
        )
        run.files(Path(scratch) / "settings", "settings")
        timed = release_checks.latency(served, ready.matrix.values[ready.split.test][:200], ready.matrix.names)
        release_checks.write(Path(scratch) / tracking.CHECKS, made.statement, timed, made.exposure)
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


def _outcome_of(metric: str) -> str:
    """The outcome of a metric such as ``admission_28/auroc``."""
    return metric.partition("/")[0].rpartition("_")[0]


def _slices(made: Made) -> list[dict[str, Any]]:
    """The slices of the evaluation; and where the served model was fitted again, the one slice that it learned from."""
    slices = [one.model_dump() for one in made.evaluation.slices]
    if not made.refitted:
        return slices
    dates = made.ready.spine["as_of"]
    everything = {"slice": "train", "first": str(dates.min())[:10], "last": max(_until(made).values())}
    sizes = {"landmarks": int(dates.nunique()), "rows": len(dates), "people": made.ready.sizes["people"]}
    return [{**everything, **sizes}]


def _until(made: Made) -> dict[str, str]:
    """The last ``as_of`` that the served model learned from, by outcome and horizon."""
    ready, rows = made.ready, slice(None) if made.refitted else made.ready.split.train
    return trained_until(ready.labels[rows], ready.spine[rows], made.served.horizons)


def _evaluated_bundle(scratch: Path, made: Made, records: Records) -> Path:
    """The evaluated model as a bundle. A later challenger is compared with it, on rows that it never saw."""
    return write_bundle(
        scratch / tracking.EVALUATED,
        boosters=made.fitted.boosters,
        calibration=made.fitted.calibration,
        horizons=made.fitted.horizons,
        features=made.fitted.features,
        reference_matrix=made.ready.matrix.values[made.ready.split.train],
        card={"name": "the model of the evaluation; not the one that serves", "synthetic": records.synthetic},
        provenance={
            "data_hash": records.data_hash,
            "synthetic": records.synthetic,
            "trained_on": {**made.ready.sizes, "slices": [one.model_dump() for one in made.evaluation.slices]},
        },
    )


def _served_words(made: Made, settings: Settings) -> dict[str, Any]:
    """The card's text about the served model, beside the evaluated one."""
    if made.fitted.trees_of:
        return {
            "fitted_on": f"other records: the trees are those of {made.fitted.trees_of}",
            "calibrated_on": "the calibration slice of these records; later time judged it, as in any training",
        }
    if not made.refitted:
        return {"fitted_on": "the training slice: it is the model that was evaluated"}
    return {
        "fitted_on": "every labelled row of the extract, after the evaluation",
        "trained_until": _until(made),
        "calibrated_on": (
            f"people of {settings.training.refit_folds} folds, each scored by boosters that had not seen them"
        ),
        "not_tested": (
            "no later row is left to test it on. The figures below are of a model with the same settings that stopped "
            "before the test slice; watch observed against expected once it serves."
        ),
    }


def _of_search(outcome: str, found: Confirmation) -> dict[str, float]:
    """The metrics of one outcome's parameter search: its best trial beside the settings, and whether it was taken."""
    gains = {"gain": found.gain, "gain_error": found.error, "gain_later": found.later, "taken": float(found.taken)}
    return {f"tuning/{outcome}_{name}": value for name, value in gains.items() if value is not None}


def _run_name(records: Records, ready: Prepared) -> str:
    """When, on whom and on what. Two runs of one store differ by the second."""
    kind = "synthetic, " if records.synthetic else ""
    people, when = ready.sizes["people"], datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    return f"{when}: {kind}{people:,} people, records {records.data_hash[:8]}"


def _predictions(ready: Prepared, contenders: Contenders) -> pd.DataFrame:
    """One row for each labelled test row of each outcome and horizon: person (a number valid only in this table, not
    an id), as_of, outcome, horizon, label, the model's probability, and how many rows the row stands for.
    """
    people = codes(ready.spine["patient_id"])
    parts = []
    for name, risk in contenders.model.items():
        outcome, _, days = name.rpartition("_")
        label = ready.labels[name].to_numpy()
        at = np.flatnonzero(ready.split.test & ~np.isnan(label))
        columns = {"person": people[at], "as_of": ready.spine["as_of"].iloc[at].dt.strftime("%Y-%m-%d").to_numpy()}
        weight = 1.0 if ready.weights is None else ready.weights[name][at]
        rows = pd.DataFrame(columns | {"label": label[at].astype(int), "probability": risk[at], "weight": weight})
        parts.append(rows.assign(outcome=outcome, horizon=int(days)))
    return pd.concat(parts, ignore_index=True)


def _compare(records: Records, settings: Settings, made: Made, version: str) -> dict[str, Any] | None:
    """The comparison of ``made`` with its rival on the same test rows; None if none was requested."""
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
        ready.weights,
    )


def _explain(served: RiskModel, ready: Prepared, fitted: Fitted) -> dict[str, Explained]:
    """Contributions for some test rows, by outcome. Also checks that the bundle scores as the fitted model did."""
    rows = np.flatnonzero(ready.split.test)[:: max(1, int(ready.split.test.sum()) // _EXPLAINED_ROWS)]
    matrix = rows_of(ready.matrix.values, rows)
    scores = served.score(matrix, names=ready.matrix.names)
    expected = fitted.by_pair(matrix)
    concepts = [CATALOGUE[name].concept for name in ready.matrix.names]
    found: dict[str, Explained] = {}
    for outcome, days in served.outcomes.items():
        scored, middle = scores[outcome], len(days) // 2
        for column, horizon in enumerate(days):
            apart = np.abs(scored.probability[:, column] - expected[f"{outcome}_{horizon}"]).max()
            if apart > 1e-9:
                raise BundleRefused(
                    f"the bundle scores {outcome} at {horizon} days {apart:.2g} apart from the model that was "
                    f"fitted: report this"
                )
        assert scored.horizon_part is not None and scored.contributions is not None
        base = scored.base[middle] + scored.horizon_part[:, middle]
        moved = scored.contributions[:, middle, :]
        found[outcome] = Explained(outcome, days[middle], ready.matrix.names, concepts, moved, matrix, base)
    return found


def card(records: Records, settings: Settings, made: Made) -> dict[str, Any]:
    """The model card in the bundle: what it is for, what it is not for, its training data, and its performance."""
    ready, evaluation = made.ready, made.evaluation
    return {
        "name": f"Upstream risk of {_named(settings.outcomes.horizons)}",
        "synthetic": records.synthetic,
        "intended_use": (
            "To order the reviews of a pharmacist embedded in a community mental health team, within the "
            "reviews the team can do."
        ),
        "not_for": [
            "grading anyone as low risk, predicting suicide, or deciding a discharge",
            "people or services unlike those it was trained on",
            *(["any use on real people: it was trained on simulated people"] if records.synthetic else []),
        ],
        "outcomes": {name: settings.outcomes.definitions[name] for name in settings.outcomes.horizons},
        "left_out": dict(made.left_out),
        "horizons_days": {name: list(days) for name, days in settings.outcomes.horizons.items()},
        "exits": (
            "a person who dies, transfers, moves away or is discharged as planned before an event is followed up to "
            "that day, and is never counted as a good result: a risk is the share of those who stay"
        ),
        "method": (
            "one LightGBM booster per outcome over stacked horizons, monotone in the horizon, calibrated "
            "on the logit (affine), on later data"
        ),
        "trained_on": {
            **ready.sizes,
            "source": str(records.about.get("source", "not stated")),
            "data_hash": records.data_hash,
        },
        "served_model": _served_words(made, settings),
        "not_used": "age, sex, ethnicity, deprivation, language, disability, autism and housing are not features",
        "slices": [one.model_dump() for one in evaluation.slices],
        "figures": {
            name: {
                "events": pair.events,
                "prevalence": pair.prevalence,
                "auroc": pair.model.auroc.model_dump(),
                "best_simple_rule": pair.rule.label,
                "best_simple_rule_auroc": pair.rule.auroc.model_dump(),
                "calibration_slope": pair.model.calibration_slope.model_dump(),
                "precision_at_slots": pair.model.precision_at_slots.model_dump(),
            }
            for name, pair in evaluation.pairs.items()
        },
    }


def _named(outcomes: Iterable[str]) -> str:
    """``admission, disengagement and crisis contact``."""
    *first, last = (name.replace("_", " ") for name in outcomes)
    return f"{', '.join(first)} and {last}" if first else last


def _flat(tree: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return out
