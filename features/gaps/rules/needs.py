"""What a record must hold before a rule can find anything. A rule is not asked about a person without it.

Most people take none of the medicines that a rule is about. Each rule is one bit in a mask of all rules, and the needs
are decided on the columns of a shard of people at once. A need is only ever a necessary condition: the rule itself
still decides (tests ask every rule about everybody, and compare).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.gaps.gap import Gap
from features.gaps.person_view import PersonAsKnown
from features.gaps.shard import Shard
from features.gaps.shard_columns import Bools
from features.gaps.shared import word_list
from features.kernels import courses as course
from features.kernels.regimen import CURRENT_GRACE_DAYS
from features.medicines import regimen
from features.monitoring import due_dates
from features.reference import MEDICINES, Medicine

Rule = Callable[[PersonAsKnown], Iterator[Gap]]
OfMedicine = Callable[[Medicine], bool]
Masks = npt.NDArray[np.int64]
MOST_RULES = 62
"""Rules that fit into one whole number of numpy, a bit each."""


FEW_PEOPLE = 2
"""Of so few people only what they take is asked before the rules: deciding the rest on columns takes longer than the
rules that it saves."""


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
    circumstances: Callable[[str, str], bool] | None = None
    """A circumstance of such a kind and value."""
    regimen: tuple[tuple[str, float], ...] = ()
    """(field, limit): a number of the regimen above a limit."""
    meets: Callable[[Shard], Bools] | None = None
    """Any other condition, of each person of a shard."""


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

    def table(self, words: Iterable[object]) -> Masks:
        """What each of some words allows."""
        return np.array([self.allows.get(word, 0) for word in words], np.int64)


class Plan:
    """Some rules with their needs, made once: the rules to ask about each person."""

    def __init__(self, rules: Sequence[Rule], needs: Mapping[Rule, Need]) -> None:
        if len(rules) > MOST_RULES:
            raise ValueError(f"{len(rules)} rules: a plan holds at most {MOST_RULES}")
        self.rules = tuple(rules)
        self._needs = [needs.get(rule, Need()) for rule in rules]
        self._asked: dict[int, tuple[Rule, ...]] = {}

    @cached_property
    def _medicines(self) -> tuple[_Field, Masks, _Field, Masks]:
        current = _Field([None if need.current is None else _names(need.current) for need in self._needs])
        ever = _Field([None if need.ever is None else (*_names(need.ever), *need.or_due) for need in self._needs])
        return current, current.table(MEDICINES), ever, ever.table(MEDICINES)

    @cached_property
    def _due(self) -> tuple[Masks, Masks]:
        """Places of scheduled checks that allow rules, and the rules that each allows."""
        allows = self._medicines[2].allows
        allowed = np.array([allows.get((item.scope, item.test), 0) for item in due_dates.items()], np.int64)
        places = np.flatnonzero(allowed)
        return places, allowed[places]

    @cached_property
    def _tests(self) -> tuple[int, Masks]:
        """The rules that ask for no test, and by test those that it allows."""
        field = _Field([need.tests or None for need in self._needs])
        return field.free, field.table(word_list("results", "test"))

    @cached_property
    def _limits(self) -> tuple[int, Masks, npt.NDArray[np.float64], Masks]:
        """The rules that ask nothing of the regimen; then places of its fields, their limits, and the rule that asks
        for each."""
        fields = {name: place for place, name in enumerate(regimen.FIELDS)}
        asked = [
            (fields[name], limit, 1 << place) for place, need in enumerate(self._needs) for name, limit in need.regimen
        ]
        places, limits, bits = zip(*asked, strict=True) if asked else ((), (), ())
        return (
            self._without("regimen"),
            np.array(places, np.int64),
            np.array(limits, np.float64),
            np.array(bits, np.int64),
        )

    def _without(self, field: str) -> int:
        """The rules that ask nothing of a field."""
        return sum(1 << place for place, need in enumerate(self._needs) if not getattr(need, field))

    def _masks(self, shard: Shard) -> Masks:
        """The rules to ask about each person of a shard, as bits."""
        if len(shard) <= FEW_PEOPLE:
            return self._by_medicine(shard) & self._by_regimen(shard)
        allowed = (
            self._by_medicine(shard) & self._by_test(shard) & self._by_circumstance(shard) & self._by_regimen(shard)
        )
        return allowed & ~self._refused(shard, int(np.bitwise_or.reduce(allowed, initial=0)))

    def _by_medicine(self, shard: Shard) -> Masks:
        columns = shard.courses
        current, of_current, ever, of_ever = self._medicines
        who = columns.number(course.WHO)
        now, past = np.full(len(shard), current.free, np.int64), np.full(len(shard), ever.free, np.int64)
        reach = columns.number(course.END) >= shard.as_of - CURRENT_GRACE_DAYS
        np.bitwise_or.at(now, who[reach], of_current[columns.medicine[reach]])
        np.bitwise_or.at(past, who, of_ever[columns.medicine])
        places, bits = self._due
        due = (shard.dues.protocol[:, places] >= 0) & (shard.dues.day[:, places] <= shard.as_of)
        past |= np.bitwise_or.reduce(np.where(due, bits, 0), axis=1)
        return now & past

    def _by_test(self, shard: Shard) -> Masks:
        free, of_test = self._tests
        segments, found = shard.result_segments, np.full(len(shard), free, np.int64)
        np.bitwise_or.at(found, segments.who, of_test[segments.test])
        return found

    def _by_circumstance(self, shard: Shard) -> Masks:
        visible, found = shard.circumstances, np.full(len(shard), self._without("circumstances"), np.int64)
        if len(visible.rows):
            np.bitwise_or.at(
                found, visible.who, shard.shared.of_circumstances(self, self._of_circumstance)[visible.rows]
            )
        return found

    def _of_circumstance(self, kind: str, value: str) -> int:
        needs = enumerate(self._needs)
        return sum(1 << place for place, need in needs if need.circumstances and need.circumstances(kind, value))

    def _by_regimen(self, shard: Shard) -> Masks:
        free, places, limits, bits = self._limits
        return free | np.bitwise_or.reduce(np.where(shard.regimen[:, places] > limits, bits, 0), axis=1)

    def _refused(self, shard: Shard, asked: int) -> Masks:
        """The rules whose other condition a person does not meet, of those ``asked`` about anybody."""
        found = np.zeros(len(shard), np.int64)
        for place, need in enumerate(self._needs):
            if need.meets is not None and asked >> place & 1:
                found[~need.meets(shard)] |= 1 << place
        return found

    def of(self, person: PersonAsKnown) -> tuple[Rule, ...]:
        """The rules whose needs the record of a person meets, in their order."""
        masks = person.shard.kept.get(self)
        if masks is None:
            masks = person.shard.kept[self] = self._masks(person.shard).tolist()
        mask = masks[person.who]
        asked = self._asked.get(mask)
        if asked is None:
            asked = tuple(rule for place, rule in enumerate(self.rules) if mask >> place & 1)
            self._asked[mask] = asked
        return asked


def _names(means: OfMedicine) -> tuple[str, ...]:
    return tuple(name for name, medicine in MEDICINES.items() if means(medicine))


def medicines(means: OfMedicine) -> Bools:
    """Which medicines, by their position in MEDICINES."""
    return np.array([means(medicine) for medicine in MEDICINES.values()], bool)
