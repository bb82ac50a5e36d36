"""Figures by group, team and period, with small numbers suppressed so that they cannot be recovered from the others.

A level is shown only if it has at least :data:`FEWEST` people and as many events. If its numbers could be computed as
the total less the shown levels, the next smallest level is suppressed too (secondary suppression). Levels with fewer
than ``enough`` events are shown and marked, and are never used for the worst level or a gap
(docs/clinical.md section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.fairness.groups import UNKNOWN, Partition
from training.statistics.metrics import Listing, Scored
from training.statistics.resampling import Draws, Estimate, Floats, Mask, as_dicts

FEWEST = 10
EQUAL_CALIBRATION = (0.8, 1.25)
LARGEST_GAP = 0.10
"""docs/clinical.md section 5: observed over expected lies within these bounds, and sensitivity differs at most this
much between groups with enough events.
"""


@dataclass(frozen=True)
class Rows:
    """Labelled rows of one outcome and horizon: the model's probability, whether its list held the row, and the event
    (-1: none) that followed."""

    label: Floats
    risk: Floats
    listed: Mask
    event: npt.NDArray[np.int64]
    draws: Draws

    def where(self, keep: Mask) -> Rows:
        return Rows(self.label[keep], self.risk[keep], self.listed[keep], self.event[keep], self.draws.where(keep))

    @property
    def people(self) -> int:
        return len(np.unique(self.draws.people))

    @property
    def events(self) -> int:
        return len(np.unique(self.event[self.event >= 0]))

    @property
    def listing(self) -> Listing:
        return Listing(self.listed, self.event)


def suppressed(people: Sequence[int], events: Sequence[int], all_of_them: bool = False, fewest: int = FEWEST) -> Mask:
    """The levels that are not shown. ``all_of_them``: one small level hides every level (for an intersection, whose
    totals are published elsewhere).
    """
    sizes, happened = np.asarray(people, dtype=np.int64), np.asarray(events, dtype=np.int64)
    hidden = (sizes < fewest) | (happened < fewest)
    if all_of_them and hidden.any():
        return np.ones(len(sizes), dtype=bool)
    while hidden.any() and not hidden.all():
        together = sizes[hidden].sum() >= fewest and happened[hidden].sum() >= fewest
        if hidden.sum() > 1 and together:
            break
        shown = np.flatnonzero(~hidden)
        hidden[shown[np.argmin(happened[shown])]] = True
    return hidden


def by_level(rows: Rows, partition: Partition, enough: int) -> dict[str, Any]:
    """One partition as plain data: every level with its figures and intervals, or marked as suppressed; and the gaps
    between levels with enough events.
    """
    names = sorted(set(partition.level), key=lambda name: (name == UNKNOWN, name))
    parts = [rows.where(partition.level == name) for name in names]
    hidden = suppressed([part.people for part in parts], [part.events for part in parts], partition.crossed)
    levels = []
    judged: dict[str, Floats] = {}
    for name, part, hide in zip(names, parts, hidden, strict=True):
        if hide:
            levels.append({"level": name, "suppressed": True})
            continue
        found = _figures(part)
        levels.append(
            {
                "level": name,
                "suppressed": False,
                "enough_events": part.events >= enough,
                "people": part.people,
                "rows": len(part.label),
                "events": part.events,
                "share_of_slots": _share(part.draws.total(part.listed), rows.draws.total(rows.listed)),
                "share_of_events": _share(_events(part), _events(rows)),
                **as_dicts(found),
            }
        )
        if part.events >= enough and name != UNKNOWN:
            judged[name] = found["captured_at_slots"]
    return {"name": partition.name, "label": partition.label, "levels": levels, "sensitivity_gap": _gap(judged)}


def _figures(part: Rows) -> dict[str, Floats]:
    scored, draws = Scored(part.label, part.risk), part.draws
    return {
        **scored.ranking(draws),
        "brier": scored.brier(draws),
        "prevalence": draws.ratio(part.label),
        "observed_to_expected": scored.observed_to_expected(draws),
        **scored.calibration_line(draws),
        "captured_at_slots": part.listing.captured(draws),
        "precision_at_slots": part.listing.precision(draws),
        "listed_share": draws.ratio(part.listed),
    }


def _gap(judged: dict[str, Floats]) -> dict[str, Any] | None:
    """The gap between the levels whose events are captured most and least, paired on the same draws."""
    if len(judged) < 2:
        return None
    best, worst = (pick(judged, key=lambda name: judged[name][0]) for pick in (max, min))
    apart = Estimate.of(judged[best] - judged[worst])
    return {
        "best": best,
        "worst": worst,
        **apart.as_dict(),
        "within_tolerance": bool(apart.value <= LARGEST_GAP),
        "tolerance": LARGEST_GAP,
    }


def worst_group(partitions: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The level, over all partitions, whose events the lists capture least, among levels with enough events; None if
    there is none.
    """
    found = [
        (level["captured_at_slots"]["value"], part["label"], level)
        for part in partitions
        for level in part["levels"]
        if not level["suppressed"] and level["enough_events"] and level["level"] != UNKNOWN
    ]
    if not found:
        return None
    _, group, level = min(found, key=lambda item: item[:2])
    return {
        "group": group,
        "level": level["level"],
        "events": level["events"],
        "captured_at_slots": level["captured_at_slots"],
        "levels_judged": len(found),
    }


def unequal_calibration(partitions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Levels with enough events whose observed over expected lies outside 0.8 to 1.25."""
    low, high = EQUAL_CALIBRATION
    return [
        {"group": part["label"], "level": level["level"], **level["observed_to_expected"]}
        for part in partitions
        for level in part["levels"]
        if not level["suppressed"]
        and level["enough_events"]
        and not low <= level["observed_to_expected"]["value"] <= high
    ]


def _events(rows: Rows) -> Floats:
    """Distinct events in each draw."""
    people, _, weight = rows.listing.found(rows.draws)
    return Draws(people, rows.draws.weights).total(weight)


def _share(part: Floats, whole: Floats) -> dict[str, float | None]:
    return Estimate.of(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)).as_dict()
