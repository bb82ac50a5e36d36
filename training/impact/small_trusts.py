"""Small simulated trusts with a planted effect of reviews, to check that the read-out finds it.

Each person has a true risk that drifts from block to block, and the model sees it with noise. Lists are drawn by the
same function as in the nightly run. A review lifts adherence, which cuts the chance of the event by the planted share,
and gets overdue blood counts done. The truth is known, so bias, coverage and the cost of the draw can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lottery_band import BandRules, InLine, draw_band
from training.impact.effects import DrawRows, listing_effect

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SmallTrust:
    """Sizes and planted effects. ``effect`` is the relative change of the event by a review, ``reviewed`` the share of
    people with a place who are reviewed, ``reviewed_anyway`` that of the others, ``counts_done`` the shares whose
    overdue blood count is done without and with a review.
    """

    teams: int = 25
    people: int = 60
    places: int = 10
    blocks: int = 16
    event_rate: float = 0.08
    spread: float = 1.0
    noise: float = 0.25
    effect: float = -0.25
    reviewed: float = 1.0
    reviewed_anyway: float = 0.0
    counts_done: tuple[float, float] = (0.3, 0.7)
    safety_gap: float = 0.1


@dataclass(frozen=True)
class Played:
    """One simulated trust: the rows of draws, their outcomes, and the true expected events on the lists."""

    rows: DrawRows
    event: npt.NDArray[np.int64]
    count_done: npt.NDArray[np.int64]
    risk: Floats
    captured: float
    captured_by_order: float
    pressing_drawn: int

    @property
    def capture_lost(self) -> float:
        """Share of the true expected events on the lists that the draws gave up."""
        return 1 - self.captured / self.captured_by_order


def play(trust: SmallTrust, seed: int, rules: BandRules | None = None) -> Played:
    """Simulates one trust. The same arguments give the same trust."""
    rng = np.random.default_rng(seed)
    rules = rules or BandRules(seed=seed)
    everybody = trust.teams * trust.people
    lasting = rng.normal(0, trust.spread, everybody)
    base = np.log(trust.event_rate / (1 - trust.event_rate)) - trust.spread**2 / 4
    found: list[tuple[int, bool, float, bool, int, int, float]] = []
    captured = by_order = 0.0
    pressing_drawn = 0
    for block in range(trust.blocks):
        true = 1 / (1 + np.exp(-(base + lasting + rng.normal(0, 0.3, everybody))))
        logit = np.log(true / (1 - true)) + rng.normal(0, trust.noise, everybody)
        seen, pressing = 1 / (1 + np.exp(-logit)), rng.random(everybody) < trust.safety_gap
        chance, luck = rng.random(everybody), rng.random((2, everybody))
        for team in range(trust.teams):
            ids = np.arange(team * trust.people, (team + 1) * trust.people)
            order = ids[np.argsort(-seen[ids], kind="stable")]
            line = [InLine(str(i), float(seen[i]), not pressing[i]) for i in order]
            tickets = draw_band(line, trust.places, rules, f"{team} {block}")
            places = {int(i) for i in order[: trust.places]}
            by_order += float(true[list(places)].sum())
            drawn = {int(t.person) for t in tickets if t.drawn}
            places = places - {int(t.person) for t in tickets} | drawn
            captured += float(true[list(places)].sum())
            for ticket in tickets:
                i = int(ticket.person)
                pressing_drawn += int(pressing[i])
                reviewed = chance[i] < (trust.reviewed if i in places else trust.reviewed_anyway)
                event = luck[0, i] < true[i] * (1 + trust.effect * reviewed)
                done = luck[1, i] < trust.counts_done[int(reviewed)]
                found.append((i, ticket.drawn, ticket.propensity, reviewed, int(event), int(done), ticket.risk))
    person, got, chances, was, event_of, count, risk = (np.asarray(column) for column in zip(*found, strict=True))
    rows = DrawRows(got, chances.astype(np.float64), person, was)
    return Played(rows, event_of, count, risk.astype(np.float64), captured, by_order, pressing_drawn)


def many(trust: SmallTrust, trusts: int, seed: int, rules: BandRules | None = None) -> dict[str, Any]:
    """What the read-out finds in ``trusts`` simulated trusts against what is planted: mean, coverage, how often it
    finds no effect, and the capture that the draws cost.
    """
    truth = trust.effect * (trust.reviewed - trust.reviewed_anyway) / (1 + trust.effect * trust.reviewed_anyway)
    relative, covered, none_found, lost, rows = [], 0, 0, [], 0
    for number in range(trusts):
        played = play(trust, seed + number, rules)
        found = listing_effect(played.rows, played.event).relative
        relative.append(found.value)
        covered += found.holds(truth)
        none_found += found.holds(0.0)
        lost.append(played.capture_lost)
        rows += len(played.event)
    values = np.asarray(relative)
    return {
        "trusts": trusts,
        "planted": round(truth, 4),
        "found_on_average": round(float(values.mean()), 4),
        "error_of_average": round(float(values.std() / np.sqrt(trusts)), 4),
        "coverage": round(covered / trusts, 4),
        "no_effect_found": round(none_found / trusts, 4),
        "capture_lost_mean": round(float(np.mean(lost)), 5),
        "capture_lost_most": round(float(np.max(lost)), 5),
        "rows_a_trust": round(rows / trusts, 1),
    }
