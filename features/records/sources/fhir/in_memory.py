"""``records_of``: reads the FHIR resources of a request as records, with the same reader as extracts. Nothing is
written to disk.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from features.records.days import day_of
from features.records.records import Records
from features.records.sources.fhir.codebook import CodeBook
from features.records.sources.fhir.extract.batches import of_lines, read_batch
from features.records.sources.fhir.extract.extract import Gathering
from features.records.sources.fhir.extract.folder import FilePart
from features.records.sources.fhir.ingest import link
from features.records.sources.fhir.linking.linking import Seen
from features.records.sources.fhir.references import Identities, Scope

_HERE = FilePart(Path("request"), "lines")


@dataclass(frozen=True)
class Read:
    """The records of some resources, and how many resources could not be used (broken, or with a code that no table
    holds).
    """

    records: Records
    not_understood: int


def records_of(resources: Iterable[bytes], today: dt.date, book: CodeBook, base: str | None = None) -> Read:
    """Reads resources given as JSON into records, known by the end of ``today``. Ids are those of the Patient
    resources.

    ``base`` is the server that they come from; it is needed to resolve absolute references. Raises RecordsError for
    STU3.
    """
    gathering = Gathering()
    gathering.add(_HERE, read_batch(of_lines(resources, 1, Scope(Identities(), base)), book))
    extract = gathering.extract()
    found = link(extract, Seen(), day_of(today), {"source": "a request"}, None)
    return Read(
        Records.from_frames(found.frames, about=found.about, today=today + dt.timedelta(days=1)),
        sum(extract.unmapped.values()) + len(extract.broken),
    )
