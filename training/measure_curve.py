"""Measures the learning curve to as many people as asked, past what memory holds::

    python -m training.measure_curve --people 200000 --pieces pieces --out docs/measured/curve.json

Trusts of ``PIECE`` people are simulated one after another, up to the day on which the labels of training end, and a few
rows of each person are kept in ``--pieces``, a folder that a later run continues, with the figures of each size. Models
of several sizes learn from them with the parameters of ``upstream train``, and are judged on the test slice of the
demo's trust, of whom none learned from anybody. Only an order is judged, so nothing is calibrated.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features import build
from features.catalogue import CATALOGUE
from training.dataset import landmarks
from training.dataset.labels import follow_up
from training.dataset.landmarks import as_days
from training.dataset.prepare import Clock, prepare
from training.demo import PEOPLE_A_TEAM, SEED, teams_of
from training.fitting.boosters import raw_margins
from training.pieces import PieceOfPeople, grow_on_pieces
from training.settings import Settings
from training.simulator import simulate
from training.simulator.oracle import FIRST_DAY
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats, codes

TESTED, YEARS = 9_000, 4
"""People and years of the demo's trust."""
PIECE = 20_000
FIRST_SEED = 1_000
ROWS_A_PERSON = 4
DRAWS = 400
SIZES = {2_000: 4, 6_000: 3, 18_000: 2, 50_000: 1, 100_000: 1, 200_000: 1}
"""People in training and how many different draws of them."""
FITTED_TO = 18_000
"""The form is fitted to sizes up to this, and judged on the larger ones."""
FAR = 200_000


