"""Figures of weekly lists of limited length: 5, 10, 15 and 25 reviews per team per week (docs/methods.md section 5).

Everybody at risk on the day is ranked, including people who later left, because that is not known on the day. A row
whose outcome cannot be known takes a place and counts neither for nor against the list; the share of such places is
reported. An event counts once, at the first listing of the person within the horizon before it. That listing gives
the lead time, and shows whether the person was news to the team.

There are two readings. *As listed*: the same people may stay on a list for weeks; precision, turnover and lead time
use this list. *With a cool-off*: people who were reviewed are left off for 28 days, as in a team that works through
its list. Capture of model and rules is compared on the second: on the first, a random list would seem to catch most
events merely by naming everybody in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.fairness.groups import UNKNOWN, Partition
from training.evaluation.fairness.subgroups import suppressed
from training.statistics import kernels
from training.statistics.resampling import Draws, Estimate, Floats, Mask

SLOTS = (5, 10, 15, 25)
EARLY_DAYS = 7
"""A listing later than this before the event is too late for prevention."""
LEADS = (0, 1, 3, 7, 14, 28, 56, 84, 112, 140, 168)
COOL_OFF_DAYS = 28
EFFECTS = (0.1, 0.2)
"""Assumed shares of events that a review averts, to compute events averted per 100 reviews. Nobody has measured them
here.
"""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Weekly:
    """Rows at risk, one per person per week. ``known`` is False if the outcome cannot be known (the person left);
    ``event`` numbers the event within the horizon (-1: none), which happens ``lead`` days after the row. ``news`` is
    True if the team has no other reason to think of the person: no crisis or admission in the last year, not seen
    in the last 14 days. ``each`` says how many rows each row stands for once a list is live, None where every row
    counts once: somebody reviewed from that list takes a place, and rows followed on count for them."""

    person: Ints
    team: Ints
    day: Ints
    known: Mask
    event: Ints
    lead: Ints
    news: Mask
    draws: Draws
    each: Floats | None = None

    @property
    def outcomes(self) -> Draws:
        """The draws for figures of outcomes; places of a list are counted with ``draws``."""
        return self.draws.standing_for(self.each)

    @cached_property
    def event_weight(self) -> Floats:
        """How many events each event stands for: the weight of the last row before it."""
        return self.found(np.ones(len(self.person), dtype=bool))

    def found(self, rows: Mask) -> Floats:
        """For each event the weight of the last of ``rows`` before it, 0 if there is none."""
        chosen = rows & (self.event >= 0)
        weight = np.full(len(self.events[0]), np.inf)
        np.minimum.at(weight, np.searchsorted(self.events[0], self.event[chosen]), self.outcomes.each[chosen])
        return np.where(np.isinf(weight), 0.0, weight)

    @cached_property
    def before(self) -> Ints:
        """Position of the same person's row one list earlier (7 days), -1 if there is none."""
        order = np.lexsort((self.day, self.person))
        earlier = np.full(len(order), -1, dtype=np.int64)
        follows = (self.person[order][1:] == self.person[order][:-1]) & (np.diff(self.day[order]) <= 7)
        earlier[order[1:][follows]] = order[:-1][follows]
        return earlier

    @cached_property
    def events(self) -> tuple[Ints, Ints]:
        """Numbers of the events, and the person of each."""
        happened = np.flatnonzero(self.event >= 0)
        numbers, first = np.unique(self.event[happened], return_index=True)
        return numbers, self.person[happened][first]

    def first_listing(self, listed: Mask) -> Ints:
        """For each event, the row of the first listing within the horizon before it; -1 if no list held the person."""
        rows = np.flatnonzero(listed & (self.event >= 0))
        order = rows[np.lexsort((self.day[rows], self.event[rows]))]
        found, first = np.unique(self.event[order], return_index=True)
        out = np.full(len(self.events[0]), -1, dtype=np.int64)
        out[np.searchsorted(self.events[0], found)] = order[first]
        return out


def figures(
    rows: Weekly,
    scores: Mapping[str, Floats],
    rules: Sequence[str],
    partitions: Sequence[Partition],
    team_names: Sequence[str],
    enough: int,
) -> dict[str, Any]:
    """By list length: precision and capture of every contender, and all other figures for the model. ``rules`` names
    the simple rules among ``scores``.
    """
    order = {who: _by_week(rows, score) for who, score in scores.items()}
    out: dict[str, Any] = {
        "rows": len(rows.person),
        "weeks": len(np.unique(rows.day)),
        "teams": len(np.unique(rows.team)),
        "events": len(rows.events[0]),
        "cool_off_days": COOL_OFF_DAYS,
        "slots": {},
    }
    for slots in SLOTS:
        lists = {who: _lists(rows, order[who], slots, 0) for who in scores}
        cooled = {who: _lists(rows, order[who], slots, COOL_OFF_DAYS) for who in scores}
        captured = {who: _captured(rows, listed) for who, listed in cooled.items()}
        best = max(rules, key=lambda who: -1.0 if np.isnan(captured[who][0]) else captured[who][0])
        precision = rows.outcomes.ratio(cooled["model"] & (rows.event >= 0), cooled["model"] & rows.known)
        out["slots"][str(slots)] = {
            "as_listed": _of_list(rows, lists["model"]),
            "with_cool_off": _of_list(rows, cooled["model"]),
            "averted_per_100_reviews_if": {str(e): Estimate.of(100 * e * precision).as_dict() for e in EFFECTS},
            "best_rule": best,
            "captured_over_best_rule": Estimate.of(captured["model"] - captured[best]).as_dict(),
            "contenders": {
                who: {
                    "precision": _precision(rows, lists[who]),
                    "precision_with_cool_off": _precision(rows, cooled[who]),
                    "captured_with_cool_off": Estimate.of(captured[who]).as_dict(),
                }
                for who in scores
            },
            "worst_team": _worst(rows, cooled["model"], [_teams(rows, team_names)], 10),
            "worst_group": _worst(rows, cooled["model"], partitions, enough),
        }
    return out


