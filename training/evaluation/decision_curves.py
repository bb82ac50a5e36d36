"""Decision curves: net benefit of acting at a risk, compared with reviewing everybody, nobody, or by the best
simple rule (Vickers and Elkin 2006).

Net benefit at threshold t is events reviewed less (t / (1 - t)) times non-events reviewed, per row; 1 / t is the
number of reviews that one would do to find one event. A rule gives no probability. Its score becomes one from the
outcomes of people with a similar rank in an earlier slice or, if there is none, in these rows (which flatters the
rule, never the model). ``dcurves`` is the outside check (tests).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats

HEADLINE = (0.05, 0.10)
"""One event in twenty and in ten reviews: the two thresholds that the report puts in words (docs/methods.md section
5).
"""


def thresholds(prevalence: float, points: int = 30) -> Floats:
    """Thresholds from a fifth of the prevalence up to lists of mostly events, evenly on the log scale, including the
    two headline thresholds.
    """
    low, high = max(0.002, prevalence / 5), min(0.5, max(0.2, prevalence * 5))
    return np.unique(np.concatenate([np.geomspace(low, high, points), HEADLINE]))


def as_probability(rule: Floats, label: Floats, each: Floats | None = None) -> Floats:
    """A rule's score as a risk: the best non-decreasing function of it on these rows. ``each`` says how many rows each
    row stands for."""
    return IsotonicRegression(y_min=0, y_max=1, increasing=True).fit(rule, label, sample_weight=each).predict(rule)


def curves(scored: Mapping[str, Scored], draws: Draws) -> dict[str, Any]:
    """Net benefit of each of ``scored`` (probabilities) and of treating all (treating none is worth 0), with
    intervals, and the model's lead at each threshold.
    """
    label = next(iter(scored.values())).label
    at = thresholds(float(draws.ratio(label)[0]) if len(label) else 0.0)
    everybody = Scored(label, np.ones(len(label)))
    found = {who: [one.net_benefit(draws, t) for t in at] for who, one in {**scored, "treat_all": everybody}.items()}
    out: dict[str, Any] = {
        "thresholds": [round(float(t), 6) for t in at],
        "net_benefit": {who: [Estimate.of(v).as_dict() for v in values] for who, values in found.items()},
    }
    model = found.get("model")
    if model is not None:
        others = [who for who in found if who != "model"]
        lead = [
            Estimate.of(model[n] - np.maximum(0, np.max([found[who][n] for who in others], axis=0)))
            for n in range(len(at))
        ]
        out["model_over_best_alternative"] = [one.as_dict() for one in lead]
        useful = [t for t, one in zip(at, lead, strict=True) if one.value > 0]
        out["model_best_between"] = [round(float(useful[0]), 4), round(float(useful[-1]), 4)] if useful else None
    return out
