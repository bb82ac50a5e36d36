"""How far true risks lie from estimated ones, where each true risk is known only as a share of simulated futures.

Of ``futures`` futures of a row, ``happened`` held the event. A share of few futures is noisy, so counting how many
shares lie in a range would make every range look too narrow. The distribution of the distance on the logit is
therefore estimated first (nonparametric maximum likelihood by EM, Laird 1978), in bands of rows of similar risk; the
chance that a row's true risk lies in its range is then read from the row's posterior.

How far a risk lies below one event in all its futures is not known: the mass there stays where it began, spread evenly
over the grid, and too much of it lies below a range. Rows without an event need more futures than others.
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlog1py, xlogy

from models.calibration import sigmoid
from training.statistics.resampling import Floats

STEP = 0.1
GRID = np.arange(-7.0, 7.0 + STEP / 2, STEP)
BANDS = 4
_ROUNDS = 150


def distances(logit: Floats, happened: Floats, futures: Floats | int, weight: Floats | None = None) -> Floats:
    """Posterior of each row's distance (true logit less estimated) over ``GRID``, shape (rows, len(GRID)).

    ``logit`` is the estimate, ``futures`` how many each row had, ``weight`` how many rows each stands for.
    """
    futures = np.broadcast_to(futures, logit.shape)
    weight = np.ones(len(logit)) if weight is None else weight
    found = np.empty((len(logit), len(GRID)))
    for rows in np.array_split(np.argsort(logit, kind="stable"), min(BANDS, max(1, len(logit) // 50))):
        likelihood = np.exp(log_likelihood(logit[rows], happened[rows], futures[rows]))
        share, density = weight[rows] / weight[rows].sum(), np.full(len(GRID), 1 / len(GRID))
        for _ in range(_ROUNDS - 1):
            density *= (share / (likelihood @ density)) @ likelihood  # the mean of the rows' posteriors
        posterior = likelihood * density
        found[rows] = posterior / posterior.sum(axis=1, keepdims=True)
    return found


def log_likelihood(logit: Floats, happened: Floats, futures: Floats) -> Floats:
    """Log likelihood of each distance of ``GRID`` for each row, 0 at the likeliest; shape (rows, len(GRID))."""
    risk = np.clip(sigmoid(logit[:, None] + GRID), 1e-12, 1 - 1e-12)
    found: Floats = xlogy(happened[:, None], risk) + xlog1py((futures - happened)[:, None], -risk)
    return found - found.max(axis=1, keepdims=True)


def below(posterior: Floats, distance: Floats) -> Floats:
    """The chance that each row's true risk lies below ``distance`` from its estimate, on the logit. Mass of a grid
    point is spread over its cell."""
    cell = np.clip((distance[:, None] - GRID) / STEP + 0.5, 0.0, 1.0)
    return (posterior * cell).sum(axis=1)
