"""One person as known on a date: only rows whose event day and every clock lie before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.engine import lengths, regimen, schedule
from features.records import Records
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES, Medicine

_MEDICINES = tuple(MEDICINES.values())


@dataclass(frozen=True)
class Supply:
    row: int
    day: int
    length: int
    medicine: Medicine
    injection: bool
    as_required: bool
    kind: str
    prescriber: str
    daily_dose_mg: float
    dose_mg: float

    @property
    def end(self) -> int:
        """The first day that this supply no longer covers, carry-over left aside."""
        return self.day + self.length


@dataclass(frozen=True)
class Result:
    row: int
    day: int
    test: str
    value: float


@dataclass(frozen=True)
class Contact:
    row: int
    day: int
    kind: str
    mode: str
    outcome: str

    @property
    def attended(self) -> bool:
        return (
            self.outcome == "attended" and self.mode in ("face_to_face", "video", "telephone") and self.kind != "carer"
        )

    @property
    def missed(self) -> bool:
        return self.outcome == "did_not_attend" and self.mode not in ("text", "email") and self.kind != "carer"


@dataclass(frozen=True)
class Stay:
    row: int
    admitted: int
    discharged: int
    method: str
    ward: str


@dataclass(frozen=True)
class Due:
    """One scheduled test: its due day, the protocol that asks for it and the last result's day (NO_DAY if none)."""

    item: schedule.Item
    protocol: int
    day: int
    last: int


class Shared:
    """What every person of one set of records shares: made once per :func:`features.find_gaps`."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.lengths = lengths.lengths_of(records)
        self.injections = lengths.is_injection(records)
        self.words = {
            (name, column.name): (*column.values, "")
            for name, spec in TABLES.items()
            for column in spec.columns
            if column.kind == "code"
        }


class Person:
    """One person as known at 00:00 of ``as_of`` (a day number). Lists are in order of the day of their events."""

    def __init__(
        self,
        shared: Shared,
        place: int,
        as_of: int,
        due: npt.NDArray[np.int32],
        fired: npt.NDArray[np.int16],
        last: npt.NDArray[np.int32],
        regimen_row: npt.NDArray[np.float64],
    ) -> None:
        self.shared, self.place, self.as_of = shared, place, as_of
        self._due, self._fired, self._last = due, fired, last
        self._regimen = regimen_row

    def _visible(self, table: str, day: str) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
        records = self.shared.records
        first, last = records.offsets(table)[self.place : self.place + 2]
        columns = records.columns(table)
        rows = np.arange(first, last)
        seen = (columns[day][first:last] < self.as_of) & (columns["known_on"][first:last] < self.as_of)
        return dict(columns), rows[seen]

    def _word(self, table: str, column: str, code: int) -> str:
        return self.shared.words[table, column][code]

    @cached_property
    def due(self) -> list[Due]:
        """Every test that a protocol schedules for this person now."""
        found = []
        for place in np.flatnonzero(self._fired >= 0).tolist():
            found.append(
                Due(schedule.items()[place], int(self._fired[place]), int(self._due[place]), int(self._last[place]))
            )
        return found

    @cached_property
    def supplies(self) -> list[Supply]:
        columns, rows = self._visible("supplies", "supplied_on")
        return [
            Supply(
                row=row,
                day=int(columns["supplied_on"][row]),
                length=int(self.shared.lengths[row]),
                medicine=_MEDICINES[columns["medicine"][row]],
                injection=bool(self.shared.injections[row]),
                as_required=bool(columns["as_required"][row] == 1),
                kind=self._word("supplies", "kind", columns["kind"][row]),
                prescriber=self._word("supplies", "prescriber", columns["prescriber"][row]),
                daily_dose_mg=float(columns["daily_dose_mg"][row]),
                dose_mg=float(columns["dose_mg"][row]),
            )
            for row in rows.tolist()
        ]

    @cached_property
    def results(self) -> list[Result]:
        columns, rows = self._visible("results", "taken_on")
        tests = self.shared.words["results", "test"]
        return [
            Result(row, int(columns["taken_on"][row]), tests[columns["test"][row]], float(columns["value"][row]))
            for row in rows.tolist()
        ]

    @cached_property
    def contacts(self) -> list[Contact]:
        """Contacts that happened and whose outcome was known; an outcome that was not known yet reads as planned."""
        columns, rows = self._visible("contacts", "contact_on")
        told = columns["outcome_known_on"]
        return [
            Contact(
                row=row,
                day=int(columns["contact_on"][row]),
                kind=self._word("contacts", "kind", columns["kind"][row]),
                mode=self._word("contacts", "mode", columns["mode"][row]),
                outcome=self._word("contacts", "outcome", columns["outcome"][row])
                if told[row] < self.as_of
                else "planned",
            )
            for row in rows.tolist()
        ]

    @cached_property
    def stays(self) -> list[Stay]:
        """Stays; a discharge that was not known yet reads as none."""
        columns, rows = self._visible("stays", "admitted_on")
        return [
            Stay(
                row=row,
                admitted=int(columns["admitted_on"][row]),
                discharged=int(columns["discharged_on"][row])
                if columns["discharge_known_on"][row] < self.as_of and columns["discharged_on"][row] < self.as_of
                else NO_DAY,
                method=self._word("stays", "method", columns["method"][row]),
                ward=self._word("stays", "ward", columns["ward"][row]),
            )
            for row in rows.tolist()
        ]

    @cached_property
    def allergy_rows(self) -> list[tuple[int, int]]:
        """(row, day) of what is recorded about allergies; "none known" counts."""
        columns, rows = self._visible("conditions", "recorded_on")
        allergy = self.shared.words["conditions", "category"].index("allergy")
        return [(row, int(columns["recorded_on"][row])) for row in rows.tolist() if columns["category"][row] == allergy]

    @cached_property
    def circumstances(self) -> list[tuple[int, int, str, str]]:
        """(row, day, kind, value)."""
        columns, rows = self._visible("circumstances", "from_on")
        return [
            (row, int(columns["from_on"][row]), columns["kind"][row].as_py(), columns["value"][row].as_py())
            for row in rows.tolist()
        ]

    @cached_property
    def inpatient(self) -> bool:
        return any(stay.discharged == NO_DAY for stay in self.stays)

    def regimen(self, field: str) -> float:
        """One field of :data:`features.engine.regimen.FIELDS`: the number the feature of that name holds; NaN where it cannot be assessed."""
        return float(self._regimen[regimen.FIELDS.index(field)])

    def circumstance(self, kind: str) -> tuple[int, int, str] | None:
        """The latest (row, day, value) of one kind."""
        found = [(row, day, value) for row, day, name, value in self.circumstances if name == kind]
        return found[-1] if found else None
