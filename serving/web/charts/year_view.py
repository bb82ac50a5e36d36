"""The last year of a person's record as lanes: days with supply and without, checks done and due, contacts, hospital.

Values only: ``year_chart.py`` draws them and the person page writes them as tables. Everything is counted to
``as_of``, the day of the list; what lies ahead is what is booked or due.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from features.spec import satisfying
from serving.people.schemas import CheckDue, LastYear, StayEvent, SupplyEvent
from serving.scoring.schemas import UnreadValueOut
from serving.wording import days as in_days

BEFORE, AHEAD = 365, 63
"""Days of the picture, back and ahead."""
STOPPED_AFTER = 90
"""Days without supply after which a course has ended, as the engine has it: then nothing is missing, the medicine was
stopped."""
WORTH_SHOWING = 3
"""A gap of a day or two between collections is not drawn; the tables keep every date."""
Span = tuple[dt.date, dt.date]


@dataclass(frozen=True)
class YearGap:
    """Days [from, to) without supply; ``outside`` of them were not spent in hospital. ``open`` if it has not ended."""

    start: dt.date
    end: dt.date
    outside: int
    open: bool


@dataclass(frozen=True)
class YearMedicine:
    """One medicine: days with supply, gaps, and the days of its supplies. ``due`` is when the next injection is due."""

    name: str
    injection: bool
    as_required: bool
    in_hand: tuple[Span, ...]
    gaps: tuple[YearGap, ...]
    supplied: tuple[dt.date, ...]
    due: dt.date | None
    current: bool
    days_assumed: str = ""
    """What was assumed of supplies that do not say how long they last."""

    @property
    def days_without(self) -> int:
        return sum(gap.outside for gap in self.gaps)


@dataclass(frozen=True)
class Checks:
    """Checks that were done and are due on the same days. ``overdue`` where the day has come and the check was not
    done."""

    labels: tuple[str, ...]
    done: tuple[dt.date, ...]
    due: dt.date | None
    last: dt.date | None
    overdue: int
    unread: tuple[dt.date | None, ...] = ()
    """Days of results that were recorded and not understood, None for one without a readable day."""

    @property
    def label(self) -> str:
        more = len(self.labels) - 1
        return self.labels[0] + (f" and {more} more" if more else "")


@dataclass(frozen=True)
class Year:
    """The lanes of one person, the most important first."""

    as_of: dt.date
    first: dt.date
    last: dt.date
    record: LastYear
    medicines: tuple[YearMedicine, ...]
    checks: tuple[Checks, ...]
    stays: tuple[Span, ...]

    @property
    def empty(self) -> bool:
        record = self.record
        return not (record.supplies or record.results or record.dues or record.contacts or record.stays)


def year_of(record: LastYear, as_of: dt.date, unread: Iterable[UnreadValueOut] = ()) -> Year:
    """The lanes of ``record``; a check of which a result is in ``unread`` is never called not recorded."""
    stays = tuple((stay.admitted_on, stay.discharged_on or as_of) for stay in record.stays)
    by_name: dict[str, list[SupplyEvent]] = {}
    for supply in record.supplies:
        by_name.setdefault(supply.medicine, []).append(supply)
    medicines = [_medicine(name, supplies, record.stays, as_of) for name, supplies in by_name.items()]
    medicines.sort(key=lambda m: (m.as_required, not m.current, not m.injection, -m.days_without, m.name))
    return Year(
        as_of,
        as_of - dt.timedelta(days=BEFORE),
        as_of + dt.timedelta(days=AHEAD),
        record,
        tuple(medicines),
        tuple(_checks(record, as_of, unread)),
        stays,
    )


def _medicine(name: str, supplies: Sequence[SupplyEvent], stays: Sequence[StayEvent], as_of: dt.date) -> YearMedicine:
    spans: list[Span] = []
    for supply in supplies:
        if spans and supply.covers_from <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], supply.covers_to))
        else:
            spans.append((supply.covers_from, supply.covers_to))
    newest = supplies[-1]
    gaps = [_gap(end, start, stays, as_of, open_=False) for (_, end), (start, _) in pairwise(spans)]
    end = spans[-1][1]
    current = (as_of - end).days <= STOPPED_AFTER
    if current and end < as_of:
        gaps.append(_gap(end, as_of, stays, as_of, open_=True))
    if newest.as_required:
        gaps = []
    return YearMedicine(
        name=name,
        injection=newest.injection,
        as_required=newest.as_required,
        in_hand=tuple(spans),
        gaps=tuple(gap for gap in gaps if gap.outside >= WORTH_SHOWING and (gap.end - gap.start).days <= STOPPED_AFTER),
        supplied=tuple(supply.on for supply in supplies),
        due=end if newest.injection and newest.kind in ("administered", "") and current else None,
        current=current,
        days_assumed=next((supply.days_assumed for supply in reversed(supplies) if supply.days_assumed), ""),
    )


def _gap(start: dt.date, end: dt.date, stays: Sequence[StayEvent], as_of: dt.date, *, open_: bool) -> YearGap:
    away = {
        day
        for stay in stays
        for day in range(max(stay.admitted_on, start).toordinal(), min(stay.discharged_on or as_of, end).toordinal())
    }
    return YearGap(start, end, (end - start).days - len(away), open_)


def _checks(record: LastYear, as_of: dt.date, unread: Iterable[UnreadValueOut]) -> Iterable[Checks]:
    """Scheduled checks, the longest overdue first; those of the same days together. Then what was done without a
    schedule."""
    done: dict[str, list[dt.date]] = {}
    labels: dict[str, str] = {}
    for result in record.results:
        done.setdefault(result.test, []).append(result.on)
        labels[result.test] = result.label
    dues: dict[str, CheckDue] = {due.test: due for due in record.dues}
    labels |= {due.test: due.label for due in record.dues}
    lost: dict[str, list[dt.date | None]] = {}
    for one in unread:
        lost.setdefault(one.concept, []).append(one.on)
    strict = any(supply.medicine == "clozapine" for supply in record.supplies)
    days_of = {test: _days_done(test, done, strict=strict) for test in dues}
    drawn = {name for test in dues for name in satisfying(test) if name != test}
    together: dict[tuple[object, ...], list[str]] = {}
    for test in labels:
        if test in drawn and test not in dues:
            continue  # drawn as the check that it satisfies; the table of results has its number
        due = dues.get(test)
        not_read = tuple(dict.fromkeys(day for name in satisfying(test) for day in lost.get(name, ())))
        days_done = tuple(sorted(set(days_of.get(test, done.get(test, [])))))
        key = (days_done, due.due_on if due else None, due.last_on if due else None, not_read)
        together.setdefault(key, []).append(test)
    found = []
    for (days, due_on, last_on, lost_on), tests in together.items():
        late = (as_of - due_on).days if due_on is not None else 0  # type: ignore[operator]
        named = tuple(sorted((labels[test] for test in tests), key=str.lower))
        found.append(Checks(named, days, due_on, last_on, max(0, late), lost_on))  # type: ignore[arg-type]
    return sorted(
        found, key=lambda c: (c.due is None, not c.done and c.last is None, -c.overdue, c.due or as_of, c.label)
    )


COUNT = "fbc"
COUNT_OF_TWO = ("wbc", "anc")


def _days_done(test: str, done: dict[str, list[dt.date]], *, strict: bool) -> set[dt.date]:
    """The days of results that meet a check. For somebody on clozapine a blood count is a recorded one, or white cells
    and neutrophils of one day, as the schedule has it."""
    if test == COUNT and strict:
        white, neutrophils = (set(done.get(name, ())) for name in COUNT_OF_TWO)
        return set(done.get(COUNT, ())) | (white & neutrophils)
    return {day for name in satisfying(test) for day in done.get(name, ())}


def gap_words(gap: YearGap) -> str:
    """``12 days with nothing in hand``, and how much of it was spent in hospital."""
    length = (gap.end - gap.start).days
    said = f"{in_days(length)} with nothing in hand"
    if gap.outside < length:
        said += f", {in_days(length - gap.outside)} of them in hospital"
    return said + (", not ended" if gap.open else "")
