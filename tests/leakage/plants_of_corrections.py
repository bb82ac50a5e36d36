"""Leaks planted in the reading of rows that were corrected later: earlier versions, reversals, and returns of a part.
They show only in records with corrections (``corrected.py``).

To read the row that stands today on every day is no leak, because its clocks are those of the correction: it is wrong,
and ``tests/features/records/test_versions.py`` compares it with what an extract of that day would have held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from features.medicines import supply_days
from features.records import Records, records
from features.records.same_event.supply_rows import REVERSED
from tests.leakage.plants import ALWAYS_KNOWN, Patch, Plant

PLANTS: list[Plant] = []
MONTH, RARE = 30, 6_000


def add(name: str, *caught_by: str, checks: int = 1_500) -> Any:
    def placed(place: Any) -> None:
        PLANTS.append(Plant(name, caught_by, place, checks))

    return placed


@add("versions: those of a month later are read", "attended_90d", "days_since_attended")
def _(patch: Patch) -> None:
    true = Records._as_known
    patch.setattr(Records, "_as_known", lambda self, day, tables: true(self, day + MONTH, tables))


def known_early(table: str) -> Any:
    """Versions of a table are read before they were known."""

    def place(patch: Patch) -> None:
        true = records.tables_as_known

        def leaky(tables: Any, versions: Any, day: int, names: Iterable[str]) -> Any:
            early = {name: known_always(one) if name == table else one for name, one in versions.items()}
            return true(tables, early, day, names)

        patch.setattr(records, "tables_as_known", leaky)

    return place


def known_always(one: Any) -> Any:
    columns = dict(one.table.columns)
    late = {"contacts": "outcome_known_on", "referrals": "closed_known_on", "stays": "discharge_known_on"}
    for name in ("known_on", late[one.table.spec.name]):
        columns[name] = np.full_like(columns[name], ALWAYS_KNOWN)
    return replace(one, table=replace(one.table, columns=columns))


add("versions: a contact's counts before it was known", "attended_90d", "NO_CONTACT")(known_early("contacts"))
add("versions: a referral's counts before it was known", "closed_referrals_730d", checks=RARE)(known_early("referrals"))
add("versions: a stay's counts before it was known", "bed_days_365d", checks=RARE)(known_early("stays"))


def supplies_with(change: Any) -> Any:
    """The step that makes rows of one supply one is handed other clocks."""

    def place(patch: Patch) -> None:
        true = supply_days.one_supply
        patch.setattr(
            supply_days,
            "one_supply",
            lambda offsets, columns, *rest: true(offsets, {**columns, "known_on": change(columns)}, *rest),
        )

    return place


def five_days_early(columns: Any) -> Any:
    return np.where(columns["status"] == REVERSED, columns["known_on"] - 5, columns["known_on"])


def part_five_days_early(columns: Any) -> Any:
    return np.where(columns["quantity"] == 42, columns["known_on"] - 5, columns["known_on"])


add("reversals: one counts five days before it was known", "antipsychotic_supply_left_days")(
    supplies_with(five_days_early)
)
add("returns of a part: what was left counts before the return was known", "antipsychotic_supply_left_days")(
    supplies_with(part_five_days_early)
)

__all__ = ["PLANTS"]
