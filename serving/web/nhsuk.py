"""Puts the NHS design system's style sheet and script where the pages find them: ``python -m serving.web.nhsuk
<nhsuk-frontend folder>``.

The sheet asks a foreign server for its fonts. Those lines are removed: no page may make a third-party request, the
pages use Arial, and the licence of the font covers NHS use only. The script runs in a page that shows people, so it
is the one file that was looked at, or none.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "static" / "nhsuk"
STYLE, SCRIPT = "nhsuk-frontend.min.css", "nhsuk-frontend.min.js"
SCRIPT_SHA256 = "6becb5e390e9734b62f8aa81d0dc297fa78c33367986a1f57a832a5f3635fa65"
"""Of nhsuk-frontend 10.6.1. It asks no server for anything and holds no ``eval``."""
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
_FOREIGN = re.compile(r"url\(\s*[\"']?(?:https?:)?//", re.IGNORECASE)


def install(package: Path, folder: Path = FOLDER, script_sha256: str = SCRIPT_SHA256) -> None:
    """Copy both out of an unpacked nhsuk-frontend npm package: the style sheet without its foreign fonts, the script
    byte for byte."""
    style = _FONT_FACE.sub("", _read(package, STYLE).decode("utf-8"))
    if _FOREIGN.search(style):
        raise ValueError("the style sheet still asks a foreign server for something; this version needs another look")
    script = _read(package, SCRIPT)
    found = hashlib.sha256(script).hexdigest()
    if found != script_sha256:
        raise ValueError(
            f"the script's SHA-256 is {found}, not {script_sha256}; look at it before its hash is put here"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STYLE).write_text(style, encoding="utf-8")
    (folder / SCRIPT).write_bytes(script)


def _read(package: Path, name: str) -> bytes:
    source = package / "dist" / "nhsuk" / name
    if not source.is_file():
        raise FileNotFoundError(f"no dist/nhsuk/{name} in {package}; unpack nhsuk-frontend 10 there")
    return source.read_bytes()


if __name__ == "__main__":
    install(Path(sys.argv[1]))