def _of_list(rows: Weekly, listed: Mask) -> dict[str, Any]:
    true = listed & (rows.event >= 0)
    precision = rows.outcomes.ratio(true, listed & rows.known)
    need = np.divide(1, precision, out=np.full(len(precision), np.nan), where=precision > 0)
    first = rows.first_listing(listed)
    found = first >= 0
    events = Draws(rows.events[1], rows.draws.weights)
    each = found * rows.outcomes.each[first] if len(first) else np.zeros(0)
    captured, early = rows.found(listed), rows.found(listed & (rows.lead >= EARLY_DAYS))
    lead = np.where(found, rows.lead[first], -1)
    again = rows.before >= 0
    stayed = again & listed & listed[rows.before]
    days = lead[found]
    wrong = listed & rows.known & (rows.event < 0)
    warned = np.divide(
        events.total(np.maximum(lead, 0) * each),
        rows.outcomes.total(wrong),
        out=np.full(len(precision), np.nan),
        where=rows.outcomes.total(wrong) > 0,
    )
    return {
        "listings": int(listed.sum()),
        "precision": Estimate.of(precision).as_dict(),
        "number_needed_to_review": Estimate.of(need).as_dict(),
        "captured": Estimate.of(events.ratio(captured, rows.event_weight)).as_dict(),
        "events_captured": int(found.sum()),
        "flagged_a_week_before": Estimate.of(events.ratio(early, rows.event_weight)).as_dict(),
        "of_captured_a_week_before": Estimate.of(events.ratio(early, captured)).as_dict(),
        "lead_days": [round(float(d), 1) for d in np.percentile(days, [10, 25, 50, 75, 90])] if len(days) >= 10 else [],
        "flagged_at_least": [[d, round(_flagged(rows, listed, d), 6)] for d in LEADS] if len(lead) else [],
        "new_information": Estimate.of(events.ratio(rows.news[first] * each, each)).as_dict(),
        "turnover": Estimate.of(rows.draws.ratio(listed & again & ~stayed, listed & again)).as_dict(),
        "slots_without_outcome": Estimate.of(rows.draws.ratio(listed & ~rows.known, listed)).as_dict(),
        "warning_days_per_false_listing": Estimate.of(warned).as_dict(),
    }


def _by_week(rows: Weekly, score: Floats) -> Ints:
    """Rows by day, then team, then falling score; ties in a random order that is always the same."""
    lot = np.random.default_rng(0).permutation(len(score))
    return np.lexsort((lot, -score, rows.team, rows.day))


def _lists(rows: Weekly, order: Ints, slots: int, cool_off: int) -> Mask:
    return kernels.weekly_lists(order, rows.day, rows.team, rows.person, slots, cool_off)


def _precision(rows: Weekly, listed: Mask) -> dict[str, float | None]:
    return Estimate.of(rows.outcomes.ratio(listed & (rows.event >= 0), listed & rows.known)).as_dict()


def _captured(rows: Weekly, listed: Mask) -> Floats:
    return Draws(rows.events[1], rows.draws.weights).ratio(rows.found(listed), rows.event_weight)


def _flagged(rows: Weekly, listed: Mask, days: int) -> float:
    """Share of events whose person was listed at least ``days`` before."""
    return float(rows.found(listed & (rows.lead >= days)).sum() / rows.event_weight.sum())


def _teams(rows: Weekly, names: Sequence[str]) -> Partition:
    return Partition("team", "Team", np.asarray(names, dtype=object)[rows.team])


def _worst(rows: Weekly, listed: Mask, partitions: Sequence[Partition], enough: int) -> dict[str, Any] | None:
    """The level whose events the lists capture least, among levels that may be shown and have ``enough`` events. An
    event belongs to the level of the person's last row before it.
    """
    numbers, owner = rows.events
    found = rows.found(listed)
    happened = np.flatnonzero(rows.event >= 0)
    order = happened[np.lexsort((rows.day[happened], rows.event[happened]))]
    last = order[np.searchsorted(rows.event[order], numbers, side="right") - 1]
    candidates = []
    for part in partitions:
        of_event = part.level[last]
        levels = sorted(set(part.level))
        people = [len(np.unique(rows.person[part.level == level])) for level in levels]
        events = [int((of_event == level).sum()) for level in levels]
        for level, count, hide in zip(levels, events, suppressed(people, events, part.crossed), strict=True):
            if hide or count < enough or level == UNKNOWN:
                continue
            inside = of_event == level
            share = Draws(owner[inside], rows.draws.weights).ratio(found[inside], rows.event_weight[inside])
            candidates.append((float(share[0]), part.label, level, count, share))
    if not candidates:
        return None
    _, group, level, count, share = min(candidates, key=lambda item: item[:3])
    return {
        "group": group,
        "level": level,
        "events": count,
        "captured": Estimate.of(share).as_dict(),
        "levels_judged": len(candidates),
    }
