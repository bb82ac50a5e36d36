"""Training both outcomes against bare ``lightgbm.train`` on the same matrix (docs/speed.md: floor 1.3x, aim 1.05x).

The peer is handed the stacked rows and their labels ready made, and grows the same trees with the same parameters and
threads. Ours starts from the matrix of features and the labels, so it also stacks the horizons, checks, calibrates,
and gives the calibrated model. The trees are asserted equal.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np

from tests.benchmarks.measure import load, peak_mb
from training.dataset.prepare import prepare
from training.fitting.boosters import Fitted, described, fit
from training.fitting.inputs import HORIZON_COLUMN
from training.fitting.stacked import lightgbm_parameters, stacked_rows
from training.settings import Settings

PEOPLE, YEARS, ROUNDS, FLOOR = 3_000, 4, 3, 1.3


def run() -> dict[str, Any]:
    settings = Settings.load()
    ready = prepare(load(PEOPLE, YEARS), settings)
    horizons = {name: tuple(days) for name, days in settings.outcomes.horizons.items()}
    train, calibration = ready.split.train, ready.split.calibration
    features = described(ready.matrix)
    names = [*ready.matrix.names, HORIZON_COLUMN]
    given = {}
    for outcome, days in horizons.items():
        wanted = ready.labels[[f"{outcome}_{h}" for h in days]].to_numpy(dtype=np.float64)
        given[outcome] = stacked_rows(ready.matrix.values, wanted, train, days)

    def bare(outcome: str) -> lightgbm.Booster:
        own = settings.training.of(outcome)
        parameters = lightgbm_parameters(own, features)
        values, answers = given[outcome]
        data = lightgbm.Dataset(values, answers, feature_name=names, params=parameters)
        return lightgbm.train(parameters, data, num_boost_round=own.trees)

    def peer() -> dict[str, lightgbm.Booster]:
        with ThreadPoolExecutor(settings.training.threads) as pool:
            return dict(zip(horizons, pool.map(bare, horizons), strict=True))

    def ours() -> Fitted:
        return fit(ready.matrix, ready.labels, train, calibration, horizons, settings.training)

    fitted, boosters = ours(), peer()  # also warms both
    for outcome, booster in boosters.items():
        if booster.model_to_string() != fitted.boosters[outcome].model_to_string():
            raise AssertionError(f"{outcome}: the peer grew other trees, so the times cannot be compared")
    rounds = [(_seconds(ours), _seconds(peer)) for _ in range(ROUNDS)]
    our_time, peer_time = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = our_time / peer_time
    return {
        "name": "train-overhead",
        "ours": round(our_time, 3),
        "peer": round(peer_time, 3),
        "unit": "s",
        "ratio": round(ratio, 3),
        "floor": FLOOR,
        "ok": ratio <= FLOOR,
        "people": PEOPLE,
        "rows": sum(len(answers) for _, answers in given.values()),
        "features": len(ready.matrix.names),
        "rounds": ROUNDS,
        "each_ratio": [round(a / b, 3) for a, b in rounds],
        "peak_mb": peak_mb(),
        "cores": settings.training.threads,
    }


def _seconds(what: Callable[[], Any]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
