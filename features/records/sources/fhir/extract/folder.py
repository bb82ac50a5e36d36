"""The files of a FHIR extract: NDJSON (plain or gzip), Bulk Data manifests, Bundles and single resources."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from features.records.days import NO_DAY
from features.records.problems import RecordsError, RecordsProblem
from features.records.reading.dates import read_day

Kind = Literal["lines", "document", "deleted", "outcome"]
CHUNK_BYTES = 24 * 2**20
_PACKED = (".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz", ".xml")
"""Endings of files that may hold FHIR and are not read."""
_SEVERE = re.compile(rb'"severity"\s*:\s*"(?:error|fatal)"')
_LINES, _DOCUMENTS = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz"), (".json", ".json.gz")


@dataclass(frozen=True)
class FilePart:
    """One unit of work: a file, or the bytes ``start`` to ``end`` of an uncompressed file."""

    path: Path
    kind: Kind
    start: int = 0
    end: int | None = None
    name: str = ""
    """Its path within the extract."""

    @property
    def place(self) -> str:
        return f"{self.name}:{self.start}"

    @property
    def size(self) -> int:
        return (self.path.stat().st_size if self.end is None else self.end) - self.start


@dataclass(frozen=True)
class FhirFolder:
    """``transaction_day`` is the day (in London) of the export, from the manifest, and ``moment`` its time in UTC.
    ``base`` is the server that it came from.
    """

    path: Path
    parts: tuple[FilePart, ...]
    transaction_day: int = NO_DAY
    base: str | None = None
    manifests: int = 0
    moment: str | None = None
    notes: tuple[tuple[str, int], ...] = ()
    """What the report says of the files, each with a count."""


def open_folder(folder: str | Path) -> FhirFolder:
    """Finds the files of an extract, also in sub-folders. Raises RecordsError if there are none, or if a manifest
    names a file that is missing.
    """
    path = Path(folder)
    if not path.is_dir():
        raise RecordsError([_problem(f"{path} is not a folder", "check the path")])
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    kinds: dict[Path, Kind] = {}
    manifests = []
    pages: list[tuple[set[str], set[str]]] = []
    for file in files:
        name = file.name.lower()
        if name.endswith(_LINES):
            kinds[file] = "lines"
        elif name.endswith(_DOCUMENTS):
            content = _content(file)
            if "transactionTime" in content and "output" in content:
                manifests.append((file, content))
            else:
                kinds[file] = "document"
                pages.append((links_of(content, "self"), links_of(content, "next")))
    day, base, found_here = NO_DAY, None, set(kinds)
    problems: list[RecordsProblem] = [_unreadable(file) for file in files if file.suffix.lower() in _PACKED]
    for file, manifest in manifests:
        found = read_day(str(manifest["transactionTime"])).day
        if found is None:
            problems.append(_problem(f"{file.name}: transactionTime is no time", "ask for the export again"))
        day = found if day == NO_DAY and found is not None else max(day, found or day)
        request = str(manifest.get("request", ""))
        base = base or (request.partition("/$")[0].rsplit("/Group/", 1)[0].removesuffix("/Patient") or None)
        problems += _follow(file, manifest, kinds)
    if problems:
        raise RecordsError(problems)
    if not kinds:
        raise RecordsError([_problem(f"{path} holds no .ndjson, .ndjson.gz or .json file", "check the path")])
    others = [file for file in files if file not in kinds and file not in {f for f, _ in manifests}]
    unnamed = found_here - _named(manifests) if manifests else set()
    notes = {
        "files that hold no FHIR by their name; not read": len(others),
        "files that no manifest names; they were read": len(unnamed),
        "Bundle: names a next page that is not in the folder": len(next_pages_missing(pages)),
        "OperationOutcome: an error or fatal; part of the export may be missing": sum(
            _errors(file) for file, kind in kinds.items() if kind == "outcome"
        ),
    }
    parts = [part for file, kind in kinds.items() for part in _split(file, kind, file.relative_to(path).as_posix())]
    moments = [time for _, manifest in manifests if (time := _moment(str(manifest["transactionTime"])))]
    return FhirFolder(path, tuple(parts), day, base, len(manifests), max(moments, default=None), tuple(notes.items()))


def _moment(text: str) -> str | None:
    """A time with a zone as UTC, in the form that sorts; None for a day alone or a time without a zone."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(dt.UTC).isoformat(timespec="seconds")


