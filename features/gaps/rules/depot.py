"""Long-acting injections past due."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Person
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.reference import Medicine, low_limit

LATE_DAYS = low_limit("th105")
SIGNIFICANT_DAYS = 14
ARIPIPRAZOLE = "aripiprazole 1-monthly injection"
EARLY_LIMIT_DAYS, EARLY_DOSES = 35, 3
"""The product's note in medicines.csv: 5 weeks for the 2nd or 3rd dose, 6 weeks from the 4th."""


def _injections(person: Person) -> list[Course]:
    return [c for c in person.courses if c.medicine.is_antipsychotic and c.medicine.is_long_acting_injection]


def missed_after(medicine: Medicine, given: int) -> tuple[float | None, str]:
    """Days from the last injection after which the product's missed-dose rule applies, and the field that says so."""
    if medicine.name == ARIPIPRAZOLE and given < EARLY_DOSES:
        return EARLY_LIMIT_DAYS, "note"
    return medicine.lai_missed_dose_rule_after_days, "lai_missed_dose_rule_after_days"


def depot(person: Person) -> Iterator[Gap]:
    """LAI_OVERDUE: the latest injection's interval has passed. Bands of CLINICAL.md section 3 [D]: 1 to 7 days medium,
    from 8 high, past the product's missed-dose limit critical; both of the last two given more than 7 days late lifts
    medium to high. Silent once the course has ended, more than 90 days past due. The latest injection of any product
    counts. Not silent in hospital: the ward may not have given it."""
    held = _injections(person)
    if not held:
        return
    last = max(held, key=lambda course: (course.last_day, course.last_row))
    day, length, row = last.given[-1]
    due = day + length
    overdue, since = person.as_of - due, person.as_of - day
    if not 0 < overdue <= COURSE_GAP_DAYS:
        return
    limit, field = missed_after(last.medicine, len(last.given))
    late = [later[0] - (earlier[0] + earlier[1]) for earlier, later in zip(last.given, last.given[1:], strict=False)]
    twice = len(late) >= 2 and min(late[-2:]) > LATE_DAYS
    severity: Severity = "high" if overdue > LATE_DAYS or twice else "medium"
    said = [f"last {last.medicine.name} on {iso(day)}, {overdue} days past due"]
    if limit is None:
        said.append("missed-dose limit of the product not recorded")
    elif since > limit:
        severity = "critical"
        said.append(f"past the product's missed-dose limit of {limit:g} days")
    else:
        said.append(f"{limit - since:g} days left before the product's missed-dose limit")
    if overdue > LATE_DAYS:
        said.append("significantly late" if overdue <= SIGNIFICANT_DAYS else "more than 14 days late")
    if twice:
        said.append("the last two were given more than 7 days late")
    if person.inpatient:
        said.append("in hospital: check the ward's chart")
    yield from gap_of(
        CODES["LAI_OVERDUE"],
        [
            Finding(
                severity,
                "; ".join(said),
                (
                    citations.clinical("3", "D"),
                    citations.threshold("th105"),
                    citations.of_medicine(last.medicine, field),
                ),
                (Evidence("supplies", row, day, f"last injection of {last.medicine.name}"),),
                due,
                overdue,
            )
        ],
    )


RULES = (depot,)
