"""The stability index: the sum by hand, its empty cells, and that nothing else computes it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.drift import cells_of, stability_index
from tests.conftest import ROOT


def test_the_index_is_the_sum_done_by_hand():
    was, now = np.array([10.5, 30.5]) / 41, np.array([20.5, 20.5]) / 41
    by_hand = ((now - was) * np.log(now / was)).sum()
    assert stability_index(np.array([10, 30]), np.array([20, 20])) == pytest.approx(by_hand)
    assert stability_index(np.array([[10, 30], [5, 5]]), np.array([[20, 20], [5, 5]])) == pytest.approx([by_hand, 0])


def test_an_empty_cell_counts_half_a_row():
    """A floor of another size, or none, gives another number: 0.5 and 10.5 of 11 against 5.5 and 5.5 of 11."""
    shares = np.array([0.5, 10.5]) / 11
    by_hand = ((0.5 - shares) * np.log(0.5 / shares)).sum()
    assert stability_index(np.array([0, 10]), np.array([5, 5])) == pytest.approx(by_hand)
    assert stability_index(np.array([0, 1000]), np.array([500, 500])) > 3 > by_hand


def test_a_value_on_an_edge_is_below_it_and_a_missing_one_has_its_own_cell():
    found = cells_of(np.array([0.0, 1.0, 1.5, 2.0, 9.0, np.nan]), np.array([1.0, 2.0]))
    assert found.tolist() == [0, 0, 1, 1, 2, 3]


def test_nothing_else_computes_the_index():
    pattern = re.compile(r"np\.log\((now|after) / (before|was|then)\)")
    found = [
        str(path.relative_to(ROOT))
        for package in ("features", "models", "training", "serving")
        for path in sorted((ROOT / package).rglob("*.py"))
        if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["models/drift.py"]
