"""Reads batches of resources one by one. Every line gets a fate; a line that cannot be read is set aside."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.records.days import NO_DAY
from features.records.problems import RecordsError, RecordsProblem
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CodeBook
from features.records.sources.fhir.dates import NotADate
from features.records.sources.fhir.references import Identities, Scope, base_of, entry_key, key_hashes
from features.records.sources.fhir.rows import care, clinical, medicines, people
from features.records.sources.fhir.sink import ASIDE, DAYS, LEFT_OUT, NOT_READ, NUMBERS, TABLES, USED, Sink

READERS: dict[type[r.Resource], Callable[..., str]] = {
    r.Patient: people.patient,
    r.Flag: people.flag,
    r.CarePlan: people.care_plan,
    r.CareTeam: people.care_team,
    r.Organization: people.care_team,
    r.PractitionerRole: people.practitioner_role,
    r.Provenance: people.provenance,
    r.Appointment: care.appointment,
    r.Encounter: care.encounter,
    r.EpisodeOfCare: care.episode,
    r.ServiceRequest: care.service_request,
    r.Observation: clinical.observation,
    r.Condition: clinical.condition,
    r.AllergyIntolerance: clinical.allergy,
    r.Medication: medicines.medication,
    r.MedicationRequest: medicines.request,
    r.MedicationDispense: medicines.dispense,
    r.MedicationAdministration: medicines.administration,
    r.MedicationStatement: medicines.statement,
}
_RESTRICTED = ("R", "V")
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
RESTRICTED = f"{LEFT_OUT}restricted (meta.security)"
MODIFIED = f"{LEFT_OUT}a modifierExtension changes its meaning"
BROKEN = f"{ASIDE}a line that cannot be read"
_MOST_VERSIONS = 2**20


@dataclass(frozen=True)
class Given:
    """One resource as received: its bytes, its position, its key where a Bundle gives one, and how its references are
    looked up.
    """

    raw: bytes | msgspec.Raw
    line: int
    scope: Scope
    full_url: str | None = None
    bundle: r.Meta | None = None
    key: str | None = None
    place: str = ""
    """Names the batch within the extract, because a resource without an id is known only by where it stands."""


@dataclass
class Batch:
    """The result of a batch. ``lines``, ``kinds`` and ``fates`` have one entry for each resource. A table of a worker
    process is a file.
    """

    tables: dict[str, pa.Table | Path]
    fates: pa.DictionaryArray
    kinds: pa.DictionaryArray
    keys: npt.NDArray[np.uint64]
    versions: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int32]
    unmapped: Counter[tuple[str, str, str, str]]
    notes: Counter[str]
    broken: list[tuple[int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)


def read_batch(given: Iterable[Given], book: CodeBook) -> Batch:
    """Reads every resource of a batch, in order. Raises RecordsError for STU3."""
    sink = Sink(book)
    kinds: list[str] = []
    keys: list[str] = []
    versions: list[int] = []
    lines: list[int] = []
    broken: list[tuple[int, str]] = []
    for number, one in enumerate(given):
        sink.source = number
        sink.scope = one.scope
        kind, key, version, fate = _read(one, sink, broken)
        kinds.append(kind)
        keys.append(key)
        versions.append(version)
        lines.append(one.line)
        sink.fates.append(fate)
    return Batch(
        {name: rows_table(name, rows) for name, rows in sink.rows.items()},
        pa.array(sink.fates, pa.string()).dictionary_encode(),
        pa.array(kinds, pa.string()).dictionary_encode(),
        key_hashes(keys),
        np.array(versions, np.int64),
        np.array(lines, np.int32),
        sink.unmapped,
        sink.notes,
        broken,
    )


def _read(one: Given, sink: Sink, broken: list[tuple[int, str]]) -> tuple[str, str, int, str]:
    """Returns (type, key, version, fate) of one resource and adds its rows to the sink."""
    try:
        resource = r.decode(one.raw)
    except msgspec.DecodeError as error:
        return _unread(one, error, broken, sink.source)
    kind = type(resource).__name__
    if resource.meta is not None and resource.meta.profile:
        refuse_stu3(resource.meta.profile)
    key = one.key or entry_key(one.full_url, kind, resource.id, one.scope.base)
    if key is None:
        key = f"{kind}/{_nameless(one, sink.source)}"  # nothing can refer to it
    if (hidden := left_out(resource, one)) is not None:
        return kind, key, version_of(resource.meta), hidden
    if resource.contained:
        sink.scope = scope_of(resource, one.scope)
    marks = {name: len(rows) for name, rows in sink.rows.items()}
    try:
        fate = READERS[type(resource)](resource, key, sink)
    except NotADate:
        for name, mark in marks.items():
            del sink.rows[name][mark:]
        fate = f"{ASIDE}a date that cannot be read"
    return kind, key, version_of(resource.meta), fate


def describe(one: Given) -> tuple[str, str]:
    """(type, fate) of a resource that could not be decoded."""
    kind, _, _, fate = _unread(one, msgspec.DecodeError(), [], 0)
    return kind, fate


def _nameless(one: Given, number: int) -> str:
    """An id for a resource that gives none, of its place in the extract."""
    place = hashlib.blake2b(one.place.encode(), digest_size=4).hexdigest()
    return f"line-{one.line}-{number}-{place}"


def _unread(
    one: Given, error: msgspec.DecodeError, broken: list[tuple[int, str]], number: int
) -> tuple[str, str, int, str]:
    try:
        head = r.decode_head(one.raw)
    except msgspec.DecodeError:
        head = r.Head()
    # Its key is that of no other resource: what cannot be read replaces nothing.
    kind, key = head.resourceType or "?", f"?/{_nameless(one, number)}"
    if head.resourceType == "Bundle":
        return kind, key, 0, f"{ASIDE}a Bundle inside another file of resources"
    if head.resourceType is not None and head.resourceType not in r.TYPES:
        if not head.resourceType.isalpha():
            kind = "?"
        return kind, key, 0, f"{NOT_READ}a type that holds nothing we use"
    # msgspec names the path and the kinds of value, never the value; a syntax error names the byte.
    broken.append((one.line, str(error) if isinstance(error, msgspec.ValidationError) else "not JSON"))
    return kind, key, 0, BROKEN


def left_out(resource: r.Resource, one: Given) -> str | None:
    """The fate of a resource that must not be read: it is restricted, or an extension that we do not know changes what
    it says (FHIR R4, 2.4.1.1). None for any other.
    """
    if restricted(resource.meta) or restricted(one.bundle):
        return RESTRICTED
    return MODIFIED if resource.modifierExtension else None


def restricted(meta: r.Meta | None) -> bool:
    """True if a label of confidentiality says restricted or very restricted. Some systems write it as a tag."""
    if meta is None:
        return False
    tagged = (tag.code for tag in meta.tag if tag.system == _CONFIDENTIALITY)
    return any(code in _RESTRICTED for code in (*(label.code for label in meta.security), *tagged))


def scope_of(resource: r.Resource, scope: Scope) -> Scope:
    """The scope of one resource: a reference to a contained Patient means the person with that Patient's identifier."""
    people: dict[str, str] = {}
    for raw in resource.contained:
        if b'"Patient"' not in bytes(raw):
            continue
        try:
            inside = r.decode(raw)
        except msgspec.DecodeError:
            continue
        if isinstance(inside, r.Patient) and inside.id:
            hashes = [found for one in inside.identifier if (found := scope.identities.hash_of(one))]
            # An NHS number names a person better than a local number does.
            people |= {f"#{inside.id}": found for found in sorted(hashes, reverse=True)[:1]}
    return replace(scope, entries={**scope.entries, **people}) if people else scope


