"""Converts the visible rows of many people to lists: each table is masked and converted once for a shard of people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.gaps.events import YEAR, Bound, Circumstance, Contact, ResultColumns, ResultsByTest, Stay
from features.gaps.shared import Shared
from features.medicines.courses import Course, courses_of, rows_of_places
from features.records.days import NO_DAY
from features.records.tables import COMPARATORS, TABLES
from features.reference import MEDICINES

_MEDICINES = tuple(MEDICINES.values())
_CATEGORIES = TABLES["conditions"].column("category").values
SHARD = 128
"""Number of people with rows converted to lists at one time."""

_Rows = npt.NDArray[np.int64]


class PersonRows(NamedTuple):
    """Rows of one person that are visible on a day, in order of the day of their events."""

    courses: list[Course]
    results: ResultsByTest
    contacts: list[Contact]
    """Contacts of the last year, and older reviews. An outcome that was not known yet is read as planned."""
    seen: list[int]
    """Days of all attended contacts."""
    last_seen: Contact | None
    stays: list[Stay]
    """A discharge that was not known yet is read as missing."""
    circumstances: dict[str, list[Circumstance]]
    conditions: dict[str, list[tuple[int, int, str]]]
    """(row, day, code) by category: diagnosis, allergy, shared_care."""


def person_rows(shared: Shared, places: _Rows, as_of: int) -> Iterator[PersonRows]:
    """The rows of each person at ``places`` that are visible at 00:00 of a day number."""
    for low in range(0, len(places), SHARD):
        shard = places[low : low + SHARD]
        yield from map(
            PersonRows,
            courses_of(shared.taking, shard, as_of, _MEDICINES),
            _results(shared, shard, as_of),
            *_contacts(shared, shard, as_of),
            _stays(shared, shard, as_of),
            _circumstances(shared, shard, as_of),
            _conditions(shared, shard, as_of),
        )


def _visible(shared: Shared, table: str, day: str, places: _Rows, as_of: int) -> tuple[_Rows, list[int]]:
    """Positions of the visible rows of some people, and where each person's begin in them."""
    offsets, columns = shared.records.offsets(table), shared.records.columns(table)
    rows = rows_of_places(offsets, places)
    visible = (columns[day][rows] < as_of) & (columns["known_on"][rows] < as_of)
    ends = np.concatenate(([0], np.cumsum(visible)))
    counts = np.concatenate(([0], np.cumsum(offsets[places + 1] - offsets[places])))
    return rows[visible], ends[counts].tolist()


def _results(shared: Shared, places: _Rows, as_of: int) -> list[ResultsByTest]:
    rows, bounds = _visible(shared, "results", "taken_on", places, as_of)
    columns = shared.records.columns("results")
    person = np.repeat(np.arange(len(places)), np.diff(bounds))
    key = person * len(shared.tests) + columns["test"][rows] % len(shared.tests)
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    values, signs = columns["value"][rows].tolist(), columns["comparator"][rows]
    for place in np.flatnonzero(signs >= 0).tolist():
        values[place] = Bound.of(values[place], COMPARATORS[signs[place]])
    read = ResultColumns(columns["taken_on"][rows].tolist(), values, rows.tolist())
    starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if len(key) else np.zeros(0, np.int64)
    numbered = np.where(np.isnan(columns["value"][rows]), -1, np.arange(len(rows)))
    newest = np.maximum.reduceat(numbered, starts) if len(starts) else starts
    newest = np.where(newest < starts, -1, newest).tolist()
    found: list[dict[str, tuple[int, int, int]]] = [{} for _ in range(len(places))]
    whose, tests = np.divmod(key[starts], len(shared.tests))
    ends = np.append(starts, len(rows))[1:].tolist()
    words = shared.tests
    for who, test, *bounds_of_test in zip(whose.tolist(), tests.tolist(), starts.tolist(), ends, newest, strict=True):
        found[who][words[test]] = tuple(bounds_of_test)
    return [ResultsByTest(read, bounds) for bounds in found]


