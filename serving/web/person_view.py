"""A score as the person page shows it: the same parts as bars and as rows, adding up to the risk."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from serving.people.schemas import Person
from serving.scoring.schemas import Risk, RiskReason
from serving.web.charts.bar_chart import Bar, draw_contributions
from serving.web.charts.trend_chart import TrendLine, draw_trends
from serving.web.charts.year_chart import draw_year
from serving.web.charts.year_view import Year, year_of
from serving.web.reasons import listed_reasons
from serving.wording import (
    about_in_100,
    day,
    days,
    in_100,
    outcome_label,
    outcome_sentence,
)


@dataclass(frozen=True)
class PagePart:
    """One row of the table: a concept, what is recorded, and its part of the log-odds."""

    label: str
    sentence: str
    reason: RiskReason | None
    value: float


@dataclass(frozen=True)
class Trend:
    """One outcome over the published lists: the picture, and its rows (day of the list, a risk a horizon or None,
    model changed)."""

    outcome: str
    horizons: tuple[int, ...]
    drawing: Markup
    rows: tuple[tuple[dt.date, tuple[float | None, ...], bool], ...]


@dataclass(frozen=True)
class Explanation:
    """One risk explained. ``start + sum of parts == logit``."""

    risk: Risk
    in_words: str
    sentence: str
    middle_in_words: str
    start: float
    start_in_words: str
    parts: tuple[PagePart, ...]
    drawing: Markup
    trends: tuple[Trend, ...]
    raises: tuple[PagePart, ...]
    lowers: tuple[PagePart, ...]
    """What is listed: see ``serving/web/reasons.py``. The picture and the table hold every part."""


def explain(person: Person, outcome: str, horizon: int) -> Explanation:
    """The page's view of one risk of a person."""
    risk = person.risk(outcome, horizon)
    parts = [PagePart(reason.label, reason.sentence, reason, reason.contribution) for reason in risk.reasons]
    rest = sum(c.contribution for c in risk.contributions) - sum(part.value for part in parts)
    parts.append(PagePart("Everything else", "The smaller parts, together.", None, rest))
    parts.append(
        PagePart(f"Looking {days(horizon)} ahead", "The longer the time, the more can happen.", None, risk.horizon_part)
    )
    listed = [
        PagePart(reason.label, reason.sentence, reason, reason.contribution)
        for reason in listed_reasons(risk.reasons, {gap.code for gap in person.gaps})
    ]
    middle = person.team.middle.get(f"{outcome}_{horizon}")
    label = f"{outcome_label(outcome)} within {days(horizon)}"
    return Explanation(
        risk=risk,
        in_words=about_in_100(risk.probability),
        sentence=f"{outcome_sentence(outcome)} within {days(horizon)}",
        middle_in_words=in_100(middle) if middle is not None else "",
        start=risk.base,
        start_in_words=in_100(1 / (1 + math.exp(-risk.base))),
        parts=tuple(parts),
        drawing=draw_contributions(
            [Bar(part.label, part.value) for part in parts],
            f"What raises and lowers the risk: {label}. The same numbers are in the table beside this picture.",
        ),
        raises=tuple(part for part in listed if part.value > 0),
        lowers=tuple(part for part in listed if part.value < 0),
        trends=tuple(_trend(person, name, horizons) for name, horizons in person.run.outcomes.items()),
    )


@dataclass(frozen=True)
class DrawnYear:
    """The record of the last year: its lanes and their picture."""

    lanes: Year
    drawing: Markup


def drawn_year(person: Person) -> DrawnYear | None:
    """None in a run that did not keep it."""
    if person.last_year is None:
        return None
    lanes = year_of(person.last_year, person.run.as_of, person.flags.unread)
    words = (
        f"Twelve months to {day(person.run.as_of)}: medicines in hand and gaps, injections, checks done and due, "
        f"contacts and hospital. "
        "Every event is in the tables below."
    )
    return DrawnYear(lanes, draw_year(lanes, words))


def _trend(person: Person, outcome: str, horizons: Sequence[int]) -> Trend:
    """Lists of one day are one point, the newest that was published."""
    risks: dict[dt.date, dict[int, float]] = {}
    models: dict[dt.date, str] = {}
    for point in person.trend:
        if point.outcome == outcome:
            risks.setdefault(point.as_of, {})[point.horizon_days] = point.probability
            models[point.as_of] = point.model_version
    listed = sorted(risks)
    lines = [
        TrendLine(days(horizon), tuple((day, risks[day][horizon]) for day in listed if horizon in risks[day]))
        for horizon in sorted(horizons, reverse=True)
    ]
    changed = {day for before, day in pairwise(listed) if models[before] != models[day]}
    return Trend(
        outcome,
        tuple(horizons),
        draw_trends(
            lines, f"{outcome_label(outcome)} in each published list. The same numbers are in the table beside it."
        ),
        tuple(
            (day, tuple(risks[day].get(horizon) for horizon in horizons), day in changed) for day in reversed(listed)
        ),
    )
