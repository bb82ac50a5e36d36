"""Reads a person's recorded words and circumstances for a conversation: side effects, wishes, home and carers.

Both clocks are read: a row counts only if it happened and became known before the day. No model and no rule reads this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from features import Records
from features.records import TABLES

NEWEST = ("housing", "living_alone", "carer", "reported_missed_doses", "care_coordinator", "smoking")
"""Kinds for which only the newest value counts."""
EVERY = ("side_effect", "wish")
"""Kinds for which each distinct value counts, newest first."""
OF_THE_PERSON = ("learning_disability", "autism")
MOST, LONGEST = 6, 200


def circumstances_of(records: Records, t: int, places: Sequence[int]) -> list[list[list[Any]]]:
    """(kind, value, day) of each person, days relative to the day number ``t``; None where a row has no day of its
    own."""
    found: dict[int, dict[tuple[str, str], list[Any]]] = {}
    columns, patient = records.columns("circumstances"), records.tables["circumstances"].patient
    if len(patient):
        kind = np.array(columns["kind"].to_pylist(), dtype=object)
        wanted = np.isin(kind, (*NEWEST, *EVERY))
        rows = np.flatnonzero((columns["from_on"] < t) & (columns["known_on"] < t) & wanted)
        values = columns["value"]
        for row, place in zip(rows.tolist(), patient[rows].tolist(), strict=True):
            name, value = kind[row], str(values[row]).strip()[:LONGEST]
            key = (name, value.casefold() if name in EVERY else "")
            found.setdefault(place, {})[key] = [name, value, int(columns["from_on"][row]) - t]
    about = records.columns("patients")
    words = {name: np.array([*TABLES["patients"].column(name).values, ""], dtype=object) for name in OF_THE_PERSON}
    answers = []
    for place in places:
        rows_of = sorted(found.get(place, {}).values(), key=lambda one: (-one[2], one[0], one[1]))
        kept = [one for one in rows_of if one[0] in NEWEST]
        for name in EVERY:
            kept += [one for one in rows_of if one[0] == name][:MOST]
        for name in OF_THE_PERSON:
            value = words[name][about[name][place]]
            if value in ("confirmed", "suspected"):
                kept.append([name, value, None])
        answers.append(kept)
    return answers
