"""The lottery band draws from a seed which people near the line of a list get one of the last places.

Near the line the order is nearly chance already, because the risks differ by less than the model can distinguish.
Drawing the order there makes the people just listed and just not listed comparable, so the effect of being listed can
be measured. One function draws for the nightly run and for every simulation.

Nobody with a critical or high safety gap takes part: such a person keeps the place that the order gives.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BandRules:
    """The rules of the draw, set beforehand.

    ``each_side`` is the number of people above and below the line that may take part; ``margin`` the largest
    difference of risk from the line, as a share of the line's risk; ``most_cost`` the largest share of the expected
    events on the list that the draw may give up. ``seed`` makes the draw repeatable.
    """

    seed: int
    each_side: int = 3
    margin: float = 0.25
    most_cost: float = 0.01


@dataclass(frozen=True)
class InLine:
    """A person in the order of the list. ``takes_part`` is False for people with a critical or high safety gap."""

    person: str
    risk: float
    takes_part: bool = True


@dataclass(frozen=True)
class Ticket:
    """One person's part in a draw: the chance of a place (``propensity``) and whether they got one."""

    person: str
    propensity: float
    drawn: bool
    risk: float
    line_risk: float


def draw_band(ordered: Sequence[InLine], places: int, rules: BandRules, occasion: str) -> tuple[Ticket, ...]:
    """The tickets of one draw, in the given order; empty where nobody can take part.

    ``ordered`` holds everybody who waits for a place, the first in order first. Each of the m people who take part has
    the same chance k/m of one of the k places that they would have filled. ``occasion`` names the draw: the same
    seed, occasion and person give the same result. A band that would cost more than ``most_cost`` is narrowed until
    it does not, or left out.
    """
    if not 0 < places < len(ordered):
        return ()
    line = (ordered[places - 1].risk + ordered[places].risk) / 2
    budget = rules.most_cost * math.fsum(person.risk for person in ordered[:places])
    for each_side in range(rules.each_side, 0, -1):
        near = [
            person for person in ordered[max(0, places - each_side) : places + each_side] if _fits(person, line, rules)
        ]
        listed = {person.person for person in ordered[:places]}
        free = sum(person.person in listed for person in near)
        if not 0 < free < len(near):
            continue
        mean = math.fsum(person.risk for person in near) / len(near)
        cost = math.fsum(person.risk for person in near if person.person in listed) - free * mean
        if cost <= budget:
            return _draw(near, free, line, rules.seed, occasion)
    return ()


def _fits(person: InLine, line: float, rules: BandRules) -> bool:
    return person.takes_part and abs(person.risk - line) <= rules.margin * line


def _draw(near: Sequence[InLine], free: int, line: float, seed: int, occasion: str) -> tuple[Ticket, ...]:
    by_hash = sorted(near, key=lambda person: (_number(seed, occasion, person.person), person.person))
    winners = {person.person for person in by_hash[:free]}
    chance = free / len(near)
    return tuple(Ticket(p.person, chance, p.person in winners, p.risk, line) for p in near)


def _number(seed: int, occasion: str, person: str) -> bytes:
    """A number that cannot be chosen: a hash of the seed, the draw and the person."""
    return hashlib.sha256(f"{seed}\n{occasion}\n{person}".encode()).digest()
