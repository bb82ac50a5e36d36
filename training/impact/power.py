"""The number of people that an answer needs, and the time until there are enough."""

from __future__ import annotations

import math
from statistics import NormalDist


def people_each_arm(event_rate: float, relative_effect: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """People in each arm to find ``relative_effect`` (-0.25: a quarter fewer) on an event of ``event_rate``, two-sided.

    The usual formula for two proportions. At 10% and a quarter fewer it gives about 2,000 an arm.
    """
    other = event_rate * (1 + relative_effect)
    if not (0 < event_rate < 1 and 0 < other < 1 and relative_effect):
        raise ValueError(
            f"an event rate of {event_rate} and an effect of {relative_effect} give no number; both rates must lie "
            "between 0 and 1, and the effect must not be 0"
        )
    z = NormalDist().inv_cdf
    spread = event_rate * (1 - event_rate) + other * (1 - other)
    return math.ceil((z(1 - alpha / 2) + z(power)) ** 2 * spread / (event_rate - other) ** 2)


def weeks_until(needed: int, drawn: int, weeks_of_draws: float, horizon_days: int) -> float | None:
    """Weeks from the last draw until ``needed`` rows are followed up, at the pace so far; None if nobody was drawn yet.

    ``drawn`` counts every row of ``weeks_of_draws`` weeks, followed up or not: each row waits ``horizon_days`` for its
    outcome, also the last one that is needed.
    """
    if drawn <= 0 or weeks_of_draws <= 0:
        return None
    return max(0.0, (needed - drawn) / (drawn / weeks_of_draws) + horizon_days / 7)
