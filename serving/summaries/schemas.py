"""A person's summary as values with dates, out of the rows that a nightly run wrote; and how it writes them.

Rows are lists in the order of the fields, with days relative to ``as_of`` as in ``serving/nightly/rows/timeline.py``: a
list of 500 people reads thousands of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.summaries import AHEAD_DAYS, PersonSummary

__all__ = [
    "AHEAD_DAYS",
    "AtAGlance",
    "ClosedShown",
    "DueShown",
    "FactsShown",
    "MedicineNotKnown",
    "MedicineShown",
    "RegisterShown",
    "stored",
]


@dataclass(frozen=True, slots=True)
class MedicineShown:
    """One medicine. ``dose_mg`` is a day's, or one injection's every ``interval_days``. ``next_on`` is the day on which
    supply runs out or the next injection falls due. ``lapsed``: supply ran out more than 28 days ago."""

    name: str
    form: str
    dose_mg: float | None
    interval_days: int | None
    as_required: bool
    prescriber: str
    since: dt.date
    last_on: dt.date
    last_kind: str
    next_on: dt.date | None
    lapsed: bool


@dataclass(frozen=True, slots=True)
class MedicineNotKnown:
    """A recorded medicine that is not in Upstream's tables: no dose, interaction or burden of it is known here."""

    written: str
    last_on: dt.date | None


@dataclass(frozen=True, slots=True)
class FactShown:
    """A recorded fact in its own words."""

    text: str
    on: dt.date


@dataclass(frozen=True, slots=True)
class FactsShown:
    """What is recorded of a person. An empty list means that nothing is recorded."""

    age: int | None
    diagnoses: list[FactShown]
    allergies: list[FactShown]
    shared_care: list[FactShown]
    worker: FactShown | None
    carer: FactShown | None


@dataclass(frozen=True, slots=True)
class DueShown:
    """Something that falls due: a check, an injection, a supply."""

    on: dt.date
    kind: str
    labels: list[str]
    scope: str


@dataclass(frozen=True, slots=True)
class ClosedShown:
    """Overdue care that is closed: the gap's code, what closed it and when, and how many days late that was."""

    code: str
    what: str
    on: dt.date
    days_late: int


@dataclass(frozen=True, slots=True)
class RegisterShown:
    """A person's row on one register; ``trend`` holds (day, value), oldest first."""

    register: str
    medicines: list[str]
    last_on: dt.date | None
    next_on: dt.date | None
    result: str
    trend: list[tuple[dt.date, float]]
    unit: str
    more: list[tuple[str, str]]
    rank: int


@dataclass(frozen=True, slots=True)
class AtAGlance:
    """Everything a page says of a person before it says anything of risk."""

    medicines: list[MedicineShown]
    not_known: list[MedicineNotKnown]
    about: FactsShown
    dues: list[DueShown]
    unchecked: list[str] | None
    """Checks that apply but could not be done because a record is missing. Null in rows of an earlier version."""
    closed: list[ClosedShown]
    """Overdue care that a row of the last 14 days closed."""


def stored(found: PersonSummary, as_of: int) -> dict[str, Any]:
    """A summary as the row of the table ``summaries``, without ``run_id`` and ``patient_id``."""

    def off(day: int | None) -> int | None:
        return None if day is None else day - as_of

    def fact(one: Any) -> list[Any] | None:
        return None if one is None else [one.text, one.on - as_of]

    said = found.about
    return {
        "medicines": [
            [
                *(one.name, one.form, one.dose_mg, one.interval_days, int(one.as_required), one.prescriber),
                *(one.since - as_of, one.last - as_of, one.last_kind, off(one.next), int(one.lapsed)),
            ]
            for one in found.medicines
        ],
        "about": {
            "age": said.age,
            **{name: [fact(one) for one in getattr(said, name)] for name in ("diagnoses", "allergies", "shared_care")},
            "worker": fact(said.worker),
            "carer": fact(said.carer),
            "not_known": [[one.written, off(one.last)] for one in found.unknown],
            "unchecked": list(found.unchecked),
            "closed": [[one.code, one.what, one.row.on - as_of, one.late] for one in found.closed],
        },
        "dues": [[one.day - as_of, one.kind, list(one.labels), one.scope] for one in found.dues],
        "registers": [
            [
                *(row.register, list(row.medicines), off(row.last), off(row.next), row.result),
                *([[day - as_of, value] for day, value in row.trend], row.unit),
                *([list(pair) for pair in row.more], row.rank),
            ]
            for row in found.registers
        ],
    }


def medicines_of(rows: Sequence[Sequence[Any]], as_of: dt.date) -> list[MedicineShown]:
    """The medicines of a stored row."""
    return [
        MedicineShown(
            *(name, form, dose, interval, bool(required), prescriber),
            *(_day(as_of, since), _day(as_of, last), kind, _maybe(as_of, following), bool(lapsed)),
        )
        for name, form, dose, interval, required, prescriber, since, last, kind, following, lapsed in rows
    ]


def not_known_of(about: Mapping[str, Any], as_of: dt.date) -> list[MedicineNotKnown]:
    return [MedicineNotKnown(written, _maybe(as_of, last)) for written, last in about["not_known"]]


def about_of(row: Mapping[str, Any], as_of: dt.date) -> FactsShown:
    """The facts of a stored row."""

    def fact(one: Sequence[Any]) -> FactShown:
        return FactShown(one[0], _day(as_of, one[1]))

    def facts(name: str) -> list[FactShown]:
        return [fact(one) for one in row[name]]

    worker, carer = (None if row[name] is None else fact(row[name]) for name in ("worker", "carer"))
    return FactsShown(row["age"], facts("diagnoses"), facts("allergies"), facts("shared_care"), worker, carer)


def dues_of(rows: Sequence[Sequence[Any]], as_of: dt.date) -> list[DueShown]:
    """What falls due, in order of day."""
    return [DueShown(_day(as_of, day), kind, labels, scope) for day, kind, labels, scope in rows]


def register_of(row: Sequence[Any], as_of: dt.date) -> RegisterShown:
    """One register's row."""
    name, medicines, last, following, result, trend, unit, more, rank = row
    return RegisterShown(
        *(name, medicines, _maybe(as_of, last), _maybe(as_of, following), result),
        *([(_day(as_of, day), value) for day, value in trend], unit, [(what, words) for what, words in more], rank),
    )


def summary_of_row(row: Any, as_of: dt.date) -> AtAGlance:
    """A row of the table ``summaries`` as values."""
    return AtAGlance(
        medicines_of(row.medicines, as_of),
        not_known_of(row.about, as_of),
        about_of(row.about, as_of),
        dues_of(row.dues, as_of),
        row.about.get("unchecked"),
        [ClosedShown(code, what, _day(as_of, day), late) for code, what, day, late in row.about.get("closed", ())],
    )


def _day(as_of: dt.date, offset: int) -> dt.date:
    return as_of + dt.timedelta(days=offset)


def _maybe(as_of: dt.date, offset: int | None) -> dt.date | None:
    return None if offset is None else _day(as_of, offset)
