"""The slow, obvious rule of every verb, over plain lists of dicts. It shares no code with the engine; the kernels must
agree with it."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import pandas as pd

from features import Feature, Records
from features.engine import Stream
from features.records.tables import TABLES
from features.reference import MEDICINES, between, groups, in_scope
from tests.spec.one_supply import carried, dose, injection, length, one_supply

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
    booking = stream.table == "contacts" and stream.day_column != "contact_on"
    if booking and (row["booked_on"] is None or not row["booked_on"] < as_of):
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

    if any(row[column] is None for column in stream.given):
        return False
    if stream.outside is not None:
        low, high = stream.outside
        value = row["value"]
        if value is None or not ((low is not None and value < low) or (high is not None and value >= high)):
            return False
    return all(word(row[column]) in values for column, values in stream.where) and not any(
        word(row[column]) in values for column, values in stream.unless
    )


def events(history: History, stream: Stream, patient: str, as_of: dt.date, also: tuple[str, ...] = ()) -> list[Row]:
    rows = [
        row for row in history.of(stream.table, patient) if holds(row, stream) and visible(row, stream, as_of, also)
    ]
    if stream.table == "supplies":
        once = {row["row"]: row for row in supplied(history, patient, as_of)}
        rows = [
            row | {"row": id(row)} | ({} if injection(row) else {"daily_dose_mg": once[id(row)]["dose_a_day"]})
            for row in rows
            if id(row) in once
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
    place = lambda row: order[row.get("row", id(row))]  # noqa: E731
    marks = [place(row) for row in events(h, f.of, p, t)]
    return sum(place(row) > max(marks, default=-1) for row in events(h, f.stream, p, t))


def recent_share(f, h, p, t):
    last = events(h, f.of, p, t)[-int(f.number) :]
    return sum(holds(row, f.stream) for row in last) / len(last) if last else NAN


def faded(rows, f, t):
    """Each event counts half as much every ``f.number`` days, and nothing after ten of those."""
    ages = [age(row, f.stream, t) for row in rows]
    return sum(0.5 ** (a / f.number) for a in ages if a <= 10 * f.number)


def fading_count(f, h, p, t):
    return faded(events(h, f.stream, p, t), f, t)


def fading_share(f, h, p, t):
    whole = events(h, f.of, p, t)
    return (faded(events(h, f.stream, p, t), f, t) + 0.1) / (faded(whole, f, t) + 0.5) if whole else NAN


def gap_ratio(f, h, p, t):
    days = [row[f.stream.day_column] for row in events(h, f.stream, p, t)][-64:]
    gaps = [(b - a).days for a, b in pairwise(days)]
    if len(gaps) < 2 or statistics.median(gaps) < 1:
        return NAN
    return (t - days[-1]).days / statistics.median(gaps)


def supplies(f: Feature, h: History, p: str, t: dt.date) -> list[Row]:
    chosen = {r["row"] for r in events(h, f.stream, p, t)}
    rows = [r for r in supplied(h, p, t) if r["row"] in chosen]
    return [r for r in rows if r["as_required"] is not True and not injection(r)]


def supplied(h: History, p: str, t: dt.date) -> list[Row]:
    """Every supply known at ``t``, once; ``row`` is the identity of the row that stands for it."""
    rows = sorted(h.of("supplies", p), key=lambda r: r["supplied_on"])
    return one_supply([r | {"row": id(r)} for r in rows if r["supplied_on"] < t and r["known_on"] < t])


def covered_days(rows: list[Row]) -> tuple[set[dt.date], dt.date | None]:
    """Days covered with carry-over by medicine, and the first day after the last of them."""
    days: set[dt.date] = set()
    ends: dict[str, dt.date] = {}
    for row in rows:
        base = MEDICINES[row["medicine"]].base
        begin, ends[base] = carried(row["supplied_on"], ends.get(base), length(row))
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
    return bool(rows) and (t - covered_days(rows)[1]).days <= 365


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


def interval_share(f, h, p, t):
    """CMA9 by the day: the share of each day's interval that its supply, and what was over before, lasts."""
    rows = supplies(f, h, p, t)
    if not on_it(rows, t):
        return NAN
    days = [row["supplied_on"] for row in rows] + [t]
    over, shares = 0.0, {}
    for row, day, following in zip(rows, days, days[1:], strict=False):
        wide = (following - day).days
        held = over + length(row)
        over = max(0.0, held - wide)
        for n in range(wide):
            shares[day + n * DAY] = min(1.0, held / wide)
    return sum(shares.get(t - n * DAY, 0.0) for n in range(1, f.window + 1)) / f.window


