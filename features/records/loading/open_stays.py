"""Stays that were never closed although the person has attended contacts since."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.records.days import NO_DAY, date_of
from features.records.loading.not_understood import UnreadRow
from features.records.problems import TableReport
from features.records.same_event.versions import RowVersions, contradicted, kept
from features.records.same_event.visits import Contradiction
from features.records.table import Table
from features.records.tables import TABLES

EveryStay = tuple[dict[str, Any], npt.NDArray[np.int32]]
"""The columns of every row of stays before one row was kept for each stay, and the person of each row."""


def end_contradicted_stays(
    tables: dict[str, Table], versions: dict[str, RowVersions], every_stay: EveryStay, people: int, report: TableReport
) -> list[UnreadRow]:
    """Ends stays that were never closed, because they would keep a person off every list: attended contacts since then
    end the stay. Returns each contradiction, which is stored with the person.
    """
    if not len(tables["stays"]):
        return []
    stays, every = contradicted(tables["stays"], tables["contacts"])
    _keep_every_stay(stays, every, versions, every_stay, people)
    found = [one for one in every if one.until == NO_DAY]
    if not found:
        return []
    tables["stays"] = stays
    report.contradicted = len(found)
    report.note(
        f"{len(found):,} were never closed and contacts attended since contradict them: the people stay on their "
        "lists, and each is shown with the person"
    )
    return [
        (int(stays.patient[one.row]), one.ended_on, one.known_on, ("stays", "discharged_on", "", "stay", _reason(one)))
        for one in found
    ]


def _reason(one: Contradiction) -> str:
    day = date_of(one.ended_on)
    return f"the stay was never closed; contacts attended since contradict it: read as ended on {day}"


def _keep_every_stay(
    stays: Table, every: list[Contradiction], versions: dict[str, RowVersions], every_stay: EveryStay, people: int
) -> None:
    """Keeps every row of the people whose stay read as ended for a while before its end was known, or was contradicted
    by contacts that have versions.
    """
    spans = [(int(stays.patient[one.row]), one.known_on, one.until) for one in every if one.until != NO_DAY]
    if (contacts := versions.get("contacts")) is not None:
        for who in {int(stays.patient[one.row]) for one in every}:
            mine = slice(*contacts.offsets[who : who + 2])
            days = zip(contacts.since[mine].tolist(), contacts.until[mine].tolist(), strict=True)
            spans += [(who, since, until) for since, until in days]
    if not spans:
        return
    columns, patient = every_stay
    before = versions.get("stays")
    if before is not None:
        owner = np.repeat(np.arange(people), np.diff(before.offsets))
        spans += zip(owner.tolist(), before.since.tolist(), before.until.tolist(), strict=True)
    made = kept(TABLES["stays"], columns, patient, people, tuple(spans))
    if made is not None:
        versions["stays"] = made
