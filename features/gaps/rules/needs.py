"""What a record must hold before a rule can find anything. A rule is not asked about a person without it.

Most people take none of the medicines that a rule is about. Each rule's need is one bit in a mask of all rules, so that
which rules to ask about a person is a few ``and`` and ``or`` of whole numbers. A need is only ever a necessary
condition: the rule itself still decides (tests ask every rule about everybody, and compare).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from features.gaps.gap import Gap
from features.gaps.person_view import PersonAsKnown
from features.medicines import regimen
from features.reference import MEDICINES, Medicine

Rule = Callable[[PersonAsKnown], Iterator[Gap]]
OfMedicine = Callable[[Medicine], bool]


class Need(NamedTuple):
    """All that is given must hold; of what is listed in one field, any one is enough."""

    current: OfMedicine | None = None
    """A current course of such a medicine."""
    ever: OfMedicine | None = None
    """A course of such a medicine, current or past."""
    or_due: tuple[tuple[str, str], ...] = ()
    """(scope, test) of a scheduled check that is due, which is enough in place of a course (``ever``)."""
    tests: frozenset[str] = frozenset()
    """A result of such a test."""
    numbers: tuple[tuple[str, Callable[[float], bool]], ...] = ()
    """(test, condition): the newest number of such a test meets such a condition."""
    circumstances: frozenset[str] = frozenset()
    """A circumstance of such a kind."""
    regimen: tuple[tuple[str, float], ...] = ()
    """(field, limit): a number of the regimen above a limit."""
    meets: Callable[[PersonAsKnown], bool] | None = None
    """Any other condition that takes little time to check."""


class _Field:
    """One field of the needs: which rules each word allows; ``free`` are the rules that ask nothing of it."""

    def __init__(self, needed: Sequence[Iterable[object] | None]) -> None:
        self.free = 0
        self.allows: dict[object, int] = {}
        for place, words in enumerate(needed):
            if words is None:
                self.free |= 1 << place
            for word in words or ():
                self.allows[word] = self.allows.get(word, 0) | 1 << place


class Plan:
    """Some rules with their needs, made once: the rules to ask about each person."""

    def __init__(self, rules: Sequence[Rule], needs: Mapping[Rule, Need]) -> None:
        self.rules = tuple(rules)
        self._needs = [needs.get(rule, Need()) for rule in rules]
        self._numbers: dict[str, list[tuple[Callable[[float], bool], int]]] = {}
        for place, need in enumerate(self._needs):
            for test, met in need.numbers:
                self._numbers.setdefault(test, []).append((met, 1 << place))
        self._without_numbers = sum(1 << place for place, need in enumerate(self._needs) if not need.numbers)
        self._scopes = frozenset(scope for need in self._needs for scope, _ in need.or_due)
        self._asked: dict[int, tuple[Rule, ...]] = {}

    @cached_property
    def _fields(self) -> tuple[_Field, _Field, _Field, _Field]:
        needs = self._needs
        ever = [None if need.ever is None else (*_names(need.ever), *need.or_due) for need in needs]
        return (
            _Field([None if need.current is None else _names(need.current) for need in needs]),
            _Field(ever),
            _Field([need.tests or None for need in needs]),
            _Field([need.circumstances or None for need in needs]),
        )

    @cached_property
    def _limits(self) -> list[tuple[int, float, int]]:
        """(place of a field of the regimen, limit, the rule's bit)."""
        fields = {name: place for place, name in enumerate(regimen.FIELDS)}
        return [
            (fields[name], limit, 1 << place) for place, need in enumerate(self._needs) for name, limit in need.regimen
        ]

    @cached_property
    def _without_limits(self) -> int:
        return sum(1 << place for place, need in enumerate(self._needs) if not need.regimen)

    @cached_property
    def _conditions(self) -> list[tuple[Callable[[PersonAsKnown], bool], int]]:
        return [(need.meets, 1 << place) for place, need in enumerate(self._needs) if need.meets is not None]

    def of(self, person: PersonAsKnown) -> tuple[Rule, ...]:
        """The rules whose needs the record of a person meets, in their order."""
        current, ever, tests, circumstances = self._fields
        mask, allows = current.free, current.allows
        for course in person.current:
            mask |= allows.get(course.medicine.name, 0)
        part, allows = ever.free, ever.allows
        for course in person.courses:
            part |= allows.get(course.medicine.name, 0)
        for due in person.due:
            if due.item.scope in self._scopes:
                part |= allows.get((due.item.scope, due.item.test), 0)
        mask &= part
        part = tests.free
        for test in person.results.tests & tests.allows.keys():
            part |= tests.allows[test]
        mask &= part
        part = self._without_numbers
        for test in person.results.tests & self._numbers.keys():
            value = person.newest_value(test)
            for met, bit in self._numbers[test]:
                if not part & bit and met(value):
                    part |= bit
        mask &= part
        part = circumstances.free
        for kind in person.circumstances:
            part |= circumstances.allows.get(kind, 0)
        mask &= part
        part, row = self._without_limits, person.regimen_row
        for place, limit, bit in self._limits:
            if row[place] > limit:
                part |= bit
        mask &= part
        for meets, bit in self._conditions:
            if mask & bit and not meets(person):
                mask &= ~bit
        asked = self._asked.get(mask)
        if asked is None:
            asked = tuple(rule for place, rule in enumerate(self.rules) if mask >> place & 1)
            self._asked[mask] = asked
        return asked


def _names(means: OfMedicine) -> tuple[str, ...]:
    return tuple(name for name, medicine in MEDICINES.items() if means(medicine))
