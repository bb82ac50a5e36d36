"""All queries over texts. A read for a caller starts at ``visible_people``. Only the service's own jobs read receipts
and replies directly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from serving.identity.callers import Caller
from serving.runs.repository import current_run, insert_rows
from serving.storage.tables import (
    list_lines,
    run_teams,
    text_numbers,
    text_opt_outs,
    text_receipts,
    text_replies,
    texts,
)
from serving.storage.visible import seen, visible_people

FINAL = ("delivered", "permanent-failure", "temporary-failure", "technical-failure")
"""Final statuses of the provider. A text with a temporary failure may still be delivered."""
UNSURE_AFTER = dt.timedelta(minutes=2)
"""Time after which a text without an answer from the provider is shown as possibly not sent."""
CONTACT_KEPT = dt.timedelta(days=1_096)
"""How long the day of a coded reply stays after its words are deleted: no feature looks back further."""
NEVER_LEFT = ("not-sent", "opted-out", "shared-number", "outside-hours")
"""Statuses of texts that were not given to the provider, or that it refused."""
FAILED = ("permanent-failure", "temporary-failure", "technical-failure", "not-sent", "unknown")


def number_of(connection: Connection, caller: Caller, patient_id: str) -> Row[Any] | None:
    """The sealed number and consent of a person whom the caller may see."""
    visible = visible_people(caller)
    query = select(text_numbers).where(
        text_numbers.c.patient_id == patient_id,
        seen(visible, text_numbers),
    )
    return connection.execute(query).first()


def holders(connection: Connection, number_hash: str) -> list[str]:
    """Everybody who has a number. Asked inside a transaction of our own, never shown."""
    query = select(text_numbers.c.patient_id).where(text_numbers.c.number_hash == number_hash)
    return sorted(connection.scalars(query.limit(5)))


def replace_numbers(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Replaces the whole table of numbers inside the caller's transaction."""
    connection.execute(delete(text_numbers))
    insert_rows(connection, text_numbers, rows)


def unread_from(connection: Connection, number_hash: str) -> bool:
    """Whether a reply from a number waits to be read: it may be a STOP."""
    query = select(text_replies.c.reply_id).where(
        text_replies.c.number_hash == number_hash, text_replies.c.handled_at.is_(None)
    )
    return connection.scalar(query.limit(1)) is not None


def team_names(connection: Connection) -> list[str]:
    """Names of the teams of the published run, inside a transaction of our own."""
    run = current_run(connection)
    if run is None:
        return []
    return sorted(set(connection.scalars(select(run_teams.c.name).where(run_teams.c.run_id == run.run_id))))


def how_many_numbers(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(text_numbers)) or 0


def highest_listed(connection: Connection, caller: Caller, most: int) -> list[str]:
    """Ids of the people highest on the published lists: the first person of every team, then the second, and so on."""
    visible = visible_people(caller)
    on_list = and_(list_lines.c.run_id == visible.c.run_id, list_lines.c.patient_id == visible.c.patient_id)
    query = select(visible.c.patient_id, func.min(list_lines.c.place).label("place")).join(list_lines, on_list)
    ordered = query.group_by(visible.c.patient_id).order_by("place", visible.c.patient_id).limit(most)
    return [row.patient_id for row in connection.execute(ordered)]


def opted_out(connection: Connection, number_hash: str) -> bool:
    query = select(text_opt_outs.c.number_hash).where(
        text_opt_outs.c.number_hash == number_hash, text_opt_outs.c.ended_at.is_(None)
    )
    return connection.scalar(query) is not None


def set_opt_out(connection: Connection, number_hash: str, at: dt.datetime, source: str) -> None:
    """Opts a number out. An earlier opt-out stays as it is; a later START that was sent before this is overruled."""
    here = text_opt_outs.c.number_hash == number_hash
    known = connection.execute(select(text_opt_outs).where(here)).first()
    if known is None:
        row = {"number_hash": number_hash, "since": at, "source": source, "ended_at": None}
        connection.execute(insert(text_opt_outs), row)
    elif known.ended_at is None:
        if at > known.since:
            connection.execute(update(text_opt_outs).where(here).values(since=at, source=source))
    elif at >= known.ended_at:
        connection.execute(update(text_opt_outs).where(here).values(since=at, source=source, ended_at=None))


