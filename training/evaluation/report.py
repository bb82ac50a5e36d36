"""One evaluation: model, rules, control and (on simulated data) the oracle, on the same later rows, per outcome and
horizon.

The result is plain data (``evaluation.json``). The page (``evaluation.html``), the metrics of the run and the
promotion gates are all read from it, so no figure is computed twice. With synthetic data an AUROC measures the
simulator: read the regret to the oracle instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records import Records
from models.ranges import FittedRanges
from training.dataset.labels import FollowUp
from training.dataset.splits import Split
from training.evaluation.ceiling import ceiling_risks, split_regret
from training.evaluation.fairness import groups, subgroups
from training.evaluation.figures import PairRows, figures_of, numbered, part_of
from training.evaluation.oracle import regret, true_risks
from training.evaluation.schema.evaluation import AttritionStep, Evaluation, RangeCoverage, Ranges
from training.evaluation.schema.pair import LeadAtSlots, Pair
from training.evaluation.trials import coverage
from training.fitting.contenders import LABELS, Contenders
from training.settings import Settings
from training.statistics.resampling import Draws, Estimate, Floats, Mask, codes


def evaluate(
    records: Records,
    spine: pd.DataFrame,
    follow_up: FollowUp,
    split: Split,
    contenders: Contenders,
    settings: Settings,
    truth: Any | None = None,
    with_under_way: FollowUp | None = None,
    sampled: SampledTruth | None = None,
    weights: Mapping[str, Floats] | None = None,
) -> Evaluation:
    """Every figure of the test slice. ``truth`` (simulated data) has ``risk(spine, outcomes, draws, seed)``.

    ``follow_up`` holds events that begin on or after ``as_of``; every figure, including the rules to beat, is about
    those. ``with_under_way`` also holds events already under way; their ranking is shown separately. ``sampled`` are
    the true risks of :func:`sample_truth`, where they were computed before. ``weights`` by outcome and horizon say how
    many rows each row of the spine stands for, where a list was live (:mod:`training.impact.exposure`).
    """
    horizons, own = settings.outcomes.horizons, settings.evaluation
    labels = follow_up.labels(horizons)
    wider = (with_under_way or follow_up).labels(horizons)
    teams, names, slots = _teams(records, spine, own.default_weekly_reviews)
    tested = np.flatnonzero(split.test)
    audited = groups.partitions(records, spine.iloc[tested])
    at, risks = sampled or sample_truth(truth, spine, follow_up, split, settings)
    ceilings = ceiling_risks(
        truth, spine, at, horizons, own.ceiling_particles, own.ceiling_futures, settings.training.seed
    ).risks

    def under_way(name: str, outcome: str) -> dict[str, Any] | None:
        """Figures that count silences under way as events; None if there are none."""
        label = wider[name].to_numpy()
        if with_under_way is None or not ((label == 1) & split.test & np.isnan(labels[name].to_numpy())).any():
            return None
        rows = _rows(with_under_way, split.test, label, outcome, teams, settings, (weights or {}).get(name))
        model = contenders.model[name][rows.at]
        rules = {who: score[rows.at] for who, score in contenders.simple(name).items()}
        return part_of(rows, model, rules, np.ones(len(rows.at), dtype=bool))

    def one(pair: tuple[str, int]) -> Pair:
        outcome, horizon = pair
        name = f"{outcome}_{horizon}"
        weight = (weights or {}).get(name)
        rows = _rows(follow_up, split.test, labels[name].to_numpy(), outcome, teams, settings, weight)
        probabilities = {who: score[rows.at] for who, score in contenders.probabilities(name).items()}
        rules = {who: score[rows.at] for who, score in contenders.simple(name).items()}
        inside = np.searchsorted(tested, rows.at)
        here = [replace(part, level=part.level[inside]) for part in audited]
        found = {
            "outcome": outcome,
            "horizon": horizon,
            **figures_of(rows, probabilities, rules, LABELS, slots, here, names, own.enough_events),
            "not_judged": contenders.not_judged(name),
            "unseen_people": part_of(rows, probabilities["model"], rules, split.unseen[rows.at]),
            "under_way": under_way(name, outcome),
            "oracle": regret(rows, probabilities["model"], rules, at, risks.get(name)),
            "ceiling": split_regret(rows, probabilities["model"], at, risks.get(name), ceilings.get(name)),
        }
        return Pair.model_validate(found)

    asked = [(outcome, horizon) for outcome, days in horizons.items() for horizon in days]
    with ThreadPoolExecutor(settings.training.threads) as pool:
        pairs = {
            f"{outcome}_{horizon}": found for (outcome, horizon), found in zip(asked, pool.map(one, asked), strict=True)
        }
    found = {
        "synthetic": records.synthetic,
        "data_hash": records.data_hash,
        "bootstrap_draws": own.bootstrap_draws,
        "suppressed_below": subgroups.FEWEST,
        "enough_events": own.enough_events,
        "groups_not_in_records": list(groups.NOT_IN_RECORDS),
        "slots": "each team's own weekly reviews, one list per team at each test landmark",
        "slices": _records_of(split.summary(spine)),
        "embargo_days": split.embargo_days,
        "censoring": _records_of(follow_up.censoring(horizons)),
        "weighted": weights is not None and any((values[split.test] != 1).any() for values in weights.values()),
        "pairs": pairs,
    }
    return Evaluation.model_validate(found)


SampledTruth = tuple[npt.NDArray[np.int64], dict[str, Floats]]


def sample_truth(
    truth: Any | None, spine: pd.DataFrame, follow_up: FollowUp, split: Split, settings: Settings
) -> SampledTruth:
    """Positions of some test rows, each repeated as often as it represents rows, and their true risks."""
    horizons, own = settings.outcomes.horizons, settings.evaluation
    happened = (follow_up.labels(horizons) == 1).any(axis=1).to_numpy()
    return true_risks(
        truth, spine, split.test, happened, horizons, own.oracle_rows, own.oracle_draws, settings.training.seed
    )


def with_ranges(
    evaluation: Evaluation,
    records: Records,
    spine: pd.DataFrame,
    split: Split,
    model: Mapping[str, Floats],
    ranges: FittedRanges | None,
    ends: Callable[[npt.NDArray[np.int64]], Mapping[str, tuple[Floats, Floats]]],
    sampled: SampledTruth,
    settings: Settings,
) -> Evaluation:
    """The same evaluation with how often the ranges held the true risk. ``ends`` gives the ranges of some rows."""
    if ranges is None:
        return evaluation
    positions, risks = sampled
    at, first, weight = np.unique(positions, return_index=True, return_counts=True)
    found: dict[str, Any] = {}
    if len(at):
        draws = Draws.of(codes(spine["patient_id"].iloc[at]), settings.evaluation.bootstrap_draws, 0)
        found = coverage.by_pair(
            at,
            {name: risk[first] for name, risk in risks.items()},
            model,
            ends(at),
            weight.astype(np.float64),
            settings.evaluation.oracle_draws,
            draws,
            split.unseen[at],
            groups.partitions(records, spine.iloc[at]),
        )
    made = ranges.document
    shown = Ranges(
        level=made.level,
        refits=made.refits,
        learned=dict(made.learned),
        coverage={name: RangeCoverage.model_validate(one) for name, one in found.items() if one is not None},
    )
    return evaluation.model_copy(update={"ranges": shown})


def with_run(
    evaluation: Evaluation,
    attrition: pd.DataFrame,
    split: str,
    leads: Mapping[str, Mapping[str, Any] | None],
    left_out: Mapping[str, str],
) -> Evaluation:
    """The same evaluation with what the run knows: the attrition of its cohort, its kind of split, the lead over the
    best simple rule of each pair, and the outcomes that were left out, with the reason.
    """
    steps = [AttritionStep.model_validate(row) for row in attrition.to_dict("records")]
    pairs = {
        name: pair.model_copy(update={"lead": LeadAtSlots.model_validate(leads[name]) if leads[name] else None})
        for name, pair in evaluation.pairs.items()
    }
    return evaluation.model_copy(
        update={"attrition": steps, "split": split, "pairs": pairs, "left_out": dict(left_out)}
    )


def _rows(
    follow_up: FollowUp,
    test: Mask,
    label: Floats,
    outcome: str,
    teams: npt.NDArray[np.int64],
    settings: Settings,
    weight: Floats | None,
) -> PairRows:
    at = np.flatnonzero(test & ~np.isnan(label))
    people = codes(follow_up.spine["patient_id"].iloc[at])
    event = numbered(people, follow_up.outcomes[outcome].event_day[at], label[at] == 1)
    draws = Draws.of(people, settings.evaluation.bootstrap_draws, settings.training.seed)
    draws = draws.standing_for(None if weight is None else weight[at])
    return PairRows(at, label[at], draws, teams[at], follow_up.day[at], event)


def _teams(
    records: Records, spine: pd.DataFrame, otherwise: int
) -> tuple[npt.NDArray[np.int64], list[str], dict[int, int]]:
    """Team code of each row, the name of each code, and its weekly reviews. A spine without teams counts as one
    team.
    """
    if "team_id" not in spine.columns:
        return np.zeros(len(spine), dtype=np.int64), ["everybody"], {0: otherwise}
    team, names = pd.factorize(spine["team_id"], use_na_sentinel=False)
    teams = records["teams"].set_index("team_id")["weekly_reviews"]
    stated = [teams.get(name, np.nan) for name in names]
    found = {n: otherwise if pd.isna(value) else int(value) for n, value in enumerate(stated)}
    return team.astype(np.int64), [str(name) for name in names], found


def table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One row per outcome and horizon, for a terminal: oracle, model, best rule, controls, calibration slope."""
    rows = []
    for pair in evaluation.pairs.values():
        model, best = pair.model, pair.rule
        rows.append(
            {
                "outcome": pair.outcome,
                "horizon": pair.horizon,
                "events": pair.events,
                "prevalence": pair.prevalence,
                "oracle_auroc": pair.oracle.oracle_auroc.value if pair.oracle else None,
                "model_auroc": model.auroc.value,
                "best_rule_auroc": best.auroc.value,
                "best_rule": best.label,
                "logistic_auroc": _auroc(pair, "logistic"),
                "survival_auroc": _auroc(pair, "survival"),
                "calibration_slope": model.calibration_slope.value,
                "captured_at_slots": model.captured_at_slots.value,
                "regret_to_oracle": pair.oracle.regret.value if pair.oracle else None,
            }
        )
    return rows


