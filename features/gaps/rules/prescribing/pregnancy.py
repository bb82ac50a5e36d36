"""Care gaps of pregnancy and its prevention with harmful medicines: topiramate's programme, lithium and
carbamazepine. Valproate has its own rule (features/gaps/rules/prescribing/valproate.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown

PREGNANCY_DAYS = 294
"""42 weeks: a pregnancy recorded longer ago is over."""
WEEKS_AFTER_DAYS = 84
"""A code that also holds after a birth (O98, O99), recorded in the 12 weeks after one, is no new pregnancy [D]."""
_NEVER = -(2**40)


class Harm(NamedTuple):
    base: str
    action: str


HARMS = (
    Harm(
        "lithium",
        "Lithium in pregnancy: perinatal and obstetric review now; levels every 4 weeks, weekly from week 36; "
        "not stopped suddenly.",
    ),
    Harm(
        "topiramate",
        "Topiramate in pregnancy: urgent specialist review of the need for it; not stopped suddenly for epilepsy.",
    ),
    Harm(
        "carbamazepine",
        "Carbamazepine in pregnancy: urgent specialist review; folic acid; not stopped suddenly.",
    ),
)


def pregnancy(person: PersonAsKnown) -> Evidence | None:
    """The record of a current pregnancy: a diagnosis, a circumstance of that kind, or a positive test, of the last 42
    weeks, after which no birth and no other end of a pregnancy is coded."""
    ended = person.diagnosed("pregnancy ended", PREGNANCY_DAYS)
    over = ended[0].on if ended else _NEVER
    for group, after in (("pregnancy", over), ("pregnancy or after", over + WEEKS_AFTER_DAYS)):
        coded = person.diagnosed(group, PREGNANCY_DAYS)
        if coded and coded[0].on > after:
            return coded[0]._replace(what="pregnancy")
    row = person.circumstance("pregnancy")
    if row and row.value == "yes" and person.as_of - row.day <= PREGNANCY_DAYS and row.day > over:
        return Evidence("circumstances", row.row, row.day, "pregnancy")
    tests = person.readings("pregnancy_status")
    if tests and tests[-1].value == 1 and person.as_of - tests[-1].day <= PREGNANCY_DAYS and tests[-1].day > over:
        return Evidence("results", tests[-1].row, tests[-1].day, "pregnancy test")
    return None


def harm(person: PersonAsKnown) -> Iterator[Gap]:
    """PREGNANCY_RISK: a pregnancy is recorded and lithium, topiramate or carbamazepine is taken (critical); or
    topiramate is taken, the person may become pregnant, and no annual form of its programme is recorded in a year
    (high).

    [D]: if the record does not show whether the person may become pregnant, and it is not ruled out, the gap is
    medium and says that it cannot be assessed.
    """
    taken = {row.base: person.base(row.base) for row in HARMS}
    if not any(taken.values()):
        return
    found = []
    known = pregnancy(person)
    for row in HARMS:
        held = taken[row.base]
        if known and held:
            rows = (known, person.supplied(held[0], f"last supply of {held[0].medicine.name}"))
            said = f"pregnancy recorded on {iso(known.on)}; {row.base} supplied on {iso(held[0].last_day)}"
            facts = (citations.protocol_named("mp140" if row.base == "lithium" else "mp163"),)
            if row.base != "lithium":
                facts = (citations.clinical("1.1", "D"),)
            found.append(Finding("critical", said, facts, rows, action=row.action))
    if taken["topiramate"] and not known:
        found.extend(_programme(person))
    yield from gap_of(CODES["PREGNANCY_RISK"], found)


def _programme(person: PersonAsKnown) -> Iterator[Finding]:
    course = person.base("topiramate")[0]
    answer = person.answers.childbearing
    started = Evidence("supplies", course.first_row, course.start, "topiramate started")
    facts = (citations.Fact("MHRA Drug Safety Update, June 2024, as read by a pharmacist (unverified)", False),)
    action = "Topiramate: specialist review, annual risk form, highly effective contraception."
    if answer == -1:
        said = "topiramate: whether the pregnancy prevention programme applies is not recorded"
        unchecked = ("topiramate programme: childbearing potential not recorded",)
        yield Finding("medium", said, facts, (started,), action=action, unchecked=unchecked)
    elif answer == 1:
        last = person.last_met("annual_risk_acknowledgement")
        due = last.day + YEAR if last else course.start
        if person.as_of > due:
            said = f"topiramate: annual risk form {f'last recorded {iso(last.day)}' if last else 'not recorded'}"
            rows = (Evidence("results", last.row, last.day, "annual risk form"),) if last else (started,)
            yield Finding("high", said, facts, rows, due, person.as_of - due, action=action)


RULES = (harm,)
