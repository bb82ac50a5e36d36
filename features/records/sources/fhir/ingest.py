"""``ingest``: reads a FHIR folder into a store of records, and writes the account as JSON in the same folder."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from features.records.days import NO_DAY, date_of, day_of
from features.records.memory import give_back
from features.records.problems import withdrawn_lines
from features.records.reading.column_table import Frame
from features.records.reading.nhs_numbers import NhsKey, without_numbers
from features.records.records import Records
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.fhir.extract.extract import Extract, Progress, read
from features.records.sources.fhir.extract.folder import FhirFolder, open_folder
from features.records.sources.fhir.extract.parts import Job
from features.records.sources.fhir.linking.linking import Linked, Linking, Seen
from features.records.sources.fhir.references import Identities
from features.records.sources.fhir.sink import ASIDE, SYNTHETIC
from features.records.withdrawn import replace_store

MOST_FREQUENT = 30
MOST_BROKEN = 1_000


@dataclass(frozen=True)
class FhirExtract:
    """The result of ``read_fhir``: our tables, and the data for the account."""

    frames: dict[str, Frame]
    about: dict[str, Any]
    extract: Extract
    linked: Linked


def read_fhir(
    folder: str | Path | FhirFolder,
    *,
    mappings: str | Path | None = None,
    dmd: str | Path | None = None,
    nhs_key: NhsKey | None = None,
    about: Mapping[str, Any] | None = None,
    exported: dt.date | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FhirExtract:
    """Reads a folder of FHIR R4: NDJSON, Bulk Data exports, Bundles. Raises RecordsError.

    ``dmd``: folder of a dm+d release or of code lists. With ``nhs_key`` the person's id is the pseudonym of the NHS
    number, so that sources can be joined. ``exported`` is the day of the export if no manifest gives it.
    """
    found = folder if isinstance(folder, FhirFolder) else open_folder(folder)
    book = load_codebook(mappings, dmd)
    # Without the trust's key, a random key joins NHS numbers within this run. It is not stored.
    identities = Identities(nhs_key, b"" if nhs_key else secrets.token_bytes(32))
    job = Job(identities, found.base, str(mappings) if mappings else None, str(dmd) if dmd else None)
    extract = read(found, job, book, workers=workers, progress=progress)
    return link(extract, Seen(), last_day_of(found, exported), about, nhs_key)


def last_day_of(folder: FhirFolder, exported: dt.date | None) -> int:
    """The day of an export: the given day, or the manifest's day, or today."""
    if exported is not None:
        return day_of(exported)
    return folder.transaction_day if folder.transaction_day != NO_DAY else day_of(dt.date.today())


def link(
    extract: Extract, seen: Seen, last_day: int, about: Mapping[str, Any] | None, nhs_key: NhsKey | None
) -> FhirExtract:
    """Converts the tables of an extract to our tables."""
    linked = Linking(extract, seen, last_day).run()
    stated = {"source": "FHIR R4", "extract_day": str(date_of(last_day)), **(about or {})}
    if extract.notes.get(SYNTHETIC):
        stated["synthetic"] = True
    if nhs_key is not None:
        stated["nhs_key_id"] = nhs_key.key_id
    return FhirExtract(linked.frames, stated, extract, linked)


def ingest(
    folder: str | Path,
    out: str | Path,
    *,
    format: Literal["parquet", "csv"] = "parquet",
    **options: Any,
) -> dict[str, Any]:
    """Reads a FHIR folder, writes the store ``out`` and ``out/ingest.json``, and returns what that holds (see
    ``summary``). ``options`` are those of ``read_fhir``."""
    about = {"extract": Path(folder).resolve().name, **(options.pop("about", None) or {})}
    return write(read_fhir(folder, about=about, **options), Path(out), format)


