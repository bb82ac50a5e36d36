"""The teams of a simulated trust: kinds, names and habits. Drawn from the seed and the team's number alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.simulator.random import hashed
from training.simulator.state import TEAM

KINDS = ("A06", "A06", "A08", "A14", "A06", "A08", "A06", "A13")
"""MHSDS service types (docs/clinical.md section 2.1): A06 community team, A08 assertive outreach, A14 early
intervention, A13 psychotherapy-led community team."""


def draw_teams(teams: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Habits of each team (structured array) and the ``teams`` table."""
    rows = np.zeros(teams, dtype=TEAM)
    number = np.arange(teams)

    def between(low: float, high: float, salt: int) -> np.ndarray:
        return low + (high - low) * hashed(seed, 900 + salt, number)

    kinds = [KINDS[i % len(KINDS)] for i in range(teams)]
    rows["early_intervention"] = [kind == "A14" for kind in kinds]
    rows["cadence"] = between(0.85, 1.2, 1)
    rows["outreach"] = between(0.35, 0.75, 2)
    rows["bloods"] = between(0.93, 1.0, 3)
    rows["physical"] = between(0.5, 1.6, 4)
    rows["closing"] = between(0.4, 1.6, 5)
    rows["interpreter"] = between(0.4, 0.9, 6)
    rows["reviews"] = between(0.7, 1.3, 7)
    rows["stability"] = between(0.7, 1.5, 8)
    rows["shock_key"] = (2**53 * hashed(seed, 911, number)).astype(np.uint64)
    table = pd.DataFrame(
        {
            "team_id": [f"T{i + 1:02d}" for i in number],
            # As many digits as the last team's number has, because names are sorted alphabetically.
            "name": [f"Team {i + 1:0{len(str(teams))}} (synthetic)" for i in number],
            "kind": kinds,
            "weekly_reviews": (15 + np.floor(11 * hashed(seed, 990, number))).astype(float),
        }
    )
    return rows, table
