"""Exact contributions beside LightGBM's, shap's and woodelf's, and one person scored and explained in process
(docs/speed.md).

Run it with OMP_NUM_THREADS=1. The model has the shape of the served one: 400 trees, 31 leaves, depth 6, 60 numeric
features, a fifth of values missing. Everybody takes turns in one process, so that a busy machine slows all; medians
are compared. Slow peers get fewer rows than the batch asks for (``peer_rows`` and the like say how many), since their
time goes with the rows; woodelf's does not, so it gets the whole batch.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightgbm
import numpy as np

from models import Calibration, RiskModel, TreeShapley
from models.publishing import write_bundle

TREES, LEAVES, DEPTH, FEATURES = 400, 31, 6, 60
BATCH, LARGE = 4096, 100_000
FLOOR, ROW_FLOOR_MS = 100.0, 0.5
BUSY_RATIO = 3.0
"""How much longer the median person may take with every core busy: twice what a fair share of the machine would
cost."""


def made_up(rows: int, features: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    return x


def train(features: int, horizons: tuple[int, ...] = ()) -> lightgbm.Booster:
    """A booster of the served shape; with ``horizons``, its last column is horizon_days."""
    rng = np.random.default_rng(1)
    x = made_up(12_000, features, 2)
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


def per_row(call: Callable[[np.ndarray], Any], x: np.ndarray, times: int) -> float:
    """Seconds a row, the median of some calls."""
    return float(np.median([seconds(lambda: call(x)) for _ in range(times)])) / len(x)


def run() -> list[dict[str, Any]]:
    """Microseconds a row for every batch on one core and on two, and what the tables of a served bundle cost. The
    first line is held to the floor."""
    booster = train(FEATURES)
    x = made_up(LARGE, FEATURES, 3)
    ours = TreeShapley(booster)
    theirs = peers(booster)
    for rows in (1, BATCH):
        ours.contributions(x[:rows])  # compiles
    expected = booster.predict(x[:200], pred_contrib=True, num_threads=1)
    difference = float(np.abs(ours.contributions(x[:200]) - expected).max())
    lines = []
    for rows, times in ((BATCH, 5), (1, 200), (64, 40), (LARGE, 1)):
        for cores in (1, 2):
            # Fewer rows than a block are not shared out.
            if cores == 2 and rows < BATCH:
                continue
            part = x[:rows]
            found = per_row(lambda part, cores=cores: ours.contributions(part, threads=cores), part, times)
            line = {
                "name": "shapley",
                "ours": round(found * 1e6, 2),
                "peer": None,
                "unit": "us/row",
                "ratio": None,
                "floor": FLOOR if rows == BATCH and cores == 1 else None,
                "ok": True,
                "rows": rows,
                "cores": cores,
                "largest_difference": difference,
            }
            for peer in theirs:
                if cores == 1 or peer.cores == 2:
                    line |= peer.beside(found, part, cores)
            lines.append(line)
    first, row = lines[0], next(line for line in lines if line["rows"] == 1)
    first["ok"] = bool(first["ratio"] >= FLOOR and difference <= 1e-6)
    row |= {"floor_ms": ROW_FLOOR_MS, "ok": row["ours"] / 1e3 <= ROW_FLOOR_MS}
    return [*lines, build_cost()]


@dataclass(frozen=True)
class Peer:
    """Another implementation. ``most`` is how many rows it gets at most; ``cores`` how many it can use."""

    name: str
    call: Callable[[np.ndarray, int], Any]
    most: int
    cores: int

    def beside(self, ours: float, x: np.ndarray, cores: int) -> dict[str, Any]:
        part = x[: self.most]
        times = 5 if len(part) <= 64 and self.most < BATCH else 1
        taken = per_row(lambda rows: self.call(rows, cores), part, times)
        found = {self.name: round(taken * 1e6, 1), f"{self.name}_rows": len(part)}
        if self.name == "peer":
            return found | {"ratio": round(taken / ours, 1)}
        return found | {f"{self.name}_ratio": round(taken / ours, 1)}


def peers(booster: lightgbm.Booster) -> list[Peer]:
    """LightGBM's ``pred_contrib`` (the peer of the ratio), and shap and woodelf where the bench extra is installed."""
    found = [Peer("peer", lambda x, cores: booster.predict(x, pred_contrib=True, num_threads=cores), 400, 2)]
    if importlib.util.find_spec("shap"):
        shap = importlib.import_module("shap")
        explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        # As a user calls it, shap hands LightGBM's models back to LightGBM; "internal" keeps it to its own code, which
        # knows no missing values.
        found.append(Peer("shap", lambda x, cores: explainer.shap_values(x, check_additivity=False), 400, 1))
        own = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        own.model.model_type = "internal"
        filled = lambda x: np.nan_to_num(x.astype(np.float64), nan=0.3)  # noqa: E731
        found.append(Peer("shap_own_code", lambda x, cores: own.shap_values(filled(x), check_additivity=False), 400, 1))
    if importlib.util.find_spec("woodelf"):
        woodelf, pandas = importlib.import_module("woodelf"), importlib.import_module("pandas")
        names = [f"Column_{i}" for i in range(booster.num_feature())]
        wood = woodelf.WoodelfExplainer(booster, feature_perturbation="tree_path_dependent")
        # Its answers are in single precision: within 1e-5 of LightGBM's, where ours are within 1e-13.
        frame = lambda x: pandas.DataFrame(x.astype(np.float64), columns=names)  # noqa: E731
        found.append(Peer("woodelf", lambda x, cores: wood.shap_values(frame(x), verbose=False), BATCH, 1))
    return found


