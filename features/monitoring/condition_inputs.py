"""Inputs of the monitoring protocols' conditions: masks and codes of rows, computed once for a set of records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from features.medicines import regimen
from features.records import Records
from features.records.tables import TABLES
from features.reference import MEDICINES, medicines_meant
from features.reference.diagnoses import in_group
from features.reference.monitoring.clozapine_schedules import REGISTER_DAYS
from features.reference.monitoring.clozapine_services import RESET_DAYS

Days = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

YES = frozenset(("yes", "true", "registered", "confirmed", "1"))
_NO = frozenset(("no", "false", "0"))
_SMOKES = frozenset(("smoker", "current_smoker", "yes", "reduced"))
_INTERACTING = (
    "nsaid",
    "ace inhibitor",
    "angiotensin receptor blocker",
    "thiazide diuretic",
    "loop diuretic",
    "sglt2 inhibitor",
)
_CYP1A2 = ("ciprofloxacin", "fluvoxamine", "oral contraceptive")
GROUPS = ("smi", "cardiac", "thyroid", "pregnancy")
"""Groups of diagnoses that a condition reads."""
MOST_KEPT = 4_096
"""Pairs of words that are kept with what they say: the next person has the same."""
_DIURETIC = ("thiazide diuretic", "loop diuretic", "potassium-sparing diuretic")


@dataclass(frozen=True)
class ConditionInputs:
    """Inputs of the conditions, computed once for a set of records: masks and codes of rows, independent of time."""

    records: Records
    regimen: regimen.RegimenInputs
    birth: Days
    sex: npt.NDArray[np.int16]
    diagnosis: dict[str, Bools]
    yes_no: dict[str, npt.NDArray[np.int8]]
    smoking: npt.NDArray[np.int8]
    service: npt.NDArray[np.int8]
    interval: npt.NDArray[np.int16]
    infection: Bools
    medicine_in: dict[str, Bools]


def prepare(records: Records) -> ConditionInputs:
    """Prepares ``records`` for the conditions."""
    return records.once("conditions", lambda: _prepare(records))


def _prepare(records: Records) -> ConditionInputs:
    patients, conditions = records.columns("patients"), records.columns("conditions")
    category = TABLES["conditions"].column("category").values.index("diagnosis")
    diagnosed = conditions["category"] == category
    groups = _by_row(records, "conditions", ("code", "label"), _groups_of, len(GROUPS)) == 1
    said = _by_row(records, "circumstances", ("kind", "value"), _said, len(_KINDS))
    codes = dict(zip(_KINDS, said.astype(np.int8), strict=True))
    medicine_in = _medicines()[:, records.columns("supplies")["medicine"]]
    return ConditionInputs(
        records,
        regimen.prepare(records),
        patients["birth_date"],
        patients["sex"],
        dict(zip(GROUPS, groups & diagnosed, strict=True)),
        {kind: codes[kind] for kind in ("childbearing_potential", "benign_ethnic_neutropenia")},
        codes["smoking"],
        codes["clozapine_service"],
        said[_KINDS.index("clozapine_interval")],
        codes["infection"] == 1,
        dict(zip(_MEDICINES_OF, medicine_in, strict=True)),
    )


def _by_row(
    records: Records,
    table: str,
    columns: tuple[str, str],
    say: Callable[[str | None, str | None], tuple[int, ...]],
    width: int,
) -> npt.NDArray[np.int16]:
    """Shape (width, rows): what ``say`` makes of the two words of each row. It is asked once for two words."""
    (one, ones), (other, others) = (records.coded(table, name) for name in columns)
    seen: dict[tuple[int, int], int] = {}
    pair = [seen.setdefault(words, len(seen)) for words in zip(one.tolist(), other.tolist(), strict=True)]
    found = np.array([say(ones[i], others[j]) for i, j in seen], np.int16).reshape(-1, width)
    return found.T[:, np.array(pair, np.int64)]


@lru_cache(maxsize=MOST_KEPT)
def _groups_of(code: str | None, label: str | None) -> tuple[int, ...]:
    """1 for each of ``GROUPS`` that a diagnosis belongs to, else 0."""
    return tuple(int(in_group(group, code, label)) for group in GROUPS)


@lru_cache(maxsize=MOST_KEPT)
def _said(kind: str | None, value: str | None) -> tuple[int, ...]:
    """The code of a circumstance under its own of ``_KINDS``; -1 under each other, and for a word without a code."""
    return tuple(_CODES[one]((value or "").casefold()) if one == kind else -1 for one in _KINDS)


_YES_NO = {word: 1 for word in YES} | {word: 0 for word in _NO}
_CODES: dict[str, Callable[[str], int]] = {
    "childbearing_potential": lambda value: _YES_NO.get(value, -1),
    "benign_ethnic_neutropenia": lambda value: _YES_NO.get(value, -1),
    "smoking": lambda value: int(value in _SMOKES or (value.endswith("_a_day") and value != "0_a_day")),
    "clozapine_service": lambda value: int(RESET_DAYS.get(value, -1)),
    "clozapine_interval": lambda value: REGISTER_DAYS.get(value, 0),
    "infection": lambda value: int(value not in _NO),
}
_KINDS = tuple(_CODES)


@cache
def _masks(scopes: tuple[str, ...]) -> tuple[bool, ...]:
    meant = frozenset(name for scope in scopes for name in medicines_meant(scope))
    return tuple(name in meant for name in MEDICINES)


_MEDICINES_OF = {
    "interacting": _INTERACTING,
    "cyp1a2": _CYP1A2,
    "diuretic": _DIURETIC,
    "clozapine": ("clozapine",),
    "lithium": ("lithium",),
    "methadone": ("methadone",),
}


@cache
def _medicines() -> Bools:
    """Shape (sets, medicines): whether each medicine is of each set."""
    return np.array([_masks(scopes) for scopes in _MEDICINES_OF.values()], bool)
