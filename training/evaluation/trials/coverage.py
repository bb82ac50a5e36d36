"""How often the ranges hold the true risk, on simulated people: overall, among the highest risks, and in each group.

The factors of the ranges were learned on other trusts, not on these people. The rows are those of the regret
(``training.evaluation.oracle``): each stands for as many test rows as it was drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.fairness.groups import UNKNOWN, Partition
from training.statistics.resampling import Draws, Estimate, Floats, Mask
from training.statistics.true_risks import below, distances

TOP = 0.05
FEWEST_PEOPLE = 50
"""A group with fewer people cannot be the worst, because its coverage depends on chance."""


def figures(
    risk: Floats,
    ends: tuple[Floats, Floats],
    true: Floats,
    weight: Floats,
    futures: Floats | int,
    draws: Draws,
    unseen: Mask,
    groups: Sequence[Partition],
) -> dict[str, Any] | None:
    """Coverage and width at one outcome and horizon. Every array has one entry for each sampled row; ``true`` is the
    share of the row's ``futures`` with the event, NaN if the person was absent."""
    here = ~np.isnan(true)
    if here.sum() < FEWEST_PEOPLE:
        return None
    risk, true, weight, unseen = risk[here], true[here], weight[here], unseen[here]
    low, high = ends[0][here], ends[1][here]
    logit, futures = _logit(risk), np.broadcast_to(futures, here.shape)[here]
    posterior = distances(logit, np.round(true * futures), futures, weight)
    inside = below(posterior, _logit(high) - logit) - below(posterior, _logit(low) - logit)
    draws = draws.where(here)

    def held(rows: Mask) -> dict[str, Any]:
        return Estimate.of(draws.ratio(weight * inside * rows, weight * rows)).as_dict()

    order = np.argsort(-risk, kind="stable")
    top = np.zeros(len(risk), dtype=bool)
    top[order[np.cumsum(weight[order]) <= max(TOP * weight.sum(), weight[order[0]])]] = True
    by_group: list[dict[str, Any]] = [
        {"group": part.label, "level": level, "people": people, "held": held(rows)}
        for part in (replace(one, level=one.level[here]) for one in groups)
        for level, rows, people in _levels(part, draws)
    ]
    everybody = np.ones(len(risk), dtype=bool)
    return {
        "rows": int(here.sum()),
        "held": held(everybody),
        "held_top": held(top),
        "held_unseen_people": held(unseen) if unseen.any() else None,
        "worst_group": min(by_group, key=lambda one: one["held"]["value"]) if by_group else None,
        "groups": len(by_group),
        "mean_low": Estimate.of(draws.ratio(weight * low, weight)).as_dict(),
        "mean_high": Estimate.of(draws.ratio(weight * high, weight)).as_dict(),
    }


def _levels(part: Partition, draws: Draws) -> list[tuple[str, Mask, int]]:
    found = []
    for level in sorted(set(part.level) - {UNKNOWN}):
        rows = part.level == level
        people = len(np.unique(draws.people[rows]))
        if people >= FEWEST_PEOPLE:
            found.append((str(level), rows, people))
    return found


def by_pair(
    at: npt.NDArray[np.int64],
    true: Mapping[str, Floats],
    risk: Mapping[str, Floats],
    ends: Mapping[str, tuple[Floats, Floats]],
    weight: Floats,
    futures: int,
    draws: Draws,
    unseen: Mask,
    groups: Sequence[Partition],
) -> dict[str, dict[str, Any] | None]:
    """:func:`figures` of every pair that has ranges. ``risk`` covers the spine, of which ``at`` are the sampled rows;
    every other array has one entry for each of those."""
    return {
        name: figures(risk[name][at], found, true[name], weight, futures, draws, unseen, groups)
        for name, found in ends.items()
        if name in true
    }


def _logit(risk: Floats) -> Floats:
    inside = np.clip(risk, 1e-9, 1 - 1e-9)
    return np.log(inside / (1 - inside))
