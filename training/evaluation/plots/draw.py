"""Plots of an evaluation, one per question: small multiples over outcomes and horizons, in one style, as HTML and as
PNG files. Drawn without a display.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.dates
import matplotlib.figure
import matplotlib.ticker
import numpy as np

from training.evaluation.plots import explained as explained_plots
from training.evaluation.plots import groups, incidence
from training.evaluation.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, STYLE, TEAL, tidy, title
from training.evaluation.schema.evaluation import Evaluation
from training.evaluation.schema.pair import Pair
from training.evaluation.schema.scores import Figure

Figures = dict[str, matplotlib.figure.Figure]


def draw(evaluation: Evaluation, explained: Mapping[str, Any] | None = None) -> Figures:
    """Figures by name. ``explained`` (:mod:`training.evaluation.plots.attributions`) adds plots of contributions."""
    pairs = evaluation.pairs
    with matplotlib.rc_context(STYLE):
        figures = {"contenders": _contenders(pairs), "calibration": _panels(pairs, _calibration, 3.0)}
        figures["decision_curves"] = _panels(pairs, _decision, 2.7)
        if all(one.capacity for one in pairs.values()):
            figures["capacity"] = _panels(pairs, _capacity, 2.7)
            figures["lead_time"] = _panels(pairs, _lead, 2.7)
        if all(one.stability for one in pairs.values()):
            figures["stability"] = _panels(pairs, _stability, 2.7)
        if all(one.calibration_over_time is not None for one in pairs.values()):
            figures["calibration_over_time"] = _panels(pairs, _over_time, 2.4)
        figures |= incidence.stacked(pairs)
        figures |= groups.forests(pairs)
        if explained:
            figures |= explained_plots.figures(explained)
        if evaluation.synthetic:
            for figure in figures.values():
                figure.text(0.998, 0.998, "synthetic data", ha="right", va="top", fontsize=7, color=ORANGE)
    return figures


def as_html(figures: Figures) -> dict[str, str]:
    """HTML for each figure of the page: SVG text, or a PNG if thousands of points would make it large. It holds no
    date, so the same figures give the same text.
    """
    texts = {}
    with matplotlib.rc_context(STYLE):
        for name, figure in figures.items():
            buffer = io.BytesIO()
            if name.startswith("beeswarm"):
                figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
                texts[name] = f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
            else:
                figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
                text = buffer.getvalue().decode()
                texts[name] = text[text.index("<svg") :]
    return texts


def save(pictures: Mapping[str, str], folder: Path) -> None:
    """Saves the same plots as files, SVG or PNG, for the MLflow page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pictures.items():
        if text.startswith("<svg"):
            (folder / f"{name}.svg").write_text(text, encoding="utf-8")
        else:
            (folder / f"{name}.png").write_bytes(base64.b64decode(text.partition("base64,")[2].rstrip('">')))


def _panels(
    pairs: Mapping[str, Pair], draw_one: Callable[[Any, Pair], None], height: float
) -> matplotlib.figure.Figure:
    """One panel per outcome and horizon: one row per outcome, with one legend above for all."""
    outcomes = list(dict.fromkeys(pair.outcome for pair in pairs.values()))
    of = {o: [pair for pair in pairs.values() if pair.outcome == o] for o in outcomes}
    across = max(len(found) for found in of.values())
    tall = height * len(outcomes) + 0.4
    figure = matplotlib.figure.Figure(figsize=(3.3 * across, tall))
    # Margins are set by hand: they are the same for every panel, and matplotlib's own layout would take longer than
    # the drawing.
    figure.subplots_adjust(left=0.065, right=0.99, top=1 - 0.6 / tall, bottom=0.55 / tall, hspace=0.5, wspace=0.3)
    grid = figure.subplots(len(outcomes), across, squeeze=False)
    for row, outcome in enumerate(outcomes):
        for column in range(across):
            axes = tidy(grid[row][column])
            if column >= len(of[outcome]):
                axes.set_axis_off()
                continue
            draw_one(axes, of[outcome][column])
            axes.set_title(title(of[outcome][column]), loc="left")
    handles: dict[str, Any] = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="upper left",
        ncols=min(6, max(1, len(handles))),
        frameon=False,
        fontsize=8,
    )
    return figure


