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
    """Labelled rows of one outcome and horizon in one slice. ``event`` numbers distinct events, -1 if there is none."""

    at: npt.NDArray[np.int64]
    team: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    event: npt.NDArray[np.int64]

    @classmethod
    def of(cls, follow_up: FollowUp, outcome: str, label: Floats, rows: Mask) -> Place:
        spine = follow_up.spine
        at = np.flatnonzero(rows & ~np.isnan(label))
        team = codes(spine["team_id"].iloc[at]) if "team_id" in spine.columns else np.zeros(len(at), dtype=np.int64)
        people = codes(spine["patient_id"].iloc[at])
        event = numbered(people, follow_up.outcomes[outcome].event_day[at], label[at] == 1)
        return cls(at, team, follow_up.day[at], event)

    def found(self, score: Floats, slots: Sequence[int]) -> Floats:
        """Share of list lengths at which each event is found, shape (events, lengths). ``score`` has one value per
        row of this place.
        """
        number = int(self.event.max()) + 1 if len(self.event) else 0
        order, place = places_in_lists(score, self.team, self.day)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = place
        best = np.full(number, np.iinfo(np.int64).max)
        happened = self.event >= 0
        np.minimum.at(best, self.event[happened], rank[happened])
        return (best[:, None] < np.asarray(slots)[None, :]).astype(np.float64)

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
    shares = {rule: float(chosen_in.found(score, slots).mean()) for rule, score in rules_chosen.items()}
    rule = max(shares, key=lambda name: comparable(shares[name]))
    ours, theirs = tested.found(model, slots), tested.found(rules_tested[rule], slots)
    draws = Draws.of(tested.team_of_event, DRAWS, 1)
    return {
        "slots": list(slots),
        "rule": rule,
        "rule_label": labels.get(rule, rule),
        "rule_chosen_on": "the calibration slice",
        "rule_found_there": _found_there(chosen_in, rules_chosen[rule], slots),
        "events": len(ours),
        "teams": int(draws.weights.shape[1]),
        "model": Estimate.of(draws.ratio(ours.mean(axis=1))).as_dict(),
        "rule_found": Estimate.of(draws.ratio(theirs.mean(axis=1))).as_dict(),
        "difference": Estimate.of(draws.ratio((ours - theirs).mean(axis=1))).as_dict(),
        "by_slots": {
            str(number): Estimate.of(draws.ratio((ours - theirs)[:, place])).as_dict()
            for place, number in enumerate(slots)
        },
    }  # fmt: skip


def _found_there(place: Place, rule: Floats, slots: Sequence[int]) -> dict[str, float | None]:
    draws = Draws.of(place.team_of_event, DRAWS, 1)
    return Estimate.of(draws.ratio(place.found(rule, slots).mean(axis=1))).as_dict()


def by_pair(
    follow_up: FollowUp,
    labels: pd.DataFrame,
    split: Split,
    later: Contenders,
    earlier: Contenders,
    slots: Sequence[int],
) -> dict[str, dict[str, Any] | None]:
    """The lead by outcome and horizon. ``later`` holds the scores of the test rows, ``earlier`` those of the
    calibration rows, one per spine row.
    """
    found = {}
    for name, score in later.model.items():
        label = labels[name].to_numpy(dtype=np.float64)
        outcome = name.rpartition("_")[0]
        tested = Place.of(follow_up, outcome, label, split.test)
        chosen_in = Place.of(follow_up, outcome, label, split.calibration)
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