def _contacts(
    shared: Shared, places: _Rows, as_of: int
) -> tuple[list[list[Contact]], list[list[int]], list[Contact | None]]:
    rows, bounds = _visible(shared, "contacts", "contact_on", places, as_of)
    columns = shared.records.columns("contacts")
    day, kind, over = columns["contact_on"][rows], columns["kind"][rows], columns["outcome_known_on"][rows] < as_of
    attended, missed = over & shared.attended[rows], over & shared.missed[rows]
    seen_before = np.concatenate(([0], np.cumsum(attended)))[bounds].tolist()
    seen = rows[attended]
    days, kinds, whole = columns["contact_on"][seen].tolist(), columns["kind"][seen].tolist(), seen.tolist()
    kept = (day >= as_of - YEAR) | np.isin(kind, list(shared.review_kinds))
    kept_before = np.concatenate(([0], np.cumsum(kept)))[bounds].tolist()
    words, outcomes = shared.contact_kinds, shared.outcomes
    read = [
        Contact(on, row, words[what], came, failed, outcomes[end] if ended else "planned")
        for on, row, what, came, failed, end, ended in zip(
            day[kept].tolist(),
            rows[kept].tolist(),
            kind[kept].tolist(),
            attended[kept].tolist(),
            missed[kept].tolist(),
            columns["outcome"][rows[kept]].tolist(),
            over[kept].tolist(),
            strict=True,
        )
    ]
    contacts, attendances = [], []
    last: list[Contact | None] = []
    for who in range(len(places)):
        low, high = seen_before[who], seen_before[who + 1]
        contacts.append(read[kept_before[who] : kept_before[who + 1]])
        attendances.append(days[low:high])
        if high > low:
            last.append(Contact(days[high - 1], whole[high - 1], words[kinds[high - 1]], True, False, "attended"))
        else:
            last.append(None)
    return contacts, attendances, last


def _stays(shared: Shared, places: _Rows, as_of: int) -> list[list[Stay]]:
    rows, bounds = _visible(shared, "stays", "admitted_on", places, as_of)
    columns = shared.records.columns("stays")
    left = columns["discharged_on"][rows]
    left = np.where((columns["discharge_known_on"][rows] < as_of) & (left < as_of), left, NO_DAY)
    read = [
        Stay(row, admitted, discharged, shared.methods[method], shared.wards[ward])
        for row, admitted, discharged, method, ward in zip(
            rows.tolist(),
            columns["admitted_on"][rows].tolist(),
            left.tolist(),
            columns["method"][rows].tolist(),
            columns["ward"][rows].tolist(),
            strict=True,
        )
    ]
    return [read[low:high] for low, high in pairwise(bounds)]


def _circumstances(shared: Shared, places: _Rows, as_of: int) -> list[dict[str, list[Circumstance]]]:
    rows, bounds = _visible(shared, "circumstances", "from_on", places, as_of)
    kinds, values = shared.circumstances if len(rows) else ([], [])
    days, whole = shared.records.columns("circumstances")["from_on"][rows].tolist(), rows.tolist()
    found: list[dict[str, list[Circumstance]]] = []
    for low, high in pairwise(bounds):
        mine: dict[str, list[Circumstance]] = {}
        for row, day in zip(whole[low:high], days[low:high], strict=True):
            one = Circumstance(row, day, values[row])
            if kinds[row] in mine:
                mine[kinds[row]].append(one)
            else:
                mine[kinds[row]] = [one]
        found.append(mine)
    return found


def _conditions(shared: Shared, places: _Rows, as_of: int) -> list[dict[str, list[tuple[int, int, str]]]]:
    rows, bounds = _visible(shared, "conditions", "recorded_on", places, as_of)
    columns = shared.records.columns("conditions")
    codes = shared.condition_codes if len(rows) else []
    whole, days, categories = rows.tolist(), columns["recorded_on"][rows].tolist(), columns["category"][rows].tolist()
    found = []
    for low, high in pairwise(bounds):
        mine: tuple[list[tuple[int, int, str]], ...] = tuple([] for _ in _CATEGORIES)
        for row, day, category in zip(whole[low:high], days[low:high], categories[low:high], strict=True):
            mine[category].append((row, day, codes[row] or ""))
        found.append(dict(zip(_CATEGORIES, mine, strict=True)))
    return found
