"""How a risk has changed over the published lists: a small line for a row of the worklist, and one picture per
outcome for the person page.

Inline SVG drawn on the server. The words that stand for a picture hold every number of it; lines are distinguished
by dashes, marks and their own labels, never by colour alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from serving.web.charts.bar_chart import BLUE, FONT, GRID, INK
from serving.wording import short_day

Points = Sequence[tuple[dt.date, float]]
SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 112, 34, 5
"""The style sheet sets the same size, so that it is not repeated in every row."""
_SPARK_BASE = SPARK_HEIGHT - SPARK_EDGE
LEAST_TOP = 0.05
"""The height of a picture is at least 5 in 100, so that a change of a fraction does not look like a climb."""
DASHES = ("", "6 4", "2 3")
WIDTH, HEIGHT, LEFT, RIGHT, CEILING, FLOOR = 460, 214, 62, 96, 16, 178
LABEL_APART = 15


def sparkline(points: Points) -> Markup:
    """One risk over the lists, oldest first, the newest marked. Empty below two points: one list is no trend."""
    if len(points) < 2:
        return Markup("")
    days, risks = tuple(day for day, _ in points), [risk for _, risk in points]
    drop = (SPARK_HEIGHT - 2 * SPARK_EDGE) / max(LEAST_TOP, *risks)
    xs, ys = _spark_places(days), [f"{_SPARK_BASE - drop * risk:.1f}" for risk in risks]
    line = " ".join([f"{x},{y}" for x, y in zip(xs, ys, strict=True)])
    numbers = ", ".join([_number(risk) for risk in risks])
    # Only numbers and dates of our own stand in the text, so nothing has to be escaped; a worklist draws hundreds of
    # these.
    return Markup(
        f"<svg class='up-spark' viewBox='0 0 {SPARK_WIDTH} {SPARK_HEIGHT}' role='img'"
        f" aria-label='Risk in {len(points)} lists from {short_day(days[0])} to {short_day(days[-1])}, in 100: "
        f"{numbers}'>"
        f"<path d='M0 {_SPARK_BASE}H{SPARK_WIDTH}'/><polyline points='{line}'/><circle cx='{xs[-1]}' cy='{ys[-1]}' "
        f"r='4'/></svg>"
    )


@lru_cache(maxsize=256)
def _spark_places(days: tuple[dt.date, ...]) -> list[str]:
    """The position of each list along the line; the people of one page share their lists."""
    return [f"{x:.1f}" for x in _spread(days, SPARK_EDGE, SPARK_WIDTH - SPARK_EDGE)]


def moved(points: Points) -> str:
    """``up from 14 in 100 on 23 Nov 2025``; a change of less than one in 100 is about the same. Empty below two
    points."""
    if len(points) < 2:
        return ""
    (first_day, first), (_, now) = points[0], points[-1]
    was, since = f"{_number(first)} in 100", short_day(first_day)
    if round(now * 100) == round(first * 100):
        return f"about the same since {since}"
    return f"{'up' if now > first else 'down'} from {was} on {since}"


@dataclass(frozen=True)
class TrendLine:
    """One horizon of an outcome: its label and (day of the list, probability), oldest first."""

    label: str
    points: tuple[tuple[dt.date, float], ...]


def draw_trends(lines: Sequence[TrendLine], description: str) -> Markup:
    """Every horizon of one outcome over the lists, each line with its label at its end. Empty where no line has two
    points."""
    lines = [line for line in lines if len(line.points) > 1]
    if not lines:
        return Markup("")
    days = sorted({day for line in lines for day, _ in line.points})
    top = max(LEAST_TOP, max(risk for line in lines for _, risk in line.points)) * 1.1
    xs = dict(zip(days, _spread(days, LEFT, WIDTH - RIGHT), strict=True))
    ends = _apart([FLOOR - (FLOOR - CEILING) * line.points[-1][1] / top for line in lines])
    drawn = [_line(line, place, xs, top, end) for place, (line, end) in enumerate(zip(lines, ends, strict=True))]
    return Markup(
        "<svg class='drawing drawing--trend' viewBox='0 0 {w} {h}' role='img' "
        "aria-label='{text}' xmlns='http://www.w3.org/2000/svg'>"
        "{grid}{lines}"
        "<text x='{l}' y='{foot}' {font} font-size='13' fill='{ink}'>{first}</text>"
        "<text x='{r}' y='{foot}' {font} font-size='13' fill='{ink}' text-anchor='end'>{last}</text></svg>"
    ).format(
        w=WIDTH,
        h=HEIGHT,
        text=description,
        grid=_grid(top),
        lines=Markup("").join(drawn),
        l=LEFT,
        r=WIDTH - RIGHT,
        foot=HEIGHT - 14,
        font=Markup(FONT),
        ink=INK,
        first=short_day(days[0]),
        last=short_day(days[-1]),
    )


def _grid(top: float) -> Markup:
    """The base line and two round heights, with their numbers."""
    step = next(size for size in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5) if top / size <= 4.5)
    parts = []
    for count in range(int(top / step) + 1):
        y = FLOOR - (FLOOR - CEILING) * count * step / top
        parts.append(
            f"<line x1='{LEFT}' y1='{y:.1f}' x2='{WIDTH - RIGHT}' y2='{y:.1f}' stroke='{GRID}' "
            f"stroke-width='{1 if count else 1.5}'"
            f"{' stroke-dasharray=' + chr(39) + '1 4' + chr(39) if count else ''}/>"
            f"<text x='{LEFT - 8}' y='{y + 4:.1f}' {FONT} font-size='13' fill='{INK}' "
            f"text-anchor='end'>{count * step * 100:.0f} in 100</text>"
        )
    return Markup("".join(parts))


def _line(line: TrendLine, place: int, xs: dict[dt.date, float], top: float, end: float) -> Markup:
    at = [(xs[day], FLOOR - (FLOOR - CEILING) * risk / top) for day, risk in line.points]
    dash = DASHES[place % len(DASHES)]
    dots = "".join(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{BLUE}'/>" for x, y in at)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    drawn = (
        f"<polyline points='{path}' fill='none' stroke='{BLUE}' stroke-width='2.5'"
        f"{f' stroke-dasharray={chr(39)}{dash}{chr(39)}' if dash else ''}/>{dots}"
    )
    label = Markup("<text x='{}' y='{:.1f}' {} font-size='13' font-weight='bold' fill='{}'>{}</text>").format(
        WIDTH - RIGHT + 10, end + 4, Markup(FONT), INK, line.label
    )
    return Markup(drawn) + label


def _spread(days: Sequence[dt.date], left: float, right: float) -> list[float]:
    """Positions of days along a line by the calendar: a missed week is a wider step."""
    whole = (days[-1] - days[0]).days or 1
    return [left + (right - left) * (day - days[0]).days / whole for day in days]


def _apart(places: Sequence[float]) -> list[float]:
    """The places, each at least one label's height from the next, in their order."""
    found = list(places)
    for upper, lower in zip(order := sorted(range(len(found)), key=found.__getitem__), order[1:], strict=False):
        found[lower] = max(found[lower], found[upper] + LABEL_APART)
    return found


def _number(risk: float) -> str:
    return f"{risk * 100:.0f}" if risk >= 0.005 else "fewer than 1"