def end_opt_out(connection: Connection, number_hash: str, at: dt.datetime) -> None:
    """Ends an opt-out that is older than ``at``: replies may come in any order."""
    ended = update(text_opt_outs).where(
        text_opt_outs.c.number_hash == number_hash, text_opt_outs.c.since < at, text_opt_outs.c.ended_at.is_(None)
    )
    connection.execute(ended.values(ended_at=at))


def add_text(connection: Connection, row: dict[str, Any]) -> bool:
    """Whether the text is new: one text of an id is sent once."""
    here = select(texts.c.text_id).where(texts.c.text_id == row["text_id"])
    if connection.scalar(here) is not None:
        return False
    connection.execute(insert(texts), row)
    return True


def text_status(connection: Connection, text_id: str) -> str | None:
    return connection.scalar(select(texts.c.status).where(texts.c.text_id == text_id))


def text_row(connection: Connection, text_id: str) -> Row[Any] | None:
    """One text, inside a transaction of our own."""
    return connection.execute(select(texts).where(texts.c.text_id == text_id)).first()


def taken_by_provider(connection: Connection, text_id: str, provider_id: str, at: dt.datetime) -> None:
    """Records that the provider took a text. A receipt that came earlier counts."""
    values = {"provider_id": provider_id, "status": "created", "status_at": at}
    connection.execute(update(texts).where(texts.c.text_id == text_id).values(values))
    apply_receipts(connection, provider_id)


def set_text_status(connection: Connection, text_id: str, status: str, at: dt.datetime) -> None:
    connection.execute(update(texts).where(texts.c.text_id == text_id).values(status=status, status_at=at))


def add_receipt(connection: Connection, provider_id: str, status: str, at: dt.datetime, now: dt.datetime) -> bool:
    """Whether the receipt is new. The text takes the newest status, whatever the order of the receipts."""
    known = select(text_receipts.c.status).where(
        text_receipts.c.provider_id == provider_id, text_receipts.c.status == status
    )
    if connection.scalar(known) is not None:
        return False
    row = {"provider_id": provider_id, "status": status, "at": at, "received_at": now}
    connection.execute(insert(text_receipts), row)
    apply_receipts(connection, provider_id)
    return True


def apply_receipts(connection: Connection, provider_id: str) -> None:
    """Gives a text the status of its newest receipt; delivered wins over a failure of the same moment."""
    query = select(text_receipts).where(text_receipts.c.provider_id == provider_id)
    found = sorted(connection.execute(query), key=lambda row: (row.status == "delivered", row.at))
    if found:
        values = {"status": found[-1].status, "status_at": found[-1].at}
        connection.execute(update(texts).where(texts.c.provider_id == provider_id).values(values))


def add_reply(connection: Connection, row: dict[str, Any]) -> bool:
    """Whether the reply is new: one of the provider's ids is stored once."""
    here = select(text_replies.c.reply_id).where(text_replies.c.reply_id == row["reply_id"])
    if connection.scalar(here) is not None:
        return False
    connection.execute(insert(text_replies), row)
    return True


def unread(connection: Connection) -> list[Row[Any]]:
    """Replies whose meaning has not been read yet, oldest first."""
    query = select(text_replies).where(text_replies.c.handled_at.is_(None))
    return list(connection.execute(query.order_by(text_replies.c.sent_at, text_replies.c.reply_id).limit(500)))


def unanswered(connection: Connection) -> list[Row[Any]]:
    """Replies that were read and wait for the automatic answer, newest first, because a late answer helps less."""
    query = select(text_replies).where(text_replies.c.handled_at.is_not(None), text_replies.c.answered_at.is_(None))
    return list(connection.execute(query.order_by(text_replies.c.stored_at.desc(), text_replies.c.reply_id).limit(100)))


def unalerted(connection: Connection) -> list[Row[Any]]:
    """Replies with words of distress without an alert so far that nobody has opened, oldest first."""
    query = select(text_replies).where(
        text_replies.c.distress.is_(True), text_replies.c.alerted_at.is_(None), text_replies.c.opened_at.is_(None)
    )
    return list(connection.execute(query.order_by(text_replies.c.sent_at, text_replies.c.reply_id).limit(100)))


