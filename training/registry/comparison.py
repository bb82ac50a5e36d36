"""Challenger and champion side by side, on the same rows: the test slice of the challenger's run.

The champion's evaluated model is used, not its served model: the served model was fitted again on all rows and so has
seen these. Every difference is paired: the same draws of people for both. If the champion was trained on dates inside
this test slice, the comparison favours it and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.risk_model import RiskModel
from training.dataset.labels import FollowUp
from training.dataset.splits import Mask
from training.errors import ArtefactAbsent
from training.evaluation.figures import numbered
from training.registry import tracking
from training.settings import Settings
from training.statistics.metrics import Listing, Scored, top_of_lists
from training.statistics.resampling import Draws, Estimate, Floats, codes

FIGURES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "scaled_brier": "scaled Brier",
    "calibration_slope": "calibration slope",
    "captured_at_slots": "events captured at the slots",
}
FILE = "comparison.json"


@dataclass(frozen=True)
class Champion:
    """The promoted model: its bundle, and its entry in the registry."""

    version: str
    run_id: str
    model: RiskModel


def load(home: str | Path, settings: Settings, which: str) -> Champion:
    """The champion, another alias or a version, with its verified bundle. Raises StoreAbsent, NoChampion, NoRun or
    ArtefactAbsent."""
    store = tracking.open_store(home, settings.tracking)
    found = store.find(which) if which.isdigit() else store.version(which)
    try:
        with store.files_of(found.run_id, tracking.EVALUATED) as folder:
            return Champion(found.version, found.run_id, RiskModel.load(folder))
    except ArtefactAbsent:  # a run of before the served model was fitted again: what served was what was evaluated
        with store.files_of(found.run_id, tracking.BUNDLE) as folder:
            return Champion(found.version, found.run_id, RiskModel.load(folder))


def side_by_side(
    champion: Champion,
    challenger_version: str,
    challenger: Mapping[str, Floats],
    values: Any,
    names: tuple[str, ...],
    follow_up: FollowUp,
    labels: pd.DataFrame,
    test: Mask,
    slots: Callable[[pd.Series], Sequence[int]],
    draws: int,
    seed: int,
    weights: Mapping[str, Floats] | None = None,
) -> dict[str, Any]:
    """By outcome and horizon: each figure of both with intervals, and challenger less champion. ``challenger`` holds
    one probability a spine row; ``weights`` how many rows each row stands for.

    ``slots`` gives the weekly reviews of each distinct team of a column, in order of first appearance.
    """
    tested = np.flatnonzero(test)
    served = champion.model.score(np.ascontiguousarray(values[tested]), names=names)
    spine = follow_up.spine
    pairs = {}
    for outcome, days in champion.model.outcomes.items():
        for column, horizon in enumerate(days):
            name = f"{outcome}_{horizon}"
            if name not in challenger:
                continue
            known = ~np.isnan(labels[name].to_numpy()[tested])
            at = tested[known]
            label = labels[name].to_numpy()[at]
            people = codes(spine["patient_id"].iloc[at])
            teams = spine["team_id"].iloc[at]
            event = numbered(people, follow_up.outcomes[outcome].event_day[at], label == 1)
            each = None if weights is None else weights[name][at]
            drawn = Draws.of(people, draws, seed).standing_for(each)
            found = {}
            for who, score in (
                ("challenger", challenger[name][at]),
                ("champion", served[outcome].probability[known, column]),
            ):
                one = Scored(label, np.asarray(score, dtype=np.float64))
                listed = top_of_lists(one.score, codes(teams), follow_up.day[at], slots(teams), each=each)
                listing = Listing(listed, event)
                found[who] = {**one.probability(drawn), "captured_at_slots": listing.captured(drawn)}
            pairs[name] = {
                "rows": len(at),
                "events": int(event.max()) + 1 if len(event) else 0,
                **{
                    figure: {
                        **{who: Estimate.of(found[who][figure]).as_dict() for who in found},
                        "difference": Estimate.of(found["challenger"][figure] - found["champion"][figure]).as_dict(),
                    }
                    for figure in FIGURES
                },
            }
    return {
        "challenger": challenger_version,
        "champion": champion.version,
        "champion_run_id": champion.run_id,
        "rows": "the test slice of the challenger's run",
        "champion_learned_from_these_dates": _overlap(champion.model, spine["as_of"].iloc[tested]),
        "pairs": pairs,
    }


def _overlap(model: RiskModel, dates: pd.Series) -> bool:
    """Whether the champion trained or calibrated on a date in this test slice; True if its bundle does not say."""
    trained: Any = model.manifest.trained_on or {}
    slices = trained.get("slices") or []
    learned = [pd.Timestamp(part["last"]) for part in slices if part["slice"] in ("train", "calibration")]
    return not learned or max(learned) >= dates.min()


def lines(comparison: Mapping[str, Any]) -> list[str]:
    """For a terminal: one line per outcome, horizon and figure."""
    out = [
        (
            f"challenger: version {comparison['challenger']}; champion: version {comparison['champion']}; the same "
            f"rows "
            f"of later time"
        )
    ]
    if comparison["champion_learned_from_these_dates"]:
        out.append("The champion was trained on dates inside this slice, so the comparison favours it.")
    out.append(f"{'outcome, days':<22}{'figure':<30}{'challenger':>11}{'champion':>10}  difference (95%)")
    for name, pair in comparison["pairs"].items():
        for figure, words in FIGURES.items():
            one = pair[figure]
            gap = one["difference"]
            out.append(
                f"{name.replace('_', ', '):<22}{words:<30}"
                f"{_said(one['challenger']['value']):>11}{_said(one['champion']['value']):>10}"
                f"  {_said(gap['value'])} ({_said(gap['low'])} to {_said(gap['high'])})"
            )
    return out


def flat(comparison: Mapping[str, Any]) -> dict[str, float]:
    """Metrics for MLflow: ``admission_28/auroc_over_champion``."""
    found = {
        f"{name}/{figure}_over_champion": pair[figure]["difference"]["value"]
        for name, pair in comparison["pairs"].items()
        for figure in FIGURES
    }
    return {name: value for name, value in found.items() if value is not None}


def write(comparison: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(comparison, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (folder / "comparison.txt").write_text("\n".join(lines(comparison)) + "\n", encoding="utf-8")


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