def pick_up_spread(f, h, p, t):
    rows = supplies(f, h, p, t)
    if not on_it(rows, t):
        return NAN
    late = [
        (b["supplied_on"] - a["supplied_on"]).days - length(a)
        for a, b in pairwise(rows)
        if b["supplied_on"] >= t - f.window * DAY
    ]
    return statistics.pstdev(late) if len(late) >= 3 else NAN


def in_hand_at_discharge(f, h, p, t):
    ends = [
        s["discharged_on"]
        for s in h.of("stays", p)
        if s["admitted_on"] < t
        and s["known_on"] < t
        and s["discharged_on"]
        and s["discharged_on"] < t
        and s["discharge_known_on"] < t
    ]
    rows = supplies(f, h, p, t)
    if not ends or not on_it(rows, t):
        return NAN
    before = [row for row in rows if row["supplied_on"] <= max(ends)]
    return max(0, (covered_days(before)[1] - max(ends)).days) if before else NAN


def depot_intervals(f, h, p, t):
    """(days late, days since the injection before, its product's limit) of each injection in the window; None off the
    course."""
    rows, days = [], set()
    for row in injections(f, h, p, t):
        if row["supplied_on"] not in days:
            rows.append(row)
            days.add(row["supplied_on"])
    if not rows or (t - rows[-1]["supplied_on"]).days - length(rows[-1]) > 90:
        return None, None
    found = []
    for before, row in pairwise(rows):
        apart = (row["supplied_on"] - before["supplied_on"]).days
        if row["supplied_on"] >= t - f.window * DAY and apart - length(before) <= 90:
            found.append(
                (
                    apart - length(before),
                    apart,
                    MEDICINES[before["medicine"]].lai_missed_dose_rule_after_days or math.inf,
                )
            )
    return found, rows[-1]


def depot_late_band(f, h, p, t):
    found, _ = depot_intervals(f, h, p, t)
    low, high = ((0, 7), (7, 14), (14, 90))[int(f.number)]
    return NAN if found is None else sum(low < late <= high for late, _, _ in found)


def depot_missed_windows(f, h, p, t):
    found, last = depot_intervals(f, h, p, t)
    if found is None:
        return NAN
    now = (t - last["supplied_on"]).days > (MEDICINES[last["medicine"]].lai_missed_dose_rule_after_days or math.inf)
    return sum(apart > limit for _, apart, limit in found) + now


def percent_change(f, h, p, t):
    rows = valued(f, h, p, t)
    return (
        100 * (rows[-1][f.value] - rows[0][f.value]) / rows[0][f.value]
        if len(rows) > 1 and rows[0][f.value] > 0
        else NAN
    )


def usual_provider(f, h, p, t):
    seen = [
        row[f.value] for row in within(events(h, f.stream, p, t), f.stream, f.window, t) if row[f.value] is not None
    ]
    return max(seen.count(who) for who in seen) / len(seen) if seen else NAN


def never_recorded(f, h, p, t):
    return float(not events(h, f.stream, p, t))