def _content(file: Path) -> dict[str, Any]:
    """The JSON of a file that may be a manifest or a page of a search; empty for one that is long or compressed."""
    if _is_gzip(file) or file.stat().st_size > 2**24:
        return {}
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def links_of(bundle: dict[str, Any], relation: str) -> set[str]:
    """The addresses of one relation that a Bundle gives."""
    links = bundle.get("link") if bundle.get("resourceType") == "Bundle" else None
    given = [one for one in links if isinstance(one, dict)] if isinstance(links, list) else []
    return {str(one.get("url")) for one in given if one.get("relation") == relation}


def next_pages_missing(pages: list[tuple[set[str], set[str]]]) -> set[str]:
    """The next pages that Bundles name, without those that are in the folder."""
    return {url for _, following in pages for url in following} - {url for own, _ in pages for url in own}


def _unreadable(file: Path) -> RecordsProblem:
    return _problem(
        f"{file.name} cannot be read here", "unpack or convert it; what is missing looks like care that stopped"
    )


def _named(manifests: list[tuple[Path, dict[str, Any]]]) -> set[Path]:
    """The files that manifests name, in any of their lists."""
    urls = (
        (file.parent, str(item.get("url", "")).rsplit("/", 1)[-1].partition("?")[0])
        for file, manifest in manifests
        for name in ("output", "deleted", "error", "outcome")
        for item in manifest.get(name) or ()
    )
    return {folder / f"{base}{end}" for folder, base in urls for end in ("", ".gz")}


def _errors(file: Path) -> int:
    """How many problems of a file of OperationOutcomes are errors or fatal."""
    with open_part(FilePart(file, "outcome")) as stream:
        return sum(len(_SEVERE.findall(line)) for line in stream)


def _follow(file: Path, manifest: dict[str, Any], kinds: dict[Path, Kind]) -> Iterator[RecordsProblem]:
    """Marks the files that a manifest names, and reports missing files."""
    lists: tuple[tuple[str, Kind], ...] = (
        ("output", "lines"), ("deleted", "deleted"), ("error", "outcome"), ("outcome", "outcome"),
    )  # fmt: skip
    for name, kind in lists:
        for item in manifest.get(name) or ():
            base = str(item.get("url", "")).rsplit("/", 1)[-1].partition("?")[0]
            hits = [f for f in (file.parent / base, file.parent / f"{base}.gz") if base and f in kinds]
            if not hits:
                yield _problem(
                    f"{file.name} names {name} file {base or '(no name)'}, which is not in the folder",
                    "fetch every file of the export: what is missing looks like care that stopped",
                )
            else:
                kinds[hits[0]] = kind
    for link in manifest.get("link") or ():
        if link.get("relation") == "next":
            base = str(link.get("url", "")).rsplit("/", 1)[-1]
            if not (file.parent / base).exists():
                yield _problem(f"{file.name} has a next page that is not in the folder", "fetch every page")


def _split(file: Path, kind: Kind, name: str) -> Iterator[FilePart]:
    """One part; a long uncompressed file is split into several parts at line ends."""
    size = file.stat().st_size
    if kind != "lines" or _is_gzip(file) or size <= CHUNK_BYTES * 3 // 2:
        yield FilePart(file, kind, name=name)
        return
    start = 0
    with file.open("rb") as stream:
        while start < size:
            stream.seek(min(start + CHUNK_BYTES, size))
            stream.readline()
            end = stream.tell()
            yield FilePart(file, kind, start, end, name)
            start = end


def _is_gzip(file: Path) -> bool:
    """By its first bytes: some servers compress without the suffix, and some downloads decompress and keep it."""
    with file.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


@contextmanager
def open_part(part: FilePart) -> Iterator[IO[bytes]]:
    """The bytes of a part's file, decompressed. Raises RecordsError for a compressed file that is damaged."""
    try:
        with gzip.open(part.path) if _is_gzip(part.path) else part.path.open("rb") as stream:
            yield stream  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RecordsError(
            [_problem(f"{part.path.name} is compressed, and damaged or cut off", "fetch the file again")]
        ) from error


def line_blocks(part: FilePart) -> Iterator[tuple[int, list[bytes]]]:
    """(number of the first line within the part, lines) of about CHUNK_BYTES each. Lines end at a line feed; a byte
    order mark is no part of the first."""
    with open_part(part) as stream:
        stream.seek(part.start)
        first, left = 0, None if part.end is None else part.end - part.start
        while left is None or left > 0:
            lines = stream.readlines(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
            if not lines:
                return
            read = sum(map(len, lines))
            if left is not None:
                left -= read
            if first == 0 and part.start == 0:
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            yield first, lines
            first += len(lines)


def _problem(what: str, do: str) -> RecordsProblem:
    return RecordsProblem(
        "FHIR extract", what, "a folder of *.ndjson or *.ndjson.gz (one resource a line), or of Bundles", do
    )
