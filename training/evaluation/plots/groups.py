"""The forest plot: for every group, how many of its events the lists reach, and whether its risk is calibrated."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.figure

from training.evaluation.fairness.subgroups import EQUAL_CALIBRATION
from training.evaluation.plots.style import BLUE, GREY, ORANGE, tidy, title
from training.evaluation.schema.pair import Pair
from training.evaluation.schema.scores import ShownLevel


def forests(pairs: Mapping[str, Pair]) -> dict[str, matplotlib.figure.Figure]:
    """One figure for the middle horizon of each outcome, by which teams are listed."""
    found = {}
    for outcome in dict.fromkeys(pair.outcome for pair in pairs.values()):
        of = [pair for pair in pairs.values() if pair.outcome == outcome]
        found[f"groups_{outcome}"] = _forest(next((p for p in of if p.horizon == 90), of[0]))
    return found


def _forest(pair: Pair) -> matplotlib.figure.Figure:
    lines: list[tuple[str, ShownLevel | None]] = []
    for part in [pair.teams, *pair.groups]:
        shown = list(part.shown())
        hidden = len(part.levels) - len(shown)
        more = f"  ({hidden} of {len(part.levels)} suppressed)" if hidden else ""
        lines.append((f"{part.label}{more}", None))
        lines += [(f"   {level.level.replace('_', ' ')}", level) for level in shown]
    tall = 0.185 * len(lines) + 1.1
    figure = matplotlib.figure.Figure(figsize=(9.9, tall))
    figure.subplots_adjust(left=0.36, right=0.93, top=1 - 0.35 / tall, bottom=0.5 / tall, wspace=0.05)
    capture, ratio = figure.subplots(1, 2, sharey=True, width_ratios=[1.2, 1])
    overall = pair.model
    for axes, name, middle, label in (
        (capture, "captured_at_slots", overall.captured_at_slots.value, "Events captured at the slots"),
        (ratio, "observed_to_expected", 1.0, "Observed / expected"),
    ):
        tidy(axes)
        if middle is not None:
            axes.axvline(middle, color=GREY, linewidth=0.9, linestyle="--")
        for row, (_, level) in enumerate(lines):
            if level is None or getattr(level, name).value is None:
                continue
            enough = level.enough_events
            colour = BLUE if enough else GREY
            one = getattr(level, name)
            if one.low is not None:
                axes.plot([one.low, one.high], [row, row], color=colour, linewidth=1.2, alpha=0.8)
            axes.plot(
                one.value,
                row,
                marker="o",
                markerfacecolor=colour if enough else "white",
                color=colour,
                markersize=4,
            )
        axes.set_xlabel(label)
    ratio.axvspan(*EQUAL_CALIBRATION, color=ORANGE, alpha=0.08, linewidth=0)
    ratio.set_xlim(0, 3)
    capture.set_xlim(-0.02, 1.02)
    capture.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=7.5)
    for text, (_, level) in zip(capture.get_yticklabels(), lines, strict=True):
        text.set_fontweight("normal" if level else "bold")
        text.set_horizontalalignment("left")
    capture.tick_params(axis="y", length=0, pad=250)
    for row, (_, level) in enumerate(lines):
        if level is not None:
            ratio.text(
                1.01,
                row,
                f"{level.events} events",
                transform=ratio.get_yaxis_transform(),
                fontsize=7,
                va="center",
                color=GREY,
            )
    capture.set_ylim(len(lines) - 0.5, -0.8)
    figure.suptitle(
        f"{title(pair)}: by group (hollow: fewer events than judge a group; shaded: 0.8 to 1.25)",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    return figure
