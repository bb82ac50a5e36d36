"""Pictures drawn on the server as inline SVG: no script, no canvas, exact in tests, readable in print and without
colour.

Raising bars are solid and grow to the right, lowering bars are hatched and grow to the left, and each carries its
sign, so the picture does not depend on colour. Every number in a picture is also in the table beside it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from serving.wording import signed

WIDTH = 340
LABEL_HEIGHT, BAR_HEIGHT, ROW_GAP, TOP, FOOT = 17, 16, 13, 26, 12
CENTRE = 165
REACH = 112
"""The longest bar; the rest of each half is for its number."""
LINE_LENGTH = 42
INK, BLUE, PALE, GRID = "#212b32", "#005eb8", "#e8edee", "#768692"
FONT = "font-family='Arial, Helvetica, sans-serif'"
"""The family of the page itself. Where neither is installed the letters are wider."""


@dataclass(frozen=True)
class Bar:
    """One part of a score on the log-odds scale."""

    label: str
    value: float


def draw_contributions(bars: Sequence[Bar], description: str) -> Markup:
    """What raises (right) and lowers (left) a risk, around a base line at zero. ``description`` is its text
    alternative."""
    largest = max((abs(bar.value) for bar in bars), default=0.0) or 1.0
    parts: list[Markup] = []
    y = TOP + 10
    for bar in bars:
        drawn, height = _bar(bar, y, largest)
        parts.append(drawn)
        y += height + ROW_GAP
    height = y - ROW_GAP + FOOT
    return Markup(
        "<svg class='drawing' viewBox='0 0 {w} {h}' role='img' aria-label='{text}' xmlns='http://www.w3.org/2000/svg'>"
        "<defs><pattern id='lowers' width='6' height='6' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
        "<rect width='6' height='6' fill='#ffffff'/><line x1='0' y1='0' x2='0' y2='6' stroke='{blue}' "
        "stroke-width='3'/>"
        "</pattern></defs>"
        "<text x='{left}' y='16' {font} font-size='13' fill='{ink}' text-anchor='end'>◂ lowers</text>"
        "<text x='{right}' y='16' {font} font-size='13' fill='{ink}'>raises ▸</text>"
        "{parts}</svg>"
    ).format(
        w=WIDTH,
        h=height,
        text=description,
        blue=BLUE,
        ink=INK,
        font=Markup(FONT),
        left=CENTRE - 12,
        right=CENTRE + 12,
        parts=Markup("").join(parts),
    )


def _bar(bar: Bar, y: int, largest: float) -> tuple[Markup, int]:
    """One label and its bar below it, from ``y`` down; and the height used."""
    lines = textwrap.wrap(bar.label, LINE_LENGTH) or [""]
    text = Markup("").join(
        Markup("<text x='2' y='{}' {} font-size='14' fill='{}'>{}</text>").format(
            y + 12 + i * LABEL_HEIGHT, Markup(FONT), INK, escape(line)
        )
        for i, line in enumerate(lines)
    )
    top = y + len(lines) * LABEL_HEIGHT + 1
    length = max(1.5, abs(bar.value) / largest * REACH)
    raises = bar.value >= 0
    shape = Markup(
        "<rect x='{:.1f}' y='{}' width='{:.1f}' height='{}' fill='{}' stroke='{}' stroke-width='1.5'/>"
    ).format(CENTRE if raises else CENTRE - length, top, length, BAR_HEIGHT, BLUE if raises else "url(#lowers)", BLUE)
    number = Markup(
        "<text x='{:.1f}' y='{}' {} font-size='14' font-weight='bold' fill='{}' text-anchor='{}'>{}</text>"
    ).format(
        CENTRE + length + 6 if raises else CENTRE - length - 6,
        top + 13,
        Markup(FONT),
        INK,
        "start" if raises else "end",
        signed(bar.value),
    )
    # The base line stands beside the bars only, so that it never crosses a label.
    base = Markup("<line x1='{c}' y1='{}' x2='{c}' y2='{}' stroke='{}' stroke-width='1.5'/>").format(
        top - 4, top + BAR_HEIGHT + 4, GRID, c=CENTRE
    )
    return text + shape + base + number, len(lines) * LABEL_HEIGHT + 1 + BAR_HEIGHT
