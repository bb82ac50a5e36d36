"""The slow, obvious rule of every verb, over plain lists of dicts. It shares no code with the engine; the kernels must agree with it."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd

from features import Feature, Records
from features.engine import Stream
from features.records.tables import TABLES
from features.reference import MEDICINES

Row = dict[str, Any]
NAN = math.nan
DAY = dt.timedelta(days=1)


class History:
    """Everything in the records about everyone, as dicts with dates."""

    def __init__(self, records: Records) -> None:
        self.rows: dict[str, list[Row]] = {}
        for name in TABLES:
            frame = records[name]
            rows = frame.to_dict("records")
            for row in rows:
                for column, value in row.items():
                    if isinstance(value, pd.Timestamp):
                        row[column] = value.date()
                    elif value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
                        row[column] = None
            self.rows[name] = rows

    def of(self, table: str, patient: str) -> list[Row]:
        return [row for row in self.rows[table] if row["patient_id"] == patient]


def visible(row: Row, stream: Stream, as_of: dt.date, also: tuple[str, ...] = ()) -> bool:
    """Both clocks, and the late clock of every late column that is read."""
    day = row[stream.day_column]
    if day is None or not day < as_of or row["known_on"] is None or not row["known_on"] < as_of:
        return False
    read = {stream.day_column, *dict(stream.where), *dict(stream.unless), *also}
    late = {
        "outcome": "outcome_known_on",
        "closed_on": "closed_known_on",
        "close_reason": "closed_known_on",
        "discharged_on": "discharge_known_on",
    }
    for column in read & set(late):
        if late[column] in row and (row[late[column]] is None or not row[late[column]] < as_of):
            return False
    return True


def holds(row: Row, stream: Stream) -> bool:
    def word(value: Any) -> Any:
        return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value

    return all(word(row[column]) in values for column, values in stream.where) and not any(
        word(row[column]) in values for column, values in stream.unless
    )


def events(history: History, stream: Stream, patient: str, as_of: dt.date, also: tuple[str, ...] = ()) -> list[Row]:
    rows = [
        row for row in history.of(stream.table, patient) if holds(row, stream) and visible(row, stream, as_of, also)
    ]
    return sorted(rows, key=lambda row: row[stream.day_column])


def within(rows: list[Row], stream: Stream, window: int, as_of: dt.date) -> list[Row]:
    return [row for row in rows if window == 0 or row[stream.day_column] >= as_of - window * DAY]


def valued(f: Feature, history: History, patient: str, as_of: dt.date) -> list[Row]:
    rows = within(events(history, f.stream, patient, as_of, (f.value,)), f.stream, f.window, as_of)
    return [row for row in rows if row[f.value] is not None]


def age(row: Row, stream: Stream, as_of: dt.date) -> int:
    return (as_of - row[stream.day_column]).days


def count(f, h, p, t):
    return len(within(events(h, f.stream, p, t), f.stream, f.window, t))


def total(f, h, p, t):
    return sum(row[f.value] for row in valued(f, h, p, t))


def mean(f, h, p, t):
    values = [row[f.value] for row in valued(f, h, p, t)]
    return sum(values) / len(values) if values else NAN


def highest(f, h, p, t):
    return max((row[f.value] for row in valued(f, h, p, t)), default=NAN)


def lowest(f, h, p, t):
    return min((row[f.value] for row in valued(f, h, p, t)), default=NAN)


def latest(f, h, p, t):
    rows = [row for row in events(h, f.stream, p, t, (f.value,)) if row[f.value] is not None]
    return rows[-1][f.value] if rows else NAN


def change(f, h, p, t):
    rows = valued(f, h, p, t)
    return rows[-1][f.value] - rows[0][f.value] if len(rows) > 1 else NAN


def slope(f, h, p, t):
    rows = valued(f, h, p, t)
    days = [-age(row, f.stream, t) for row in rows]
    if len(set(days)) < 2:
        return NAN
    fit = statistics.linear_regression(days, [row[f.value] for row in rows])
    return 365.25 * fit.slope


def distinct(f, h, p, t):
    return len(
        {row[f.value] for row in within(events(h, f.stream, p, t), f.stream, f.window, t) if row[f.value] is not None}
    )


def share(f, h, p, t):
    under = within(events(h, f.of, p, t), f.of, f.window, t)
    over = within(events(h, f.stream, p, t), f.stream, f.window, t)
    return len(over) / len(under) if under else NAN


def days_since_last(f, h, p, t):
    rows = events(h, f.stream, p, t)
    return age(rows[-1], f.stream, t) if rows else NAN


def days_since_first(f, h, p, t):
    rows = events(h, f.stream, p, t)
    return age(rows[0], f.stream, t) if rows else NAN


def count_since(f, h, p, t):
    """Events after the last event of ``of``; on one day the row that stands later in the table counts as later."""
    order = {id(row): place for place, row in enumerate(h.of(f.table, p))}
    marks = [order[id(row)] for row in events(h, f.of, p, t)]
    return sum(order[id(row)] > max(marks, default=-1) for row in events(h, f.stream, p, t))


def recent_share(f, h, p, t):
    last = events(h, f.of, p, t)[-int(f.number) :]
    return sum(holds(row, f.stream) for row in last) / len(last) if last else NAN


def gap_ratio(f, h, p, t):
    days = [row[f.stream.day_column] for row in events(h, f.stream, p, t)][-64:]
    gaps = [(b - a).days for a, b in pairwise(days)]
    if len(gaps) < 2 or statistics.median(gaps) < 1:
        return NAN
    return (t - days[-1]).days / statistics.median(gaps)


def supplies(f: Feature, h: History, p: str, t: dt.date) -> list[Row]:
    rows = events(h, f.stream, p, t)
    return [r for r in rows if r["as_required"] is not True and not injection(r)]


def injection(row: Row) -> bool:
    return row["route"] == "long_acting_injection" or MEDICINES[row["medicine"]].is_long_acting_injection


def length(row: Row) -> int:
    if injection(row):
        return int(row["interval_days"] or MEDICINES[row["medicine"]].lai_usual_interval_days or 28)
    return int(28 if row["days_supplied"] is None else row["days_supplied"])


def covered_days(rows: list[Row]) -> tuple[set[dt.date], dt.date | None]:
    """Days covered with carry-over by medicine, and the first day after the last of them."""
    days: set[dt.date] = set()
    ends: dict[str, dt.date] = {}
    for row in rows:
        base = MEDICINES[row["medicine"]].base
        begin = max(row["supplied_on"], ends.get(base, row["supplied_on"]))
        ends[base] = begin + length(row) * DAY
        days |= {begin + n * DAY for n in range(length(row))}
    return days, max(ends.values(), default=None)


def away(h: History, p: str, t: dt.date) -> set[dt.date]:
    days: set[dt.date] = set()
    for stay in h.of("stays", p):
        if not (stay["admitted_on"] < t and stay["known_on"] < t):
            continue
        over = stay["discharged_on"] and stay["discharged_on"] < t and stay["discharge_known_on"] < t
        end = stay["discharged_on"] if over else t
        days |= {stay["admitted_on"] + n * DAY for n in range((end - stay["admitted_on"]).days)}
    return days


def on_it(rows: list[Row], t: dt.date) -> bool:
    return bool(rows) and (t - rows[-1]["supplied_on"]).days <= 365


def covered(f, h, p, t, newest, oldest):
    rows = supplies(f, h, p, t)
    if not on_it(rows, t):
        return NAN
    days = {t - n * DAY for n in range(newest + 1, oldest + 1)} - away(h, p, t)
    return len(days & covered_days(rows)[0]) / len(days) if days else NAN


def covered_share(f, h, p, t):
    return covered(f, h, p, t, 0, f.window)


def covered_change(f, h, p, t):
    return covered(f, h, p, t, 0, f.window) - covered(f, h, p, t, f.window, 2 * f.window)


def supply_gap_days(f, h, p, t):
    rows = supplies(f, h, p, t)
    if not rows:
        return NAN
    end = covered_days(rows)[1]
    days = {end + n * DAY for n in range((t - end).days)}
    if on_it(rows, t):
        days -= {day for day in away(h, p, t) if day >= t - 730 * DAY}
    return len(days)


def supply_left_days(f, h, p, t):
    rows = supplies(f, h, p, t)
    return max(0, (covered_days(rows)[1] - t).days) if on_it(rows, t) else NAN


def gap_runs(f, h, p, t) -> list[int] | None:
    rows = supplies(f, h, p, t)
    if not on_it(rows, t):
        return None
    held, gone = covered_days(rows)[0], away(h, p, t)
    runs, run = [], 0
    for n in range(min(f.window, (t - rows[0]["supplied_on"]).days), 0, -1):
        if t - n * DAY in held or t - n * DAY in gone:
            runs, run = [*runs, run], 0
        else:
            run += 1
    return [*runs, run]


def longest_supply_gap(f, h, p, t):
    runs = gap_runs(f, h, p, t)
    return NAN if runs is None else max(runs)


def supply_gaps_over(f, h, p, t):
    runs = gap_runs(f, h, p, t)
    return NAN if runs is None else sum(run > f.number for run in runs)


def injections(f, h, p, t):
    return [row for row in events(h, f.stream, p, t) if injection(row) and row["kind"] in ("administered", None)]


def depot_days_past_due(f, h, p, t):
    rows = injections(f, h, p, t)
    if not rows:
        return NAN
    last = next(row for row in rows if row["supplied_on"] == rows[-1]["supplied_on"])
    past = (t - last["supplied_on"]).days - length(last)
    return past if past <= 90 else NAN


def depot_late_share(f, h, p, t):
    rows, days = [], set()
    for row in injections(f, h, p, t):
        if row["supplied_on"] not in days:
            rows.append(row)
            days.add(row["supplied_on"])
    if not rows or (t - rows[-1]["supplied_on"]).days - length(rows[-1]) > 90:
        return NAN
    late, given = 0, 0
    for before, row in pairwise(rows):
        delay = (row["supplied_on"] - before["supplied_on"]).days - length(before)
        if row["supplied_on"] >= t - f.window * DAY and delay <= 90:
            given += 1
            late += delay > f.number
    return late / given if given else NAN


RULES = (
    count,
    total,
    mean,
    highest,
    lowest,
    latest,
    change,
    slope,
    distinct,
    share,
    days_since_last,
    days_since_first,
    count_since,
    recent_share,
    gap_ratio,
    covered_share,
    covered_change,
    supply_gap_days,
    supply_left_days,
    longest_supply_gap,
    supply_gaps_over,
    depot_days_past_due,
    depot_late_share,
)
SLOW: dict[str, Callable[[Feature, History, str, dt.date], float]] = {rule.__name__: rule for rule in RULES}


def spell(f: Feature, h: History, p: str, t: dt.date) -> float:
    """days_in_spell and spell_length: a spell whose end is not known is open."""
    start, end, told = {
        "stays": ("admitted_on", "discharged_on", "discharge_known_on"),
        "referrals": ("opened_on", "closed_on", "closed_known_on"),
    }[f.table]
    days, length_ = 0, NAN
    for row in h.of(f.table, p):
        if not (holds(row, f.stream) and row[start] < t and row["known_on"] < t):
            continue
        over = row[end] is not None and row[end] < t and row[told] < t
        if not over:
            length_ = (t - row[start]).days
        first = row[start] if f.window == 0 else max(row[start], t - f.window * DAY)
        days += max(0, ((row[end] if over else t) - first).days)
    return days if f.verb == "days_in_spell" else length_


SLOW["days_in_spell"] = SLOW["spell_length"] = spell


def answer(feature: Feature, history: History, patient: str, as_of: dt.date) -> float:
    """The feature as the slow rule sees it: the verb's rule, what missing means, and the range."""
    value = SLOW[feature.verb](feature, history, patient, as_of)
    if math.isnan(value):
        return 0.0 if feature.missing == "zero" else NAN
    return min(max(value, feature.low), feature.high)
