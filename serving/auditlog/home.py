"""``upstream audit``: verifies or signs the log of a home, without the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url, select

from models.signing import SigningKey, TrustedKeys
from serving.auditlog.checkpoints import Checkpoint, add_checkpoint, check_against
from serving.auditlog.linked import check_linked
from serving.auditlog.log import START, Broken, Verified, verify_chain
from serving.settings import database_url_of
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.tables import audit_events, audit_head


def verify_home(
    home: Path, against: str | None = None, checkpoints: Path | None = None, trusted: TrustedKeys | None = None
) -> Verified:
    """``verify_chain`` and ``check_linked`` of a home's database, without changing it. Raises ``DatabaseUnavailable``
    if there is none.

    ``against`` is a head kept elsewhere. It must be in the chain; this detects a chain that was rewritten or cut as a
    whole. ``checkpoints`` is a file of signed heads; each must be signed by a ``trusted`` key (by default those of
    the home) and be in the chain. Raises ``CheckpointsUnusable`` where there are none.
    """
    with _database_of(home) as database:
        broken = [*verify_chain(database), *check_linked(database)]
        if against is not None and against != START:
            broken += _unknown_head(database, against.strip().lower())
        if checkpoints is not None:
            broken += check_against(database, checkpoints, trusted or TrustedKeys.of_home(home) or TrustedKeys({}))
        with database.read() as connection:
            head = connection.execute(select(audit_head)).first()
    return Verified(head.seq if head else 0, head.hash if head else "", broken)


def checkpoint_home(home: Path, key: SigningKey, file: Path, by: str) -> Checkpoint:
    """Signs the newest event of a home's log into ``file``. Raises ``DatabaseUnavailable`` or
    ``CheckpointsUnusable``.
    """
    with _database_of(home) as database:
        return add_checkpoint(database, key, file, by)


def _unknown_head(database: Database, kept: str) -> list[Broken]:
    with database.read() as connection:
        if connection.scalar(select(audit_events.c.seq).where(audit_events.c.hash == kept)) is not None:
            return []
        newest = connection.scalar(select(audit_head.c.seq)) or 0
    words = "the head kept elsewhere is in no event: the chain was rewritten, or cut before that event"
    return [Broken(newest, words)]


@contextmanager
def _database_of(home: Path) -> Iterator[Database]:
    url = database_url_of(home)
    path = make_url(url).database if url.startswith("sqlite") else None
    if path and not Path(path).is_file():
        raise DatabaseUnavailable(f"there is no service database at {path}; name its home with --home")
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
