"""Fills in values that were not recorded: the mode of an attended contact, the days of a supply."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.records.loading.not_understood import UnreadRow
from features.records.problems import TableReport
from features.records.same_event.settled_supplies import settle
from features.records.same_event.supply_rows import USUAL_SUPPLY_DAYS
from features.records.tables import MODES, TABLES

REVERSES_NOTHING = "it matches no supply, so nothing was taken back"


def mode_of_attended(columns: dict[str, Any], report: TableReport) -> None:
    """Reads an attended contact without a mode as a contact with the person, not as a text."""
    outcomes = TABLES["contacts"].column("outcome").values
    silent = (columns["mode"] < 0) & (columns["outcome"] == outcomes.index("attended"))
    if silent.any():
        columns["mode"] = np.where(silent, np.int16(MODES.index("not_recorded")), columns["mode"])
        note_modes(report, int(silent.sum()))


def note_modes(report: TableReport, rows: int) -> None:
    """Counts the attended contacts without a mode."""
    if rows:
        report.defaults["mode"] = {"value": "not_recorded", "rows": rows}
        report.note(f"mode missing in {rows:,} attended contacts; they count as contact with the person")


def settled_supplies(
    columns: dict[str, Any], patient: npt.NDArray[np.int32], report: TableReport
) -> tuple[dict[str, Any], npt.NDArray[np.int32], list[UnreadRow]]:
    """Supplies with the days that quantity and dose give, the person of each, and reversals that match no supply, which
    are shown with the person. What was worked out, assumed or undone is counted.
    """
    settled = settle(columns, patient)
    if settled.days_from_quantity:
        report.note(f"days worked out from quantity and dose in {settled.days_from_quantity:,} rows")
    note_days_assumed(report, settled.days_assumed, settled.intervals_assumed)
    if settled.reversed:
        report.note(
            f"{settled.reversed:,} reversals undo a supply from the day that they became known; "
            f"{len(settled.matched_nothing):,} of them match no supply"
        )
    if settled.added:
        report.note(
            f"{settled.added:,} returns of part of a supply: the supply is reversed, and what was left of it is a "
            "row of its own"
        )
    unread = [_matched_nothing(columns, patient, row) for row in settled.matched_nothing.tolist()]
    return settled.columns, settled.patient, unread


def note_days_assumed(report: TableReport, supplies: int, injections: int) -> None:
    """Counts the rows of supplies, and of injections, that do not say how long they last."""
    assumed = supplies + injections
    if assumed:
        report.defaults["days_assumed"] = {"value": USUAL_SUPPLY_DAYS, "rows": assumed}
        report.note(
            f"days_assumed: {assumed:,} rows do not say how long they last, by days, or by quantity and dose: "
            f"{supplies:,} are read as {USUAL_SUPPLY_DAYS} days, {injections:,} "
            "injections as the product's usual interval; what rests on them says so"
        )


def _matched_nothing(columns: dict[str, Any], patient: npt.NDArray[np.int32], row: int) -> UnreadRow:
    medicines, statuses = (TABLES["supplies"].column(name).values for name in ("medicine", "status"))
    words = ("supplies", "status", statuses[columns["status"][row]], medicines[columns["medicine"][row]])
    days = int(columns["supplied_on"][row]), int(columns["known_on"][row])
    return int(patient[row]), *days, (*words, REVERSES_NOTHING)
