"""Pairs of medicines that began to be taken together lately."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, gap_of, iso
from features.gaps.person_view import Person
from features.kernels.regimen import NEW_PAIR_DAYS
from features.medicines.courses import Course
from features.reference import INTERACTIONS, MEDICINES, Interaction, pairs

_PLACE = {name: place for place, name in enumerate(MEDICINES)}
_PAIRS = pairs().tolist()
IMPORTANT = ("high", "contraindicated")


def important_pairs(person: Person) -> list[tuple[Course, Course, Interaction]]:
    """Current pairs rated high or contraindicated: the ``interactions`` of the regimen, by name."""
    found = []
    for position, second in enumerate(person.current):
        row = _PAIRS[_PLACE[second.medicine.name]]
        for first in person.current[:position]:
            place = row[_PLACE[first.medicine.name]]
            if place >= 0 and INTERACTIONS[place].severity in IMPORTANT:
                found.append((first, second, INTERACTIONS[place]))
    return found


def new_interaction(person: Person) -> Iterator[Gap]:
    """INTERACTION_NEW: a pair rated high or contraindicated that has been current together for 30 days or less.

    [D]: contraindicated is critical. The value names both medicines, the effect and the table's action.
    """
    if not person.regimen("new_interactions_30d") > 0:
        return
    found = []
    for first, second, row in important_pairs(person):
        later = max(first, second, key=lambda course: course.start)
        if person.as_of - later.start > NEW_PAIR_DAYS:
            continue
        action = row.action.replace("_", " ")
        found.append(
            Finding(
                "critical" if row.severity == "contraindicated" else "high",
                f"{first.medicine.name} with {second.medicine.name} since {iso(later.start)}: {row.effect}; {action}",
                (citations.interaction(row.id),),
                tuple(
                    Evidence("supplies", c.first_row, c.start, f"{c.medicine.name} started") for c in (first, second)
                ),
            )
        )
    if found:
        yield from gap_of(CODES["INTERACTION_NEW"], found)


RULES = (new_interaction,)