RULES = (
    percent_change,
    usual_provider,
    never_recorded,
    interval_share,
    pick_up_spread,
    in_hand_at_discharge,
    depot_late_band,
    depot_missed_windows,
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
    fading_count,
    fading_share,
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


def bookings(f: Feature, h: History, p: str, t: dt.date) -> list[Row]:
    """Appointments that were booked and known, and not known to be cancelled, whatever day they are for."""
    known = [r for r in h.of("contacts", p) if r["booked_on"] and r["booked_on"] < t and r["known_on"] < t]
    return [r for r in known if holds(r, f.stream) and not (cancelled(r) and r["outcome_known_on"] < t)]


def cancelled(row: Row) -> bool:
    return row["outcome"] in ("cancelled_by_patient", "cancelled_by_service")


def lead(row: Row) -> int:
    return (row["contact_on"] - row["booked_on"]).days


def ahead(f, h, p, t):
    return [row for row in bookings(f, h, p, t) if row["contact_on"] >= t]


def behind(f, h, p, t):
    return [row for row in bookings(f, h, p, t) if row["contact_on"] < t]


def days_to_next_booking(f, h, p, t):
    return min([(row["contact_on"] - t).days for row in ahead(f, h, p, t)], default=NAN)


def next_booking_lead(f, h, p, t):
    rows = ahead(f, h, p, t)
    day = min((row["contact_on"] for row in rows), default=None)
    return max([lead(row) for row in rows if row["contact_on"] == day], default=NAN)


def bookings_ahead(f, h, p, t):
    return len(ahead(f, h, p, t))


def last_booking_lead(f, h, p, t):
    rows = behind(f, h, p, t)
    day = max((row["contact_on"] for row in rows), default=None)
    return max([lead(row) for row in rows if row["contact_on"] == day], default=NAN)


def mean_booking_lead(f, h, p, t):
    rows = within(behind(f, h, p, t), f.stream, f.window, t)
    return statistics.fmean(lead(row) for row in rows) if rows else NAN


def days_between_bookings(f, h, p, t):
    to, since = ahead(f, h, p, t), behind(f, h, p, t)
    if not to or not since:
        return NAN
    return (min(r["contact_on"] for r in to) - max(r["contact_on"] for r in since)).days


def planned_gap(f, h, p, t):
    """The booking and the contact at which it was made are known; whether the booking was kept is not asked."""
    met = {row["contact_on"] for row in events(h, f.of, p, t)}
    made = [r for r in h.of("contacts", p) if r["booked_on"] in met and r["known_on"] < t and holds(r, f.stream)]
    found = [((t - r["booked_on"]).days, lead(r)) for r in made if lead(r) > 0]
    weighed = [(0.5 ** (a / f.number), days) for a, days in found if a <= 10 * f.number]
    if not weighed:
        return NAN
    return math.exp(sum(w * math.log(days) for w, days in weighed) / sum(w for w, _ in weighed))


SLOW |= {
    rule.__name__: rule
    for rule in (
        planned_gap,
        days_to_next_booking,
        next_booking_lead,
        bookings_ahead,
        last_booking_lead,
        mean_booking_lead,
        days_between_bookings,
    )
}


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


GRACE = 28 * DAY


Held = tuple[str, bool]
"""A medicine, and whether it is taken when needed: regular and when needed are two courses."""


def courses(rows: list[Row]) -> dict[Held, Row]:
    """By medicine, regular and when needed apart: start and end of the latest course, dose and when it was set, and
    what each supply said."""
    found: dict[Held, Row] = {}
    for row in rows:
        day, name = row["supplied_on"], row["medicine"]
        held = name, row["as_required"] is True
        course = found.get(held)
        if course is None:
            course = found[held] = {"name": name, "start": day, "end": day, "doses": [], "sides": [], "dosed_on": day}
        elif day > course["end"] + 90 * DAY:
            course |= {"start": day, "end": day, "doses": [], "dosed_on": day}
        course["end"] = carried(day, course["end"], length(row))[1]
        course["as_required"] = held[1]
        if dose(row) is not None:
            course["doses"].append((day, dose(row)))
        if row["prescriber"] in ("trust", "gp"):
            course["sides"].append((day, row["prescriber"]))
    return found


def regimen(f: Feature, h: History, p: str, t: dt.date) -> float:
    rows = supplied(h, p, t)
    if not rows:
        return NAN
    held = courses(rows)
    changes = dose_changes(rows)
    now = {name: c for name, c in held.items() if t <= c["end"] + GRACE}
    gone = {
        name: c
        for name, c in held.items()
        if name not in now and MEDICINES[name[0]].is_psychotropic and not c["as_required"]
    }
    each = each_once(now)
    psychotropic = {name: c for name, c in now.items() if MEDICINES[name[0]].is_psychotropic}
    regular = {name: c for name, c in psychotropic.items() if not c["as_required"]}
    antipsychotic = {name: c for name, c in now.items() if MEDICINES[name[0]].is_antipsychotic}
    run = {name: (t - c["start"]).days for name, c in now.items()}
    stopped = [(t - c["end"] - GRACE).days for c in gone.values()]
    answers = {
        "antipsychotics": lambda: len({MEDICINES[n[0]].base for n in antipsychotic}),
        "antipsychotics_60d": lambda: len({MEDICINES[n[0]].base for n in antipsychotic if run[n] > 60}),
        "psychotropics": lambda: len({MEDICINES[n[0]].base for n in psychotropic}),
        "psychotropics_60d": lambda: len({MEDICINES[n[0]].base for n in psychotropic if run[n] > 60}),
        "acb_total": lambda: sum(MEDICINES[n].acb_score for n in each),
        "qt_medicines": lambda: sum(n in groups()["qt prolonging medicine"] for n in each),
        "regular_items": lambda: sum(not c["as_required"] for c in now.values()),
        "as_required_items": lambda: sum(c["as_required"] for c in now.values()),
        "dependence_days": lambda: max([run[n] for n in now if n[0] in groups()["dependence forming"]], default=0),
        "procyclidine_days": lambda: max([run[n] for n in now if MEDICINES[n[0]].base == "procyclidine"], default=0),
        "longest_course_days": lambda: max([run[n] for n in psychotropic], default=0),
        "starts_28d": lambda: sum(run[n] <= 28 for n in regular),
        "starts_90d": lambda: sum(run[n] <= 90 for n in regular),
        "stops_28d": lambda: sum(days <= 28 for days in stopped),
        "stops_90d": lambda: sum(days <= 90 for days in stopped),
        "switches_90d": lambda: sum(
            any(
                family(n[0]) == family(g[0]) is not None and abs((c["start"] - held[g]["end"]).days) <= 60
                for g in held
                if g not in now
            )
            for n, c in now.items()
            if run[n] <= 90 and not c["as_required"]
        ),
        "dose_changes_28d": lambda: sum((t - day).days <= 28 for day in changes),
        "dose_changes_90d": lambda: sum((t - day).days <= 90 for day in changes),
        **{f"dose_rises_halved_every_{n}_days": lambda n=n: halved(rises(rows), n, t) for n in (30, 90, 270)},
        "days_since_change": lambda: min(
            [
                (t - day).days
                for day in [*changes, *(c["end"] for c in gone.values()), *(c["start"] for c in regular.values())]
            ],
            default=NAN,
        ),
        "prescriber_changes_180d": lambda: sum(
            a[1] != b[1] and (t - b[0]).days <= 180 for c in held.values() for a, b in pairwise(c["sides"])
        ),
        "shared_prescribing_90d": lambda: sum(
            {side for c in held.values() if c["name"] == name for day, side in c["sides"] if day >= t - 90 * DAY}
            == {"trust", "gp"}
            for name in {name for name, _ in held}
        ),
        "interactions": lambda: len(important_pairs(each)),
        "new_interactions_30d": lambda: sum(
            (t - max(each[a]["start"], each[b]["start"])).days <= 30 for a, b in important_pairs(each)
        ),
        "percent_of_max": lambda: percent(antipsychotic),
        "high_dose_days": lambda: (
            (t - max(max(c["start"], c["dosed_on"], *dosed(n, rows, c)) for n, c in antipsychotic.items())).days
            if percent(antipsychotic) > 100 + 1e-6
            else NAN
        ),
        "acb_high_days": lambda: max(
            [
                run[n]
                for n in now
                if sum(MEDICINES[m].acb_score for m, c in each.items() if c["start"] <= now[n]["start"]) >= 3
            ],
            default=NAN,
        ),
    }
    return float(answers[f.value]())


def each_once(now: dict[Held, Row]) -> dict[str, Row]:
    """One course of each medicine: of two, regular and when needed, the one that began first."""
    found: dict[str, Row] = {}
    for (name, _), course in now.items():
        if name not in found or course["start"] < found[name]["start"]:
            found[name] = course
    return found


def dosed(held: Held, rows: list[Row], course: Row) -> list[dt.date]:
    """Days in the course on which the dose of a medicine changed, and its start."""
    same = [r for r in rows if (r["medicine"], r["as_required"] is True) == held]
    return [course["start"], *(day for day in dose_changes(same) if day >= course["start"])]


def dose_changes(rows: list[Row]) -> list[dt.date]:
    """Days on which a medicine's dose differed from its last known dose in the same course."""
    return [day for _, day, _, _ in dose_steps(rows)]


def rises(rows: list[Row]) -> list[dt.date]:
    """Days on which the dose of a regular psychotropic rose."""
    steps = [step for step in dose_steps(rows) if step[3] > step[2] and not step[0][1]]
    return [day for held, day, _, _ in steps if MEDICINES[held[0]].is_psychotropic]


def halved(days: list[dt.date], half_life: int, t: dt.date) -> float:
    return sum(0.5 ** ((t - day).days / half_life) for day in days)


def dose_steps(rows: list[Row]) -> list[tuple[Held, dt.date, float, float]]:
    """Changes of dose within a course: whose, the day, from and to."""
    days: list[tuple[Held, dt.date, float, float]] = []
    seen: list[Row] = []
    for row in rows:
        held = row["medicine"], row["as_required"] is True
        before = courses(seen).get(held)
        after = courses([*seen, row])[held]
        told = before and after["start"] == before["start"] and 0 < len(before["doses"]) < len(after["doses"])
        if told and after["doses"][-1][1] != before["doses"][-1][1]:
            days.append((held, row["supplied_on"], before["doses"][-1][1], after["doses"][-1][1]))
        seen.append(row)
    return days


def family(name: str) -> str | None:
    for scope in ("antipsychotic_any", "antidepressant_any", "mood_stabiliser"):
        if in_scope(MEDICINES[name], scope):
            return scope
    return None


def important_pairs(now: dict[str, Row]) -> list[tuple[str, str]]:
    found = [(a, b, between(a, b)) for a, b in combinations(now, 2)]
    return [(a, b) for a, b, row in found if row is not None and row.severity in ("high", "contraindicated")]


def percent(antipsychotic: dict[Held, Row]) -> float:
    shares = []
    for (name, _), course in antipsychotic.items():
        medicine = MEDICINES[name]
        most = medicine.max_daily_dose_mg
        if medicine.is_long_acting_injection:
            most = medicine.lai_max_dose_mg / medicine.lai_max_dose_per_days
        if course["doses"]:
            shares.append(100 * course["doses"][-1][1] / most)
    return sum(shares) if shares else NAN


SLOW["regimen"] = regimen
