"""Gaps that follow from the monitoring schedule: the same due dates that the features read."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import Due, Person, scope_names
from features.records.days import NO_DAY
from features.reference import PROTOCOLS, TESTS

_OWN_CODES = frozenset(
    {
        ("clozapine", "fbc"),
        ("clozapine", "wbc"),
        ("clozapine", "anc"),
        ("clozapine", "clozapine_level"),
        ("clozapine", "constipation_check"),
        *(("lithium", test) for test in ("lithium_level", "egfr", "u_and_e", "tft", "calcium")),
        *(
            ("valproate", test)
            for test in ("annual_risk_acknowledgement", "two_specialist_agreement", "contraception_status")
        ),
    }
)
_OWN_TESTS = frozenset({"side_effect_scale", "structured_medication_review", "hdat_review", "anticholinergic_review"})
_NEEDED = ("required", "mandatory")
FULL_CHECK = "annual_physical_health_check"


def due_evidence(person: Person, due: Due) -> tuple[Evidence, ...]:
    """The latest result that meets the schedule of ``due``; without one, the supply that started the course."""
    last = person.last_met(due.item.test)
    if last:
        return (Evidence("results", last.row, last.day, f"last {TESTS[due.item.test].label}"),)
    names = scope_names(due.item.scope)
    for course in person.courses:
        if course.medicine.name in names:
            return (Evidence("supplies", course.first_row, course.start, f"{course.medicine.name} started"),)
    return ()


def due_value(due: Due) -> str:
    label = TESTS[due.item.test].label
    return f"{label}: not recorded" if due.last == NO_DAY else f"{label}: last recorded {iso(due.last)}"


def never_done(person: Person) -> Iterator[Gap]:
    """MONITORING_NEVER_DONE: a scheduled check past its grace that was never recorded, or the annual physical health
    check past its grace.

    Checks with a code of their own are left to it. [D]: medium where the protocol of one of them says required or
    mandatory, else low. The value names what is not recorded and counts all checks past due.
    """
    t = person.as_of
    past = [due for due in person.due if due.past_grace(t)]
    never: dict[str, Due] = {}
    for due in past:
        test = due.item.test
        if test in _OWN_TESTS or (due.item.scope, test) in _OWN_CODES:
            continue
        if (due.last == NO_DAY or test == FULL_CHECK) and (test not in never or due.day < never[test].day):
            never[test] = due
    if not never:
        return
    dues = sorted(never.values(), key=lambda due: due.day)
    count = len({due.item.test for due in past})
    needed = any(PROTOCOLS[due.protocol].requirement in _NEEDED for due in dues)
    severity: Severity = "medium" if needed else "low"
    first = dues[0]
    value = f"{'; '.join(due_value(due) for due in dues)}; {count} scheduled checks past due in all"
    known = tuple(citations.protocol(due.protocol) for due in dues)
    yield from gap_of(
        CODES["MONITORING_NEVER_DONE"],
        [Finding(severity, value, known, due_evidence(person, first), first.day, t - first.day)],
    )


RULES = (never_done,)
