"""Earlier versions of contacts, stays and referrals: what was known of them before a row was corrected.

The tables hold each event once, in the version that became known last. For the few people with a different earlier
version, every row is kept beside the tables, and a reader of an earlier day gets their rows as known then. A record
in which nothing was corrected has no versions and costs nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.jit import jit
from features.records.days import NO_DAY
from features.records.kernels import any_alike, in_order, mark_groups, order_few, order_groups
from features.records.same_event.visits import Columns, Spans, as_known, never_closed, one_each
from features.records.table import Table, offsets_of, take, words_of
from features.records.tables import TABLES, TableSpec

Int = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RowVersions:
    """``table`` holds every row of the people in question, each with its own clocks. Person ``p`` is read from it on
    a day ``t`` where ``since[i] < t <= until[i]`` for an ``i`` in ``offsets[p]:offsets[p + 1]``."""

    table: Table
    offsets: Int
    since: Days
    until: Days

    def at(self, places: Int) -> RowVersions | None:
        """The versions of the people at ascending ``places``, renumbered 0, 1, 2, ...; None if there are none."""
        spans = _rows_of(self.offsets, places)
        if not len(spans):
            return None
        rows, counts = _rows_of(self.table.offsets, places), np.diff(self.table.offsets)[places]
        patient = np.repeat(np.arange(len(places), dtype=np.int32), counts)
        offsets = np.concatenate([[0], np.cumsum(np.diff(self.offsets)[places])])
        return RowVersions(self.table.take(rows, patient, len(places)), offsets, self.since[spans], self.until[spans])

    def read_on(self, person: Int, day: Days) -> Bools:
        """Which (person, day) read an earlier version."""
        return _in_a_span(self.offsets, self.since, self.until, person, day)


@dataclass(frozen=True)
class SettledTable:
    """A table with each event once, the versions that it needs beside it, and how many rows were put together."""

    table: Table
    versions: RowVersions | None
    replaced: int
    merged: int


def settled(
    spec: TableSpec, columns: Columns, patient: Days, people: int, *, stored: bool = False, spans: Spans = ()
) -> SettledTable:
    """From every row of a table, in any order. ``stored`` rows may lie in order already; ``spans`` are added to those
    that the rows themselves give."""
    one = one_each(spec.name, columns, patient)
    in_place = stored and not (one.replaced or one.merged)  # versions that were put together lie as they came
    table = in_one_order(spec, one.columns, one.patient, people, stored=in_place)
    return SettledTable(table, kept(spec, columns, patient, people, (*one.spans, *spans)), one.replaced, one.merged)


def kept(spec: TableSpec, columns: Columns, patient: Days, people: int, spans: Spans) -> RowVersions | None:
    """Every row of the people who have a span, each once; None without any."""
    if not spans:
        return None
    who, since, until = np.array(sorted(set(spans)), np.int64).T
    rows = np.flatnonzero(np.isin(patient, who))
    table = in_one_order(spec, {n: take(v, rows) for n, v in columns.items()}, patient[rows], people)
    again = np.ones(len(table), bool)
    again[:1] = False
    for values in (table.patient, *table.columns.values()):
        ranks = _ranked(values, np.arange(len(table)))
        again[1:] &= (ranks[1:] == ranks[:-1]) | ((ranks[1:] != ranks[1:]) & (ranks[:-1] != ranks[:-1]))
    once = np.flatnonzero(~again)
    return RowVersions(
        table.take(once, table.patient[once], people),
        offsets_of(who.astype(np.int32), people),
        since.astype(np.int32),
        until.astype(np.int32),
    )


def tables_as_known(
    tables: Mapping[str, Table], versions: Mapping[str, RowVersions], day: int, names: Iterable[str]
) -> dict[str, Table]:
    """The tables of ``names`` that differ at 00:00 of ``day``, with the rows as known then."""
    found: dict[str, Table] = {}
    for name in names:
        one = versions.get(name)
        if one is None:
            continue
        people = len(one.offsets) - 1
        places = np.arange(people)
        who = one.read_on(places, np.full(people, day, np.int32))
        if not who.any():
            continue
        rows = np.flatnonzero(who[one.table.patient] & (one.table.columns["known_on"] < day))
        known = as_known(name, {n: take(v, rows) for n, v in one.table.columns.items()}, day)
        each = one_each(name, known, one.table.patient[rows])
        theirs = in_one_order(one.table.spec, each.columns, each.patient, people)
        if name == "stays":
            contacts = found.get("contacts") or tables["contacts"]
            theirs, _ = contradicted(theirs, contacts)
        found[name] = _in_place_of(tables[name], theirs, who)
    return found


def contradicted(stays: Table, contacts: Table) -> tuple[Table, list[Any]]:
    """The stays with an end where contacts contradict that they are still open, and every contradiction."""
    every = list(never_closed(dict(stays.columns), stays.patient, contacts.columns, contacts.offsets))
    ended = [one for one in every if one.until == NO_DAY]
    if not ended:
        return stays, every
    columns = dict(stays.columns)
    for name, known in (("discharged_on", False), ("discharge_known_on", True)):
        columns[name] = columns[name].copy()
        columns[name][[one.row for one in ended]] = [one.known_on if known else one.ended_on for one in ended]
    return Table(stays.spec, columns, stays.patient, stays.offsets), every


def _in_place_of(table: Table, theirs: Table, who: Bools) -> Table:
    """The table with the rows of some people replaced."""
    rest = np.flatnonzero(~who[table.patient])
    patient = np.concatenate([table.patient[rest], theirs.patient])
    order = np.argsort(patient, kind="stable")
    columns = {}
    for name, values in table.columns.items():
        mine, other = take(values, rest), theirs.columns[name]
        whole = np.concatenate([mine, other]) if isinstance(values, np.ndarray) else _joined(mine, other)
        columns[name] = take(whole, order)
    return Table(table.spec, columns, patient[order], offsets_of(patient[order], len(who)))


def _joined(one: Any, other: Any) -> pa.Array:
    parts = [chunk for values in (one, other) for chunk in (values.chunks if hasattr(values, "chunks") else [values])]
    return pa.concat_arrays([part.cast(pa.string()) for part in parts])


def in_one_order(spec: TableSpec, columns: Columns, patient: Days, people: int, *, stored: bool = False) -> Table:
    """Sorts rows by patient, day and known day, then by content, so that the order of the extract does not change the
    store. Rows of a store that we wrote are already in this order.
    """
    keys = patient, columns[spec.event_day or "known_on"], columns["known_on"]
    ascending = in_order(*keys)
    if stored and ascending:
        return Table(spec, columns, patient, offsets_of(patient, people))
    if ascending and len(patient) <= _FEW and not any_alike(*keys):
        return Table(spec, columns, patient, offsets_of(patient, people))
    order = np.arange(len(patient)) if ascending else np.lexsort(keys[::-1])
    if len(order) > 1:
        begins = np.ones(len(order), bool)
        if mark_groups(order, *keys, begins):
            if len(order) > _FEW:
                _order_by_content(columns, order, begins)
            elif order_few(order, begins, _leading_numbers(columns)):
                _order_few(columns, order, np.append(begins[1:], True))
    if (order[1:] < order[:-1]).any():
        columns, patient = {name: take(values, order) for name, values in columns.items()}, patient[order]
    return Table(spec, columns, patient, offsets_of(patient, people))


_FEW = 1_000
"""Up to so many rows, plain lists are sorted in a fraction of the time that arrays take."""


def _leading_numbers(columns: Columns) -> npt.NDArray[np.float64]:
    """The columns by which rows are sorted, up to the first of text; mostly they tell all rows apart."""
    leading = itertools.takewhile(_sorts_as_number, (columns[name] for name in sorted(columns)))
    numbers = [values for values in leading if isinstance(values, np.ndarray)]
    return np.array(numbers, np.float64) if numbers else np.empty((0, 0))


def _sorts_as_number(values: Any) -> bool:
    """Whether a column is one of numbers, or of text that is missing throughout and so tells no rows apart."""
    return isinstance(values, np.ndarray) or values.null_count == len(values)


def _order_few(columns: Columns, order: Int, ends: Bools) -> None:
    """The same as ``_order_by_content`` for few rows; ``ends`` marks where groups end."""
    stops = (np.flatnonzero(ends) + 1).tolist()
    groups = [(start, stop) for start, stop in zip((0, *stops), stops, strict=False) if stop - start > 1]
    for name in sorted(columns):
        rows = np.concatenate([order[start:stop] for start, stop in groups])
        values = columns[name]
        if not isinstance(values, np.ndarray) and values.null_count == len(values):
            continue
        keys, told, at, tied = _sort_keys(values, rows), rows.tolist(), 0, []
        for start, stop in groups:
            first, at = at, at + stop - start
            mine = keys[first:at]
            if mine.count(mine[0]) == len(mine):
                tied.append((start, stop))
                continue
            ranked = sorted(range(first, at), key=keys.__getitem__)
            order[start:stop] = [told[place] for place in ranked]
            begin = start
            for before, place, here in zip(ranked, ranked[1:], range(start + 1, stop), strict=False):
                if keys[before] != keys[place]:
                    if here - begin > 1:
                        tied.append((begin, here))
                    begin = here
            if stop - begin > 1:
                tied.append((begin, stop))
        groups = tied
        if not groups:
            return


def _sort_keys(values: Any, rows: Int) -> list[Any]:
    """The values of some rows in a form that sorts: a missing number or text is the last."""
    if not isinstance(values, np.ndarray):
        return [(text is None, text or "") for text in values.take(pa.array(rows)).to_pylist()]
    some: list[Any] = values[rows].tolist()
    return [np.inf if value != value else value for value in some] if values.dtype.kind == "f" else some


_SMALL = 64
"""Rows of one person and day, up to which sorting each group by itself takes less time than sorting them together."""


def _order_by_content(columns: Columns, order: Int, begins: Bools) -> None:
    """Sorts each group of rows within ``order`` by its columns in turn, in place; ``begins`` marks where groups begin.
    A column is read only for the rows that all columns before it leave tied: few groups need more than two.
    """
    places, tied = np.arange(len(order)), _in_a_group(begins)
    for name in sorted(columns):
        places, begins = places[tied], begins[tied]
        if not len(places):
            return
        rows, tied = order[places], np.ones(len(places), bool)
        if _all_alike(columns[name], rows):
            continue
        ranks = _ranked(columns[name], rows).astype(np.float64)
        ranks[np.isnan(ranks)] = np.inf
        if np.diff(np.flatnonzero(begins), append=len(rows)).max() <= _SMALL:
            order_groups(rows, ranks, begins)
        else:
            sorting = np.lexsort((ranks, np.cumsum(begins)))
            rows, ranks = rows[sorting], ranks[sorting]
            begins[1:] |= ranks[1:] != ranks[:-1]
        order[places] = rows
        tied = _in_a_group(begins)


def _all_alike(values: Any, rows: Int) -> bool:
    """Whether a column cannot tell rows apart: it holds one value in them. Text is looked at only for being missing
    throughout."""
    if isinstance(values, np.ndarray):
        some = values[rows]
        return bool((some == some[0]).all() or (some != some).all())
    return bool(values.null_count == len(values))


def _in_a_group(begins: Bools) -> Bools:
    """The places of groups of two and more."""
    ends = np.ones(len(begins), bool)
    ends[:-1] = begins[1:]
    return ~(begins & ends)


def _ranked(values: Any, rows: Int) -> npt.NDArray[Any]:
    """Values of some rows as numbers in the same sort order, independent of the order of the rows."""
    if isinstance(values, np.ndarray):
        return values[rows]
    codes, words = words_of(values.take(pa.array(rows)))
    rank = np.empty(len(words) + 1, np.int64)
    rank[np.argsort(np.array(words, dtype=object), kind="stable") if words else []] = np.arange(len(words))
    rank[-1] = len(words)
    return rank[codes]


def _rows_of(offsets: Int, places: Int) -> Int:
    """Rows of the people at ascending ``places``."""
    counts = np.diff(offsets)[places]
    begins = np.cumsum(counts) - counts
    return np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(offsets[places] - begins, counts)


@jit()
def _in_a_span(offsets, since, until, person, day):  # type: ignore[no-untyped-def]
    found = np.zeros(person.shape[0], np.bool_)
    for r in range(person.shape[0]):
        for i in range(offsets[person[r]], offsets[person[r] + 1]):
            found[r] |= since[i] < day[r] and day[r] <= until[i]
    return found


VERSIONED = tuple(name for name in TABLES if name in ("referrals", "contacts", "stays"))
"""Tables with earlier versions, contacts before the stays that they can contradict."""


__all__ = [
    "VERSIONED",
    "RowVersions",
    "SettledTable",
    "contradicted",
    "in_one_order",
    "kept",
    "settled",
    "tables_as_known",
]
