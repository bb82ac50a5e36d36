"""Ingests FHIR with a version ledger: an export adds its versions to the ledger, and the store is built from the
ledger.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from features.records.days import date_of
from features.records.ledger import Ledger, State
from features.records.reading.nhs_numbers import NhsKey
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.canonical import canonical, payload_of, versions_of
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.fhir.extract.batches import (
    Given,
    describe,
    left_out,
    read_batch,
    refuse_stu3,
    scope_of,
    version_of,
)
from features.records.sources.fhir.extract.extract import Gathering, Progress
from features.records.sources.fhir.extract.folder import FilePart, open_folder
from features.records.sources.fhir.extract.parts import Job, resources_of
from features.records.sources.fhir.ingest import FhirExtract, last_day_of, link, write
from features.records.sources.fhir.linking.linking import Seen
from features.records.sources.fhir.references import Identities, Scope, entry_key
from features.records.sources.fhir.scratch import Scratch

_BLOCK = 50_000


def ingest_into_ledger(
    folder: str | Path,
    ledger: Ledger,
    *,
    nhs_key: NhsKey | None = None,
    exported: dt.date | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Adds one export to the ledger. Every resource gets a fate: kept, or why not. Raises RecordsError."""
    found = open_folder(folder)
    # Without the trust's key NHS numbers are not kept: others could reverse the hash, so it must not be on a disk.
    job = Job(Identities(nhs_key), found.base, None, None)
    fates: Counter[tuple[str, str]] = Counter()
    taken: dict[str, tuple[bytes, int, int]] = {}
    versions: dict[str, int] = {}
    gone: set[str] = set()
    done, total = 0, sum(part.size for part in found.parts)
    for part in found.parts:
        for one in resources_of(part, job, gone):
            kind, fate = _take(one, taken, versions, gone)
            fates[kind, fate] += 1
        done += part.size
        if progress is not None:
            progress(done, total)
    day = last_day_of(found, exported)
    moment = found.moment if exported is None else None
    counts = ledger.append(day, versions_of(taken), sorted(gone - taken.keys()), moment)
    types: dict[str, dict[str, int]] = {}
    for (kind, fate), count in sorted(fates.items()):
        types.setdefault(kind, {})[fate] = count
    notes = [f"{note} ({count:,})" for note, count in found.notes if count]
    return {"export_day": str(date_of(day)), "versions": counts.as_dict(), "types": types, "notes": notes}


def _take(
    one: Given, taken: dict[str, tuple[bytes, int, int]], versions: dict[str, int], gone: set[str]
) -> tuple[str, str]:
    """Returns (type, fate) of one resource. Adds its latest version in this export to ``taken``."""
    try:
        resource = r.decode(one.raw)
    except msgspec.DecodeError:
        return describe(one)
    kind = type(resource).__name__
    if resource.meta is not None and resource.meta.profile:
        refuse_stu3(resource.meta.profile)
    key = entry_key(one.full_url, kind, resource.id, one.scope.base)
    if (hidden := left_out(resource, one)) is not None:
        if key:
            gone.add(key)  # a resource that became restricted is removed from the store
        return kind, hidden
    version = version_of(resource.meta)
    made = payload_of(canonical(resource, scope_of(resource, one.scope)))
    key = key or f"{kind}/content-{made[1]:016x}{made[2]:016x}"
    if key in taken and versions[key] > version:
        return kind, "replaced by a later version"
    taken[key], versions[key] = made, version
    return kind, "kept in the ledger"


def build_from_ledger(
    ledger: Ledger,
    *,
    before: dt.date | None = None,
    mappings: str | Path | None = None,
    dmd: str | Path | None = None,
    nhs_key: NhsKey | None = None,
    about: Mapping[str, Any] | None = None,
) -> FhirExtract:
    """Builds the tables from the versions that the ledger held before a day, or from all versions if no day is
    given.
    """
    state = ledger.state(before)
    book = load_codebook(mappings, dmd)
    gathering = Gathering(Scratch())
    scope = Scope(Identities(None, secrets.token_bytes(32)), resolved=True)
    for start in range(0, len(state.names), _BLOCK):
        gathering.add(FilePart(ledger.folder, "document"), read_batch(_given(state, start, scope), book))
    extract = gathering.extract()
    extract.files = len(ledger.exports)
    seen = Seen(state.base_seen, state.late_seen)
    return link(extract, seen, state.last_export, about, nhs_key)


def _given(state: State, start: int, scope: Scope) -> Iterator[Given]:
    for number in range(start, min(start + _BLOCK, len(state.names))):
        name = state.names[number]
        yield Given(state.payloads[number], number, scope, key=name)


def ingest_with_ledger(
    folder: str | Path,
    out: str | Path,
    ledger_folder: str | Path,
    *,
    nhs_key: NhsKey | None = None,
    exported: dt.date | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Adds an export to the ledger, and writes the store from the ledger."""
    ledger = Ledger(ledger_folder)
    brought = ingest_into_ledger(folder, ledger, nhs_key=nhs_key, exported=exported, progress=progress)
    report = write(build_from_ledger(ledger, nhs_key=nhs_key, about=about, **options), Path(out))
    return {**report, "notes": [*brought["notes"], *report["notes"]], "export": brought}


def replay(
    day: dt.date, out: str | Path, ledger_folder: str | Path, *, about: Mapping[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    """Writes the store as it was before ``day``, from exports of earlier days only."""
    ledger = Ledger(ledger_folder)
    return write(build_from_ledger(ledger, before=day, about=about, **options), Path(out))


__all__ = ["build_from_ledger", "ingest_into_ledger", "ingest_with_ledger", "replay"]
