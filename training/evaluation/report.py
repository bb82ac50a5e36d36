"""One evaluation: model, rules, control and (on simulated data) the oracle, on the same later rows, per outcome and horizon.

The result is plain data (``evaluation.json``) from which the page (``evaluation.html``), the metrics of the run and the promotion gates are all read, so
no figure exists twice. With synthetic data an AUROC measures the simulator: read the regret to the oracle instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records import Records
from training.comparators import RULES
from training.evaluation import metrics
from training.evaluation.metrics import Estimate, Listing, Scored
from training.outcomes import FollowUp
from training.settings import Settings
from training.splits import Split

Floats = npt.NDArray[np.float64]
LABELS = {
    "model": "Model (LightGBM, calibrated)",
    "logistic": "Logistic regression, all features",
    "oracle": "Oracle (true risk, simulated data only)",
    "random": "By lot",
    "alphabetical": "By the alphabet (ids: the records hold no names)",
    "five_factors": "Logistic regression on five factors",
    **{rule.name: rule.label for rule in RULES},
}
CURVE_POINTS = 10
FEWEST_EVENTS_TO_SHOW = 10
"""A figure about fewer events than this is suppressed (CLINICAL.md section 5: cells below 10 are not published)."""
_PAGE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Contenders:
    """Scores of every row of a spine. ``model`` and ``logistic`` are probabilities by outcome and horizon (``admission_28``), ``rules`` by rule name."""

    model: Mapping[str, Floats]
    logistic: Mapping[str, Floats]
    rules: Mapping[str, Floats]
    five_factors: Mapping[str, Floats] = field(default_factory=dict)

    def simple(self, name: str) -> dict[str, Floats]:
        """Every simple rule's score for one outcome and horizon; the five-factor rule is fitted, so it differs between them."""
        fitted = {"five_factors": self.five_factors[name]} if name in self.five_factors else {}
        return {**self.rules, **fitted}


@dataclass(frozen=True)
class _Rows:
    """The labelled test rows of one outcome and horizon, and the draws over their people."""

    at: npt.NDArray[np.int64]
    label: Floats
    people: npt.NDArray[np.int64]
    resamples: npt.NDArray[np.int32]
    team: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    event: npt.NDArray[np.int64]


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
    horizons = settings.outcomes.horizons
    labels, new = follow_up.labels(horizons), follow_up.new_events(horizons)
    teams, slots = _teams(records, spine, settings.evaluation.default_weekly_reviews)
    oracle_at, oracle = _oracle(spine, split, settings, truth)
    pairs = {}
    for outcome, days in horizons.items():
        for horizon in days:
            name = f"{outcome}_{horizon}"
            rows = _rows(follow_up, split.test, labels[name].to_numpy(), outcome, teams, settings)
            pairs[name] = {
                "outcome": outcome,
                "horizon": horizon,
                **_pair(name, rows, contenders, slots),
                "unseen_people": _part(name, rows, contenders, split.unseen),
                "new_events": _part(name, rows, contenders, ~np.isnan(new[name].to_numpy())),
                "oracle": _against_oracle(name, rows, contenders, oracle_at, oracle.get(name)),
            }
    return {
        "synthetic": records.synthetic,
        "data_hash": records.data_hash,
        "slots": "each team's own weekly reviews, one list per team at each test landmark",
        "slices": _records_of(split.summary(spine)),
        "embargo_days": split.embargo_days,
        "censoring": _records_of(follow_up.censoring(horizons)),
        "pairs": pairs,
    }


