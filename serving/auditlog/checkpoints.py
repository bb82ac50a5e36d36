"""Signed checkpoints of the audit log: its newest event's number and hash, signed, in a file on another machine.

Anybody who can write to the database can rewrite the whole chain consistently. A checkpoint on another machine,
signed by a key that is not in the database, shows this: its event is then missing from the chain or has another hash.
Checkpoints are JSON lines; each holds the hash of the line before it, so that none can be removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select

from features.errors import UpstreamError
from models.errors import SignatureInvalid
from models.signing import Signature, SigningKey, TrustedKeys
from serving.auditlog.log import START, Broken
from serving.storage.database import Database
from serving.storage.tables import audit_events, audit_head

_PURPOSE = "audit checkpoint"
_LONGEST_LINE = 4_096


class CheckpointsUnusable(UpstreamError):
    """The file of checkpoints cannot be read or written."""


class Checkpoint(BaseModel):
    """The signed content: the newest event, and the hash of the line before this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    made_at: datetime
    seq: int = Field(ge=0)
    head: str = Field(pattern=r"^[0-9a-f]{64}$")
    previous: str = Field(pattern=r"^[0-9a-f]{64}$")

    def message(self) -> bytes:
        return self.model_dump_json().encode()


class SignedCheckpoint(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: Checkpoint
    signature: Signature


def add_checkpoint(database: Database, key: SigningKey, file: Path, by: str) -> Checkpoint:
    """Signs the newest event and appends it to ``file``, synced to disk. Raises ``CheckpointsUnusable``."""
    with database.read() as connection:
        head = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.seek(0)
            lines = log.read().splitlines()
            made = Checkpoint(
                made_at=datetime.now(UTC).replace(microsecond=0),
                seq=head.seq,
                head=head.hash,
                previous=_hash(lines[-1]) if lines else START,
            )
            signed = SignedCheckpoint(checkpoint=made, signature=key.sign(_PURPOSE, made.message(), by))
            log.write(signed.model_dump_json().encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        raise CheckpointsUnusable(f"{file}: {error.strerror}; no checkpoint was written") from None
    return made


def check_against(database: Database, file: Path, trusted: TrustedKeys) -> list[Broken]:
    """Every checkpoint of ``file`` that does not match the log, or was not signed by a trusted key. Raises
    ``CheckpointsUnusable`` if the file cannot be read or holds no checkpoint.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise CheckpointsUnusable(f"{file}: {error.strerror}") from None
    if not lines:
        raise CheckpointsUnusable(f"{file} holds no checkpoint; make one with `upstream audit checkpoint`")
    broken, previous = [], START
    with database.read() as connection:
        for number, line in enumerate(lines, start=1):
            where = f"checkpoint {number}"
            try:
                signed = SignedCheckpoint.model_validate_json(line[:_LONGEST_LINE])
                trusted.check(_PURPOSE, signed.checkpoint.message(), signed.signature)
            except ValidationError:
                broken.append(Broken(0, f"{where} is not a checkpoint"))
            except SignatureInvalid as error:
                broken.append(Broken(0, f"{where}: {error}"))
            else:
                made = signed.checkpoint
                if made.previous != previous:
                    broken.append(Broken(made.seq, f"{where} does not follow from the line before it"))
                found = connection.scalar(select(audit_events.c.hash).where(audit_events.c.seq == made.seq))
                if (START if made.seq == 0 else found) != made.head:
                    broken.append(
                        Broken(
                            made.seq,
                            f"{where} of {made.made_at:%-d %B %Y} names another event: the log was rewritten or cut",
                        )
                    )
            previous = _hash(line)
    return broken


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
