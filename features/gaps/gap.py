"""What a care gap is: something certain, with the date, the value and the row that make it so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from features.records.days import NO_DAY, date_of

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass(frozen=True)
class Evidence:
    """One source row: its table, its position in ``records[table]``, its day, and what it says."""

    table: str
    row: int
    on: int
    what: str

    def as_dict(self) -> dict[str, Any]:
        on = date_of(self.on)
        return {"table": self.table, "row": self.row, "on": on.isoformat() if on else None, "what": self.what}


@dataclass(frozen=True)
class Code:
    """One reason code of CLINICAL.md section 1.1: ``safety`` gaps are shown whatever the risk score says."""

    code: str
    title: str
    safety: bool
    action: str
    standard: str


@dataclass(frozen=True)
class Gap:
    """One gap of one person. ``due`` is a day number or NO_DAY; ``overdue`` counts days past due (0 on the day itself), None where the
    gap has no due date. ``verified`` is False where any fact behind it is still to be checked (CLINICAL.md section 7).
    """

    code: Code
    severity: Severity
    value: str
    source: str
    verified: bool
    due: int = NO_DAY
    overdue: int | None = None
    evidence: tuple[Evidence, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        due = date_of(self.due)
        return {
            "code": self.code.code,
            "severity": self.severity,
            "safety": self.code.safety,
            "title": self.code.title,
            "due_on": due.isoformat() if due else None,
            "days_overdue": self.overdue,
            "value": self.value,
            "evidence": [row.as_dict() for row in self.evidence],
            "action": self.code.action,
            "standard": self.code.standard,
            "source": self.source,
            "verified": self.verified,
        }
