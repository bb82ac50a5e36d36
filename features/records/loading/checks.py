"""Checks one parsed table and reports each failing row with its column and reason. Only units are changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.records.days import FIRST_DAY, NO_DAY
from features.records.kernels import (
    OUT_OF_RANGE,
    any_before,
    any_outside,
    convert,
    days_in_range,
    holds,
    mix,
    numbers_in_range,
)
from features.records.reading.dates import NOT_A_DATE
from features.records.reading.deaths import CLOSED_BY_DEATH, FAR_AHEAD, MOST_AHEAD
from features.records.reading.results import SECOND, numbers_of_checks
from features.records.table import codes_among, take, words_of
from features.records.tables import CLOSE_REASONS, COMPARATORS, TABLES, TableSpec
from features.reference import TESTS, Conversion

Mask = npt.NDArray[np.bool_]
Finding = tuple[str, Mask, str]
"""Column, failing rows, reason."""

AHEAD_DAYS = 3 * 366
"""How far ahead a booked contact may lie."""

KNOWN_AFTER = {"results", "stays"}
"""Tables whose rows cannot be known before they happened."""


_DIED = CLOSE_REASONS.index("died")

_FEW = 1_000
"""Up to so many rows, a set of Python's finds out sooner whether two rows share anything."""

VALUE_ONLY = " (the value was set aside, the row kept)"
NUMBER_OF_A_CHECK = f"a number beside a check that has none of its own, in no unit of a part of it{VALUE_ONLY}"
SECOND_OF_AN_ID = "another row has this id; the row that says most was kept"


def check(spec: TableSpec, columns: dict[str, Any], unread: dict[str, Mask], today: int) -> Iterator[Finding]:
    """Findings of every rule that needs only this table. ``today`` is a day number; dates may reach tomorrow."""
    if not unread and spec.per_patient and _is_plain(spec, columns, today):
        yield from _deaths_without_a_day(spec, columns)
        return
    for column in spec.columns:
        values = columns[column.name]
        bad = unread.get(column.name)
        if bad is not None:
            yield column.name, bad, _unread_reason(column.kind)
        if column.required and _any_missing(values, column.kind):
            gone = _missing(values, column.kind)
            gone = gone if bad is None else gone & ~bad
            if gone.any():
                yield column.name, gone, "a required value is missing"
        if column.kind == "date":
            last = today + (AHEAD_DAYS if column.ahead else 1)
            if any_outside(values, FIRST_DAY, last):
                yield from _dates(column.name, values, last, column.ahead)
            values = columns[column.name]
        if column.kind == "number":
            yield from _numbers(column.name, values, column.low, column.high)
    for start, end in spec.ends:
        first, last = columns[start], columns[end]
        if not any_before(last, first):
            continue
        backwards = (first != NO_DAY) & (last != NO_DAY) & (last < first)
        if backwards.any():
            # only the optional value is set aside: a booking date after the contact must not remove the contact
            if spec.column(end).required and not spec.column(start).required:
                yield start, backwards, f"{start} is after {end}"
            else:
                yield end, backwards, f"{end} is before {start}"
    yield from _deaths_without_a_day(spec, columns)
    if spec.name in KNOWN_AFTER and spec.event_day and any_before(columns["known_on"], columns[spec.event_day]):
        early = columns["known_on"] < columns[spec.event_day]
        yield "known_on", early, f"known_on is before {spec.event_day}: it cannot be known before it happened"
    if spec.unique and not spec.per_patient and len(columns[spec.unique].unique()) < len(columns[spec.unique]):
        again = _duplicates(spec, columns)
        if again.any():
            yield spec.unique, again, SECOND_OF_AN_ID


def _deaths_without_a_day(spec: TableSpec, columns: dict[str, Any]) -> Iterator[Finding]:
    if spec.name == "referrals":
        undated = (columns["close_reason"] == _DIED) & (columns["closed_on"] == NO_DAY)
        if undated.any():
            yield "close_reason", undated, CLOSED_BY_DEATH


