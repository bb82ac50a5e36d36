"""Groups of diagnoses that clinical rules use (``diagnosis_groups.csv``): by ICD-10 category, by SNOMED CT
concept, or by the group a source names as the label."""

from __future__ import annotations

from functools import cache

from features.reference.files import ReferenceTableError, read_rows

_WAYS = ("icd10", "snomed", "label")


@cache
def _load() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for row in read_rows("diagnosis_groups"):
        if row["by"] not in _WAYS:
            raise ReferenceTableError(
                f"diagnosis_groups.csv: {row['group']} {row['value']}: by must be one of {', '.join(_WAYS)}"
            )
        found.setdefault(row["group"], {way: set() for way in _WAYS})[row["by"]].add(row["value"].casefold())
    return {group: {by: frozenset(values) for by, values in ways.items()} for group, ways in found.items()}


@cache
def in_group(group: str, code: str | None, label: str | None) -> bool:
    """Whether a recorded diagnosis belongs to ``group``. An ICD-10 code belongs if it or any of its parents is in the
    group (F32.3: F323, F32, F3); a SNOMED CT concept only if it is itself in the group."""
    ways = _load()[group]
    if label and " ".join(label.replace("\u2019", "'").casefold().split()) in ways["label"]:
        return True
    if code and code.strip() in ways["snomed"]:
        return True
    plain = (code or "").replace(".", "").casefold()
    return any(plain[:length] in ways["icd10"] for length in range(3, len(plain) + 1))


GROUPS: tuple[str, ...] = tuple(_load())
