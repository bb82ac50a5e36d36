"""Puts Swagger UI where ``/docs`` finds it: ``python -m serving.web.interface.assets <swagger-ui-dist folder>``.

The script runs in a page that may hold a token, so it is the one file that was looked at, or none. The style sheet
carries its pictures as ``data:`` addresses, which our content security policy refuses: each becomes a file beside it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes

FOLDER = Path(__file__).parents[1] / "static" / "swagger"
STYLE, SCRIPT = "swagger-ui.css", "swagger-ui-bundle.js"
SCRIPT_SHA256 = "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2"
"""Of swagger-ui-dist 5.35.0."""
_PICTURE = re.compile(r"url\((\"?)data:image/(svg\+xml|png|jpeg)([^,]*),((?:\\.|(?!\1\))[^\\])*)\1\)", re.DOTALL)
_FOREIGN = re.compile(r"url\(\s*[\"']?(?:https?:|data:|//)", re.IGNORECASE)
_SOURCE_MAP = re.compile(r"/\*# sourceMappingURL=[^*]*\*/")


def install(package: Path, folder: Path = FOLDER, script_sha256: str = SCRIPT_SHA256) -> None:
    """Copy the script byte for byte and the style sheet with its pictures out of an unpacked swagger-ui-dist."""
    pictures: dict[str, bytes] = {}

    def as_file(found: re.Match[str]) -> str:
        _, kind, parameters, written = found.groups()
        text = re.sub(r"\\(.)", r"\1", written)
        picture = base64.b64decode(text) if parameters.endswith("base64") else unquote_to_bytes(text)
        name = f"{hashlib.sha256(picture).hexdigest()[:12]}.{kind.partition('+')[0]}"
        pictures[name] = picture
        return f"url({name})"

    style = _SOURCE_MAP.sub("", _PICTURE.sub(as_file, _read(package, STYLE).decode("utf-8")))
    if _FOREIGN.search(style):
        raise ValueError("the style sheet still asks another address for something; this version needs another look")
    script = _read(package, SCRIPT)
    found = hashlib.sha256(script).hexdigest()
    if found != script_sha256:
        raise ValueError(
            f"the script's SHA-256 is {found}, not {script_sha256}; look at it before its hash is put here"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {STYLE: style.encode(), SCRIPT: script, **pictures}.items():
        (folder / name).write_bytes(content)


def are_installed(folder: Path = FOLDER) -> bool:
    return all((folder / name).is_file() for name in (STYLE, SCRIPT))


def _read(package: Path, name: str) -> bytes:
    if not (package / name).is_file():
        raise FileNotFoundError(f"no {name} in {package}; unpack swagger-ui-dist 5 there")
    return (package / name).read_bytes()


if __name__ == "__main__":
    install(Path(sys.argv[1]))
