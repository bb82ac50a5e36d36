"""Seals what a person filled in, so that neither the database nor anybody else's session can read it.

The key lies beside the database, in a file that only the account of the service can read, and never in it. Without a
place to keep it, the key lives as long as the process: drafts then end with a restart, and nothing else changes.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_FILE = "drafts.key"
KEY_BYTES, NONCE_BYTES = 32, 12


class Sealer:
    """Seals and opens text with AES-256-GCM. What it is about is bound in, so a draft cannot be moved to another
    person."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def of_home(cls, home: Path) -> Sealer:
        """The sealer of a home folder; its key is made when first asked for."""
        path = home / KEY_FILE
        with suppress(OSError):
            # Written whole beside and linked: of two processes that start at once, both read the same key.
            beside = home / f"{KEY_FILE}.{os.getpid()}"
            if not path.exists():
                handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(secrets.token_bytes(KEY_BYTES))
                with suppress(FileExistsError):
                    os.link(beside, path)
                beside.unlink()
            key = path.read_bytes()
            if len(key) == KEY_BYTES:
                return cls(key)
        return cls(secrets.token_bytes(KEY_BYTES))

    def seal(self, text: str, about: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())

    def open(self, sealed: bytes, about: str) -> str | None:
        """The text; None for what another key sealed, what is about something else, or what was changed."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode()).decode()
        except (InvalidTag, ValueError):
            return None
