"""Inputs of the monitoring protocols' conditions: masks and codes of rows, computed once for a set of records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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
    (code, codes), (label, labels) = (records.coded("conditions", name) for name in ("code", "label"))
    seen: dict[tuple[int, int], int] = {}
    numbers = [seen.setdefault(one, len(seen)) for one in zip(code.tolist(), label.tolist(), strict=True)]
    pair = np.array(numbers, np.int64)
    different = [(codes[one], labels[other]) for one, other in seen]
    (kind_of, kinds), (value_of, given) = (records.coded("circumstances", name) for name in ("kind", "value"))
    values = [(value or "").casefold() for value in given]

    def of_kind(kind: str) -> Bools:
        return np.array([k == kind for k in kinds], bool)[kind_of]

    def coded(kind: str, words: dict[str, int]) -> npt.NDArray[np.int8]:
        return np.where(of_kind(kind), np.array([words.get(v, -1) for v in values], np.int8)[value_of], np.int8(-1))

    yes_no = {word: 1 for word in YES} | {word: 0 for word in _NO}
    smoking = {v: int(v in _SMOKES or (v.endswith("_a_day") and v != "0_a_day")) for v in dict.fromkeys(values)}
    medicine = records.columns("supplies")["medicine"]
    return ConditionInputs(
        records,
        regimen.prepare(records),
        patients["birth_date"],
        patients["sex"],
        {
            g: diagnosed & np.array([in_group(g, c, w) for c, w in different], bool)[pair]
            for g in ("smi", "cardiac", "thyroid", "pregnancy")
        },
        {kind: coded(kind, yes_no) for kind in ("childbearing_potential", "benign_ethnic_neutropenia")},
        coded("smoking", smoking),
        coded("clozapine_service", {name: int(days) for name, days in RESET_DAYS.items()}),
        np.where(
            of_kind("clozapine_interval"),
            np.array([REGISTER_DAYS.get(v, 0) for v in values], np.int16)[value_of],
            np.int16(-1),
        ),
        of_kind("infection") & np.array([v not in _NO for v in values], bool)[value_of],
        {
            name: _of(scopes)[medicine]
            for name, scopes in (
                ("interacting", _INTERACTING),
                ("cyp1a2", _CYP1A2),
                ("diuretic", _DIURETIC),
                ("clozapine", ("clozapine",)),
                ("lithium", ("lithium",)),
                ("methadone", ("methadone",)),
            )
        },
    )


@cache
def _masks(scopes: tuple[str, ...]) -> tuple[bool, ...]:
    meant = frozenset(name for scope in scopes for name in medicines_meant(scope))
    return tuple(name in meant for name in MEDICINES)


@cache
def _of(scopes: tuple[str, ...]) -> Bools:
    return np.array(_masks(scopes), bool)
