"""Saving, listing and deleting one's own filters. A filter is an order and what a list is cut to; it names no team and
no person, so it works on every list."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum

from features.records.reading.nhs_numbers import looks_like_one
from serving.identity.callers import Caller
from serving.saved_filters import repository
from serving.storage.database import Database

MOST = 20
LONGEST_NAME = 40
_PLAIN = re.compile(r"[^\W_](?:[\w &'(),./+-]*[\w)])?")


@dataclass(frozen=True)
class SavedFilter:
    """A name, and the query string of a list."""

    name: str
    query: str


class Fault(StrEnum):
    """Why a filter was not saved."""

    EMPTY = "empty"
    NAME = "name"
    ABOUT_A_PERSON = "person"
    MANY = "many"
    QUERY = "query"


class NotSaved(Exception):
    """The filter cannot be saved. It says why, and repeats nothing that was sent."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def saved_filters_of(database: Database, caller: Caller) -> list[SavedFilter]:
    """The caller's own filters, by name."""
    with database.read() as connection:
        return [SavedFilter(row.name, row.query) for row in repository.owned_by(connection, caller.person)]


def save_filter(database: Database, caller: Caller, name: str, query: str) -> SavedFilter:
    """Saves a filter under a name; one of the same name is replaced. Raises ``NotSaved``."""
    name = " ".join(name.split())
    if not name:
        raise NotSaved(Fault.EMPTY)
    if len(name) > LONGEST_NAME or not _PLAIN.fullmatch(name):
        raise NotSaved(Fault.NAME)
    if looks_like_one(name):
        raise NotSaved(Fault.ABOUT_A_PERSON)
    with database.write() as connection:
        others = [row for row in repository.owned_by(connection, caller.person) if row.name.lower() != name.lower()]
        if len(others) >= MOST:
            raise NotSaved(Fault.MANY)
        repository.put(connection, caller.person, name, query, dt.datetime.now(dt.UTC))
    return SavedFilter(name, query)


def delete_filter(database: Database, caller: Caller, name: str) -> None:
    """Deletes one of the caller's own filters, if there is one of that name."""
    with database.write() as connection:
        repository.remove(connection, caller.person, name)
