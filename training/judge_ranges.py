"""Measures how often the ranges hold the true risk, on simulated trusts from which no factor was learned::

    python -m training.judge_ranges --out docs/measured/ranges.json

For each trust a model is trained and its ranges made, as in any training, and one test row of some people is compared
with the simulator's risk (``learn_ranges.count_futures``).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.fairness.groups import partitions
from training.evaluation.trials.coverage import figures
from training.fitting.ranges import ends, fit_ranges
from training.learn_ranges import FUTURES, MORE_FUTURES, PEOPLE, ROWS, TRUSTS, count_futures, one_row_each, train_on
from training.settings import Settings
from training.simulator import World
from training.statistics.resampling import Draws, codes

OTHERS: Mapping[int, World] = {
    31: World(),
    32: World(severity_spread=0.7, drift_admission=-0.2, adherence_spread=0.7),
}
"""Seeds and worlds that ``learn_ranges`` does not use."""
assert not set(OTHERS) & set(TRUSTS)


def judge(people: int, rows: int, seed: int, world: World, settings: Settings) -> dict[str, Any]:
    """Coverage of one trust by outcome and horizon (``admission_28``)."""
    trust, ready, fitted = train_on(people, seed, world, settings)
    split, horizons = ready.split, settings.outcomes.horizons
    owner = codes(ready.spine["patient_id"])

    ranges = fit_ranges(fitted, ready.matrix.values, ready.labels, owner, split.train, settings.training)
    assert ranges is not None, "training.range_refits is 0: there are no ranges to judge"
    at = one_row_each(owner, split.test, rows, seed)
    spine, values = ready.spine.iloc[at].reset_index(drop=True), ready.matrix.values[at]
    counted = count_futures(trust.truth, spine, horizons, seed)
    risk, limits = fitted.by_pair(values), ends(fitted, ranges, values)
    draws = Draws.of(owner[at], settings.evaluation.bootstrap_draws, seed)
    groups = partitions(trust.records, spine)
    found: dict[str, Any] = {}
    for (outcome, horizon), (happened, futures) in counted.items():
        name = f"{outcome}_{horizon}"
        true = np.divide(happened, futures, out=np.full(len(at), np.nan), where=futures > 0)
        found[name] = figures(
            risk[name], limits[name], true, np.ones(len(at)), futures, draws, split.unseen[at], groups
        )
    return found


def main(argv: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description="Measure how often the ranges hold the true risk.")
    asked.add_argument("--people", type=int, default=PEOPLE, help="in each trust")
    asked.add_argument("--rows", type=int, default=ROWS, help="people of each trust who are compared with the truth")
    asked.add_argument("--out", type=Path, required=True)
    options = asked.parse_args(argv)
    settings = Settings()
    one = settings.training.model_copy(update={"fewest_calibration_events": 1})
    settings = settings.model_copy(update={"training": one})
    found = {
        "note": "All people are simulated.",
        "measured_on": str(dt.datetime.now(dt.UTC).date()),
        "command": f"python -m training.judge_ranges --people {options.people} --rows {options.rows} "
        "--out docs/measured/ranges.json",
        "people": options.people,
        "futures": {"of each row": FUTURES, "more of rows without a disengagement": list(MORE_FUTURES)},
        "trusts": {
            str(seed): judge(options.people, options.rows, seed, world, settings) for seed, world in OTHERS.items()
        },
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
