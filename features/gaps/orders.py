"""Finds the care gaps that matter for an order: runs the caseload's rules on one person as if the ordered medicine
were supplied, and keeps the gaps about that medicine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from features.gaps import people
from features.gaps.gap import Gap, gap_order
from features.gaps.person_view import PersonAsKnown
from features.gaps.rules.monitoring import clozapine, clozapine_results, lithium
from features.gaps.rules.prescribing import antipsychotics, doses, interactions, pregnancy, valproate
from features.medicines.courses import Course, first_of_each
from features.records import Records

Rule = Callable[[PersonAsKnown], Iterator[Gap]]
_OF_MEDICINE: dict[str, tuple[Rule, ...]] = {
    "clozapine": clozapine.RULES + clozapine_results.RULES,
    "lithium": (*lithium.RULES, *pregnancy.RULES),
    "valproate": valproate.RULES,
    "topiramate": pregnancy.RULES,
    "carbamazepine": pregnancy.RULES,
}
"""Rules about one medicine, by its base."""
CHECKED = (
    "clozapine blood counts and results, lithium levels and kidney function, "
    "the documents of valproate and topiramate, recorded pregnancies, "
    "interactions, recorded allergies and doses above a maximum"
)
"""What an order is checked for, in words."""


def gaps_of_order(records: Records, patient_id: str, medicines: frozenset[str], as_of: int) -> list[Gap]:
    """Gaps of one person that concern any of ``medicines`` (names), which ``records`` hold as supplied before the day
    number ``as_of``; in :func:`gap_order`. Raises KeyError for somebody who is not in the records."""
    places = records.positions([patient_id])
    if (places < 0).any():
        raise KeyError("the person of the order is not among the resources")
    person = next(people(records, np.asarray(places), as_of))
    ordered = [course for course in person.current if course.medicine.name in medicines]
    return sorted(_gaps(person, ordered), key=gap_order)


def _gaps(person: PersonAsKnown, ordered: list[Course]) -> Iterator[Gap]:
    everything = person.current
    bases = list(dict.fromkeys(course.medicine.base for course in ordered))
    for rule in dict.fromkeys(rule for base in bases for rule in _OF_MEDICINE.get(base, ())):
        yield from rule(person)
    if any(course.medicine.is_antipsychotic for course in ordered):
        yield from antipsychotics.high_dose(person)
    # Each pair is examined alone, so that a gap names the ordered medicine and no pair of other medicines.
    names = {course.medicine.name for course in ordered}
    each = first_of_each(everything)
    for first, second in combinations(each, 2):
        if first.medicine.name in names or second.medicine.name in names:
            person.current = [first, second]
            yield from interactions.new_interaction(person, with_ended=False)
            yield from interactions.standing(person)
    for course in each:
        if course.medicine.name in names:
            person.current = [course]
            yield from interactions.new_interaction(person)
    person.current = [course for course in everything if course.medicine.base in bases]
    yield from doses.above_maximum(person)
    person.current = ordered
    yield from doses.allergy_conflict(person)
    person.current = everything
