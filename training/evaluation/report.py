"""One evaluation: model, rules, control and (on simulated data) the oracle, on the same later rows, per outcome and horizon.

The result is plain data (``evaluation.json``) from which the page (``evaluation.html``), the metrics of the run and the promotion gates are all read, so
no figure exists twice. With synthetic data an AUROC measures the simulator: read the regret to the oracle instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records import Records
from training.comparators import RULES
from training.evaluation import groups, subgroups
from training.evaluation.oracle import regret, true_risks
from training.evaluation.pairs import PairRows, figures_of, numbered, part_of
from training.evaluation.resampling import Draws, Estimate, Floats, Mask, codes
from training.outcomes import FollowUp
from training.settings import Settings
from training.splits import Split

LABELS = {
    "model": "Model (LightGBM, calibrated)",
    "logistic": "Logistic regression, all features",
    "boosting": "Explainable boosting machine, all features",
    "oracle": "Oracle (true risk, simulated data only)",
    "random": "By lot",
    "alphabetical": "By the alphabet (ids: the records hold no names)",
    "five_factors": "Logistic regression on five factors",
    **{rule.name: rule.label for rule in RULES},
}
CONTROLS = ("logistic", "boosting")
TOO_FEW = "not judged: too few events to fit it on"


@dataclass(frozen=True)
class Contenders:
    """Scores of every row of a spine, or of any matrix. ``model``, ``logistic`` and ``boosting`` are probabilities by outcome and horizon (``admission_28``), ``rules`` by
    rule name."""

    model: Mapping[str, Floats]
    logistic: Mapping[str, Floats]
    rules: Mapping[str, Floats]
    five_factors: Mapping[str, Floats] = field(default_factory=dict)
    boosting: Mapping[str, Floats] = field(default_factory=dict)

    def spread(self, at: npt.NDArray[np.int64], rows: int) -> Contenders:
        """The same scores over ``rows`` rows of which these are at ``at``; NaN elsewhere."""

        def wide(scores: Mapping[str, Floats]) -> dict[str, Floats]:
            out = {name: np.full(rows, np.nan) for name in scores}
            for name, score in scores.items():
                out[name][at] = score
            return out

        return Contenders(*(wide(getattr(self, field.name)) for field in fields(self)))

    def probabilities(self, name: str) -> dict[str, Floats]:
        """Every probability for one outcome and horizon, the model first: judged as a probability, not as a ranking alone."""
        controls = {who: getattr(self, who) for who in CONTROLS}
        return {"model": self.model[name]} | {who: risk[name] for who, risk in controls.items() if name in risk}

    def not_judged(self, name: str) -> dict[str, dict[str, str]]:
        """The controls that could not be fitted for one outcome and horizon: label and reason."""
        return {who: {"label": LABELS[who], "why": TOO_FEW} for who in CONTROLS if name not in getattr(self, who)}

    def simple(self, name: str) -> dict[str, Floats]:
        """Every simple rule's score for one outcome and horizon; the five-factor rule is fitted, so it differs between them."""
        fitted = {"five_factors": self.five_factors[name]} if name in self.five_factors else {}
        return {**self.rules, **fitted}


def evaluate(
    records: Records,
    spine: pd.DataFrame,
    follow_up: FollowUp,
    split: Split,
    contenders: Contenders,
    settings: Settings,
    truth: Any | None = None,
) -> dict[str, Any]:
    """Every figure of the test slice, as plain data. ``truth`` (simulated data) has ``risk(spine, outcomes, draws, seed)``."""
    horizons, own = settings.outcomes.horizons, settings.evaluation
    labels, new = follow_up.labels(horizons), follow_up.new_events(horizons)
    teams, names, slots = _teams(records, spine, own.default_weekly_reviews)
    tested = np.flatnonzero(split.test)
    audited = groups.partitions(records, spine.iloc[tested])
    happened = (labels == 1).any(axis=1).to_numpy()
    at, risks = true_risks(
        truth, spine, split.test, happened, horizons, own.oracle_rows, own.oracle_draws, settings.training.seed
    )

    def one(pair: tuple[str, int]) -> dict[str, Any]:
        outcome, horizon = pair
        name = f"{outcome}_{horizon}"
        rows = _rows(follow_up, split.test, labels[name].to_numpy(), outcome, teams, settings)
        probabilities = {who: score[rows.at] for who, score in contenders.probabilities(name).items()}
        rules = {who: score[rows.at] for who, score in contenders.simple(name).items()}
        inside = np.searchsorted(tested, rows.at)
        here = [replace(part, level=part.level[inside]) for part in audited]
        known = ~np.isnan(new[name].to_numpy())[rows.at]
        return {
            "outcome": outcome,
            "horizon": horizon,
            **figures_of(rows, probabilities, rules, LABELS, slots, here, names, own.enough_events),
            "not_judged": contenders.not_judged(name),
            "unseen_people": part_of(rows, probabilities["model"], rules, split.unseen[rows.at]),
            "new_events": part_of(rows, probabilities["model"], rules, known),
            "oracle": regret(rows, probabilities["model"], rules, at, risks.get(name)),
        }

    asked = [(outcome, horizon) for outcome, days in horizons.items() for horizon in days]
    with ThreadPoolExecutor(settings.training.threads) as pool:
        pairs = {
            f"{outcome}_{horizon}": found for (outcome, horizon), found in zip(asked, pool.map(one, asked), strict=True)
        }
    return {
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
        "pairs": pairs,
    }


