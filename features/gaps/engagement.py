"""Gaps in contact and review. Not attending is a reason to reach out, never a reason to discharge."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import pairwise

from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Gap
from features.gaps.person import Person

SILENT_DAYS = 90
YEAR = 365
_SOURCE = "CLINICAL.md section 1.1 [D]"


def missed_pattern(person: Person) -> Iterator[Gap]:
    """DNA_PATTERN: both of the last two offered contacts missed."""
    offered = [c for c in person.contacts if c.attended or c.missed]
    if len(offered) < 2 or not all(c.missed for c in offered[-2:]):
        return
    run = 0
    for contact in reversed(offered):
        if not contact.missed:
            break
        run += 1
    yield Gap(
        CODES["DNA_PATTERN"],
        "high" if run >= 3 else "medium",
        f"the last {run} offered contacts were missed",
        _SOURCE,
        False,
        evidence=tuple(Evidence("contacts", c.row, c.day, "missed contact") for c in offered[-run:]),
    )


def no_contact(person: Person) -> Iterator[Gap]:
    """NO_CONTACT: nobody has seen the person for 90 days, or twice their own usual gap if that is longer."""
    seen = [c for c in person.contacts if c.attended]
    if person.inpatient:
        return
    if not seen:
        yield Gap(CODES["NO_CONTACT"], "high", "no attended contact recorded", _SOURCE, False)
        return
    gaps = [later.day - earlier.day for earlier, later in pairwise(seen)]
    usual = statistics.median(gaps[-63:]) if len(gaps) >= 2 else 0
    limit = int(max(SILENT_DAYS, 2 * usual))
    silent = person.as_of - seen[-1].day
    if silent < limit:
        return
    yield Gap(
        CODES["NO_CONTACT"],
        "high",
        f"last seen {silent} days ago",
        _SOURCE,
        False,
        seen[-1].day + limit,
        silent - limit,
        (Evidence("contacts", seen[-1].row, seen[-1].day, "last attended contact"),),
    )


def crisis(person: Person) -> Iterator[Gap]:
    """CRISIS_SIGNAL: a crisis, liaison or place-of-safety contact in the last 30 days."""
    recent = [
        c for c in person.contacts if c.kind in ("crisis", "liaison", "place_of_safety") and c.day >= person.as_of - 30
    ]
    recent = [c for c in recent if c.outcome == "attended"]
    if recent:
        yield Gap(
            CODES["CRISIS_SIGNAL"],
            "medium",
            f"{len(recent)} in the last 30 days",
            _SOURCE,
            False,
            evidence=tuple(Evidence("contacts", c.row, c.day, "crisis contact") for c in recent),
        )


def medicines_review(person: Person) -> Iterator[Gap]:
    """MEDICINES_REVIEW_OVERDUE: no attended medicines review in the last 365 days, for anyone with a psychotropic in that time."""
    taking = [s for s in person.supplies if s.medicine.is_psychotropic and s.day >= person.as_of - YEAR]
    reviews = [c for c in person.contacts if c.attended and c.kind == "medicines_review"]
    if not taking or (reviews and reviews[-1].day > person.as_of - YEAR):
        return
    if not reviews:
        yield Gap(CODES["MEDICINES_REVIEW_OVERDUE"], "low", "no medicines review recorded", _SOURCE, False)
        return
    due = reviews[-1].day + YEAR
    yield Gap(
        CODES["MEDICINES_REVIEW_OVERDUE"],
        "low",
        f"last medicines review {person.as_of - reviews[-1].day} days ago",
        _SOURCE,
        False,
        due,
        person.as_of - due,
        (Evidence("contacts", reviews[-1].row, reviews[-1].day, "last medicines review"),),
    )


def allergy(person: Person) -> Iterator[Gap]:
    """ALLERGY_NOT_RECORDED: allergy status absent, or last recorded more than a year ago."""
    rows = person.allergy_rows
    if not rows:
        yield Gap(CODES["ALLERGY_NOT_RECORDED"], "low", "allergy status not recorded", _SOURCE, False)
        return
    row, day = rows[-1]
    if person.as_of - day > YEAR:
        yield Gap(
            CODES["ALLERGY_NOT_RECORDED"],
            "low",
            f"last confirmed {person.as_of - day} days ago",
            _SOURCE,
            False,
            day + YEAR,
            person.as_of - day - YEAR,
            (Evidence("conditions", row, day, "allergy status"),),
        )


RULES = (missed_pattern, no_contact, crisis, medicines_review, allergy)
