"""Figures of an evaluation that need the fitted model itself, beyond the scores of the test rows.

- each pair: ``stability`` (refits), ``capacity`` (weekly lists), ``calibration_over_time``, ``sample_size`` and
  ``validation_widths``
- each outcome: ``coherence`` of the horizons
- ``drift`` of the inputs, and on simulated data ``planted``: causes found, faults survived
- ``ablation``: what each group of features is worth, where the settings ask for it
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import build
from features.catalogue import CATALOGUE
from features.engine.matrix import FeatureMatrix
from features.records import Records
from models.shapley.trees import read_trees
from training.dataset.labels import FollowUp
from training.dataset.splits import Split
from training.evaluation import capacity, drift, weekly
from training.evaluation.fairness import groups
from training.evaluation.oracle import TRUE_NAME
from training.evaluation.schema.evaluation import Ablated, Coherence, Drift, Evaluation, PlantedFindings
from training.evaluation.schema.pair import AtLandmark, Capacity, SampleSize, Stability
from training.evaluation.trials import ablation, coherence, planted, sample_size, stability
from training.fitting.boosters import Fitted
from training.fitting.contenders import Contenders
from training.fitting.stacked import Weights
from training.settings import Settings
from training.statistics.resampling import Draws, codes

Score = Callable[[FeatureMatrix], Contenders]


class PreparedRun(Protocol):
    """The parts of a prepared run that are read here."""

    @property
    def spine(self) -> pd.DataFrame: ...

    @property
    def matrix(self) -> Any: ...

    @property
    def follow_up(self) -> FollowUp: ...

    @property
    def labels(self) -> pd.DataFrame: ...

    @property
    def split(self) -> Split: ...

    @property
    def weights(self) -> Weights | None: ...


def examine(
    evaluation: Evaluation,
    records: Records,
    ready: PreparedRun,
    fitted: Fitted,
    contenders: Contenders,
    score: Score,
    settings: Settings,
    truth: Any | None = None,
    reviewed: weekly.Reviewed = lambda followed: (followed, None),
) -> Evaluation:
    """The same evaluation with the figures named above. ``contenders`` are scores of the spine; ``score`` scores any
    other matrix in the same way, and ``reviewed`` ends any other follow-up at reviews from a live list.
    """
    tested = np.flatnonzero(ready.split.test)
    people = codes(ready.spine["patient_id"])
    shifted = drift.inputs(
        ready.matrix.values[ready.split.train],
        ready.matrix.values[tested],
        ready.matrix.names,
        settings.training.seed,
        (people[ready.split.train], people[tested]),
        settings.evaluation.bootstrap_draws,
    )
    with ThreadPoolExecutor(settings.training.threads) as pool:
        checked = pool.map(
            lambda o: coherence.check(fitted.boosters[o], fitted.calibration[o], settings.evaluation.coherence_rows, 1),
            fitted.boosters,
        )
        coherent = {
            outcome: Coherence.model_validate(one) for outcome, one in zip(fitted.boosters, checked, strict=True)
        }
    ablated = None
    if settings.evaluation.ablation != "none" and not fitted.trees_of:
        ablated = ablation.without_each(
            fitted,
            ready.matrix.values,
            ready.labels,
            ready.spine,
            ready.split,
            contenders.model,
            settings,
            ready.weights,
        )
    caused = _planted(records, ready, score, tested, settings, truth)
    more: dict[str, dict[str, Any]] = {name: {} for name in evaluation.pairs}
    for found in (
        _stability(ready, fitted, contenders, tested, settings),
        _capacity(records, ready, score, tested, settings, reviewed),
        _data(evaluation, ready, fitted, contenders, settings),
    ):
        for name, figures in found.items():
            more[name] |= figures
    return evaluation.model_copy(
        update={
            "drift": Drift.model_validate(shifted),
            "coherence": coherent,
            "ablation": None if ablated is None else [Ablated.model_validate(one) for one in ablated],
            "planted": PlantedFindings.model_validate(caused) if caused is not None else None,
            "pairs": {name: pair.model_copy(update=more[name]) for name, pair in evaluation.pairs.items()},
        }
    )


def _stability(
    ready: PreparedRun, fitted: Fitted, contenders: Contenders, tested: npt.NDArray[np.int64], settings: Settings
) -> dict[str, dict[str, Any]]:
    number = settings.evaluation.stability_refits
    if not number:
        return {}
    people, values, split = codes(ready.spine["patient_id"]), ready.matrix.values, ready.split
    again = stability.refits(
        fitted,
        values,
        ready.labels,
        people,
        split.train,
        split.calibration,
        tested,
        settings.training,
        number,
        ready.weights,
    )
    known = {feature.name: feature.concept for feature in CATALOGUE}
    concepts = [known.get(name, name) for name in fitted.names]
    team = codes(ready.spine["team_id"]) if "team_id" in ready.spine else np.zeros(len(people), dtype=np.int64)
    own = {name: risk[tested] for name, risk in contenders.model.items()}
    found = stability.figures(
        fitted,
        again,
        own,
        values[tested],
        concepts,
        team[tested],
        ready.follow_up.day[tested],
        labels={name: ready.labels[name].to_numpy(dtype=np.float64)[tested] for name in own},
        weights=None if ready.weights is None else {name: each[tested] for name, each in ready.weights.items()},
    )
    return {name: {"stability": Stability.model_validate(one)} for name, one in found.items()}


def _capacity(
    records: Records,
    ready: PreparedRun,
    score: Score,
    tested: npt.NDArray[np.int64],
    settings: Settings,
    reviewed: weekly.Reviewed,
) -> dict[str, dict[str, Any]]:
    """Weekly lists from the first day of the test slice on, when nothing is left that trained or calibrated the
    model.
    """
    own = settings.evaluation
    if not own.capacity_weeks:
        return {}
    day = ready.follow_up.day[tested]
    weeks = weekly.weeks(records, settings, int(day.min()), int(day.max()), reviewed)
    audited, scored = groups.partitions(records, weeks.matrix.spine), score(weeks.matrix)

    def one(pair: tuple[str, int]) -> tuple[str, dict[str, Any]]:
        outcome, horizon = pair
        name = f"{outcome}_{horizon}"
        at, rows = weeks.rows(outcome, horizon, own.bootstrap_draws, settings.training.seed)
        rules = scored.simple(name)
        scores = {who: values[at] for who, values in {**scored.probabilities(name), **rules}.items()}
        parts = [replace(part, level=part.level[at]) for part in audited]
        found = capacity.figures(rows, scores, list(rules), parts, weeks.team_names(), own.enough_events)
        return name, {"capacity": Capacity.model_validate(found)}

    asked = [(outcome, horizon) for outcome, days in settings.outcomes.horizons.items() for horizon in days]
    with ThreadPoolExecutor(settings.training.threads) as pool:
        return dict(pool.map(one, asked))


def _planted(
    records: Records,
    ready: PreparedRun,
    score: Score,
    tested: npt.NDArray[np.int64],
    settings: Settings,
    truth: Any | None,
) -> dict[str, Any] | None:
    """Planted causes and faults, on one day a quarter into the test slice, for some people whose hidden course can be
    replayed.
    """
    own, seed = settings.evaluation, settings.training.seed
    if truth is None or not own.planted_people or not hasattr(truth, "course"):
        return None
    day = ready.follow_up.day
    landmarks = np.unique(day[tested])
    chosen = tested[day[tested] == landmarks[len(landmarks) // 4]]
    at = planted.sample(codes(ready.spine["patient_id"]), chosen, own.planted_people, seed)
    spine = ready.spine.iloc[at].reset_index(drop=True)
    middle = {outcome: days[len(days) // 2] for outcome, days in settings.outcomes.horizons.items()}
    told = truth.risk(
        spine, {TRUE_NAME.get(o, o): (days,) for o, days in middle.items()}, draws=own.oracle_draws, seed=seed
    )
    true = {}
    for outcome in middle:
        risk = told[told["outcome"] == TRUE_NAME.get(outcome, outcome)]
        merged = spine.merge(risk, on=["patient_id", "as_of"], how="left")
        true[outcome] = merged["probability"].to_numpy(dtype=float)
    labels = {f"{o}_{days}": ready.labels[f"{o}_{days}"].to_numpy()[at] for o, days in middle.items()}
    model = score(build(records, spine)).model
    return {
        "people": len(spine),
        "effects": planted.effects(
            truth, spine, true, {o: model[f"{o}_{d}"] for o, d in middle.items()}, own.bootstrap_draws, seed
        ),
        "faults": planted.faults(records, spine, labels, lambda matrix: score(matrix).model, own.bootstrap_draws, seed),
    }


def _data(
    evaluation: Evaluation, ready: PreparedRun, fitted: Fitted, contenders: Contenders, settings: Settings
) -> dict[str, dict[str, Any]]:
    """Whether there is enough data to train and to validate, and calibration from landmark to landmark."""
    found = {}
    people = codes(ready.spine["patient_id"])
    for outcome, horizons in settings.outcomes.horizons.items():
        used = len(np.unique(read_trees(fitted.boosters[outcome]).feature))
        for horizon in horizons:
            name = f"{outcome}_{horizon}"
            label, pair = ready.labels[name].to_numpy(), evaluation.pairs[name]
            learned = np.flatnonzero(ready.split.train & ~np.isnan(label))
            happened = learned[label[learned] == 1]
            day = ready.follow_up.outcomes[outcome].event_day[happened]
            events = len(np.unique(people[happened] * 10**7 + day)) if len(happened) else 0
            auroc = pair.model.auroc.value
            at = np.flatnonzero(ready.split.test & ~np.isnan(label))
            draws = Draws.of(codes(people[at]), settings.evaluation.bootstrap_draws, settings.training.seed)
            draws = draws.standing_for(None if ready.weights is None else ready.weights[name][at])
            found[name] = {
                "sample_size": SampleSize.model_validate(
                    sample_size.judge(
                        len(np.unique(people[learned])),
                        events,
                        used,
                        float(label[learned].mean()) if len(learned) else 0.0,
                        auroc or 0.5,
                    )
                ),
                "validation_widths": sample_size.widths(pair.model.figures()),
                "calibration_over_time": [
                    AtLandmark.model_validate(one)
                    for one in drift.calibration_over_time(
                        label[at],
                        contenders.model[name][at],
                        ready.follow_up.day[at],
                        draws,
                        horizon,
                        settings.outcomes.settling_days,
                    )
                ],
            }
    return found