@dataclass(frozen=True)
class _Ranges:
    """What the values of a table with people may be, for one pass over all its columns."""

    days: tuple[str, ...]
    ahead: npt.NDArray[np.int32]
    """How many days after today each day may lie."""
    given_days: npt.NDArray[np.int64]
    """Places of the days that must be given."""
    order: npt.NDArray[np.int64]
    """Pairs of places: the second day must not lie before the first."""
    numbers: tuple[str, ...]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    codes: tuple[str, ...]
    texts: tuple[str, ...]
    """Codes, and texts and ids, that must be given."""

    @classmethod
    @cache
    def of(cls, table: str) -> _Ranges:
        spec = TABLES[table]
        days = [column for column in spec.columns if column.kind == "date"]
        names = [column.name for column in days]
        numbers = [column for column in spec.columns if column.kind == "number"]
        asked = [column for column in spec.columns if column.required]
        if any(column.kind in ("number", "flag") for column in asked):
            raise TypeError(f"{table}: the one pass over few rows does not see whether a number or flag is given")
        pairs = [*spec.ends, *([(str(spec.event_day), "known_on")] if table in KNOWN_AFTER else [])]
        return cls(
            tuple(names),
            np.array([AHEAD_DAYS if column.ahead else 1 for column in days], np.int32),
            np.array([names.index(column.name) for column in asked if column.kind == "date"], np.int64),
            np.array([(names.index(first), names.index(last)) for first, last in pairs], np.int64).reshape(-1, 2),
            tuple(column.name for column in numbers),
            np.array([-np.inf if column.low is None else column.low for column in numbers]),
            np.array([np.inf if column.high is None else column.high for column in numbers]),
            tuple(column.name for column in asked if column.kind == "code"),
            tuple(column.name for column in asked if column.kind in ("id", "text")),
        )


def _is_plain(spec: TableSpec, columns: dict[str, Any], today: int) -> bool:
    """Whether few rows are all in their ranges, with every value that must be given: as nearly always."""
    if len(columns["known_on"]) > _FEW:
        return False
    ranges = _Ranges.of(spec.name)
    days = np.array([columns[name] for name in ranges.days])
    if not days_in_range(days, FIRST_DAY, today + ranges.ahead, ranges.given_days, ranges.order):
        return False
    if ranges.numbers:
        numbers = np.array([columns[name] for name in ranges.numbers])
        if not numbers_in_range(numbers, ranges.low, ranges.high):
            return False
    given = all(not columns[name].null_count for name in ranges.texts)
    return given and not any(holds(columns[name], -1) for name in ranges.codes)


@cache
def _over() -> Mask:
    return codes_among(TABLES["contacts"], "outcome", ("attended", "did_not_attend"))


def ahead_and_over(columns: dict[str, Any], today: int) -> list[Finding]:
    """Future contacts with an outcome: a contact that lies ahead cannot have been attended or missed."""
    over = _over()[columns["outcome"]]
    ahead = over & (columns["contact_on"] > today + 1) & (columns["contact_on"] != NO_DAY)
    return (
        [("outcome", ahead, "the contact lies ahead, so nobody can have attended or missed it")] if ahead.any() else []
    )


def _unread_reason(kind: str) -> str:
    return {
        "date": NOT_A_DATE,
        "code": "not one of the allowed values, nor a word for one (features/records/tables.py, features/reference)",
        "number": "not a number",
        "flag": "not true or false",
        "text": "a word that is not understood, or that says it is not known; see features/reference/words.csv",
    }[kind]


def _any_missing(values: Any, kind: str) -> bool:
    if kind in ("id", "text"):
        return bool(values.null_count)
    return bool(np.isnan(values).any()) if kind == "number" else holds(values, NO_DAY if kind == "date" else -1)


def _missing(values: Any, kind: str) -> Mask:
    if kind in ("id", "text"):
        return np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    if kind == "number":
        return np.isnan(values)
    return np.asarray(values == (NO_DAY if kind == "date" else -1))


def _dates(name: str, days: npt.NDArray[np.int32], last: int, ahead: bool) -> Iterator[Finding]:
    early = days < FIRST_DAY
    if early.any():
        yield (
            name,
            early,
            (
                "before 1900: leave a date that is not known empty, sentinel dates such as 1800-01-01 are not read as "
                "dates"
            ),
        )
    late = (days > last) & (days != NO_DAY)
    if name == "died_on" and late.any():
        far = late & (days > last + MOST_AHEAD)
        if far.any():
            yield name, far, FAR_AHEAD
        late &= ~far
    if late.any():
        limit = "more than three years ahead" if ahead else "after tomorrow"
        yield name, late, f"{limit}: leave a date that is not known empty"


def _numbers(name: str, values: npt.NDArray[np.float64], low: float | None, high: float | None) -> Iterator[Finding]:
    if low is not None:
        under = values < low
        if under.any():
            yield name, under, f"below {low:g}"
    if high is not None:
        over = values > high
        if over.any():
            yield name, over, f"above {high:g}"


