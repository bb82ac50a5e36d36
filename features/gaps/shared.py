"""Data shared by all people of one set of records: columns as words, computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.kept import kept
from features.medicines import regimen, supply_days
from features.records import Records, attendance
from features.records.table import codes_among
from features.records.tables import TABLES
from features.reference import MEDICINES


@cache
def word_list(table: str, column: str) -> tuple[str, ...]:
    """Words of a column by their code. The last element is for a missing code (-1) and is empty."""
    return (*TABLES[table].column(column).values, "")


@cache
def contact_kinds(kinds: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """By code of the kind of a contact: whether it is one of some kinds."""
    return codes_among(TABLES["contacts"], "kind", kinds)


class Shared:
    """Data shared by all people of one set of records: computed once per :func:`features.find_gaps`."""

    def __init__(self, records: Records, taking: regimen.RegimenInputs | None = None) -> None:
        self.records = records
        self.taking = taking or regimen.prepare(records)
        self._much: dict[tuple[int, int, int], frozenset[int]] = {}
        self._numbers: dict[object, npt.NDArray[np.int64]] = {}
        self.tests = word_list("results", "test")
        self.contact_kinds = word_list("contacts", "kind")
        self.outcomes = word_list("contacts", "outcome")
        self.methods = word_list("stays", "method")
        self.wards = word_list("stays", "ward")
        self.is_review = contact_kinds(REVIEW_KINDS)
        contacts = records.columns("contacts")
        self.attended, self.missed = attendance.attended(contacts), attendance.missed(contacts)

    @kept
    def lengths(self) -> npt.NDArray[np.int32]:
        """Days that each supply lasts, computed once for everybody, like the two below."""
        return supply_days.lengths_of(self.records)

    @kept
    def days_assumed(self) -> npt.NDArray[np.bool_]:
        return supply_days.days_assumed(self.records)

    @kept
    def is_injection(self) -> npt.NDArray[np.bool_]:
        return supply_days.is_injection(self.records)

    @kept
    def with_assumed_days(self) -> frozenset[int]:
        """Places of people with a supply that does not say how long it lasts."""
        rows = np.flatnonzero(self.days_assumed)
        if not len(rows):
            return frozenset()
        return frozenset(np.unique(np.searchsorted(self.taking.offsets, rows, side="right") - 1).tolist())

    @kept
    def with_unread(self) -> frozenset[int]:
        """Places of people of whom something is recorded that was not understood."""
        return frozenset(self.records.unread.patient.tolist())

    @kept
    def with_unread_concepts(self) -> frozenset[int]:
        """Those of whom what was not understood is about a test, a circumstance or a medicine that we know."""
        unread = self.records.unread
        named = np.array([bool(concept) for _, _, _, concept, _ in unread.words], bool)
        return frozenset(unread.patient[named].tolist())

    @kept
    def circumstances(self) -> tuple[list[str], list[str]]:
        kinds, values = (self.records.coded("circumstances", name) for name in ("kind", "value"))
        return _words(*kinds), _words(*values, lambda word: word.strip().lower())

    @kept
    def circumstances_written(self) -> tuple[list[int], Sequence[str | None]]:
        """The values of circumstances as written: which of some words each row holds, and the words."""
        codes, words = self.records.coded("circumstances", "value")
        return codes.tolist(), words

    @kept
    def ethnicities(self) -> list[str | None]:
        return list(self.records.columns("patients")["ethnicity"].to_pylist())

    def much_supplied(self, as_of: int, within: int, spare: int) -> frozenset[int]:
        """Positions of people with at least ``spare`` days more supply of one medicine in the last ``within`` days
        than days passed since the first. The filter misses nobody and is computed once a day.
        """
        key = (as_of, within, spare)
        if key not in self._much:
            self._much[key] = _much_supplied(self.records, self.taking, as_of, within, spare)
        return self._much[key]

    def of_circumstances(self, owner: object, number: Callable[[str, str], int]) -> npt.NDArray[np.int64]:
        """A whole number for each row of ``circumstances``, from its kind and value: worked out once for each pair."""
        if owner not in self._numbers:
            pair, pairs = self._circumstance_pairs
            self._numbers[owner] = np.array([number(kind, value.strip().lower()) for kind, value in pairs], np.int64)[
                pair
            ]
        return self._numbers[owner]

    def of_conditions(self, owner: object, number: Callable[[str, str], int]) -> npt.NDArray[np.int64]:
        """A whole number for each row of ``conditions``, from its code and label."""
        if owner not in self._numbers:
            pair, pairs = self._condition_pairs
            self._numbers[owner] = np.array([number(code, label) for code, label in pairs], np.int64)[pair]
        return self._numbers[owner]

    @kept
    def _circumstance_pairs(self) -> tuple[npt.NDArray[np.int64], list[tuple[str, str]]]:
        return _pairs(self.records, "circumstances", "kind", "value")

    @kept
    def _condition_pairs(self) -> tuple[npt.NDArray[np.int64], list[tuple[str, str]]]:
        return _pairs(self.records, "conditions", "code", "label")

    @kept
    def condition_codes(self) -> list[str | None]:
        return _words(*self.records.coded("conditions", "code"))

    @kept
    def condition_labels(self) -> list[str | None]:
        return _words(*self.records.coded("conditions", "label"))


def _pairs(records: Records, table: str, one: str, other: str) -> tuple[npt.NDArray[np.int64], list[tuple[str, str]]]:
    """(pair of each row, pairs) of two text columns of a table; an empty word where there is none."""
    (first, firsts), (second, seconds) = (records.coded(table, name) for name in (one, other))
    keys, pair = np.unique((first + 1) * (len(seconds) + 1) + second + 1, return_inverse=True)
    places = (divmod(key, len(seconds) + 1) for key in keys.tolist())
    return pair.reshape(-1), [(firsts[left - 1] or "", seconds[right - 1] or "") for left, right in places]


def _words(codes: npt.NDArray[np.int64], given: Sequence[str | None], way: Callable[[str], str] = str) -> list[Any]:
    """A coded text column as a list that holds each different word once."""
    words = [None if word is None else way(word) for word in given]
    return [words[code] for code in codes.tolist()]


def _much_supplied(
    records: Records, taking: regimen.RegimenInputs, as_of: int, within: int, spare: int
) -> frozenset[int]:
    columns, offsets, days, length = records.columns("supplies"), taking.offsets, taking.day, taking.length
    stands = (taking.known < as_of) & (taking.until >= as_of)
    rows = np.flatnonzero((days < as_of) & (days >= as_of - within) & stands)
    if not len(rows):
        return frozenset()
    group, keys = columns["medicine"][rows], np.arange(len(MEDICINES))
    if len(offsets) > 2:  # more people than one
        person = np.searchsorted(offsets, rows, side="right") - 1
        keys, group = np.unique(person * len(MEDICINES) + group, return_inverse=True)
    total = np.bincount(group, length[rows], len(keys))
    first = np.full(len(keys), as_of)
    np.minimum.at(first, group, days[rows])
    return frozenset((keys[total - (as_of - first) >= spare] // len(MEDICINES)).tolist())


REVIEW_KINDS = ("medicines_review", "care_review")
