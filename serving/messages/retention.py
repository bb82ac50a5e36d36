"""Retention of texts, and export or erasure of all texts of one person."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from serving.auditlog.log import Audit, Look, append
from serving.identities.keys import IdentityKeys, NotOpened
from serving.messages import repository
from serving.messages.incoming.inbound import about, words_in
from serving.messages.replies import CONTACTS
from serving.storage import migrations
from serving.storage.database import Database


def delete_old_texts(
    database: Path | str | Database, keep_days: int, now: dt.datetime | None = None, *, dry_run: bool = False
) -> dict[str, int]:
    """Deletes texts, receipts and replies that are older than the settings allow. Opt-outs stay. A reply stays until
    a team member has finished with it. The day of a reply with a closed code stays, as a contact.

    ``dry_run`` counts and deletes nothing.
    """
    before = (now or dt.datetime.now(dt.UTC)) - dt.timedelta(days=keep_days)
    with (
        migrations.opened(database) as opened,
        opened.could_write() if dry_run else opened.write() as connection,
    ):
        deleted = repository.delete_before(connection, before, [meaning.value for meaning in CONTACTS])
        if not dry_run:
            append(connection, _operator(opened), Look("texts.deleted_old", detail=deleted))
    return deleted


def export_texts(
    database: Path | str | Database, patient_id: str, keys: IdentityKeys
) -> dict[str, list[dict[str, Any]]]:
    """All of one person's texts, with replies opened, for the person's own request. Audited."""
    with migrations.opened(database) as opened, opened.write() as connection:
        held = repository.held_of(connection, patient_id)
        append(connection, _operator(opened), Look("texts.exported", (patient_id,)))
    sent = [
        {"sent_at": row.created_at.isoformat(), "template": row.template, "status": row.status, "by": row.sent_by_name}
        for row in held["texts"]
    ]
    replies = [
        {"sent_at": row.sent_at.isoformat(), "meaning": row.meaning, "words": _words(row, keys)}
        for row in held["text_replies"]
    ]
    agreed = [{"agreed_to_texts": row.consented} for row in held["text_numbers"]]
    return {"texts": sent, "replies": replies, "numbers": agreed}


def erase_texts(database: Path | str | Database, patient_id: str) -> dict[str, int]:
    """Erases one person's number, texts, receipts and replies; returns how many rows of each. Audited, by counts.

    An opt-out stays, as a keyed hash that names nobody: without it, texts would be sent again after the next load.
    """
    with migrations.opened(database) as opened, opened.write() as connection:
        erased = repository.erase_person(connection, patient_id)
        append(connection, _operator(opened), Look("texts.erased", (patient_id,), detail=erased))
    return erased


def _words(row: Any, keys: IdentityKeys) -> str | None:
    try:
        return words_in(json.loads(keys.open(row.sealed, about(row.reply_id), row.key_id)))
    except (NotOpened, ValueError):
        return None


def _operator(database: Database) -> Audit:
    return Audit(database, actor="texts", role="operator", request_id="command line")
