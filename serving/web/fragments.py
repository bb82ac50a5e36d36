"""HTML lines that are the same for many people. Each is made once, because a page of 500 people has thousands of
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from markupsafe import Markup

from serving.gap_wording import gap_parts
from serving.scoring.schemas import CareGap
from serving.wording import reason_words
from serving.worklists.schemas import GapLine, ReasonLine

_STAR = Markup(' <abbr title="not yet verified by a pharmacist">*</abbr>')
_NO_REASON = Markup("<li>No reason stands out.</li>")
_ARROWS = {"raises": "▲", "lowers": "▽"}


def gap_said(gap: CareGap | GapLine) -> Markup:
    """``Clozapine blood count: <strong>6 days overdue</strong>``."""
    return _said(gap.code, gap.title, gap.days_overdue)


def gap_line(gap: GapLine) -> Markup:
    """A gap in a row of a list: said as above, marked where it is a safety gap, where it is critical and where its
    standard is not yet verified."""
    return _gap_line(gap.code, gap.title, gap.days_overdue, gap.safety, gap.severity, gap.status, gap.verified)


def reason_lines(reasons: Iterable[ReasonLine]) -> Markup:
    """A list of what raises and lowers, each with its sign and the corresponding word."""
    return _reason_lines(tuple([(reason.direction, reason.label, reason.sentence) for reason in reasons]))


@lru_cache(maxsize=4_096)
def _said(code: str, title: str, days_overdue: float | None) -> Markup:
    what, long = gap_parts(code, title, days_overdue)
    return Markup("{}: <strong>{}</strong>").format(what, long) if long else Markup("{}").format(what)


@lru_cache(maxsize=4_096)
def _gap_line(
    code: str, title: str, days_overdue: float | None, safety: bool, severity: str, status: str | None, verified: bool
) -> Markup:
    critical = Markup(' <b class="up-critical">Critical</b>') if severity == "critical" else ""
    mark = " up-gapline--safety" if safety else ""
    said = Markup(' <span class="up-small up-inline">{}</span>').format(status) if status else ""
    star = "" if verified else _STAR
    line = _said(code, title, days_overdue)
    return Markup('<li class="up-gapline{}">{}{}{}{}</li>').format(mark, line, star, critical, said)


@lru_cache(maxsize=4_096)
def _reason_lines(reasons: tuple[tuple[str, str, str], ...]) -> Markup:
    lines = [_reason_line(direction, reason_words(label, said)) for direction, label, said in reasons]
    return Markup('<ul class="up-reasons">{}</ul>').format(Markup("").join(lines) or _NO_REASON)


@lru_cache(maxsize=256)
def _reason_line(direction: str, words: str) -> Markup:
    return Markup(
        '<li><span class="up-arrow up-arrow--{}" aria-hidden="true">{}</span><span class="up-hidden">{}: </span>{}</li>'
    ).format(direction, _ARROWS.get(direction, ""), direction, words)
