"""The keys that seal identities. They are kept in a file, never in the database.

The file holds one key per line, ``<key id>:<64 hex digits>``. The first key seals; the others only open older values.
To change the key, put a new one on top and run ``upstream identities rotate``. AES-256-GCM ties each sealed value to
its person's id, so it does not open in another row.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from features.errors import UpstreamError

KEY_BYTES, NONCE_BYTES = 32, 12
_KEY_ID = re.compile(r"[a-z0-9]{1,16}")
_SHAPE = "one key a line, <key id>:<64 hex digits>; make one with `openssl rand -hex 32`"


class IdentityKeyProblem(UpstreamError, ValueError):
    """A key file that cannot be used; the message says what to do and never holds a key."""


class NotOpened(UpstreamError):
    """A sealed value that no key of the file opens, or that was changed or moved."""


@dataclass(frozen=True)
class IdentityKeys:
    """Keys by id; ``current`` seals."""

    current: str
    secrets: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> IdentityKeys:
        """The keys of a file that only the service may read. Raises ``IdentityKeyProblem``."""
        try:
            open_to_all = stat.S_IMODE(path.stat().st_mode) & 0o007
            lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
            found = {name: bytes.fromhex(digits) for name, _, digits in (line.partition(":") for line in lines)}
        except (OSError, ValueError):
            raise IdentityKeyProblem(f"the identity key file cannot be read as {_SHAPE}") from None
        sound = all(_KEY_ID.fullmatch(name) and len(secret) == KEY_BYTES for name, secret in found.items())
        if not found or not sound or len(found) != len(lines):
            raise IdentityKeyProblem(f"the identity key file does not hold {_SHAPE}")
        if open_to_all:
            raise IdentityKeyProblem(
                "the identity key file can be read by every account of this machine: make a new key, since this one "
                "may be known, and run chmod 600 on its file"
            )
        return cls(next(iter(found)), found)

    def seal(self, text: bytes, about: str) -> bytes:
        """Seals ``text`` with the current key; it opens only for the same ``about``."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.secrets[self.current]).encrypt(nonce, text, about.encode())

    def open(self, sealed: bytes, about: str, key_id: str) -> bytes:
        """Opens a sealed value. Raises ``NotOpened``."""
        secret = self.secrets.get(key_id)
        if secret is None:
            raise NotOpened(f"the identity key file holds no key {key_id}: add it under the current one")
        try:
            return AESGCM(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            raise NotOpened("a sealed identity was changed, moved, or sealed by another key of the same id") from None


def new_keys() -> IdentityKeys:
    """One new key that is stored nowhere: what it seals is lost when the process ends."""
    return IdentityKeys("once", {"once": secrets.token_bytes(KEY_BYTES)})


def write_new_key(path: Path) -> None:
    """Writes a key file with one new key, readable by its owner only. Keeps an existing file."""
    if path.exists():
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"k1:{secrets.token_hex(KEY_BYTES)}\n")
