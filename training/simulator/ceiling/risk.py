"""Risks from the records alone, for rows of a spine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.simulator.ceiling.run import HIDDEN, run_filter
from training.simulator.oracle import OUTCOMES, Truth, person_blocks

PARTICLES, FUTURES = 300, 600


@dataclass(frozen=True)
class FilteredRisk:
    """``risks`` as ``Truth.risk`` gives them. ``fewest_effective`` is the smallest effective share of particles on any
    day of a row's person, ``unexplained_days`` the days whose records no particle could explain. ``hidden`` float64
    (rows, 3, HIDDEN): what the particles say of the hidden quantities (mean, standard deviation) and their truth.
    """

    risks: pd.DataFrame
    fewest_effective: np.ndarray
    unexplained_days: np.ndarray
    hidden: np.ndarray


def filtered_risk(
    truth: Truth,
    spine: pd.DataFrame,
    outcomes: Mapping[str, Sequence[int]],
    particles: int = PARTICLES,
    futures: int = FUTURES,
    seed: int = 0,
    threads: int = 2,
    *,
    known: bool = False,
) -> FilteredRisk:
    """What a filter knows that has the mechanism and the records, and not the hidden state: patient_id, as_of, outcome,
    horizon, probability, as ``Truth.risk``.

    The filter sees every row on the day it happened: none is late, lost or wrong, and regimens are known as they are
    prescribed. So its risk is a little better than the true records allow. It does not read body weight. ``known``
    branches from the true hidden state, as the oracle does, with the filter's own futures.
    """
    index, day = truth._places(spine)
    horizons = np.unique(np.concatenate([np.asarray(h, dtype=np.int64) for h in outcomes.values()]))
    order = np.lexsort((day, index))
    out = np.zeros((len(index), len(OUTCOMES), len(horizons)))
    states, hidden = np.zeros((len(index), 2)), np.zeros((len(index), 3, len(HIDDEN)))

    def run(block: np.ndarray) -> None:
        rows = order[block]
        part, state = np.zeros((len(rows), *out.shape[1:])), np.zeros((len(rows), 2))
        seen = np.zeros((len(rows), *hidden.shape[1:]))
        numbers = particles, futures, int(known), seed
        run_filter(index[rows], day[rows], horizons, *numbers, *truth._world(), part, state, seen)
        out[rows], states[rows], hidden[rows] = part, state, seen

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [block for block in person_blocks(index[order], threads) if len(block)]))
    risks = truth._long(spine, outcomes, horizons, out)
    return FilteredRisk(risks, states[:, 0], states[:, 1].astype(np.int64), hidden)
