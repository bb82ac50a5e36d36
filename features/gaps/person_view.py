"""One person as known on a date: only rows that happened and became known before it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from features.gaps.events import (
    YEAR,
    Bound,
    Circumstance,
    ConditionAnswers,
    Contact,
    Due,
    Injection,
    Reading,
    ResultsByTest,
    Stay,
    Supply,
    meant,
    meeting,
    scope_names,
)
from features.gaps.gap import NOT_REPEATED, Evidence, Finding, iso
from features.gaps.shard import Shard
from features.gaps.shared import Shared
from features.kept import kept
from features.kernels.regimen import CURRENT_GRACE_DAYS
from features.medicines import regimen, supply_days
from features.medicines.courses import Course, first_of_each
from features.monitoring import due_dates
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.records.unread import UnreadValue
from features.reference import Medicine
from features.reference.diagnoses import in_group
from features.reference.ethnicities import LOWER_BODY_MASS, in_ethnicity_group

NOT_RECORDED = "not recorded"
_PRESCRIBED = TABLES["supplies"].column("kind").values.index("prescribed")


class PersonAsKnown:
    """One person as known at 00:00 of ``as_of`` (a day number). Lists are in order of the day of their events.

    ``who`` is their place in a shard of people.
    """

    def __init__(self, shard: Shard, who: int, place: int, regimen_row: list[float]) -> None:
        self.shard, self.who, self.place = shard, who, place
        self.shared, self.as_of = shard.shared, shard.as_of
        self.regimen_row = regimen_row
        """One row of :func:`features.medicines.regimen.regimen_of`."""
        self.courses = shard.person_courses[who]
        reached = self.as_of - CURRENT_GRACE_DAYS
        self.current = [course for course in self.courses if course.end >= reached]
        self.gone: tuple[dict[str, Finding], list[Finding], list[Finding]] | None = None
        self.classes: dict[str, list[Course]] | None = None

    @property
    def schedule(self) -> tuple[due_dates.Dues, int]:
        """The schedule of everybody, and the person's row in it."""
        return self.shard.scheduled, self.shard.part.start + self.who

    @kept
    def answers(self) -> ConditionAnswers:
        """Worked out when a rule first reads it: most people take nothing that it is asked for."""
        scheduled, row = self.schedule
        situation, (colour, coloured_on) = scheduled.situation, scheduled.situation.colour
        return ConditionAnswers(
            int(situation.lithium_high_risk[row]),
            int(situation.childbearing[row]),
            int(colour[row]),
            int(coloured_on[row]),
        )

    @kept
    def due(self) -> list[Due]:
        """Scheduled tests whose due day has come."""
        return self.shard.due_of(self.who)

    @kept
    def late(self) -> list[Due]:
        """Scheduled tests that are past their days of grace."""
        return self.shard.late_of(self.who)

    @kept
    def results(self) -> ResultsByTest:
        return self.shard.results_of(self.who)

    @kept
    def contacts(self) -> list[Contact]:
        """Contacts of the last year, and older reviews. An outcome that was not known yet is read as planned."""
        return self.shard.contacts_of(self.who)

    @kept
    def reviews(self) -> list[Contact]:
        """Medicines and care reviews that were attended, however long ago."""
        return self.shard.reviews[self.who]

    @kept
    def seen(self) -> list[int]:
        """Days of all attended contacts."""
        return self.shard.seen_of(self.who)

    @kept
    def last_seen(self) -> Contact | None:
        return self.shard.last_seen_of(self.who)

    @kept
    def stays(self) -> list[Stay]:
        """Stays in hospital. A discharge that was not known yet is read as missing."""
        return self.shard.stays_of(self.who)

    @kept
    def inpatient(self) -> bool:
        return any(stay.discharged == NO_DAY for stay in self.stays)

    @kept
    def conditions(self) -> dict[str, list[tuple[int, int, str]]]:
        """(row, day, code) by category: diagnosis, allergy, shared_care."""
        return self.shard.conditions_of(self.who)

    @kept
    def unsure(self) -> list[due_dates.Item]:
        """Scheduled tests that may apply but cannot be assessed, because a fact that their condition needs is not
        recorded.
        """
        return self.shard.unsure[self.who]

    @kept
    def planned(self) -> list[Due]:
        """Every scheduled test with its due day, past or to come."""
        return self.shard.planned[self.who]

    def _slices(self, table: str, names: Iterable[str]) -> tuple[int, list[list[int]]]:
        """First row and the lists of some numeric columns of this person's rows."""
        offsets, columns = self.shared.records.offsets(table), self.shared.records.columns(table)
        first, last = int(offsets[self.place]), int(offsets[self.place + 1])
        return first, [columns[name][first:last].tolist() for name in names]

    def readings(self, test: str) -> list[Reading]:
        """Results of one test that hold a number."""
        return [one for one in self.results.get(test, ()) if one.value == one.value]

    def supplies_of(self, name: str, within: int) -> list[Supply]:
        """Supplies of one medicine in the last ``within`` days, in order of day: those dispensed (or of no recorded
        kind), or those prescribed where none was dispensed."""
        parts = [course.supplies for course in self.courses if course.medicine.name == name]
        if not parts:
            return []
        taking, rows = self.shared.taking, parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
        rows = rows[taking.day[rows] >= self.as_of - within]
        prescribed = self.shared.records.columns("supplies")["kind"][rows] == _PRESCRIBED
        if not prescribed.all():
            rows = rows[~prescribed]
        columns = (taking.day[rows], taking.length[rows], rows, taking.prescriber[rows])
        return list(map(Supply, *(column.tolist() for column in columns)))

    @kept
    def injections(self) -> list[Injection]:
        """Supplies of long-acting antipsychotics, in order of day."""
        return self.shard.injections[self.who] if any(c.injection for c in self.courses) else []

    @kept
    def referrals(self) -> list[tuple[int, int, bool]]:
        """(row, opened, open): a closure that was not known yet is read as missing."""
        t = self.as_of
        first, (opened, known, closed, told) = self._slices(
            "referrals", ("opened_on", "known_on", "closed_on", "closed_known_on")
        )
        return [
            (first + i, opened[i], not (told[i] < t and closed[i] < t))
            for i in range(len(opened))
            if opened[i] < t and known[i] < t
        ]

    def diagnosed(self, group: str, within: int | None = None) -> tuple[Evidence, ...]:
        """The latest recorded diagnosis of a group (``diagnosis_groups.csv``), by ICD-10, SNOMED CT or label; only
        from the last ``within`` days if given.
        """
        labels = self.shared.condition_labels if self.conditions["diagnosis"] else []
        for row, day, code in reversed(self.conditions["diagnosis"]):
            if within is not None and self.as_of - day > within:
                break
            if in_group(group, code, labels[row]):
                return (Evidence("conditions", row, day, "diagnosis"),)
        return ()

    def reviewed_since(self, day: int) -> bool:
        """Whether a medicines or care review was attended on or after a day."""
        return bool(self.reviews) and self.reviews[-1].day >= day

    def label(self, row: int) -> str:
        """The label of a row of ``conditions``; empty where it has none."""
        return self.shared.condition_labels[row] or ""

    def patient(self, column: str) -> int | None:
        """A number of the ``patients`` table (birth_date as a day, a code's position); None where it is missing.

        These facts have no day of their own. They are read as recorded now, as in the schedule's conditions: the
        row's ``known_on`` is the day on which its latest change, a death, became known.
        """
        value = int(self.shared.records.columns("patients")[column][self.place])
        return None if (value < 0 and column != "birth_date") or value == NO_DAY else value

    @kept
    def lower_body_mass_limits(self) -> bool:
        """Whether the lower limits of body mass hold for this person: a clinical fact that a rule needs, never
        shown."""
        word = self.shared.ethnicities[self.place]
        return in_ethnicity_group(LOWER_BODY_MASS, word)

    def years_old(self, day: int) -> float | None:
        """Years lived on a day: a clinical fact that some rules need, never shown."""
        born = self.patient("birth_date")
        return None if born is None else (day - born) / 365.25

    def regimen(self, field: str) -> float:
        """One field of :data:`features.medicines.regimen.FIELDS`: the number the feature of that name holds; NaN where
        it cannot be assessed."""
        return self.regimen_row[_FIELD[field]]

    def circumstance(self, kind: str) -> Circumstance | None:
        """The latest of one kind."""
        found = self.circumstances(kind)
        return found[-1] if found else None

    def circumstances(self, kind: str) -> list[Circumstance]:
        """Every circumstance of one kind, in order of day."""
        return self._circumstances.get(kind, [])

    @kept
    def _circumstances(self) -> dict[str, list[Circumstance]]:
        return self.shard.circumstances_of(self.who)

    def on(self, names: frozenset[str]) -> list[Course]:
        """Current courses of some medicines, one of each."""
        return first_of_each(course for course in self.current if course.medicine.name in names)

    def base(self, name: str) -> list[Course]:
        return [course for course in self.current if course.medicine.base == name]

    def latest(self, test: str, within: int = YEAR) -> Reading | None:
        """The latest result with a number, at most ``within`` days old."""
        found = self.results.newest(test)
        return found if found and self.as_of - found.day <= within else None

    def newest(self, test: str) -> Reading | None:
        """The latest result with a number, however old, because age alone does not make an abnormal result normal."""
        return self.results.newest(test)

    def newest_value(self, test: str) -> float:
        """The number of :meth:`newest`; NaN where there is none."""
        return self.results.newest_value(test)

    def not_repeated(self, day: int) -> str:
        """The words added to a result that is more than a year old and has no newer result. Otherwise empty."""
        return NOT_REPEATED if self.as_of - day > YEAR else ""

    def last_met(self, test: str) -> Reading | None:
        """The latest result, with or without a number, that meets a test's schedule."""
        found = filter(None, map(self.results.last, meeting(test)))
        return max(found, default=None)

    @kept
    def unread(self) -> list[UnreadValue]:
        """What is recorded of this person and was not understood, as known on the day."""
        shared = self.shared
        return shared.records.unread.of_person(self.place, self.as_of) if self.place in shared.with_unread else []

    def absent(self, *concepts: str) -> str:
        """The words of a gap for a test or circumstance without a readable row: "not recorded", or the day on which
        it was recorded but not understood. A recorded value is never called "not recorded".
        """
        days = self.unread_days(*concepts) if self.unread else []
        if not days:
            return NOT_RECORDED
        return f"recorded but not understood{f' ({max(days)})' if max(days) else ''}"

    def unread_days(self, *concepts: str) -> list[str]:
        """Dates (ISO, empty where the row has none) of what was not understood of some tests, circumstances or
        columns (``table.column``)."""
        rows = (one for one in self.unread if one.concept in concepts or f"{one.table}.{one.column}" in concepts)
        return [one.on.isoformat() if one.on else "" for one in rows]

    def absent_test(self, test: str) -> str:
        """:meth:`absent` of a test and of those that meet its schedule."""
        return self.absent(*meeting(test))

    def away_days(self, start: int, end: int) -> int:
        """Days in [start, end) spent in hospital, as known."""
        days: set[int] = set()
        for stay in self.stays:
            days.update(range(max(stay.admitted, start), min(stay.discharged, end)))
        return len(days)

    def uncovered(self, end: int) -> int:
        """Days outside hospital since supply ran out on ``end``, by the same rule as the features."""
        if end >= self.as_of:
            return 0
        return self.as_of - end - (self.away_days(end, self.as_of) if self.stays else 0)

    def taken_since(self, course: Course, within: int = CURRENT_GRACE_DAYS) -> int:
        """The day since which a medicine was taken without a break: it counts as taken until 28 days after its supply
        ran out, and in hospital. A course of the schedule continues for 90 days, which is no continuous use."""
        for ended, again in reversed(course.breaks):
            if again - ended - self.away_days(ended, again) > within:
                return again
        return course.first_start

    def supplied(self, course: Course, what: str) -> Evidence:
        """The latest supply of a course; of tablets with the day on which they run out."""
        if not course.injection:
            what = f"{what}: {supply_days.carried_words(iso(course.end))}"
        return Evidence("supplies", course.last_row, course.last_day, what)


_FIELD = {name: place for place, name in enumerate(regimen.FIELDS)}


__all__ = [
    "NOT_RECORDED",
    "YEAR",
    "Bound",
    "Circumstance",
    "ConditionAnswers",
    "Contact",
    "Due",
    "Injection",
    "Medicine",
    "PersonAsKnown",
    "Reading",
    "Shared",
    "Stay",
    "Supply",
    "meant",
    "meeting",
    "scope_names",
]
