"""Problems of an extract: those that stop it, and rows that are set aside. No message repeats a patient's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.errors import UpstreamError


@dataclass(frozen=True)
class RecordsProblem:
    """One thing wrong with a table as a whole."""

    table: str
    what: str
    expected: str
    do: str

    def __str__(self) -> str:
        return f"{self.table}: {self.what}. Expected: {self.expected}. Do: {self.do}."


class RecordsError(UpstreamError, ValueError):
    """The extract cannot be read. ``problems`` holds all of them, not only the first."""

    def __init__(self, problems: list[RecordsProblem]) -> None:
        self.problems = tuple(problems)
        count = len(problems)
        heading = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n".join([f"{heading} in the records:", *(f"  - {problem}" for problem in problems)]))


@dataclass(frozen=True)
class SetAside:
    """One reason why one row was not used. ``row`` is its position in the table as given, from 0."""

    table: str
    row: int
    column: str
    reason: str


@dataclass
class TableReport:
    """What happened to one table: ``read == kept + set_aside + replaced + merged``.

    ``replaced`` are earlier versions of a row that is kept, ``merged`` rows of an event that is kept once,
    ``contradicted`` rows that another table contradicts, ``defaults`` values filled in for values that were not
    recorded.
    """

    read: int = 0
    kept: int = 0
    set_aside: int = 0
    replaced: int = 0
    merged: int = 0
    contradicted: int = 0
    present: bool = True
    absent_columns: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    delays_applied: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)

    def note(self, note: str) -> None:
        self.notes = (*self.notes, note)


@dataclass
class LoadReport:
    """What was read, kept and set aside, table by table, and which usual delays stood in for a missing second clock."""

    tables: dict[str, TableReport] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    """Number of rows by table that the previous store held and this extract does not."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "tables": {name: dict(vars(report)) for name, report in self.tables.items()},
            "reasons": self.reasons,
            "withdrawn": self.withdrawn,
        }

    def lines(self) -> list[str]:
        """The report as sentences for a terminal."""
        out = []
        for name, table in self.tables.items():
            if not table.present:
                out.append(f"{name}: not in the extract; treated as empty")
                continue
            more = "".join(
                f", {count:,} {what}"
                for what, count in (("replaced by a later version", table.replaced), ("merged", table.merged))
                if count
            )
            out.append(f"{name}: {table.read:,} rows read, {table.kept:,} kept, {table.set_aside:,} set aside{more}")
            if table.unknown_columns:
                out.append(f"{name}: columns not known and not used: {', '.join(table.unknown_columns)}")
            for column, delay in table.delays_applied.items():
                out.append(
                    f"{name}: {column} missing in {delay['rows']:,} rows; usual delay of {delay['days']} days applied"
                )
            out.extend(f"{name}: {note}" for note in table.notes)
            for reason, count in self.reasons.get(name, {}).items():
                out.append(f"{name}: {count:,} rows set aside: {reason}")
        out.extend(withdrawn_lines(self.withdrawn))
        return out


def withdrawn_lines(withdrawn: Mapping[str, int]) -> list[str]:
    """The rows that an extract no longer holds, as text for a terminal."""
    return [
        f"{name}: {count:,} rows of the store that was replaced are not in this extract any more; they are withdrawn"
        for name, count in withdrawn.items()
    ]
