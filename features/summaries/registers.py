"""The registers a pharmacist keeps: who is on clozapine, lithium, long-acting injections, valproate or topiramate, on a
high dose, or on medicines that interact; one row a person with what was done last, what is next, and the result.

A row is read from the courses, results and due dates that the care gaps read. Who is on a register stays on it for 90
days after supply ran out, as long as the course lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from features.gaps.person_view import PersonAsKnown
from features.gaps.rules.monitoring import clozapine
from features.gaps.rules.prescribing import antipsychotics
from features.gaps.rules.prescribing.interactions import all_pairs
from features.gaps.rules.prescribing.valproate import FORM_DAYS
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.records.days import NO_DAY, date_of
from features.reference import TESTS
from features.summaries.upcoming import next_due, scheduled

POINTS = 6
_SEVERITIES = ("contraindicated", "high", "moderate", "low")
_FORM = "annual_risk_acknowledgement"


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One person on one register. ``last`` and ``next`` are day numbers; ``result`` says what was found in words;
    ``trend`` holds (day, value) of the main number, oldest first, in ``unit``; ``more`` holds (what, words) of other
    checks. ``rank`` orders rows where a register has an order of its own (0 first)."""

    register: str
    medicines: tuple[str, ...]
    last: int | None
    next: int | None
    result: str
    trend: tuple[tuple[int, float], ...] = ()
    unit: str = ""
    more: tuple[tuple[str, str], ...] = ()
    rank: int = 0


def registers(person: PersonAsKnown) -> tuple[RegisterRow, ...]:
    """The rows of every register that the person is on, in the order of ``REGISTERS``."""
    return tuple(row for make in REGISTERS.values() if (row := make(person)) is not None)


def _lasting(person: PersonAsKnown, *bases: str) -> list[Course]:
    t = person.as_of
    return [c for c in person.courses if c.medicine.base in bases and t <= c.end + COURSE_GAP_DAYS]


def _names(courses: Iterable[Course]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(course.medicine.name for course in courses))


def _trend(person: PersonAsKnown, test: str) -> tuple[tuple[int, float], ...]:
    return tuple((one.day, float(one.value)) for one in person.readings(test)[-POINTS:])


def _last_of(person: PersonAsKnown, *tests: str) -> int | None:
    days = [person.results[test][-1][0] for test in tests if test in person.results]
    return max(days) if days else None


def _said(person: PersonAsKnown, test: str) -> str:
    """The latest result of a test in words, or that none is recorded."""
    rows = person.results.get(test)
    if not rows:
        return person.absent(test)
    last = rows[-1]
    number = "" if last.value != last.value else f"{last.value:g} {TESTS[test].unit}".strip() + ", "
    return f"{number}{_day(last.day)}"


def _day(day: int) -> str:
    date = date_of(day)
    return "" if date is None else date.isoformat()


def _clozapine(person: PersonAsKnown) -> RegisterRow | None:
    course = clozapine.course_of(person)
    if course is None:
        return None
    count = clozapine.next_count(person)
    last = count.last if count is not None and count.last != NO_DAY else None
    counts = [(label, person.newest(test)) for label, test in (("neutrophils", "anc"), ("white cells", "wbc"))]
    newest = [(label, one) for label, one in counts if one]
    # A day beside one of two numbers reads as the day of both.
    dated = any(one.day != last for _, one in newest)
    found = [f"{label} {one.value:g}" + (f" on {_day(one.day)}" if dated else "") for label, one in newest]
    weeks = (person.as_of - course.start) // 7 + 1
    return RegisterRow(
        "clozapine",
        _names([course]),
        last,
        None if count is None else count.day,
        ", ".join(found) or ("recorded without a number" if last is not None else person.absent_test("fbc")),
        _trend(person, "anc"),
        TESTS["anc"].unit,
        (
            ("Level", _said(person, "clozapine_level")),
            ("On this course", f"week {weeks}, since {_day(course.start)}"),
        ),
    )