def _rows(
    follow_up: FollowUp,
    test: Mask,
    label: Floats,
    outcome: str,
    teams: npt.NDArray[np.int64],
    settings: Settings,
) -> PairRows:
    at = np.flatnonzero(test & ~np.isnan(label))
    people = codes(follow_up.spine["patient_id"].iloc[at])
    event = numbered(people, follow_up.outcomes[outcome].event_day[at], label[at] == 1)
    draws = Draws.of(people, settings.evaluation.bootstrap_draws, settings.training.seed)
    return PairRows(at, label[at], draws, teams[at], follow_up.day[at], event)


def _teams(
    records: Records, spine: pd.DataFrame, otherwise: int
) -> tuple[npt.NDArray[np.int64], list[str], dict[int, int]]:
    """Team code of each row, the name of each code, and its weekly slots. A spine without teams is one team."""
    if "team_id" not in spine.columns:
        return np.zeros(len(spine), dtype=np.int64), ["everybody"], {0: otherwise}
    team, names = pd.factorize(spine["team_id"], use_na_sentinel=False)
    teams = records["teams"].set_index("team_id")["weekly_reviews"]
    stated = [teams.get(name, np.nan) for name in names]
    found = {n: otherwise if pd.isna(value) else int(value) for n, value in enumerate(stated)}
    return team.astype(np.int64), [str(name) for name in names], found


def table(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per outcome and horizon, for a terminal: oracle, model, best simple rule, control, calibration slope."""
    rows = []
    for pair in evaluation["pairs"].values():
        model, best = pair["contenders"]["model"], pair["contenders"][pair["best_rule"]]
        rows.append(
            {
                "outcome": pair["outcome"],
                "horizon": pair["horizon"],
                "events": pair["events"],
                "prevalence": pair["prevalence"],
                "oracle_auroc": pair["oracle"]["oracle_auroc"]["value"] if pair["oracle"] else None,
                "model_auroc": model["auroc"]["value"],
                "best_rule_auroc": best["auroc"]["value"],
                "best_rule": best["label"],
                "logistic_auroc": _auroc(pair, "logistic"),
                "calibration_slope": model["calibration_slope"]["value"],
                "captured_at_slots": model["captured_at_slots"]["value"],
                "regret_to_oracle": pair["oracle"]["regret"]["value"] if pair["oracle"] else None,
            }
        )
    return rows


def flat_metrics(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Metrics for MLflow, named ``admission_28/auroc``: the page groups them by what stands before the stroke."""
    out: dict[str, float] = {}
    for name, pair in evaluation["pairs"].items():
        found = {
            f"{name}/{figure}": value["value"]
            for figure, value in pair["contenders"]["model"].items()
            if figure != "label"
        }
        found[f"{name}/logistic_auroc"] = _auroc(pair, "logistic")
        found[f"{name}/best_rule_auroc"] = pair["contenders"][pair["best_rule"]]["auroc"]["value"]
        found[f"{name}/auroc_over_best_rule"] = pair["over_best_rule"]["auroc"]["value"]
        found[f"{name}/captured_over_best_rule"] = pair["over_best_rule"]["captured_at_slots"]["value"]
        found[f"{name}/unseen_people_auroc"] = pair["unseen_people"]["auroc"]["value"]
        found[f"{name}/new_events_auroc"] = pair["new_events"]["auroc"]["value"]
        found[f"{name}/prevalence"] = pair["prevalence"]
        if pair["oracle"]:
            found[f"{name}/oracle_auroc"] = pair["oracle"]["oracle_auroc"]["value"]
            found[f"{name}/regret_to_oracle"] = pair["oracle"]["regret"]["value"]
        out |= {key: value for key, value in found.items() if value is not None}
    return out


def _auroc(pair: Mapping[str, Any], who: str) -> float | None:
    """None where ``who`` was not judged."""
    return pair["contenders"][who]["auroc"]["value"] if who in pair["contenders"] else None


def _records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    shown = frame.copy()
    for name in shown.columns:
        if pd.api.types.is_datetime64_any_dtype(shown[name]):
            shown[name] = shown[name].dt.strftime("%Y-%m-%d")
    return json.loads(shown.to_json(orient="records"))


__all__ = ["LABELS", "Contenders", "Estimate", "evaluate", "flat_metrics", "table"]


def lines(evaluation: Mapping[str, Any]) -> list[str]:
    """``table`` for a terminal."""
    found = ["Synthetic data: these figures say nothing about people."] if evaluation["synthetic"] else []
    heads = ("outcome, days", "events", "oracle", "model", "logistic", "best rule", "slope")
    found.append("{:<22}{:>8}{:>9}{:>9}{:>10}{:>11}{:>8}  AUROC; calibration slope; which rule".format(*heads))
    for row in table(evaluation):
        told = f"{row['outcome'] + ', ' + str(row['horizon']):<22}{row['events']:>8,}{_said(row['oracle_auroc']):>9}"
        told += f"{_said(row['model_auroc']):>9}{_said(row['logistic_auroc']):>10}{_said(row['best_rule_auroc']):>11}"
        found.append(f"{told}{_said(row['calibration_slope'], 2):>8}  {row['best_rule']}")
    for pair in evaluation["pairs"].values():
        for one in pair.get("not_judged", {}).values():
            found.append(f"{pair['outcome']}, {pair['horizon']}: {one['label']}: {one['why']}")
    return found


def _said(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
