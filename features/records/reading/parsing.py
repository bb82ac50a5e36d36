"""Turns one column as given (pandas series or Python list) into a typed array and a mask of values that could not be
read.

Typed arrays: dates int32 days (NO_DAY missing), codes int16 in the order of ``Column.values`` (-1 missing), numbers
float64 (NaN missing), flags int8 (-1 missing), ids and text pyarrow strings (null missing).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import NO_DAY
from features.records.reading.dates import NULL_WORDS, ReadDays, read_day_list, read_days
from features.records.reading.given import OneValue
from features.records.reading.ids import clean_id, clean_ids
from features.records.tables import Column
from features.reference import TESTS
from features.reference.medicines.medicine_names import medicine_word
from features.reference.words import UNKNOWN, meanings, plain_word

Bad = npt.NDArray[np.bool_]
Parsed = tuple[Any, Bad | None]
"""The typed array, and where a value was given that could not be read; None where all could be."""

MISSING: dict[str, Any] = {"date": NO_DAY, "code": -1, "number": math.nan, "flag": -1}
DTYPES: dict[str, Any] = {"date": np.int32, "code": np.int16, "number": np.float64, "flag": np.int8}


MOST_SPELLINGS = 4_096
"""Other spellings that are kept for each column: a sender writes the same few again and again."""


class _Words(dict[Any, int]):
    """Codes by word. An exact spelling is found at once; ``spelt`` recognises other spellings, and those that mean
    something are kept."""

    def __init__(self, words: Mapping[Any, int], spelt: Callable[[Any], str | None]) -> None:
        super().__init__(words)
        self.update({None: -1, "": -1, pd.NaT: -1})
        self._words, self._spelt = dict(self), spelt

    def __missing__(self, value: Any) -> int:
        word = self._spelt(value)
        code = self._words.get(word, UNREAD) if word is not None else UNREAD
        # Of a number no spelling is kept: 1, 1.0 and True are one key, and need not be one word.
        if code >= 0 and type(value) is str and len(self) < len(self._words) + MOST_SPELLINGS:
            self[value] = code
        return code


@cache
def codes_of(column: Column) -> _Words:
    """Position of every allowed value of a column, and of every word that means one (``words.csv``)."""
    name, values = column.words or column.name, column.values
    words = {plain_word(value): position for position, value in enumerate(values)}
    for word, meant in meanings(name).items():
        if meant in values:
            words.setdefault(word, values.index(meant))
    if name == "medicine":
        return _Words(words | {value: place for place, value in enumerate(values)}, medicine_word)
    if name == "test":
        words |= {plain_word(test.label): values.index(key) for key, test in TESTS.items() if key in values}
    nothing = {word: -1 for word in (*NULL_WORDS, *(w for w, meant in meanings("any").items() if meant == UNKNOWN))}
    return _Words(
        {plain_word(word): code for word, code in nothing.items()} | words | {v: i for i, v in enumerate(values)},
        lambda value: plain_word(value) if isinstance(value, str) else None,
    )


FLAG_OF = _Words(
    {word: int(meant == "true") for word, meant in meanings("flag").items()}
    | {"1.0": 1, "0.0": 0, "1 0": 1, "0 0": 0}
    | {True: 1, False: 0},
    lambda value: plain_word(str(value)),
)


def empty(column: Column, rows: int) -> Any:
    """A column of missing values."""
    if column.kind in ("id", "text"):
        return pa.nulls(rows, pa.string())
    return np.full(rows, MISSING[column.kind], DTYPES[column.kind])


def parse(column: Column, values: pd.Series | Sequence[Any]) -> Parsed:
    """The typed array of ``values`` and where a value was given that could not be read."""
    if isinstance(values, pd.Series):
        return _SERIES[column.kind](column, values)
    try:
        return _LISTS[column.kind](column, values)
    except TypeError:
        # An object such as a list cannot be looked up; it counts as wrong.
        return _LISTS[column.kind](column, [value if isinstance(value, Hashable) else _WRONG for value in values])


def _text(values: pd.Series) -> pa.Array:
    array = values.array
    if isinstance(values.dtype, pd.StringDtype):
        text = pa.array(array, from_pandas=True).cast(pa.string())
    elif pd.api.types.is_integer_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        text = pa.array(values.astype("string"), from_pandas=True).cast(pa.string())
    else:
        text = pa.array([_as_text(value) for value in values.tolist()], pa.string())
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _as_text(value: Any) -> str | None:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if value.is_integer():
            return str(int(value))
    return str(value)


def _series_text(column: Column, values: pd.Series) -> Parsed:
    return _text(values), None


_NO_ID = frozenset(("null", "(null)", "<null>", "nan", "nat", "none", "#n/a", "<na>", r"\n"))
"""Texts that mean "no id". Read as ids, they would join all these people into one."""


def _series_id(column: Column, values: pd.Series) -> Parsed:
    ids = clean_ids(_text(values))
    lengths = pc.binary_length(ids)
    if pc.any(pc.less_equal(lengths, 6)).as_py():
        none = pc.is_in(pc.ascii_lower(ids), pa.array(sorted(_NO_ID), pa.string()))
        if pc.any(none).as_py():
            ids = pc.if_else(none, pa.scalar(None, pa.string()), ids)
    return ids, None


def _series_code(column: Column, values: pd.Series) -> Parsed:
    known = codes_of(column)
    encoded = _text(values).dictionary_encode()
    words = [known[word] for word in encoded.dictionary.to_pylist()]
    lookup = np.array([*words, -1], dtype=np.int16)
    codes = lookup[encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)]
    bad = codes == -2
    return np.where(bad, np.int16(-1), codes), bad


def _series_date(column: Column, values: pd.Series) -> Parsed:
    read = read_days(values, _text)
    return read.days, read.unread


def read_date_column(values: pd.Series | Sequence[Any]) -> ReadDays:
    """A column of dates, and how many of its values were times with an offset."""
    if isinstance(values, pd.Series):
        return read_days(values, _text)
    try:
        return read_day_list(values)
    except TypeError:  # an object such as a list cannot be looked up; it counts as wrong
        return read_day_list([value if isinstance(value, Hashable) else _WRONG for value in values])


def _series_number(column: Column, values: pd.Series) -> Parsed:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_numeric_dtype(values.dtype):
        bad = np.isinf(numbers)
        return np.where(bad, np.nan, numbers), bad
    odd = np.flatnonzero((np.isnan(numbers) & values.notna().to_numpy(dtype=bool)) | np.isinf(numbers))
    numbers = numbers.copy()
    bad = np.zeros(len(numbers), dtype=bool)
    if len(odd):
        told = values.iloc[odd].tolist()
        read = {word: _read_amount(column, word) for word in dict.fromkeys(told)}
        numbers[odd] = [np.nan if read[word] is None else read[word] for word in told]
        bad[odd] = [read[word] is None for word in told]
    return numbers, bad


def _series_flag(column: Column, values: pd.Series) -> Parsed:
    encoded = _text(values).dictionary_encode()
    words = [FLAG_OF[word] for word in encoded.dictionary.to_pylist()]
    lookup = np.array([*words, -1], dtype=np.int8)
    flags = lookup[encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)]
    bad = flags == -2
    return np.where(bad, np.int8(-1), flags), bad


_SERIES: dict[str, Callable[[Column, pd.Series], Parsed]] = {
    "id": _series_id,
    "text": _series_text,
    "code": _series_code,
    "date": _series_date,
    "number": _series_number,
    "flag": _series_flag,
}


_WRONG = object()
UNREAD = -2


def _list_text(column: Column, values: Sequence[Any]) -> Parsed:
    if not set(map(type, values)) <= {str, NoneType}:
        values = [_as_text(value) for value in values]
    return pa.array([value.strip() or None if value else None for value in values], pa.string()), None


def _list_id(column: Column, values: Sequence[Any]) -> Parsed:
    if type(values) is OneValue:
        return pa.repeat(pa.scalar(_clean_or_none(values.value), pa.string()), len(values)), None
    if set(map(type, values)) == {str} and are_plain_ids(values):
        return pa.array(values, pa.string()), None
    text = {value: _clean_or_none(value) for value in dict.fromkeys(values)}
    return pa.array([text[value] for value in values], pa.string()), None


def ids_among(values: Sequence[Any]) -> set[str | None] | None:
    """The different ids of a plain list, None where it holds what cannot be looked up."""
    try:
        return {_clean_or_none(value) for value in ((values.value,) if type(values) is OneValue else set(values))}
    except TypeError:
        return None


_PLAIN = r"(?!(?:null|nan|nat|none)(?:\n|\Z))[\w/:-]+"
_PLAIN_ID = re.compile(_PLAIN, re.ASCII | re.IGNORECASE)
"""Ids that are clean as they are: of letters, digits and a few signs, and no text that means "no id"."""
_PLAIN_IDS = re.compile(rf"{_PLAIN}(?:\n{_PLAIN})*", re.ASCII | re.IGNORECASE)
"""Such ids, one a line."""


def are_plain_ids(texts: Collection[str]) -> bool:
    """Whether ids are all clean as they are. Raises TypeError for what is no text."""
    lines = "\n".join(texts)
    return bool(_PLAIN_IDS.fullmatch(lines)) and lines.count("\n") == len(texts) - 1


def _clean_or_none(value: Any) -> str | None:
    if type(value) is str and _PLAIN_ID.fullmatch(value):
        return value
    plain = clean_id(_as_text(value) or "")
    return None if not plain or plain.casefold() in _NO_ID else plain


def _list_code(column: Column, values: Sequence[Any]) -> Parsed:
    known = codes_of(column)
    return _or_unread(column, list(map(known.__getitem__, values)))


def _list_flag(column: Column, values: Sequence[Any]) -> Parsed:
    return _or_unread(column, list(map(FLAG_OF.__getitem__, values)))


def _or_unread(column: Column, codes: list[int]) -> Parsed:
    array = np.array(codes, DTYPES[column.kind])
    if UNREAD not in codes:
        return array, None
    bad = array == UNREAD
    array[bad] = -1
    return array, bad


def _list_date(column: Column, values: Sequence[Any]) -> Parsed:
    read = read_day_list(values)
    return read.days, read.unread


def _list_number(column: Column, values: Sequence[Any]) -> Parsed:
    if set(map(type, values)) <= {float, NoneType}:
        numbers = np.array(values, np.float64)
        bad = np.isinf(numbers)
    else:
        read = [math.nan if _is_absent(value) else _read_amount(column, value) for value in values]
        bad = np.array([number is None for number in read], bool)
        numbers = np.array([math.nan if number is None else number for number in read], np.float64)
    if not bad.any():
        return numbers, None
    numbers[bad] = np.nan
    return numbers, bad


_LISTS: dict[str, Callable[[Column, Sequence[Any]], Parsed]] = {
    "id": _list_id,
    "text": _list_text,
    "code": _list_code,
    "date": _list_date,
    "number": _list_number,
    "flag": _list_flag,
}


def _is_absent(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, str) and value == "")


def _read_number(value: Any) -> float | None:
    """The number; NaN for a text that means "no value"; None for a text that is not a number or could mean two numbers.

    ``1,234.5``, ``1.234,5`` and ``0,4`` can only mean one number. ``1,200`` could be 1200 or 1.2, so it is refused.
    """
    if isinstance(value, bool):
        return None
    text = clean_id(value) if isinstance(value, str) else value
    if isinstance(text, str):
        text = text.replace("\u00b7", ".")  # the raised point of British print
        if text.casefold() in NULL_WORDS:
            return math.nan
        if "_" in text:
            return None
        for shape, thousands, point in _GROUPED:
            if shape.fullmatch(text):
                text = text.replace(thousands, "").replace(point, ".")
                break
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return None if math.isinf(number) else number


_MG = {"mg": 1.0, "milligram": 1.0, "g": 1000.0, "gram": 1000.0, "mcg": 0.001, "microgram": 0.001}
_DAYS = {"day": 1.0, "d": 1.0, "/7": 1.0, "week": 7.0, "wk": 7.0, "/52": 7.0}
_UNITS = {name: _MG for name in ("daily_dose_mg", "dose_mg", "strength_mg")}
_UNITS |= {"days_supplied": _DAYS, "interval_days": _DAYS | {"weekly": 7.0, "-weekly": 7.0}}
_UNITS |= {"quantity": dict.fromkeys(("tablet", "tab", "capsule", "cap"), 1.0)}
"""Units that may stand after the number of a column, singular, and how many of the column's own unit each is."""


