"""Plain values that a rule reads: a person's results, contacts, stays, supplies, due tests and circumstances."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, KeysView, Mapping
from functools import cache
from typing import Any, NamedTuple

from features.monitoring import due_dates
from features.reference import PROTOCOLS, Medicine, medicines_in, medicines_meant
from features.spec import satisfying

YEAR = 365
NAN = float("nan")


class Reading(NamedTuple):
    """One result: NaN where the check was recorded without a number."""

    day: int
    value: float
    row: int


class Bound(float):
    """The number of a result such as ``<0.5``. It compares as a number and is shown with its sign."""

    sign: str

    @classmethod
    def of(cls, value: float, sign: str) -> Bound:
        made = cls(value)
        made.sign = sign
        return made

    def __format__(self, how: str) -> str:
        return f"{self.sign}{float(self):{how}}"


class ResultColumns(NamedTuple):
    """Results of the people of a shard, in order of person, test, day."""

    day: list[int]
    value: list[float]
    row: list[int]


ResultBounds = tuple[int, int, int, float]
"""Of the results of one person and test: their first place, the place after their last, the place of the latest that
holds a number (-1 if none does), and the least number (NaN if there is none)."""


class ResultsByTest(Mapping[str, list[Reading]]):
    """Every result of one person, by test. A list is made when a rule first reads it: most tests
    of most people are read by none, or for their latest value alone."""

    __slots__ = ("_bounds", "_columns", "_made")

    def __init__(self, columns: ResultColumns, bounds: dict[str, ResultBounds]) -> None:
        self._columns, self._bounds = columns, bounds
        self._made: dict[str, list[Reading]] = {}

    def __getitem__(self, test: str) -> list[Reading]:
        made = self._made.get(test)
        if made is None:
            low, high, _, _ = self._bounds[test]
            day, value, row = self._columns
            made = self._made[test] = list(map(Reading, day[low:high], value[low:high], row[low:high]))
        return made

    @property
    def tests(self) -> KeysView[str]:
        """Names of the tests with a result."""
        return self._bounds.keys()

    def get(self, test: str, default: Any = None) -> Any:
        return self[test] if test in self._bounds else default

    def __contains__(self, test: object) -> bool:
        return test in self._bounds

    def __iter__(self) -> Iterator[str]:
        return iter(self._bounds)

    def __len__(self) -> int:
        return len(self._bounds)

    def newest(self, test: str) -> Reading | None:
        """The latest result of a test that holds a number."""
        bounds = self._bounds.get(test)
        if bounds is None or bounds[2] < 0:
            return None
        place, (day, value, row) = bounds[2], self._columns
        return Reading(day[place], value[place], row[place])

    def numbered(self, test: str) -> list[tuple[int, float, int]]:
        """(day, number, row) of all results of a test that hold a number, in order of day."""
        bounds = self._bounds.get(test)
        if bounds is None:
            return []
        day, value, row = self._columns
        part = slice(bounds[0], bounds[1])
        return [one for one in zip(day[part], value[part], row[part], strict=True) if one[1] == one[1]]

    def numbers(self, test: str) -> list[float]:
        """The numbers of all results of a test, in order of day."""
        bounds = self._bounds.get(test)
        return [] if bounds is None else [one for one in self._columns.value[bounds[0] : bounds[1]] if one == one]

    def least(self, test: str) -> float:
        """The least number of a test; NaN where there is none."""
        bounds = self._bounds.get(test)
        return NAN if bounds is None else bounds[3]

    def last(self, test: str) -> Reading | None:
        """The latest result of a test, with or without a number."""
        bounds = self._bounds.get(test)
        if bounds is None:
            return None
        place, (day, value, row) = bounds[1] - 1, self._columns
        return Reading(day[place], value[place], row[place])

    def last_on(self, test: str, on: int) -> Reading | None:
        """The last result of a test on a day."""
        bounds = self._bounds.get(test)
        if bounds is None:
            return None
        day, value, row = self._columns
        place = bisect_right(day, on, bounds[0], bounds[1]) - 1
        return Reading(on, value[place], row[place]) if place >= bounds[0] and day[place] == on else None

    def newest_value(self, test: str) -> float:
        """The number of :meth:`newest`; NaN where there is none."""
        bounds = self._bounds.get(test)
        return NAN if bounds is None or bounds[2] < 0 else self._columns.value[bounds[2]]


class Contact(NamedTuple):
    day: int
    row: int
    kind: str
    attended: bool
    """Outcome attended, face to face, by video or telephone, and with the person rather than a carer (docs/clinical.md
    section 2.1)."""
    missed: bool
    outcome: str


class Stay(NamedTuple):
    row: int
    admitted: int
    discharged: int
    method: str
    ward: str


class Supply(NamedTuple):
    """One supply: how many days it lasts, and whether trust (0) or GP (1) prescribed it, -1 if not recorded."""

    day: int
    length: int
    row: int
    side: int


class Injection(NamedTuple):
    """One supply of a long-acting antipsychotic. ``given`` is True if it is recorded as administered or has no
    recorded kind. A prescription or a dispensing to a clinic does not show that the injection was given.
    """

    day: int
    length: int
    row: int
    medicine: Medicine
    given: bool
    dose_mg: float


class Due(NamedTuple):
    """One scheduled test: its due day, the protocol (position in PROTOCOLS) that asks for it, the last result's day
    (NO_DAY if none), and the day from which its days count."""

    item: due_dates.Item
    protocol: int
    day: int
    last: int
    start: int

    def past_grace(self, as_of: int) -> bool:
        return as_of > self.day + PROTOCOLS[self.protocol].grace_days


class ConditionAnswers(NamedTuple):
    """The schedule's conditions for one person: 1 applies, 0 does not apply, -1 cannot be assessed
    (features/monitoring/applicability.py)."""

    lithium_high_risk: int
    childbearing: int
    colour: int
    """The current colour of the clozapine blood count (0 green, 1 amber, 2 red), set on the day ``coloured_on``."""
    coloured_on: int


class Circumstance(NamedTuple):
    row: int
    day: int
    value: str


@cache
def meant(term: str) -> frozenset[str]:
    """Names of the medicines that a word of the interaction table or a scope means."""
    return medicines_meant(term)


@cache
def scope_names(scope: str) -> frozenset[str]:
    """Medicines under a protocol's scope; none for a scope of people."""
    return frozenset(medicines_in(scope))


@cache
def meeting(test: str) -> tuple[str, ...]:
    """The test and every other test that meets its schedule."""
    return satisfying(test)
