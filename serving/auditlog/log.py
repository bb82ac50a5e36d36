"""The audit log of who saw or changed what: append-only, hash-chained, written before the data leaves.

Every event holds the hash of the one before it, and ``audit_head`` holds the newest number and hash, so a changed,
removed, reordered or cut-off event is found by ``verify_chain``. The head row is updated first, which makes writers
queue on both SQLite and PostgreSQL. If the log cannot be written, ``AuditUnavailable`` is raised and the caller gets
503 instead of the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, insert, select, update
from sqlalchemy.exc import NoResultFound

from features.errors import UpstreamError
from serving.identity.callers import Caller
from serving.storage.compiled_statements import CompiledStatement
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.tables import audit_events, audit_head, exposures

HEAD_START_S = 0.005
"""How long a thread may hold the interpreter's lock before another that asks for it gets it."""
START = "0" * 64
"""Used in place of a predecessor's hash by the first event."""


class AuditUnavailable(UpstreamError):
    """The audit log could not be written, so nothing may be shown."""


@dataclass(frozen=True)
class Look:
    """One view or change. ``patient_ids`` are the people whose data is about to leave, in the order shown."""

    action: str
    patient_ids: tuple[str, ...] = ()
    team_id: str | None = None
    run_id: str | None = None
    bundle_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    shown: tuple[dict[str, Any], ...] = ()
    """Rows for the exposure log (patient_id, outcome, horizon_days, ranking, position, rank), written with the
    event."""


@dataclass(frozen=True)
class Broken:
    """Where and how the chain is broken."""

    seq: int
    reason: str


