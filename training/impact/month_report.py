"""One page a month on the served model, for the team that owns it: what happened against what was expected.

Published risks are read once their prediction window has passed. People who were reviewed while a list was current are
counted separately, because a review is meant to change what happens. The sequential test uses the others. If a figure
cannot be known yet, the report says when it can.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from features import Records
from features.errors import SettingsError
from features.records import TABLES, date_of, day_of
from training.dataset.labels import follow_up, last_settled_day
from training.impact.effects import Interval
from training.impact.watching.alarms import alarm_words, judge
from training.impact.watching.repair import calibration_slope
from training.impact.watching.sums import without_overlap
from training.outcome_settings import OutcomeSettings
from training.settings import WatchSettings

FEEDS = ("contacts", "supplies", "results", "stays", "referrals")
FEWEST_EVENTS = 5
"""Events below which a ratio is not shown, because its interval would say nothing."""
_PAGE = Path(__file__).with_name("month_report.html")


def month_of(rows: Mapping[str, Any], asked: str | None) -> dt.date:
    """The first day of the month asked for, by default that of the newest list. Raises SettingsError."""
    if asked is None:
        newest: dt.date = max(run["as_of"] for run in rows["runs"])
        return newest.replace(day=1)
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", asked):
        raise SettingsError("--month: write year and month, for example 2026-01")
    return dt.date.fromisoformat(f"{asked}-01")


def month_report(
    records: Records,
    rows: Mapping[str, Any],
    month: dt.date,
    outcomes: OutcomeSettings,
    watching: WatchSettings,
    decided: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
) -> dict[str, Any]:
    """The report of ``month`` (its first day) as plain data. ``rows`` is what the service gives about its lists;
    ``decided`` who put each version in service, and when (:func:`training.registry.decisions.decisions`).
    """
    end = (month + dt.timedelta(days=32)).replace(day=1)
    runs = [run for run in rows["runs"] if run["as_of"] < end]
    scores = rows["scores"]
    scores = scores[pd.to_datetime(scores["as_of"]) < pd.Timestamp(end)].reset_index(drop=True)
    scores = scores[scores["patient_id"].isin(set(records.patient_ids))].reset_index(drop=True)
    newest = max(runs, key=lambda run: run["as_of"], default=None)
    serving = newest["bundle_id"] if newest is not None else ""
    settled = date_of(min(last_settled_day(records, outcomes.settling_days), day_of(end) - 1)) or month
    return {
        "month": f"{month:%Y-%m}",
        "synthetic": bool(records.synthetic or any(run["synthetic"] for run in runs)),
        "settled_until": settled.isoformat(),
        "models": _models(runs, rows["trained_until"]),
        "changes": _changes(runs, decided or {}),
        "bounds": {
            "intercept": watching.most_intercept,
            "slope": list(watching.slope),
            "fewest_events": watching.fewest_events,
            "chance": watching.step_p,
        },
        "happened": [
            _of_pair(part, str(outcome), int(str(horizon)), records, outcomes, watching, settled, serving)
            for (outcome, horizon), part in scores.groupby(["outcome", "horizon"], sort=True)
        ],
        "estimated": _estimated(scores, newest),
        "inputs": {"drifted": rows["drifted"], "note": rows["drift_note"]},
        "feeds": _feeds(records, month, end, newest["as_of"] if newest is not None else end),
        "left_out": dict(newest["left_out"]) if newest is not None else {},
        "runs": _runs(rows, runs, month, end),
        "plan": "docs/change_control.md",
    }


def _models(runs: list[dict[str, Any]], trained_until: Mapping[str, str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        one = found.setdefault(
            run["bundle_id"], {"bundle_id": run["bundle_id"], "version": run["model_version"], "lists": 0}
        )
        one["lists"] += 1
        one["last_list"] = run["as_of"].isoformat()
    if found:
        list(found.values())[-1]["trained_until"] = dict(trained_until)
    return list(found.values())


def _changes(
    runs: list[dict[str, Any]], decided: Mapping[str, Sequence[Mapping[str, str]]]
) -> list[dict[str, str | None]]:
    """The changes of the served model, by the first list of each model: the step taken, who decided it, when and why.
    These are None where the model registry does not hold the decision.
    """
    ordered = sorted(runs, key=lambda run: run["as_of"])
    return [
        {
            "first_list": later["as_of"].isoformat(),
            "before": earlier["bundle_id"],
            "after": later["bundle_id"],
            "version": str(later["model_version"]),
            **_decision(decided.get(str(later["model_version"]), ()), later["as_of"].isoformat()),
        }
        for earlier, later in pairwise(ordered)
        if earlier["bundle_id"] != later["bundle_id"]
    ]


def _decision(decided: Sequence[Mapping[str, str]], first_list: str) -> dict[str, str | None]:
    """The last decision on or before the day of the first list."""
    before = [one for one in decided if one["at"][:10] <= first_list]
    last = before[-1] if before else {}
    return {name: last.get(name) for name in ("step", "by", "at", "why")}


def _of_pair(
    part: pd.DataFrame,
    outcome: str,
    horizon: int,
    records: Records,
    outcomes: OutcomeSettings,
    watching: WatchSettings,
    settled: dt.date,
    serving: str,
) -> dict[str, Any]:
    """Observed against expected of one outcome and prediction window, for rows whose window has passed."""
    name = f"{outcome}_{horizon}"
    spine = pd.DataFrame({"patient_id": part["patient_id"], "as_of": pd.to_datetime(part["as_of"])})
    spine = spine.reset_index(drop=True)
    part = part.reset_index(drop=True)
    event = follow_up(records, spine, outcomes).new_only().labels({outcome: (horizon,)})[name].to_numpy(np.float64)
    passed = spine["as_of"] + pd.Timedelta(days=horizon) <= pd.Timestamp(settled) + pd.Timedelta(days=1)
    known = passed.to_numpy() & ~np.isnan(event)
    head = {"outcome": outcome, "horizon": horizon, "scored": len(part), "followed_up": int(known.sum())}
    if not known.any():
        first = pd.to_datetime(part["as_of"]).min().date()
        until = first + dt.timedelta(days=horizon + outcomes.settling_days)
        return {**head, "answer": "cannot tell yet", "from_day": until.isoformat()}
    rows = part[known].assign(event=event[known], day=spine["as_of"].to_numpy("datetime64[D]").astype(np.int64)[known])
    free = rows[~rows["exposed"].astype(bool)]
    return {
        **head,
        "answer": "known",
        "everybody": _ratio(rows),
        "not_reviewed": _ratio(free),
        "reviewed": _ratio(rows[rows["exposed"].astype(bool)]),
        "capture": _share(rows.loc[rows["placed"].astype(bool), "event"].sum(), rows["event"].sum()),
        "by_month": _by_month(free),
        "watch": _watched(free, serving, horizon, watching, outcomes.settling_days),
        "watched_before": [
            _watched(free, bundle, horizon, watching, outcomes.settling_days)
            for bundle in free["bundle_id"].unique()
            if bundle != serving
        ],
    }


def _by_month(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Ratio and calibration slope of the lists of each month, each person once a month."""
    found = []
    for month, part in rows.groupby(pd.to_datetime(rows["as_of"]).dt.strftime("%Y-%m"), sort=True):
        once = part.sort_values("day").drop_duplicates("patient_id")
        slope = calibration_slope(once["risk"].to_numpy(np.float64), once["event"].to_numpy(np.float64))
        found.append({"month": str(month), **_ratio(once), "slope": None if slope is None else slope.as_dict()})
    return found