def _rows(
    follow_up: FollowUp,
    test: npt.NDArray[np.bool_],
    label: Floats,
    outcome: str,
    teams: npt.NDArray[np.int64],
    settings: Settings,
) -> _Rows:
    at = np.flatnonzero(test & ~np.isnan(label))
    people, _ = pd.factorize(follow_up.spine["patient_id"].iloc[at])
    happened = follow_up.outcomes[outcome].event_day[at]
    event = np.full(len(at), -1, dtype=np.int64)
    yes = label[at] == 1
    event[yes] = pd.DataFrame({"person": people[yes], "day": happened[yes]}).groupby(["person", "day"]).ngroup()
    resamples = metrics.draws(people, settings.evaluation.bootstrap_draws, settings.training.seed)
    return _Rows(at, label[at], people.astype(np.int64), resamples, teams[at], follow_up.day[at], event)


def _pair(name: str, rows: _Rows, contenders: Contenders, slots: Mapping[int, int]) -> dict[str, Any]:
    scores = {"model": contenders.model[name], "logistic": contenders.logistic[name], **contenders.simple(name)}
    scored = {who: Scored(rows.label, score[rows.at]) for who, score in scores.items()}
    lists = {
        who: Listing(metrics.top_of_lists(one.score, rows.team, rows.day, slots), rows.event)
        for who, one in scored.items()
    }
    figures: dict[str, dict[str, Any]] = {}
    for who, one in scored.items():
        judge = one.probability if who in ("model", "logistic") else one.ranking

        def all_figures(weight: Floats, judge=judge, listing=lists[who]) -> dict[str, float]:  # type: ignore[no-untyped-def]
            return {
                **judge(weight),
                "precision_at_slots": listing.precision(weight),
                "captured_at_slots": listing.captured(weight),
            }

        found = metrics.estimates(all_figures, rows.people, rows.resamples)
        figures[who] = {"label": LABELS.get(who, who), **{figure: value.as_dict() for figure, value in found.items()}}
    best = max(contenders.simple(name), key=lambda rule: _comparable(figures[rule]["auroc"]["value"]))
    return {
        "rows": len(rows.at),
        "people": int(rows.people.max()) + 1 if len(rows.at) else 0,
        "event_rows": int(rows.label.sum()),
        "events": int(rows.event.max()) + 1 if len(rows.at) else 0,
        "prevalence": round(float(rows.label.mean()), 6) if len(rows.at) else None,
        "listed_rows": int(lists["model"].listed.sum()),
        "contenders": figures,
        "best_rule": best,
        "over_best_rule": {
            "auroc": metrics.difference(
                scored["model"].auroc, scored[best].auroc, rows.people, rows.resamples
            ).as_dict(),
            "captured_at_slots": metrics.difference(
                lists["model"].captured, lists[best].captured, rows.people, rows.resamples
            ).as_dict(),
            "captured_at_slots_by_team": _over_by_team(
                lists["model"], _best_at_slots(contenders.simple(name), lists, figures), rows
            ),
        },
        "best_rule_at_slots": max(
            contenders.simple(name), key=lambda rule: _comparable(figures[rule]["captured_at_slots"]["value"])
        ),
        "worst_team": _worst_team(lists["model"], rows),
        "curve": _curve(scored["model"]),
    }


def _best_at_slots(
    rules: Mapping[str, Floats], lists: Mapping[str, Listing], figures: Mapping[str, Mapping[str, Any]]
) -> Listing:
    """The list of the rule that captured most at the same slots: a harder bar than the rule with the best AUROC."""
    return lists[max(rules, key=lambda rule: _comparable(figures[rule]["captured_at_slots"]["value"]))]


def _over_by_team(model: Listing, rule: Listing, rows: _Rows) -> dict[str, float | None]:
    """Events captured by the model less those by the rule, paired, with an interval from a bootstrap of whole teams."""
    draws = metrics.draws(rows.team, len(rows.resamples), 1)
    return metrics.difference(model.captured, rule.captured, rows.team, draws).as_dict()


def _worst_team(listing: Listing, rows: _Rows) -> dict[str, Any] | None:
    """The team whose events the lists capture least, among teams with enough events to say so (research/evaluation.md section 5)."""
    found = []
    for team in np.unique(rows.team):
        inside = (rows.team == team).astype(np.float64)
        events = len(np.unique(rows.event[(rows.team == team) & (rows.event >= 0)]))
        if events >= FEWEST_EVENTS_TO_SHOW:
            found.append((listing.captured(inside), int(events)))
    if not found:
        return None
    captured, events = min(found)
    return {"teams": len(found), "events": events, "captured_at_slots": round(captured, 6)}


