"""Measures how much of the distance to the oracle no record holds, how much more people would bring, and what is left
for the model, on the trust of a demo::

    python -m training.measure_ceiling --home demo --out docs/measured/ceiling.json

The model is fitted as in ``upstream train``, on all people and on random thirds and ninths of them; every model is
judged on the same later rows. Oracle, ceiling and model are compared on rows of the test slice that are drawn by known
chances, the more often the higher the model's risk; a row counts as an event as often as its true risk says, so that
rare events leave little to chance. ``--outcomes disengagement`` measures one outcome. The curve is
``AUROC = limit - b / sqrt(people)``, fitted by least squares.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import Records
from training.dataset.prepare import Clock, Prepared, prepare
from training.evaluation.ceiling import ceiling_risks, expected_split
from training.evaluation.figures import PairRows
from training.evaluation.oracle import TRUE_NAME
from training.fitting.boosters import fit
from training.settings import Settings
from training.simulator import Truth
from training.simulator.ceiling import HIDDEN, filtered_risk
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats, codes

PARTS = {1: 1, 3: 3, 9: 3}
"""Share of the people (one in so many) and how many different draws of them."""
FAR = 200_000
DRAWS = 400
TRUE_RISKS = ("admission", "disengagement")
"""Outcomes whose true risk is known."""


def measure(home: Path, rows: int, particles: int, futures: int, outcomes: Sequence[str]) -> dict[str, Any]:
    """Everything that ``docs/measured/ceiling.json`` holds but the command."""
    records, truth = Records.load(home / "store"), Truth.load(home / "truth")
    settings = Settings.load()
    clock = Clock(_say)
    ready = prepare(records, settings, clock)
    horizons = {name: settings.outcomes.horizons[name] for name in outcomes}
    seed = settings.training.seed
    clock.stage("curve", "fitting on all people and on parts of them")
    models = {part: _models(ready, settings, horizons, part, times) for part, times in PARTS.items()}
    model = models[1][0]
    labelled = ready.labels[list(model)].notna().any(axis=1).to_numpy()
    later = np.flatnonzero(ready.split.test & labelled)
    at, weight = drawn_by_risk(later, model, rows, np.random.default_rng(seed))
    clock.stage("oracle", f"the true risk of {len(at):,} later rows, twice")
    spine = ready.spine.iloc[at].reset_index(drop=True)
    true, oracle = (true_risks(truth, spine, horizons, futures, seed + number) for number in (1, 2))
    clock.stage("ceiling", f"the filter on the same rows: {particles:,} particles")
    seen, beliefs = ceiling_risks(truth, ready.spine, at, horizons, particles, futures, seed)
    people = int(ready.spine["patient_id"][ready.split.train].nunique())
    draws = Draws.of(codes(spine["patient_id"]), DRAWS, seed)
    pairs = {}
    for name in seen:
        label = ready.labels[name].to_numpy()[at]
        here = ~(np.isnan(label) | np.isnan(true[name]) | np.isnan(seen[name]))
        scores = {"oracle": oracle[name][here], "ceiling": seen[name][here], "model": model[name][at][here]}
        known, counted = true[name][here], weight[here]
        scores["together"] = _together(scores["oracle"], scores["ceiling"], scores["model"], counted)
        pairs[name] = expected_split(known, scores, draws.where(here).standing_for(counted)) | {
            "filter": _agreement(scores["ceiling"], known, counted),
            "explained": _explained(scores["oracle"], scores["ceiling"], scores["model"], beliefs[here], counted),
            "curve": _curve(
                _rows(ready, name, settings), {part: [m[name] for m in some] for part, some in models.items()}, people
            ),
        }
        pairs[name]["split"] = _split(pairs[name])
    return {
        "note": "All people are simulated.",
        "measured_on": str(dt.datetime.now(dt.UTC).date()),
        "people": truth.patients,
        "people_in_training": people,
        "seed": truth.seed,
        "features": len(ready.matrix.names),
        "floor": 0.12,
        "aim": 0.08,
        "pairs": pairs,
    }


def drawn_by_risk(
    at: npt.NDArray[np.int64], model: Mapping[str, Floats], rows: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Floats]:
    """About ``rows`` of the positions ``at``, in order, and how many rows each stands for. The chance of a row is half
    alike for all and half in proportion to its risks by ``model``."""
    wanted = 1 + np.mean([risk[at] / risk[at].mean() for risk in model.values()], axis=0)
    chance = np.minimum(1.0, rows * wanted / wanted.sum())
    drawn = rng.random(len(at)) < chance
    return at[drawn], 1 / chance[drawn]


def true_risks(
    truth: Truth, spine: pd.DataFrame, horizons: Mapping[str, Sequence[int]], futures: int, seed: int
) -> dict[str, Floats]:
    """The true risk of each row by outcome and horizon (``admission_28``), with the filter's futures: a share of
    futures that is often 0 would rank worse than the oracle knows."""
    asked = {TRUE_NAME.get(outcome, outcome): days for outcome, days in horizons.items()}
    table = filtered_risk(truth, spine, asked, 1, futures, seed, known=True).risks
    return {
        f"{outcome}_{horizon}": table.loc[
            (table["outcome"] == TRUE_NAME.get(outcome, outcome)) & (table["horizon"] == horizon), "probability"
        ].to_numpy(dtype=np.float64)
        for outcome, days in horizons.items()
        for horizon in days
    }


def _say(what: str) -> None:
    sys.stderr.write(what + "\n")


def _models(
    ready: Prepared, settings: Settings, horizons: Mapping[str, Sequence[int]], part: int, times: int
) -> list[dict[str, Floats]]:
    """Probabilities of every row by models that learned from one person in ``part``."""
    person = codes(ready.spine["patient_id"])
    found = []
    for number in range(times):
        group = np.random.default_rng(number).permutation(int(person.max()) + 1) % part == 0
        here = group[person]
        few = settings.training.model_copy(update={"fewest_calibration_events": 1})
        fitted = fit(
            ready.matrix,
            ready.labels,
            ready.split.train & here,
            ready.split.calibration & here,
            horizons,
            few,
        )
        score = {}
        for name, values in fitted.by_pair(ready.matrix.values[ready.split.test]).items():
            score[name] = np.full(len(ready.spine), np.nan)
            score[name][ready.split.test] = values
        found.append(score)
    return found


def _rows(ready: Prepared, name: str, settings: Settings) -> PairRows:
    label = ready.labels[name].to_numpy()
    at = np.flatnonzero(ready.split.test & ~np.isnan(label))
    draws = Draws.of(codes(ready.spine["patient_id"].iloc[at]), DRAWS, settings.training.seed)
    nothing = np.zeros(len(at), dtype=np.int64)
    return PairRows(at, label[at], draws, nothing, nothing, nothing)


def _agreement(seen: Floats, true: Floats, weight: Floats) -> dict[str, float]:
    """The filter's risk against the true one: both means, and the slope of the true risk over the filter's. An honest
    filter has equal means and a slope of 1, whatever it does not see.
    """
    slope = np.polyfit(seen, true, 1, w=np.sqrt(weight))[0]
    return {
        "mean_risk": round(float(np.average(seen, weights=weight)), 5),
        "mean_true_risk": round(float(np.average(true, weights=weight)), 5),
        "slope": round(float(slope), 3),
    }


def _together(true: Floats, seen: Floats, model: Floats, weight: Floats) -> Floats:
    """The log odds that filter and model say together: the sum of theirs that lies nearest to the true ones. Where it
    ranks better than the filter, the filter is no ceiling, and this is nearer to one."""
    design, by = np.column_stack([np.ones(len(true)), _logit(seen), _logit(model)]), np.sqrt(weight)
    return np.asarray(design @ np.linalg.lstsq(design * by[:, None], _logit(true) * by, rcond=None)[0])


def _explained(true: Floats, seen: Floats, model: Floats, beliefs: Floats, weight: Floats) -> dict[str, float]:
    """Share of the variance of the true log odds that the model explains, that the ceiling explains, that both together
    do, and that the model would explain with the filter's belief of one hidden quantity beside it: where the model
    falls short of the records.
    """
    target, by = _logit(true), np.sqrt(weight)
    spread = np.average((target - np.average(target, weights=weight)) ** 2, weights=weight)

    def share(*columns: Floats) -> float:
        design = np.column_stack([np.ones(len(target)), *columns])
        left = target - design @ np.linalg.lstsq(design * by[:, None], target * by, rcond=None)[0]
        return round(float(1 - np.average(left**2, weights=weight) / spread), 4)

    own, ceiling = _logit(model), _logit(seen)
    found = {"model": share(own), "ceiling": share(ceiling), "model and ceiling": share(own, ceiling)}
    return found | {f"model and {name}": share(own, beliefs[:, n]) for n, name in enumerate(HIDDEN)}


def _logit(risk: Floats) -> Floats:
    clipped = np.clip(risk, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _curve(tested: PairRows, models: Mapping[int, list[Floats]], people: int) -> dict[str, Any]:
    """AUROC on every test row by people in training, and the fitted curve at ``FAR`` people and without end."""
    sizes = np.array([people / part for part in models])
    by_size = np.array(
        [
            np.mean([Scored(tested.label, m[tested.at]).ranking(tested.draws)["auroc"] for m in some], axis=0)
            for some in models.values()
        ]
    )
    design = np.column_stack([np.ones(len(sizes)), -1 / np.sqrt(sizes)])
    limit, b = np.linalg.lstsq(design, by_size, rcond=None)[0]
    own = by_size[np.argmax(sizes)]
    far = limit - b / np.sqrt(FAR)
    left = by_size - (limit - b / np.sqrt(sizes)[:, None])
    return {
        "points": [
            {"people": round(float(size)), "auroc": Estimate.of(auroc).as_dict()}
            for size, auroc in zip(sizes, by_size, strict=True)
        ],
        "form": "limit - b / sqrt(people)",
        "b": round(float(b[0]), 3),
        "largest_misfit": round(float(np.abs(left[:, 0]).max()), 4),
        "limit": Estimate.of(limit).as_dict(),
        f"at_{FAR}": Estimate.of(far).as_dict(),
        f"gain_to_{FAR}": Estimate.of(far - own).as_dict(),
    }


def _split(pair: Mapping[str, Any]) -> dict[str, float]:
    """The distance from oracle to model in three parts that add up."""
    few = pair["curve"][f"gain_to_{FAR}"]["value"]
    return {
        "not_in_the_records": pair["not_in_records"]["value"],
        "too_few_people": few,
        "model": round(pair["model_short"]["value"] - few, 6),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="the home of a demo")
    parser.add_argument("--rows", type=int, default=700)
    parser.add_argument("--particles", type=int, default=300)
    parser.add_argument("--futures", type=int, default=400)
    parser.add_argument("--outcomes", nargs="+", choices=list(TRUE_RISKS), default=list(TRUE_RISKS))
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(argv)
    found = measure(asked.home, asked.rows, asked.particles, asked.futures, asked.outcomes)
    numbers = f"--rows {asked.rows} --particles {asked.particles} --futures {asked.futures}"
    outcomes = f"--outcomes {' '.join(asked.outcomes)} --out docs/measured/{asked.out.name}"
    found = {"command": f"python -m training.measure_ceiling --home demo {numbers} {outcomes}"} | found
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