def _watched(rows: pd.DataFrame, bundle: str, horizon: int, settings: WatchSettings, settling: int) -> dict[str, Any]:
    """The test of one model. It begins again with each model, because the risks differ."""
    own = rows[rows["bundle_id"] == bundle]
    began = None if own.empty else pd.to_datetime(own["as_of"]).min().date().isoformat()
    return {"bundle_id": bundle, "began": began, **_watch(own, horizon, settings, settling)}


def _ratio(rows: pd.DataFrame) -> dict[str, Any]:
    """Events, expected events, and their ratio with a 95% interval clustered by person."""
    risk, event = rows["risk"].to_numpy(np.float64), rows["event"].to_numpy(np.float64)
    observed, expected = int(event.sum()), float(risk.sum())
    found: dict[str, Any] = {"rows": len(rows), "observed": observed, "expected": round(expected, 2), "ratio": None}
    if observed >= FEWEST_EVENTS and expected > 0:
        by_person = pd.Series(event - risk).groupby(rows["patient_id"].to_numpy()).sum().to_numpy()
        found["ratio"] = Interval.around(observed / expected, float(np.sqrt((by_person**2).sum())) / expected).as_dict()
    return found


def _watch(rows: pd.DataFrame, horizon: int, settings: WatchSettings, settling: int) -> dict[str, Any]:
    """The sequential tests over people who were not reviewed, in order of the day on which their label was complete."""
    kept = without_overlap(rows["patient_id"].to_numpy(object), rows["day"].to_numpy(np.int64), horizon)
    risk, event = rows["risk"].to_numpy(np.float64)[kept], rows["event"].to_numpy(np.float64)[kept]
    days = rows["day"].to_numpy(np.int64)[kept]
    found = judge(risk, event, days, settings)
    on = None if found["alarm_at"] is None else date_of(int(days[found["alarm_at"]]) + horizon + settling)
    return {**found, "label_delay_days": horizon + settling, "alarm_on": None if on is None else on.isoformat()}


