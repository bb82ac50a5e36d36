"""Removes from the lists what the service database cannot store, or may no longer store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from features.engine.caseload import Caseload
from features.errors import UpstreamError
from serving.runs.repository import erased_key, erased_people
from serving.storage.database import Database

LONGEST_ID = 200
"""Longest id in the service database. PostgreSQL refuses a longer one, or one with a NUL, and with it all other
lists.
"""


class ErasedMeanwhile(UpstreamError):
    """A person on the lists was erased during the run."""


def storable(chosen: Caseload) -> tuple[Caseload, int]:
    """The caseload without people whose id, or whose team's id, a database refuses; and how many they are."""
    fits = pd.Series(True, index=chosen.spine.index)
    for name in ("patient_id", "team_id"):
        ids = chosen.spine[name].astype("str")
        fits &= (ids.str.len() <= LONGEST_ID) & ~ids.str.contains(r"[\x00-\x1f\x7f]", regex=True)
    return replace(chosen, spine=chosen.spine[fits].reset_index(drop=True)), int((~fits).sum())


def without_erased(database: Database, chosen: Caseload) -> Caseload:
    """The caseload without people who were erased, whom a later extract may send again."""
    with database.read() as connection:
        gone = erased_among(connection, chosen.spine["patient_id"])
    return replace(chosen, spine=chosen.spine[~gone].reset_index(drop=True)) if gone.any() else chosen


def refuse_erased(connection: Connection, chosen: Caseload) -> None:
    """Raises ``ErasedMeanwhile`` if somebody of the caseload was erased since it was read, by another machine.

    Call it after the audit event of the publication: that event and an erasure wait for each other.
    """
    if erased_among(connection, chosen.spine["patient_id"]).any():
        raise ErasedMeanwhile("somebody was erased while this run worked; nothing was published. Start it again")


def erased_among(connection: Connection, ids: pd.Series) -> pd.Series:
    """Mask of the ``ids`` whose people were erased."""
    erased = erased_people(connection)
    return ids.astype("str").map(lambda one: erased_key(one) in erased if erased else False).astype(bool)


def plain_text(value: Any, most: int = LONGEST_ID) -> str | None:
    """A name that the database accepts: no control characters, and cut if too long."""
    if value is None:
        return None
    return "".join(sign for sign in str(value) if sign.isprintable())[:most]