def _read_amount(column: Column, value: Any) -> float | None:
    """The number of a cell, with or without a unit that the column allows (``300 mg``, ``4 weeks``, ``4/52``), or a
    word for it (``fortnightly``)."""
    number = _read_number(value)
    if number is not None or column.name not in _UNITS or not isinstance(value, str):
        return number
    text = clean_id(value).casefold()
    meant = meanings(column.name).get(plain_word(text))
    if meant is not None and meant != UNKNOWN:
        return float(meant)
    found = _AMOUNT.fullmatch(text.removeprefix("every ") if column.name == "interval_days" else text)
    factor = _UNITS[column.name].get(found[2].removesuffix("s").replace(" ", "")) if found else None
    number = _read_number(found[1]) if found and factor else None
    return None if number is None or factor is None else number * factor


_AMOUNT = re.compile(r"([+-]?[\d.,]+)\s*(-?[a-z]+|/\s*\d+)", re.ASCII)

_GROUPED = (
    (re.compile(r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d+)?|[+-]?\d{1,3},\d{3}\.\d+", re.ASCII), ",", "."),
    (re.compile(r"[+-]?\d{1,3}( \d{3})+(\.\d+)?", re.ASCII), " ", "."),
    (re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+", re.ASCII), ".", ","),
    (re.compile(r"[+-]?(0,\d+|\d+,(\d{1,2}|\d{4,}))", re.ASCII), " ", ","),
)
"""Ways of grouping digits that can only mean one number, with the sign of thousands and that of the decimal point."""

_BOUND = re.compile(r"(<\s*=|>\s*=|=\s*<|=\s*>|<|>|\u2264|\u2265|less than|more than|greater than|under|over)\s*(.+)")
_SIGNS = {"\u2264": "<=", "\u2265": ">=", "=<": "<=", "=>": ">=", "less than": "<", "under": "<"}
_SIGNS |= {"more than": ">", "greater than": ">", "over": ">"}


_FLAG = re.compile(r"(.*\d)\s*(?:\*{1,2}|\(?(?:hh?|ll?|high|low)\)?)")
"""A number with the mark of a laboratory that it is high or low (``0.4 L``, ``0.4*``)."""
_MARK = r"(?:\*{1,2}|\(?(?:hh?|ll?|high|low)\)?)"
_MARK_ELSEWHERE = re.compile(
    rf"^{_MARK}\s+(?=[<>\u2264\u2265\d])|(?<=\S)\s+{_MARK}$|(?<=\d)\s+{_MARK}(?=\s+[a-z\u00b5\u03bc%])", re.IGNORECASE
)
"""Such a mark before the number (``H 2.1``), after the unit (``2.1 mmol/L H``) or between the two."""


_WITH_UNIT = re.compile(r"((?:<\s*=|>\s*=|=\s*<|=\s*>|<|>|\u2264|\u2265)?\s*[+-]?\d[\d.,\u00b7]*)\s*([^\d\s.,*].*)")


def split_unit(value: Any) -> tuple[str, float, str] | None:
    """The comparator, number and unit of a result such as ``2.1 mmol/L`` or ``<0.5x10^9/L``; None for anything else.
    Whether the unit is one of the test's is for the caller to say."""
    found = _WITH_UNIT.fullmatch(_MARK_ELSEWHERE.sub("", clean_id(value))) if isinstance(value, str) else None
    if found is None:
        return None
    bound = read_bound(found[1])
    number = _read_number(found[1]) if bound is None else bound[1]
    return None if number is None or math.isnan(number) else (bound[0] if bound else "", number, found[2])


def read_bound(value: Any) -> tuple[str, float] | None:
    """The comparator and the number of a result such as ``<0.1``, with or without a mark such as ``L``, and an empty
    comparator for a number with a mark; None for anything else."""
    given = clean_id(value).casefold() if isinstance(value, str) else ""
    text = _MARK_ELSEWHERE.sub("", given)
    marked = _FLAG.fullmatch(text)
    text = marked[1] if marked else text
    found = _BOUND.fullmatch(text)
    number = _read_number(found[2]) if found else _read_number(text) if text != given else None
    if number is None or math.isnan(number):
        return None
    sign = found[1] if found else ""
    return _SIGNS.get(sign, _SIGNS.get(sign.replace(" ", ""), sign.replace(" ", ""))), number
