"""Colours, fonts and axes shared by all plots."""

from __future__ import annotations

from typing import Any

from training.evaluation.schema.pair import Pair

BLUE, ORANGE, GREEN, PURPLE, TEAL, GREY, PALE = (
    "#005eb8",
    "#c2410c",
    "#007f3b",
    "#7c2855",
    "#00838f",
    "#768692",
    "#d8dde0",
)
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "upstream",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
}


def title(pair: Pair) -> str:
    return f"{pair.outcome.capitalize()}, {pair.horizon} days"


def tidy(axes: Any) -> Any:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return axes
