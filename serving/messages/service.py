"""Texts for the pages: a person's thread, a team's inbox, and who handles which reply. Every view is audited, and
words are opened one reply at a time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.http.problems import Problem, not_found
from serving.identities.keys import NotOpened
from serving.identity.callers import Caller
from serving.messages import repository
from serving.messages.desk import TextingDesk
from serving.messages.incoming.inbound import opened, read_waiting, words_in
from serving.messages.replies import MEANING_LABELS, Meaning
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.visible import place_of

FAILURES_DAYS = 14
WHAT_TO_DO = {
    "permanent-failure": "The number does not exist or takes no texts. Ask for the right one, and telephone.",
    "temporary-failure": "The phone was off or full for three days. Telephone, or send it again.",
    "technical-failure": "The provider had a fault. Send it again.",
    "not-sent": "The provider did not take it. Send it again later, or telephone.",
    "unknown": "The provider did not answer. Nobody knows whether it was sent. Telephone.",
    "sending": "The provider did not answer. Nobody knows whether it was sent. Telephone.",
}
STATUS_WORDS = {
    "sending": "being sent",
    "created": "with the provider",
    "delivered": "arrived",
    "permanent-failure": "did not arrive",
    "temporary-failure": "did not arrive yet",
    "technical-failure": "did not arrive",
    "not-sent": "not sent",
    "unknown": "not known whether it was sent",
    "opted-out": "not sent: they asked for no more texts",
    "shared-number": "not sent: two people have the number",
    "outside-hours": "not sent: texts leave from 9:00 to 19:00",
}
CHANGES = ("take", "leave", "done", "not_theirs")


@dataclass(frozen=True)
class ThreadLine:
    """One text of a thread. ``words`` is None while a reply is sealed."""

    at: dt.datetime
    reply_id: str | None
    what: str
    by: str
    words: str | None = None
    distress: bool = False
    sealed: bool = False


@dataclass(frozen=True)
class Thread:
    """A person's texts, newest first, and whether they may be texted."""

    patient_id: str
    team_id: str
    emergency: bool
    lines: tuple[ThreadLine, ...]
    barred: str


@dataclass(frozen=True)
class Inbox:
    """The replies and texts that a team has to handle. Words stay sealed here."""

    team_id: str
    replies: tuple[Row[Any], ...]
    failures: tuple[Row[Any], ...]
    opted_out: tuple[Row[Any], ...]
    may_be_texted: tuple[str, ...]
    of_nobody: int

    @property
    def distress(self) -> int:
        """Replies with words of distress that nobody has opened."""
        return sum(row.distress and row.opened_at is None for row in self.replies)


def show_thread(desk: TextingDesk, caller: Caller, audit: Audit, patient_id: str, opening: str = "") -> Thread:
    """A person's texts; the reply ``opening`` is opened, and its audit event written first. 404 for a person the caller
    may not see, 403 to open words of a person seen in an emergency only."""
    read_waiting(desk)
    with desk.database.read(caller) as connection:
        place = place_of(connection, caller, patient_id)
        sent = repository.texts_of(connection, caller, patient_id)
        replies = repository.replies_of(connection, caller, patient_id)
        number = repository.number_of(connection, caller, patient_id)
        out = number is not None and repository.opted_out(connection, number.number_hash)
    if place is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()
    beyond = caller.is_beyond(place.team_id)
    if opening and beyond:
        raise Problem(403, "emergency-reads-only", "Their own team opens what they wrote.")
    audit.record(Look("texts.seen", (patient_id,), place.team_id, place.run_id))
    if opening and any(row.reply_id == opening for row in replies):
        _note_opening(desk, caller, audit, patient_id, place, opening)
    lines = [*(_sent(desk, row) for row in sent), *(_reply(desk, row, opening) for row in replies)]
    lines.sort(key=lambda line: line.at, reverse=True)
    barred = "no-number" if number is None else "" if number.consented else "no-consent"
    return Thread(patient_id, place.team_id, beyond, tuple(lines), "opted-out" if out else barred)


def require_seen(database: Database, caller: Caller, audit: Audit, patient_id: str) -> None:
    """404, audited, for a person whom the caller may not see."""
    with database.read(caller) as connection:
        place = place_of(connection, caller, patient_id)
    if place is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()


def require_team(caller: Caller, audit: Audit, team_id: str) -> None:
    """404, audited, for a team that is not the caller's."""
    if caller.is_beyond(team_id):
        audit.record(Look("team.not_visible", team_id=team_id))
        raise not_found()


