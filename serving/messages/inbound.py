"""What the provider brings: receipts and replies. A reply is stored sealed before anything reads it, and the provider
hears "taken" only after that; its meaning, STOP and the automatic answer follow, and follow again after a crash."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from serving.auditlog.log import Audit, Look, append
from serving.identities.keys import NotOpened
from serving.messages import repository
from serving.messages.desk import TextingDesk
from serving.messages.messengers import NotSent
from serving.messages.numbers.mobile import hash_of, mobile
from serving.messages.replies import Meaning, read_reply
from serving.observability.logs import logger

PROVIDER = "texting provider"
ONE_ANSWER_IN = dt.timedelta(hours=12)
ONE_ANSWER_TO_DISTRESS_IN = dt.timedelta(hours=1)
log = logger()


def take_receipt(desk: TextingDesk, provider_id: str, status: str, at: str | None) -> bool:
    """Stores a receipt; whether it is new. It may come twice, in any order, and before we know the provider's id."""
    now = desk.now()
    with desk.database.write() as connection:
        return repository.add_receipt(connection, provider_id, status, _moment(at, now), now)


def take_reply(desk: TextingDesk, given: Mapping[str, Any]) -> bool:
    """Stores a reply sealed, and then acts on it; whether it is new. Once this returns or fails after the first commit,
    the reply is kept, and what was left undone is done at the next call."""
    fresh = store_reply(desk, given)
    handle_waiting(desk)
    return fresh


def store_reply(desk: TextingDesk, given: Mapping[str, Any]) -> bool:
    """The first commit: the reply as it came, sealed, under the provider's id."""
    reply_id, now = str(given["id"]), desk.now()
    row = {
        "reply_id": reply_id,
        "number_hash": hash_of(_number_of(given), desk.keys),
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
    handle_waiting(desk)
    return fresh


def handle_waiting(desk: TextingDesk) -> None:
    """Reads every reply that nothing has read yet: its meaning, STOP, whose it is; then sends automatic answers.

    All of one reply is one transaction. A reply that cannot be opened is held for the team as words.
    """
    with desk.database.write() as connection:
        waiting = repository.waiting(connection)
    for row in waiting:
        if row.handled_at is None:
            _handle(desk, row)
    for row in waiting:
        if row.answered_at is None:
            _answer(desk, row)


def opened(desk: TextingDesk, row: Row[Any]) -> Mapping[str, Any]:
    """A reply as it came. Raises ``NotOpened``."""
    given: Mapping[str, Any] = json.loads(desk.keys.open(row.sealed, about(row.reply_id), row.key_id))
    return given


def words_in(given: Mapping[str, Any]) -> str:
    """The words of a reply, as the provider names them in a callback and in its list."""
    return str(given.get("message") or given.get("content") or "")


def about(reply_id: str) -> str:
    return f"reply:{reply_id}"


def _handle(desk: TextingDesk, row: Row[Any]) -> None:
    try:
        read = read_reply(words_in(opened(desk, row)))
    except (NotOpened, ValueError):
        log.error("reply not opened", problem="reply-not-opened")
        read = read_reply("")
    with desk.database.write() as connection:
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
            # Nobody answers a STOP, and nobody has to read one.
            answered_at=now if read.stops else row.answered_at,
            done_at=now if read.meaning in (Meaning.STOP, Meaning.START) else None,
        )
        who = (patient_id,) if patient_id else ()
        detail = {"meaning": read.meaning.value, "distress": read.distress, "stops": read.stops}
        append(connection, _own(desk), Look("text.reply_received", who, team_id, detail=detail))
    if read.distress:
        log.warning("words of distress in a reply", problem="text-distress")


def _answer(desk: TextingDesk, row: Row[Any]) -> None:
    """The automatic answer to one reply: where help is. Not after STOP, and not twice to one number within hours."""
    template, text_id = desk.texting.automatic, hashlib.sha256(f"answer\n{row.reply_id}".encode()).hexdigest()
    with desk.database.write() as connection:
        now = desk.now()
        current = repository.reply_row(connection, row.reply_id)
        if current is None or current.answered_at is not None or template is None:
            return
        within = ONE_ANSWER_TO_DISTRESS_IN if current.distress else ONE_ANSWER_IN
        status = repository.text_status(connection, text_id)
        known = status not in (None, "not-sent")
        if (
            known
            or repository.opted_out(connection, row.number_hash)
            or repository.answered_since(connection, row.number_hash, now - within)
        ):
            repository.set_reply(connection, row.reply_id, answered_at=now)
            return
        if status is None:
            repository.add_text(connection, _automatic(current, template.name, text_id, now))
        else:
            repository.set_text_status(connection, text_id, "sending", now)
    try:
        given = opened(desk, row)
        provider_id = desk.messenger.send(_number_of(given), template, text_id)
    except (NotSent, NotOpened, ValueError) as error:
        certain = getattr(error, "certain", True)
        with desk.database.write() as connection:
            repository.set_text_status(connection, text_id, "not-sent" if certain else "unknown", desk.now())
        log.warning("automatic answer not sent", problem="text-answer-not-sent")
        return
    with desk.database.write() as connection:
        repository.taken_by_provider(connection, text_id, provider_id, desk.now())
        repository.set_reply(connection, row.reply_id, answered_at=desk.now())


def _automatic(row: Row[Any], template: str, text_id: str, now: dt.datetime) -> dict[str, Any]:
    return {
        "text_id": text_id,
        "patient_id": row.patient_id,
        "team_id": row.team_id,
        "number_hash": row.number_hash,
        "template": template,
        "automatic": True,
        "provider_id": None,
        "status": "sending",
        "status_at": now,
        "created_at": now,
        "sent_by": PROVIDER,
        "sent_by_name": "Automatic answer",
    }


def _number_of(given: Mapping[str, Any]) -> str:
    """The number that a reply came from, as the provider names it in a callback and in its list."""
    number = str(given.get("source_number") or given.get("user_number") or "")
    return mobile(number) or number


def _own(desk: TextingDesk) -> Audit:
    return Audit(desk.database, actor=PROVIDER, role="operator", request_id="texting")


def _moment(text: object, otherwise: dt.datetime) -> dt.datetime:
    """A moment as the provider writes it, in UTC; ``otherwise`` where it cannot be read."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return otherwise
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