@dataclass(frozen=True)
class Along:
    """Rows that are written in the transaction of an event. The database holds them, and the event's rows of the
    exposure log, to what ``caller`` may see. Each function of ``rows`` writes the rows of several events at once."""

    caller: Caller
    rows: tuple[tuple[Callable[[Connection, list[Any]], None], tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Audit:
    """The log, bound to one request and its caller, so that services only say what was viewed."""

    database: Database
    actor: str
    role: str
    request_id: str
    always: Mapping[str, Any] = field(default_factory=dict)
    """Added to the detail of every event of this request."""

    @classmethod
    def of(cls, database: Database, caller: Caller, request_id: str) -> Audit:
        return cls(database, caller.token_id, caller.role.value, request_id)

    def record(self, look: Look, along: Along | None = None, waits: Callable[[], None] = lambda: None) -> None:
        """Writes and commits one event, together with those of other requests that wait for the same disk, and with
        the rows that belong to it. ``waits`` is called when only waiting is left. Raises ``AuditUnavailable``, and
        what writing the rows raised; call it before returning what was viewed."""
        try:
            plain = along is None and not look.shown
            self.database.commit_together(_record, (self, look, along), waits, plain)
        except DatabaseUnavailable as error:
            raise AuditUnavailable(str(error)) from None

    @contextmanager
    def recording(self, look: Look) -> Iterator[None]:
        """Runs ``record`` in parallel with the work of the block, because writing mostly waits for the disk. The data
        may leave once the block has ended.

        The block begins when only waiting is left, or after ``HEAD_START_S``: before that both would pass the
        interpreter's lock to and fro, which took longer than writing one after the other.

        If the work then fails, the event remains: the log may hold a view that came to nothing, but never misses one.
        Raises ``AuditUnavailable``.
        """
        waits = Event()
        written = self.database.beside.submit(self.record, look, None, waits.set)
        waits.wait(HEAD_START_S)
        try:
            yield
        finally:
            written.exception()  # waits, and raises nothing: an error of the work goes first
        written.result()


HEAD = audit_head.c.head_id == 1
NEXT_EVENT = CompiledStatement(
    update(audit_head)
    .where(HEAD)
    .values(seq=audit_head.c.seq + bindparam("more", type_=Integer))
    .returning(audit_head.c.seq, audit_head.c.hash)
)
ADD_EVENT = CompiledStatement(insert(audit_events))
ADD_EXPOSURES = insert(exposures)
SET_HEAD = CompiledStatement(update(audit_head).where(HEAD).values(hash=bindparam("newest")))


def wait_for_writers(connection: Connection) -> None:
    """Returns once no other transaction is about to commit an event, and holds those that come until this one ends.

    PostgreSQL would otherwise let an erasure miss the rows of a run that commits a moment later. On SQLite, a write
    holds the whole database anyway."""
    connection.execute(select(audit_head.c.seq).with_for_update())


def append(connection: Connection, by: Audit, look: Look) -> None:
    """Adds one event inside the caller's transaction."""
    append_all(connection, [(by, look)])


def append_all(connection: Connection, looks: Sequence[tuple[Audit, Look]]) -> None:
    """Adds some events, in their order, inside the caller's transaction."""
    shown = [row for rows in _add_events(connection, looks) for row in rows]
    if shown:
        connection.execute(ADD_EXPOSURES, shown)


def _record(connection: Connection, entries: Sequence[tuple[Audit, Look, Along | None]]) -> None:
    """Adds the events of several requests, and the rows that belong to each. The head of the log is taken last,
    because every other writer waits for it."""
    callers = {along.caller if along else None: None for _, _, along in entries}
    database = entries[0][0].database
    for caller in callers:
        written: dict[Any, list[Any]] = {}
        for _, _, along in entries:
            for write, rows in along.rows if along is not None and along.caller == caller else ():
                written.setdefault(write, []).extend(rows)
        if written:
            database.hold_to(connection, caller)
        for write, together in written.items():
            write(connection, together)
    shown: dict[Caller | None, list[dict[str, Any]]] = {}
    events = _add_events(connection, [(by, look) for by, look, _ in entries])
    for (_, _, along), exposed in zip(entries, events, strict=True):
        shown.setdefault(along.caller if along else None, []).extend(exposed)
    for caller, exposed in shown.items():
        if exposed:
            database.hold_to(connection, caller)
            connection.execute(ADD_EXPOSURES, exposed)


def _add_events(connection: Connection, looks: Sequence[tuple[Audit, Look]]) -> list[list[dict[str, Any]]]:
    """Adds some events, in their order, and returns the rows of the exposure log that belong to each."""
    heads = NEXT_EVENT.run(connection, {"more": len(looks)})
    if not heads:
        raise NoResultFound("the audit log has lost its head row")
    (last, previous), events = heads[0], []
    for seq, (by, look) in enumerate(looks, last - len(looks) + 1):
        events.append(_event(seq, by, look, previous))
        previous = events[-1]["hash"]
        ADD_EVENT.run(connection, events[-1])
    SET_HEAD.run(connection, {"newest": previous})
    return [
        [
            {
                "audit_seq": event["seq"],
                "run_id": look.run_id,
                "team_id": look.team_id,
                "shown_at": datetime.now(UTC),
                **row,
            }
            for row in look.shown
        ]
        for event, (_, look) in zip(events, looks, strict=True)
    ]


def _event(seq: int, by: Audit, look: Look, previous: str) -> dict[str, Any]:
    """One event as a row of the log."""
    event = {
        "seq": seq,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "actor": by.actor,
        "role": by.role,
        "action": look.action,
        "team_id": look.team_id,
        "patient_ids": list(look.patient_ids),
        "run_id": look.run_id,
        "bundle_id": look.bundle_id,
        "request_id": by.request_id,
        "detail": {**by.always, **look.detail, **({EXPOSURES: rows_hash(look.shown)} if look.shown else {})},
        "previous": previous,
    }
    event["hash"] = _hash(event)
    return event


EXPOSED = ("patient_id", "outcome", "horizon_days", "ranking", "position", "rank")
EXPOSURES = "exposures_sha256"
"""The key in an event's detail for the hash of its rows in the exposure log."""


def rows_hash(rows: Sequence[dict[str, Any]]) -> str:
    """One hash of the exposure-log rows of an event, independent of their order."""
    kept = sorted([row[name] for name in EXPOSED] for row in rows)
    return hashlib.sha256(json.dumps(kept, separators=(",", ":")).encode()).hexdigest()


def check_writable(database: Database) -> None:
    """Raises ``AuditUnavailable`` unless an event could be written now; writes nothing."""
    try:
        with database.could_write() as connection:
            if connection.scalar(select(audit_head.c.seq).where(audit_head.c.head_id == 1)) is None:
                raise AuditUnavailable("the audit log has lost its head row; run `upstream doctor`")
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None


def verify_chain(database: Database) -> list[Broken]:
    """Checks the whole chain and returns every place where it is broken; an empty list means it is intact."""
    broken: list[Broken] = []
    previous, expected = START, 1
    with database.read() as connection:
        head = connection.execute(select(audit_head)).first()
        for row in connection.execute(select(audit_events).order_by(audit_events.c.seq)).yield_per(1_000):
            broken += _check(row, previous, expected)
            previous, expected = row.hash, row.seq + 1
    if head is None or (head.seq, head.hash) != (expected - 1, previous):
        broken.append(Broken(expected, "the newest events are missing, or the head was changed"))
    return broken


@dataclass(frozen=True)
class Verified:
    """Result of checking the chain: the number of events, the head to keep elsewhere, and every broken place."""

    events: int
    head: str
    broken: list[Broken]

    def as_dict(self) -> dict[str, Any]:
        broken = [{"seq": place.seq, "reason": place.reason} for place in self.broken]
        return {"holds": not broken, "events": self.events, "head": self.head, "broken": broken}

    def lines(self) -> list[str]:
        if not self.broken:
            return [f"the audit chain holds: {self.events:,} events", f"head: {self.head}"]
        return ["THE AUDIT CHAIN IS BROKEN", *(f"event {place.seq}: {place.reason}" for place in self.broken)]


def _check(row: Row[Any], previous: str, expected: int) -> Sequence[Broken]:
    found = []
    if row.seq != expected:
        found.append(Broken(expected, f"events {expected} to {row.seq - 1} are missing"))
    elif row.previous != previous:
        found.append(Broken(row.seq, "does not follow from the event before it"))
    content = {key: value for key, value in row._mapping.items() if key != "hash"}
    if _hash(content) != row.hash:
        found.append(Broken(row.seq, "was changed after it was written"))
    return found


def _hash(event: dict[str, Any]) -> str:
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