def teams_of(connection: Connection, caller: Caller, patient_id: str) -> list[str]:
    """The teams that a person is with in the published run."""
    visible = visible_people(caller)
    return sorted(set(connection.scalars(select(visible.c.team_id).where(visible.c.patient_id == patient_id))))


def reply_row(connection: Connection, reply_id: str, *, locked: bool = False) -> Row[Any] | None:
    """One reply, inside a transaction of our own; ``locked`` keeps other processes from it until the end."""
    query = select(text_replies).where(text_replies.c.reply_id == reply_id)
    return connection.execute(query.with_for_update() if locked else query).first()


def set_reply(connection: Connection, reply_id: str, **values: Any) -> None:
    connection.execute(update(text_replies).where(text_replies.c.reply_id == reply_id).values(values))


def whose(connection: Connection, number_hash: str) -> tuple[str | None, str | None]:
    """The person who replied, as (patient, team that texted): the number's only holder, or the person last texted at
    it.
    None if several people hold the number, because any of them may have written."""
    query = select(texts.c.patient_id, texts.c.team_id).where(
        texts.c.number_hash == number_hash,
        texts.c.automatic.is_(False),
        texts.c.patient_id.is_not(None),
        texts.c.status.not_in(NEVER_LEFT),
    )
    last = connection.execute(query.order_by(texts.c.created_at.desc()).limit(1)).first()
    having = holders(connection, number_hash)
    if len(having) > 1:
        return None, None
    if having:
        return having[0], last.team_id if last is not None and last.patient_id == having[0] else None
    return (last.patient_id, last.team_id) if last is not None else (None, None)


def answered_since(connection: Connection, number_hash: str, since: dt.datetime) -> bool:
    """Whether the number got an automatic answer since a moment, or may have."""
    query = select(texts.c.text_id).where(
        texts.c.number_hash == number_hash,
        texts.c.automatic.is_(True),
        texts.c.created_at > since,
        texts.c.status != "not-sent",
    )
    return connection.scalar(query.limit(1)) is not None


