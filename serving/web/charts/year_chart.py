"""The picture of a person's year: one lane per medicine, check and kind of contact, over months, with the day of the
list marked.

Inline SVG drawn on the server. What is missing is hatched and carries its days as a number, so the picture depends
neither on colour nor on sight: every event is in the tables below it.
"""

from __future__ import annotations

import datetime as dt
import textwrap

from markupsafe import Markup, escape

from serving.web.charts.bar_chart import BLUE, FONT, INK, PALE
from serving.web.charts.year_view import Checks, Span, Year, YearMedicine
from serving.wording import short_day

WIDTH, LEFT, RIGHT, TOP, LANE, FOOT = 1040, 226, 16, 54, 34, 30
RED = "#b3140c"
MOST_CHECKS, LABEL_LENGTH = 9, 30
HATCH = (
    "<defs><pattern id='missing' width='7' height='7' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
    f"<rect width='7' height='7' fill='#ffffff'/><line x1='0' y1='0' x2='0' y2='7' stroke='{RED}' "
    f"stroke-width='3'/></pattern></defs>"
)


def draw_year(year: Year, description: str) -> Markup:
    """The whole picture. ``description`` is its text alternative."""
    drawing = _Drawing(year)
    drawing.contacts()
    for medicine in year.medicines:
        drawing.medicine(medicine)
    for checks in year.checks[:MOST_CHECKS]:
        drawing.checks(checks)
    return drawing.whole(description)


