"""Vignettes: one person drawn as small tables, and what a mental-health pharmacist would say of them.

A vignette says which gaps must be found (code, severity, words of the value), which must not, and which words an
action must or must not hold. Days are written as in the golden cases: ``d-28`` lies 28 days before the question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.spec.gaps.golden import Case, date, gaps_of


class Must(NamedTuple):
    """A gap that must be found. ``says`` and ``title`` are patterns of its value and title, ``does`` and ``never`` of
    its action; empty matches anything."""

    code: str
    severity: str = ""
    says: str = ""
    does: str = ""
    never: str = ""
    title: str = ""


@dataclass(frozen=True)
class Vignette:
    """``not_found`` holds codes that must not fire, ``CODE:pattern`` for one whose value must not match, or SAFETY for
    any safety gap."""

    name: str
    tables: dict[str, str]
    must: tuple[Must, ...] = ()
    not_found: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def vignette(name: str, *must: Must, not_found: tuple[str, ...] = (), **tables: str) -> Vignette:
    return Vignette(name, {table: date(text) for table, text in tables.items()}, must, not_found)


def every(medicine: str, days: int, first: int, last: int, rest: str = "") -> str:
    """Lines of supplies of one medicine, each of ``days`` days, from ``d-first`` to ``d-last``."""
    return "\n".join(f"{medicine} d-{ago} {days} {rest}".rstrip() for ago in range(first, last - 1, -days))


def answers(vignettes: list[Vignette]) -> list[list[dict[str, Any]]]:
    """Every gap of every vignette, all in one set of records."""
    return gaps_of([Case("", v.name, v.tables, "-", "-", "-", "-", "-") for v in vignettes])


def check(one: Vignette, gaps: list[dict[str, Any]]) -> None:
    found = "\n".join(f"{gap['code']} {gap['severity']}: {gap['value']} -> {gap['action']}" for gap in gaps)
    for must in one.must:
        mine = [gap for gap in gaps if gap["code"] == must.code]
        assert mine, f"{must.code} must be found; found:\n{found}"
        (gap,) = mine
        assert not must.severity or gap["severity"] == must.severity, found
        for pattern, text in ((must.says, gap["value"]), (must.does, gap["action"]), (must.title, gap["title"])):
            assert re.search(date(pattern), text, re.IGNORECASE), f"{pattern!r} not in {text!r}"
        assert not must.never or not re.search(must.never, gap["action"], re.IGNORECASE), gap["action"]
    for entry in one.not_found:
        code, _, pattern = entry.partition(":")
        bad = [
            gap
            for gap in gaps
            if (gap["safety"] if code == "SAFETY" else gap["code"] == code)
            and re.search(pattern, gap["value"], re.IGNORECASE)
        ]
        assert not bad, f"{entry} must not be found; found:\n{found}"
