"""What falls due for a person in the next two weeks, and what is due and not yet past its days of grace: checks of the
schedule, injections, supplies. The due dates are those of the care gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.gaps.person_view import Due, PersonAsKnown
from features.gaps.rules.monitoring import clozapine
from features.monitoring.due_dates import CLOZAPINE_COUNT
from features.reference import TESTS
from features.summaries.held import HeldMedicine

AHEAD_DAYS = 14
_ANNUAL = "annual_physical_health_check"
"""Stands for its parts where it falls due on the same day."""


@dataclass(frozen=True, slots=True)
class DueItem:
    """One thing that falls due: ``kind`` is check, injection or supply; ``labels`` what, those of one day and scope
    together; ``scope`` the medicine or group it is for."""

    day: int
    kind: str
    labels: tuple[str, ...]
    scope: str


def upcoming(person: PersonAsKnown, medicines: Sequence[HeldMedicine]) -> tuple[DueItem, ...]:
    """In order of day."""
    t = person.as_of
    checks: dict[tuple[int, str], list[str]] = {}
    for due in scheduled(person):
        if due.day < t + AHEAD_DAYS and not due.past_grace(t):
            checks.setdefault((due.day, due.item.scope), []).append(due.item.test)
    found = [DueItem(day, "check", _labels(tests), scope) for (day, scope), tests in checks.items()]
    for one in medicines:
        if one.next is not None and t <= one.next < t + AHEAD_DAYS and not one.lapsed:
            kind = "injection" if one.injection else "supply"
            found.append(DueItem(one.next, kind, (one.name,), one.name))
    return tuple(sorted(found, key=lambda item: (item.day, item.kind, item.labels)))


def scheduled(person: PersonAsKnown) -> list[Due]:
    """Every scheduled test with its due day, past or to come; the clozapine blood count by the interval that the
    register gave, where it did."""
    count = clozapine.next_count(person)
    found = [due for due in person.planned if (due.item.scope, due.item.test) != CLOZAPINE_COUNT]
    return found if count is None else [count, *found]


def _labels(tests: Sequence[str]) -> tuple[str, ...]:
    first = [_ANNUAL] if _ANNUAL in tests else []
    ordered = [*first, *sorted({test for test in tests if test != _ANNUAL}, key=lambda test: TESTS[test].label.lower())]
    return tuple(TESTS[test].label for test in ordered)


def next_due(person: PersonAsKnown, scope: str, *tests: str) -> Due | None:
    """The earliest due of some tests in a scope."""
    found = [due for due in scheduled(person) if due.item.scope == scope and due.item.test in tests]
    return min(found, key=lambda due: due.day) if found else None
