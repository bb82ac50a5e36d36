"""The report as one self-contained page: numbers from ``evaluation.json``, wording from ``report.html``, pictures
inline. Nothing is loaded from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

_PAGE = Path(__file__).with_name("report.html")
JSON_NAME, PAGE_NAME = "evaluation.json", "evaluation.html"


def write(evaluation: Mapping[str, Any], folder: Path, pictures: Mapping[str, str] | None = None) -> None:
    """Writes ``evaluation.json`` and ``evaluation.html``. ``pictures`` are HTML by name
    (:func:`training.evaluation.plots.draw.as_html`)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(json.dumps(evaluation, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (folder / PAGE_NAME).write_text(render(evaluation, pictures or {}), encoding="utf-8")


def render(evaluation: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "plain": plain, "percent": percent, "words": words}
    page = environment.from_string(_PAGE.read_text(encoding="utf-8"))
    return page.render(it=evaluation, pictures=pictures, headline=headline(evaluation))


def headline(evaluation: Mapping[str, Any]) -> list[str]:
    """The pair that stands for each outcome: 90 days where there is one, else the shortest."""
    found: dict[str, str] = {}
    for name, pair in evaluation["pairs"].items():
        if pair["outcome"] not in found or pair["horizon"] == 90:
            found[pair["outcome"]] = name
    return list(found.values())


def figure(value: Mapping[str, float | None] | float | None, digits: int = 3) -> str:
    """A figure with its interval, or a dash where it is not defined."""
    if value is None:
        return "–"
    if not isinstance(value, Mapping):
        return f"{value:.{digits}f}"
    if value["value"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return f"{value['value']:.{digits}f}"
    return f"{value['value']:.{digits}f} ({value['low']:.{digits}f} to {value['high']:.{digits}f})"


def plain(value: Mapping[str, float | None] | float | None, digits: int = 2) -> str:
    """The figure alone."""
    found = value["value"] if isinstance(value, Mapping) else value
    return "–" if found is None else f"{found:.{digits}f}"


def percent(value: Mapping[str, float | None] | float | None, digits: int = 0) -> str:
    """A share as a percentage, with its interval where it has one."""
    if isinstance(value, Mapping):
        if value["value"] is None:
            return "–"
        middle = f"{100 * value['value']:.{digits}f}%"
        if value["low"] is None or value["high"] is None:
            return middle
        return f"{middle} ({100 * value['low']:.{digits}f} to {100 * value['high']:.{digits}f})"
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def words(name: str) -> str:
    return name.replace("_", " ")
