"""Care gaps of long-acting injections: past due, and missing loading dose, tablets at the start or observation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Injection, PersonAsKnown
from features.kernels.coverage import COURSE_GAP_DAYS
from features.records.days import NO_DAY
from features.reference import Medicine, low_limit
from features.reference.medicines.injections import INJECTION_STARTS, InjectionStart

LATE_DAYS = low_limit("th105")
SIGNIFICANT_DAYS = 14
ARIPIPRAZOLE = "aripiprazole 1-monthly injection"
EARLY_LIMIT_DAYS, EARLY_DOSES = 35, 3
"""The product's note in medicines.csv: 5 weeks for the 2nd or 3rd dose, 6 weeks from the 4th."""
FIRST_GENERATION = "antipsychotic_first_generation"
GIVEN_BY_DAYS = 14
"""Days after which a gap fires for an injection that was prescribed or dispensed and is not recorded as given [D]."""
COVER_GRACE_DAYS = 2
EMBONATE = "olanzapine embonate injection"
OBSERVATION = "post_injection_observation"
_CHART = "Check the chart: was it given?"
_SECOND = "the product's rule for a missed second loading dose"
_OUTREACH = "Contact the person and offer the injection, as outreach where needed."
_MISSED = {
    "product": "Follow the product's rule for a missed dose before giving the next one.",
    "none": (
        "Ask the prescriber how to resume: no manufacturer sets a missed-dose limit for this injection. Consider"
        " tablets until it works again."
    ),
}


def course(given: list[Injection]) -> list[Injection]:
    """Injections of the latest course: a new one starts more than 90 days after one fell due."""
    first = 0
    for place in range(1, len(given)):
        earlier = given[place - 1]
        if given[place].day > earlier.day + earlier.length + COURSE_GAP_DAYS:
            first = place
    return given[first:]


def missed_after(medicine: Medicine, given: int) -> tuple[float | None, str]:
    """Days from the last injection after which the missed-dose rule applies, and the field that says so."""
    if medicine.name == ARIPIPRAZOLE and given < EARLY_DOSES:
        return EARLY_LIMIT_DAYS, "note"
    return medicine.lai_missed_dose_rule_after_days, "lai_missed_dose_rule_after_days"


def lateness(person: PersonAsKnown) -> Iterator[Finding]:
    """The latest injection's interval has passed, or a prescribed one is not recorded as given."""
    rows = person.injections
    if not rows:
        return
    given = [row for row in rows if row.given]
    if not given:
        yield from _never_given(person, rows)
        return
    last = given[-1]
    since_then = [row for row in rows if not row.given and row.day > last.day]
    due = last.day + last.length
    overdue = person.as_of - due
    supplied = bool(since_then) and person.as_of <= since_then[-1].day + since_then[-1].length + COURSE_GAP_DAYS
    if overdue <= 0 or (overdue > COURSE_GAP_DAYS and not supplied):
        return
    held = course([row for row in given if row.medicine.name == last.medicine.name])
    yield _late(person, held, since_then, due)