def texts_of(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """What was sent to a person, newest first."""
    visible = visible_people(caller)
    query = select(texts).where(
        texts.c.patient_id == patient_id,
        seen(visible, texts),
    )
    return list(connection.execute(query.order_by(texts.c.created_at.desc(), texts.c.text_id)))


def replies_of(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """What came back from a person, newest first. The words stay sealed."""
    visible = visible_people(caller)
    query = select(text_replies).where(
        text_replies.c.patient_id == patient_id,
        seen(visible, text_replies),
    )
    return list(connection.execute(query.order_by(text_replies.c.sent_at.desc(), text_replies.c.reply_id)))


def team_replies(connection: Connection, caller: Caller, team_id: str) -> list[Row[Any]]:
    """Replies of the team's people that nobody has finished with: words of distress first, then the oldest."""
    visible = visible_people(caller)
    query = (
        select(text_replies)
        .join(visible, visible.c.patient_id == text_replies.c.patient_id)
        .where(visible.c.team_id == team_id, text_replies.c.done_at.is_(None), text_replies.c.handled_at.is_not(None))
        .order_by(text_replies.c.distress.desc(), text_replies.c.sent_at, text_replies.c.reply_id)
    )
    return list(connection.execute(query.limit(200)))


def team_failures(connection: Connection, caller: Caller, team_id: str, since: dt.datetime) -> list[Row[Any]]:
    """Texts to the team's people that did not arrive, or may not have, newest first."""
    visible = visible_people(caller)
    before = dt.datetime.now(dt.UTC) - UNSURE_AFTER
    lost = and_(texts.c.status == "sending", texts.c.created_at < before)
    query = (
        select(texts)
        .join(visible, visible.c.patient_id == texts.c.patient_id)
        .where(visible.c.team_id == team_id, texts.c.created_at > since, or_(texts.c.status.in_(FAILED), lost))
        .order_by(texts.c.created_at.desc(), texts.c.text_id)
    )
    return list(connection.execute(query.limit(200)))


def team_numbers(connection: Connection, caller: Caller, team_id: str) -> list[Row[Any]]:
    """The team's people with a number: whether they agreed, and since when they are opted out, if they are."""
    visible = visible_people(caller)
    out = and_(text_opt_outs.c.number_hash == text_numbers.c.number_hash, text_opt_outs.c.ended_at.is_(None))
    query = (
        select(text_numbers.c.patient_id, text_numbers.c.consented, text_opt_outs.c.since, text_opt_outs.c.source)
        .select_from(text_numbers)
        .join(visible, visible.c.patient_id == text_numbers.c.patient_id)
        .outerjoin(text_opt_outs, out)
        .where(visible.c.team_id == team_id)
        .order_by(text_numbers.c.patient_id)
    )
    return list(connection.execute(query))


def reply_seen(connection: Connection, caller: Caller, reply_id: str) -> Row[Any] | None:
    """One reply, with the team that its person is with now; None where the caller may not see them."""
    visible = visible_people(caller)
    query = (
        select(text_replies, visible.c.team_id.label("now_with"), visible.c.run_id)
        .join(visible, visible.c.patient_id == text_replies.c.patient_id)
        .where(text_replies.c.reply_id == reply_id)
    )
    return connection.execute(query).first()


def of_nobody(connection: Connection) -> int:
    """How many replies came from an unknown number."""
    query = (
        select(func.count())
        .select_from(text_replies)
        .where(text_replies.c.patient_id.is_(None), text_replies.c.handled_at.is_not(None))
    )
    return int(connection.scalar(query) or 0)


def coded_replies(connection: Connection, meanings: Sequence[str]) -> list[Row[Any]]:
    """Replies with closed codes, for the records, without those that somebody else wrote."""
    query = select(
        text_replies.c.reply_id,
        text_replies.c.patient_id,
        text_replies.c.team_id,
        text_replies.c.sent_at,
        text_replies.c.stored_at,
    ).where(
        text_replies.c.meaning.in_(list(meanings)),
        text_replies.c.patient_id.is_not(None),
        text_replies.c.withdrawn_at.is_(None),
    )
    return list(connection.execute(query.order_by(text_replies.c.reply_id)))


def held_of(connection: Connection, patient_id: str) -> dict[str, list[Row[Any]]]:
    """Every row about one person, inside a transaction of our own."""
    return {
        table.name: list(connection.execute(select(table).where(table.c.patient_id == patient_id)))
        for table in (text_numbers, texts, text_replies)
    }


def erase_person(connection: Connection, patient_id: str) -> dict[str, int]:
    """Deletes every row about one person, and the receipts of their texts."""
    theirs = select(texts.c.provider_id).where(texts.c.patient_id == patient_id, texts.c.provider_id.is_not(None))
    gone = {"text_receipts": connection.execute(delete(text_receipts).where(text_receipts.c.provider_id.in_(theirs)))}
    for table in (text_numbers, texts, text_replies):
        gone[table.name] = connection.execute(delete(table).where(table.c.patient_id == patient_id))
    return {name: done.rowcount for name, done in gone.items()}


def delete_before(connection: Connection, before: dt.datetime, contacts: Sequence[str]) -> dict[str, int]:
    """Deletes what is older than a moment, except replies that somebody still has to deal with.

    A reply by one of the codes ``contacts`` is a contact of the records. Its words and its number go; its day stays for
    as long as features look back.
    """
    replies, old = text_replies, text_replies.c.sent_at < before
    finished = or_(replies.c.done_at.is_not(None), replies.c.patient_id.is_(None))
    contact = and_(
        replies.c.meaning.in_(list(contacts)), replies.c.patient_id.is_not(None), replies.c.withdrawn_at.is_(None)
    )
    emptied = update(replies).where(old, finished, contact, replies.c.sealed != b"")
    gone = {
        "text_receipts": connection.execute(delete(text_receipts).where(text_receipts.c.received_at < before)),
        "texts": connection.execute(delete(texts).where(texts.c.created_at < before)),
        "words of replies": connection.execute(emptied.values(sealed=b"", number_hash="")),
        "text_replies": connection.execute(
            delete(replies).where(
                old, finished, or_(~func.coalesce(contact, False), replies.c.sent_at < before - CONTACT_KEPT)
            )
        ),
    }
    return {name: done.rowcount for name, done in gone.items()}
