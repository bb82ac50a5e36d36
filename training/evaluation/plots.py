"""Pictures of an evaluation, drawn without a display: calibration, ROC-like gain at capacity, and what the model leans on. As SVG text and PNG files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.figure
import numpy as np

BLUE, ORANGE, GREY = "#005eb8", "#d5281b", "#768692"
_FIXED = {"svg.hashsalt": "upstream", "svg.fonttype": "path", "font.size": 9}


def draw(
    evaluation: Mapping[str, Any], importance: Mapping[str, Mapping[str, float]]
) -> dict[str, matplotlib.figure.Figure]:
    """Figures by title. ``importance`` is mean absolute contribution by outcome and concept."""
    with matplotlib.rc_context(_FIXED):
        figures = {f"Calibration: {name}": _calibration(pair) for name, pair in evaluation["pairs"].items()}
        figures["AUROC by who ranks"] = _contenders(evaluation)
        for outcome, concepts in importance.items():
            figures[f"What moves the risk of {outcome}"] = _importance(concepts)
        if evaluation["synthetic"]:
            for figure in figures.values():
                figure.text(0.99, 0.01, "synthetic data", ha="right", va="bottom", fontsize=7, color=ORANGE)
    return figures


def as_svg(figures: Mapping[str, matplotlib.figure.Figure]) -> dict[str, str]:
    """SVG texts by title, without a date in them: the same figures give the same text."""
    texts = {}
    with matplotlib.rc_context(_FIXED):
        for title, figure in figures.items():
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            texts[title] = buffer.getvalue()[buffer.getvalue().index("<svg") :]
    return texts


def save(figures: Mapping[str, matplotlib.figure.Figure], folder: Path) -> None:
    """One PNG a figure, named after its title: what the MLflow page shows."""
    folder.mkdir(parents=True, exist_ok=True)
    for title, figure in figures.items():
        figure.savefig(
            folder / f"{title.lower().replace(': ', '_').replace(' ', '_')}.png", dpi=110, metadata={"Software": None}
        )


def _axes(width: float, height: float) -> tuple[matplotlib.figure.Figure, Any]:
    figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _calibration(pair: Mapping[str, Any]) -> matplotlib.figure.Figure:
    figure, axes = _axes(3.6, 3.4)
    predicted = [point["predicted"] for point in pair["curve"]]
    observed = [point["observed"] for point in pair["curve"]]
    top = max([*predicted, *observed, 1e-3]) * 1.1
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=1)
    axes.plot(predicted, observed, color=BLUE, marker="o", markersize=4, linewidth=1)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="Mean predicted risk (tenths of the rows)", ylabel="Observed share")
    return figure


def _contenders(evaluation: Mapping[str, Any]) -> matplotlib.figure.Figure:
    figure, axes = _axes(7.2, 3.6)
    names = list(evaluation["pairs"])
    for row, name in enumerate(names):
        pair = evaluation["pairs"][name]
        for who, found in pair["contenders"].items():
            if who in ("model", "logistic") or found["auroc"]["value"] is None:
                continue
            axes.plot(found["auroc"]["value"], row, marker="|", color=GREY, markersize=9)
        model, logistic = pair["contenders"]["model"]["auroc"], pair["contenders"]["logistic"]["auroc"]
        if logistic["value"] is not None:
            axes.plot(
                logistic["value"],
                row,
                marker="x",
                color=ORANGE,
                linestyle="none",
                label="logistic" if not row else None,
            )
        if model["value"] is not None and model["low"] is not None:
            axes.plot([model["low"], model["high"]], [row, row], color=BLUE, linewidth=2)
            axes.plot(
                model["value"], row, marker="o", color=BLUE, linestyle="none", label="model, 95%" if not row else None
            )
        if pair["oracle"] and pair["oracle"]["oracle_auroc"]["value"] is not None:
            axes.plot(pair["oracle"]["oracle_auroc"]["value"], row, marker="*", color="#007f3b", markersize=10, linestyle="none", label="oracle" if not row else None)  # fmt: skip
    axes.plot([], [], marker="|", color=GREY, linestyle="none", label="simple rules")
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="AUROC on later, held-out time")
    axes.legend(frameon=False, loc="lower right", fontsize=7)
    return figure


def _importance(concepts: Mapping[str, float]) -> matplotlib.figure.Figure:
    figure, axes = _axes(5.2, 3.6)
    ranked = sorted(concepts.items(), key=lambda item: item[1])[-14:]
    axes.barh(np.arange(len(ranked)), [value for _, value in ranked], color=BLUE)
    axes.set_yticks(np.arange(len(ranked)), [name.replace("_", " ") for name, _ in ranked])
    axes.set(xlabel="Mean absolute contribution (calibrated log odds)")
    return figure
