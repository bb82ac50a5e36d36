"""Writes cards in the same words as the pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from serving.cds.schemas import SUMMARY_LENGTH, CardCoding
from serving.gap_statuses.schemas import WHY_NOT_LABELS
from serving.gap_wording import gap_parts
from serving.wording import dated, sentence, severity_label

REASON_SYSTEM = "urn:upstream:override-reason"
OVERRIDE_REASONS = [
    CardCoding(code=why.value, system=REASON_SYSTEM, display=label) for why, label in WHY_NOT_LABELS.items()
]
"""Reasons for dismissing a card: the reasons that a page offers for a gap that does not apply."""
FROM_RULES = "These follow from a rule and the record, not from the model."
NOT_CAUSES = "These are what the estimate is made of, not causes."
_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~!])")


class ShownGap(Protocol):
    """A care gap, stored or found just now."""

    code: str
    title: str
    severity: str
    days_overdue: float | None
    value: str
    action: str
    standard: str
    verified: bool


def said(gap: ShownGap) -> str:
    """``Clozapine blood count: 6 days overdue``."""
    what, long = gap_parts(gap.code, gap.title, gap.days_overdue)
    return f"{what}: {long}" if long else what


def short(text: str) -> str:
    """The text, cut at a word where it is longer than a card's summary may be."""
    if len(text) <= SUMMARY_LENGTH:
        return text
    return text[: SUMMARY_LENGTH - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"


def plain_markdown(text: str) -> str:
    """Escapes the text for Markdown, because text from a record is not mark-up."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def gap_lines(gap: ShownGap, status: str = "") -> str:
    """A gap as one point of a list in Markdown."""
    parts = [f"**{plain_markdown(said(gap))}** ({severity_label(gap.severity)})."]
    parts += [plain_markdown(dated(sentence(gap.value)))] if gap.value else []
    standard = gap.standard if gap.verified else f"{gap.standard.rstrip('.')} (not yet verified by a pharmacist)"
    parts += [f"Suggested: {plain_markdown(gap.action)}", f"Standard: {plain_markdown(sentence(standard))}"]
    parts += [plain_markdown(sentence(status))] if status else []
    return "- " + " ".join(parts)


def reason_lines(lines: Sequence[Mapping[str, Any]]) -> str:
    """Reasons as a list in Markdown: those that raise, then those that lower, each in the page's sentence."""
    ordered = sorted(lines, key=lambda line: line["direction"] != "raises")
    return "\n".join(f"- {plain_markdown(sentence(line['sentence']))}" for line in ordered)
