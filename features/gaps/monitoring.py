"""Gaps that follow from the monitoring schedule: the same due dates that the features read."""

from __future__ import annotations

from collections.abc import Iterator

from features.engine.spec import satisfying
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Gap, Severity
from features.gaps.person import Due, Person
from features.records.days import NO_DAY
from features.reference import PROTOCOLS, TESTS

_LITHIUM_ORGANS = ("egfr", "u_and_e", "tft", "calcium")


def _evidence(person: Person, due: Due) -> tuple[Evidence, ...]:
    met_by = satisfying(due.item.test)
    rows = [result for result in person.results if result.test in met_by]
    if not rows:
        return ()
    last = rows[-1]
    return (Evidence("results", last.row, last.day, f"last {TESTS[due.item.test].label}"),)


def _value(due: Due) -> str:
    label = TESTS[due.item.test].label
    return f"{label}: not recorded" if due.last == NO_DAY else f"{label}: last recorded"


def clozapine_fbc(person: Person) -> Iterator[Gap]:
    """CLZ_FBC_OVERDUE: from the due day itself; severity rises at 1, 3 and 7 days past due (CLINICAL.md section 4)."""
    for due in person.due:
        if due.item.scope != "clozapine" or due.item.test != "fbc":
            continue
        overdue = person.as_of - due.day
        if overdue < 0:
            continue
        severity: Severity = "critical" if overdue >= 3 else "high" if overdue >= 1 else "medium"
        protocol = PROTOCOLS[due.protocol]
        yield Gap(
            CODES["CLZ_FBC_OVERDUE"],
            severity,
            f"{_value(due)}; every {protocol.interval_days} days in this phase"
            if protocol.interval_days
            else _value(due),
            f"{protocol.id}: {protocol.source}",
            protocol.verified,
            due.day,
            overdue,
            _evidence(person, due),
        )


def lithium(person: Person) -> Iterator[Gap]:
    """LI_LEVEL_OVERDUE and LI_RENAL_THYROID_CALCIUM: past due and past the days of grace."""
    overdue = [due for due in person.due if due.item.scope == "lithium" and _past_grace(person, due)]
    for due in overdue:
        if due.item.test == "lithium_level":
            yield _scheduled(person, "LI_LEVEL_OVERDUE", [due], "high")
    organs = [due for due in overdue if due.item.test in _LITHIUM_ORGANS]
    if organs:
        yield _scheduled(person, "LI_RENAL_THYROID_CALCIUM", organs, "high")


def never_done(person: Person) -> Iterator[Gap]:
    """MONITORING_NEVER_DONE: a test that is past due and has never been recorded."""
    missing = {
        due.item.test: due
        for due in person.due
        if due.last == NO_DAY
        and _past_grace(person, due)
        and not (due.item.scope == "clozapine" and due.item.test == "fbc")
        and not (due.item.scope == "lithium" and due.item.test in ("lithium_level", *_LITHIUM_ORGANS))
    }
    if missing:
        yield _scheduled(person, "MONITORING_NEVER_DONE", sorted(missing.values(), key=lambda due: due.day), "medium")


def _past_grace(person: Person, due: Due) -> bool:
    return person.as_of > due.day + PROTOCOLS[due.protocol].grace_days


def _scheduled(person: Person, code: str, dues: list[Due], severity: Severity) -> Gap:
    first = min(dues, key=lambda due: due.day)
    protocols = [PROTOCOLS[due.protocol] for due in dues]
    return Gap(
        CODES[code],
        severity,
        "; ".join(_value(due) for due in dues),
        "; ".join(dict.fromkeys(f"{p.id}: {p.source}" for p in protocols)),
        all(p.verified for p in protocols),
        first.day,
        person.as_of - first.day,
        tuple(row for due in dues for row in _evidence(person, due)),
    )


RULES = (clozapine_fbc, lithium, never_done)
