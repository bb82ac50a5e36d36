"""Plots of contributions: shap's own plots from our exact values, a beeswarm over rows and a waterfall of an average
listed person.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from training.evaluation.plots.attributions import Explained
from training.evaluation.plots.style import BLUE, tidy

ROWS, FEATURES = 600, 12


def figures(explained: Mapping[str, Explained]) -> dict[str, matplotlib.figure.Figure]:
    found = {}
    for outcome, one in explained.items():
        found[f"importance_{outcome}"] = _importance(one)
        found[f"beeswarm_{outcome}"] = _beeswarm(one)
        found[f"waterfall_{outcome}"] = _waterfall(one)
    return found


def _importance(one: Explained) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(5.6, 3.6))
    figure.subplots_adjust(left=0.28, right=0.97, top=0.95, bottom=0.14)
    axes = tidy(figure.add_subplot())
    ranked = sorted(one.importance().items(), key=lambda item: item[1])[-FEATURES:]
    axes.barh(range(len(ranked)), [size for _, size in ranked], color=BLUE)
    axes.set_yticks(range(len(ranked)), [name.replace("_", " ") for name, _ in ranked])
    axes.set(xlabel="Mean absolute contribution (log odds)")
    return figure


def _beeswarm(one: Explained) -> matplotlib.figure.Figure:
    import shap  # imported here because it takes three seconds

    rows = slice(None, None, max(1, len(one.values) // ROWS))
    moved = shap.Explanation(
        one.contributions[rows],
        data=np.asarray(one.values[rows], dtype=float),
        feature_names=[name.replace("_", " ") for name in one.names],
    )
    before, state = set(plt.get_fignums()), np.random.get_state()
    np.random.seed(
        0
    )  # shap jitters overlapping points with the global generator; the seed gives the same rows the same picture
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # shap's own warnings about matplotlib's colour maps and layout; nothing to act on
        shap.plots.beeswarm(moved, max_display=FEATURES, show=False, plot_size=(7.4, 4.2), color_bar_label="value")
    np.random.set_state(state)
    return _taken(before, "Contribution to the log odds")


def _waterfall(one: Explained) -> matplotlib.figure.Figure:
    import shap

    names, parts, base = one.of_the_highest()
    moved = shap.Explanation(parts, base_values=base, feature_names=[name.replace("_", " ") for name in names])
    before = set(plt.get_fignums())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shap.plots.waterfall(moved, max_display=10, show=False)
    return _taken(before, "")


def _taken(before: set[int], label: str) -> matplotlib.figure.Figure:
    """The figure that shap made, detached from pyplot."""
    number = next(iter(set(plt.get_fignums()) - before), plt.gcf().number)
    figure = plt.figure(number)
    if label:
        figure.axes[0].set_xlabel(label, fontsize=9)
    for axes in figure.axes:
        axes.tick_params(labelsize=8)
    figure.set_size_inches(7.4, 4.4)
    figure.tight_layout()
    plt.close(figure)
    return figure