def _part(name: str, rows: _Rows, contenders: Contenders, keep: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """AUROC of the model and of each rule on some of the rows: people who never trained it, or events that had not begun."""
    inside = keep[rows.at]
    label, people = rows.label[inside], rows.people[inside]
    model = Scored(label, contenders.model[name][rows.at][inside])
    rules = {
        rule: Scored(label, score[rows.at][inside]).auroc(np.ones(len(label)))
        for rule, score in contenders.simple(name).items()
    }
    best = max(rules, key=lambda rule: _comparable(rules[rule]))
    slope = metrics.estimate(lambda weight: model.calibration(weight)[0], people, rows.resamples)
    return {
        "rows": int(inside.sum()),
        "event_rows": int(label.sum()),
        "auroc": metrics.estimate(model.auroc, people, rows.resamples).as_dict(),
        "calibration_slope": slope.as_dict(),
        "best_rule": best,
        "best_rule_auroc": None if np.isnan(rules[best]) else round(rules[best], 6),
    }


def _oracle(
    spine: pd.DataFrame, split: Split, settings: Settings, truth: Any | None
) -> tuple[npt.NDArray[np.int64], dict[str, Floats]]:
    """A sample of test rows and their true risks by outcome and horizon; empty where no truth is known."""
    test = np.flatnonzero(split.test)
    if truth is None or not settings.evaluation.oracle_rows or not len(test):
        return np.zeros(0, dtype=np.int64), {}
    rng = np.random.default_rng(settings.training.seed)
    at = np.sort(rng.choice(test, min(settings.evaluation.oracle_rows, len(test)), replace=False))
    asked = spine.iloc[at].reset_index(drop=True)
    long = truth.risk(
        asked, dict(settings.outcomes.horizons), draws=settings.evaluation.oracle_draws, seed=settings.training.seed
    )
    risks = {}
    for outcome, days in settings.outcomes.horizons.items():
        for horizon in days:
            part = long[(long["outcome"] == outcome) & (long["horizon"] == horizon)]
            merged = asked[["patient_id", "as_of"]].merge(part, on=["patient_id", "as_of"], how="left")
            risks[f"{outcome}_{horizon}"] = merged["probability"].to_numpy(dtype=np.float64)
    return at, risks


def _against_oracle(
    name: str, rows: _Rows, contenders: Contenders, at: npt.NDArray[np.int64], risk: Floats | None
) -> dict[str, Any] | None:
    if risk is None:
        return None
    known = {int(row): place for place, row in enumerate(rows.at)}
    here = np.array([n for n, row in enumerate(at) if int(row) in known and not np.isnan(risk[n])], dtype=np.int64)
    if not len(here):
        return None
    places = np.array([known[int(at[n])] for n in here])
    people, label = rows.people[places], rows.label[places]
    oracle, model = Scored(label, risk[here]), Scored(label, contenders.model[name][at[here]])
    rule = {
        who: Scored(label, score[at[here]]).auroc(np.ones(len(label))) for who, score in contenders.simple(name).items()
    }
    best = max(rule, key=lambda which: _comparable(rule[which]))
    return {
        "rows": len(here),
        "event_rows": int(label.sum()),
        "oracle_auroc": metrics.estimate(oracle.auroc, people, rows.resamples).as_dict(),
        "model_auroc": metrics.estimate(model.auroc, people, rows.resamples).as_dict(),
        "best_rule": best,
        "best_rule_auroc": None if np.isnan(rule[best]) else round(rule[best], 6),
        "regret": metrics.difference(oracle.auroc, model.auroc, people, rows.resamples).as_dict(),
        "mean_absolute_error": round(float(np.abs(model.score - oracle.score).mean()), 6),
        "mean_true_risk": round(float(oracle.score.mean()), 6),
        "mean_model_risk": round(float(model.score.mean()), 6),
    }


def _curve(scored: Scored) -> list[dict[str, float]]:
    """Mean predicted and observed share in tenths of the predicted risk."""
    order = np.argsort(scored.score, kind="stable")
    return [
        {
            "predicted": round(float(scored.score[part].mean()), 6),
            "observed": round(float(scored.label[part].mean()), 6),
            "rows": len(part),
        }
        for part in np.array_split(order, CURVE_POINTS)
        if len(part)
    ]


def _teams(records: Records, spine: pd.DataFrame, otherwise: int) -> tuple[npt.NDArray[np.int64], dict[int, int]]:
    """Team code of each row, and the weekly slots of each code. A spine without teams is one team."""
    if "team_id" not in spine.columns:
        return np.zeros(len(spine), dtype=np.int64), {0: otherwise}
    codes, names = pd.factorize(spine["team_id"], use_na_sentinel=False)
    teams = records["teams"].set_index("team_id")["weekly_reviews"]
    stated = [teams.get(name, np.nan) for name in names]
    return codes.astype(np.int64), {n: otherwise if pd.isna(value) else int(value) for n, value in enumerate(stated)}


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
                "logistic_auroc": pair["contenders"]["logistic"]["auroc"]["value"],
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
        found[f"{name}/logistic_auroc"] = pair["contenders"]["logistic"]["auroc"]["value"]
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


def write(evaluation: Mapping[str, Any], folder: Path, plots: Mapping[str, str] | None = None) -> None:
    """Writes ``evaluation.json`` and a self-contained ``evaluation.html``. ``plots`` are SVG texts by title."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (folder / "evaluation.html").write_text(render(evaluation, plots or {}), encoding="utf-8")


def render(evaluation: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = _figure
    return environment.from_string(_PAGE.read_text(encoding="utf-8")).render(it=evaluation, plots=plots)


def _figure(value: Mapping[str, float | None] | float | None, digits: int = 3) -> str:
    """A figure with its interval, or a dash where it is not defined."""
    if value is None:
        return "–"
    if not isinstance(value, Mapping):
        return f"{value:.{digits}f}"
    if value["value"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return f"{value['value']:.{digits}f}"
    return f"{value['value']:.{digits}f} ({value['low']:.{digits}f} to {value['high']:.{digits}f})"


def _records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    shown = frame.copy()
    for name in shown.columns:
        if pd.api.types.is_datetime64_any_dtype(shown[name]):
            shown[name] = shown[name].dt.strftime("%Y-%m-%d")
    return json.loads(shown.to_json(orient="records"))


def _comparable(value: float | None) -> float:
    return -1.0 if value is None or np.isnan(value) else float(value)


__all__ = ["LABELS", "Contenders", "Estimate", "evaluate", "flat_metrics", "render", "table", "write"]


def lines(evaluation: Mapping[str, Any]) -> list[str]:
    """``table`` for a terminal."""
    found = ["Synthetic data: these figures say nothing about people."] if evaluation["synthetic"] else []
    heads = ("outcome, days", "events", "oracle", "model", "logistic", "best rule", "slope")
    found.append("{:<22}{:>8}{:>9}{:>9}{:>10}{:>11}{:>8}  AUROC; calibration slope; which rule".format(*heads))
    for row in table(evaluation):
        oracle = "-" if row["oracle_auroc"] is None else f"{row['oracle_auroc']:.3f}"
        found.append(
            f"{row['outcome'] + ', ' + str(row['horizon']):<22}{row['events']:>8,}{oracle:>9}{row['model_auroc']:>9.3f}"
            f"{row['logistic_auroc']:>10.3f}{row['best_rule_auroc']:>11.3f}{row['calibration_slope']:>8.2f}  {row['best_rule']}"
        )
    return found