def _duplicates(spec: TableSpec, columns: dict[str, Any]) -> Mask:
    """Duplicate rows of an id. The row with the most values is kept. Of equal rows the first in the order of their
    content is kept, so that the order of the extract does not matter.
    """
    told = [columns[name].to_pylist() if hasattr(columns[name], "to_pylist") else columns[name] for name in spec.names]
    rows = list(zip(*(list(values) for values in told), strict=True))
    place = spec.names.index(spec.unique or "")

    def says(row: int) -> tuple[Any, ...]:
        empty = sum(value is None or value != value for value in rows[row])
        return empty, *map(str, rows[row])

    best: dict[Any, int] = {}
    for row in sorted(range(len(rows)), key=says):
        best.setdefault(rows[row][place], row)
    again = np.array([best[values[place]] != row for row, values in enumerate(rows)], bool)
    return again & ~np.asarray(columns[spec.unique or ""].is_null().to_numpy(zero_copy_only=False), dtype=bool)


def sent_again(
    spec: TableSpec,
    columns: dict[str, Any],
    patient: npt.NDArray[np.int32],
    good: Mask,
    to_the_day: Mask | None = None,
) -> Iterator[Finding]:
    """Rows of one person that repeat another row in everything but ``known_on``. The copy that was known first is
    kept, and of equal copies the first in the table.

    [D] Two supplies of one medicine, dose and length on one day are one supply, and two equal results of one test on
    one day are one result: A supply counted twice would cover days without tablets and so hide a gap. Leaving out a
    real second box can at worst show a gap that does not exist. Only ``good`` rows count: a row that fails another
    check never replaces a row that passes. Rows in ``to_the_day`` are duplicates only if ``known_on`` is equal too.
    ``patient`` numbers the person of each good row.
    """
    if not spec.sent_again:
        return
    # What few rows share is compared first: most rows share their person, day and test with no other.
    place = np.flatnonzero(good)
    shared = [patient, columns[str(spec.event_day)], *_codes(spec, columns)]
    if len(place) <= _FEW:
        if _all_differ([values[place] for values in shared]):
            return
        said = _what_is_said(spec, columns)
        if _all_differ([patient[place], *(_listed(values, place) for values in said)]):
            return
    place, _, _ = _alike(place, shared)
    if not len(place):
        return
    told = [patient, *_what_is_said(spec, columns)]
    if to_the_day is not None:
        told.append(np.where(to_the_day, columns["known_on"].astype(np.int64), 0))
    place, key, told = _alike(place, told)
    if not len(place):
        return
    order = np.lexsort((columns["known_on"][place], key))
    key = key[order]
    after = np.flatnonzero(key[1:] == key[:-1]) + 1
    same = np.ones(len(after), dtype=bool)
    for values in told:
        same &= values[order[after]] == values[order[after - 1]]
    again = np.zeros(len(good), dtype=bool)
    again[place[order[after[same]]]] = True
    if again.any():
        yield (
            spec.event_day or "known_on",
            again,
            "the same as another row in everything but known_on: sent twice, counted once",
        )


def _what_is_said(spec: TableSpec, columns: dict[str, Any]) -> list[Any]:
    """All that a row says, but for whom it is of and when it became known."""
    names = [column.name for column in spec.columns if column.name not in ("known_on", "patient_id")]
    return [columns[name] for name in (*names, *([SECOND] if SECOND in columns else []))]


def _all_differ(columns: Sequence[Any]) -> bool:
    """Whether no two of some few rows hold the same in all ``columns``."""
    return len(set(zip(*(values.tolist() for values in columns), strict=True))) == len(columns[0])


def _listed(values: Any, place: npt.NDArray[np.int64]) -> Any:
    """The values of few rows, equal where they are equal: missing numbers too."""
    if not isinstance(values, np.ndarray):
        return values if len(place) == len(values) else values.take(pa.array(place))
    return _as_integers(values[place]) if values.dtype.kind == "f" else values[place]


def _codes(spec: TableSpec, columns: dict[str, Any]) -> list[Any]:
    """The columns that say what a row is about, such as the test of a result."""
    return [columns[c.name] for c in spec.columns if c.required and c.kind == "code"]