def show_inbox(desk: TextingDesk, caller: Caller, audit: Audit, team_id: str) -> Inbox:
    """Replies to a team of the caller, texts that did not arrive, and people who opted out. The audit event names the
    people shown.
    """
    require_team(caller, audit, team_id)
    read_waiting(desk)
    since = desk.now() - dt.timedelta(days=FAILURES_DAYS)
    with desk.database.read(caller) as connection:
        replies = repository.team_replies(connection, caller, team_id)
        failures = repository.team_failures(connection, caller, team_id, since)
        numbers = repository.team_numbers(connection, caller, team_id)
    with desk.database.write() as connection:
        of_nobody = repository.of_nobody(connection)
    out = tuple(row for row in numbers if row.since is not None)
    may = tuple(row.patient_id for row in numbers if row.consented and row.since is None)
    shown = dict.fromkeys(row.patient_id for row in (*replies, *failures, *numbers))
    audit.record(Look("text_inbox.seen", tuple(shown), team_id))
    return Inbox(team_id, tuple(replies), tuple(failures), out, may, of_nobody)


def change_reply(desk: TextingDesk, caller: Caller, audit: Audit, reply_id: str, change: str) -> str:
    """Assigns a reply, returns it, closes it, or marks it as written by somebody else (then it is not a contact of
    the person); returns the team whose inbox holds it. 404 for a reply of a person the caller may not see, 403 in an
    emergency, 409 for words that nobody has opened yet.
    """
    values: dict[str, Any]
    try:
        with desk.database.write(caller) as connection:
            row = repository.reply_seen(connection, caller, reply_id)
            if row is None or change not in CHANGES:
                raise not_found()
            if caller.is_beyond(row.now_with):
                raise Problem(403, "emergency-reads-only", "Emergency access is for reading; their team answers.")
            if change in ("done", "not_theirs") and row.meaning == Meaning.WORDS and row.opened_at is None:
                raise Problem(409, "reply-not-opened", "Nobody has read this reply. Open it before you finish with it.")
            if change == "take":
                values = {"taken_by": caller.person, "taken_by_name": caller.label or caller.role_label}
                values |= {"taken_at": desk.now()}
            elif change == "leave":
                values = {"taken_by": None, "taken_by_name": None, "taken_at": None}
            elif change == "not_theirs":
                values = {"withdrawn_at": desk.now(), "done_at": desk.now()}
            else:
                values = {"done_at": desk.now()}
            repository.set_reply(connection, reply_id, **values)
            look = Look("text.reply_changed", (row.patient_id,), row.now_with, row.run_id, detail={"change": change})
            append(connection, audit, look)
            return str(row.now_with)
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None


def unread_distress(database: Database, caller: Caller, team_id: str) -> int:
    """How many replies of a team hold words of distress that nobody has opened: for the team's list."""
    with database.read(caller) as connection:
        rows = repository.team_replies(connection, caller, team_id)
    return sum(row.distress and row.opened_at is None for row in rows)


def _note_opening(
    desk: TextingDesk, caller: Caller, audit: Audit, patient_id: str, place: Row[Any, Any], reply_id: str
) -> None:
    try:
        with desk.database.write(caller) as connection:
            row = repository.reply_row(connection, reply_id)
            if row is not None and row.opened_at is None:
                name = caller.label or caller.role_label
                repository.set_reply(connection, reply_id, opened_at=desk.now(), opened_by_name=name)
            append(connection, audit, Look("text.opened", (patient_id,), place.team_id, place.run_id))
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None


def _sent(desk: TextingDesk, row: Row[Any]) -> ThreadLine:
    every = (*desk.texting.templates, *((desk.texting.automatic,) if desk.texting.automatic else ()))
    template = next((one for one in every if one.name == row.template), None)
    what = f"{template.label if template else row.template}: {STATUS_WORDS.get(row.status, 'with the provider')}"
    return ThreadLine(row.created_at, None, what, row.sent_by_name, template.text if template else None)


def _reply(desk: TextingDesk, row: Row[Any], opening: str) -> ThreadLine:
    meaning = Meaning(row.meaning or Meaning.WORDS)
    words = None
    if row.reply_id == opening:
        try:
            words = words_in(opened(desk, row))
        except (NotOpened, ValueError):
            words = "This reply cannot be opened: its key is missing. Telephone them, and tell the administrator."
    sealed = meaning is Meaning.WORDS and words is None
    by = f"read by {row.opened_by_name}" if row.opened_by_name else ""
    by = "the team says that somebody else wrote this" if row.withdrawn_at else by
    return ThreadLine(row.sent_at, row.reply_id, MEANING_LABELS[meaning], by, words, bool(row.distress), sealed)
