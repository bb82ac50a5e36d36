"""Resources as the ledger keeps them: only the fields we read, references as keys, identifiers as hashes, no free
text."""

from __future__ import annotations

import hashlib
import re
import types
import typing
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import msgspec
import numpy as np

from features.records.ledger import Versions
from features.records.reading.parsing import read_bound, split_unit
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.fhir.references import HASHED, Scope
from features.reference import TESTS

_LATE: dict[str, tuple[str, ...]] = {
    "Appointment": ("status", "cancelationReason"),
    "Encounter": ("status",),
    "EpisodeOfCare": ("status", "statusHistory", "extension"),
    "Patient": ("deceasedBoolean", "deceasedDateTime"),
}
"""The fields of each resource that become known later than the rest: an outcome, a closure, a death."""
_HELD = (r.Medication, r.MedicationRequest)


def canonical(resource: r.Resource, scope: Scope) -> r.Resource:
    """Replaces every reference by its key and every identifier by its hash. Changes the resource in place."""
    _walk(resource, scope)
    held = []
    for raw in resource.contained:
        head = r.decode_head(raw)
        if head.resourceType in r.TYPES and isinstance(inside := r.decode(raw), _HELD):
            held.append(msgspec.Raw(r.encode(canonical(inside, scope))))
    resource.contained = held
    if resource.meta is not None:
        resource.meta.profile = []
    return resource


def payload_of(resource: r.Resource) -> tuple[bytes, int, int]:
    """(the resource as JSON, hash of what dates it, hash of what becomes known later). The time of the last technical
    update does not count as content."""
    payload = r.encode(resource)
    meta = resource.meta
    if meta is not None:
        kept = r.Meta(security=meta.security, tag=meta.tag)
        resource.meta = kept if kept.security or kept.tag else None
    names = _LATE.get(type(resource).__name__, ())
    late: list[Any] = [getattr(resource, name) for name in names]
    defaults = type(resource)()
    for name in names:
        setattr(resource, name, getattr(defaults, name))
    if isinstance(resource, r.Encounter) and resource.period is not None:
        late.append(resource.period.end)
        resource.period = r.Period(start=resource.period.start)
    if isinstance(resource, r.EpisodeOfCare) and resource.period is not None:
        late.append(resource.period.end)
        resource.period = r.Period(start=resource.period.start)
    return payload, _hash(r.encode(resource)), _hash(r.encode(late))


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def versions_of(resources: dict[str, tuple[bytes, int, int]]) -> Versions:
    """The columns that the ledger stores: names, payloads and hashes."""
    return Versions(
        list(resources),
        [payload for payload, _, _ in resources.values()],
        np.array([base for _, base, _ in resources.values()], np.uint64),
        np.array([late for _, _, late in resources.values()], np.uint64),
    )


def _walk(part: Any, scope: Scope) -> None:
    kind: type = type(part)
    for name, rewrite in _fields(kind):
        value = getattr(part, name)
        if value is None or value == []:
            continue
        if isinstance(value, list):
            setattr(part, name, [one for item in value if (one := rewrite(item, scope)) is not None])
        else:
            setattr(part, name, rewrite(value, scope))


@cache
def _fields(kind: type) -> tuple[tuple[str, Callable[[Any, Scope], Any]], ...]:
    """Fields of a struct that hold references, identifiers, free text or structs that do."""
    found: list[tuple[str, Callable[[Any, Scope], Any]]] = []
    hints = typing.get_type_hints(kind)
    for name in kind.__struct_fields__:  # type: ignore[attr-defined]
        for inner in _inner(hints[name]):
            if inner is r.Reference:
                found.append((name, _reference))
            elif inner is r.Identifier:
                found.append((name, _identifier))
            elif isinstance(inner, type) and issubclass(inner, r.Element) and inner is not kind and _holds_any(inner):
                found.append((name, _part))
        if name in ("valueString",) or (name == "text" and kind is r.Dosage):
            found.append((name, _no_text))
    return tuple(found)


def _holds_any(kind: type) -> bool:
    return bool(_fields(kind))


def _inner(hint: Any) -> tuple[Any, ...]:
    """The classes inside ``X | None`` and ``list[X]``."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return tuple(one for arg in typing.get_args(hint) for one in _inner(arg))
    return _inner(typing.get_args(hint)[0]) if typing.get_origin(hint) is list else (hint,)


def _reference(value: r.Reference, scope: Scope) -> r.Reference | None:
    key = scope.key(value)
    return None if key is None else r.Reference(reference=key)


def _identifier(value: r.Identifier, scope: Scope) -> r.Identifier | None:
    hashed = scope.identities.hash_of(value)
    return None if hashed is None else r.Identifier(system=HASHED, value=hashed)


def _part(value: r.Element, scope: Scope) -> r.Element:
    _walk(value, scope)
    return value


def _no_text(value: str, scope: Scope) -> str:
    """A number with its bound, and with its unit if a test has that unit, and words of our table that say that nothing
    was measured. Other words are replaced by a marker and not kept."""
    if _NUMBER.fullmatch(value) or read_bound(value) is not None:
        return value
    if load_codebook().code("not_done", value.strip().casefold()):
        return value
    found = split_unit(value)
    return value if found is not None and _is_unit(found[2]) else "words that are not kept"


@lru_cache(16_384)
def _is_unit(word: str) -> bool:
    return any(test.conversion(word) is not None for test in TESTS.values())


_NUMBER = re.compile(r"[<>]?=? ?\d+(\.\d+)?")
