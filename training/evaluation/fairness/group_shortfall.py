"""Tests whether a group or team is found less often than everyone by more than chance. Computes the gates
``worst_group`` and ``worst_team``.

The worst of many levels is low by chance alone, so a gate on its figure would refuse every model that is audited
well. A gate on the upper end of its interval would pass a group that is found half as often as everyone. So for each
level: if its events were found as often as everyone's, how likely would so few be? That chance is the binomial tail,
with the events divided by the design effect of everyone's figure (events of one person are found together). It is
also given for any one of all levels judged (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scipy.special import betainc

from training.evaluation.schema.scores import Figure, Levels

ANY, ALONE = 0.05, 0.025
"""A shortfall counts as more than chance below these probabilities: for any one of the levels judged, and for this
level by itself (a 95% interval that excludes parity).
"""


@dataclass(frozen=True)
class Level:
    """One level with enough events. ``found`` is the share of its events that were found, ``share`` is that divided
    by everyone's share; ``alone`` and ``any`` are probabilities.
    """

    name: str
    events: int
    found: float
    share: float
    alone: float
    any: float

    def left_behind(self, least: float, far_below: float) -> bool:
        """True if below ``least`` of everyone's by more than chance over all levels, or below ``far_below`` by more
        than chance for this level.
        """
        return (self.share < least and self.any < ANY) or (self.share < min(far_below, least) and self.alone < ALONE)


def levels_of(
    partitions: Sequence[Levels],
    everyone: Figure,
    events: int,
    figure: str,
    unknown: str,
) -> list[Level]:
    """The levels of ``partitions`` (``groups`` or ``teams`` of ``evaluation.json``) with enough events, the least
    likely by chance first. || ``everyone`` is the figure over all ``events``, with its interval; ``figure`` names it
    in a level. Empty if everyone's is not defined or nobody is found.
    """
    middle, low, high = everyone.value, everyone.low, everyone.high
    if not middle or low is None or high is None:
        return []
    spread = middle * (1 - middle) / events
    design = max(1.0, ((high - low) / 3.92) ** 2 / spread) if spread else 1.0
    judged = list(_judged(partitions, figure, unknown))
    found = []
    for name, number, share in judged:
        alone = chance_of_so_few(share, number / design, middle)
        found.append(Level(name, number, share, share / middle, alone, min(1.0, alone * len(judged))))
    return sorted(found, key=lambda level: (level.alone, level.share))


def chance_of_so_few(share: float, events: float, everyone: float) -> float:
    """P(at most ``share`` of ``events`` found) if each is found with probability ``everyone``. ``events`` need not be
    whole.
    """
    kept = share * events
    return 1.0 if kept >= events else float(betainc(events - kept, kept + 1, 1 - everyone))


def _judged(partitions: Sequence[Levels], figure: str, unknown: str) -> Iterator[tuple[str, int, float]]:
    for part in partitions:
        for level in part.shown():
            share: Figure | None = getattr(level, figure)
            if level.enough_events and level.level != unknown and share is not None and share.value is not None:
                yield f"{part.label} {level.level}", level.events, share.value
