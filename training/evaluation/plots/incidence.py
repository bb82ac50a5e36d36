"""What came first by day, stacked, with the model's mean risk at each horizon; and the same in fifths of risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from training.evaluation.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, tidy
from training.evaluation.schema.competing import IncidenceCurve, IncidenceFifth
from training.evaluation.schema.pair import Pair
from training.evaluation.schema.scores import Figure

COLOURS = {"event": ORANGE, "died": GREY, "left": GREEN, "under_way": PURPLE}
WORDS = {"died": "died first", "left": "left first", "under_way": "already under way"}


def stacked(pairs: Mapping[str, Pair]) -> dict[str, matplotlib.figure.Figure]:
    """One figure an outcome, by ``incidence_OUTCOME``; none for an outcome without its curve."""
    figures = {}
    for outcome in dict.fromkeys(pair.outcome for pair in pairs.values()):
        own = [pair for pair in pairs.values() if pair.outcome == outcome and pair.cumulative_incidence]
        whole = [pair for pair in own if pair.cumulative_incidence and pair.cumulative_incidence.curve]
        if whole:
            figures[f"incidence_{outcome}"] = _figure(own, whole[-1])
    return figures


def _figure(pairs: Sequence[Pair], longest: Pair) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(9.9, 3.5))
    figure.subplots_adjust(left=0.08, right=0.98, top=0.78, bottom=0.15, wspace=0.25)
    curves, fifths = figure.subplots(1, 2, width_ratios=(1.6, 1))
    found = longest.cumulative_incidence
    assert found is not None and found.curve is not None
    _curves(tidy(curves), found.curve, pairs)
    curves.set_title(f"{longest.outcome.capitalize()}: what came first", loc="left")
    _fifths(tidy(fifths), found.fifths or [])
    fifths.set_title(f"Fifths of risk, {longest.horizon} days", loc="left")
    handles: dict[str, Any] = {}
    for axes in (curves, fifths):
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="upper left", ncols=4, frameon=False, fontsize=8)
    return figure


def _curves(axes: Any, curve: IncidenceCurve, pairs: Sequence[Pair]) -> None:
    below = np.zeros(len(curve.days))
    words = {"event": f"{pairs[0].outcome} first", **WORDS}
    for cause, colour in COLOURS.items():
        shares = np.array([np.nan if share is None else share for share in getattr(curve, cause)], dtype=float)
        if not np.nansum(shares):
            continue
        axes.fill_between(curve.days, below, below + shares, color=colour, alpha=0.55, linewidth=0, label=words[cause])
        below = below + shares
    figures = [(pair.horizon, pair.cumulative_incidence) for pair in pairs if pair.cumulative_incidence]
    stayed = [(day, one.of_those_who_stayed.value) for day, one in figures]
    risks = [(day, one.mean_risk.value) for day, one in figures]
    axes.plot(
        *_known(stayed), marker="o", markersize=8, color="black", markerfacecolor="none", linestyle="none",
        label="share of those who stayed",
    )  # fmt: skip
    axes.plot(*_known(risks), marker="o", markersize=4.5, color=BLUE, linestyle="none", label="model's mean risk")
    highest = max([np.nanmax(below, initial=1e-4), *(y for _, y in [*stayed, *risks] if y is not None)])
    axes.set(xlim=(0, curve.days[-1] * 1.02), ylim=(0, highest * 1.1), xlabel="Days after scoring")
    axes.set_ylabel("Share of those scored")
    axes.set_xticks([0, *(pair.horizon for pair in pairs)])


def _fifths(axes: Any, fifths: Sequence[IncidenceFifth]) -> None:
    known = [one for one in fifths if one.mean_risk.value is not None and one.event.value is not None]
    x = [one.mean_risk.value for one in known]
    _bars(axes, x, [one.event for one in known])
    axes.plot(x, [one.event.value for one in known], marker="s", markersize=4, color=ORANGE, linestyle="none",
              label="event first, 95%")  # fmt: skip
    stayed = [(one.mean_risk.value, one.of_those_who_stayed.value) for one in known]
    axes.plot(*_known(stayed), marker="o", markersize=8, color="black", markerfacecolor="none", linestyle="none",
              label="share of those who stayed")  # fmt: skip
    top = max([1e-3, *(y for one in known for y in (one.event.high, one.mean_risk.value, one.of_those_who_stayed.value)
                       if y is not None)]) * 1.08  # fmt: skip
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=1, label="perfect")
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="Model's mean risk", ylabel="Observed share")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(4))


def _bars(axes: Any, x: Sequence[float | None], points: Sequence[Figure]) -> None:
    """Intervals, drawn apart from the values: the interval of a few draws need not hold its value."""
    for place, point in zip(x, points, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot([place, place], [point.low, point.high], color=ORANGE, linewidth=1.2)


def _known(points: Sequence[tuple[float | None, float | None]]) -> tuple[list[float], list[float]]:
    kept = [(x, y) for x, y in points if x is not None and y is not None]
    return [x for x, _ in kept], [y for _, y in kept]
