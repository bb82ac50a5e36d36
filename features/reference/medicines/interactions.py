"""Interactions between medicines (``smoking_and_interactions.csv``) and the medicine groups in that table, resolved
through tables only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from features.reference.files import ReferenceTableError, is_unverified, read_rows
from features.reference.medicines.medicines import MEDICINES, in_scope

_WASHOUT = re.compile(r"washout_(\d+)_(days|weeks)")
SEVERITIES = ("low", "moderate", "high", "contraindicated")


@dataclass(frozen=True)
class Interaction:
    """One row. ``b_type`` is medicine, lifestyle or clinical_event; ``onset_days`` is how soon the effect shows;
    ``stands`` is False if only the start of the combination is harmful."""

    id: str
    a: str
    b: str
    b_type: str
    mechanism: str
    effect: str
    severity: str
    action: str
    onset_days: int
    stands: bool
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)

    @property
    def lengthens_qt(self) -> bool:
        return self.mechanism.startswith("qt_additive")

    @property
    def washout_days(self) -> int:
        """Days that the table asks for between the end of one medicine and the start of the other; 0 if none."""
        asked = _WASHOUT.search(self.action)
        return int(asked[1]) * (7 if asked[2] == "weeks" else 1) if asked else 0

    @property
    def to_be_avoided(self) -> bool:
        """Whether the table's action is only to avoid ("avoid", not "avoid or ...")."""
        return self.action.startswith("avoid") and not self.action.startswith("avoid_or")


@cache
def groups() -> dict[str, frozenset[str]]:
    """Medicines of every named group of ``medicine_groups.csv``, groups of groups resolved."""
    named: dict[str, set[str]] = {}
    for row in read_rows("medicine_groups"):
        scope = row["medicine_or_scope"]
        found = {m.name for m in MEDICINES.values() if in_scope(m, scope)} | named.get(scope, set())
        if not found:
            raise ReferenceTableError(f"medicine_groups.csv: {row['group']}: no medicine is in scope of {scope}")
        named.setdefault(row["group"], set()).update(found)
    for medicine in MEDICINES.values():
        for group in medicine.groups:
            named.setdefault(group, set()).add(medicine.name)
    named["acb_3"] = {m.name for m in MEDICINES.values() if m.acb_score >= 3}
    return {name: frozenset(found) for name, found in named.items()}


@cache
def _terms() -> dict[str, tuple[str, ...]]:
    return {
        row["term"]: tuple(s for s in row["medicines_or_scopes"].split(";") if s)
        for row in read_rows("interaction_terms")
    }


def medicines_meant(term: str) -> frozenset[str]:
    """Medicines that a word of the interaction table means; a scope that begins with ``!`` is removed. Raises
    ReferenceTableError for a word that is in no table."""
    found: set[str] = set()
    for scope in _terms().get(term, (term,)):
        name = scope.removeprefix("!")
        members = groups().get(name, frozenset()) | {m.name for m in MEDICINES.values() if in_scope(m, name)}
        found = found - members if name != scope else found | members
    if not found:
        raise ReferenceTableError(
            f"smoking_and_interactions.csv: {term} is no medicine; add it to interaction_terms.csv"
        )
    return frozenset(found)


def _stands(row: dict[str, str]) -> bool:
    wanted = ("yes", "start") if row["b_type"] == "medicine" else ("",)
    if row["stands"] not in wanted:
        key = row["interaction_id"]
        raise ReferenceTableError(
            f"smoking_and_interactions.csv: row {key}: stands must be yes or start for a pair of medicines, else blank"
        )
    return row["stands"] == "yes"


@cache
def _load() -> tuple[Interaction, ...]:
    return tuple(
        Interaction(
            row["interaction_id"],
            row["a"],
            row["b"],
            row["b_type"],
            row["mechanism"],
            row["effect"],
            row["severity"],
            row["action_keyword"],
            int(row["onset_days"] or 0),
            _stands(row),
            row["source"],
        )
        for row in read_rows("smoking_and_interactions")
    )


INTERACTIONS: tuple[Interaction, ...] = _load()


@cache
def pairs() -> npt.NDArray[np.int16]:
    """For each pair of medicines (positions in MEDICINES) the position in INTERACTIONS of the most severe interaction,
    or -1. Symmetric."""
    names = {name: place for place, name in enumerate(MEDICINES)}
    table = np.full((len(names), len(names)), -1, np.int16)
    worst = np.full(table.shape, -1, np.int8)
    for place, row in enumerate(INTERACTIONS):
        if row.b_type != "medicine":
            continue
        severity = SEVERITIES.index(row.severity)
        for a in medicines_meant(row.a):
            for b in medicines_meant(row.b):
                i, j = names[a], names[b]
                if MEDICINES[a].base == MEDICINES[b].base or severity <= worst[i, j]:
                    continue
                table[i, j] = table[j, i] = place
                worst[i, j] = worst[j, i] = severity
    return table


def between(a: str, b: str) -> Interaction | None:
    """The most severe interaction of two medicines, None if the table holds none."""
    names = list(MEDICINES)
    place = int(pairs()[names.index(a), names.index(b)])
    return INTERACTIONS[place] if place >= 0 else None
