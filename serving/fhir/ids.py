"""Ids of resources: the same for a person's resource in every run, and legal in FHIR whatever our ids look like."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 64
PERSON = "urn:upstream:person"
_PLAIN = re.compile(r"[A-Za-z0-9-]{1,24}")
_HASHED = "h-"


def person_part(patient_id: str) -> str:
    """A person's id as part of an id: itself where FHIR allows it, else a hash of it."""
    if _PLAIN.fullmatch(patient_id) and not patient_id.startswith(_HASHED):
        return patient_id
    return _HASHED + hashlib.sha256(patient_id.encode()).hexdigest()[:20]


def resource_id(what: str, patient_id: str) -> str:
    """``admission.N03``; what it is about is written with hyphens, as FHIR allows no underscore."""
    return f"{what.replace('_', '-')}.{person_part(patient_id)}"[:LONGEST]


def split(identifier: str) -> tuple[str, str] | None:
    """(what, part of the person) of a resource's id; None for what is none of ours."""
    what, dot, part = identifier.partition(".")
    return (what, part) if dot and what and part else None


def person_of(part: str, people: Iterable[str]) -> str | None:
    """Who of ``people`` a part of an id stands for."""
    return next((patient_id for patient_id in people if person_part(patient_id) == part), None)


def is_hashed(part: str) -> bool:
    return part.startswith(_HASHED)
