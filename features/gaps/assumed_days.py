"""Marks gaps that depend on an assumed length of supply."""

from __future__ import annotations

from features.gaps.gap import Evidence, Gap
from features.gaps.person_view import PersonAsKnown
from features.medicines import supply_days
from features.medicines.courses import KEPT_DAYS

COUNT_DAYS = frozenset(
    (
        "ADHERENCE_FALLING",
        "ANTIPSYCHOTIC_NEED",
        "BZD_Z_PREGABALIN_LONG",
        "CLZ_BREAK",
        "LAI_OVERDUE",
        "LAI_SAFE_USE",
        "NO_ANTIPSYCHOTIC",
        "REGIMEN_CHANGE_RECENT",
        "STOCK_AT_HOME",
        "SUPPLY_GAP_ORAL",
        "WITHDRAWAL_RISK",
    )
)
"""Codes that count days of supply. The value of such a gap is marked too, not only its rows."""


def mark_assumed_days(person: PersonAsKnown, gaps: list[Gap]) -> list[Gap]:
    """``gaps`` of a person, each marked where it depends on an assumed length (:func:`_with_marks`)."""
    if person.place not in person.shared.with_assumed_days:
        return gaps
    return [_with_marks(person, gap) for gap in gaps]


def _with_marks(person: PersonAsKnown, gap: Gap) -> Gap:
    """``gap`` with a mark on each source supply without a recorded length. The value is marked too if the gap counts
    days and the same medicine has such a supply in the last 200 days.
    """
    rows = [one for one in gap.evidence if one.table == "supplies"]
    if not rows:
        return gap
    records = person.shared.records
    assumed = person.shared.days_assumed
    first, last = (int(place) for place in records.offsets("supplies")[person.place : person.place + 2])
    medicine, day = records.columns("supplies")["medicine"], records.columns("supplies")["supplied_on"]
    known, length = records.columns("supplies")["known_on"], person.shared.lengths
    injection = person.shared.is_injection

    def told(row: int) -> str:
        return supply_days.assumption(bool(injection[row]), int(length[row]))

    evidence = tuple(_marked(one, told(one.row)) if one in rows and assumed[one.row] else one for one in gap.evidence)
    behind = {int(medicine[one.row]) for one in rows}
    resting = [
        row
        for row in range(first, last)
        if assumed[row]
        and int(medicine[row]) in behind
        and person.as_of - KEPT_DAYS <= day[row] < person.as_of
        and known[row] < person.as_of
    ]
    words = list(dict.fromkeys(told(row) for row in resting)) if gap.code.code in COUNT_DAYS else []
    return gap._replace(evidence=evidence, value="; ".join((gap.value, *words)))


def _marked(one: Evidence, words: str) -> Evidence:
    return one._replace(what=f"{one.what}; {words}")
