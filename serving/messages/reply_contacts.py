"""Replies by closed codes as contacts of the records: mode ``text``, known on the day that they reached us."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from features import Records
from features.records.sources.merging import merge_into
from serving.messages import repository
from serving.messages.desk import london
from serving.messages.replies import CONTACTS
from serving.storage import migrations
from serving.storage.database import Database

SOURCE = "texts"


def reply_contacts(database: Path | str | Database) -> pd.DataFrame:
    """Rows of the table ``contacts``, one a coded reply. A text that nobody answered gives no row: it is not missed."""
    with migrations.opened(database) as opened, opened.write() as connection:
        rows = repository.coded_replies(connection, [meaning.value for meaning in CONTACTS])
    return pd.DataFrame(
        [
            {
                "patient_id": row.patient_id,
                "contact_id": f"text:{row.reply_id}",
                "team_id": row.team_id,
                "contact_on": pd.Timestamp(london(row.sent_at).date()),
                "booked_on": pd.NaT,
                "mode": "text",
                "kind": "other",
                "outcome": "attended",
                "outcome_known_on": pd.Timestamp(london(row.stored_at).date()),
                "known_on": pd.Timestamp(london(row.stored_at).date()),
            }
            for row in rows
        ]
    )


def add_reply_contacts(database: Path | str | Database, store: Path) -> int:
    """Adds the replies to a store, before it is scored; returns how many it did not hold. Twice adds nothing."""
    found = reply_contacts(database)
    if found.empty:
        return 0
    records = Records.load(store)
    held = set(records["contacts"]["contact_id"])
    # Somebody who is not in the store has no spine: their replies wait until they are.
    found = found[~found["contact_id"].isin(held) & found["patient_id"].isin(records.patient_ids.tolist())]
    if found.empty:
        return 0
    people = pd.DataFrame({"patient_id": sorted(set(found["patient_id"]))})
    about = {"source": SOURCE, "synthetic": records.synthetic}
    with tempfile.TemporaryDirectory() as folder:
        Records.from_frames({"patients": people, "contacts": found}, about=about).save(Path(folder) / SOURCE)
        merge_into(store, Path(folder) / SOURCE, SOURCE)
    return len(found)