def refuse_stu3(profiles: list[str]) -> None:
    """Raises RecordsError where a profile is one of STU3."""
    if any("CareConnect" in profile or "/STU3/" in profile for profile in profiles):
        raise RecordsError(
            [
                RecordsProblem(
                    "FHIR extract",
                    "these are resources of FHIR STU3 (GP Connect structured record, CareConnect profiles)",
                    "FHIR R4 (UK Core)",
                    "ask the supplier for the R4 export, or convert it first",
                )
            ]
        )


def version_of(meta: r.Meta | None) -> int:
    """Sorts versions of one resource: by the moment of the last update to the millisecond, then by the version's
    number.
    """
    if meta is None:
        return 0
    text = meta.versionId
    number = min(int(text), _MOST_VERSIONS - 1) if text and text.isdecimal() and len(text) < 15 else 0
    moment = _moment(meta.lastUpdated) if meta.lastUpdated else None
    return number if moment is None else moment * _MOST_VERSIONS + number


def _moment(text: str) -> int | None:
    """Milliseconds since 1970 of a time; one without a zone is read as UTC, one that cannot be read is None."""
    for given in (text, text[:19].replace(":60", ":59")):  # a leap second, which FHIR allows
        try:
            found = dt.datetime.fromisoformat(given)
        except ValueError:
            continue
        return int((found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp() * 1_000)
    return None


def rows_table(name: str, rows: list[tuple[object, ...]]) -> pa.Table:
    """The rows as the intermediate table ``name``."""
    return _table(name, list(zip(*rows, strict=True))) if rows else _empty(name)


@cache
def _empty(name: str) -> pa.Table:
    """``name`` without rows: most tables of a small file."""
    return _table(name, [()] * len(TABLES[name]))


def _table(name: str, columns: list[tuple[object, ...]]) -> pa.Table:
    return pa.table(
        {column: _column(name, column, values) for column, values in zip(TABLES[name], columns, strict=True)}
    )


def _column(table: str, name: str, values: tuple[object, ...]) -> pa.Array:
    if table in ("provenance", "member") and name == "key":
        return pa.array(key_hashes(map(str, values)))  # one for every resource of a trust: as text they fill gigabytes
    if name == "source" or name in DAYS:
        return pa.array(values, pa.int32())
    if name in NUMBERS:
        return pa.array(values, pa.float64())
    if name in ("as_required", "depot_missed"):
        return pa.array(values, pa.bool_())
    return pa.array(values, pa.string()).dictionary_encode()


def of_lines(lines: Iterable[bytes], first: int, scope: Scope, place: str = "") -> Iterator[Given]:
    """Yields the resources of NDJSON lines. ``first`` is the number of the first line. Blank lines are skipped."""
    for number, line in enumerate(lines, first):
        if line and not line.isspace():
            yield Given(line, number, scope, place=place)


def of_bundle(
    raw: bytes, line: int, identities: Identities, main_base: str | None, gone: set[str], place: str = ""
) -> Iterator[Given]:
    """Resources of one Bundle: a transaction, a message, a collection, a history or a search result. The keys that it
    deletes are added to ``gone``. Raises RecordsError for STU3 and msgspec.DecodeError for a file that is not a Bundle.
    """
    bundle = r.decode_bundle(raw)
    if bundle.meta is not None:
        refuse_stu3(bundle.meta.profile)
    entries: dict[str, str] = {}
    heads: list[tuple[r.Entry, msgspec.Raw]] = []
    base = main_base or next((b for entry in bundle.entry if (b := base_of(entry.fullUrl))), None)
    for entry in bundle.entry:
        if not bytes(entry.resource):
            if key := deleted_key(entry, identities, base):
                gone.add(key)
            continue
        heads.append((entry, entry.resource))
        head = r.decode_head(entry.resource)
        key = entry_key(entry.fullUrl, head.resourceType or "?", head.id, base)
        if key and entry.fullUrl:
            entries[entry.fullUrl] = key
    scope = Scope(identities, base, entries)
    for entry, resource in heads:
        if r.decode_head(resource).resourceType == "Bundle":
            yield from of_bundle(bytes(resource), line, identities, base, gone, place)
        else:
            yield Given(resource, line, scope, entry.fullUrl, bundle.meta, place=place)


def deleted_key(entry: r.Entry, identities: Identities, base: str | None) -> str | None:
    """The key of the resource that an entry deletes. None for another request, or one without a type and an id."""
    if entry.request is None or entry.request.method != "DELETE":
        return None
    return Scope(identities, base).key(r.Reference(reference=entry.request.url))


__all__ = ["BROKEN", "NO_DAY", "RESTRICTED", "USED", "Batch", "Given", "of_bundle", "of_lines", "read_batch"]
