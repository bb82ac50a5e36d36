"""Where everybody of a team stands on its list: rank, place, and the line of the capacity.

Plain values, without a database: sorting some hundred people here takes a tenth of what a database takes for it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from serving.worklists.ranking import Ranking
from serving.worklists.rules import CRITICAL, Candidate, Standing, in_order


class PlacedPerson(NamedTuple):
    """A person on a list. The first fields are what the database holds, the last four what this module adds."""

    patient_id: str
    probability: float
    team_id: str
    raised_by: str
    medicines: str | None
    worst: int
    """The most severe pressing safety gap; 0 is critical."""
    safety_gaps: int
    place: int | None
    """On the published list."""
    standing: str | None
    slot: str | None
    joined: bool | None
    listed_since: dt.date | None
    snoozed_until: dt.date | None
    """Of a snooze that holds now, which is never over a critical safety gap."""
    last_seen_on: dt.date | None
    next_booked_on: dt.date | None
    flags: str
    """JSON as stored: a page reads it for the people it shows. So are the adjustments."""
    adjustments: str | None
    kept: int
    """1 where the filters of the page leave the person."""
    rank: int
    """By risk, from 1; people of equal risk share it."""
    sharing: int
    """How many people have this risk."""
    position: int
    within: bool
    """The week's capacity reaches the person."""

    @property
    def safety_gap(self) -> bool:
        return self.safety_gaps > 0


STORED = PlacedPerson._fields[: PlacedPerson._fields.index("rank")]
"""The fields that the database holds, in their order."""


def placed(rows: Sequence[Any], ranking: Ranking, *, as_published: bool, line: int | None) -> list[PlacedPerson]:
    """Everybody of a team in order; ``rows`` hold ``STORED``.

    ``as_published`` takes the order and the places of the published list; any other order draws the line at ``line``,
    the team's capacity (None: there is none). A snooze recorded since counts at once, and the snoozed come last.
    Everybody with a critical safety gap stands above the line, in a band after those within the capacity.
    """
    people = in_order((Candidate(row[0], row[1], row[5], row[6]) for row in rows), ranking)
    own = {one.patient_id: place for place, one in enumerate(people, 1)}

    def order(row: Any) -> tuple[bool, int, float, str]:
        place = row.place if as_published and row.place is not None else own[row.patient_id]
        return row.snoozed_until is not None, place, -row.probability, row.patient_id

    ordered = sorted(rows, key=order)
    if as_published:
        within = [row.standing == Standing.LISTED.value and row.snoozed_until is None for row in ordered]
    else:
        within = [place <= (line or 0) and row.snoozed_until is None for place, row in enumerate(ordered, 1)]
    both = list(zip(ordered, within, strict=True))
    if line is not None:
        both.sort(key=lambda pair: (pair[0].snoozed_until is not None, _band(*pair)))
    sharing = Counter(row.probability for row in rows)
    ranks, above = {}, 0
    for risk in sorted(sharing, reverse=True):
        ranks[risk] = above + 1
        above += sharing[risk]
    return [
        PlacedPerson._make((*row, ranks[row.probability], sharing[row.probability], position, inside))
        for position, (row, inside) in enumerate(both, 1)
    ]


def _band(row: Any, within: bool) -> int:
    return 0 if within else 1 if row.worst == CRITICAL else 2
