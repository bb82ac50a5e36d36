"""Merged ids: follows ``replaced_by`` in the patients table to the current id.

All rows of the old id become rows of the new id on every day, however late the merge became known, because both ids
always belonged to one person. Of several rows of one id the version that became known last decides, so a merge can be
corrected or undone by a later row; a store takes it back when the extract is ingested again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import NO_DAY
from features.records.loading.checks import Finding

COLUMN = "replaced_by"
LEADS_BACK = "replaced_by leads back to the id itself"
UNKNOWN = "replaced_by names no id of the patients table"
TWO = "rows of one id name different replacements"


@dataclass(frozen=True)
class MergedPeople:
    """``becomes`` maps each old id to the current id. ``findings``: replacements that cannot be followed."""

    becomes: dict[str, str]
    findings: list[Finding]


def merged_people(ids: pa.Array, replaced_by: pa.Array, known_on: npt.NDArray[np.int32]) -> MergedPeople:
    """From the ids of the patients table, what replaces each (null for most), and since when each row is known."""
    old, new = ids.to_pylist(), replaced_by.to_pylist()
    named_rows = [row for row, (one, other) in enumerate(zip(old, new, strict=True)) if one and other]
    known_last: dict[str, int] = {}
    if named_rows:
        known = np.where(known_on == NO_DAY, np.int32(-(2**31)), known_on).tolist()
        merged = {old[row] for row in named_rows}
        for one, day in zip(old, known, strict=True):
            if one in merged:
                known_last[one] = max(known_last.get(one, day), day)
        named_rows = [row for row in named_rows if known[row] == known_last[old[row]]]
    rows = named_rows
    known = set(old)
    named: dict[str, set[str]] = {}
    for row in rows:
        named.setdefault(old[row], set()).add(new[row])
    wrong = {one: TWO for one, others in named.items() if len(others) > 1}
    wrong |= {one: UNKNOWN for one, others in named.items() if one not in wrong and not others <= known}
    links = {one: next(iter(others)) for one, others in named.items() if one not in wrong}
    wrong |= dict.fromkeys(_in_a_circle(links), LEADS_BACK)
    links = {one: other for one, other in links.items() if one not in wrong}
    findings: list[Finding] = []
    for reason in (TWO, UNKNOWN, LEADS_BACK):
        mask = np.zeros(len(old), bool)
        mask[[row for row in rows if wrong.get(old[row]) == reason]] = True
        if mask.any():
            findings.append((COLUMN, mask, reason))
    return MergedPeople({one: _end(one, links) for one in links}, findings)


def _in_a_circle(links: dict[str, str]) -> set[str]:
    found: set[str] = set()
    for start in links:
        seen, at = [start], links[start]
        while at in links and at not in seen:
            seen.append(at)
            at = links[at]
        if at == start:
            found.update(seen)
    return found


def _end(one: str, links: dict[str, str]) -> str:
    while one in links:
        one = links[one]
    return one


def renamed(ids: pa.Array, becomes: dict[str, str]) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Ids with each old one replaced by the current one, and which were replaced."""
    place = pc.index_in(ids, pa.array(list(becomes), pa.string()))
    moved = np.asarray(place.is_valid().to_numpy(zero_copy_only=False), bool)
    return pc.if_else(pa.array(moved), pa.array(list(becomes.values()), pa.string()).take(place), ids), moved


__all__ = ["COLUMN", "MergedPeople", "merged_people", "renamed"]
