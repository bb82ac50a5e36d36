"""Sends what a reply requires: alerts of words of distress, then automatic answers. It runs after storage and reading,
and is retried until done, so no request waits for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from sqlalchemy import Row

from serving.auditlog.log import Look, append
from serving.identities.keys import NotOpened
from serving.identity.callers import Caller, Role
from serving.messages import repository
from serving.messages.desk import TextingDesk
from serving.messages.incoming.alerts import NotAlerted, alert
from serving.messages.incoming.inbound import PROVIDER, number_in, opened, own_audit, read_waiting
from serving.messages.providers.messengers import NotSent
from serving.observability.logs import logger

ONE_ANSWER_IN = dt.timedelta(hours=12)
ONE_ANSWER_TO_DISTRESS_IN = dt.timedelta(hours=1)
TOO_LATE_TO_ANSWER = dt.timedelta(hours=24)
EVERY_TEAM = Caller(PROVIDER, Role.CMHT_SYSTEM, None, PROVIDER)
"""The service's own job: it looks up the team to alert, and shows no data to anybody."""
log = logger()


def deal_with_waiting(desk: TextingDesk) -> None:
    """Reads waiting replies, alerts teams, and sends answers. If the provider cannot be reached for one answer, the
    others wait for the next time.
    """
    read_waiting(desk)
    with desk.database.write() as connection:
        unalerted, unanswered = repository.unalerted(connection), repository.unanswered(connection)
    for row in unalerted:
        _alert(desk, row)
    for row in unanswered:
        if not _answer(desk, row):
            break


def _alert(desk: TextingDesk, row: Row[Any]) -> None:
    """Alerts every channel of the person's teams. A channel that does not answer is tried again the next time."""
    with desk.database.write() as connection:
        teams = repository.teams_of(connection, EVERY_TEAM, row.patient_id) if row.patient_id else []
    try:
        for team_id in teams or [row.team_id]:
            alert(desk.texting, row.reply_id, team_id, desk.page, row.stored_at, desk.delivered)
    except NotAlerted:
        log.error("nobody was alerted to words of distress", problem="text-alert-not-sent")
        return
    with desk.database.write() as connection:
        repository.set_reply(connection, row.reply_id, alerted_at=desk.now())
        who = (row.patient_id,) if row.patient_id else ()
        append(connection, own_audit(desk), Look("text.alerted", who, (teams or [row.team_id])[0]))


def _answer(desk: TextingDesk, row: Row[Any]) -> bool:
    """Sends the automatic answer to one reply: where to get help. Not after STOP, and not twice to one number within
    hours. False if the provider cannot be reached, so that others need not try now.
    """
    template, text_id = desk.texting.automatic, hashlib.sha256(f"answer\n{row.reply_id}".encode()).hexdigest()
    with desk.database.write() as connection:
        now = desk.now()
        current = repository.reply_row(connection, row.reply_id, locked=True)
        if current is None or current.answered_at is not None:
            return True
        within = ONE_ANSWER_TO_DISTRESS_IN if current.distress else ONE_ANSWER_IN
        status = repository.text_status(connection, text_id)
        if (
            template is None
            or status not in (None, "not-sent")
            or current.stored_at < now - TOO_LATE_TO_ANSWER
            or repository.opted_out(connection, row.number_hash)
            or repository.answered_since(connection, row.number_hash, now - within)
        ):
            repository.set_reply(connection, row.reply_id, answered_at=now)
            return True
        if status is None:
            repository.add_text(connection, _automatic(current, template.name, text_id, now))
        else:
            repository.set_text_status(connection, text_id, "sending", now)
    try:
        provider_id = desk.messenger.send(number_in(opened(desk, row)), template, text_id)
    except (NotSent, NotOpened, ValueError) as error:
        certain = getattr(error, "certain", True)
        with desk.database.write() as connection:
            repository.set_text_status(connection, text_id, "not-sent" if certain else "unknown", desk.now())
        log.warning("automatic answer not sent", problem="text-answer-not-sent")
        return certain
    with desk.database.write() as connection:
        repository.taken_by_provider(connection, text_id, provider_id, desk.now())
        repository.set_reply(connection, row.reply_id, answered_at=desk.now())
    return True


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