def _share(part: float, whole: float) -> float | None:
    return round(float(part) / float(whole), 4) if whole >= FEWEST_EVENTS else None


def _estimated(scores: pd.DataFrame, newest: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What the newest list expects, if its risks are right: events, and the share of them with a place."""
    if newest is None or scores.empty:
        return []
    last = scores[pd.to_datetime(scores["as_of"]) == pd.to_datetime(scores["as_of"]).max()]
    found = []
    for (outcome, horizon), part in last.groupby(["outcome", "horizon"], sort=True):
        expected = float(part["risk"].sum())
        placed = float(part.loc[part["placed"].astype(bool), "risk"].sum())
        share = round(placed / expected, 4) if expected else None
        found.append(
            {
                "outcome": str(outcome),
                "horizon": int(str(horizon)),
                "people": len(part),
                "expected_events": round(expected, 2),
                "expected_capture": share,
            }
        )
    return found


def _feeds(records: Records, month: dt.date, end: dt.date, on: dt.date) -> list[dict[str, Any]]:
    """The age of each feed on ``on``, the day of the newest list, and rows that became known in the month and in the
    month before.
    """
    before = (month - dt.timedelta(days=1)).replace(day=1)
    limit = day_of(on)
    planned = TABLES["contacts"].column("outcome").values.index("planned")
    found = []
    for name in FEEDS:
        columns = records.columns(name)
        happened = np.asarray(columns[str(TABLES[name].event_day)], dtype=np.int64)
        known = np.asarray(columns["known_on"], dtype=np.int64)
        counted = happened < limit
        if name == "contacts":
            counted &= np.asarray(columns["outcome"]) != planned
        newest = date_of(int(happened[counted].max())) if counted.any() else None
        found.append(
            {
                "table": name,
                "newest": None if newest is None else newest.isoformat(),
                "days_old": None if newest is None else limit - day_of(newest),
                "arrived": int(((known >= day_of(month)) & (known < day_of(end))).sum()),
                "arrived_the_month_before": int(((known >= day_of(before)) & (known < day_of(month))).sum()),
            }
        )
    return found


def _runs(
    rows: Mapping[str, Any], runs: list[dict[str, Any]], month: dt.date, end: dt.date
) -> dict[str, int | list[dict[str, Any]]]:
    refused = [one for one in rows["refused"] if month <= one["as_of"] < end]
    accepted = [one for one in rows["accepted"] if month.isoformat() <= str(one["at"])[:10] < end.isoformat()]
    return {
        "lists": sum(month <= run["as_of"] < end for run in runs),
        "refused": [{"as_of": one["as_of"].isoformat(), "reasons": one["reasons"]} for one in refused],
        "accepted": [{"at": str(one["at"])[:10], "by": one["by"], "why": one["why"]} for one in accepted],
    }


def month_lines(found: Mapping[str, Any]) -> list[str]:
    """The report for a terminal."""
    lines = [f"{found['month']}: {found['runs']['lists']} lists" + (" (synthetic)" if found["synthetic"] else "")]
    for one in found["happened"]:
        what = f"{one['outcome']} within {one['horizon']} days"
        if one["answer"] != "known":
            lines.append(f"{what}: cannot tell yet, from {one['from_day']}")
            continue
        free, watched = one["not_reviewed"], one["watch"]
        said = (
            f"ALARM on {watched['alarm_on']} ({alarm_words(watched['alarm_of'])}), "
            f"step of repair: {watched['repair']['step']}"
        )
        if watched["began"] is None:
            said = f"the test of {watched['bundle_id']} has no outcome yet"
        lines.append(
            f"{what}: {free['observed']} observed, {free['expected']} expected among people not reviewed; "
            + (said if watched["alarm_at"] is not None or watched["began"] is None else "no alarm")
        )
    drifted = found["inputs"]["drifted"]
    moved = found["inputs"]["note"] if drifted is None else f"{len(drifted)} left those of training"
    lines.append(f"inputs: {moved}")
    lines += [
        f"{one['table']}: newest {one['days_old']} days old, {one['arrived']:,} rows arrived" for one in found["feeds"]
    ]
    lines += [f"refused for {one['as_of']}: {'; '.join(one['reasons'])}" for one in found["runs"]["refused"]]
    return lines


def write_month(found: Mapping[str, Any], folder: Path) -> Path:
    """Writes ``month-2026-01.html`` and ``.json`` and returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"month-{found['month']}.html"
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    path.write_text(render(found), encoding="utf-8")
    return path


def render(found: Mapping[str, Any]) -> str:
    """The page. It loads nothing from elsewhere."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"words": lambda text: str(text).replace("_", " "), "alarm_words": alarm_words}
    return environment.from_string(_PAGE.read_text(encoding="utf-8")).render(it=found)
