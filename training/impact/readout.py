"""The read-out of impact: what the lottery band shows, in hours, admissions, bed days and people whose care was put
right; or how long it takes until there is an answer.

The answer is read once, when enough people are followed up. Until then the read-out shows counts and checks and no
effect, because a figure that is read every week will show an effect sooner or later by chance.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import Records
from features.records import day_of
from training.dataset.labels import follow_up
from training.errors import NotEnoughData, ShapeError
from training.impact.checks import balance, density_at_line, draws_are_fair
from training.impact.discontinuity import jump_at_line
from training.impact.effects import DrawRows, Interval, ListingEffect, listing_effect
from training.impact.plan import ImpactPlan
from training.impact.power import people_each_arm, weeks_until
from training.outcome_settings import OutcomeSettings
from training.settings import ImpactSettings

CLOSING = {
    "medicines_reconciled": "medicines reconciled",
    "allergies_up_to_date": "allergies brought up to date",
    "side_effects_assessed": "side effects assessed",
}
LEAST_EACH_ARM = 20


@dataclass(frozen=True)
class ImpactData:
    """What the service recorded. ``draws``: patient_id, team_id, drawn_on, propensity, drawn, risk, line_risk and
    gaps_closed (share of the gaps at the draw that were gone four weeks later; missing if there were none).
    ``reviews``: patient_id, reviewed_on, reviewer and the three closing answers. ``lines``: patient_id, as_of, distance
    from the line and listed, of lists without a band.
    """

    draws: pd.DataFrame
    reviews: pd.DataFrame
    lines: pd.DataFrame


@dataclass(frozen=True)
class ReadOut:
    """The read-out as plain values, and as lines for a terminal."""

    found: dict[str, Any]
    text: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return self.found


def read_out(
    data: ImpactData,
    plan: ImpactPlan,
    records: Records,
    settings: ImpactSettings | None = None,
    outcomes: OutcomeSettings | None = None,
) -> ReadOut:
    """The read-out of today. Raises ShapeError if the draws lack a column."""
    settings, outcomes = settings or ImpactSettings(), outcomes or OutcomeSettings()
    draws = data.draws
    first = None if draws.empty else min(_days(draws["drawn_on"]))
    registered = plan.written_before(first)
    found: dict[str, Any] = {
        "plan": plan.hash,
        "registered_before_first_draw": registered,
        "draws": len(draws),
        "people": int(draws["patient_id"].nunique()) if len(draws) else 0,
        "activity": _activity(data.reviews, settings),
    }
    text = [
        f"plan {plan.hash[:16]}, written on {plan.written_on}"
        + ("" if registered else ": AFTER the first draw, so this is not a pre-registered answer"),
        *_activity_lines(found["activity"]),
    ]
    rows, labels, followed, known = _followed(data, plan, records, outcomes)
    found["followed_up"] = len(followed)
    if len(rows.drawn):
        found["checks"] = _checks(rows, known)
        text += _check_lines(found["checks"])
    arms = (int(followed["drawn"].sum()), int((~followed["drawn"]).sum())) if len(followed) else (0, 0)
    needed = 2 * people_each_arm(plan.event_rate, plan.detect, plan.alpha, plan.power)
    weeks = 0.0
    if len(draws):
        weeks = ((max(_days(draws["drawn_on"])) - min(_days(draws["drawn_on"]))).days + 7) / 7
    found["needed"] = needed
    found["line"] = _at_the_line(data.lines, plan, records, outcomes)
    text += _line_lines(found["line"])
    if len(followed) < needed or min(arms) < LEAST_EACH_ARM:
        wait = weeks_until(needed, len(rows.drawn), weeks, plan.horizon_days + outcomes.settling_days)
        found["answer"] = "cannot tell yet"
        found["weeks_until"] = None if wait is None else round(wait, 1)
        pace = f"about {wait:.0f} weeks more at this pace" if wait is not None else "no time can be given yet"
        done = f"{len(followed):,} of {needed:,} people in draws are followed up for {plan.horizon_days} days"
        text.append(f"cannot tell yet: {done}; {pace}")
        return ReadOut(found, text)
    effects = _effects(followed, labels, plan, records)
    found["answer"] = "read"
    found["effects"] = {name: effect.as_dict() for name, effect in effects.items()}
    text += [line for name, effect in effects.items() for line in _effect_lines(name, effect)]
    found["avoided"] = _avoided(effects, plan, int(rows.drawn.sum()), settings)
    text += _avoided_lines(found["avoided"])
    return ReadOut(found, text)


def _days(values: pd.Series) -> list[dt.date]:
    return [value.date() for value in pd.to_datetime(values)]


def _followed(
    data: ImpactData, plan: ImpactPlan, records: Records, outcomes: OutcomeSettings
) -> tuple[DrawRows, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every draw as rows; labels of those followed up; the followed draws, with ``reviewed``; and every draw."""
    draws = data.draws.reset_index(drop=True)
    missing = {"patient_id", "drawn_on", "propensity", "drawn", "risk"} - set(draws.columns)
    if missing:
        raise ShapeError(f"the draws lack {', '.join(sorted(missing))}; read them with impact_data")
    known = draws["patient_id"].isin(set(records.patient_ids))
    draws = draws[known].reset_index(drop=True)
    draws["drawn"] = draws["drawn"].astype(bool)
    draws["reviewed"] = _reviewed(draws, data.reviews, plan.horizon_days)
    rows = _rows(draws)
    if draws.empty:
        return rows, pd.DataFrame(), draws, draws
    spine = pd.DataFrame({"patient_id": draws["patient_id"], "as_of": pd.to_datetime(draws["drawn_on"])})
    labels = follow_up(records, spine, outcomes).labels(
        {"admission": (plan.horizon_days,), "disengagement": (max(180, plan.horizon_days),)}
    )
    primary = labels[f"{plan.primary}_{plan.horizon_days}"]
    keep = primary.notna().to_numpy()
    return rows, labels[keep].reset_index(drop=True), draws[keep].reset_index(drop=True), draws


