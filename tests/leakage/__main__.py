"""``python -m tests.leakage``: plants each leak in turn in a simulated trust and prints, as a table, the check that
caught it; exit code 1 if one was not."""

from __future__ import annotations

import sys

import numpy as np

from features.leakage import prove
from tests.leakage import plants_of_corrections
from tests.leakage.conftest import small_trust
from tests.leakage.corrected import corrected_trust
from tests.leakage.plants import PLANTS


def main(names: list[str]) -> int:
    records = small_trust()
    corrected = corrected_trust(records)
    missed = 0
    print("| planted leak | caught by | in how many checks of |\n|---|---|---|")
    every = [*PLANTS, *plants_of_corrections.PLANTS]
    chosen = [plant for plant in every if not names or plant.name in names]
    for plant in chosen:
        of = records if plant in PLANTS else corrected.at(np.arange(len(corrected)))
        with plant.planted():
            differences = prove(of, plant.checks, seed=1).differences
        found = {name: max(d.checks for d in differences if d.name == name) for name in {d.name for d in differences}}
        caught = [f"{name} ({found.get(name, 0)})" for name in plant.caught_by]
        missed += any(name not in found for name in plant.caught_by)
        print(f"| {plant.name} | {', '.join(caught)} | {plant.checks} |", flush=True)
    print(f"\n{len(chosen)} leaks planted, {missed} not caught.")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
