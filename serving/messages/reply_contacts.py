"""Adds replies with closed codes to the records as contacts: mode ``text``, known on the day of receipt.

A store that Upstream wrote holds exactly the replies that the database holds: a reply that was erased, or that the
team marks as written by somebody else, is removed from the store.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features import Records
from features.records.attendance import REPLY_PREFIX
from features.records.tables import TABLES
from serving.messages import repository
from serving.messages.desk import london
from serving.messages.replies import CONTACTS
from serving.storage import migrations
from serving.storage.database import Database

SOURCE = "texts"
COLUMNS = TABLES["contacts"].names


@dataclass(frozen=True)
class ReplyContacts:
    """How many contacts a store gained and lost. ``store_written`` is False for a folder that Upstream did not write:
    nothing is added to it."""

    added: int = 0
    withdrawn: int = 0
    store_written: bool = True

    def as_dict(self) -> dict[str, int | bool]:
        return asdict(self)

    def lines(self) -> list[str]:
        if not self.store_written:
            return ["replies by text were not added: this folder is an extract; ingest it first"]
        changed = [f"{n:,} {word}" for n, word in ((self.added, "added"), (self.withdrawn, "withdrawn")) if n]
        return [f"replies by text, as contacts: {', '.join(changed)}"] if changed else []


def reply_contacts(database: Path | str | Database) -> pd.DataFrame:
    """Rows of the table ``contacts``: one for each person, team and day with a coded reply. A text that nobody answered
    gives no row: it is not missed."""
    with migrations.opened(database) as opened, opened.write() as connection:
        rows = repository.coded_replies(connection, [meaning.value for meaning in CONTACTS])
    # Two replies of one day are one contact, known when the first was known.
    first: dict[tuple[object, ...], dict[str, object]] = {}
    for row in sorted(rows, key=lambda row: (row.stored_at, row.reply_id)):
        known, on = (pd.Timestamp(london(moment).date()) for moment in (row.stored_at, row.sent_at))
        contact = {
            "patient_id": row.patient_id,
            "contact_id": f"{REPLY_PREFIX}{row.reply_id}",
            "team_id": row.team_id,
            "contact_on": on,
            "booked_on": pd.NaT,
            "mode": "text",
            "kind": "other",
            "outcome": "attended",
            "outcome_known_on": known,
            "known_on": known,
        }
        first.setdefault((row.patient_id, row.team_id, on), contact)
    return pd.DataFrame(list(first.values()), columns=["patient_id", *(n for n in COLUMNS if n != "patient_id")])


def add_reply_contacts(database: Path | str | Database, store: Path) -> ReplyContacts:
    """Adds the coded replies of the database to a store before scoring. A second call changes nothing. The store is
    not read if there are none.
    """
    found, about = reply_contacts(database), _about(store)
    if found.empty and SOURCE not in about.get("sources", ()):
        return ReplyContacts()
    if "data_hash" not in about:
        return ReplyContacts(store_written=False)
    records = Records.load(store)
    # A person who is not in the store is on no list: their replies are added once they are in it.
    found = found[found["patient_id"].isin(records.patient_ids.tolist())]
    whole = records.with_versions("contacts")
    ours = whole["contact_id"].astype("str").str.startswith(REPLY_PREFIX)
    held, wanted = _keys(whole[ours]), _keys(found)
    if held == wanted:
        return ReplyContacts()
    frames = {name: whole if name == "contacts" else records.with_versions(name) for name in TABLES}
    rest = whole[~ours]
    frames["contacts"] = pd.concat([rest, found[rest.columns].astype(rest.dtypes.to_dict())]) if len(found) else rest
    sources = [name for name in records.about.get("sources", [records.about.get("source", "own")]) if name != SOURCE]
    kept = {key: value for key, value in records.about.items() if key != "data_hash"}
    changed = Records.from_frames(frames, about=kept | {"sources": [*sources, *([SOURCE] if len(found) else [])]})
    changed.remember(records)
    changed.save(store)
    return ReplyContacts(len(wanted - held), len(held - wanted))


def _keys(contacts: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(contacts["patient_id"].astype(str), contacts["contact_id"].astype(str), strict=True))


def _about(store: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((store / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