def _rows(draws: pd.DataFrame) -> DrawRows:
    return DrawRows(
        draws["drawn"].to_numpy(bool),
        draws["propensity"].to_numpy(np.float64),
        pd.factorize(draws["patient_id"])[0].astype(np.int64),
        draws["reviewed"].to_numpy(bool),
    )


def _reviewed(draws: pd.DataFrame, reviews: pd.DataFrame, days: int) -> npt.NDArray[np.bool_]:
    """Whether each person was reviewed within ``days`` of the draw."""
    by_person: dict[str, list[dt.date]] = {}
    if len(reviews):
        for patient, day in zip(reviews["patient_id"], _days(reviews["reviewed_on"]), strict=True):
            by_person.setdefault(patient, []).append(day)
    return np.array(
        [
            any(0 <= (day - start).days < days for day in by_person.get(patient, ()))
            for patient, start in zip(draws["patient_id"], _days(draws["drawn_on"]), strict=True)
        ],
        dtype=bool,
    )


def _effects(
    followed: pd.DataFrame, labels: pd.DataFrame, plan: ImpactPlan, records: Records
) -> dict[str, ListingEffect]:
    """The primary outcome first, then the others, each on the rows where it is known."""
    values: dict[str, npt.NDArray[Any]] = {
        plan.primary: labels[f"{plan.primary}_{plan.horizon_days}"].to_numpy(np.float64)
    }
    others = [name for name in map(str, labels.columns) if not name.startswith(f"{plan.primary}_")]
    values |= {name: labels[name].to_numpy(np.float64) for name in others}
    values["bed_days"] = bed_days(records, followed, plan.horizon_days)
    values["reviewed"] = followed["reviewed"].to_numpy(np.float64)
    if "gaps_closed" in followed:
        values["gaps_closed"] = followed["gaps_closed"].to_numpy(np.float64)
    found = {}
    for name, value in values.items():
        known = np.isfinite(value)
        part = _rows(followed[known].reset_index(drop=True))
        if min(part.drawn.sum(), (~part.drawn).sum()) >= LEAST_EACH_ARM:
            found[name] = listing_effect(part, value[known])
    return found


def bed_days(records: Records, draws: pd.DataFrame, horizon: int) -> npt.NDArray[np.float64]:
    """Days in hospital of each row's person within ``horizon`` days of the draw, from unplanned stays."""
    stays = records["stays"]
    stays = stays[stays["method"].astype(str).isin(("emergency", "unknown", "nan", "<NA>"))]
    begin = pd.to_datetime(stays["admitted_on"])
    end = pd.to_datetime(stays["discharged_on"])
    by_person: dict[str, list[tuple[int, int]]] = {}
    last = records.last_day_known()
    for patient, admitted, discharged in zip(stays["patient_id"], begin, end, strict=True):
        until = last if pd.isna(discharged) else day_of(discharged.date())
        by_person.setdefault(patient, []).append((day_of(admitted.date()), until))
    found = np.zeros(len(draws))
    for row, (patient, start) in enumerate(zip(draws["patient_id"], _days(draws["drawn_on"]), strict=True)):
        day = day_of(start)
        inside: set[int] = set()
        for first, until in by_person.get(patient, ()):
            if first >= day:  # a stay that had begun cannot be avoided
                inside.update(range(first, min(until, day + horizon)))
        found[row] = len(inside)
    return found


def _checks(rows: DrawRows, draws: pd.DataFrame) -> dict[str, Any]:
    before = {"risk": draws["risk"].to_numpy(np.float64)}
    if not rows.drawn.any() or rows.drawn.all():
        return {"draw_p": draws_are_fair(rows), "balance": None}
    return {"draw_p": draws_are_fair(rows), "balance": balance(rows, before).as_dict()}