def _band(axes: Any, x: Any, points: Sequence[Figure], colour: str, label: str, **line: Any) -> None:
    """A line through the values with its 95% band."""
    value, low, high = (
        np.array([np.nan if one is None else one for one in column], dtype=float)
        for column in zip(*((p.value, p.low, p.high) for p in points), strict=True)
    )
    axes.plot(x, value, color=colour, label=label, **{"linewidth": 1.6, **line})
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _calibration(axes: Any, pair: Pair) -> None:
    curve, listed = pair.curve, pair.listed
    x = [point.predicted for point in curve]
    points = [Figure(value=p.observed, low=p.observed_low, high=p.observed_high) for p in curve]
    top = max([*x, *(p.high or 0 for p in points), listed.observed.high or 0, listed.observed.value or 0, 1e-3]) * 1.05
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=1, label="perfect")
    _band(axes, x, points, BLUE, "all scored rows, 95%")
    observed = listed.observed
    if observed.value is not None and observed.low is not None and observed.high is not None:
        x_listed, label = listed.mean_predicted.value, "those who made a list"
        # Ordered here: the interval of a few draws need not contain the value.
        middle, reach = (observed.low + observed.high) / 2, (observed.high - observed.low) / 2
        axes.errorbar(x_listed, middle, yerr=reach, color=ORANGE, capsize=3, linestyle="none")
        axes.plot(x_listed, observed.value, color=ORANGE, marker="o", markersize=5, linestyle="none", label=label)
    for row, (who, colour) in enumerate((("event", ORANGE), ("none", GREY))):
        spread = getattr(pair.risk_distribution, who)
        if spread:
            y = top * (-0.07 - 0.06 * row)
            axes.plot([spread[0], min(spread[4], top)], [y, y], color=colour, linewidth=1, clip_on=False)
            axes.plot(
                [spread[1], min(spread[3], top)],
                [y, y],
                color=colour,
                linewidth=4,
                clip_on=False,
                solid_capstyle="butt",
                label=f"risks of rows with {'an event' if who == 'event' else 'none'}",
            )
    axes.set(xlim=(0, top), ylim=(-0.16 * top, top), xlabel="Predicted risk", ylabel="Observed share")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])


def _decision(axes: Any, pair: Pair) -> None:
    found, x = pair.decision_curve, np.array(pair.decision_curve.thresholds)
    names = {
        "logistic": (PURPLE, "logistic regression"),
        "boosting": (GREEN, "explainable boosting"),
        "survival": (TEAL, "proportional hazards"),
        "treat_all": (GREY, "review everybody"),
    }
    for who, points in found.net_benefit.items():
        if who == "model":
            continue
        colour, label = names.get(who, (ORANGE, "best simple rule"))
        axes.plot(
            x,
            [p.value for p in points],
            color=colour,
            linewidth=1.1,
            label=label,
            linestyle=":" if who == "treat_all" else "-",
        )
    _band(axes, x, found.net_benefit["model"], BLUE, "model, 95%")
    again = pair.stability.net_benefit if pair.stability else None
    if again is not None:
        label = "nine in ten refits" if again.percentiles else "lowest to highest refit"
        axes.fill_between(again.thresholds, again.low, again.high, color=GREY, alpha=0.3, linewidth=0, label=label)
    axes.axhline(0, color="black", linewidth=0.8, label="review nobody")
    top = max([p.high or 0 for p in found.net_benefit["model"]] + [1e-4])
    axes.set(xscale="log", ylim=(-0.2 * top, top * 1.05), xlabel="Risk at which one would review", ylabel="Net benefit")
    ticks = [t for t in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4) if x[0] <= t <= x[-1]]
    axes.set_xticks(ticks, [f"1 in {round(1 / t)}" for t in ticks], rotation=30)
    axes.minorticks_off()


def _capacity(axes: Any, pair: Pair) -> None:
    assert pair.capacity is not None
    slots = pair.capacity.slots
    x = [int(n) for n in slots]
    of = {who: [found.contenders[who].captured_with_cool_off for found in slots.values()] for who in pair.contenders}
    if "random" in of:
        axes.plot(x, [p.value for p in of["random"]], color=GREY, linestyle=":", label="random list")
    axes.plot(
        x,
        [found.contenders[found.best_rule].captured_with_cool_off.value for found in slots.values()],
        color=ORANGE,
        marker="s",
        markersize=3.5,
        linewidth=1.1,
        label="best simple rule at those slots",
    )
    _band(axes, x, of["model"], BLUE, "model, 95%", marker="o", markersize=4)
    axes.set(ylim=(0, 1.02), xlabel="Reviews per team per week", ylabel="Events reached before")
    axes.set_xticks(x)


def _lead(axes: Any, pair: Pair) -> None:
    assert pair.capacity is not None
    for shade, (slots, found) in zip((0.35, 0.55, 0.75, 1.0), pair.capacity.slots.items(), strict=False):
        points = [p for p in found.as_listed.flagged_at_least if p[0] <= pair.horizon]
        if points:
            axes.plot(
                [d for d, _ in points],
                [v for _, v in points],
                color=BLUE,
                alpha=shade,
                marker=".",
                markersize=4,
                linewidth=1.3,
                label=f"{slots} slots",
            )
    axes.axvline(7, color=ORANGE, linewidth=1, linestyle="--", label="a week before")
    axes.set(
        ylim=(0, 1.02),
        xlim=(0, pair.horizon),
        xlabel="Listed at least so many days before",
        ylabel="Share of events",
    )


