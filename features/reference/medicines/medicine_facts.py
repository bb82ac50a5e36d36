"""What a person may want to know about a medicine, in plain words: what it is for, its common side effects, what could
be simpler, and when to get help (``medicine_facts.csv``). For a conversation; no rule reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from features.reference.files import ReferenceTableError, is_unverified, read_rows
from features.reference.medicines.medicines import MEDICINES, Medicine, in_scope


@dataclass(frozen=True)
class MedicineFacts:
    """One row. ``simpler`` and ``urgent`` are empty where nothing is known; each text has an easy-read twin where it
    has words that not everybody reads."""

    scope: str
    used_for: str
    used_for_easy: str
    side_effects: tuple[str, ...]
    side_effects_easy: tuple[str, ...]
    usual_times_a_day: str
    simpler: str
    urgent: str
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)


@cache
def _load() -> tuple[MedicineFacts, ...]:
    found = []
    for row in read_rows("medicine_facts"):
        scope = row["medicine_or_scope"]
        missing = [name for name in ("used_for", "used_for_easy", "side_effects", "side_effects_easy", "source")]
        if empty := [name for name in missing if not row[name].strip()]:
            raise ReferenceTableError(f"medicine_facts.csv: row {scope}: {empty[0]} is empty; write it, or the row out")
        if not any(in_scope(medicine, scope) for medicine in MEDICINES.values()):
            raise ReferenceTableError(f"medicine_facts.csv: row {scope}: no medicine is in this scope")
        found.append(
            MedicineFacts(
                scope,
                row["used_for"],
                row["used_for_easy"],
                tuple(row["side_effects"].split(";")),
                tuple(row["side_effects_easy"].split(";")),
                row["usual_times_a_day"],
                row["simpler"],
                row["urgent"],
                row["source"],
            )
        )
    return tuple(found)


MEDICINE_FACTS: tuple[MedicineFacts, ...] = _load()


@cache
def facts_about(name: str) -> MedicineFacts | None:
    """The facts about a medicine by its name in our tables: its own row, else that of its class; None where there is
    neither."""
    medicine: Medicine | None = MEDICINES.get(name)
    if medicine is None:
        return None
    own = next((row for row in MEDICINE_FACTS if row.scope in (medicine.name, medicine.base)), None)
    return own or next((row for row in MEDICINE_FACTS if in_scope(medicine, row.scope)), None)
