"""Rows of one person and day lie in the order of their content, so that the order of the extract does not matter."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.records.same_event import versions
from features.records.same_event.versions import in_one_order
from features.records.tables import TABLES

TESTS = TABLES["results"]


@pytest.fixture(autouse=True, params=[0, 1_000], ids=["arrays", "lists"])
def few(request, monkeypatch):
    """Each test sorts as many rows are sorted, and as few are."""
    monkeypatch.setattr(versions, "_FEW", request.param)


def results(draw: np.random.Generator, rows: int, people: int, days: int) -> tuple[dict, np.ndarray]:
    """Rows with many ties in every column, and missing values in each that may have them."""
    on = draw.integers(0, days, rows).astype(np.int32)
    columns = {
        "test": draw.integers(-1, 2, rows).astype(np.int16),
        "taken_on": on,
        "value": draw.choice([np.nan, 0.5, 0.25, -0.0, 0.0], rows),
        "unit": pa.array(draw.choice(["mmol/L", "%", None], rows).tolist(), pa.string()),
        "comparator": draw.integers(-1, 2, rows).astype(np.int16),
        "known_on": on + draw.integers(0, 2, rows).astype(np.int32),
    }
    return columns, draw.integers(0, people, rows).astype(np.int32)


def slow_order(columns: dict, patient: np.ndarray) -> list[tuple]:
    """Every row in full, sorted by person, day, the day it was known, then by each column, missing values last."""
    cells = {
        name: values.to_pylist() if isinstance(values, pa.Array) else values.tolist()
        for name, values in columns.items()
    }
    rows = [{name: cells[name][row] for name in sorted(cells)} for row in range(len(patient))]

    def key(row: int) -> list:
        content = [
            (value is None or value != value, 0 if value is None or value != value else value)
            for value in rows[row].values()
        ]
        return [patient[row], rows[row]["taken_on"], rows[row]["known_on"], *content]

    return [shown(rows[row].values(), patient[row]) for row in sorted(range(len(patient)), key=key)]


def shown(cells, who: int) -> tuple:
    return int(who), *(None if value is None or value != value else value for value in cells)


@pytest.mark.parametrize(
    ("people", "days"), [(40, 4), (2, 1), (1, 400)], ids=["small groups", "large groups", "hardly any"]
)
def test_rows_lie_in_the_order_that_a_slow_sort_gives(people, days):
    draw = np.random.default_rng(people)
    columns, patient = results(draw, 400, people, days)
    once = in_one_order(TESTS, columns, patient, people)
    cells = [
        values.to_pylist() if isinstance(values, pa.Array) else values.tolist()
        for _, values in sorted(once.columns.items())
    ]
    assert [shown(row, who) for row, who in zip(zip(*cells, strict=True), once.patient, strict=True)] == slow_order(
        columns, patient
    )


def test_any_order_of_the_rows_gives_the_same_table():
    draw = np.random.default_rng(7)
    columns, patient = results(draw, 300, 20, 2)
    first = in_one_order(TESTS, columns, patient, 20)
    mixed = draw.permutation(300)
    other = {n: v.take(pa.array(mixed)) if isinstance(v, pa.Array) else v[mixed] for n, v in columns.items()}
    again = in_one_order(TESTS, other, patient[mixed], 20)
    for name in columns:
        one, two = first.columns[name], again.columns[name]
        assert (
            one.equals(two) if isinstance(one, pa.Array) else np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
        )
