"""Ids of resources: the same for a person's resource in every run, and valid in FHIR for any of our ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 64
PERSON = "urn:upstream:person"
_PLAIN = re.compile(r"[A-Za-z0-9-]{1,24}")
_HASHED = "h-"


def person_part(patient_id: str) -> str:
    """A person's id as part of a resource id: the id itself if FHIR allows it, otherwise a hash of it."""
    if _PLAIN.fullmatch(patient_id) and not patient_id.startswith(_HASHED):
        return patient_id
    return _HASHED + hashlib.sha256(patient_id.encode()).hexdigest()[:20]


def resource_id(what: str, patient_id: str) -> str:
    """``admission.N03``. The subject is written with hyphens, because FHIR allows no underscore."""
    return f"{what.replace('_', '-')}.{person_part(patient_id)}"[:LONGEST]


def split(identifier: str) -> tuple[str, str] | None:
    """(subject, part of the person) of a resource's id; None for an id that is not ours."""
    what, dot, part = identifier.partition(".")
    return (what, part) if dot and what and part else None


def person_of(part: str, people: Iterable[str]) -> str | None:
    """The person of ``people`` that a part of an id means."""
    return next((patient_id for patient_id in people if person_part(patient_id) == part), None)


def is_hashed(part: str) -> bool:
    return part.startswith(_HASHED)
