"""The rules of each table over plain lists. ``Odd`` is raised for whatever is set aside, put together or shown with the
person; what is filled in is filled in as the usual steps do."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from functools import cache

import numpy as np

from features.records.days import NO_DAY
from features.records.loading.checks import KNOWN_AFTER, conversion
from features.records.loading.defaults import note_days_assumed, note_modes
from features.records.loading.plain_rows.cells import Lists, Odd
from features.records.problems import TableReport
from features.records.same_event.brand_rows import may_be_a_depot
from features.records.same_event.supply_rows import ADMINISTERED, LONG_ACTING, long_acting, short_acting
from features.records.tables import CIRCUMSTANCE_KINDS, COMPARATORS, CONDITION_CATEGORIES, MODES, TABLES, TableSpec
from features.reference import TESTS
from features.reference.diagnoses import is_coded, is_not_understood, is_uncertain
from features.reference.words import UNKNOWN, circumstance_kind, circumstance_value


def apply_rules(spec: TableSpec, lists: Lists, report: TableReport, today: int, delay: int) -> None:
    """Checks a table and fills in what was not recorded. Changes ``lists`` and ``report``."""
    for check in _CHECKS.get(spec.name, ()):
        check(lists, report, today)
    _check_order_of_days(spec, lists)
    _check_sent_again(spec, lists)
    report.delays_applied = _second_clock(spec, lists, delay)
    _check_one_each(spec, lists)


def _check_circumstances(lists: Lists, report: TableReport, today: int) -> None:
    kinds = lists["kind"] = list(map(circumstance_kind, lists["kind"]))
    if not _CIRCUMSTANCES.issuperset(kinds):
        raise Odd
    values = lists["value"] = list(map(circumstance_value, kinds, lists["value"]))
    if None in values or UNKNOWN in values:
        raise Odd


_CIRCUMSTANCES = frozenset(CIRCUMSTANCE_KINDS)


def _check_referrals(lists: Lists, report: TableReport, today: int) -> None:
    if _DIED in lists["close_reason"] and (_DIED, NO_DAY) in zip(
        lists["close_reason"], lists["closed_on"], strict=True
    ):
        raise Odd


_DIED = TABLES["referrals"].column("close_reason").values.index("died")


def _check_contacts(lists: Lists, report: TableReport, today: int) -> None:
    outcomes, modes = lists["outcome"], lists["mode"]
    if max(lists["contact_on"]) > today + 1 and any(
        day > today + 1 and outcome in _OVER for day, outcome in zip(lists["contact_on"], outcomes, strict=True)
    ):
        raise Odd
    if -1 in modes:
        silent = [mode < 0 and outcome == _ATTENDED for mode, outcome in zip(modes, outcomes, strict=True)]
        lists["mode"] = [_NOT_RECORDED if one else mode for one, mode in zip(silent, modes, strict=True)]
        note_modes(report, sum(silent))


_OUTCOMES = TABLES["contacts"].column("outcome").values
_ATTENDED, _PLANNED = _OUTCOMES.index("attended"), _OUTCOMES.index("planned")
_OVER = {_ATTENDED, _OUTCOMES.index("did_not_attend")}
_NOT_RECORDED = MODES.index("not_recorded")
_WRITTEN = {MODES.index("text"), MODES.index("email")}


def _check_supplies(lists: Lists, report: TableReport, today: int) -> None:
    """Amounts from which days or doses are worked out, and whatever takes a supply back, are not plain."""
    if any(one == one for name in ("quantity", "units_a_day") for one in lists[name]) or max(lists["status"]) > 0:
        raise Odd
    medicines, routes, intervals = lists["medicine"], lists["route"], lists["interval_days"]
    if -1 in routes and any(route < 0 and days == days for route, days in zip(routes, intervals, strict=True)):
        raise Odd
    if any(map(may_be_a_depot, medicines, routes)):
        raise Odd
    if not _short().isdisjoint(medicines):
        lists["as_required"] = [
            1 if medicine in _short() else flag for medicine, flag in zip(medicines, lists["as_required"], strict=True)
        ]
    silent = [0, 0]
    injected = _injected()
    for medicine, route, kind, days, interval in zip(
        medicines, routes, lists["kind"], lists["days_supplied"], intervals, strict=True
    ):
        injection = route == LONG_ACTING or medicine in injected
        length = interval if injection else days
        silent[injection] += length != length and (injection or kind != ADMINISTERED)
    note_days_assumed(report, *silent)


@cache
def _injected() -> frozenset[int]:
    return frozenset(np.flatnonzero(long_acting()).tolist())


@cache
def _short() -> frozenset[int]:
    return frozenset(np.flatnonzero(short_acting()).tolist())


def _check_results(lists: Lists, report: TableReport, today: int) -> None:
    """Converts each value to the unit of its test. An unknown unit, a value out of range, a bound and a number beside a
    check that has none are not plain."""
    if not _BOUNDS.isdisjoint(lists["comparator"]):
        raise Odd
    values: list[float] = []
    units: list[str | None] = []
    for test, value, unit in zip(lists["test"], lists["value"], lists["unit"], strict=True):
        if value == value:
            factor, offset, low, high, wrong = conversion(test, unit)
            value = value * factor + offset
            if wrong or value < low or value > high or (not _UNITS[test] and (unit or value not in (0.0, 1.0))):
                raise Odd
            values.append(value)
            units.append(_UNITS[test])
        else:
            values.append(math.nan)
            units.append(None)
    lists["value"], lists["unit"] = values, units


_BOUNDS = {COMPARATORS.index("<"), COMPARATORS.index(">")}
_UNITS = tuple(test.unit or None for test in TESTS.values())


def _check_conditions(lists: Lists, report: TableReport, today: int) -> None:
    """Diagnoses that are only asked about, or that no rule reads, are not plain."""
    for category, code, label in zip(lists["category"], lists["code"], lists["label"], strict=True):
        if category == _DIAGNOSIS and (
            (code and is_uncertain(code)) or (label and not (code and is_coded(code)) and is_not_understood(label))
        ):
            raise Odd


_DIAGNOSIS = CONDITION_CATEGORIES.index("diagnosis")

_CHECKS: dict[str, tuple[Callable[[Lists, TableReport, int], None], ...]] = {
    "circumstances": (_check_circumstances,),
    "referrals": (_check_referrals,),
    "contacts": (_check_contacts,),
    "supplies": (_check_supplies,),
    "results": (_check_results,),
    "conditions": (_check_conditions,),
}


def _check_order_of_days(spec: TableSpec, lists: Lists) -> None:
    pairs = [*spec.ends, *([(str(spec.event_day), "known_on")] if spec.name in KNOWN_AFTER else [])]
    for start, end in pairs:
        first, last = lists[start], lists[end]
        if any(map(operator.gt, first, last)) and any(
            one != NO_DAY and one > other for one, other in zip(first, last, strict=True)
        ):
            raise Odd


def _check_sent_again(spec: TableSpec, lists: Lists) -> None:
    """Two rows that say the same but for when it became known are not plain."""
    if not spec.sent_again:
        return
    days = lists[str(spec.event_day)]
    shared = [lists[column.name] for column in spec.columns if column.required and column.kind == "code"]
    if len(set(zip(days, *shared, strict=True))) == len(days):
        return
    if len(set(zip(*(lists[name] for name in spec.names[1:] if name != "known_on"), strict=True))) < len(days):
        raise Odd


def _second_clock(spec: TableSpec, lists: Lists, delay: int) -> dict[str, dict[str, int]]:
    """The lists of :func:`features.records.loading.second_clock.second_clock`."""
    applied: dict[str, dict[str, int]] = {}
    if spec.event_day is None:
        return applied
    if spec.name == "contacts":
        if NO_DAY in lists["known_on"]:
            lists["known_on"] = [
                booked if known == NO_DAY and outcome == _PLANNED else known
                for known, booked, outcome in zip(lists["known_on"], lists["booked_on"], lists["outcome"], strict=True)
            ]
        _delay(applied, lists, "known_on", lists["contact_on"], delay)
        (late,) = spec.late
        happened = [
            NO_DAY if outcome == _PLANNED else day
            for day, outcome in zip(lists["contact_on"], lists["outcome"], strict=True)
        ]
        _delay(applied, lists, late.known_on, happened, late.delay_days)
        lists[late.known_on] = [
            NO_DAY if day == NO_DAY else known for day, known in zip(happened, lists[late.known_on], strict=True)
        ]
        return applied
    _delay(applied, lists, "known_on", lists[spec.event_day], delay)
    for late in spec.late:
        _delay(applied, lists, late.known_on, lists[late.column], late.delay_days)
    return applied


def _delay(applied: dict[str, dict[str, int]], lists: Lists, name: str, base: list[int], delay: int) -> None:
    known = lists[name]
    if NO_DAY not in known:
        return
    silent = [one == NO_DAY and day != NO_DAY for one, day in zip(known, base, strict=True)]
    if rows := sum(silent):
        lists[name] = [day + delay if now else one for now, one, day in zip(silent, known, base, strict=True)]
        applied[name] = {"days": delay, "rows": rows}


def _check_one_each(spec: TableSpec, lists: Lists) -> None:
    """Rows that may be one event (:mod:`features.records.same_event.visits`) are not plain."""
    ids = lists.get(str(spec.unique))
    if ids is not None and len(set(ids)) < len(ids):
        raise Odd
    if spec.name == "contacts":
        written = map(_WRITTEN.__contains__, lists["mode"])
        seen = set(zip(lists["contact_on"], lists["team_id"], lists["kind"], written, strict=True))
        if len(seen) < len(ids or ()):
            raise Odd
    if spec.name == "stays":
        stays = sorted(zip(lists["admitted_on"], lists["discharged_on"], strict=True))
        for (began, ended), (follows, _) in itertools.pairwise(stays):
            if began == follows or follows < ended:
                raise Odd
