"""Care gaps: overdue or missing care found by a rule, with the standard, the date and the rows it comes from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.engine.caseload import died_on_no_known_day, have_died
from features.gaps.assumed_days import mark_assumed_days
from features.gaps.codes import CODES
from features.gaps.folding import one_line_each
from features.gaps.gap import Code, Evidence, Gap, gap_order
from features.gaps.person_view import PersonAsKnown, Shared
from features.gaps.rules.engagement import changes, contact, review, support
from features.gaps.rules.monitoring import (
    clozapine,
    clozapine_levels,
    clozapine_results,
    lithium,
    physical,
    results,
)
from features.gaps.rules.monitoring import (
    schedule as monitoring,
)
from features.gaps.rules.needs import Plan
from features.gaps.rules.needs_by_rule import NEEDS
from features.gaps.rules.prescribing import (
    antipsychotics,
    burdens,
    doses,
    interactions,
    pregnancy,
    untreated,
    valproate,
)
from features.gaps.rules.supply import depot, oral, stock
from features.gaps.shard import SHARD, shards
from features.monitoring import due_dates
from features.records import Records, day_of
from features.records.memory import no_collecting
from features.reference import TESTS

RULES = (
    *clozapine.RULES,
    *clozapine_results.RULES,
    *clozapine_levels.RULES,
    *lithium.RULES,
    *depot.RULES,
    *oral.RULES,
    *changes.RULES,
    *antipsychotics.RULES,
    *untreated.RULES,
    *stock.RULES,
    *physical.RULES,
    *monitoring.RULES,
    *burdens.RULES,
    *interactions.RULES,
    *valproate.RULES,
    *pregnancy.RULES,
    *results.RULES,
    *doses.RULES,
    *support.RULES,
    *contact.RULES,
    *review.RULES,
)
PLAN = Plan(RULES, NEEDS)
"""Which of the rules to ask about a person."""
COLUMNS = (
    "patient_id",
    "code",
    "severity",
    "safety",
    "title",
    "due_on",
    "days_overdue",
    "value",
    "evidence",
    "action",
    "standard",
    "source",
    "verified",
    "could_not_check",
    "shown",
)


def people(records: Records, places: npt.NDArray[np.int64], as_of: int) -> Iterator[PersonAsKnown]:
    """Each person at ``places`` in ``records.patient_ids`` as known on a day number, as the rules read them."""
    records = records.as_known(as_of)
    days = np.full(len(places), as_of, np.int32)
    prepared = due_dates.prepare(records)
    scheduled = due_dates.due_dates(prepared, places, days)
    shared = Shared(records, prepared.conditions.regimen)
    for shard in shards(shared, places, as_of, scheduled):
        for who, (place, regimen_row) in enumerate(zip(shard.places.tolist(), shard.regimen.tolist(), strict=True)):
            yield PersonAsKnown(shard, who, place, regimen_row)


def gaps_of(records: Records, places: npt.NDArray[np.int64], as_of: int) -> list[list[Gap]]:
    """Gaps of each person at ``places`` in ``records.patient_ids`` on a day number, in :func:`gap_order`, without
    pandas. People who have died have none.
    """
    return [gaps for _, gaps in people_with_gaps(records, places, as_of)]


def people_with_gaps(
    records: Records, places: npt.NDArray[np.int64], as_of: int
) -> Iterator[tuple[PersonAsKnown, list[Gap]]]:
    """Yields each person as known with their gaps, for callers that need more than the gaps."""
    records = records.as_known(as_of)
    dead = have_died(records, as_of) | died_on_no_known_day(records, as_of)
    with no_collecting() if len(places) > SHARD else nullcontext():
        for person in people(records, places, as_of):
            rules = () if dead[person.place] else PLAN.of(person)
            gaps = one_line_each(mark_assumed_days(person, [gap for rule in rules for gap in rule(person)]))
            gaps.sort(key=gap_order)
            yield person, gaps


NOT_ASSESSED = frozenset(("clinical_review",))
"""Half of this check's condition cannot be assessed for anybody."""


def could_not_check(person: PersonAsKnown, gaps: Sequence[Gap] = ()) -> list[str]:
    """What applies to a person and could not be checked because a record is missing, in words: the scheduled checks
    whose condition is not recorded, and what the gaps found could not check. "Nothing found" is shown only together
    with this.
    """
    tests = [TESTS[item.test].label for item in person.unsure if item.test not in NOT_ASSESSED]
    checks = [f"whether {label} is due" for label in dict.fromkeys(tests)]
    born = person.patient("birth_date") is not None
    facts = [] if born else [f"limits that turn on the date of birth: {person.absent('patients.birth_date')}"]
    tables = {one.table for one in person.unread}
    for table, word, rows in (("supplies", "medicines", person.courses), ("results", "results", person.results)):
        if not rows:
            facts.append(f"{word}: {'recorded but not understood' if table in tables else 'none recorded'}")
    return [*facts, *checks, *dict.fromkeys(name for gap in gaps for name in gap.could_not_check)]


def unchecked_of(records: Records, places: npt.NDArray[np.int64], as_of: int) -> list[list[str]]:
    """:func:`could_not_check` of each person at ``places`` in ``records.patient_ids`` on a day number."""
    return [
        could_not_check(person, [gap for rule in PLAN.of(person) for gap in rule(person)])
        for person in people(records, places, as_of)
    ]


def find_gaps(records: Records, as_of: dt.date | str, patients: Iterable[str] | None = None) -> pd.DataFrame:
    """One row per care gap known at 00:00 of ``as_of``, for each person sorted by safety, then severity. People who
    have died have none.

    ``patients`` limits the search (all people by default). Columns: patient_id, code, severity (critical, high,
    medium, low), safety, title, due_on (NaT where the gap has no date), days_overdue, value (what fired), evidence
    (list of {table, row, on, what}, where ``row`` is the position in ``records.as_known(as_of)[table]``), action,
    standard, source, verified (False where a fact behind it is still to be checked), could_not_check (what the rule
    could not check), shown (whether a page shows it without being asked). Raises KeyError for a patient who is not
    in the records.
    """
    wanted = records.patient_ids if patients is None else list(patients)
    places = records.positions(wanted)
    if (places < 0).any():
        raise KeyError(f"{int((places < 0).sum())} of the patients asked for are not in the records")
    day = day_of(as_of)
    rows = [
        {"patient_id": patient, **gap.as_dict(), "shown": gap.shown(day)}
        for patient, gaps in zip(wanted, gaps_of(records, places, day), strict=True)
        for gap in gaps
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["due_on"] = pd.to_datetime(frame["due_on"])
    frame["days_overdue"] = frame["days_overdue"].astype("float64")
    return frame


__all__ = [
    "CODES",
    "COLUMNS",
    "RULES",
    "Code",
    "Evidence",
    "Gap",
    "PersonAsKnown",
    "could_not_check",
    "find_gaps",
    "gaps_of",
    "people",
    "people_with_gaps",
    "unchecked_of",
]
