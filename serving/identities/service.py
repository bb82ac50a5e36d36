"""Names for people whom a caller may see, and the search for one of them. Used by pages only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from serving.auditlog.log import Audit, Look
from serving.identities import repository
from serving.identities.keys import IdentityKeys, NotOpened
from serving.identities.schemas import Identity, Sought, name_words
from serving.identity.callers import Caller, Role
from serving.storage.database import Database

MOST_FOUND = 50
KEPT_OPEN = 20_000
"""Cache of opened identities, by sealed value. The database is asked each time who may see one."""
Names = Mapping[str, Identity]
NOBODY: Names = {}


@dataclass(frozen=True)
class FoundPerson:
    """A person whom a search found."""

    patient_id: str
    team_id: str
    team_name: str
    identity: Identity | None


@dataclass(frozen=True)
class SearchResult:
    """The first people found, exact matches first; ``total`` counts all."""

    items: tuple[FoundPerson, ...]
    total: int


def sees_names(caller: Caller, keys: IdentityKeys | None) -> bool:
    """Only pharmacists see names, on pages. A CMHT system has its own names, and all other roles see no people."""
    return keys is not None and caller.role is Role.PHARMACIST


def names_of(database: Database, caller: Caller, keys: IdentityKeys | None, patients: Sequence[str]) -> Names:
    """The identities of those of ``patients`` whom the caller may see; empty if the trust gave none. The page that
    shows them audits it as a view with names.
    """
    if keys is None or not patients or not sees_names(caller, keys):
        return NOBODY
    with database.read(caller) as connection:
        rows = repository.sealed_of(connection, caller, patients)
    return dict(_opened(keys, rows))


def named_of(database: Database, caller: Caller, keys: IdentityKeys | None, patients: Sequence[str]) -> dict[str, str]:
    """The names alone, for a list that is sorted by them."""
    return {patient: one.name for patient, one in names_of(database, caller, keys, patients).items() if one.name}


def search_people(
    database: Database, caller: Caller, keys: IdentityKeys | None, audit: Audit, text: str
) -> SearchResult:
    """The caller's people whose name, NHS number or id matches ``text``. The search text is not stored."""
    sought, shown = Sought.of(text), sees_names(caller, keys)
    with database.read(caller) as connection:
        rows = repository.everybody(connection, caller) if sought.long_enough else []
    found = []
    for row in rows:
        identity, words = _open_row(keys, row) if keys is not None and shown else (None, frozenset())
        rank = sought.rank(row.patient_id, identity, words)
        if rank is not None:
            key = (rank, identity.name.casefold() if identity else "", row.patient_id)
            found.append((key, FoundPerson(row.patient_id, row.team_id, row.team_name, identity)))
    found.sort(key=lambda pair: pair[0])
    items = tuple(one for _, one in found[:MOST_FOUND])
    run_id = rows[0].run_id if rows else None
    detail = {"found": len(found)}
    audit.record(Look("people.searched", tuple(one.patient_id for one in items), run_id=run_id, detail=detail))
    return SearchResult(items, len(found))


def _opened(keys: IdentityKeys, rows: Iterable[Row[Any]]) -> Iterable[tuple[str, Identity]]:
    for row in rows:
        identity, _ = _open_row(keys, row)
        if identity is not None:
            yield row.patient_id, identity


def _open_row(keys: IdentityKeys, row: Row[Any]) -> tuple[Identity | None, frozenset[str]]:
    """The identity of a row and the words of its name; None if there is none or no key opens it, and then the page
    uses the id.
    """
    if row.sealed is None:
        return None, frozenset()
    secret = keys.secrets.get(row.key_id)
    return (None, frozenset()) if secret is None else _open(secret, row.key_id, row.patient_id, row.sealed)


@lru_cache(maxsize=KEPT_OPEN)
def _open(secret: bytes, key_id: str, patient_id: str, sealed: bytes) -> tuple[Identity | None, frozenset[str]]:
    try:
        identity = Identity.from_json(IdentityKeys(key_id, {key_id: secret}).open(sealed, patient_id, key_id))
    except (NotOpened, ValueError):
        return None, frozenset()
    return identity, name_words(identity.name)
