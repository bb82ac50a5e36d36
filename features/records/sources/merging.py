"""``merge_into``: adds a second source for the same people to a store.

People are joined by their id, so both sources must use the same ids: the pseudonym of the NHS number (one key for
both), or one local id. Rows are added; Records joins rows of both sources about one event. A person's value that only
one source has is kept. If both have it, the store's value is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from features.records.problems import RecordsError, RecordsProblem
from features.records.records import Records
from features.records.tables import TABLES

_OWN_IDS = {"contacts": "contact_id", "referrals": "referral_id"}


def merge_into(store: str | Path, added: str | Path, name: str) -> dict[str, Any]:
    """Adds the store ``added`` to ``store``, which is replaced whole, and returns the rows that each brought.

    ``name`` is the name of the added source: it is put before an id that both stores use for different rows. Raises
    RecordsError if the two have nobody in common.
    """
    here, there = Records.load(store), Records.load(added)
    both = set(here.patient_ids) & set(there.patient_ids)
    if len(here) and not both:
        raise RecordsError(
            [
                RecordsProblem(
                    "store",
                    "the two sources have nobody in common",
                    "people named alike by both: one --nhs-key-file for each, or one local id",
                    "ingest both with the same key",
                )
            ]
        )
    if here.synthetic != there.synthetic:
        raise RecordsError(
            [
                RecordsProblem(
                    "store",
                    "one source is synthetic and the other is not",
                    "synthetic and real records apart",
                    "choose another --into",
                )
            ]
        )
    frames: dict[str, pd.DataFrame] = {}
    rows: dict[str, dict[str, int]] = {}
    for table in TABLES:
        mine, theirs = here.with_versions(table), there.with_versions(table)
        rows[table] = {"store": len(mine), "added": len(theirs)}
        if table in ("patients", "teams"):
            key = "patient_id" if table == "patients" else "team_id"
            frames[table] = mine.set_index(key).combine_first(theirs.set_index(key)).reset_index()
            continue
        frames[table] = pd.concat([mine, _named_apart(table, mine, theirs, name)], ignore_index=True)
    sources = [*here.about.get("sources", [here.about.get("source", "own")]), there.about.get("source", name)]
    about = {k: v for k, v in here.about.items() if k != "data_hash"} | {"sources": sources}
    merged = Records.from_frames(frames, about=about)
    merged.remember(here, there)
    merged.save(store)
    return {
        "rows": rows,
        "people": {"store": len(here), "added": len(there), "both": len(both), "now": len(merged)},
        "sources": sources,
        "checks": merged.report.lines(),
    }


def _named_apart(table: str, mine: pd.DataFrame, theirs: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows to be added; an id that the store uses for another person's row gets the source's name before it."""
    column = _OWN_IDS.get(table)
    if column is None:
        return theirs
    owner = dict(zip(mine[column], mine["patient_id"], strict=True))
    foreign = pd.Series(
        [owner.get(i, who) != who for i, who in zip(theirs[column], theirs["patient_id"], strict=True)],
        index=theirs.index,
        dtype="bool",
    )
    return theirs.assign(**{column: theirs[column].mask(foreign, name + ":" + theirs[column])})


def lines(report: dict[str, Any]) -> list[str]:
    """The merge for a terminal."""
    people = report["people"]
    return [
        f"people: {people['store']:,} in the store, {people['added']:,} added, {people['both']:,} in both, "
        f"{people['now']:,} now",
        *(f"{table}: {n['store']:,} rows and {n['added']:,} more" for table, n in report["rows"].items()),
        f"sources: {', '.join(report['sources'])}",
    ]
