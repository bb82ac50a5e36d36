"""The visible rows of a shard of people: as columns, which say what each rule needs (features/gaps/rules/needs.py), and
as the values of one person, which are made when a rule first reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np

from features.gaps.events import (
    YEAR,
    Bound,
    Circumstance,
    Contact,
    Due,
    Injection,
    ResultBounds,
    ResultColumns,
    ResultsByTest,
    Stay,
)
from features.gaps.shard_columns import Bools, DueColumns, ResultSegments, Rows, Visible, cut, tuples
from features.gaps.shared import Shared, contact_kinds
from features.kept import kept
from features.kernels.courses import NEVER
from features.medicines.courses import Course, CourseColumns, course_columns, courses_of, rows_of_places
from features.monitoring import due_dates
from features.records.days import NO_DAY
from features.records.tables import COMPARATORS, TABLES
from features.reference import MEDICINES

_MEDICINES = tuple(MEDICINES.values())
_CATEGORIES = TABLES["conditions"].column("category").values
_ADMINISTERED = TABLES["supplies"].column("kind").values.index("administered")
_IS_INJECTION = np.array([m.is_antipsychotic and m.is_long_acting_injection for m in _MEDICINES], bool)
SHARD = 1024
"""Number of people whose rows are held at one time."""


class Shard:
    """People at ``places`` in the records, as known at 00:00 of the day number ``as_of``; ``part`` is where they stand
    in ``scheduled``."""

    def __init__(self, shared: Shared, places: Rows, as_of: int, scheduled: due_dates.Dues, part: slice) -> None:
        self.shared, self.places, self.as_of, self.part = shared, places, as_of, part
        self.scheduled = scheduled
        self.regimen = scheduled.situation.taking[part]
        self.dues = due_dates.Dues(
            scheduled.day[part],
            scheduled.protocol[part],
            scheduled.unsure[part],
            scheduled.tested[part],
            scheduled.began[part],
            scheduled.situation,
        )
        self.kept: dict[object, Any] = {}
        """What others worked out about this shard, each under its own key."""

    def __len__(self) -> int:
        return len(self.places)

    def _visible(self, table: str, day: str) -> Visible:
        offsets, columns = self.shared.records.offsets(table), self.shared.records.columns(table)
        if len(self) == 1:
            first, last = offsets[self.places[0]], offsets[self.places[0] + 1]
            seen = (columns[day][first:last] < self.as_of) & (columns["known_on"][first:last] < self.as_of)
            rows = seen.nonzero()[0] + first
            return Visible(rows, np.zeros(len(rows), np.int64), [0, len(rows)])
        rows = rows_of_places(offsets, self.places)
        visible = (columns[day][rows] < self.as_of) & (columns["known_on"][rows] < self.as_of)
        ends = np.concatenate(([0], np.cumsum(visible)))
        counts = np.concatenate(([0], np.cumsum(offsets[self.places + 1] - offsets[self.places])))
        bounds = ends[counts]
        return Visible(rows[visible], np.repeat(np.arange(len(self)), np.diff(bounds)), bounds.tolist())

    def any_of(self, who: Rows) -> Bools:
        """Which people are among ``who``."""
        found = np.zeros(len(self), bool)
        found[who] = True
        return found

    def bounds(self, who: Rows) -> list[int]:
        """Where those of each person begin in ``who``, which is in order, and the end of the last."""
        if len(self) == 1:
            return [0, len(who)]
        found: list[int] = np.searchsorted(who, np.arange(len(self) + 1)).tolist()
        return found

    # medicines

    @kept
    def courses(self) -> CourseColumns:
        return course_columns(self.shared.taking, self.places, self.as_of)

    @kept
    def person_courses(self) -> list[list[Course]]:
        return courses_of(self.courses, len(self), _MEDICINES)

    @kept
    def injections(self) -> list[list[Injection]]:
        """Supplies of long-acting antipsychotics of each person, in order of day."""
        shared, columns = self.shared, self.shared.records.columns("supplies")
        rows = rows_of_places(shared.taking.offsets, self.places)
        counts = shared.taking.offsets[self.places + 1] - shared.taking.offsets[self.places]
        own = np.flatnonzero(_IS_INJECTION[columns["medicine"][rows]])
        who, rows = np.repeat(np.arange(len(self)), counts)[own], rows[own]
        stands = (columns["supplied_on"][rows] < self.as_of) & (columns["known_on"][rows] < self.as_of)
        stands &= shared.taking.undone[rows] >= self.as_of
        who, rows = who[stands], rows[stands]
        kind = columns["kind"][rows]
        made = tuples(
            Injection,
            columns["supplied_on"][rows].tolist(),
            shared.lengths[rows].tolist(),
            rows.tolist(),
            [_MEDICINES[one] for one in columns["medicine"][rows].tolist()],
            ((kind < 0) | (kind == _ADMINISTERED)).tolist(),
            columns["dose_mg"][rows].tolist(),
        )
        return cut(made, self.bounds(who))

    # results

    @kept
    def _results(self) -> tuple[ResultColumns, ResultSegments, list[str], list[ResultBounds], list[int]]:
        """Results in order of person, test, day; their segments; the test and the bounds of each segment, and where
        those of each person begin."""
        words = self.shared.tests
        seen = self._visible("results", "taken_on")
        columns = self.shared.records.columns("results")
        key = seen.who * len(words) + columns["test"][seen.rows] % len(words)
        order = np.argsort(key, kind="stable")
        rows, key = seen.rows[order], key[order]
        numbers = columns["value"][rows]
        values, signs = numbers.tolist(), columns["comparator"][rows]
        for place in np.flatnonzero(signs >= 0).tolist():
            values[place] = Bound.of(values[place], COMPARATORS[signs[place]])
        read = ResultColumns(columns["taken_on"][rows].tolist(), values, rows.tolist())
        if not len(rows):
            none = np.zeros(0)
            return read, ResultSegments(key, key, none, none), [], [], [0] * (len(self) + 1)
        starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        who, test = np.divmod(key[starts], len(words))
        newest = np.maximum.reduceat(np.where(np.isnan(numbers), -1, np.arange(len(rows))), starts)
        newest = np.where(newest < starts, -1, newest)
        latest, least = np.where(newest < 0, np.nan, numbers[newest]), np.fmin.reduceat(numbers, starts)
        ends = np.append(starts, len(rows))[1:]
        return (
            read,
            ResultSegments(who, test, latest, least),
            [words[name] for name in test.tolist()],
            list(zip(starts.tolist(), ends.tolist(), newest.tolist(), least.tolist(), strict=True)),
            self.bounds(who),
        )

    @property
    def result_segments(self) -> ResultSegments:
        return self._results[1]

    def results_of(self, who: int) -> ResultsByTest:
        read, _, tests, segments, bounds = self._results
        part = slice(bounds[who], bounds[who + 1])
        return ResultsByTest(read, dict(zip(tests[part], segments[part], strict=True)))

    # contacts and stays

    @kept
    def _contact_rows(self) -> Visible:
        return self._visible("contacts", "contact_on")

    @kept
    def _contact_columns(self) -> tuple[Bools, Bools, Bools]:
        """Of each visible contact, whether its outcome was known, and whether it was attended or missed."""
        rows = self._contact_rows.rows
        over = self.shared.records.columns("contacts")["outcome_known_on"][rows] < self.as_of
        return over, over & self.shared.attended[rows], over & self.shared.missed[rows]

    @kept
    def _seen(self) -> tuple[Rows, list[int]]:
        """Rows of all attended contacts, and where those of each person begin in them."""
        visible, (_, attended, _) = self._contact_rows, self._contact_columns
        before = np.concatenate(([0], np.cumsum(attended)))[visible.bounds]
        return visible.rows[attended], before.tolist()

    @kept
    def _seen_days(self) -> list[int]:
        days: list[int] = self.shared.records.columns("contacts")["contact_on"][self._seen[0]].tolist()
        return days

    @kept
    def last_seen_on(self) -> Rows:
        """The day of the last attended contact of each person; long ago where there is none."""
        rows, bounds = self._seen
        days = self.shared.records.columns("contacts")["contact_on"][rows].astype(np.int64)
        ends = np.array(bounds)
        some = ends[1:] > ends[:-1]
        return np.where(some, days[np.maximum(ends[1:] - 1, 0)] if len(days) else NEVER, NEVER)

    def seen_of(self, who: int) -> list[int]:
        """Days of all attended contacts."""
        bounds = self._seen[1]
        return self._seen_days[bounds[who] : bounds[who + 1]]

    def last_seen_of(self, who: int) -> Contact | None:
        rows, bounds = self._seen
        if bounds[who] == bounds[who + 1]:
            return None
        row = int(rows[bounds[who + 1] - 1])
        kind = self.shared.contact_kinds[int(self.shared.records.columns("contacts")["kind"][row])]
        return Contact(self._seen_days[bounds[who + 1] - 1], row, kind, True, False, "attended")

    @kept
    def _contacts(self) -> tuple[list[list[Any]], list[int]]:
        """Columns of the contacts of the last year and of older reviews, and where each person's begin."""
        visible, (over, attended, missed) = self._contact_rows, self._contact_columns
        columns = self.shared.records.columns("contacts")
        rows = visible.rows
        kind, day = columns["kind"][rows], columns["contact_on"][rows]
        keep = (day >= self.as_of - YEAR) | self.shared.is_review[kind]
        before = np.concatenate(([0], np.cumsum(keep)))[visible.bounds].tolist()
        words, outcomes = self.shared.contact_kinds, self.shared.outcomes
        ended = zip(columns["outcome"][rows[keep]].tolist(), over[keep].tolist(), strict=True)
        read: list[list[Any]] = [
            day[keep].tolist(),
            rows[keep].tolist(),
            [words[one] for one in kind[keep].tolist()],
            attended[keep].tolist(),
            missed[keep].tolist(),
            [outcomes[end] if known else "planned" for end, known in ended],
        ]
        return read, before

    def contacts_of(self, who: int) -> list[Contact]:
        """Contacts of the last year, and older reviews. An outcome that was not known yet is read as planned."""
        read, bounds = self._contacts
        part = slice(bounds[who], bounds[who + 1])
        return tuples(Contact, *(column[part] for column in read))

    @kept
    def reviews(self) -> list[list[Contact]]:
        """Attended medicines and care reviews of each person."""
        visible, attended = self._contact_rows, self._contact_columns[1]
        kind, day = (self.shared.records.columns("contacts")[name][visible.rows] for name in ("kind", "contact_on"))
        held = np.flatnonzero(attended & self.shared.is_review[kind])
        words = self.shared.contact_kinds
        made = [
            Contact(on, row, words[code], True, False, "attended")
            for on, row, code in zip(day[held].tolist(), visible.rows[held].tolist(), kind[held].tolist(), strict=True)
        ]
        return cut(made, self.bounds(visible.who[held]))

    @kept
    def spoken_with_carer(self) -> Bools:
        """Which people have a contact of the last year with their carer."""
        visible, shared, columns = self._contact_rows, self.shared, self.shared.records.columns("contacts")
        rows = visible.rows
        found = self._contact_columns[0] & (columns["outcome"][rows] == shared.outcomes.index("attended"))
        found &= contact_kinds(("carer",))[columns["kind"][rows]] & (columns["contact_on"][rows] >= self.as_of - YEAR)
        return self.any_of(visible.who[found])

    @kept
    def referrals_closed(self) -> Bools:
        """Which people have referrals, all of them closed. A closure that was not known yet is read as missing."""
        visible, columns = self._visible("referrals", "opened_on"), self.shared.records.columns("referrals")
        rows = visible.rows
        closed = (columns["closed_known_on"][rows] < self.as_of) & (columns["closed_on"][rows] < self.as_of)
        return self.any_of(visible.who) & ~self.any_of(visible.who[~closed])

    def contact_since(self, day: int, kinds: Iterable[str]) -> Bools:
        """Which people have a contact of some kinds since a day."""
        visible, columns = self._contact_rows, self.shared.records.columns("contacts")
        found = columns["contact_on"][visible.rows] >= day
        found &= contact_kinds(tuple(kinds))[columns["kind"][visible.rows]]
        return self.any_of(visible.who[found])

    def attended_since(self, day: int, kind: str) -> Bools:
        """Which people attended a contact of a kind since a day."""
        visible, columns = self._contact_rows, self.shared.records.columns("contacts")
        found = self._contact_columns[1] & (columns["contact_on"][visible.rows] >= day)
        found &= columns["kind"][visible.rows] == self.shared.contact_kinds.index(kind)
        return self.any_of(visible.who[found])

    def offered_since(self, day: int) -> tuple[Rows, Bools]:
        """The person of each contact since a day that was attended or missed, and whether it was missed."""
        visible, days = self._contact_rows, self.shared.records.columns("contacts")["contact_on"]
        _, attended, missed = self._contact_columns
        offered = np.flatnonzero((attended | missed) & (days[visible.rows] >= day))
        return visible.who[offered], missed[offered]

    @kept
    def stays(self) -> tuple[Visible, list[Stay]]:
        """Stays of everybody. A discharge that was not known yet is read as missing."""
        visible, shared = self._visible("stays", "admitted_on"), self.shared
        columns, rows = shared.records.columns("stays"), visible.rows
        left = columns["discharged_on"][rows]
        left = np.where((columns["discharge_known_on"][rows] < self.as_of) & (left < self.as_of), left, NO_DAY)
        made = tuples(
            Stay,
            rows.tolist(),
            columns["admitted_on"][rows].tolist(),
            left.tolist(),
            [shared.methods[one] for one in columns["method"][rows].tolist()],
            [shared.wards[one] for one in columns["ward"][rows].tolist()],
        )
        return visible, made

    def stays_of(self, who: int) -> list[Stay]:
        visible, made = self.stays
        return made[visible.bounds[who] : visible.bounds[who + 1]]

    def stayed(self, when: Any) -> Bools:
        """Which people have a stay of which ``when(stay)`` holds."""
        visible, made = self.stays
        return self.any_of(np.array([w for w, stay in zip(visible.who.tolist(), made, strict=True) if when(stay)], int))

    # circumstances and conditions

    @kept
    def circumstances(self) -> Visible:
        return self._visible("circumstances", "from_on")

    @kept
    def _circumstance_columns(self) -> tuple[list[int], list[int], list[str]]:
        """The row, day and kind of each circumstance."""
        rows = self.circumstances.rows
        days, kinds = self.shared.records.columns("circumstances")["from_on"][rows], self.shared.circumstances[0]
        places = rows.tolist()
        return places, days.tolist(), [kinds[row] for row in places]

    def circumstances_of(self, who: int) -> dict[str, list[Circumstance]]:
        """Circumstances by kind, in order of day."""
        low, high = self.circumstances.bounds[who : who + 2]
        found: dict[str, list[Circumstance]] = {}
        if low < high:
            rows, days, kinds = self._circumstance_columns
            values = self.shared.circumstances[1]
            for row, day, kind in zip(rows[low:high], days[low:high], kinds[low:high], strict=True):
                found.setdefault(kind, []).append(Circumstance(row, day, values[row]))
        return found

    @kept
    def conditions(self) -> Visible:
        return self._visible("conditions", "recorded_on")

    @kept
    def _condition_columns(self) -> list[list[int]]:
        columns, rows = self.shared.records.columns("conditions"), self.conditions.rows
        return [rows.tolist(), columns["recorded_on"][rows].tolist(), columns["category"][rows].tolist()]

    def conditions_of(self, who: int) -> dict[str, list[tuple[int, int, str]]]:
        """(row, day, code) by category: diagnosis, allergy, shared_care."""
        mine: tuple[list[tuple[int, int, str]], ...] = tuple([] for _ in _CATEGORIES)
        low, high = self.conditions.bounds[who : who + 2]
        if low < high:
            codes = self.shared.condition_codes
            rows, days, categories = self._condition_columns
            for row, day, category in zip(rows[low:high], days[low:high], categories[low:high], strict=True):
                mine[category].append((row, day, codes[row] or ""))
        return dict(zip(_CATEGORIES, mine, strict=True))

    def recorded(self, category: str, keep: Bools | None = None) -> Bools:
        """Which people have a visible condition of a category, among the rows of the table that ``keep`` marks."""
        rows = self.conditions.rows
        found = self.shared.records.columns("conditions")["category"][rows] == _CATEGORIES.index(category)
        if keep is not None:
            found &= keep[rows]
        return self.any_of(self.conditions.who[found])

    # scheduled checks

    @kept
    def due_columns(self) -> DueColumns:
        """The checks whose due day has come, in order of person, then of item."""
        dues, items = self.dues, due_dates.items()
        who, places = np.nonzero((dues.protocol >= 0) & (dues.day <= self.as_of))
        protocol, day, start = dues.protocol[who, places], dues.day[who, places], dues.start[who, places]
        made = tuples(
            Due,
            [items[place] for place in places.tolist()],
            protocol.tolist(),
            day.tolist(),
            dues.last[who, places].tolist(),
            start.tolist(),
        )
        past = day.astype(np.int64) + due_dates.grace_days()[protocol] < self.as_of
        return DueColumns(who, places, protocol, day, start, past, made)

    @kept
    def _due(self) -> list[list[Due]]:
        columns = self.due_columns
        return cut(columns.made, self.bounds(columns.who))

    @kept
    def _late(self) -> list[list[Due]]:
        columns = self.due_columns
        return self.by_person(columns, np.flatnonzero(columns.past_grace))

    @kept
    def planned(self) -> list[list[Due]]:
        """Every scheduled check of each person, past or to come, in order of item."""
        dues, items = self.dues, due_dates.items()
        who, places = np.nonzero(dues.protocol >= 0)
        parts = (dues.protocol, dues.day, dues.last, dues.start)
        made = tuples(Due, [items[place] for place in places.tolist()], *(part[who, places].tolist() for part in parts))
        return cut(made, self.bounds(who))

    def met_since(self, day: int) -> list[list[int]]:
        """For each person the places of the scheduled checks whose last result is of that day or later."""
        found = self.kept.get(("met since", day))
        if found is None:
            dues = self.dues
            who, places = np.nonzero((dues.protocol >= 0) & (dues.last >= day) & (dues.last != NO_DAY))
            found = self.kept["met since", day] = cut(places.tolist(), self.bounds(who))
        return cast(list[list[int]], found)

    @kept
    def unsure(self) -> list[list[due_dates.Item]]:
        """The checks of each person that may apply, and whose condition is not recorded."""
        who, places = np.nonzero(self.dues.unsure)
        items = due_dates.items()
        return cut([items[place] for place in places.tolist()], self.bounds(who))

    def by_person(self, columns: DueColumns, some: Rows) -> list[list[Due]]:
        """The checks at some places of their columns, which are in order of person, as a list for each person."""
        return cut([columns.made[place] for place in some.tolist()], self.bounds(columns.who[some]))

    def due_of(self, who: int) -> list[Due]:
        return self._due[who]

    def late_of(self, who: int) -> list[Due]:
        return self._late[who]


def shards(shared: Shared, places: Rows, as_of: int, scheduled: due_dates.Dues) -> Iterator[Shard]:
    """The people at ``places``, a shard at a time, in their order."""
    for low in range(0, len(places), SHARD):
        part = slice(low, low + SHARD)
        yield Shard(shared, places[part], as_of, scheduled, part)