def _stability(axes: Any, pair: Pair) -> None:
    assert pair.stability is not None
    curve = pair.stability.curve
    if not curve:
        return
    x = [p.risk for p in curve]
    top = max([p.high for p in curve] + x + [1e-3]) * 1.05
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=1, label="the same risk")
    axes.fill_between(
        x,
        [p.low for p in curve],
        [p.high for p in curve],
        color=BLUE,
        alpha=0.2,
        linewidth=0,
        label="nine in ten refitted risks",
    )
    axes.plot(x, [p.middle for p in curve], color=BLUE, linewidth=1.5, label="middle of the refits")
    jaccard = pair.stability.median_jaccard_top25.value
    axes.text(
        0.04,
        0.95,
        f"top 25 shared: {jaccard:.2f}" if jaccard is not None else "",
        transform=axes.transAxes,
        va="top",
        fontsize=8,
    )
    axes.set(xlim=(0, max(x) * 1.02), ylim=(0, top), xlabel="Risk by the model", ylabel="Risk by refits")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))


def _over_time(axes: Any, pair: Pair) -> None:
    rows = [row for row in pair.calibration_over_time or () if row.so_far]
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1)
    if rows:
        days = np.array([np.datetime64(row.as_of) for row in rows])
        _band(axes, days, [row.so_far for row in rows if row.so_far], BLUE, "since the first landmark, 95%")
        alone = [
            (d, row.observed_to_expected.value) for d, row in zip(days, rows, strict=True) if row.observed_to_expected
        ]
        axes.plot(
            [d for d, _ in alone],
            [v for _, v in alone],
            color=ORANGE,
            marker="o",
            markersize=3.5,
            linestyle="none",
            label="each landmark",
        )
    axes.set(ylim=(0, 2.5), ylabel="Observed / expected")
    axes.xaxis.set_major_locator(matplotlib.dates.AutoDateLocator(maxticks=5))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%b %Y"))  # type: ignore[no-untyped-call]


def _contenders(pairs: Mapping[str, Pair]) -> matplotlib.figure.Figure:
    tall = 0.62 * len(pairs) + 1.3
    figure = matplotlib.figure.Figure(figsize=(9.9, tall))
    figure.subplots_adjust(left=0.16, right=0.99, top=1 - 0.35 / tall, bottom=0.55 / tall, wspace=0.06)
    grid = figure.subplots(1, 2, sharey=True)
    for axes, (figure_name, label) in zip(
        grid,
        (("auroc", "AUROC (0.5 is chance)"), ("captured_at_slots", "Events captured at each team's own slots")),
        strict=True,
    ):
        tidy(axes)
        for row, pair in enumerate(pairs.values()):
            for who, found in pair.contenders.items():
                value = getattr(found, figure_name).value
                if value is None or who == "model":
                    continue
                marker, colour, size = {
                    "logistic": ("x", PURPLE, 6),
                    "boosting": ("D", GREEN, 4.5),
                    "survival": ("^", TEAL, 5),
                }.get(who, ("|", GREY, 11))
                axes.plot(value, row + 0.12, marker=marker, color=colour, markersize=size, linestyle="none")
            one = getattr(pair.model, figure_name)
            if one.value is not None and one.low is not None:
                axes.plot([one.low, one.high], [row - 0.12] * 2, color=BLUE, linewidth=2.5)
                axes.plot(one.value, row - 0.12, marker="o", color=BLUE, markersize=6)
            if figure_name == "auroc" and pair.oracle and pair.oracle.oracle_auroc.value is not None:
                axes.plot(
                    pair.oracle.oracle_auroc.value,
                    row - 0.12,
                    marker="*",
                    color="#b58900",
                    markersize=11,
                    linestyle="none",
                )
        axes.set_xlabel(label)
    grid[0].set_yticks(range(len(pairs)), [title(pair) for pair in pairs.values()])
    grid[0].set_ylim(len(pairs) - 0.5, -0.6)
    grid[0].axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    for marker, colour, label in (
        ("o", BLUE, "model, 95%"),
        ("x", PURPLE, "logistic regression"),
        ("D", GREEN, "explainable boosting"),
        ("^", TEAL, "proportional hazards"),
        ("|", GREY, "simple rules"),
        ("*", "#b58900", "oracle (knows the truth)"),
    ):
        grid[0].plot([], [], marker=marker, color=colour, linestyle="none", label=label)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="upper left", ncols=6, frameon=False, fontsize=8)
    return figure
