"""``ingest``: an OMOP folder into a store of records, with the account of it as JSON beside the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from features.records.problems import withdrawn_lines
from features.records.records import Records
from features.records.sources.omop.extract import OmopExtract, read
from features.records.sources.omop.ledger import ASIDE, MAPPED
from features.records.withdrawn import replace_store

MOST_FREQUENT = 30


def ingest(
    folder: str | Path,
    out: str | Path,
    *,
    mappings: str | Path | None = None,
    about: Mapping[str, Any] | None = None,
    format: Literal["parquet", "csv"] = "parquet",
) -> dict[str, Any]:
    """Reads an OMOP extract, writes the store ``out`` and ``out/ingest.json``, and returns what that holds (see
    ``summary``)."""
    extract = read(folder, mappings=mappings, about={"extract": Path(folder).resolve().name, **(about or {})})
    records = Records.from_frames(extract.frames, about=extract.about)
    replace_store(records, out, format)
    report = summary(extract, records)
    (Path(out) / "ingest.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def summary(extract: OmopExtract, records: Records) -> dict[str, Any]:
    """JSON-able account after the checks of Records. For every OMOP table, rows = mapped + not_mapped + set_aside +
    used + not_read.

    ``records``: rows kept per table of ours (a combination product or a panel makes several). Holds no patient's value.
    """
    settled = extract.ledger.settle(records.quarantine)
    tables = {str(name): _table(part) for name, part in settled.groupby("omop_table", sort=True)}
    return {
        "source": "OMOP CDM",
        "synthetic": records.synthetic,
        **extract.counts,
        "people_kept": len(records.patient_ids),
        "first_day": _day(extract.first_day),
        "last_day": _day(extract.last_day),
        "tables": tables,
        "records": {name: len(records[name]) for name in extract.frames},
        "missing_tables": list(extract.missing),
        "unmapped": extract.unmapped.head(MOST_FREQUENT).to_dict("records"),
        "notes": list(extract.notes),
        "withdrawn": records.report.withdrawn,
        "checks": records.report.lines(),
    }


def _table(part: pd.DataFrame) -> dict[str, Any]:
    kinds = {
        "mapped": MAPPED,
        "not_mapped": "not mapped",
        "set_aside": ASIDE,
        "used": "used as",
        "not_read": "not read",
    }
    sums = {kind: int(part.loc[part["fate"].str.startswith(prefix), "rows"].sum()) for kind, prefix in kinds.items()}
    return {
        "rows": int(part["rows"].sum()),
        **sums,
        "fates": {str(fate): int(rows) for fate, rows in zip(part["fate"], part["rows"], strict=True)},
    }


def _day(day: pd.Timestamp | None) -> str | None:
    return None if day is None else day.date().isoformat()


def lines(report: dict[str, Any], out: Path) -> list[str]:
    """The account as a table for a terminal."""
    found = [f"{'table':<24}{'rows':>8}{'mapped':>8}{'not mapped':>12}{'set aside':>11}"]
    for name, table in report["tables"].items():
        if table["mapped"] or table["not_mapped"] or table["set_aside"]:
            found.append(
                f"{name:<24}{table['rows']:>8,}{table['mapped']:>8,}{table['not_mapped']:>12,}{table['set_aside']:>11,}"
            )
    found += [f"note: {note}" for note in report["notes"]]
    found += withdrawn_lines(report["withdrawn"])
    found.append(
        f"{report['people_kept']:,} people, {report['people_without_visits']} without a visit; {report['first_day']} "
        f"to {report['last_day']}"
    )
    return [*found, f"store: {out}; the whole account: {out / 'ingest.json'}"]
