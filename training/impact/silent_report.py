"""The report of a silent trial: how good the locked scores were, once the outcomes are known."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features import Records
from models.locked_scores import LockedScores
from training.dataset.labels import follow_up
from training.impact.effects import Interval
from training.impact.watching.alarms import alarm_words, judge
from training.impact.watching.sums import without_overlap
from training.outcome_settings import OutcomeSettings
from training.settings import WatchSettings

PLACES = (5, 10, 15, 25)
REVIEW_DAYS = 28
LOCKED_WITHIN = 7
"""Days after the day of the scores within which a lock counts as written before the outcomes."""


def silent_report(
    runs: Sequence[LockedScores],
    records: Records,
    reviews: pd.DataFrame,
    locked_at: Mapping[str, str],
    outcomes: OutcomeSettings | None = None,
    watching: WatchSettings | None = None,
) -> dict[str, Any]:
    """One report for each model (champion and challenger side by side). ``reviews`` holds patient_id and reviewed_on;
    ``locked_at`` when the audit log got each lock.
    """
    by_model: dict[str, list[LockedScores]] = {}
    for run in runs:
        by_model.setdefault(run.about["bundle_id"], []).append(run)
    rules = outcomes or OutcomeSettings(), watching or WatchSettings()
    return {
        "models": {name: _of_model(found, records, reviews, *rules) for name, found in by_model.items()},
        "locks": [_lock_line(run, locked_at) for run in runs],
    }


def _lock_line(run: LockedScores, locked_at: Mapping[str, str]) -> dict[str, Any]:
    at, day = locked_at.get(run.lock), dt.date.fromisoformat(run.about["as_of"])
    late = None if at is None else (dt.datetime.fromisoformat(at).date() - day).days > LOCKED_WITHIN
    line: dict[str, Any] = {
        "as_of": day.isoformat(),
        "lock": run.lock,
        "in_audit_log": at,
        "locked_before_outcomes": late is False,
    }
    if run.erased_rows:
        line |= {"erased_rows": run.erased_rows, "erasure_in_audit_log": locked_at.get(run.lock_now)}
    return line


def _of_model(
    runs: Sequence[LockedScores],
    records: Records,
    reviews: pd.DataFrame,
    outcomes: OutcomeSettings,
    settings: WatchSettings,
) -> dict[str, Any]:
    outcome, horizon = runs[0].about["ranked_by"]
    column = f"{outcome}_{horizon}"
    scores = pd.concat([run.scores.assign(as_of=pd.Timestamp(run.about["as_of"])) for run in runs], ignore_index=True)
    scores = scores[scores["patient_id"].isin(set(records.patient_ids))].reset_index(drop=True)
    event = follow_up(records, scores[["patient_id", "as_of"]], outcomes).labels({outcome: (horizon,)})[column]
    known = event.notna().to_numpy()
    rows = scores[known].assign(event=event[known].to_numpy(np.float64))
    return {
        "outcome": column,
        "days": len(runs),
        "scored": len(scores),
        "followed_up": len(rows),
        "too_early_or_left": int((~known).sum()),
        "events": int(rows["event"].sum()),
        "capture": _capture(rows),
        "calibration": _calibration(rows, column),
        "days_since_newest": {
            name: _ages([run.about["days_since_newest"].get(name) for run in runs])
            for name in runs[0].about["days_since_newest"]
        },
        "left_out": dict(Counter(reason for run in runs for reason in run.left_out["reason"]).most_common()),
        "staff": _overlap(scores, reviews),
        "watch": _watch(rows, column, horizon, settings),
    }


def _watch(rows: pd.DataFrame, column: str, horizon: int, settings: WatchSettings) -> dict[str, Any]:
    """The sequential tests over rows whose labels are complete, and the smallest repair that is enough after an
    alarm."""
    days = rows["as_of"].to_numpy("datetime64[D]").astype(np.int64)
    kept = without_overlap(rows["patient_id"].to_numpy(object), days, horizon)
    risk, event = rows[column].to_numpy(np.float64)[kept], rows["event"].to_numpy(np.float64)[kept]
    return judge(risk, event, days[kept], settings)


def _ages(values: Sequence[int | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    return {"median": float(np.median(known)) if known else None, "most": max(known, default=None)}


def _capture(rows: pd.DataFrame) -> dict[str, float | None]:
    """Share of the events that happened to people within the first places of their team's list."""
    total = float(rows["event"].sum())
    within = {str(n): rows["place"] <= n for n in PLACES} | {"own places": rows["place"] <= rows["slots"].fillna(0)}
    return {
        name: round(float(rows.loc[mask, "event"].sum()) / total, 4) if total else None for name, mask in within.items()
    }