def _at_the_line(lines: pd.DataFrame, plan: ImpactPlan, records: Records, outcomes: OutcomeSettings) -> dict[str, Any]:
    """The jump at the line of lists without a band, or why there is none."""
    lines = lines[lines["patient_id"].isin(set(records.patient_ids))].reset_index(drop=True) if len(lines) else lines
    if lines.empty:
        return {"why_not": "no lists without a lottery band"}
    spine = pd.DataFrame({"patient_id": lines["patient_id"], "as_of": pd.to_datetime(lines["as_of"])})
    column = f"{plan.primary}_{plan.horizon_days}"
    event = follow_up(records, spine, outcomes).labels({plan.primary: (plan.horizon_days,)})[column]
    keep = event.notna().to_numpy()
    x, who = lines["distance"].to_numpy(np.float64)[keep], pd.factorize(lines["patient_id"])[0][keep]
    needed = 4.5 * 2 * people_each_arm(plan.event_rate, plan.detect, plan.alpha, plan.power)
    found: dict[str, Any] = {"rows": int(keep.sum()), "rows_needed": int(needed)}
    if keep.sum() < needed:
        return {**found, "why_not": "too few rows to read the discontinuity"}
    try:
        jump = jump_at_line(x, event.to_numpy(np.float64)[keep], who, plan.bandwidth)
        listed = jump_at_line(x, lines["listed"].to_numpy(np.float64)[keep], who, jump.bandwidth)
        found |= {"jump": jump.as_dict(), "jump_of_listing": listed.as_dict()}
        found["density"] = density_at_line(x, jump.bandwidth).as_dict()
    except NotEnoughData as error:
        found["why_not"] = str(error)
    return found


def _activity(reviews: pd.DataFrame, settings: ImpactSettings) -> dict[str, Any]:
    """What was done, counted from the reviews; hours only where the settings state a time and its source."""
    found: dict[str, Any] = {"reviews": len(reviews), "people_reviewed": 0, "reviewers": 0}
    if len(reviews):
        found["people_reviewed"] = int(reviews["patient_id"].nunique())
        found["reviewers"] = int(reviews["reviewer"].nunique())
    for name in CLOSING:
        found[name] = int(reviews.loc[reviews[name].astype(bool), "patient_id"].nunique()) if len(reviews) else 0
    minutes, share = settings.psychiatrist_minutes, settings.psychiatrist_share
    found["psychiatrist_hours_freed"] = (
        None if minutes is None or share is None else round(len(reviews) * share.value * minutes.value / 60, 1)
    )
    found["sources"] = {} if minutes is None or share is None else {"minutes": minutes.source, "share": share.source}
    return found


def _avoided(
    effects: dict[str, ListingEffect], plan: ImpactPlan, places: int, settings: ImpactSettings
) -> dict[str, Any]:
    """Admissions and bed days avoided by the places drawn so far, with intervals, and their cost if it is stated."""
    found: dict[str, Any] = {"places": places}
    for name in (plan.primary, "bed_days"):
        if name in effects:
            found[name] = effects[name].difference.scaled(-places).as_dict()
    if settings.bed_day_pounds is not None and "bed_days" in effects:
        pounds = effects["bed_days"].difference.scaled(-places * settings.bed_day_pounds.value)
        found["pounds"] = {**pounds.as_dict(), "source": settings.bed_day_pounds.source}
    return found


def _activity_lines(found: dict[str, Any]) -> list[str]:
    done = ", ".join(f"{found[name]:,} {words}" for name, words in CLOSING.items())
    hours = found["psychiatrist_hours_freed"]
    return [
        f"{found['reviews']:,} reviews of {found['people_reviewed']:,} people, {found['reviewers']} reviewers: {done}",
        "psychiatrist hours freed: "
        + (
            "not stated; set impact.psychiatrist_minutes and impact.psychiatrist_share, each with its source"
            if hours is None
            else f"{hours:,.1f}, if {found['sources']['share']} and {found['sources']['minutes']} hold"
        ),
    ]


def _check_lines(found: dict[str, Any]) -> list[str]:
    fair = found["draw_p"] >= 0.01 and (found["balance"] is None or found["balance"]["ok"])
    return ["the draw: as fair as chance allows" if fair else "the draw: NOT as its chances say; find out why first"]


def _line_lines(found: dict[str, Any]) -> list[str]:
    if "jump" not in found:
        return [f"the jump at the line: not read, {found['why_not']}"]
    return [f"the jump at the line: {_range(Interval(**found['jump']['robust']), 100)} in 100 people"]


def _effect_lines(name: str, effect: ListingEffect) -> list[str]:
    words = name.replace("_", " ")
    if name == "bed_days":
        return [f"{words}: {effect.listed:.2f} a person drawn, {effect.not_listed:.2f} not drawn"]
    return [
        f"{words}: {100 * effect.listed:.1f} in 100 of those drawn, {100 * effect.not_listed:.1f} of the others; "
        f"difference {_range(effect.difference, 100)}"
    ]


def _avoided_lines(found: dict[str, Any]) -> list[str]:
    return [
        f"{name.replace('_', ' ')} avoided by {found['places']:,} places: {_range(Interval(**found[name]), 1)}"
        for name in found
        if name not in ("places", "pounds")
    ]


def _range(interval: Interval, times: float) -> str:
    scaled = interval.scaled(times)
    return f"{scaled.value:+.1f} (95% interval {scaled.low:+.1f} to {scaled.high:+.1f})"
