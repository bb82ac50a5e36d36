"""Merges a person's gaps about the same problem into one line, which keeps the content of each gap.

The line keeps the value, rows, action, sources and unchecked facts of each folded gap, and has the highest severity.
Nothing found is lost, and nothing is shown twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from features.gaps.gap import SEVERITIES, Gap


class Fold(NamedTuple):
    """Gaps of ``code`` that meet ``when`` are named in the gap of ``into``, if the person has one."""

    code: str
    into: str
    when: Callable[[Gap], bool]
    why: str


def _mild(gap: Gap) -> bool:
    return gap.severity in ("medium", "low") and not gap.safety


def _stale(gap: Gap) -> bool:
    return _mild(gap) and gap.stale


FOLDS = (
    Fold("ALLERGY_NOT_RECORDED", "MEDICINES_REVIEW_OVERDUE", lambda gap: gap.stale, "confirmed at the same review"),
    Fold("BP_PULSE_QTC", "MONITORING_NEVER_DONE", _stale, "the check that is overdue repeats it"),
    Fold("METABOLIC_WORSENING", "MONITORING_NEVER_DONE", _stale, "the check that is overdue repeats it"),
    Fold("SIDE_EFFECT_BURDEN", "MONITORING_NEVER_DONE", _stale, "the check that is overdue repeats it"),
    Fold(
        "METABOLIC_WORSENING",
        "MONITORING_NEVER_DONE",
        lambda gap: _mild(gap) and gap.folds,
        "no record shows that it worsened: it is raised at the annual check",
    ),
    Fold(
        "METABOLIC_WORSENING",
        "MEDICINES_REVIEW_OVERDUE",
        lambda gap: _mild(gap) and gap.folds,
        "no record shows that it worsened: it is raised at the review that is due",
    ),
    Fold("BP_PULSE_QTC", "MONITORING_NEVER_DONE", lambda gap: _mild(gap) and gap.folds, "repeated at the check"),
    Fold("BP_PULSE_QTC", "MEDICINES_REVIEW_OVERDUE", lambda gap: _mild(gap) and gap.folds, "repeated at the review"),
    Fold(
        "MONITORING_OVERDUE",
        "MEDICINES_REVIEW_OVERDUE",
        lambda gap: _mild(gap) and gap.folds,
        "due lately and recommended, not required: arranged at the review that is due",
    ),
    Fold("ANTICHOLINERGIC_BURDEN", "SIDE_EFFECT_BURDEN", _mild, "the scale asks about its effects"),
    Fold(
        "BP_PULSE_QTC",
        "METABOLIC_WORSENING",
        lambda gap: gap.severity == "low" and not gap.safety,
        "weight, glucose, lipids and pressure are one risk, handed over to the GP once",
    ),
    Fold(
        "ANTICHOLINERGIC_BURDEN",
        "ANTIPSYCHOTIC_POLYPHARMACY",
        lambda gap: gap.folds,
        "the load is that of the antipsychotics together",
    ),
)
"""Applied in this order. A gap folded into a line that is itself folded moves with that line."""


def one_line_each(gaps: Sequence[Gap]) -> list[Gap]:
    """The gaps of one person after every fold that applies."""
    if len(gaps) < 2:
        return list(gaps)
    by_code = {gap.code.code: gap for gap in gaps}
    went: dict[str, str] = {}
    for code, into, when, _ in FOLDS:
        if code in by_code:
            target = went.get(into, into)
            if target in by_code and when(by_code[code]):
                by_code[target] = _joined(by_code[target], by_code.pop(code))
                went[code] = target
    return list(by_code.values())


def _joined(into: Gap, gap: Gap) -> Gap:
    return into._replace(
        severity=min(into.severity, gap.severity, key=SEVERITIES.index),
        value=f"{into.value}; {gap.value}",
        source="; ".join(dict.fromkeys((*into.source.split("; "), *gap.source.split("; ")))),
        verified=into.verified and gap.verified,
        evidence=tuple(dict.fromkeys((*into.evidence, *gap.evidence))),
        action=f"{into.action or into.code.action} {gap.action or gap.code.action}",
        could_not_check=tuple(dict.fromkeys((*into.could_not_check, *gap.could_not_check))),
    )
