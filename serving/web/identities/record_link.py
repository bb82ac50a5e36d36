"""The way from a person to the trust's own record system, by the address that ``UPSTREAM_RECORD_LINK`` gives."""

from __future__ import annotations

from urllib.parse import quote

from serving.identities.schemas import Identity


def record_link(template: str, patient_id: str, identity: Identity | None) -> str:
    """The address of the person there; empty where none is set, or where it needs an NHS number that is not known."""
    number = identity.nhs_number if identity is not None else ""
    if not template or ("{nhs_number}" in template and not number):
        return ""
    return template.format(nhs_number=quote(number, safe=""), patient_id=quote(patient_id, safe=""))
