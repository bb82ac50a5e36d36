"""Whether there is enough data: Riley's criteria for a binary outcome, and the interval widths that a validation
should reach.

Criteria of Riley 2019 (Statistics in Medicine 38:1276) as ``pmsampsize`` computes them: (1) shrinkage of at least 0.9,
(2) optimism of at most 0.05 in Nagelkerke's R squared, (3) the overall risk to within 0.05. They are about regression
parameters and one row per person. Boosting needs more (over 200 events per candidate variable, van der Ploeg 2014),
so for a small trust the report says what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import norm

from training.evaluation.schema.pair import Width
from training.evaluation.schema.scores import Figure

SHRINKAGE = 0.9
OPTIMISM = 0.05
MARGIN = 0.05
BOOSTING_EVENTS = 200
WIDTHS = {"calibration_slope": 0.2, "observed_to_expected": 0.2, "auroc": 0.1}
"""The widest intervals that a validation should leave (defaults of ``pmvalsampsize``)."""


def cox_snell(auroc: float, prevalence: float) -> float:
    """Cox and Snell's R squared of a model with this AUROC, if log odds are normal with equal spread in events and
    non-events.
    """
    apart = math.sqrt(2) * norm.ppf(auroc)
    x = np.linspace(-9, 9 + apart, 20_001)
    step = x[1] - x[0]
    logit = math.log(prevalence / (1 - prevalence)) + apart * x - apart**2 / 2
    event, none = norm.pdf(x - apart), norm.pdf(x)
    gained = prevalence * (event * -np.logaddexp(0, -logit)).sum() * step
    gained += (1 - prevalence) * (none * -np.logaddexp(0, logit)).sum() * step
    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    return 1 - math.exp(-2 * (gained - null))


def needed(parameters: int, prevalence: float, auroc: float) -> dict[str, Any]:
    """People (one row each) that each criterion requires, the largest of them, and the events among those."""
    r2 = cox_snell(auroc, prevalence)
    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    highest = 1 - math.exp(2 * null)

    def for_shrinkage(shrinkage: float) -> int:
        return math.ceil(parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage)))

    by_shrinkage = for_shrinkage(SHRINKAGE)
    by_optimism = for_shrinkage(r2 / (r2 + OPTIMISM * highest))
    by_overall = math.ceil((1.96 / MARGIN) ** 2 * prevalence * (1 - prevalence))
    people = max(by_shrinkage, by_optimism, by_overall)
    return {
        "parameters": parameters,
        "prevalence": round(prevalence, 6),
        "auroc": round(auroc, 6),
        "people": people,
        "events": math.ceil(people * prevalence),
        "by_shrinkage": by_shrinkage,
        "by_optimism": by_optimism,
        "by_overall_risk": by_overall,
    }


def judge(people: int, events: int, parameters: int, prevalence: float, auroc: float) -> dict[str, Any]:
    """The size of the training data, compared with what the criteria require. ``events`` are distinct events of
    ``people``. ``parameters`` is the number of features the model uses.
    """
    if not 0 < prevalence < 1 or not 0.5 < auroc < 1 or not parameters:
        return {"people": people, "events": events, "needed": None, "enough": False, "parameters_supported": 0}
    asked = needed(parameters, prevalence, auroc)
    one = needed(1, prevalence, auroc)
    supported = max(0, math.floor(people / max(one["by_shrinkage"], one["by_optimism"])))
    return {
        "people": people,
        "events": events,
        "needed": asked,
        "enough": people >= asked["people"] and events >= asked["events"],
        "parameters_supported": supported,
        "events_per_parameter": round(events / parameters, 2),
        "events_per_parameter_boosting": BOOSTING_EVENTS,
    }


def widths(figures: Mapping[str, Figure]) -> dict[str, Width]:
    """How wide each interval of the test slice is, and whether that is narrow enough."""
    out = {}
    for name, most in WIDTHS.items():
        low, high = figures[name].low, figures[name].high
        wide = None if low is None or high is None else round(high - low, 6)
        out[name] = Width(width=wide, at_most=most, narrow_enough=wide is not None and wide <= most)
    return out
