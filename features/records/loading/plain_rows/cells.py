"""Cells of a request as plain values. What a cell means is kept, because the next request holds the same days, words
and doses."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from features.records.days import FIRST_DAY, LAST_REAL_DAY, NO_DAY
from features.records.loading.checks import AHEAD_DAYS
from features.records.loading.columns import CODED
from features.records.reading.dates import read_day
from features.records.reading.nhs_numbers import hold_no_number
from features.records.reading.parsing import FLAG_OF, MISSING, UNREAD, are_plain_ids, codes_of
from features.records.same_event.brand_rows import is_of_both_forms
from features.records.tables import TABLES, Column, TableSpec

MOST_KEPT = 4_096
"""Cells of one column that are kept with their meaning."""
LONGEST_KEPT = 60
"""Longer texts are read each time: nobody writes the same twice."""

Lists = dict[str, Any]
"""One list of plain values a column, in the order of the rows."""


class Odd(Exception):
    """The usual steps must read this table."""


@dataclass(frozen=True)
class Readers:
    """How the given columns of a table are read."""

    spec: TableSpec
    readers: tuple[tuple[str, Callable[[Sequence[Any], int], Sequence[Any]]], ...]
    absent: tuple[str, ...]
    empty: tuple[tuple[str, Any], ...]
    """What stands in the columns that are not given."""

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, name: str, names: tuple[str, ...]) -> Readers:
        """Raises ``Odd`` for a table or a column that is not known, and where a column that must be given is not."""
        spec = TABLES.get(name)
        if spec is None or not spec.per_patient or not {*spec.required} <= {*names} <= {*spec.names}:
            raise Odd
        columns = spec.columns[1:]
        return cls(
            spec,
            tuple((column.name, _reader(spec, column)) for column in columns if column.name in names),
            tuple(column.name for column in columns if column.name not in names),
            tuple((column.name, MISSING.get(column.kind)) for column in columns if column.name not in names),
        )

    def read(self, given: Mapping[str, Sequence[Any]], rows: int, today: int) -> Lists:
        """Every column of the table. Raises ``Odd`` where a cell is not plain."""
        try:
            lists: Lists = {name: read(given[name], today) for name, read in self.readers}
        except TypeError:  # a cell that cannot be looked up, such as a list
            raise Odd from None
        for name, missing in self.empty:
            lists[name] = [missing] * rows
        return lists


def _reader(spec: TableSpec, column: Column) -> Callable[[Sequence[Any], int], Sequence[Any]]:
    if column.kind == "date":
        ahead = AHEAD_DAYS if column.ahead else 1
        return lambda cells, today: _given(column, list(map(_days_up_to(today + ahead).__getitem__, cells)), NO_DAY)
    if column.kind == "code":
        codes = _MEDICINE if (spec.name, column.name) == ("supplies", "medicine") else codes_of(column)
        return lambda cells, today: _understood(column, list(map(codes.__getitem__, cells)))
    if column.kind == "flag":
        return lambda cells, today: _understood(column, list(map(FLAG_OF.__getitem__, cells)))
    if column.kind == "number":
        numbers = _Numbers(column)
        return lambda cells, today: _numbers(numbers, cells)
    if column.kind == "id":
        return lambda cells, today: _ids(column, cells)
    texts = _Texts(coded=(spec.name, column.name) in CODED)
    return lambda cells, today: _given(column, list(map(texts.__getitem__, cells)), None)


def _given(column: Column, values: list[Any], missing: Any) -> list[Any]:
    if column.required and missing in values:
        raise Odd
    return values


def _understood(column: Column, codes: list[int]) -> list[int]:
    if UNREAD in codes:
        raise Odd
    return _given(column, codes, -1)


def _numbers(numbers: _Numbers, cells: Sequence[Any]) -> list[float]:
    if not set(map(type, cells)) <= _NUMBERS:  # true is 1.0 to a dictionary
        raise Odd
    return list(map(numbers.__getitem__, cells))


_NUMBERS = {float, type(None)}


def _ids(column: Column, cells: Sequence[Any]) -> Sequence[Any]:
    distinct = set(cells)
    if None in distinct:
        if column.required:
            raise Odd
        distinct.remove(None)
    if distinct and not are_plain_ids(distinct):
        raise Odd
    return cells


class _Kept(dict[Any, Any], ABC):
    """Meanings of cells, kept for the next request."""

    @abstractmethod
    def read(self, cell: Any) -> Any:
        """What a cell means. Raises ``Odd`` for one that is not plain."""

    def __missing__(self, cell: Any) -> Any:
        found = self.read(cell)
        if type(cell) is not str or len(cell) <= LONGEST_KEPT:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[cell] = found
        return found


class _Days(_Kept):
    """Day numbers up to a last day."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last = min(last, LAST_REAL_DAY)

    def read(self, cell: Any) -> int:
        day, zoned = read_day(cell)
        if day is None or zoned or (day != NO_DAY and not FIRST_DAY <= day <= self._last):
            raise Odd
        return day


_days_up_to = lru_cache(maxsize=4)(_Days)


class _Numbers(_Kept):
    """Numbers in the range of their column."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self._low = -math.inf if column.low is None else column.low
        self._high = math.inf if column.high is None else column.high

    def read(self, cell: float | None) -> float:
        if cell is None:
            return math.nan
        if math.isinf(cell) or not self._low <= cell <= self._high:
            raise Odd
        return cell


class _Texts(_Kept):
    """Texts without outer spaces. One that may hold an NHS number is not plain, but for codes."""

    def __init__(self, coded: bool) -> None:
        super().__init__()
        self._coded = coded

    def read(self, cell: Any) -> str | None:
        if cell is None:
            return None
        if type(cell) is not str or not (self._coded or hold_no_number([cell])):
            raise Odd
        return cell.strip() or None


class _Medicines(_Kept):
    """Codes of medicines. A brand of both forms is not plain, because the rest of its row says which it is."""

    def read(self, cell: Any) -> int:
        code = codes_of(TABLES["supplies"].column("medicine"))[cell]
        if is_of_both_forms(cell, code):
            raise Odd
        return code


_MEDICINE = _Medicines()