def _calibration(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    """Observed over expected events, of everybody and of people within their team's places, with 95% intervals."""
    found: dict[str, Any] = {}
    for name, part in (("everybody", rows), ("listed", rows[rows["place"] <= rows["slots"].fillna(0)])):
        risk, event = part[column].to_numpy(np.float64), part["event"].to_numpy(np.float64)
        expected = float(risk.sum())
        if not expected:
            found[name] = None
            continue
        by_person = pd.Series(event - risk).groupby(part["patient_id"].to_numpy()).sum().to_numpy()
        error = float(np.sqrt((by_person**2).sum())) / expected
        found[name] = {
            "expected": round(expected, 2),
            **Interval.around(float(event.sum()) / expected, error).as_dict(),
        }
    return found


def _overlap(scores: pd.DataFrame, reviews: pd.DataFrame) -> dict[str, Any]:
    """How many of the people who would have been listed were reviewed anyway within four weeks, and of the others."""
    listed = (scores["place"] <= scores["slots"].fillna(0)).to_numpy()
    days: dict[str, list[pd.Timestamp]] = {}
    for patient, day in zip(reviews["patient_id"], pd.to_datetime(reviews["reviewed_on"]), strict=True):
        days.setdefault(patient, []).append(day)
    done = np.array(
        [
            any(0 <= (day - start).days < REVIEW_DAYS for day in days.get(patient, ()))
            for patient, start in zip(scores["patient_id"], scores["as_of"], strict=True)
        ],
        dtype=bool,
    )

    def share(mask: Any) -> float | None:
        return round(float(done[mask].mean()), 4) if mask.any() else None

    return {"reviewed_of_listed": share(listed), "reviewed_of_others": share(~listed)}


def silent_lines(found: dict[str, Any]) -> list[str]:
    """The report for a terminal."""
    lines = []
    for name, one in found["models"].items():
        lines.append(
            f"{name}: {one['scored']:,} scored on {one['days']} days, {one['followed_up']:,} followed up, "
            f"{one['events']} events ({one['outcome']})"
        )
        lines += [
            f"  events found in the first {n} places: {100 * share:.0f} in 100"
            for n, share in one["capture"].items()
            if share is not None
        ]
        lines += [
            f"  observed over expected, {who}: {figures['value']:.2f} ({figures['low']:.2f} to {figures['high']:.2f})"
            for who, figures in one["calibration"].items()
            if figures
        ]
        watched = one["watch"]
        said = f"ALARM ({alarm_words(watched['alarm_of'])}), step of repair: {watched['repair']['step']}"
        lines.append(
            f"  watching: {watched['observed']} observed, {watched['expected']:.1f} expected; "
            + (said if watched["alarm_at"] is not None else "no alarm")
        )
        lines += [f"  left out: {count:,} {reason}" for reason, count in one["left_out"].items()]
        lines += [
            f"  newest {table}: {days['median']:.0f} days old, at most {days['most']}"
            for table, days in one["days_since_newest"].items()
            if days["median"] is not None
        ]
        lines += [
            f"  {who.replace('_', ' ')}: {100 * share:.0f} in 100"
            for who, share in one["staff"].items()
            if share is not None
        ]
    late = sum(not lock["locked_before_outcomes"] for lock in found["locks"])
    lines.append(f"locks: {len(found['locks'])}, of them {late} not shown to be written before the outcomes")
    erased = [lock for lock in found["locks"] if lock.get("erased_rows")]
    if erased:
        rows = sum(lock["erased_rows"] for lock in erased)
        unknown = sum(lock["erasure_in_audit_log"] is None for lock in erased)
        lines.append(
            f"erased since: {rows} rows of {len(erased)} locks, so their files no longer give the published hash; "
            f"{unknown} of these changes are not in the audit log"
        )
    rating = found.get("blind_rating")
    if rating:
        lines.append(
            f"blind rating: {rating['listed']} for listed, {rating['random']} for random "
            f"(difference {rating['difference']['low']:.1f} to {rating['difference']['high']:.1f}), "
            f"{rating['rated']} cases rated by {rating['raters']}"
        )
    return lines
