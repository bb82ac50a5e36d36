"""Inputs of the monitoring protocols' conditions: masks and codes of rows, computed once for a set of records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from features.medicines import regimen
from features.records import Records
from features.records.table import FEW, rows_kept
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
_ALL_STAND = np.zeros(0, np.int32)
"""For tables in which every row counts."""
_DIURETIC = ("thiazide diuretic", "loop diuretic", "potassium-sparing diuretic")


@dataclass(frozen=True)
class KeptRows:
    """The rows of a table that one lookup reads: their places in the table, and where each person's begin."""

    row: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    day: Days
    known: Days
    until: Days
    """The last day on which each row stands; empty where every row does."""

    def __len__(self) -> int:
        return len(self.row)


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
    kept: dict[tuple[str, str], KeptRows]
    """Rows that were chosen before: most rows of a table are of no interest to a lookup, and every shard of people
    asks for the same."""

    def events(self, table: str, name: str, keep: Callable[[], Bools]) -> KeptRows:
        """Rows of ``table`` that ``keep`` marks, by the day of the event. ``name`` names them among those of the
        table."""
        day = TABLES[table].event_day or ""
        return self._once(table, name, lambda: (day, keep(), None))

    def supplies(self, name: str, dosed: bool = False) -> KeptRows:
        """Supplies of a set of medicines; if ``dosed``, only those of a known dose."""
        keep = self.medicine_in[name]
        if dosed:
            keep = keep & (self.regimen.dose_mg_a_day >= 0)  # no dose is not 0
        return self._once("supplies", f"{name} {dosed}", lambda: ("supplied_on", keep, self.regimen.until))

    def _once(self, table: str, name: str, choose: Callable[[], tuple[str, Bools, Days | None]]) -> KeptRows:
        found = self.kept.get((table, name))
        if found is None:
            day, keep, until = choose()
            columns, (row, offsets) = self.records.columns(table), rows_kept(self.records.offsets(table), keep)
            stands = _ALL_STAND if until is None else until[row]
            found = KeptRows(row, offsets, columns[day][row], columns["known_on"][row], stands)
            self.kept[table, name] = found
        return found


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
        {},
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
    seen, pair = _pairs(one, other)
    found = np.array([say(ones[i], others[j]) for i, j in seen], np.int16).reshape(-1, width)
    return found.T[:, pair]


def _pairs(
    one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]
) -> tuple[list[tuple[int, int]], npt.NDArray[np.int64]]:
    """The different pairs of two codes a row, which are at least -1, and which of them each row has."""
    if len(one) <= FEW:
        seen: dict[tuple[int, int], int] = {}
        pair = [seen.setdefault(codes, len(seen)) for codes in zip(one.tolist(), other.tolist(), strict=True)]
        return list(seen), np.array(pair, np.int64)
    width = int(other.max()) + 2
    found, place = np.unique((one + 1) * width + other + 1, return_inverse=True)
    first, second = np.divmod(found, width)
    return list(zip((first - 1).tolist(), (second - 1).tolist(), strict=True)), place


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
