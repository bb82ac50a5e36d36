"""Outcome scores enter as results: what is read, what is set aside, and what the features say."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import CATALOGUE, Records, build
from features.catalogue.outcome_scores import SCALES
from features.reference import TESTS

AS_OF = pd.Timestamp("2025-06-01")


def records_of(*rows: tuple[str, str, object, object]) -> Records:
    """Rows of one person: test, day, value, unit. Each was known on its day."""
    results = pd.DataFrame(rows, columns=["test", "taken_on", "value", "unit"])
    results = results.assign(patient_id="anna", known_on=results["taken_on"])
    return Records.from_frames(
        {"patients": pd.DataFrame({"patient_id": ["anna"]}), "results": results}, today=dt.date(2025, 7, 1)
    )


def feature_values(records: Records) -> dict[str, float]:
    matrix = build(records, pd.DataFrame({"patient_id": ["anna"], "as_of": [AS_OF]}))
    frame = matrix.to_pandas()
    return {one.name: float(frame[one.name].iloc[0]) for one in CATALOGUE if one.concept == "outcome_scores"}


@pytest.mark.parametrize(
    ("test", "rows", "latest", "change"),
    [
        ("honos_total", [("2024-09-01", 8), ("2025-05-01", 15)], 15, 7),
        ("HoNOS total", [("2024-09-01", 8), ("2025-05-01", 15)], 15, 7),  # its name in words
        ("dialog_mean", [("2025-01-01", 3.5), ("2025-05-01", 4.25)], 4.25, 0.75),
        ("reqol_10", [("2025-05-01", 21)], 21, np.nan),  # one score has not moved
        ("panss_total", [("2024-09-01", 60), ("2025-05-01", 92)], 92, 32),
        ("gaf", [("2024-09-01", 61), ("2025-06-01", 30)], 61, np.nan),  # the day itself is not read
    ],
)
def test_the_latest_score_and_its_change_over_a_year(test, rows, latest, change):
    values = feature_values(records_of(*((test, day, value, "score") for day, value in rows)))
    name = next(key for key, one in TESTS.items() if test in (key, one.label))
    np.testing.assert_allclose([values[f"{name}_latest"], values[f"{name}_change_365d"]], [latest, change])
    others = [value for key, value in values.items() if not key.startswith(name)]
    assert np.isnan(others).all()  # a scale that was not filled in is not recorded, never a normal score


@pytest.mark.parametrize("test", SCALES)
def test_a_score_that_the_scale_does_not_have_is_set_aside(test):
    _, low, high = SCALES[test]
    assert (TESTS[test].low, TESTS[test].high) == (low, high)
    for value in (low, high):
        assert records_of((test, "2025-05-01", value, "score"))["results"]["value"].tolist() == [value]
    for value in (low - 1, high + 1):
        wrong = records_of((test, "2025-05-01", value, "score"))
        assert not wrong["results"]["value"].notna().any()
        assert len(wrong.quarantine) or len(wrong.unread)