def _alike(
    place: npt.NDArray[np.int64], columns: Sequence[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], list[npt.NDArray[np.int64]]]:
    """The rows at ``place`` whose hash over some columns another of them shares, these hashes, and the columns of these
    rows as whole numbers."""
    told = [_as_integers(take(values, place)) for values in columns]
    key = np.zeros(len(place), dtype=np.uint64)
    for values in told:
        mix(key, values.view(np.uint64))
    ordered = np.sort(key)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return place[:0], key[:0], []
    found = np.flatnonzero(twice[np.minimum(np.searchsorted(twice, key), len(twice) - 1)] == key)
    return place[found], key[found], [values[found] for values in told]


def _as_integers(values: Any) -> npt.NDArray[np.int64]:
    """One whole number a row, equal where the values are equal; text by its place in a dictionary, numbers by their
    bits, missing equal to missing."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        return np.asarray(
            values.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64
        )
    if values.dtype.kind == "f":
        whole = values + 0.0  # -0.0 becomes 0.0
        whole[np.isnan(whole)] = np.nan
        return np.asarray(whole, dtype=np.float64).view(np.int64)
    return np.asarray(values, dtype=np.int64)


def to_canonical_units(columns: dict[str, Any]) -> Iterator[Finding]:
    """Converts ``results`` values to each test's canonical unit in place; yields rows whose unit or value is
    impossible.

    A row without a value says that the check was done. A value without a unit is not guessed at.
    """
    values, tests = columns["value"], columns["test"]
    unit, words = words_of(columns["unit"])
    unit = np.where(unit < 0, len(words), unit)
    given = ~np.isnan(values)
    pair = tests.astype(np.int64) * (len(words) + 1) + unit
    asked = np.flatnonzero(given & (tests >= 0))
    pairs = pair[asked]
    few = len(pairs) <= _FEW  # a conversion is looked up sooner than the different pairs are found
    keys = pairs if few else np.unique(pairs)
    spelled = (*words, None)
    told = [spelled[key % len(spelled)] for key in keys.tolist()]
    found = [conversion(key // len(spelled), word) for key, word in zip(keys.tolist(), told, strict=True)]
    factor, offset, low, high, wrong = np.array(found or np.empty((0, 5))).T
    kind = np.arange(len(pairs)) if few else np.searchsorted(keys, pairs)
    problem = convert(values, asked, kind, factor, offset, low, high, wrong.astype(np.int8))
    for number, (column, reason) in _RESULT_PROBLEMS.items():
        failing = problem == number
        if failing.any():
            yield column, failing, reason
    beside = numbers_of_checks(columns)
    if beside.any():
        yield "value", beside, NUMBER_OF_A_CHECK
    values = columns["value"]
    _just_beyond(values, columns["comparator"])
    columns["unit"] = _canonical_units().take(pa.array(np.where(given & (tests >= 0), tests, len(TESTS))))


def _just_beyond(values: npt.NDArray[np.float64], comparators: npt.NDArray[np.int16]) -> None:
    """Replaces a bound by the nearest number that can be true: ``<0.5`` becomes a number just below 0.5, so that a
    limit of "below 0.5" applies to it. A second call changes nothing, so a store is read as it was written.
    """
    for sign, towards in (("<", -np.inf), (">", np.inf)):
        rows = np.flatnonzero((comparators == COMPARATORS.index(sign)) & ~np.isnan(values))
        if len(rows):
            values[rows] = np.nextafter(np.round(values[rows], 9), towards)


_RESULT_PROBLEMS = {
    1: ("unit", "the unit is not known for this test; see features/reference/tests.csv"),
    2: ("unit", "a value without a unit"),
    OUT_OF_RANGE: ("value", "outside the plausible range of this test; see features/reference/tests.csv"),
}


@lru_cache(maxsize=1_024)
def conversion(place: int, word: str | None) -> tuple[float, float, float, float, int]:
    """Factor, offset and plausible range of a test's value in a unit, and what is wrong with the unit (0: nothing;
    else of ``_RESULT_PROBLEMS``)."""
    test = list(TESTS.values())[place]
    if word is None:
        return 1.0, 0.0, np.nan, np.nan, 2 if test.unit else 0
    conversion = test.conversion(word) if test.unit else Conversion(1.0)
    if conversion is None:
        return 1.0, 0.0, np.nan, np.nan, 1
    ends = (np.nan, np.nan) if test.low is None or test.high is None else (test.low, test.high)
    return conversion.factor, conversion.offset, *ends, 0


@cache
def _canonical_units() -> pa.Array:
    """The unit of each test, and null in the last place."""
    return pa.array([test.unit or None for test in TESTS.values()] + [None], pa.string())
