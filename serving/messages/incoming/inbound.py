"""Stores receipts and replies from the provider. A reply is stored sealed before anything reads it, and only then
accepted. Its meaning and STOP are read next, and again after a crash. ``reaching_out`` sends what a reply causes (an
alert, the automatic answer).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from serving.auditlog.log import Audit, Look, append
from serving.identities.keys import NotOpened
from serving.messages import repository
from serving.messages.desk import TextingDesk
from serving.messages.numbers.mobile import hash_of, mobile
from serving.messages.replies import Meaning, read_reply
from serving.observability.logs import logger

PROVIDER = "texting provider"
log = logger()


def take_receipt(desk: TextingDesk, provider_id: str, status: str, at: str | None) -> bool:
    """Stores a receipt. Returns True if it is new. It may come twice, in any order, and before we know the provider's
    id.
    """
    now = desk.now()
    with desk.database.write() as connection:
        return repository.add_receipt(connection, provider_id, status, _moment(at, now), now)


def take_reply(desk: TextingDesk, given: Mapping[str, Any]) -> bool:
    """Stores a reply sealed, then reads it. Returns True if it is new. After the first commit the reply is kept, and
    the next call completes unfinished work.
    """
    fresh = store_reply(desk, given)
    read_waiting(desk)
    return fresh


def store_reply(desk: TextingDesk, given: Mapping[str, Any]) -> bool:
    """The first commit: the reply as it came, sealed, under the provider's id."""
    reply_id, now = str(given["id"]), desk.now()
    row = {
        "reply_id": reply_id,
        "number_hash": hash_of(number_in(given), desk.keys),
        "key_id": desk.keys.current,
        "sealed": desk.keys.seal(json.dumps(dict(given)).encode(), about(reply_id)),
        "sent_at": min(_moment(given.get("date_received") or given.get("created_at"), now), now),
        "stored_at": now,
        "distress": False,
    }
    with desk.database.write() as connection:
        return repository.add_reply(connection, row)


def replay(desk: TextingDesk) -> int:
    """Fetches the replies that the provider still holds (seven days) and stores those that never arrived, as after an
    outage. Returns how many were new. Raises ``NotSent``."""
    fresh = sum(store_reply(desk, given) for given in desk.messenger.received())
    read_waiting(desk)
    return fresh


def read_waiting(desk: TextingDesk) -> None:
    """Reads every unread reply: its meaning, STOP, and its person. Makes no outside call.

    All of one reply is one transaction. A reply that cannot be opened is kept for the team as words.
    """
    with desk.database.write() as connection:
        unread = repository.unread(connection)
    for row in unread:
        _read(desk, row)


def opened(desk: TextingDesk, row: Row[Any]) -> Mapping[str, Any]:
    """A reply as it came. Raises ``NotOpened``."""
    given: Mapping[str, Any] = json.loads(desk.keys.open(row.sealed, about(row.reply_id), row.key_id))
    return given


def words_in(given: Mapping[str, Any]) -> str:
    """The words of a reply, as the provider names them in a callback and in its list."""
    written = str(given.get("message") or given.get("content") or "")
    # Half a character, as a cut message may end with, cannot be written into a page or a file.
    return written.encode("utf-8", "replace").decode("utf-8")


def about(reply_id: str) -> str:
    return f"reply:{reply_id}"


def _read(desk: TextingDesk, row: Row[Any]) -> None:
    try:
        read = read_reply(words_in(opened(desk, row)))
    except (NotOpened, ValueError):
        log.error("reply not opened", problem="reply-not-opened")
        read = read_reply("")
    with desk.database.write() as connection:
        current = repository.reply_row(connection, row.reply_id, locked=True)
        if current is None or current.handled_at is not None:
            return  # another process read it meanwhile
        patient_id, team_id = repository.whose(connection, row.number_hash)
        if read.stops:
            repository.set_opt_out(connection, row.number_hash, row.sent_at, "reply")
        elif read.meaning is Meaning.START:
            repository.end_opt_out(connection, row.number_hash, row.sent_at)
        now = desk.now()
        repository.set_reply(
            connection,
            row.reply_id,
            handled_at=now,
            patient_id=patient_id,
            team_id=team_id,
            meaning=read.meaning.value,
            distress=read.distress,
            # A STOP gets no answer and needs no reader.
            answered_at=now if read.stops or desk.texting.automatic is None else row.answered_at,
            alerted_at=now if not (read.distress and desk.texting.alerts) else row.alerted_at,
            done_at=now if read.meaning in (Meaning.STOP, Meaning.START) else None,
        )
        who = (patient_id,) if patient_id else ()
        detail = {"meaning": read.meaning.value, "distress": read.distress, "stops": read.stops}
        append(connection, own_audit(desk), Look("text.reply_received", who, team_id, detail=detail))
    if read.distress:
        log.warning("words of distress in a reply", problem="text-distress")


def number_in(given: Mapping[str, Any]) -> str:
    """The number that a reply came from, as the provider names it in a callback and in its list."""
    number = str(given.get("source_number") or given.get("user_number") or "")
    return mobile(number) or number


def own_audit(desk: TextingDesk) -> Audit:
    return Audit(desk.database, actor=PROVIDER, role="operator", request_id="texting")


def _moment(text: object, otherwise: dt.datetime) -> dt.datetime:
    """A moment as the provider writes it, in UTC; ``otherwise`` where it cannot be read."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return otherwise
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
