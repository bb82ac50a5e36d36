"""Care gaps of more medicine supplied than the dose needs: supplied twice, or stored at home."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown, Supply
from features.medicines.courses import SIDES
from features.records.days import NO_DAY

WINDOW_DAYS = 180
SPARE_DAYS = 28
"""Surplus days of supply, beyond the days that passed and the latest supply, at which the gap fires [D]."""
FEWEST = 3
_TOXIC = ("lithium", "clozapine", "venlafaxine", "methadone")
_TOXIC_CLASSES = ("antidepressant_tca", "antidepressant_maoi")


def spare_days(rows: list[Supply], as_of: int) -> tuple[int, bool]:
    """Days of supply collected in the window beyond the days that passed and the latest supply; and whether trust and
    GP both supplied. Rows of one day from one side are one supply, of the longest."""
    longest: dict[tuple[int, int], int] = {}
    for row in rows:
        key = (row.day, row.side)
        longest[key] = max(longest.get(key, 0), row.length)
    if len(longest) < FEWEST:
        return 0, False
    days = sorted(longest)
    needed = as_of - days[0][0]
    latest = max(length for (day, _), length in longest.items() if day == days[-1][0])
    both = {side for _, side in days if side >= 0} == {0, 1}
    return sum(longest.values()) - needed - latest, both


def stock(person: PersonAsKnown) -> Iterator[Gap]:
    """STOCK_AT_HOME: supplies of one regular oral medicine in 180 days hold at least 28 days more than the days that
    passed and the latest supply [D].

    Dispensed rows count, prescribed ones only where none was dispensed. High for medicines that are dangerous in
    overdose (lithium, clozapine, tricyclics, venlafaxine, methadone), else medium; one supply collected some weeks
    early does not fire.
    """
    if person.place not in person.shared.much_supplied(person.as_of, WINDOW_DAYS, SPARE_DAYS):
        return
    found = []
    for course in person.current:
        if course.medicine.is_long_acting_injection or course.required or not course.medicine.is_psychotropic:
            continue
        rows = person.supplies_of(course.medicine.name, WINDOW_DAYS)
        spare, both = spare_days(rows, person.as_of)
        if spare < SPARE_DAYS:
            continue
        medicine = course.medicine
        toxic = medicine.base in _TOXIC or medicine.medicine_class in _TOXIC_CLASSES
        severity: Severity = "high" if toxic else "medium"
        said = f"{medicine.name}: {spare} days of supply more than needed since {iso(rows[0].day)}"
        if both:
            said += f"; supplied by {' and '.join(SIDES)}"
        evidence = tuple(Evidence("supplies", row.row, row.day, f"supply of {medicine.name}") for row in rows[-4:])
        found.append(Finding(severity, said, (citations.clinical("1.1", "D"),), evidence, NO_DAY))
    if found:
        yield from gap_of(CODES["STOCK_AT_HOME"], found)


RULES = (stock,)
