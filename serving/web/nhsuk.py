"""Puts the NHS design system's style sheet where the pages find it: ``python -m serving.web.nhsuk <nhsuk-frontend folder>``.

The sheet asks a foreign server for its fonts. Those lines are cut: no page may make a third-party request, the pages use Arial, and the
licence of the font covers NHS use only.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TARGET = Path(__file__).parent / "static" / "nhsuk" / "nhsuk-frontend.min.css"
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
_FOREIGN = re.compile(r"url\(\s*[\"']?(?:https?:)?//", re.IGNORECASE)


def install(package: Path, target: Path = TARGET) -> Path:
    """Copy the style sheet out of an unpacked nhsuk-frontend npm package, without its foreign fonts."""
    source = package / "dist" / "nhsuk" / "nhsuk-frontend.min.css"
    if not source.is_file():
        raise FileNotFoundError(f"no dist/nhsuk/nhsuk-frontend.min.css in {package}; unpack nhsuk-frontend 10 there")
    text = _FONT_FACE.sub("", source.read_text(encoding="utf-8"))
    if _FOREIGN.search(text):
        raise ValueError("the style sheet still asks a foreign server for something; this version needs another look")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


if __name__ == "__main__":
    install(Path(sys.argv[1]))