def flat_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Metrics for MLflow, named ``admission_28/auroc``: the page groups them by what stands before the stroke."""
    out: dict[str, float] = {}
    for name, pair in evaluation.pairs.items():
        found: dict[str, float | None] = {
            f"{name}/{figure}": value.value for figure, value in pair.model.figures().items()
        }
        found[f"{name}/logistic_auroc"] = _auroc(pair, "logistic")
        found[f"{name}/survival_auroc"] = _auroc(pair, "survival")
        found[f"{name}/best_rule_auroc"] = pair.rule.auroc.value
        found[f"{name}/auroc_over_best_rule"] = pair.over_best_rule.auroc.value
        found[f"{name}/captured_over_best_rule"] = pair.over_best_rule.captured_at_slots.value
        found[f"{name}/unseen_people_auroc"] = pair.unseen_people.auroc.value
        if pair.under_way:
            found[f"{name}/with_under_way_auroc"] = pair.under_way.auroc.value
        found[f"{name}/prevalence"] = pair.prevalence
        if pair.oracle:
            found[f"{name}/oracle_auroc"] = pair.oracle.oracle_auroc.value
            found[f"{name}/regret_to_oracle"] = pair.oracle.regret.value
        held = evaluation.ranges.coverage.get(name) if evaluation.ranges else None
        if held is not None:
            found[f"{name}/range_coverage"] = held.held.value
            found[f"{name}/range_coverage_top"] = held.held_top.value
        out |= {key: value for key, value in found.items() if value is not None}
    return out


def _auroc(pair: Pair, who: str) -> float | None:
    """None if ``who`` was not judged."""
    return pair.contenders[who].auroc.value if who in pair.contenders else None


def _records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    shown = frame.copy()
    for name in shown.columns:
        if pd.api.types.is_datetime64_any_dtype(shown[name]):
            shown[name] = shown[name].dt.strftime("%Y-%m-%d")
    return json.loads(shown.to_json(orient="records"))


__all__ = ["LABELS", "Contenders", "Estimate", "evaluate", "flat_metrics", "table"]


def lines(evaluation: Evaluation) -> list[str]:
    """``table`` for a terminal."""
    found = ["Synthetic data: these figures say nothing about people."] if evaluation.synthetic else []
    heads = ("outcome, days", "events", "oracle", "model", "logistic", "survival", "best rule", "slope")
    found.append("{:<22}{:>8}{:>9}{:>9}{:>10}{:>10}{:>11}{:>8}  AUROC; calibration slope; which rule".format(*heads))
    for row in table(evaluation):
        line = f"{row['outcome'] + ', ' + str(row['horizon']):<22}{row['events']:>8,}{_said(row['oracle_auroc']):>9}"
        line += f"{_said(row['model_auroc']):>9}{_said(row['logistic_auroc']):>10}{_said(row['survival_auroc']):>10}"
        line += f"{_said(row['best_rule_auroc']):>11}"
        found.append(f"{line}{_said(row['calibration_slope'], 2):>8}  {row['best_rule']}")
    for pair in evaluation.pairs.values():
        for one in pair.not_judged.values():
            found.append(f"{pair.outcome}, {pair.horizon}: {one.label}: {one.why}")
    return found


def _said(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
