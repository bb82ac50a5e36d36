"""Exact contributions against LightGBM's own, and one person scored and explained in process (DESIGN section 8).

Run it with OMP_NUM_THREADS=1. The model has the shape of the served one: 400 trees, 31 leaves, depth 6, 60 numeric features, a fifth of values missing.
Ours and the peer take turns in one process, so that a busy machine slows both; medians are compared.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightgbm
import numpy as np

from models import Calibration, RiskModel, TreeShapley
from models.bundle import write_bundle

TREES, LEAVES, DEPTH, FEATURES = 400, 31, 6, 60
BATCH, LARGE = 4096, 100_000
FLOOR, ROW_FLOOR_MS = 25.0, 1.0


def made_up(rows: int, features: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    return x


def train(features: int, horizons: tuple[int, ...] = ()) -> lightgbm.Booster:
    """A booster of the served shape; with ``horizons``, its last column is horizon_days."""
    rng = np.random.default_rng(1)
    x = made_up(30_000, features, 2)
    z = np.nan_to_num(x)
    score = (
        z @ (rng.normal(size=features) * (rng.random(features) < 0.6)) * 0.3
        + 0.5 * z[:, 0] * z[:, 1]
        + np.sin(2 * z[:, 2])
        - 2
    )
    monotone = [0] * features
    if horizons:
        days = rng.choice(np.array(horizons, dtype=np.float32), size=len(x))
        x, monotone = np.column_stack([x, days]), [*monotone, 1]
        score = score + days / max(horizons)
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-score))).astype(float)
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "max_depth": DEPTH,
        "learning_rate": 0.05,
        "monotone_constraints": monotone,
    }
    return lightgbm.train(parameters | {"verbose": -1, "num_threads": 2, "seed": 1}, lightgbm.Dataset(x, y), TREES)


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run() -> dict[str, Any]:
    """Microseconds a row at a batch of 4,096 on one core, against ``pred_contrib``; other batches and two threads beside it."""
    booster = train(FEATURES)
    x = made_up(LARGE, FEATURES, 3)
    batch = x[:BATCH]
    TreeShapley(booster).contributions(batch[:8])  # compiles
    build_s = seconds(lambda: TreeShapley(booster))
    ours = TreeShapley(booster)
    difference = float(
        np.abs(ours.contributions(batch) - booster.predict(batch, pred_contrib=True, num_threads=1)).max()
    )
    ours_s, peer_s, two_s = [], [], []
    for _ in range(3):
        ours_s += [seconds(lambda: ours.contributions(batch)) for _ in range(5)]
        two_s += [seconds(lambda: ours.contributions(batch, threads=2)) for _ in range(3)]
        peer_s.append(seconds(lambda: booster.predict(batch, pred_contrib=True, num_threads=1)))
    per_row = {}
    for rows, times in ((1, 300), (64, 30)):
        spread = [seconds(lambda part=x[i * rows : (i + 1) * rows]: ours.contributions(part)) for i in range(times)]
        peer = [
            seconds(lambda part=x[i * rows : (i + 1) * rows]: booster.predict(part, pred_contrib=True, num_threads=1))
            for i in range(max(3, times // 10))
        ]
        per_row[rows] = (float(np.median(spread)) / rows, float(np.median(peer)) / rows)
    large_s = seconds(lambda: ours.contributions(x))
    one, peer_one = float(np.median(ours_s)) / BATCH, float(np.median(peer_s)) / BATCH
    ratio = peer_one / one
    result = {
        "name": "shapley",
        "ours": round(one * 1e6, 2),
        "peer": round(peer_one * 1e6, 1),
        "unit": "us/row",
        "ratio": round(ratio, 1),
        "floor": FLOOR,
        "ok": bool(ratio >= FLOOR and per_row[1][0] * 1e3 <= ROW_FLOOR_MS and difference <= 1e-6),
        "rows": BATCH,
        "cores": 1,
        "two_threads": round(float(np.median(two_s)) / BATCH * 1e6, 2),
        "one_row": round(per_row[1][0] * 1e6, 1),
        "one_row_peer": round(per_row[1][1] * 1e6, 1),
        "batch_64": round(per_row[64][0] * 1e6, 1),
        "batch_64_peer": round(per_row[64][1] * 1e6, 1),
        "batch_100000": round(large_s / LARGE * 1e6, 2),
        "largest_difference": difference,
        "build_s": round(build_s, 2),
        "table_mb": round(ours.table_bytes / 1e6, 1),
    }

    return result


def run_one_person() -> dict[str, Any]:
    """Milliseconds to score and explain one person for both outcomes at all horizons, five reasons included, from a loaded bundle of 2 x 400 trees."""
    horizons = {"admission": (28, 90, 180), "disengagement": (90, 180)}
    names = tuple(f"feature_{i}" for i in range(FEATURES))
    features = [
        SimpleNamespace(
            name=name,
            concept=f"concept_{i % 12}",
            unit="days",
            low=0.0,
            high=1.0,
            direction=0,
            missing="unknown",
            why="Made up.",
        )
        for i, name in enumerate(names)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write_bundle(
            Path(folder) / "bundle",
            boosters={name: train(FEATURES, days) for name, days in horizons.items()},
            calibration={name: Calibration.identity(days) for name, days in horizons.items()},
            horizons=horizons,
            features=features,
            reference_matrix=made_up(2000, FEATURES, 4),
            card={},
            provenance={"synthetic": True},
            concepts={},
        )
        load_s = seconds(lambda: RiskModel.load(path))
        model = RiskModel.load(path)
    people = made_up(400, FEATURES, 5)

    def person(row: np.ndarray) -> None:
        scores = model.score(row, names=names)
        for outcome in scores:
            model.reasons(scores, 0, outcome, 90)

    spread = sorted(seconds(lambda row=people[i : i + 1]: person(row)) for i in range(len(people)))
    median = spread[len(spread) // 2] * 1e3
    result = {
        "name": "one-person",
        "ours": round(median, 3),
        "peer": None,
        "unit": "ms",
        "ratio": None,
        "floor": ROW_FLOOR_MS,
        "ok": median <= ROW_FLOOR_MS,
        "rows": sum(map(len, horizons.values())),
        "cores": 1,
        "p99": round(spread[int(len(spread) * 0.99)] * 1e3, 3),
        "load_s": round(load_s, 2),
    }

    return result


if __name__ == "__main__":
    run()
    run_one_person()