def write(found: FhirExtract, out: Path, format: Literal["parquet", "csv"] = "parquet") -> dict[str, Any]:
    """Checks the tables, writes the store and its account."""
    records = Records.from_frames(found.frames, about=found.about)
    found.frames.clear()  # the records hold what was read
    if found.extract.scratch is not None:
        found.extract.scratch.close()
    give_back()
    replace_store(records, out, format)
    report = summary(found, records)
    (out / "ingest.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if found.extract.broken:
        lines = pd.DataFrame(found.extract.broken[:MOST_BROKEN], columns=["file", "line", "reason"])
        lines.to_csv(out / "broken_lines.csv", index=False)
    return report


def summary(found: FhirExtract, records: Records) -> dict[str, Any]:
    """JSON-able account after the checks of Records: for every type of resource, how many met which fate.

    The fates of a type add up to its resources. Holds no patient's value.
    """
    extract = found.extract
    _settle(found, records)
    many = len(extract.fate_words)
    pairs = np.bincount(extract.kinds.astype(np.int32) * many + extract.fates)
    types: dict[str, Any] = {}
    for pair in np.flatnonzero(pairs).tolist():
        (kind, fate), count = divmod(pair, many), int(pairs[pair])
        one = types.setdefault(extract.kind_words[kind], {"resources": 0, "fates": {}})
        one["resources"] += count
        one["fates"][extract.fate_words[fate]] = count
    return {
        "source": "FHIR R4",
        "synthetic": records.synthetic,
        "files": extract.files,
        "resources": len(extract.fates),
        "people_kept": len(records.patient_ids),
        "last_day_known": _last_day(records),
        "types": types,
        "records": {name: len(records.tables[name]) for name in found.linked.origins},
        "second_clock": found.linked.clocks,
        "unmapped": [
            {"what": what, "system": system, "code": code, "name": name, "resources": count}
            for (what, system, code, name), count in extract.unmapped.most_common(MOST_FREQUENT)
        ],
        "unmapped_codes": len(extract.unmapped),
        "broken_lines": [
            {"file": without_numbers(f), "line": n, "reason": why} for f, n, why in extract.broken[:MOST_FREQUENT]
        ],
        "notes": [f"{note} ({count:,})" for note, count in sorted(extract.notes.items())],
        "checks": records.report.lines(),
        "withdrawn": records.report.withdrawn,
    }


def _last_day(records: Records) -> str | None:
    day = records.last_day_known()
    return str(date_of(day)) if day > -(2**30) else None


def _settle(found: FhirExtract, records: Records) -> None:
    """Marks a resource as set aside, with the first reason, when the checks set aside all its rows."""
    extract = found.extract
    if not records.set_aside:
        return
    lost: dict[int, str] = {}
    kept: set[int] = set()
    aside: dict[str, dict[int, str]] = {}
    for one in records.set_aside:
        if one.table != "patients" or one.column == "patient_id":
            aside.setdefault(one.table, {}).setdefault(one.row, f"{one.column}: {one.reason}")
    for name, rows in aside.items():
        for row, reason in rows.items():
            lost.setdefault(int(found.linked.origins[name][row]), reason)
    wanted = np.array(sorted(lost), np.int32)
    for name, origins in found.linked.origins.items():
        good = np.ones(len(origins), bool)
        good[list(aside.get(name, ()))] = False
        kept |= set(origins[good & np.isin(origins, wanted)].tolist())
    for source, reason in lost.items():
        if source not in kept:
            extract.fates[source] = extract.fate(f"{ASIDE}{reason}")


def lines(report: dict[str, Any], out: Path) -> list[str]:
    """The account as a table for a terminal."""
    found = [f"{'type':<28}{'resources':>10}  fates"]
    for name, one in report["types"].items():
        fates = "; ".join(f"{fate} {count:,}" for fate, count in one["fates"].items())
        found.append(f"{name:<28}{one['resources']:>10,}  {fates}")
    for table, clocks in report["second_clock"].items():
        shares = ", ".join(f"{rule} {count:,}" for rule, count in clocks.items() if count)
        if shares:
            found.append(f"second clock of {table}: {shares}")
    found += [f"note: {note}" for note in report["notes"]]
    found += withdrawn_lines(report["withdrawn"])
    found += [
        f"not mapped: {one['what']} {one['system']} {one['code']} {one['name']} ({one['resources']:,})"
        for one in report["unmapped"][:10]
    ]
    found += [f"{one['file']}, line {one['line']}: {one['reason']}" for one in report["broken_lines"][:10]]
    found.append(f"{report['people_kept']:,} people from {report['resources']:,} resources")
    return [*found, f"store: {out}; the whole account: {out / 'ingest.json'}"]
