"""The medicines a person has, with dose, prescriber and next supply: the courses that the gaps and the features
read."""

from __future__ import annotations

from dataclasses import dataclass

from features.gaps.person_view import PersonAsKnown
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import SIDES, Course
from features.records.days import day_of
from features.records.tables import TABLES
from features.reference import MEDICINES

SHOWN_UNKNOWN_DAYS = 180
"""A medicine that no table knows does not say how long it lasts: it is shown for half a year after its last row [D]."""
_KINDS = (*TABLES["supplies"].column("kind").values, "")


@dataclass(frozen=True, slots=True)
class HeldMedicine:
    """One medicine. ``dose_mg`` is a day's, or one injection's every ``interval_days``; None where not recorded.

    ``next`` is the day on which supply runs out or the next injection falls due; None where no injection was ever
    recorded as given, or for a medicine taken when needed. ``lapsed`` where supply ran out more than 28 days ago and
    the course may have ended.
    """

    name: str
    form: str
    dose_mg: float | None
    interval_days: int | None
    as_required: bool
    prescriber: str
    since: int
    last: int
    last_kind: str
    next: int | None
    lapsed: bool

    @property
    def injection(self) -> bool:
        return self.interval_days is not None


@dataclass(frozen=True, slots=True)
class UnknownMedicine:
    """A supply whose medicine is not in Upstream's tables: the words as written, and the day of its last row."""

    written: str
    last: int | None


def held(person: PersonAsKnown) -> tuple[HeldMedicine, ...]:
    """Medicines whose course has not ended (90 days after supply ran out), what is in hand first: injections,
    psychotropics, then others; what is taken when needed last."""
    lasting = [c for c in person.courses if person.as_of <= c.end + COURSE_GAP_DAYS]
    found = [_held(person, course) for course in lasting]
    found.sort(key=_order)
    return tuple(found)


def _order(one: HeldMedicine) -> tuple[bool, bool, bool, bool, str]:
    medicine = MEDICINES[one.name]
    return one.lapsed, one.as_required, not medicine.is_psychotropic, not one.injection, one.name


def _held(person: PersonAsKnown, course: Course) -> HeldMedicine:
    dose, interval, due = course.dose, None, None if course.required else course.end
    last, kind = course.last_day, _kind(person, course.last_row)
    if course.injection:
        rows = [row for row in person.injections if row.medicine.name == course.medicine.name]
        given = [row for row in rows if row.given]
        columns = person.shared.records.columns("supplies")
        injected = columns["dose_mg"][course.last_row]
        interval = int(person.shared.taking.length[course.last_row])
        if given:
            newest = max(given, key=lambda row: (row.day, row.row))
            last, interval, injected, due = newest.day, newest.length, newest.dose_mg, newest.day + newest.length
            kind = _kind(person, newest.row)
        elif rows:
            due = None
        dose = None if injected != injected else float(injected)
    return HeldMedicine(
        course.medicine.name,
        "long_acting_injection" if course.injection else course.medicine.route,
        dose,
        interval,
        course.required,
        SIDES[course.last_side] if course.last_side >= 0 else "",
        course.start,
        last,
        kind,
        due,
        not course.current(person.as_of),
    )


def _kind(person: PersonAsKnown, row: int) -> str:
    return _KINDS[person.shared.records.columns("supplies")["kind"][row]]


def unknown(person: PersonAsKnown) -> tuple[UnknownMedicine, ...]:
    """Medicines of the last half year that are not in Upstream's tables, each once, the newest first."""
    newest: dict[str, int | None] = {}
    for one in person.unread:
        if (one.table, one.column) == ("supplies", "medicine"):
            day = None if one.on is None else day_of(one.on)
            if day is not None and person.as_of - day > SHOWN_UNKNOWN_DAYS:
                continue
            before = newest.get(one.value)
            newest[one.value] = day if before is None else before if day is None else max(before, day)
    return tuple(
        UnknownMedicine(written, day) for written, day in sorted(newest.items(), key=lambda p: (-(p[1] or 0), p[0]))
    )
