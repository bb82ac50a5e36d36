"""The table of dependencies' licences, from the metadata of the installed packages: ``python -m docs.licences``.

Packages that are not installed keep their line, so a small installation does not shorten the table.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences of the dependencies

Upstream is under the MIT licence ([LICENSE](../LICENSE)). It contains none of these packages; an installation fetches them. Made by `python -m docs.licences` from
the packages' own metadata and `constraints.txt`. *Direct* packages are named in `pyproject.toml`, with the reason for each.

| package | version | direct | licence |
|---|---|---|---|
"""
CLASSIFIER = "License :: OSI Approved :: "


def pinned() -> dict[str, str]:
    """Name and version of every package in ``constraints.txt``, in its order."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if re.match(r"[\w.-]+==", line))


def direct() -> set[str]:
    """Canonical names of the packages that ``pyproject.toml`` names."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return {canonical(name) for name in re.findall(r'^    "([\w.-]+)(?:\[[\w,]+\])?[^"]*",\s+#', text, re.M)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(name: str) -> str | None:
    """The licence a package states, in a few words; None where the package is not installed."""
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if "License-Expression" in found:
        return found["License-Expression"]
    named = [line.removeprefix(CLASSIFIER) for line in found.get_all("Classifier") or [] if line.startswith(CLASSIFIER)]
    stated = "\n".join(found.get_all("License") or []).strip().splitlines()
    if named:
        return ", ".join(named)
    if stated and len(stated[0]) < 60:
        return stated[0]
    files = [file for file in metadata.files(name) or [] if re.search(r"(?i)licen[cs]e", file.name)]
    text = files[0].read_text() if files else ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "not stated in its metadata")


def rows() -> dict[str, str]:
    """The table's lines by package name, kept from the page where a package is not installed."""
    kept = (
        dict(re.findall(r"^(?=\| ([\w.-]+) \|)(\|.*)$", PAGE.read_text(encoding="utf-8"), re.M))
        if PAGE.exists()
        else {}
    )
    ours, found = direct(), {}
    for name, version in pinned().items():
        stated = licence(name)
        if stated is not None:
            found[name] = f"| {name} | {version} | {'yes' if canonical(name) in ours else ''} | {stated} |"
        elif name in kept:
            found[name] = kept[name]
        else:
            found[name] = f"| {name} | {version} | {'yes' if canonical(name) in ours else ''} | not looked up |"
    return found


def page() -> str:
    return HEAD + "\n".join(rows().values()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
