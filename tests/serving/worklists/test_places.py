"""The order of people on a list, without a database: rank, place, the line of the capacity and the band above it."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import pytest

from serving.worklists.places import STORED, placed
from serving.worklists.ranking import Ranking
from serving.worklists.rules import CRITICAL, NO_SAFETY_GAP

LATER = dt.date(2026, 2, 1)


def rows(*people: dict[str, Any]) -> list[Any]:
    """Rows as the database gives them; what a case leaves out is empty."""
    row = NamedTuple("row", [(name, Any) for name in STORED])
    plain = {"patient_id": "", "probability": 0.1, "worst": NO_SAFETY_GAP, "safety_gaps": 0}
    return [row(**{**dict.fromkeys(STORED), **plain, **person}) for person in people]


ANNA = {"patient_id": "anna", "probability": 0.5}
BEN = {"patient_id": "ben", "probability": 0.2, "worst": CRITICAL, "safety_gaps": 1}
CLEO = {"patient_id": "cleo", "probability": 0.2}
DAN = {"patient_id": "dan", "probability": 0.4, "snoozed_until": LATER}
EVE = {"patient_id": "eve", "probability": 0.3, "worst": 1, "safety_gaps": 3}


@pytest.mark.parametrize(
    ("ranking", "line", "people", "within"),
    [
        (Ranking.RISK, None, "anna eve ben cleo dan", ""),
        (Ranking.RISK, 1, "anna ben eve cleo dan", "anna"),
        (Ranking.GAPS, 2, "ben eve anna cleo dan", "ben eve"),
        (Ranking.BLENDED, 2, "anna ben eve cleo dan", "anna ben"),
    ],
)
def test_places_follow_the_ranking_with_snoozed_last_and_critical_gaps_above_the_line(ranking, line, people, within):
    """Snoozed people are last whatever their risk; a person with a critical gap is right after the line."""
    found = placed(rows(ANNA, BEN, CLEO, DAN, EVE), ranking, as_published=False, line=line)
    assert [one.patient_id for one in found] == people.split()
    assert [one.patient_id for one in found if one.within] == within.split()
    assert [one.position for one in found] == [1, 2, 3, 4, 5]
    by_id = {one.patient_id: (one.rank, one.sharing) for one in found}
    assert by_id == {"anna": (1, 1), "dan": (2, 1), "eve": (3, 1), "ben": (4, 2), "cleo": (4, 2)}


def test_the_published_order_and_its_places_stand_until_somebody_is_snoozed():
    published = [("cleo", "listed"), ("dan", "listed"), ("anna", "waiting"), ("ben", "waiting")]
    told = {name: {"place": place, "standing": standing} for place, (name, standing) in enumerate(published, 1)}
    people = rows(*(one | told[one["patient_id"]] for one in (ANNA, BEN, CLEO, DAN)))
    found = placed(people, Ranking.RISK, as_published=True, line=2)
    assert [(one.patient_id, one.within) for one in found] == [
        ("cleo", True),
        ("ben", False),
        ("anna", False),
        ("dan", False),
    ]
