"""The model's lead over the best simple rule that a team could use instead, at the same number of reviews. The first
promotion gate reads it.

Every team's list of 5, 10, 15 and 25 people (``promotion.slots``) is drawn up at each landmark of the test slice, by
the model and by the rule. A list finds an event if it held the person before the event; the figure is the share of
events found, averaged over the lengths. The rule is the one that finds most in the **calibration** slice: choosing it
on the test slice would favour it by chance. The interval is a paired
bootstrap of whole teams (docs/methods.md section 5): the model ships only if its lower end lies above 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.dataset.labels import FollowUp
from training.dataset.splits import Split
from training.evaluation.figures import comparable, numbered
from training.fitting.contenders import LABELS, Contenders
from training.statistics.metrics import places_in_lists
from training.statistics.resampling import Draws, Estimate, Floats, Mask, codes

DRAWS = 2000


@dataclass(frozen=True)
class Place:
    """Labelled rows of one outcome and horizon in one slice. ``event`` numbers distinct events, -1 if there is none;
    ``each`` says how many rows each row stands for, None where every row counts once."""

    at: npt.NDArray[np.int64]
    team: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    event: npt.NDArray[np.int64]
    each: Floats | None = None

    @classmethod
    def of(cls, follow_up: FollowUp, outcome: str, label: Floats, rows: Mask, weight: Floats | None = None) -> Place:
        spine = follow_up.spine
        at = np.flatnonzero(rows & ~np.isnan(label))
        team = codes(spine["team_id"].iloc[at]) if "team_id" in spine.columns else np.zeros(len(at), dtype=np.int64)
        people = codes(spine["patient_id"].iloc[at])
        event = numbered(people, follow_up.outcomes[outcome].event_day[at], label[at] == 1)
        return cls(at, team, follow_up.day[at], event, None if weight is None else weight[at])

    def found(self, score: Floats, slots: Sequence[int]) -> Floats:
        """Weight of each event at each list length if a list of that length held the person before it, else 0; shape
        (events, lengths). ``score`` has one value per row of this place. Where every row counts once a weight is 1;
        else it is that of the last row that was listed, as in :class:`training.statistics.metrics.Listing`.
        """
        order, place = places_in_lists(score, self.team, self.day, each=self.each)
        rank = np.empty(len(order))
        rank[order] = place
        happened = self.event >= 0
        listed = rank[happened, None] < np.asarray(slots)[None, :]
        each = np.ones(len(rank)) if self.each is None else self.each
        found = np.full((self._events, len(slots)), np.inf)
        np.minimum.at(found, self.event[happened], np.where(listed, each[happened, None], np.inf))
        return np.where(np.isinf(found), 0.0, found)

    @property
    def _events(self) -> int:
        return int(self.event.max()) + 1 if len(self.event) else 0

    @property
    def weight_of_event(self) -> Floats:
        """How many events each event stands for: the weight of its last row."""
        found = np.full(self._events, np.inf)
        happened = self.event >= 0
        np.minimum.at(found, self.event[happened], 1.0 if self.each is None else self.each[happened])
        return found

    @property
    def team_of_event(self) -> npt.NDArray[np.int64]:
        """The team that had the person at the last landmark before each event."""
        last = np.lexsort((self.day, self.event))
        last = last[self.event[last] >= 0]
        return (
            self.team[last][np.append(np.flatnonzero(np.diff(self.event[last])), len(last) - 1)] if len(last) else last
        )


def over_best_rule(
    tested: Place,
    model: Floats,
    rules_tested: Mapping[str, Floats],
    chosen_in: Place,
    rules_chosen: Mapping[str, Floats],
    labels: Mapping[str, str],
    slots: Sequence[int],
) -> dict[str, Any] | None:
    """The lead as plain data; None if either slice holds no event. Scores have one value per row of ``tested`` or of
    ``chosen_in``.
    """
    if not (tested.event >= 0).any() or not (chosen_in.event >= 0).any():
        return None
    shares = {rule: float(chosen_in.found(score, slots).sum()) for rule, score in rules_chosen.items()}
    rule = max(shares, key=lambda name: comparable(shares[name]))
    ours, theirs = tested.found(model, slots), tested.found(rules_tested[rule], slots)
    draws, weight = Draws.of(tested.team_of_event, DRAWS, 1), tested.weight_of_event
    return {
        "slots": list(slots),
        "rule": rule,
        "rule_label": labels.get(rule, rule),
        "rule_chosen_on": "the calibration slice",
        "rule_found_there": _found_there(chosen_in, rules_chosen[rule], slots),
        "events": len(ours),
        "teams": int(draws.weights.shape[1]),
        "model": Estimate.of(draws.ratio(ours.mean(axis=1), weight)).as_dict(),
        "rule_found": Estimate.of(draws.ratio(theirs.mean(axis=1), weight)).as_dict(),
        "difference": Estimate.of(draws.ratio((ours - theirs).mean(axis=1), weight)).as_dict(),
        "by_slots": {
            str(number): Estimate.of(draws.ratio((ours - theirs)[:, place], weight)).as_dict()
            for place, number in enumerate(slots)
        },
    }  # fmt: skip


def _found_there(place: Place, rule: Floats, slots: Sequence[int]) -> dict[str, float | None]:
    draws = Draws.of(place.team_of_event, DRAWS, 1)
    return Estimate.of(draws.ratio(place.found(rule, slots).mean(axis=1), place.weight_of_event)).as_dict()


def by_pair(
    follow_up: FollowUp,
    labels: pd.DataFrame,
    split: Split,
    later: Contenders,
    earlier: Contenders,
    slots: Sequence[int],
    weights: Mapping[str, Floats] | None = None,
) -> dict[str, dict[str, Any] | None]:
    """The lead by outcome and horizon. ``later`` holds the scores of the test rows, ``earlier`` those of the
    calibration rows, one per spine row; ``weights`` how many rows each row stands for.
    """
    found = {}
    for name, score in later.model.items():
        label = labels[name].to_numpy(dtype=np.float64)
        outcome = name.rpartition("_")[0]
        weight = (weights or {}).get(name)
        tested = Place.of(follow_up, outcome, label, split.test, weight)
        chosen_in = Place.of(follow_up, outcome, label, split.calibration, weight)
        found[name] = over_best_rule(
            tested,
            score[tested.at],
            {rule: values[tested.at] for rule, values in later.simple(name).items()},
            chosen_in,
            {rule: values[chosen_in.at] for rule, values in earlier.simple(name).items()},
            LABELS,
            slots,
        )
    return found
