"""Writes the packages of an image with the hash of each wheel: ``python -m docs.pins [--extra training] FILE``.

pip resolves what pyproject.toml asks for within constraints.txt, for the Python and the machine that it runs on (run it
with the Python of the image), and reports the SHA-256 of every wheel that it would install. The file names no index.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
OURS = "upstream"


def resolved(extras: list[str]) -> dict[str, Any]:
    """pip's report of what it would install."""
    wanted = f"{TOP}[{','.join(['postgres', *extras])}]"
    words = ["install", "--quiet", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--report", "-"]
    command = [sys.executable, "-m", "pip", *words, "--constraint", str(TOP / "constraints.txt"), wanted]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def pins(report: dict[str, Any]) -> str:
    """One ``name==version --hash=sha256:...`` for each package of a report but our own. Raises ``ValueError`` for one
    without a hash.
    """
    lines = []
    for one in report["install"]:
        name, version = one["metadata"]["name"], one["metadata"]["version"]
        if name == OURS:
            continue
        digest = one["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if not digest:
            raise ValueError(f"{name} {version} has no SHA-256: the index that pip uses gives none")
        lines.append(f"{name}=={version} --hash=sha256:{digest}")
    return "\n".join(["# Made by python -m docs.pins; do not edit.", *sorted(lines, key=str.lower), ""])


if __name__ == "__main__":
    *options, file = sys.argv[1:]
    Path(file).write_text(pins(resolved(options[1:])), encoding="utf-8")
