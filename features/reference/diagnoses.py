"""Groups of diagnoses that clinical rules turn on (``diagnosis_groups.csv``): by ICD-10 category, or by the group a
source names as the label."""

from __future__ import annotations

from functools import cache

from features.reference.files import ReferenceTableError, read_rows


@cache
def _load() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for row in read_rows("diagnosis_groups"):
        if row["by"] not in ("icd10", "label"):
            raise ReferenceTableError(f"diagnosis_groups.csv: {row['group']} {row['value']}: by must be icd10 or label")
        found.setdefault(row["group"], {"icd10": set(), "label": set()})[row["by"]].add(row["value"].casefold())
    return {group: {by: frozenset(values) for by, values in ways.items()} for group, ways in found.items()}


@cache
def in_group(group: str, code: str | None, label: str | None) -> bool:
    """Whether a recorded diagnosis belongs to ``group``. An ICD-10 code belongs by itself or by any of its parents
    (F32.3 to F323, F32, F3)."""
    ways = _load()[group]
    if label and label.casefold() in ways["label"]:
        return True
    plain = (code or "").replace(".", "").casefold()
    return any(plain[:length] in ways["icd10"] for length in range(3, len(plain) + 1))


GROUPS: tuple[str, ...] = tuple(_load())