def _lithium(person: PersonAsKnown) -> RegisterRow | None:
    courses = _lasting(person, "lithium")
    if not courses:
        return None
    due = next_due(person, "lithium", "lithium_level")
    level = person.newest("lithium_level")
    return RegisterRow(
        "lithium",
        _names(courses),
        _last_of(person, "lithium_level"),
        None if due is None else due.day,
        f"{level.value:g} {TESTS['lithium_level'].unit}" if level else person.absent("lithium_level"),
        _trend(person, "lithium_level"),
        TESTS["lithium_level"].unit,
        (
            ("eGFR", _said(person, "egfr")),
            ("TSH", _said(person, "tsh")),
            ("Calcium", _said(person, "calcium_adjusted" if "calcium_adjusted" in person.results else "calcium")),
        ),
    )


def _injections(person: PersonAsKnown) -> RegisterRow | None:
    rows, t = person.injections, person.as_of
    newest = max((row for row in rows if row.given), key=lambda row: (row.day, row.row), default=None)
    supplied = max((row.day + row.length for row in rows), default=None)
    if supplied is None or t > supplied + COURSE_GAP_DAYS:
        return None
    if newest is None:
        names = tuple(dict.fromkeys(row.medicine.name for row in rows))
        return RegisterRow("injections", names, None, None, "supplied; none recorded as given")
    mine = [row for row in rows if row.given and row.medicine.name == newest.medicine.name][-POINTS - 1 :]
    late = [(later.day, float(later.day - earlier.day - earlier.length)) for earlier, later in pairwise(mine)]
    dose = "dose not recorded" if newest.dose_mg != newest.dose_mg else f"{newest.dose_mg:g} mg"
    return RegisterRow(
        "injections",
        (newest.medicine.name,),
        newest.day,
        newest.day + newest.length,
        f"{dose} every {newest.length} days" + (f"; {_lateness(late[-1][1])}" if late else ""),
        tuple(late),
        "days late",
    )


def _lateness(days: float) -> str:
    if not days:
        return "last given on its day"
    return f"last given {abs(days):g} {'day' if abs(days) == 1 else 'days'} {'late' if days > 0 else 'early'}"


def _valproate(person: PersonAsKnown) -> RegisterRow | None:
    courses = _lasting(person, "valproate", "topiramate")
    if not courses:
        return None
    last, applies = _last_of(person, _FORM), person.answers.childbearing
    words = {
        1: "annual form " + ("recorded" if last is not None else person.absent(_FORM)),
        0: "programme does not apply by what is recorded",
    }
    start = min(course.start for course in courses)
    return RegisterRow(
        "valproate",
        _names(courses),
        last,
        None if applies != 1 else start if last is None else last + FORM_DAYS,
        words.get(applies, "not known whether the programme applies"),
        more=(
            ("Contraception", _said(person, "contraception_status")),
            ("Two specialists", _said(person, "two_specialist_agreement")),
            ("Liver function", _said(person, "lft") if "lft" in person.results else _said(person, "alt")),
        ),
    )


def _high_dose(person: PersonAsKnown) -> RegisterRow | None:
    total = person.regimen("percent_of_max")
    if not round(total, 6) > antipsychotics.PERCENT_OF_MAXIMUM:
        return None
    dues = [due for due in scheduled(person) if due.item.test == "ecg_qtc"]
    return RegisterRow(
        "high-dose",
        _names(antipsychotics.antipsychotics(person)),
        _last_of(person, "ecg_qtc", "qtc"),
        min((due.day for due in dues), default=None),
        f"{total:.0f}% of maximum",
        _trend(person, "qtc"),
        "ms",
        (("QTc", _said(person, "qtc")),),
        rank=-round(total),
    )


def _interactions(person: PersonAsKnown) -> RegisterRow | None:
    pairs = sorted(all_pairs(person), key=lambda pair: _SEVERITIES.index(pair[2].severity))
    if not pairs:
        return None
    said = [
        f"{one.medicine.name} with {other.medicine.name}: {row.effect} ({row.severity})" for one, other, row in pairs
    ]
    one, other, worst = pairs[0]
    return RegisterRow(
        "interactions",
        _names(course for pair in pairs for course in pair[:2]),
        max(one.start, other.start),
        None,
        said[0],
        more=tuple(("Also", words) for words in said[1:]),
        rank=_SEVERITIES.index(worst.severity),
    )


REGISTERS: dict[str, Callable[[PersonAsKnown], RegisterRow | None]] = {
    "clozapine": _clozapine,
    "lithium": _lithium,
    "injections": _injections,
    "valproate": _valproate,
    "high-dose": _high_dose,
    "interactions": _interactions,
}
