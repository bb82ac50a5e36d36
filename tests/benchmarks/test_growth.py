"""A tiled trust is a store like any other: twice the people, and each copy has the features of its original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from features import CATALOGUE, Records, build
from tests.benchmarks.growth import tiled_store
from training.simulator import simulate


def test_every_copy_has_the_features_of_its_original(tmp_path: Path):
    base = simulate(patients=40, years=1, seed=5).records.save(tmp_path / "base")
    one, two = Records.load(base), Records.load(tiled_store(base, 2, tmp_path / "two"))
    assert len(two) == 2 * len(one) and two.about["synthetic"]
    day = pd.Timestamp(one["results"]["taken_on"].max())
    few = tuple(CATALOGUE)[::10]
    wanted = build(one, pd.DataFrame({"patient_id": one.patient_ids, "as_of": day}), few).values
    for copy in ("c0", "c1"):
        ids = [f"{patient}-{copy}" for patient in one.patient_ids]
        got = build(two, pd.DataFrame({"patient_id": ids, "as_of": day}), few).values
        assert np.array_equal(got, wanted, equal_nan=True)
