"""Reads what stands in place of the number of a result: a unit beside it, a bound, two numbers in one value, and a
number beside a check that has none of its own."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.records.problems import TableReport
from features.records.reading.ids import clean_id
from features.records.reading.parsing import read_bound, split_unit
from features.records.tables import COMPARATORS
from features.reference import TESTS
from features.reference.monitoring.clinical_tests import unit_key
from features.reference.monitoring.values_of_checks import second_of, test_in_unit, tests_of_pair
from features.reference.words import UNKNOWN, meanings, plain_word

Mask = npt.NDArray[np.bool_]
SECOND = "second number"
"""While a table is read: the second number of a value that holds two, NaN for any other row."""
_TESTS = tuple(TESTS)
_PLACE = {test: place for place, test in enumerate(_TESTS)}
_CHECKS = np.array([not test.unit for test in TESTS.values()] + [False])
"""By test: whether it has no number of its own."""
_PAIRS = np.array([tests_of_pair(test) is not None for test in TESTS] + [False])


def read_results(given: Any, columns: dict[str, Any], unread: dict[str, Mask], report: TableReport) -> None:
    """Reads the values that are no plain numbers. Changes ``columns`` and ``unread``."""
    if "value" in unread:
        _split_units(given["value"], columns, unread)
        _read_pairs(given["value"], columns, unread, report)
        _read_findings(given["value"], columns, unread)
        _read_bounds(given["value"], columns, unread, report)
    _name_parts(columns)


def _split_units(given: Any, columns: dict[str, Any], unread: dict[str, Mask]) -> None:
    """Reads results whose unit stands beside the number (``2.1 mmol/L``), if the test has that unit and the column of
    units is empty or says the same."""
    units: list[str | None] | None = None
    for row, text in _unread_values(given, unread):
        place = int(columns["test"][row])
        found = split_unit(text) if place >= 0 else None
        if found is None or not _is_a_unit_of(_TESTS[place], found[2]):
            continue
        units = columns["unit"].to_pylist() if units is None else units
        given_unit = units[row]
        if given_unit is not None and unit_key(given_unit) != unit_key(found[2]):
            continue
        sign, columns["value"][row], units[row] = found
        if sign:
            columns["comparator"][row] = COMPARATORS.index(sign)
        unread["value"][row] = False
    if units is not None:
        columns["unit"] = pa.array(units, pa.string())


def _is_a_unit_of(test: str, unit: str) -> bool:
    return TESTS[test].conversion(unit) is not None or test_in_unit(test, unit) is not None


def _unread_values(given: Any, unread: dict[str, Mask]) -> list[tuple[int, Any]]:
    rows = np.flatnonzero(unread["value"])
    texts = given.iloc[rows].tolist() if isinstance(given, pd.Series) else [given[row] for row in rows.tolist()]
    return list(zip(rows.tolist(), texts, strict=True))


def _read_bounds(given: Any, columns: dict[str, Any], unread: dict[str, Mask], report: TableReport) -> None:
    """Results such as ``<0.1`` keep their number as a bound, with the comparator."""
    found = [(row, bound) for row, text in _unread_values(given, unread) if (bound := read_bound(text))]
    for row, (sign, number) in found:
        columns["value"][row] = number
        if sign:
            columns["comparator"][row] = COMPARATORS.index(sign)
        unread["value"][row] = False
    if bounds := sum(bool(sign) for _, (sign, _) in found):
        report.note(f"value: {bounds:,} results with < or > kept as bounds")
    if not unread["value"].any():
        del unread["value"]


_PAIR = re.compile(r"(?:([a-z][a-z. ]*?)[ :=]*)?(\d{2,3})\s*(?:/|over)\s*(\d{2,3})(?!\d)(.*)")
_MARKS = re.compile(r"\s*(?:\*{1,2}|\(?(?:hh?|ll?|high|low)\)?)")


def read_pair(check: str, value: Any, unit: str | None) -> tuple[float, float] | None:
    """Both numbers, in the units of their tests, of a value such as ``185/112``, ``BP 120/80`` or ``120 over 80 mmHg``;
    None for a check that is not written so, and for numbers that are no such pair."""
    tests = tests_of_pair(check)
    found = _PAIR.fullmatch(clean_id(value).casefold()) if tests and isinstance(value, str) else None
    if tests is None or found is None:
        return None
    name, beside = found[1], "" if _MARKS.fullmatch(found[4]) else found[4].strip()
    if name and meanings("test").get(plain_word(name), plain_word(name).replace(" ", "_")) != check:
        return None
    if beside and unit and unit_key(beside) != unit_key(unit):
        return None
    numbers = []
    for test, text in zip(map(TESTS.__getitem__, tests), (found[2], found[3]), strict=True):
        conversion = test.conversion(beside or unit or test.unit)
        number = None if conversion is None else float(text) * conversion.factor + conversion.offset
        if number is None or test.low is None or test.high is None or not test.low <= number <= test.high:
            return None
        numbers.append(number)
    first, second = numbers
    return (first, second) if first > second else None


def _read_pairs(given: Any, columns: dict[str, Any], unread: dict[str, Mask], report: TableReport) -> None:
    """Values of two numbers become a result of the first test; the second number waits beside it."""
    units: list[str | None] | None = None
    for row, text in _unread_values(given, unread):
        place = int(columns["test"][row])
        tests = tests_of_pair(_TESTS[place]) if place >= 0 else None
        if tests is None:
            continue
        units = columns["unit"].to_pylist() if units is None else units
        pair = read_pair(_TESTS[place], text, units[row])
        if pair is None:
            continue
        if SECOND not in columns:
            columns[SECOND] = np.full(len(columns["value"]), np.nan)
            columns["test"] = columns["test"].copy()
        columns["test"][row], units[row] = _PLACE[tests[0]], TESTS[tests[0]].unit
        columns["value"][row], columns[SECOND][row] = pair
        unread["value"][row] = False
    if SECOND in columns:
        columns["unit"] = pa.array(units, pa.string())
        report.note(f"value: {int((~np.isnan(columns[SECOND])).sum()):,} values of two numbers read as two results")


def _read_findings(given: Any, columns: dict[str, Any], unread: dict[str, Mask]) -> None:
    """Words for what a check found ("positive"), as the numbers that ``words.csv`` gives them."""
    for row, text in _unread_values(given, unread):
        place = int(columns["test"][row])
        found = meanings(_TESTS[place]).get(plain_word(text)) if place >= 0 and isinstance(text, str) else None
        if found is not None and found != UNKNOWN:
            columns["value"][row], unread["value"][row] = float(found), False


def _name_parts(columns: dict[str, Any]) -> None:
    """A number beside a check without one, in a unit of one of its parts, is a result of that part (``ecg_qtc`` of
    480 ms is a QTc)."""
    beside = np.flatnonzero(_CHECKS[columns["test"]] & ~np.isnan(columns["value"]))
    if not len(beside):
        return
    columns["test"] = columns["test"].copy()
    for row in beside.tolist():
        unit = columns["unit"][row].as_py()
        part = test_in_unit(_TESTS[columns["test"][row]], unit) if unit else None
        if part is not None:
            columns["test"][row] = _PLACE[part]


def numbers_of_checks(columns: dict[str, Any]) -> Mask:
    """Takes out the measured numbers that stand beside checks without one, and returns their rows. A number is measured
    if it has a unit or is no whole one, or where two belong in one value; any other says that the check was done, or
    what it found (a pregnancy test of 1 is positive)."""
    rows = _CHECKS[columns["test"]] & ~np.isnan(columns["value"])
    if rows.any():
        unit = np.asarray(columns["unit"].is_valid().to_numpy(zero_copy_only=False), bool)
        rows &= (
            unit | (columns["value"] != np.floor(columns["value"])) | (_PAIRS[columns["test"]] & (columns["value"] > 1))
        )
    if rows.any():
        columns["value"] = np.where(rows, np.nan, columns["value"])
        columns["comparator"] = np.where(rows, np.int16(-1), columns["comparator"])
    return np.asarray(rows)


def with_second_numbers(
    columns: dict[str, Any], patient: npt.NDArray[np.int32]
) -> tuple[dict[str, Any], npt.NDArray[np.int32]]:
    """Typed columns and the person of each row, with a row at the end for each second number."""
    columns = dict(columns)
    second = columns.pop(SECOND, None)
    rows = np.flatnonzero(~np.isnan(second)) if second is not None else np.zeros(0, np.int64)
    if second is None or not len(rows):
        return columns, patient
    places = np.concatenate([np.arange(len(patient)), rows])
    columns = {name: _taken(values, places) for name, values in columns.items()}
    new = slice(len(patient), None)
    columns["test"], columns["value"] = columns["test"].copy(), columns["value"].copy()
    columns["test"][new] = [_PLACE[second_of(_TESTS[place])] for place in columns["test"][new]]
    columns["value"][new] = second[rows]
    return columns, patient[places]


def _taken(values: Any, places: npt.NDArray[np.int64]) -> Any:
    return values[places] if isinstance(values, np.ndarray) else values.take(pa.array(places))
