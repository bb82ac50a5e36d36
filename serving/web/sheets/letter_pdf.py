"""The letter as a PDF: embedded fonts, one column, A4. Characters missing from the font
are reported, never left out silently."""

from __future__ import annotations

import io
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from serving.web.sheets.letter import Letter

MISSING = "?"
FONT, BOLD = "Vera", "VeraBd"
NOT_DRAWN = "Some letters cannot be drawn in this PDF and stand as a question mark. The letter as a text has them."


def letter_pdf(letter: Letter) -> bytes:
    """The bytes of the PDF. Its file properties name nobody."""
    # Read when a letter is asked for: it is not needed to serve a list.
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    _fonts()
    body = ParagraphStyle("body", fontName=FONT, fontSize=10, leading=14, spaceAfter=2)
    bullet = ParagraphStyle("bullet", parent=body, leftIndent=12, bulletIndent=2)
    heading = ParagraphStyle("heading", parent=body, fontName=BOLD, fontSize=11.5, leading=15, spaceBefore=8)
    title = ParagraphStyle("title", parent=heading, fontSize=15, leading=19, spaceBefore=0, spaceAfter=6)
    flow: list[Any] = [Paragraph(drawn(letter.title), title)]
    flow += [Paragraph(drawn(line), body) for line in letter.about]
    flow += [Spacer(1, 3 * mm), Paragraph(drawn(letter.opening), body)]
    for part in letter.parts:
        flow.append(Paragraph(drawn(part.heading), heading))
        flow += [Paragraph(drawn(line), bullet, bulletText="–") for line in part.lines]
    flow += [Spacer(1, 4 * mm), Paragraph(drawn(letter.closing), body)]
    if _undrawn(letter.text()):
        flow += [Spacer(1, 2 * mm), Paragraph(drawn(NOT_DRAWN), body)]
    out = io.BytesIO()
    margin = 20 * mm
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title=letter.title,
        author="Upstream",
        subject="",
        lang="en-GB",
        invariant=1,
    )
    document.build(flow)
    return out.getvalue()


def drawn(text: str) -> str:
    """The text as the page draws it: marked-up characters escaped, and those without a glyph as a question mark."""
    missing = _undrawn(text)
    return escape("".join(MISSING if sign in missing else sign for sign in text))


def _undrawn(text: str) -> set[str]:
    known = _fonts()
    return {sign for sign in text if sign != "\n" and ord(sign) not in known}


@cache
def _fonts() -> frozenset[int]:
    """Registers the fonts that come with the library; the characters that both of them draw."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = []
    for name in (FONT, BOLD):
        font = TTFont(name, f"{name}.ttf")
        pdfmetrics.registerFont(font)
        found.append(frozenset(font.face.charToGlyph))
    return found[0] & found[1]