class _Drawing:
    """The lanes drawn so far, from the top down."""

    def __init__(self, year: Year) -> None:
        self.year, self.y, self.parts = year, TOP, [""]
        self.scale = (WIDTH - LEFT - RIGHT) / (year.last - year.first).days

    def x(self, day: dt.date) -> float:
        """The position of a day; days outside the picture are put at its edge."""
        return LEFT + self.scale * (min(max(day, self.year.first), self.year.last) - self.year.first).days

    def inside(self, day: dt.date) -> bool:
        return self.year.first <= day <= self.year.last

    def lane(self, label: str, bold: bool = False) -> float:
        """Begin a lane with its label; the middle of it."""
        middle = self.y + LANE / 2
        lines = textwrap.wrap(label, LABEL_LENGTH)[:2]
        for i, line in enumerate(lines):
            y = middle + 5 + (i - (len(lines) - 1) / 2) * 15
            self.parts.append(
                f"<text x='{LEFT - 18}' y='{y:.1f}' {FONT} font-size='14' fill='{INK}' text-anchor='end'"
                f"{' font-weight=' + chr(39) + 'bold' + chr(39) if bold else ''}>{escape(line)}</text>"
            )
        self.parts.append(
            f"<line x1='{LEFT}' y1='{self.y + LANE}' x2='{WIDTH - RIGHT}' y2='{self.y + LANE}' stroke='{PALE}'/>"
        )
        self.y += LANE
        return middle

    def bar(self, span: Span, middle: float, height: float, fill: str, stroke: str = "none") -> None:
        start, end = self.x(span[0]), self.x(span[1])
        if span[1] > self.year.first and span[0] < self.year.last:
            self.parts.append(
                f"<rect x='{start:.1f}' y='{middle - height / 2:.1f}' width='{max(1.0, end - start):.1f}' "
                f"height='{height}' fill='{fill}' stroke='{stroke}'/>"
            )

    def missing(self, span: Span, middle: float, number: int) -> None:
        """A hatched stretch with its days on it."""
        self.bar(span, middle, 14, "url(#missing)", RED)
        start, end = self.x(span[0]), self.x(span[1])
        if end - start >= 9 * len(str(number)) + 6:
            self.parts.append(
                f"<text x='{(start + end) / 2:.1f}' y='{middle + 5:.1f}' {FONT} font-size='13' font-weight='bold' "
                f"fill='{RED}'"
                f" stroke='#ffffff' stroke-width='5' stroke-linejoin='round' paint-order='stroke' "
                f"text-anchor='middle'>{number}</text>"
            )

    def medicine(self, medicine: YearMedicine) -> None:
        middle = self.lane(medicine.name + (" (when needed)" if medicine.as_required else ""))
        for span in medicine.in_hand:
            self.bar(span, middle, 6 if medicine.injection or medicine.as_required else 14, "#8fbbe3")
        for gap in medicine.gaps:
            self.missing((gap.start, gap.end), middle, gap.outside)
        for day in medicine.supplied:
            if self.inside(day):
                self._supply(self.x(day), middle, medicine.injection)
        if medicine.due is not None and medicine.due >= self.year.as_of and self.inside(medicine.due):
            self._diamond(self.x(medicine.due), middle, "#ffffff")

    def _supply(self, x: float, middle: float, injection: bool) -> None:
        if injection:
            self._diamond(x, middle, BLUE)
        else:
            self.parts.append(
                f"<line x1='{x:.1f}' y1='{middle - 7}' x2='{x:.1f}' y2='{middle + 7}' stroke='{BLUE}' "
                f"stroke-width='2.5'/>"
            )

    def _diamond(self, x: float, y: float, fill: str) -> None:
        self.parts.append(
            f"<path d='M{x:.1f} {y - 7} l7 7 l-7 7 l-7 -7 z' fill='{fill}' stroke='{BLUE}' stroke-width='2'/>"
        )

    def checks(self, checks: Checks) -> None:
        middle = self.lane(checks.label)
        year = self.year
        if checks.overdue and checks.due is not None:
            self.missing((checks.due, year.as_of), middle, checks.overdue)
        elif checks.due is not None and self.inside(checks.due):
            self._square(self.x(checks.due), middle, "#ffffff")
        for day in checks.done:
            self._square(self.x(day), middle, BLUE)

    def _square(self, x: float, y: float, fill: str) -> None:
        self.parts.append(
            f"<rect x='{x - 5:.1f}' y='{y - 5:.1f}' width='10' height='10' fill='{fill}' stroke='{BLUE}' "
            f"stroke-width='2'/>"
        )

    def contacts(self) -> None:
        """Two lanes: who was seen and what is booked; and what was missed or cancelled."""
        seen, missed = self.lane("Seen, or booked"), self.lane("Missed or cancelled")
        for contact in self.year.record.contacts:
            if not self.inside(contact.on):
                continue
            x = self.x(contact.on)
            if contact.outcome == "attended":
                self._dot(x, seen, BLUE, 5 if contact.mode not in ("text", "email") else 3)
            elif contact.outcome == "planned":
                self._dot(x, seen, "#ffffff", 5)
            elif contact.outcome == "did_not_attend":
                self._cross(x, missed)
            else:
                self.parts.append(
                    f"<line x1='{x - 5:.1f}' y1='{missed}' x2='{x + 5:.1f}' y2='{missed}' stroke='{INK}' "
                    f"stroke-width='2.5'/>"
                )

    def _dot(self, x: float, y: float, fill: str, radius: int) -> None:
        self.parts.append(
            f"<circle cx='{x:.1f}' cy='{y}' r='{radius}' fill='{fill}' stroke='{BLUE}' stroke-width='2'/>"
        )

    def _cross(self, x: float, y: float) -> None:
        self.parts.append(
            f"<path d='M{x - 5:.1f} {y - 5} l10 10 m0 -10 l-10 10' fill='none' stroke='{RED}' stroke-width='2.5'/>"
        )

    def whole(self, description: str) -> Markup:
        height = self.y + FOOT
        return Markup(
            "<svg class='drawing drawing--year' viewBox='0 0 {w} {h}' role='img' "
            "aria-label='{text}' xmlns='http://www.w3.org/2000/svg'>{hatch}"
        ).format(w=WIDTH, h=height, text=description, hatch=Markup(HATCH)) + Markup(
            self._behind(height) + "".join(self.parts) + self._today(height) + "</svg>"
        )

    def _behind(self, height: float) -> str:
        """Months, and days in hospital from top to bottom."""
        parts = []
        for start, end in self.year.stays:
            if end <= self.year.first:
                continue
            left, right = self.x(start), self.x(end)
            parts.append(
                f"<rect x='{left:.1f}' y='{TOP - 6}' width='{max(2.0, right - left):.1f}' "
                f"height='{height - TOP - FOOT + 6}' fill='#ffe9b8'/>"
            )
            parts.append(
                f"<text x='{left:.1f}' y='{TOP - 10}' {FONT} font-size='13' font-weight='bold' "
                f"fill='{INK}'>Hospital</text>"
            )
        day = self.year.first.replace(day=1)
        while (day := (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)) <= self.year.last:
            x = self.x(day)
            parts.append(f"<line x1='{x:.1f}' y1='{TOP - 6}' x2='{x:.1f}' y2='{height - FOOT}' stroke='#d8dde0'/>")
            words = f"{day:%b %Y}" if day.month == 1 else f"{day:%b}"
            parts.append(f"<text x='{x + 3:.1f}' y='{height - 10}' {FONT} font-size='13' fill='{INK}'>{words}</text>")
        return "".join(parts)

    def _today(self, height: float) -> str:
        x = self.x(self.year.as_of)
        return (
            f"<line x1='{x:.1f}' y1='26' x2='{x:.1f}' y2='{height - FOOT}' stroke='{INK}' stroke-width='2'/>"
            f"<text x='{x - 6:.1f}' y='20' {FONT} font-size='13' font-weight='bold' fill='{INK}' "
            f"text-anchor='end'>this list, {short_day(self.year.as_of)}</text>"
            f"<text x='{x + 6:.1f}' y='20' {FONT} font-size='13' fill='{INK}'>ahead ▸</text>"
        )
