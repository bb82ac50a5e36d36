"""One resolver for the five kinds of reference: relative, absolute, urn:uuid, contained and logical.

Every reference becomes one key: ``Type/id`` for a resource, ``#id`` for a contained one, ``=hash`` for an identifier.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.records.reading.nhs_numbers import NhsKey, NotAnNhsNumber, checked
from features.records.sources.fhir.resources import Identifier, Reference

NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
NHS, LOCAL = "=nhs:", "=id:"
HASHED = "="
"""The system of an identifier that is a hash already."""
_TAIL = re.compile(r"^(?:(?P<base>[a-z][a-z0-9+.-]*://.+?)/)?(?P<key>[A-Z][A-Za-z]+/[^/#?|]+)(?:/_history/[^/]+)?$")


@dataclass(frozen=True)
class Identities:
    """Hashes identifiers as they are read. NHS numbers need the trust's key; without a key they are not kept."""

    key: NhsKey | None = None
    link: bytes = b""

    def hash_of(self, identifier: Identifier) -> str | None:
        """``=...`` for an identifier. None if it cannot be used: it has no value, or its NHS number fails the check
        digit.
        """
        system, value = identifier.system or "", (identifier.value or "").strip()
        if not value or not system:
            return None
        if system == HASHED:
            return value
        if system == NHS_NUMBER:
            try:
                digits = checked(value)
            except NotAnNhsNumber:
                return None
            if self.key is not None:
                return f"{NHS}{self.key.pseudonym(digits)}"
            return f"{NHS}{self._hash(digits)}" if self.link else None
        return f"{LOCAL}{self._hash(f'{system}|{value}')}"

    def _hash(self, text: str) -> str:
        return hmac.new(self.link or b"local identifiers", text.encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True)
class Scope:
    """The scope of a reference: the entries of its Bundle, and the server that the extract came from."""

    identities: Identities
    base: str | None = None
    entries: Mapping[str, str] = field(default_factory=dict)
    resolved: bool = False

    @classmethod
    def nowhere(cls) -> Scope:
        """A scope without a Bundle, a server or a key."""
        return cls(Identities())

    def key(self, reference: Reference | None) -> str | None:
        """The key of the resource that a reference means, or None if it cannot be resolved."""
        if reference is None:
            return None
        text = reference.reference
        if not text:
            return self._logical(reference)
        if text in self.entries:
            return self.entries[text]
        if text[0] == "#" or self.resolved:
            return text
        # A urn means something only inside its Bundle. What leads nowhere may still name an identifier.
        found = None if text.startswith("urn:") else _TAIL.match(text)
        if found is None:
            return self._logical(reference)
        base, tail = found["base"], found["key"]
        if base is None:
            return self.entries.get(f"{self.base}/{tail}", tail) if self.base else tail
        return tail if self.base in (None, base) else f"{tail}@{base}"

    def _logical(self, reference: Reference) -> str | None:
        return None if reference.identifier is None else self.identities.hash_of(reference.identifier)


def entry_key(full_url: str | None, resource_type: str, resource_id: str | None, base: str | None) -> str | None:
    """The key of a resource: its id, or the last part of its fullUrl. The key of a resource from another server than
    ``base`` includes that server.
    """
    if full_url and full_url.startswith("urn:"):
        return f"{resource_type}/{resource_id or full_url.rsplit(':', 1)[-1]}"
    found = _TAIL.match(full_url) if full_url else None
    if found is None or found["base"] is None:
        return f"{resource_type}/{resource_id}" if resource_id else None
    tail = f"{resource_type}/{resource_id}" if resource_id else found["key"]
    return tail if base in (None, found["base"]) else f"{tail}@{found['base']}"


def base_of(full_url: str | None) -> str | None:
    """The server a fullUrl names, None for a urn."""
    found = _TAIL.match(full_url) if full_url else None
    return found["base"] if found else None


def key_hashes(keys: Iterable[str]) -> npt.NDArray[np.uint64]:
    """64 bits for each key: enough to tell the resources of a trust apart, in a tenth of the memory of the text."""
    digests = [hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys]
    return np.frombuffer(b"".join(digests), np.uint64)
