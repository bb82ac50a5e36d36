"""A care gap: overdue or missing care, with the date, the value and the rows that show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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


SHOWN_SEVERITIES: tuple[Severity, ...] = ("critical", "high")
SHOWN_DUE_DAYS = 14
"""A page shows gaps that are critical or high, or due in the next 14 days; all others fold into one line."""


@dataclass(frozen=True)
class Code:
    """One reason code: ``safety`` gaps are shown whatever the risk score says.

    ``budget`` is the largest share of a caseload on which the code may fire, and ``budget_reason`` the reason for it.
    """

    code: str
    title: str
    safety: bool
    action: str
    standard: str
    budget: float = 1.0
    budget_reason: str = ""


class Finding(NamedTuple):
    """One trigger of a code that fired. A code whose triggers fire together becomes one gap (:func:`gap_of`).

    ``due`` is a day number or NO_DAY; ``overdue`` counts days past due (0 on the day itself), None if there is no due
    date. ``action`` and ``title`` are this finding's own; empty means the code's. ``alarm`` is False for a finding of
    a safety code that alone is not a safety alarm (a blood pressure of 144). ``unchecked`` names what the rule could
    not check because a record is missing. ``stale`` marks a value older than a year without a newer one (as does a
    value with ``NOT_REPEATED``). ``folds`` marks a finding that may be merged into another line
    (features/gaps/folding.py).
    """

    severity: Severity
    value: str
    facts: tuple[Fact, ...]
    evidence: tuple[Evidence, ...] = ()
    due: int = NO_DAY
    overdue: int | None = None
    action: str = ""
    title: str = ""
    alarm: bool = True
    unchecked: tuple[str, ...] = ()
    stale: bool = False
    folds: bool = False


class Gap(NamedTuple):
    """One gap of one person. ``verified`` is False if any fact behind it is still to be checked (docs/clinical.md
    section 7). ``could_not_check`` names what its rule could not check."""

    code: Code
    severity: Severity
    value: str
    source: str
    verified: bool
    due: int = NO_DAY
    overdue: int | None = None
    evidence: tuple[Evidence, ...] = ()
    action: str = ""
    title: str = ""
    safety: bool = False
    could_not_check: tuple[str, ...] = ()
    stale: bool = False
    folds: bool = False

    def shown(self, as_of: int) -> bool:
        """Whether a page shows the gap without being asked on a day number: critical or high, or due in the next 14
        days.
        """
        return self.severity in SHOWN_SEVERITIES or as_of <= self.due < as_of + SHOWN_DUE_DAYS

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code.code,
            "severity": self.severity,
            "safety": self.safety,
            "title": self.title or self.code.title,
            "due_on": iso(self.due) or None,
            "days_overdue": self.overdue,
            "value": self.value,
            "evidence": [row.as_dict() for row in self.evidence],
            "action": self.action or self.code.action,
            "standard": self.code.standard,
            "source": self.source,
            "verified": self.verified,
            "could_not_check": list(self.could_not_check),
        }


def gap_order(gap: Gap) -> tuple[bool, int, int, str]:
    """The key by which the gaps of a person are sorted, everywhere: safety first, then severity, then the longest
    overdue, then the code."""
    return not gap.safety, SEVERITIES.index(gap.severity), -(gap.overdue or 0), gap.code.code


@lru_cache(maxsize=50_000)
def iso(day: int) -> str:
    """The date of a day number as ISO text, empty for NO_DAY."""
    date = date_of(day)
    return date.isoformat() if date else ""


NOT_REPEATED = "; not repeated in over a year"
"""Added to a result that is more than a year old and has no newer result."""


def _is_stale(finding: Finding) -> bool:
    return finding.stale or NOT_REPEATED in finding.value


def gap_of(code: Code, findings: Sequence[Finding]) -> Iterator[Gap]:
    """The gap from all findings of one code: the worst severity and its title, the earliest due date, every value,
    every fitting action, every source. None if there are no findings.
    """
    if not findings:
        return
    if len(findings) == 1:
        yield _of_one(code, findings[0])
        return
    first = min(findings, key=lambda finding: finding.due)
    worst_first = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    source, verified = _sources(tuple(fact for finding in findings for fact in finding.facts))
    yield Gap(
        code,
        worst_first[0].severity,
        "; ".join(dict.fromkeys(finding.value for finding in findings)),
        source,
        verified,
        first.due,
        first.overdue,
        tuple(dict.fromkeys(row for finding in findings for row in finding.evidence)),
        " ".join(dict.fromkeys(finding.action or code.action for finding in worst_first)),
        worst_first[0].title or code.title,
        code.safety and any(finding.alarm for finding in findings),
        tuple(dict.fromkeys(name for finding in findings for name in finding.unchecked)),
        all(_is_stale(finding) for finding in findings),
        all(finding.folds for finding in findings),
    )


def _of_one(code: Code, finding: Finding) -> Gap:
    """:func:`gap_of` for a single finding, which most gaps have."""
    source, verified = _sources(finding.facts)
    evidence, unchecked = finding.evidence, finding.unchecked
    return Gap(
        code,
        finding.severity,
        finding.value,
        source,
        verified,
        finding.due,
        finding.overdue,
        evidence if len(evidence) < 2 else tuple(dict.fromkeys(evidence)),
        finding.action or code.action,
        finding.title or code.title,
        code.safety and finding.alarm,
        unchecked if len(unchecked) < 2 else tuple(dict.fromkeys(unchecked)),
        _is_stale(finding),
        finding.folds,
    )


@lru_cache(maxsize=10_000)
def _sources(facts: tuple[Fact, ...]) -> tuple[str, bool]:
    """The sources of some facts in words, each once, and whether all are verified."""
    return "; ".join(dict.fromkeys(fact.source for fact in facts)), all(fact.verified for fact in facts)
