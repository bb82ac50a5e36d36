"""What a care gap is: something certain, with the date, the value and the rows that make it so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from features.gaps.citations import Fact
from features.records.days import NO_DAY, date_of

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


class Evidence(NamedTuple):
    """One source row: its table, its position in ``records[table]``, its day, and what it says."""

    table: str
    row: int
    on: int
    what: str

    def as_dict(self) -> dict[str, Any]:
        return {"table": self.table, "row": self.row, "on": iso(self.on) or None, "what": self.what}


@dataclass(frozen=True)
class Code:
    """One reason code of CLINICAL.md section 1.1: ``safety`` gaps are shown whatever the risk score says."""

    code: str
    title: str
    safety: bool
    action: str
    standard: str


class Finding(NamedTuple):
    """One trigger of a code that fired. A code whose triggers fire together becomes one gap (:func:`gap_of`).

    ``due`` is a day number or NO_DAY; ``overdue`` counts days past due (0 on the day itself), None where there is no
    due date.
    """

    severity: Severity
    value: str
    facts: tuple[Fact, ...]
    evidence: tuple[Evidence, ...] = ()
    due: int = NO_DAY
    overdue: int | None = None


@dataclass(frozen=True)
class Gap:
    """One gap of one person. ``verified`` is False where any fact behind it is still to be checked (CLINICAL.md
    section 7)."""

    code: Code
    severity: Severity
    value: str
    source: str
    verified: bool
    due: int = NO_DAY
    overdue: int | None = None
    evidence: tuple[Evidence, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code.code,
            "severity": self.severity,
            "safety": self.code.safety,
            "title": self.code.title,
            "due_on": iso(self.due) or None,
            "days_overdue": self.overdue,
            "value": self.value,
            "evidence": [row.as_dict() for row in self.evidence],
            "action": self.code.action,
            "standard": self.code.standard,
            "source": self.source,
            "verified": self.verified,
        }


def iso(day: int) -> str:
    """The date of a day number as ISO text, empty for NO_DAY."""
    date = date_of(day)
    return date.isoformat() if date else ""


def gap_of(code: Code, findings: Sequence[Finding]) -> Iterator[Gap]:
    """The gap that all findings of one code make together: worst severity, earliest due date, every value, every
    source. None from none."""
    if not findings:
        return
    first = min(findings, key=lambda finding: finding.due)
    facts = tuple(dict.fromkeys(fact for finding in findings for fact in finding.facts))
    yield Gap(
        code,
        SEVERITIES[min(SEVERITIES.index(finding.severity) for finding in findings)],
        "; ".join(dict.fromkeys(finding.value for finding in findings)),
        "; ".join(dict.fromkeys(fact.source for fact in facts)),
        all(fact.verified for fact in facts),
        first.due,
        first.overdue,
        tuple(dict.fromkeys(row for finding in findings for row in finding.evidence)),
    )
