"""Reads one part of an extract in this process: lines, a document, or the deletions of an export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CodeBook
from features.records.sources.fhir.extract.batches import Batch, Given, deleted_key, of_bundle, of_lines, read_batch
from features.records.sources.fhir.extract.folder import FilePart, line_blocks, open_part
from features.records.sources.fhir.references import Identities, Scope
from features.records.sources.fhir.sink import NOT_READ


@dataclass(frozen=True)
class Job:
    """The settings that every worker needs besides its part."""

    identities: Identities
    base: str | None
    mappings: str | None
    dmd: str | None


Outcome = tuple[list[Batch], set[str]]
"""The batches of a part, and the keys of deleted resources."""


def read_part(part: FilePart, job: Job, book: CodeBook) -> Outcome:
    """Reads every resource of a part, and the keys that the export reports as deleted."""
    gone: set[str] = set()
    if part.kind != "lines":
        batch = read_batch(resources_of(part, job, gone), book)
        if part.kind == "outcome":
            words = [f"{NOT_READ}what the server reported of its export"] * len(batch)
            batch.fates = pa.array(words, pa.string()).dictionary_encode()
            batch.notes["OperationOutcome: the server reported problems with its export"] += len(batch)
        return [batch], gone
    scope = Scope(job.identities, job.base)
    given = (of_lines(lines, first + 1, scope, part.place) for first, lines in line_blocks(part))
    return [read_batch(block, book) for block in given], gone


def resources_of(part: FilePart, job: Job, gone: set[str]) -> Iterator[Given]:
    """Yields the resources of a part one by one. Adds the keys of deleted resources to ``gone``."""
    if part.kind == "document":
        with open_part(part) as stream:
            raw = stream.read().removeprefix(b"\xef\xbb\xbf")
        yield from _document(raw, job, gone, part.place)
    elif part.kind == "deleted":
        yield from _deletions(part, job, gone)
    else:
        scope = Scope(job.identities, job.base)
        for first, lines in line_blocks(part):
            yield from of_lines(lines, first + 1, scope, part.place)


def _document(raw: bytes, job: Job, gone: set[str], place: str) -> Iterator[Given]:
    """The resources of a Bundle, or the single resource of a file."""
    try:
        head = r.decode_head(raw)
    except msgspec.DecodeError:
        head = r.Head()
    if head.resourceType == "Bundle":
        try:
            yield from of_bundle(raw, 1, job.identities, job.base, gone, place)
        except msgspec.DecodeError:
            yield Given(b"", 1, Scope(job.identities, job.base), place=place)
    else:
        yield Given(raw, 1, Scope(job.identities, job.base), place=place)


def _deletions(part: FilePart, job: Job, gone: set[str]) -> Iterator[Given]:
    """Adds the DELETE entries of transaction Bundles, one a line, to ``gone``. Yields any other line unchanged, and a
    Bundle with an entry that names no type and id, so that it is reported.
    """
    for first, lines in line_blocks(part):
        for number, line in enumerate(lines, first + 1):
            try:
                bundle = r.decode_bundle(line)
            except msgspec.DecodeError:
                yield Given(line, number, Scope.nowhere(), place=part.place)
                continue
            keys = [deleted_key(entry, job.identities, job.base) for entry in bundle.entry]
            gone |= {key for key in keys if key}
            if None in keys:
                yield Given(line, number, Scope.nowhere(), place=part.place)
