"""External validation: an existing bundle, evaluated on records that were not used to make it. Nothing is fitted.

Every person on a caseload at every landmark of the other store is scored, and every labelled row is judged: no slice
is needed for learning, so none is set aside. The report is that of a training run, without the parts that need
training (refits, fitted controls), and with what these records cannot answer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features import Records, build
from features.engine.matrix import FeatureMatrix
from models.risk_model import RiskModel
from training.dataset import landmarks
from training.dataset.labels import FollowUp, follow_up, last_settled_day
from training.dataset.prepare import Clock
from training.dataset.splits import Split
from training.errors import NotEnoughData, SeenBefore
from training.evaluation import competing_risks, report
from training.evaluation.schema.evaluation import Evaluation, External
from training.fitting import simple_rules
from training.fitting.contenders import Contenders
from training.settings import Settings
from training.statistics.resampling import Floats

NOT_FITTED = "not judged: nothing is fitted on these records"


def validate(model: RiskModel, records: Records, settings: Settings, clock: Clock | None = None) -> Evaluation:
    """Every figure of ``model`` on ``records``, at the outcomes and horizons of the model.

    Raises SeenBefore where the model learned from these very records, and NotEnoughData where nobody is on a caseload
    or no row has a label.
    """
    clock = clock or Clock()
    if records.data_hash == model.manifest.data_hash:
        raise SeenBefore(
            f"{model.manifest.bundle_id} was trained on these records, so every figure would flatter it: give a store "
            f"that had no part in its training."
        )
    settings = settings.model_copy(
        update={"outcomes": settings.outcomes.model_copy(update={"horizons": dict(model.outcomes)})}
    )
    spine, followed, attrition = _rows(records, settings, clock)
    clock.stage("features", f"building {len(model.feature_names)} features on {len(spine):,} rows")
    matrix = build(records, spine, threads=settings.training.threads)
    contenders = _scores(model, matrix, settings)
    labels = followed.labels(model.outcomes)
    judged = labels.notna().any(axis=1).to_numpy()
    if not judged.any():
        raise NotEnoughData(f"None of {len(spine):,} rows has a label: bring a longer extract.")
    nobody = np.zeros(len(spine), dtype=bool)
    # Every row is of people whom the model never saw, in its own time.
    split = Split(train=nobody, calibration=nobody, test=judged, unseen=~nobody, embargo_days=0)
    clock.stage("evaluate", f"judging {int(judged.sum()):,} rows")
    found = report.evaluate(records, spine, followed, split, contenders, settings)
    # Rows without any label count here: who leaves within the shortest window has none.
    found = competing_risks.with_incidence(found, followed, ~nobody, contenders.model, settings)
    found = report.with_run(found, attrition, "external", dict.fromkeys(found.pairs), {})
    clock.stage("", "")
    pairs = {
        name: pair.model_copy(
            update={
                "not_judged": {who: one.model_copy(update={"why": NOT_FITTED}) for who, one in pair.not_judged.items()}
            }
        )
        for name, pair in found.pairs.items()
    }
    return found.model_copy(update={"pairs": pairs, "external": _external(model, records, matrix, labels, found)})


def _rows(records: Records, settings: Settings, clock: Clock) -> tuple[pd.DataFrame, FollowUp, pd.DataFrame]:
    """The people and days that are evaluated, what followed, and how many each rule left out."""
    clock.stage("cohort", "choosing who is scored at each landmark")
    last_day = last_settled_day(records, settings.outcomes.settling_days)
    shortest = min(min(days) for days in settings.outcomes.horizons.values())
    dates = landmarks.landmarks(records, settings.cohort, last_day + 1 - shortest)
    people = landmarks.select(records, dates, settings.cohort)
    if not len(people.spine):
        raise NotEnoughData(
            "Nobody is on a caseload at any landmark. The attrition table says why:\n"
            + people.attrition.to_string(index=False)
        )
    clock.stage("labels", f"following {len(people.spine):,} rows to their outcomes")
    everything = follow_up(records, people.spine, settings.outcomes, settings.cohort.in_scope_team_kinds)
    return people.spine, everything.new_only(), people.attrition


def _scores(model: RiskModel, matrix: FeatureMatrix, settings: Settings) -> Contenders:
    place = {name: column for column, name in enumerate(matrix.names)}
    values = np.ascontiguousarray(matrix.values[:, [place[name] for name in model.feature_names]])
    scores = model.score(values, contributions=False, names=model.feature_names, ranges=False)
    risks: dict[str, Floats] = {
        f"{outcome}_{horizon}": scores[outcome].probability[:, column]
        for outcome, days in model.outcomes.items()
        for column, horizon in enumerate(days)
    }
    rules = simple_rules.apply_rules(matrix) | simple_rules.without_looking(
        matrix.spine["patient_id"].tolist(), settings.training.seed
    )
    return Contenders(risks, {}, rules)


def _external(
    model: RiskModel, records: Records, matrix: FeatureMatrix, labels: pd.DataFrame, found: Evaluation
) -> External:
    manifest = model.manifest
    return External(
        bundle_id=manifest.bundle_id,
        model_version=manifest.model_version,
        trained_on_data=manifest.data_hash,
        trained_on_synthetic=manifest.synthetic,
        cannot_be_known=_cannot_be_known(model, records, matrix, labels, found),
    )


def _cannot_be_known(
    model: RiskModel, records: Records, matrix: FeatureMatrix, labels: pd.DataFrame, found: Evaluation
) -> list[str]:
    """What these records leave open, in words."""
    said = [
        "Whether the risk is true of people who left: a row without a complete window has no label. Without one: "
        + ", ".join(f"{str(name).replace('_', ', ')} days {labels[name].isna().mean():.0%}" for name in labels)
        + ".",
        "What would have happened without the care that was given, and whether anybody acted on an earlier list: the "
        "records do not say who was shown a score.",
        "Whether events that the records do not hold (care elsewhere, deaths known late) would change a figure.",
    ]
    absent = _never_recorded(model, matrix)
    if absent:
        said.append(
            f"How the model does where {len(absent)} of its {len(model.feature_names)} inputs are recorded: here they "
            f"never are ({', '.join(absent[:5])}{' and more' if len(absent) > 5 else ''})."
        )
    if found.groups_not_in_records:
        said.append(f"How it does by {', '.join(found.groups_not_in_records)}: no table holds that.")
    few = [pair.name.replace("_", ", ") for pair in found.pairs.values() if pair.events < found.enough_events]
    if few:
        said.append(f"Much about {'; '.join(few)} days: fewer than {found.enough_events} events.")
    if records.synthetic != model.manifest.synthetic:
        said.append("Anything about real people: one of the model and these records is synthetic.")
    return said


def _never_recorded(model: RiskModel, matrix: FeatureMatrix) -> list[str]:
    """Inputs that are missing in every row here and were not in training."""
    place = {name: column for column, name in enumerate(matrix.names)}
    missing = {one["name"]: one["missing_share"] for one in model.reference["features"]}
    gone = np.asarray(np.isnan(matrix.values).all(axis=0))
    return [name for name in model.feature_names if gone[place[name]] and missing.get(name, 1.0) < 1.0]


def lines(evaluation: Evaluation) -> list[str]:
    """The figures of an external validation for a terminal."""
    if evaluation.external is None:
        return []
    own = evaluation.external
    found = [f"{own.bundle_id} on other records ({evaluation.data_hash[:12]}); nothing was fitted on them."]
    found.append(f"{'outcome, days':<22}{'events':>8}  AUROC (95%); slope; intercept; observed/expected; at capacity")
    for pair in evaluation.pairs.values():
        model = pair.model
        figures = (
            model.auroc,
            model.calibration_slope,
            model.calibration_intercept,
            model.observed_to_expected,
            model.captured_at_slots,
        )
        said = "; ".join(
            "-" if one.value is None else f"{one.value:.2f} ({_said(one.low)} to {_said(one.high)})" for one in figures
        )
        found.append(f"{pair.outcome + ', ' + str(pair.horizon):<22}{pair.events:>8,}  {said}")
        if pair.worst_group is not None:
            found.append(f"    found least often: {pair.worst_group.group}, {pair.worst_group.level}")
    return [*found, "What cannot be known from these records:", *(f"- {one}" for one in own.cannot_be_known)]


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