def build_cost() -> dict[str, Any]:
    """Seconds and memory to tabulate a served bundle: two boosters of 400 trees."""
    boosters = [train(FEATURES, days) for days in ((28, 90, 180), (90, 180))]
    TreeShapley(boosters[0])
    taken = [sum(seconds(lambda booster=booster: TreeShapley(booster)) for booster in boosters) for _ in range(3)]
    made = [TreeShapley(booster) for booster in boosters]
    return {
        "name": "shapley-build",
        "ours": round(float(np.median(taken)), 2),
        "peer": None,
        "unit": "s",
        "ratio": None,
        "floor": None,
        "ok": True,
        "trees": sum(booster.num_trees() for booster in boosters),
        "table_mb": round(sum(one.table_bytes for one in made) / 1e6, 1),
        "cores": 1,
    }


def run_one_person() -> list[dict[str, Any]]:
    """Milliseconds to score and explain one person for both outcomes at all horizons, five reasons included, from a
    loaded bundle of 2 x 400 trees.

    Then the same while every core is kept busy by others. One thread that waits its turn takes about as long as its
    share of the machine says (1.5 times with two busy cores); threads that wait for one another would multiply that,
    and the second line would fail.
    """
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

    def spread() -> tuple[float, float]:
        """Median and 99th percentile in milliseconds, over people who come one at a time."""
        taken = np.array(
            [seconds(lambda row=people[i : i + 1]: person(row)) for _ in range(5) for i in range(len(people))]
        )
        return float(np.median(taken)) * 1e3, float(np.quantile(taken, 0.99)) * 1e3

    spread()
    median, p99 = spread()
    with both_cores_busy():
        busy_median, busy_p99 = spread()
    shared = {"rows": sum(map(len, horizons.values())), "cores": 1}
    alone = {
        "name": "one-person",
        "ours": round(median, 3),
        "peer": None,
        "unit": "ms",
        "ratio": None,
        "floor": ROW_FLOOR_MS,
        "ok": median <= ROW_FLOOR_MS,
        **shared,
        "p99": round(p99, 3),
        "load_s": round(load_s, 2),
    }
    busy = {
        "name": "one-person-busy",
        "ours": round(busy_median, 3),
        "peer": None,
        "unit": "ms",
        "ratio": round(busy_median / median, 2),
        "floor": BUSY_RATIO,
        "ok": busy_median / median <= BUSY_RATIO,
        **shared,
        "p99": round(busy_p99, 3),
        "p99_ratio": round(busy_p99 / p99, 2),
        "busy_processes": os.cpu_count(),
    }
    return [alone, busy]


@contextlib.contextmanager
def both_cores_busy() -> Iterator[None]:
    """As many other processes as there are cores, each spinning; ended by their own handles."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
