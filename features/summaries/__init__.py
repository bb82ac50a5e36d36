"""One person at a glance, for pages and registers: medicines with doses, what is known about them, what falls due, and
the registers they stand on. From the same person, courses and due dates that the care gaps read."""

from __future__ import annotations

from dataclasses import dataclass

from features.gaps import could_not_check
from features.gaps.closings import Closing, closings
from features.gaps.person_view import PersonAsKnown
from features.summaries.about import About, about
from features.summaries.held import HeldMedicine, UnknownMedicine, held, unknown
from features.summaries.registers import REGISTERS, RegisterRow, registers
from features.summaries.upcoming import AHEAD_DAYS, DueItem, upcoming


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """Everything a page says of one person before it says anything of risk. Days are day numbers."""

    medicines: tuple[HeldMedicine, ...]
    unknown: tuple[UnknownMedicine, ...]
    about: About
    dues: tuple[DueItem, ...]
    registers: tuple[RegisterRow, ...]
    unchecked: tuple[str, ...]
    """What applies to the person and could not be checked, in words: "nothing found" is shown only with it."""
    closed: tuple[Closing, ...]
    """What closed overdue care in the last 14 days."""


def summary_of(person: PersonAsKnown) -> PersonSummary:
    """The summary of one person as known on ``person.as_of``."""
    medicines = held(person)
    return PersonSummary(
        medicines,
        unknown(person),
        about(person),
        upcoming(person, medicines),
        registers(person),
        tuple(could_not_check(person)),
        tuple(closings(person)),
    )


__all__ = [
    "AHEAD_DAYS",
    "REGISTERS",
    "About",
    "DueItem",
    "HeldMedicine",
    "PersonSummary",
    "RegisterRow",
    "UnknownMedicine",
    "summary_of",
]
