"""What could not be used of a table that a trust gives of people: by row number, without a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from features.records.reading.ids import clean_id
from features.records.reading.nhs_numbers import NhsKey, is_one, looks_like_one

ROWS_NAMED = 20
LONGEST = 200
"""Characters of an id, and of a name, that the service database takes."""


@dataclass
class LeftOut:
    """Reasons, each with the rows that it was found in, counted from 1 after the heading."""

    rows: dict[str, list[int]] = field(default_factory=dict)

    def add(self, why: str, row: int) -> None:
        self.rows.setdefault(why, []).append(row)

    def lines(self) -> list[str]:
        found = []
        for why, rows in self.rows.items():
            named = ", ".join(map(str, rows[:ROWS_NAMED])) + (", ..." if len(rows) > ROWS_NAMED else "")
            found.append(f"{len(rows):,} rows: {why} (row {named})")
        return found


def local_id(written: str, nhs_key: NhsKey | None, row: int, left_out: LeftOut) -> str | None:
    """The id under which Upstream holds a person: cleaned, and a pseudonym where it is an NHS number. None, with the
    reason in ``left_out``, where there is none."""
    patient_id = clean_id(written)
    if looks_like_one(patient_id):
        if nhs_key is None:
            left_out.add("patient_id is an NHS number and no key makes a pseudonym (UPSTREAM_NHS_KEY_FILE)", row)
            return None
        if not is_one(patient_id):
            left_out.add("patient_id is an NHS number with letters after it, which may mean somebody else", row)
            return None
        patient_id = nhs_key.pseudonym(patient_id)
    if not patient_id or len(patient_id) > LONGEST:
        left_out.add("patient_id is empty or too long", row)
        return None
    return patient_id
