"""Every figure of one outcome within one horizon, on the rows of the test slice: model, controls and rules, by group,
team and period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation import calibration_curves, decision_curves
from training.evaluation.fairness import subgroups
from training.evaluation.fairness.groups import Partition, periods
from training.statistics.metrics import Listing, Scored, as_dicts, same_share_of_lists, top_of_lists
from training.statistics.resampling import Draws, Estimate, Floats, Mask

TEAM = "Team"


@dataclass(frozen=True)
class PairRows:
    """The labelled test rows of one outcome and horizon, and the draws over their people, with the weight of each row
    where a list was live. ``at`` are positions in the spine."""

    at: npt.NDArray[np.int64]
    label: Floats
    draws: Draws
    team: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    event: npt.NDArray[np.int64]

    @property
    def people(self) -> int:
        return len(np.unique(self.draws.people))

    @property
    def events(self) -> int:
        return len(np.unique(self.event[self.event >= 0]))


def numbered(people: npt.NDArray[np.int64], day: npt.NDArray[np.int64], happened: Mask) -> npt.NDArray[np.int64]:
    """A number for each distinct (person, day of event) among ``happened`` rows, -1 elsewhere. One event counts once,
    however many rows precede it.
    """
    event = np.full(len(people), -1, dtype=np.int64)
    if happened.any():
        _, event[happened] = np.unique(np.column_stack([people[happened], day[happened]]), axis=0, return_inverse=True)
    return event


def figures_of(
    rows: PairRows,
    probabilities: Mapping[str, Floats],
    rules: Mapping[str, Floats],
    labels: Mapping[str, str],
    slots: Mapping[int, int],
    partitions: Sequence[Partition],
    team_names: Sequence[str],
    enough: int,
) -> dict[str, Any]:
    """Figures of ``probabilities`` (the first is ``model``) and ``rules`` by name, one score per row of ``rows``."""
    draws = rows.draws
    scored = {who: Scored(rows.label, score) for who, score in {**probabilities, **rules}.items()}
    lists = {
        who: Listing(top_of_lists(one.score, rows.team, rows.day, slots, each=draws.row_weight), rows.event)
        for who, one in scored.items()
    }
    found: dict[str, dict[str, Floats]] = {}
    for who, one in scored.items():
        judged = one.probability(draws) if who in probabilities else one.ranking(draws)
        found[who] = {
            **judged,
            "precision_at_slots": lists[who].precision(draws),
            "captured_at_slots": lists[who].captured(draws),
        }
    best = _best(rules, found, "auroc")
    best_at_slots = _best(rules, found, "captured_at_slots")
    model, listing = scored["model"], lists["model"]
    audited = subgroups.Rows(rows.label, model.score, listing.listed, rows.event, draws)
    by_group = [subgroups.by_level(audited, part, enough) for part in partitions]
    teams = _words("team", TEAM, np.asarray(team_names, dtype=object)[rows.team])
    share = float(draws.ratio(listing.listed)[0]) if len(rows.at) else 0.0
    equal = replace(audited, listed=same_share_of_lists(model.score, rows.team, rows.day, share, each=draws.row_weight))
    by_team = _with_equal_share(subgroups.by_level(audited, teams, enough), subgroups.by_level(equal, teams, enough))
    curves = {who: scored[who] for who in probabilities}
    curves[best] = Scored(rows.label, decision_curves.as_probability(scored[best].score, rows.label, draws.row_weight))
    return {
        "rows": len(rows.at),
        "people": rows.people,
        "event_rows": int(rows.label.sum()),
        "events": rows.events,
        "prevalence": round(float(draws.ratio(rows.label)[0]), 6) if len(rows.at) else None,
        "prevalence_interval": Estimate.of(draws.ratio(rows.label)).as_dict(),
        "listed_rows": int(listing.listed.sum()),
        "contenders": {who: {"label": labels.get(who, who), **as_dicts(values)} for who, values in found.items()},
        "best_rule": best,
        "best_rule_at_slots": best_at_slots,
        "over_best_rule": {
            "auroc": Estimate.of(found["model"]["auroc"] - found[best]["auroc"]).as_dict(),
            "captured_at_slots": Estimate.of(
                found["model"]["captured_at_slots"] - found[best]["captured_at_slots"]
            ).as_dict(),
            "captured_at_slots_by_team": _over_by_team(listing, lists[best_at_slots], rows),
        },
        "equal_share": {"share": round(share, 6), "captured": Estimate.of(equal.listing.captured(draws)).as_dict()},
        "worst_group": subgroups.worst_group(by_group),
        "unequal_calibration": subgroups.unequal_calibration(by_group),
        "groups": by_group,
        "teams": by_team,
        "across_teams": _across(by_team),
        "periods": subgroups.by_level(audited, _words("period", "Quarter", periods(rows.day)), enough),
        "curve": calibration_curves.smooth_curve(model, draws),
        "listed": calibration_curves.among_listed(model, listing.listed, draws),
        "risk_distribution": calibration_curves.risk_distribution(model, draws),
        "decision_curve": decision_curves.curves(curves, draws),
    }


def part_of(rows: PairRows, model: Floats, rules: Mapping[str, Floats], keep: Mask) -> dict[str, Any]:
    """AUROC and slope of the model, and AUROC of the best rule, on some of the rows: people not in training, or
    events that had not begun.
    """
    draws = rows.draws.where(keep)
    label = rows.label[keep]
    own = Scored(label, model[keep])
    auroc = {rule: Scored(label, score[keep]).ranking(draws)["auroc"] for rule, score in rules.items()}
    best = max(auroc, key=lambda rule: comparable(auroc[rule][0]))
    return {
        "rows": int(keep.sum()),
        "event_rows": int(label.sum()),
        "auroc": Estimate.of(own.ranking(draws)["auroc"]).as_dict(),
        "calibration_slope": Estimate.of(own.calibration_line(draws)["calibration_slope"]).as_dict(),
        "best_rule": best,
        "best_rule_auroc": Estimate.of(auroc[best]).as_dict(),
    }


def comparable(value: float | None) -> float:
    return -1.0 if value is None or np.isnan(value) else float(value)


def _best(rules: Mapping[str, Floats], found: Mapping[str, Mapping[str, Floats]], figure: str) -> str:
    return max(rules, key=lambda rule: comparable(found[rule][figure][0]))


def _words(name: str, label: str, level: npt.NDArray[np.object_]) -> Partition:
    return Partition(name, label, level)


def _over_by_team(model: Listing, rule: Listing, rows: PairRows) -> dict[str, float | None]:
    """Events captured by the model less those by the rule, paired, with an interval from a bootstrap of whole teams."""
    teams = Draws.of(rows.team, len(rows.draws.weights) - 1, 1).standing_for(rows.draws.row_weight)
    return Estimate.of(model.captured(teams) - rule.captured(teams)).as_dict()


def _with_equal_share(by_team: dict[str, Any], equal: Mapping[str, Any]) -> dict[str, Any]:
    """Adds to each team what its list would capture if every team could review the same share of its caseload. A
    short list finds fewer events, which says nothing about the model.
    """
    for level, same in zip(by_team["levels"], equal["levels"], strict=True):
        if not level["suppressed"]:
            level["captured_at_equal_share"] = same["captured_at_slots"]
    return by_team


def _across(by_team: Mapping[str, Any]) -> dict[str, Any] | None:
    """AUROC over teams by random effects (DerSimonian and Laird, on the logit), with the 95% prediction range for a
    new team.
    """
    shown = [
        level["auroc"]
        for level in by_team["levels"]
        if not level["suppressed"]
        and level["auroc"]["low"] is not None
        and level["auroc"]["low"] > 0
        and level["auroc"]["high"] < 1
    ]  # fmt: skip
    if len(shown) < 3:
        return None
    logit = {key: np.array([np.log(a[key] / (1 - a[key])) for a in shown]) for key in ("value", "low", "high")}
    variance = ((logit["high"] - logit["low"]) / 3.92) ** 2
    weight = 1 / variance
    fixed = (weight * logit["value"]).sum() / weight.sum()
    spread = (weight * (logit["value"] - fixed) ** 2).sum() - (len(shown) - 1)
    between = max(0.0, spread / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (variance + between)
    mean = (weight * logit["value"]).sum() / weight.sum()
    from scipy.stats import t as student

    reach = student.ppf(0.975, len(shown) - 2) * np.sqrt(between + 1 / weight.sum())
    low, middle, high = (1 / (1 + np.exp(-x)) for x in (mean - reach, mean, mean + reach))
    return {
        "teams": len(shown),
        "auroc": round(middle, 6),
        "prediction_low": round(low, 6),
        "prediction_high": round(high, 6),
    }