def _late(person: PersonAsKnown, held: list[Injection], since_then: list[Injection], due: int) -> Finding:
    """Bands of docs/clinical.md section 3 [D]: 1 to 7 days medium, from 8 high, past the missed-dose limit critical."""
    last, name = held[-1], held[-1].medicine.name
    overdue, since = person.as_of - due, person.as_of - last.day
    limit, field = missed_after(last.medicine, len(held))
    late = [later.day - (earlier.day + earlier.length) for earlier, later in pairwise(held)]
    twice = len(late) >= 2 and min(late[-2:]) > LATE_DAYS
    severity: Severity = "high" if overdue > LATE_DAYS or twice else "medium"
    said, action = [f"last {name} on {iso(last.day)}, {overdue} days past due"], [_OUTREACH]
    first_generation = last.medicine.medicine_class == FIRST_GENERATION
    if limit is None:
        said.append("missed-dose limit of the product not recorded")
    elif since > limit:
        severity = "critical"
        if first_generation:
            said.append(f"more than {limit:g} days since the last; the manufacturer sets no missed-dose limit")
        else:
            said.append(f"past the product's missed-dose limit of {limit:g} days")
        action.append(_MISSED["none" if first_generation else "product"])
    elif not first_generation:
        said.append(f"{limit - since:g} days left before the product's missed-dose limit")
    if overdue > LATE_DAYS:
        said.append("significantly late" if overdue <= SIGNIFICANT_DAYS else "more than 14 days late")
    if twice:
        said.append("the last two were given more than 7 days late")
    if person.inpatient:
        said.append("in hospital: check the ward's chart")
    evidence = [Evidence("supplies", last.row, last.day, f"last injection of {name}")]
    tablets = [
        c
        for c in person.current
        if c.medicine.is_antipsychotic and not c.injection and not c.required and c.start > last.day
    ]
    if tablets:
        names = ", ".join(dict.fromkeys(c.medicine.name for c in tablets))
        said.append(f"{names} by mouth started on {iso(tablets[0].start)}, after the last injection")
        action.insert(0, "Ask the prescriber whether the injection was changed to tablets; if not:")
        evidence.extend(person.supplied(c, f"last supply of {c.medicine.name}") for c in tablets)
    if since_then:
        row = since_then[-1]
        said.append(f"supplied again on {iso(row.day)}, not recorded as given")
        action.insert(0, _CHART)
        evidence.append(Evidence("supplies", row.row, row.day, f"{row.medicine.name} prescribed or dispensed"))
    known = (
        citations.clinical("3", "D"),
        citations.threshold("th105"),
        citations.of_medicine(last.medicine, field),
    )
    return Finding(severity, "; ".join(said), known, tuple(evidence), due, overdue, action=" ".join(action))


def _never_given(person: PersonAsKnown, rows: list[Injection]) -> Iterator[Finding]:
    """Supplied and never recorded as given: medium from 14 days, high once the latest is past its interval too [D]."""
    first, last, t = rows[0], rows[-1], person.as_of
    if t - first.day < GIVEN_BY_DAYS or t > last.day + last.length + COURSE_GAP_DAYS:
        return
    over = t - (last.day + last.length)
    said = f"{last.medicine.name} supplied on {iso(last.day)}; no injection recorded as given"
    if over > 0:
        said += f"; {over} days past due if it was given that day"
    due = first.day + GIVEN_BY_DAYS
    yield Finding(
        "high" if over > 0 else "medium",
        said,
        (citations.clinical("3", "D"),),
        (Evidence("supplies", last.row, last.day, f"{last.medicine.name} prescribed or dispensed"),),
        due,
        t - due,
        action=f"{_CHART} Record it where it was.",
        title="No injection recorded as given",
    )


def start_rule(given: list[Injection]) -> InjectionStart | None:
    """How the product of the latest injection is started, where it has a rule."""
    return INJECTION_STARTS.get(given[-1].medicine.name) if given else None


def starting(given: list[Injection]) -> list[Injection]:
    """Injections since the latest start, or restart past the missed-dose limit, of the latest product."""
    name = given[-1].medicine.name
    begun = course([row for row in given if row.medicine.name == name])
    # a person switched from another injection of the same medicine is not starting it
    before = [row for row in given if row.day < begun[0].day and row.medicine.base == begun[0].medicine.base]
    if before and begun[0].day <= before[-1].day + before[-1].length + COURSE_GAP_DAYS:
        return []
    for place in range(len(begun) - 1, 0, -1):
        limit, _ = missed_after(begun[place].medicine, place)
        if limit is not None and begun[place].day - begun[place - 1].day > limit:
            begun = begun[place:]
            break
    return begun


def loading(person: PersonAsKnown) -> Iterator[Finding]:
    """The second loading dose is not recorded: due a week after the first, high once its window has passed [D]."""
    every = [row for row in person.injections if row.given]
    rule = start_rule(every)
    given = starting(every) if rule and rule.second_dose_day is not None else []
    if not rule or not given:
        return
    due = given[0].day + (rule.second_dose_day or 0)
    overdue = person.as_of - due
    if len(given) > 1 or overdue <= 0 or person.as_of > given[0].day + given[0].length + COURSE_GAP_DAYS:
        return
    past = overdue > (rule.second_dose_window_days or 0)
    said = (
        f"second loading dose of {rule.medicine}, due {iso(due)}, not recorded; first given on {iso(given[0].day)}"
        f"{'; its window has passed' if past else ''}"
    )
    yield Finding(
        "high" if past else "medium",
        said,
        (citations.injection_start(rule.medicine),),
        (Evidence("supplies", given[0].row, given[0].day, f"first injection of {rule.medicine}"),),
        due,
        overdue,
        action=f"{_CHART} If it was not, {'give it now by' if past else 'plan it in its window, or follow'} {_SECOND}.",
        title="Second loading dose of an injection not recorded",
    )


