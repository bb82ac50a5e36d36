"""The report as one self-contained page: numbers from ``evaluation.json``, wording from ``report.html``, inline
pictures. It loads nothing from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import jinja2

from training.evaluation.schema.evaluation import Evaluation
from training.evaluation.schema.scores import Figure

_PAGE = Path(__file__).with_name("report.html")
JSON_NAME, PAGE_NAME = "evaluation.json", "evaluation.html"


def write(evaluation: Evaluation, folder: Path, pictures: Mapping[str, str] | None = None) -> None:
    """Writes ``evaluation.json`` and ``evaluation.html``. ``pictures`` are HTML by name
    (:func:`training.evaluation.plots.draw.as_html`)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(
        json.dumps(evaluation.as_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    (folder / PAGE_NAME).write_text(render(evaluation, pictures or {}), encoding="utf-8")


def render(evaluation: Evaluation, pictures: Mapping[str, str]) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "plain": plain, "percent": percent, "words": words}
    page = environment.from_string(_PAGE.read_text(encoding="utf-8"))
    return page.render(it=evaluation, pictures=pictures, headline=headline(evaluation))


def headline(evaluation: Evaluation) -> list[str]:
    """The headline pair of each outcome: 90 days if there is one, else the shortest."""
    found: dict[str, str] = {}
    for name, pair in evaluation.pairs.items():
        if pair.outcome not in found or pair.horizon == 90:
            found[pair.outcome] = name
    return list(found.values())


Shown = Figure | Mapping[str, float | None] | float | None


def figure(value: Shown, digits: int = 3) -> str:
    """A figure with its interval, or a dash if it is not defined."""
    found = _as_figure(value)
    if found.value is None:
        return "–"
    middle = f"{found.value:.{digits}f}"
    if found.low is None or found.high is None:
        return middle
    return f"{middle} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def plain(value: Shown, digits: int = 2) -> str:
    """The figure without its interval."""
    found = _as_figure(value).value
    return "–" if found is None else f"{found:.{digits}f}"


def percent(value: Shown, digits: int = 0) -> str:
    """A share as a percentage, with its interval if it has one."""
    found = _as_figure(value)
    if found.value is None:
        return "–"
    middle = f"{100 * found.value:.{digits}f}%"
    if found.low is None or found.high is None:
        return middle
    return f"{middle} ({100 * found.low:.{digits}f} to {100 * found.high:.{digits}f})"


def _as_figure(value: Shown) -> Figure:
    """A figure, from plain data (value, low, high) or a number without an interval."""
    if isinstance(value, Figure):
        return value
    if isinstance(value, Mapping):
        return Figure(value=value["value"], low=value.get("low"), high=value.get("high"))
    return Figure(value=value)


def words(name: str) -> str:
    return name.replace("_", " ")
