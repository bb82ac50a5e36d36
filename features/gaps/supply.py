"""Gaps in supply: clozapine breaks, depots past due, oral medicine that ran out, and the weeks after a discharge."""

from __future__ import annotations

from collections.abc import Iterator

from features.engine.supply import COURSE_GAP_DAYS
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Gap, Severity
from features.gaps.person import Person, Supply
from features.records.days import NO_DAY
from features.reference import THRESHOLDS, in_scope

_BREAK = THRESHOLDS["th025"]
_RESET = {"CPMS": THRESHOLDS["th027"], "DMS": THRESHOLDS["th026"], "ZTAS": THRESHOLDS["th026"]}
ORAL_GAP_DAYS = 14
"""A new supply gap counts from 14 days (CLINICAL.md section 2.4, outcome A2)."""


def runs_out(supplies: list[Supply]) -> int:
    """First day not covered by one medicine's supplies, carry-over included. The features' rule, in plain Python."""
    end = supplies[0].day
    for supply in supplies:
        end = max(end, supply.day) + supply.length
    return end


def clozapine_break(person: Person) -> Iterator[Gap]:
    """CLZ_BREAK: more than 48 hours past the end of the clozapine supply recorded, until the course counts as ended."""
    supplies = [s for s in person.supplies if s.medicine.base == "clozapine"]
    if not supplies or person.inpatient:
        return
    end = runs_out(supplies)
    missed = person.as_of - end
    if not 2 < missed <= COURSE_GAP_DAYS:
        return
    service = person.circumstance("clozapine_service")
    reset = _RESET.get(service[2].upper() if service else "", THRESHOLDS["th026"])
    past_reset = missed > (reset.low or 0)
    said = f"supply recorded ran out {missed} days ago"
    yield Gap(
        CODES["CLZ_BREAK"],
        "critical",
        f"{said}; past the limit to reset blood counts" if past_reset else said,
        f"{_BREAK.id}: {_BREAK.source}; {reset.id}: {reset.source}",
        _BREAK.verified and reset.verified,
        end,
        missed,
        (Evidence("supplies", supplies[-1].row, supplies[-1].day, "last clozapine supply"),),
    )


def depot(person: Person) -> Iterator[Gap]:
    """LAI_OVERDUE: bands of CLINICAL.md section 3; critical once the product's missed-dose rule applies."""
    given = [
        s for s in person.supplies if s.injection and s.medicine.is_antipsychotic and s.kind in ("administered", "")
    ]
    if not given:
        return
    last = given[-1]
    overdue = person.as_of - last.end
    if not 0 < overdue <= COURSE_GAP_DAYS:
        return
    limit = last.medicine.lai_missed_dose_rule_after_days
    since = person.as_of - last.day
    missed = limit is not None and since > limit
    severity: Severity = "critical" if missed else "high" if overdue > 7 else "medium"
    said = f"{overdue} days past due, {since} days since the last injection"
    yield Gap(
        CODES["LAI_OVERDUE"],
        severity,
        f"{said}; past the product's missed-dose limit of {limit:g} days" if missed else said,
        "CLINICAL.md section 3, bands [D]; medicines.csv lai_missed_dose_rule_after_days",
        False,
        last.end,
        overdue,
        (Evidence("supplies", last.row, last.day, f"last injection of {last.medicine.name}"),),
    )


def oral_gap(person: Person) -> Iterator[Gap]:
    """SUPPLY_GAP_ORAL: a regular oral antipsychotic or mood stabiliser whose supply ran out, with none of its kind since."""
    if person.inpatient:
        return
    for scope, words in (("antipsychotic_any", "antipsychotic"), ("mood_stabiliser", "mood stabiliser")):
        regular = [s for s in person.supplies if in_scope(s.medicine, scope) and not s.as_required and not s.injection]
        if not regular:
            continue
        by_medicine: dict[str, list[Supply]] = {}
        for supply in regular:
            by_medicine.setdefault(supply.medicine.base, []).append(supply)
        end = max(runs_out(supplies) for supplies in by_medicine.values())
        injected = [
            s for s in person.supplies if s.injection and in_scope(s.medicine, scope) and s.day >= end - COURSE_GAP_DAYS
        ]
        gap = person.as_of - end
        if injected or not ORAL_GAP_DAYS <= gap <= COURSE_GAP_DAYS:
            continue
        last = regular[-1]
        yield Gap(
            CODES["SUPPLY_GAP_ORAL"],
            "high" if gap > 30 else "medium",
            f"supply of {words} recorded ran out {gap} days ago",
            "CLINICAL.md sections 2.4 and 3 [D]",
            False,
            end,
            gap,
            (Evidence("supplies", last.row, last.day, f"last supply of {last.medicine.name}"),),
        )


def after_discharge(person: Person) -> Iterator[Gap]:
    """POST_DISCHARGE_RECONCILE: discharged in the last 28 days with no medicines review since."""
    done = [stay for stay in person.stays if stay.discharged != NO_DAY]
    if not done or person.inpatient:
        return
    last = max(done, key=lambda stay: stay.discharged)
    since = person.as_of - last.discharged
    if since > 28 or any(
        c.attended and c.kind == "medicines_review" and c.day >= last.discharged for c in person.contacts
    ):
        return
    due = last.discharged + 7
    yield Gap(
        CODES["POST_DISCHARGE_RECONCILE"],
        "high" if since > 7 else "medium",
        f"discharged {since} days ago; no medicines review recorded since",
        "CLINICAL.md section 1.1 [D]",
        False,
        due,
        max(0, person.as_of - due),
        (Evidence("stays", last.row, last.discharged, "discharge"),),
    )


RULES = (clozapine_break, depot, oral_gap, after_discharge)
