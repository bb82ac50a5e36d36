"""The ways of computing exact contributions that were tried, each timed beside what serves: ``python -m
tests.benchmarks.shapley_variants``.

A variant is the served kernel with a few lines of its source replaced, or other tables under the same kernel; all are
checked to give the same numbers before they are timed. Variants and the served code take turns in one process and are
timed in processor seconds, so the ratios hold on a busy machine.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from models import TreeShapley
from models.shapley import kernels, tables
from models.shapley.explainer import _ARGUMENTS
from models.shapley.tables import tabulate
from models.shapley.trees import read_trees
from tests.benchmarks.shapley import BATCH, FEATURES, made_up, train

Call = Callable[[np.ndarray], np.ndarray]
ROUNDS = 3


def rewritten(*changes: tuple[str, str]) -> types.ModuleType:
    """``models.shapley.kernels`` with some of its source replaced. Raises where a piece to replace is not there, so
    that no variant is silently the original."""
    source = inspect.getsource(kernels).replace("cache=True", "cache=False")
    for old, new in changes:
        if old not in source:
            raise ValueError(f"models/shapley/kernels.py does not hold {old!r} any more: bring the variant up to date")
        source = source.replace(old, new)
    module = types.ModuleType("variant")
    exec(compile(source, "variant", "exec"), module.__dict__)
    return module


def call(kernel: Any, arguments: tuple[Any, ...]) -> Call:
    def run(x: np.ndarray) -> np.ndarray:
        shap = np.empty((len(x), x.shape[1] + 1))
        kernel(x, shap, np.empty(0), True, False, *arguments)
        return shap

    return run


def arguments_of(made: tables.Tables, **instead: Any) -> tuple[Any, ...]:
    return tuple(instead.get(name, getattr(made, name)) for name in _ARGUMENTS)


def grouped(trees: Any, splits: int) -> tables.Tables:
    """Tables whose groups hold at most ``splits`` splits; 0 is a table for every leaf."""
    before, tables.GROUP_SPLITS = tables.GROUP_SPLITS, splits
    try:
        return tabulate(trees)
    finally:
        tables.GROUP_SPLITS = before


def wide(trees: Any, made: tables.Tables) -> tuple[types.ModuleType, tuple[Any, ...]]:
    """Every value compared as a double with the threshold itself, in place of one byte with the place of the
    threshold."""
    module = rewritten(
        ("binned = np.empty((2 * len(column_feature), width), np.uint8)", ("binned = np.empty((2 * "
        "len(column_feature), width), np.float64)")),
        ("right[r] = np.uint8(end - start) if missing else found", "right[r] = x"),
        ("left[r] = np.uint8(0) if missing else found", "left[r] = -np.inf if missing else x"),
        ("            low, size = start, end - start\n            while size > 1:\n                half = size >> 1\n"
         "                low = low + half if cuts[low + half - 1] < x else low\n                size -= half\n"
         "            found = np.uint8(low - start + (1 if cuts[low] < x else 0))\n", ""),
    )  # fmt: skip
    threshold = made.cuts[made.cut_start[made.step_row // 2] + made.step_cut]
    return module, arguments_of(made, step_cut=threshold)


SAME_LANES = (
    """        for i in range(len(features)):
            f, g, at = features[i], term_group[i], np.uint64(i)
            total[f, 0]""",
    """        for i in range(len(features)):
            f, g, at = features[i], term_group[i], np.uint64(i)
            if place[g, 0] == place[g, 1] and place[g, 1] == place[g, 2] and place[g, 2] == place[g, 3]:
                v = values[place[g, 0] + at]
                total[f, 0] += v
                total[f, 1] += v
                total[f, 2] += v
                total[f, 3] += v
                continue
            total[f, 0]""",
)


def median_seconds(calls: dict[str, tuple[Call, np.ndarray, int]]) -> dict[str, float]:
    """Seconds of each call, the median over rounds in which all take a turn."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, (run, x, times) in calls.items():
            start = time.process_time()
            for _ in range(times):
                run(x)
            spent[name].append((time.process_time() - start) / times)
    return {name: float(np.median(found)) for name, found in spent.items()}


def main() -> int:
    booster = train(FEATURES)
    trees, x = read_trees(booster), made_up(BATCH, FEATURES, 3)
    served = TreeShapley(booster)
    made = tabulate(trees)
    three = np.repeat(x[:1], 3, axis=0)
    three[:, -1] = (-1, 0, 1)  # as one person's horizons: only the last input differs
    plain = arguments_of(made)
    batch: dict[str, Call] = {"as served": call(kernels.explain, plain)}
    sizes = {"as served": made.nbytes}
    for splits in (0, 6, 8):
        other = grouped(trees, splits)
        name = f"groups of at most {splits} splits" if splits else "siblings not merged: a table for every leaf"
        batch[name], sizes[name] = call(kernels.explain, arguments_of(other)), other.nbytes
    single = made.values.astype(np.float32)
    batch["tables in single precision, sums in double"] = call(kernels.explain, arguments_of(made, values=single))
    sizes["tables in single precision, sums in double"] = made.nbytes - made.values.nbytes // 2
    module, arguments = wide(trees, made)
    batch["values compared as doubles, not as bytes"] = call(module.explain, arguments)
    for rows in (256, 4096):
        module = rewritten((f"BLOCK = {kernels.BLOCK}", f"BLOCK = {rows}"))
        batch[f"blocks of {rows} rows"] = call(module.explain, plain)
    few: dict[str, Call] = {
        "as served": call(kernels.explain_few, plain),
        "the block loop for a few rows": call(kernels.explain, plain),
        "tables in single precision, sums in double": call(kernels.explain_few, arguments_of(made, values=single)),
        "early exit where the horizons agree": call(rewritten(SAME_LANES).explain_few, plain),
    }
    truth = served.contributions(x)
    calls: dict[str, tuple[Call, np.ndarray, int]] = {}
    differences = {}
    for rows, found, data, times in ((BATCH, batch, x, 1), (3, few, three, 100)):
        for name, run in found.items():
            difference = float(np.abs(run(data) - (truth if rows == BATCH else served.contributions(three))).max())
            assert difference < 1e-5, (name, difference)
            differences[rows, name] = difference
            calls[f"{rows} {name}"] = (run, data, times)
    seconds = median_seconds(calls)
    for rows, found in ((BATCH, batch), (3, few)):
        for name in found:
            taken, base = seconds[f"{rows} {name}"], seconds[f"{rows} as served"]
            line = {
                "name": "shapley-variant",
                "variant": name,
                "rows": rows,
                "ours": round(taken / rows * 1e6, 2),
                "unit": "us/row",
                "times_as_served": round(taken / base, 2),
                "table_mb": round(sizes.get(name, made.nbytes) / 1e6, 1),
                "largest_difference": differences[rows, name],
                "cores": 1,
            }
            sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
