"""A score as the person page shows it: the same parts as bars and as rows, adding up to the risk."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from serving.people.schemas import Person
from serving.scoring.schemas import Reason, Risk
from serving.web.drawing import Bar, draw_contributions, draw_trend
from serving.web.wording import about_in_100, days, in_100, outcome_label, outcome_sentence, times_the_middle


@dataclass(frozen=True)
class Part:
    """One row of the table: a concept, what is recorded, and its part of the log-odds."""

    label: str
    sentence: str
    reason: Reason | None
    value: float


@dataclass(frozen=True)
class Explanation:
    """One risk explained. ``start + sum of parts == logit``."""

    risk: Risk
    in_words: str
    sentence: str
    against_middle: str
    middle_in_words: str
    start: float
    start_in_words: str
    parts: tuple[Part, ...]
    drawing: Markup
    trend: Markup

    @property
    def raises(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.reason and part.value > 0)

    @property
    def lowers(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.reason and part.value < 0)


def explain(person: Person, outcome: str, horizon: int) -> Explanation:
    """The page's view of one risk of a person."""
    risk = person.risk(outcome, horizon)
    parts = [Part(reason.label, reason.sentence, reason, reason.contribution) for reason in risk.reasons]
    rest = sum(c.contribution for c in risk.contributions) - sum(part.value for part in parts)
    parts.append(Part("Everything else", "The smaller parts, together.", None, rest))
    parts.append(
        Part(f"The horizon: {days(horizon)}", "The longer the time, the more can happen.", None, risk.horizon_part)
    )
    middle = person.team.middle.get(f"{outcome}_{horizon}")
    label = f"{outcome_label(outcome)} within {days(horizon)}"
    points = [
        (point.as_of, point.probability)
        for point in person.trend
        if (point.outcome, point.horizon_days) == (outcome, horizon)
    ]
    return Explanation(
        risk=risk,
        in_words=about_in_100(risk.probability),
        sentence=f"{outcome_sentence(outcome)} within {days(horizon)}",
        against_middle=times_the_middle(risk.probability, middle),
        middle_in_words=in_100(middle) if middle is not None else "",
        start=risk.base,
        start_in_words=in_100(1 / (1 + math.exp(-risk.base))),
        parts=tuple(parts),
        drawing=draw_contributions(
            [Bar(part.label, part.value) for part in parts],
            f"What raises and lowers the risk: {label}. The same numbers are in the table beside this picture.",
        ),
        trend=draw_trend(points, f"{label} in each published list. The same numbers are in the table below."),
    )
