"""Which long-acting injection of a substance is meant (``injection_strengths.csv``): by the mg of one injection, else
by the days between injections. Where neither says, none is guessed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from features.reference.files import ReferenceTableError, read_rows
from features.reference.medicines.medicines import MEDICINES
from features.reference.words import plain_word


class Strengths(NamedTuple):
    """The mg of one injection of a product, both ends included."""

    medicine: str
    from_mg: float
    to_mg: float


@cache
def products() -> dict[str, tuple[str, ...]]:
    """The long-acting injections by their substance."""
    found: dict[str, tuple[str, ...]] = {}
    for one in MEDICINES.values():
        if one.is_long_acting_injection:
            found[one.base] = (*found.get(one.base, ()), one.name)
    return found


@cache
def strengths() -> dict[str, tuple[Strengths, ...]]:
    """The strengths of substances that are sold as several long-acting injections, or as a short-acting one too."""
    found: dict[str, tuple[Strengths, ...]] = {}
    for row in read_rows("injection_strengths"):
        base, medicine = row["base"], row["medicine"]
        if medicine not in products().get(base, ()):
            raise ReferenceTableError(f"injection_strengths.csv: {medicine} is no long-acting injection of {base}")
        found[base] = (*found.get(base, ()), Strengths(medicine, float(row["from_mg"]), float(row["to_mg"])))
    return found


def by_strength(base: str, mg: float) -> str | None:
    """The long-acting injection of ``base`` that is sold in this strength."""
    return next((one.medicine for one in strengths().get(base, ()) if one.from_mg <= mg <= one.to_mg), None)


def long_acting_of(base: str, amounts: Iterable[float] = (), interval_days: float = float("nan")) -> str | None:
    """The long-acting injection of ``base``: the only one, the one of all ``amounts`` that a product has, or the one
    that is given every so many days. None if nothing tells, or two amounts differ."""
    candidates = products().get(base, ())
    if len(candidates) == 1:
        return candidates[0]
    told = {by_strength(base, mg) for mg in amounts} - {None}
    if told:
        return told.pop() if len(told) == 1 else None
    every = [name for name in candidates if interval_days in _intervals(name)]
    return every[0] if len(every) == 1 else None


def _intervals(name: str) -> tuple[float | None, ...]:
    medicine = MEDICINES[name]
    return medicine.lai_usual_interval_days, medicine.lai_max_interval_days, medicine.lai_max_dose_per_days


@cache
def _brands() -> frozenset[str]:
    return frozenset(plain_word(row["name"]) for row in read_rows("brands_of_several_injections"))


def is_of_several(name: str) -> bool:
    """Whether a name begins with a brand under which several long-acting injections are sold."""
    plain = plain_word(name)
    return any(plain == brand or plain.startswith(f"{brand} ") for brand in _brands())