def depot(person: PersonAsKnown) -> Iterator[Gap]:
    """LAI_OVERDUE: the latest injection that is recorded as given is past its interval, or a second loading dose is
    not recorded, or an injection was supplied and none is recorded as given.

    [D]: 1 to 7 days past due medium, from 8 high, past the missed-dose limit critical; both of the last two given more
    than 7 days late lifts medium to high. After 90 days past due NO_ANTIPSYCHOTIC takes over, unless it was supplied
    since. The latest injection of any product counts. The rule fires in hospital too: the ward may not have given it.
    """
    if not person.injections:
        return
    late, second = [*lateness(person)], [*loading(person)]
    if late:  # the date of the gap is the day from which its days count
        second = [finding._replace(due=NO_DAY, overdue=None, title="") for finding in second]
    found = [*late, *second]
    if found:
        yield from gap_of(CODES["LAI_OVERDUE"], found)


def oral_cover(person: PersonAsKnown) -> Iterator[Finding]:
    """Days without tablets after the start of an injection with delayed effect, up to the end of the oral cover that
    it needs: high from the third [D]. Two injections on the first day, or a dose above that of one, take the place of
    the tablets.
    """
    every = [row for row in person.injections if row.given]
    rule = start_rule(every)
    given = starting(every) if rule and rule.oral_cover_days is not None else []
    if not rule or not given:
        return
    first, cover = given[0].day, rule.oral_cover_days or 0
    together, most = [row for row in given if row.day == first], given[0].medicine.lai_max_dose_mg
    if person.as_of - first > cover or len(together) > 1 or (most is not None and together[0].dose_mg > most):
        return
    tablets = [
        c
        for c in person.courses
        if c.medicine.is_antipsychotic and not c.medicine.is_long_acting_injection and not c.required
    ]
    held = {day for c in tablets for begin, end in c.spans for day in range(max(begin, first), min(end, person.as_of))}
    bare = [day for day in range(first, person.as_of) if day not in held]
    missing = len(bare) - (person.away_days(first, person.as_of) if person.stays else 0)
    if missing <= COVER_GRACE_DAYS:
        return
    until = first + cover
    yield Finding(
        "high",
        f"{rule.medicine} started on {iso(first)}; oral cover to {iso(until)} not recorded for {missing} days",
        (citations.injection_start(rule.medicine),),
        (
            Evidence("supplies", given[0].row, first, f"first injection of {rule.medicine}"),
            *(person.supplied(c, f"last supply of {c.medicine.name}") for c in tablets),
        ),
        action=f"Ask whether tablets are being taken; supply oral cover until {iso(until)}.",
        title="Tablets at the start of an injection not recorded",
    )


def observation(person: PersonAsKnown) -> Iterator[Finding]:
    """The latest olanzapine embonate injection has no observation recorded on its day or the day after (mp074)."""
    given = [row for row in person.injections if row.given and row.medicine.name == EMBONATE]
    if not given or person.as_of - given[-1].day < 1:
        return
    last = given[-1]
    if any(day - last.day in (0, 1) for day, _, _ in person.results.get(OBSERVATION, ())):
        return
    if person.as_of > last.day + last.length + COURSE_GAP_DAYS:
        return
    yield Finding(
        "high",
        f"observation after injection: not recorded for the {EMBONATE} of {iso(last.day)}",
        (citations.protocol_named("mp074"),),
        (Evidence("supplies", last.row, last.day, f"injection of {EMBONATE}"),),
        action="Ask the clinic whether the 3 hours of observation took place, and record it; plan it for the next one.",
        title="Observation after olanzapine embonate not recorded",
    )


def around_injection(person: PersonAsKnown) -> Iterator[Gap]:
    """LAI_SAFE_USE: tablets at the start of an injection, or the observation after olanzapine embonate, are not
    recorded."""
    if not person.injections:
        return
    found = [*oral_cover(person), *observation(person)]
    if found:
        yield from gap_of(CODES["LAI_SAFE_USE"], found)


RULES = (depot, around_injection)
