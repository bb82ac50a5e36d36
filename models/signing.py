"""Ed25519 signatures: a private key in one file, public keys in a folder of trusted ones.

A bundle is signed when it is promoted, and the head of the audit log when a checkpoint is made. A signature shows
where a file came from. A hash stored with the file cannot, because an attacker who changes the file can change the
hash too.

Key files are PEM, as ``openssl genpkey -algorithm ed25519`` writes them, so that a trust may make and keep them with
its own tools.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import BaseModel, ConfigDict, Field

from models.errors import KeyUnusable, SignatureInvalid

PUBLIC_SUFFIX = ".pub"
TRUSTED_KEYS = "trusted_keys"
"""The folder of a home whose public keys are trusted, where UPSTREAM_TRUSTED_KEYS names no other."""


class Signature(BaseModel):
    """A signature and who made it. ``value`` is base64 of the 64 bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    algorithm: Literal["Ed25519"] = "Ed25519"
    key_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    value: str = Field(pattern=r"^[A-Za-z0-9+/]{86}==$")
    signed_at: datetime
    signed_by: str = Field(max_length=200)


@dataclass(frozen=True)
class SigningKey:
    """A private key. Open one with ``SigningKey.load``, make one with ``new_key``."""

    key_id: str
    private: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ``KeyUnusable`` for a file that is absent, no Ed25519 key, or readable by others than its owner."""
        try:
            mode = path.stat().st_mode
            data = path.read_bytes()
        except OSError as error:
            raise KeyUnusable(f"{path}: {error.strerror}; make one with `upstream keys new`") from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnusable(f"{path} can be read by others than its owner: run `chmod 600` on it")
        try:
            private = load_pem_private_key(data, password=None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyUnusable(f"{path} holds no Ed25519 private key without a password, as PEM")
        return cls(_key_id(private.public_key()), private)

    def sign(self, purpose: str, message: bytes, by: str) -> Signature:
        """Sign ``message`` for one ``purpose``: a signature of a bundle is not valid for anything else."""
        value = self.private.sign(_framed(purpose, message))
        return Signature(
            key_id=self.key_id,
            value=base64.b64encode(value).decode(),
            signed_at=datetime.now(UTC).replace(microsecond=0),
            signed_by=by,
        )


@dataclass(frozen=True)
class TrustedKeys:
    """The public keys that are trusted, by key id. An empty set means that no key is trusted."""

    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def load(cls, where: Path) -> Self:
        """The key in a file, or every ``*.pub`` of a folder. Raises ``KeyUnusable`` for a file that is no key."""
        paths = sorted(where.glob(f"*{PUBLIC_SUFFIX}")) if where.is_dir() else [where]
        found = {}
        for path in paths:
            try:
                key = load_pem_public_key(path.read_bytes())
            except OSError as error:
                raise KeyUnusable(f"{path}: {error.strerror}") from None
            except ValueError:
                key = None
            if not isinstance(key, Ed25519PublicKey):
                raise KeyUnusable(f"{path} holds no Ed25519 public key, as PEM: replace or remove it")
            found[_key_id(key)] = key
        return cls(found)

    @classmethod
    def of_home(cls, home: Path | None) -> Self | None:
        """The keys in the folder UPSTREAM_TRUSTED_KEYS, else in ``trusted_keys`` of a home; None if there is neither;
        then no signature is required. If a folder is named and absent, no key is trusted."""
        named = os.environ.get("UPSTREAM_TRUSTED_KEYS", "")
        if named:
            folder = Path(named)
            return cls.load(folder) if folder.exists() else cls({})
        if home is None or not (home / TRUSTED_KEYS).is_dir():
            return None
        return cls.load(home / TRUSTED_KEYS)

    def check(self, purpose: str, message: bytes, signature: Signature) -> None:
        """Raises ``SignatureInvalid`` unless a trusted key signed exactly this message for this purpose."""
        key = self.keys.get(signature.key_id)
        if key is None:
            raise SignatureInvalid(f"signed by key {signature.key_id}, which is not among the trusted keys")
        try:
            key.verify(base64.b64decode(signature.value), _framed(purpose, message))
        except InvalidSignature:
            raise SignatureInvalid(
                f"the signature of key {signature.key_id} does not fit: something was altered"
            ) from None


def new_key(private: Path, public: Path) -> str:
    """Make a key pair in two new files (the private one for its owner alone) and give the key id. Raises
    ``KeyUnusable`` where a file is there already or cannot be written."""
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    shown = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for path, data, mode in ((private, secret, 0o600), (public, shown, 0o644)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise KeyUnusable(f"{path}: {error.strerror}; a key is never overwritten, give a new name") from None
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    return _key_id(key.public_key())


def demo_key(home: Path) -> SigningKey:
    """The key that a demo signs with, made once and trusted only by its own home. A trust keeps its own key
    elsewhere."""
    private = home / "demo_signing.key"
    if not private.exists():
        new_key(private, home / TRUSTED_KEYS / f"demo{PUBLIC_SUFFIX}")
    return SigningKey.load(private)


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def _framed(purpose: str, message: bytes) -> bytes:
    return b"upstream " + purpose.encode() + b"\0" + message