def make_piece(number: int, people: int, dates: npt.NDArray[np.datetime64], settings: Settings) -> PieceOfPeople:
    """``ROWS_A_PERSON`` random rows, or fewer, of each person of a simulated trust who is on a caseload on one of
    ``dates``: features, and labels as in any training. Another ``number`` makes other people."""
    window = settings.outcomes.longest_horizon + settings.outcomes.settling_days
    days = int(as_days(dates).max()) + window + 7 - FIRST_DAY
    seed = FIRST_SEED + number
    records = simulate(people, days / 365.25, seed, max(1, people // PEOPLE_A_TEAM)).records
    spine = landmarks.select(records, dates, settings.cohort).spine
    drawn = spine.iloc[np.random.default_rng(seed).permutation(len(spine))]
    drawn = drawn[drawn.groupby("patient_id").cumcount() < ROWS_A_PERSON]
    spine = drawn.sort_index().reset_index(drop=True)
    followed = follow_up(records, spine, settings.outcomes, settings.cohort.in_scope_team_kinds).new_only()
    labels = followed.labels(settings.outcomes.horizons)
    values = build(records, spine, threads=settings.training.threads).values
    return PieceOfPeople(
        values, {str(name): labels[name].to_numpy(np.float32) for name in labels}, codes(spine["patient_id"])
    )


def gather(
    folder: Path, people: int, dates: npt.NDArray[np.datetime64], settings: Settings, size: int
) -> list[PieceOfPeople]:
    """Pieces of simulated trusts of ``size`` people in ``folder``, made where they are missing, until they hold
    ``people`` in training."""
    found: list[PieceOfPeople] = []
    while sum(piece.people for piece in found) < people:
        here = folder / f"{len(found):03d}"
        if not here.exists():
            begun = folder / "begun"
            shutil.rmtree(begun, ignore_errors=True)
            make_piece(len(found), size, dates, settings).save(begun)
            begun.rename(here)
            _say(f"piece {here.name}: {time.process_time():.0f} s of processor time so far")
        found.append(PieceOfPeople.load(here))
    return found


def those_of(pieces: Sequence[PieceOfPeople], first: int, last: int) -> list[PieceOfPeople]:
    """The rows of the people from ``first`` up to ``last``, numbered through all pieces."""
    found, before = [], 0
    for piece in pieces:
        part = piece.some(max(0, first - before), max(0, min(piece.people, last - before)))
        before += piece.people
        if len(part.person):
            found.append(part)
    return found


def measure(folder: Path, sizes: Mapping[int, int], settings: Settings, tested: int, size: int) -> dict[str, Any]:
    """Everything that ``docs/measured/curve.json`` holds but the command."""
    ready = prepare(simulate(tested, YEARS, SEED, teams_of(tested)).records, settings, Clock())
    dates = np.unique(ready.spine["as_of"].to_numpy()[ready.split.train])
    values, labels = ready.matrix.values[ready.split.test], ready.labels[ready.split.test]
    owner = codes(ready.spine["patient_id"][ready.split.test])
    horizons = settings.outcomes.horizons
    found: dict[str, dict[int, Floats]] = {str(name): {} for name in labels}
    seconds: dict[int, float] = {}

    def ranked(some: list[PieceOfPeople], outcome: str) -> dict[str, Floats]:
        """AUROC of a model of some people, by outcome and horizon (``admission_28``), with its draws."""
        days = horizons[outcome]
        booster = grow_on_pieces(some, days, outcome, CATALOGUE, settings.training.of(outcome))
        margin = raw_margins(booster, values, days, 1)
        auroc = {}
        for column, horizon in enumerate(days):
            label = labels[f"{outcome}_{horizon}"].to_numpy()
            known = ~np.isnan(label)
            draws = Draws.of(owner[known], DRAWS, settings.training.seed)
            auroc[f"{outcome}_{horizon}"] = Scored(label[known], margin[known, column]).ranking(draws)["auroc"]
        return auroc

    for people, times in sizes.items():
        kept = folder / f"{people}_people_{times}_times.npz"
        if not kept.exists():
            pieces = gather(folder, people * times, dates, settings, size)
            begun = time.process_time()
            groups = [those_of(pieces, number * people, (number + 1) * people) for number in range(times)]
            asked = [(some, outcome) for some in groups for outcome in horizons]
            with ThreadPoolExecutor(settings.training.threads) as pool:
                every = list(pool.map(lambda one: ranked(*one), asked))
            auroc = {name: np.array([one[name] for one in every if name in one]) for name in found}
            took: dict[str, Any] = {"seconds": np.array((time.process_time() - begun) / times)}
            np.savez(kept, **took | auroc)
        with np.load(kept) as held:
            seconds[people] = round(float(held["seconds"]), 1)
            for name in found:
                found[name][people] = held[name]
        reached = ", ".join(f"{name} {found[name][people][:, 0].mean():.4f}" for name in found)
        _say(f"{people:,} people, {times} times: {seconds[people]} s of processor time each; {reached}")
    pieces = gather(folder, max(sizes), dates, settings, size)
    return {
        "note": "All people are simulated.",
        "measured_on": str(dt.datetime.now(dt.UTC).date()),
        "people_tested": len(np.unique(owner)),
        "rows_a_person": ROWS_A_PERSON,
        "rows": sum(len(piece.person) for piece in those_of(pieces, 0, max(sizes))),
        "features": len(CATALOGUE),
        "seconds_of_processor_time": seconds,
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "pairs": {name: curve(by_size, FITTED_TO, FAR) for name, by_size in found.items()},
    }


def curve(auroc: Mapping[int, Floats], fitted_to: int, far: int) -> dict[str, Any]:
    """``auroc`` by people in training, shape (draws of people, 1 + draws of test people). ``limit - b / sqrt(people)``
    is fitted to the sizes up to ``fitted_to`` and compared with the larger ones, then to every size."""
    sizes = np.array(sorted(auroc))
    means = np.array([auroc[size].mean(axis=0) for size in sizes])

    def fitted(some: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        design = np.column_stack([np.ones(int(some.sum())), -1 / np.sqrt(sizes[some])])
        limit, b = np.linalg.lstsq(design, means[some], rcond=None)[0]
        return limit, b

    small = sizes <= fitted_to
    limit, b = fitted(small)
    every_limit, every_b = fitted(np.ones(len(sizes), dtype=bool))
    own = means[-1]
    at_far = every_limit - every_b / np.sqrt(far)
    points = []
    for row, size in enumerate(sizes):
        several = auroc[size][:, 0]
        found = {"people": int(size), "draws": len(several), "auroc": Estimate.of(means[row]).as_dict()}
        if len(several) > 1:
            found["spread_of_draws"] = round(float(np.std(several, ddof=1)), 5)
        if not small[row]:
            found["measured_less_predicted"] = Estimate.of(means[row] - (limit - b / np.sqrt(size))).as_dict()
        points.append(found)
    return {
        "points": points,
        "form": "limit - b / sqrt(people)",
        "fitted_to": fitted_to,
        "limit": Estimate.of(every_limit).as_dict(),
        "b": round(float(every_b[0]), 3),
        f"at_{far}": Estimate.of(at_far).as_dict(),
        f"gain_to_{far}": Estimate.of(at_far - own).as_dict(),
    }


def _say(what: str) -> None:
    sys.stderr.write(what + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--people", type=int, default=200_000, help="in training, at most")
    asked.add_argument("--pieces", type=Path, required=True, help="a folder for the rows: 6 GB for 200,000 people")
    asked.add_argument("--out", type=Path, required=True)
    options = asked.parse_args(argv)
    sizes = {size: times for size, times in SIZES.items() if size <= options.people}
    found = measure(options.pieces, sizes, Settings.load(), TESTED, PIECE)
    asked_for = f"--people {options.people} --pieces pieces --out docs/measured/curve.json"
    found = {"command": f"python -m training.measure_curve {asked_for}"} | found
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
