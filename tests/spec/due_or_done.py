"""The slow, obvious rule of the schedule verbs, over dicts with dates: what is due when, for whom, and whether it was
done.

Written from docs/clinical.md section 0 and the rules at the head of ``features/monitoring/due_dates.py``; it shares
with the engine only the reference tables. Its parts are a person on a day (:class:`Case`), the conditions of the
protocol table, and the obligations of one test in one scope.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise

from features import CATALOGUE, Feature
from features.reference import MEDICINES, PROTOCOLS, TESTS, THRESHOLDS, Protocol, in_scope, medicines_meant
from features.reference.diagnoses import in_group
from tests.spec.one_supply import carried, length, one_supply
from tests.spec.one_supply import dose as mg_a_day
from tests.spec.oracle import DAY, NAN, SLOW, History, Row, regimen

YES, NO, CANNOT_SAY = "yes", "no", "cannot say"
ON_REGIMEN = next(f for f in CATALOGUE if f.verb == "regimen")


@dataclass(frozen=True)
class Case:
    """One person on one day, and everything that was known by then."""

    history: History
    patient: str
    today: dt.date

    def seen(self, table: str, day: str) -> list[Row]:
        """Rows that had happened and were known before today, oldest first."""
        rows = [r for r in self.history.of(table, self.patient) if r[day] < self.today and r["known_on"] < self.today]
        return sorted(rows, key=lambda row: row[day])

    @cached_property
    def supplies(self) -> list[Row]:
        return one_supply(self.seen("supplies", "supplied_on"))

    @cached_property
    def results(self) -> list[Row]:
        return self.seen("results", "taken_on")

    @cached_property
    def standing(self) -> Row:
        return next(row for row in self.history.rows["patients"] if row["patient_id"] == self.patient)

    @property
    def age(self) -> float:
        birth = self.standing["birth_date"]
        return NAN if birth is None else (self.today - birth).days / 365.25

    def regimen(self, field: str) -> float:
        return regimen(replace(ON_REGIMEN, value=field), self.history, self.patient, self.today)

    def diagnosed_on(self, group: str) -> list[dt.date]:
        """Days on which a diagnosis of the group was recorded, oldest first."""
        rows = [row for row in self.seen("conditions", "recorded_on") if row["category"] == "diagnosis"]
        return [row["recorded_on"] for row in rows if in_group(group, row["code"], row["label"])]

    def diagnosed(self, group: str) -> bool:
        return bool(self.diagnosed_on(group))

    def told(self, kind: str, words: dict[str, str]) -> list[tuple[dt.date, str]]:
        """Days and meanings of what was said of a circumstance, leaving out words without a meaning."""
        rows = [row for row in self.seen("circumstances", "from_on") if row["kind"] == kind]
        said = [(row["from_on"], (row["value"] or "").casefold()) for row in rows]
        return [(day, words[word]) for day, word in said if word in words]

    def yes_or_no(self, kind: str) -> str:
        words = dict.fromkeys(("yes", "true", "registered", "confirmed", "1"), YES) | dict.fromkeys(
            ("no", "false", "0"), NO
        )
        said = self.told(kind, words)
        return said[-1][1] if said else CANNOT_SAY

    def values(self, test: str) -> list[float]:
        return [row["value"] for row in self.results if row["test"] == test and row["value"] is not None]

    def last(self, test: str) -> float:
        return (self.values(test) or [NAN])[-1]

    def of(self, *scopes: str) -> list[Row]:
        meant = {name for scope in scopes for name in medicines_meant(scope)}
        return [row for row in self.supplies if row["medicine"] in meant]

    @cached_property
    def everything(self) -> list[Obligation]:
        return everything(self)

    def current(self, *scopes: str) -> bool:
        return any(self.today <= row["supplied_on"] + (length(row) + 28) * DAY for row in self.of(*scopes))


INTERACTING = (
    "nsaid",
    "ace inhibitor",
    "angiotensin receptor blocker",
    "thiazide diuretic",
    "loop diuretic",
    "sglt2 inhibitor",
)
DIURETIC = ("thiazide diuretic", "loop diuretic", "potassium-sparing diuretic")
CYP1A2 = ("ciprofloxacin", "fluvoxamine", "oral contraceptive")


def breaks(rows: list[Row], limit: int) -> list[tuple[dt.date, int]]:
    """Each restart after more than ``limit`` days without supply, with the length of the break; earlier supply carries
    over."""
    found, end = [], None
    for row in rows:
        day = row["supplied_on"]
        if end is not None and (day - end).days > limit:
            found.append((day, (day - end).days))
        end = carried(day, end, length(row))[1]
    return found


def started(rows: list[Row]) -> dt.date | None:
    """The last start: the first supply, or the first after it had run out for more than 28 days."""
    return ([row["supplied_on"] for row in rows[:1]] + [day for day, _ in breaks(rows, 28)] or [None])[-1]


def changed(said: list[tuple[dt.date, object]]) -> dt.date | None:
    """The last day on which something differed from what was said before it."""
    return ([None] + [b[0] for a, b in pairwise(said) if a[1] != b[1]])[-1]


def known_if(yes: bool) -> str:
    """A history that is recorded applies; one that is not recorded cannot be assessed."""
    return YES if yes else CANNOT_SAY


def unless_age_is_missing(case: Case, yes: bool) -> str:
    return YES if yes else CANNOT_SAY if math.isnan(case.age) else NO


def lithium_high_risk(case: Case) -> str:
    return unless_age_is_missing(
        case,
        case.age >= 65
        or case.current(*INTERACTING)
        or case.last("lithium_level") >= THRESHOLDS["th031"].low
        or case.last("egfr") < 60
        or case.diagnosed("thyroid")
        or case.diagnosed("pregnancy")
        or case.last("tsh") >= THRESHOLDS["th044"].low
        or case.last("calcium_adjusted") >= THRESHOLDS["th041"].low,
    )


def childbearing(case: Case) -> str:
    told = case.yes_or_no("childbearing_potential")
    ruled_out = case.standing["sex"] == "male" or case.age >= 55
    return NO if told == CANNOT_SAY and ruled_out else told


def heart_or_qt(case: Case) -> str:
    return known_if(case.diagnosed("cardiac") or case.regimen("qt_medicines") >= 2 or case.last("potassium") < 3.5)


def inpatient(case: Case) -> bool:
    stays = case.seen("stays", "admitted_on")
    if not stays:
        return False
    left, told = stays[-1]["discharged_on"], stays[-1]["discharge_known_on"]
    return not (left is not None and left < case.today and told < case.today)


def methadone(case: Case) -> str:
    doses = [mg_a_day(row) for row in case.of("methadone")]
    dose = doses[-1] if doses and doses[-1] is not None else NAN
    if dose > 100 or case.regimen("qt_medicines") >= 2:
        return YES
    return CANNOT_SAY if math.isnan(dose) else NO


SAID_BY_THE_PHASE = {
    "",
    "until stable",
    "amber result",
    "red result",
    "clozapine stopped",
    "continuous use over 28 days",
    "continuous use over 3 months",
    "sum of ACB scores >=3",
    "total >100% of BNF maximum",
}
CONDITIONS: dict[str, Callable[[Case], str]] = {
    "on GP SMI register": lambda c: known_if(c.diagnosed("smi")),
    "not high risk": lambda c: NO if lithium_high_risk(c) == YES else YES,
    "age >=65; interacting medicine": lithium_high_risk,
    "childbearing potential": childbearing,
    "female of childbearing potential": childbearing,
    "age under 55": lambda c: unless_age_is_missing(c, c.age < 55),
    "age >=65, diuretic": lambda c: unless_age_is_missing(
        c, c.age >= 65 or c.current(*DIURETIC) or any(v < 135 for v in c.values("sodium"))
    ),
    "age 18 to 25": lambda c: known_if(18 <= c.age < 26),
    "cardiovascular disease": lambda c: known_if(c.diagnosed("cardiac")),
    "cardiac risk": heart_or_qt,
    "cardiac disease, electrolyte": heart_or_qt,
    "cardiac disease, older": lambda c: known_if(c.diagnosed("cardiac") or c.age >= 65),
    "SmPC requirement": lambda c: known_if(c.diagnosed("cardiac") or inpatient(c)),
    "symptoms or history of thyroid": lambda c: known_if(c.diagnosed("thyroid")),
    "dose >100 mg": methadone,
    "toxicity, interaction": lambda c: CANNOT_SAY,
    "Han Chinese": lambda c: CANNOT_SAY,
}
"""How each text of ``applies_if`` begins, and its rule."""
EVENT_TEXTS = ("break >72 h", "dose change,", "stopped or reduced smoking")


def applies(case: Case, row: Protocol) -> str:
    if row.applies_if in SAID_BY_THE_PHASE or row.applies_if.startswith(EVENT_TEXTS):
        return YES
    (rule,) = {rule for words, rule in CONDITIONS.items() if row.applies_if.startswith(words)}
    return rule(case)


def colour(case: Case) -> tuple[int, dt.date | None]:
    """0 green, 1 amber, 2 red, and the day of the count that set it: amber until a green day, red until two green days
    in a row."""
    rows = {"wbc": ("th002", "th003"), "anc": ("th005", "th006")}
    if case.yes_or_no("benign_ethnic_neutropenia") == YES:
        rows = {"wbc": ("th008", "th009"), "anc": ("th011", "th012")}
    by_day: dict[dt.date, int] = {}
    for r in case.results:
        if r["test"] in rows and r["value"] is not None:
            amber, red = (THRESHOLDS[name].high for name in rows[r["test"]])
            worst = 2 if r["value"] < red else 1 if r["value"] < amber else 0
            by_day[r["taken_on"]] = max(worst, by_day.get(r["taken_on"], 0))
    state, since, greens = 0, None, 0
    for day, worst in sorted(by_day.items()):
        greens = greens + 1 if worst == 0 else 0
        if worst > state:
            state, since = worst, day
        elif greens >= state:
            state, since = (0, None) if worst == 0 else (state, since)
    return state, since


def course(case: Case, scope: str) -> tuple[dt.date | None, dt.date | None]:
    """First day of the current course and the first day that supply no longer covers; (None, None) for somebody never
    on it."""
    person = {"acb_total_ge_3": "acb_high_days", "high_dose_or_combined_antipsychotics": "high_dose_days"}
    if scope == "smi_any":
        began = [row["opened_on"] for row in case.seen("referrals", "opened_on")] or case.diagnosed_on("smi")
        return (began[0], case.today) if began else (None, None)
    if scope in person:
        days = case.regimen(person[scope])
        return (None, None) if math.isnan(days) else (case.today - int(days) * DAY, case.today)
    start = end = None
    for row in case.supplies:
        if in_scope(MEDICINES[row["medicine"]], scope):
            day = row["supplied_on"]
            if start is None or (day - end).days > gap(scope):
                start = end = day
            end = carried(day, end, length(row))[1]
    return start, end


def gap(scope: str) -> int:
    return 28 if scope == "clozapine" else 90


def service_limit(case: Case) -> int:
    """Days of break after which the counts start again, the strictest where the service is not recorded."""
    words = {"cpms": "4", "clozaril": "4", "dms": "3", "denzapine": "3", "ztas": "3", "zaponex": "3"}
    said = case.told("clozapine_service", words)
    return int(said[-1][1]) if said else 3


def event(case: Case, row: Protocol) -> dt.date | None:
    """The day from which a row of an event counts, None while it is not in force."""
    if row.phase in ("amber_result", "red_result"):
        state, since = colour(case)
        return since if state == ("amber_result", "red_result").index(row.phase) + 1 else None
    if row.phase == "treatment_break":
        found = breaks(case.of("clozapine"), service_limit(case))
        return found[-1][0] if found and found[-1][1] <= 28 else None
    if row.phase == "post_stop":
        _, end = course(case, "clozapine")
        return end if end is not None and end < case.today else None
    if row.scope == "lithium":
        doses = [(r["supplied_on"], mg_a_day(r)) for r in case.of("lithium") if mg_a_day(r) is not None]
        days = [changed(doses), started(case.of(*INTERACTING))]
    elif row.scope == "clozapine":
        said = [(r["from_on"], r["value"]) for r in case.seen("circumstances", "from_on") if r["kind"] == "smoking"]
        smokes = [(day, (value or "").casefold() in ("smoker", "current_smoker", "yes")) for day, value in said]
        ill = [
            r["from_on"]
            for r in case.seen("circumstances", "from_on")
            if r["kind"] == "infection" and (r["value"] or "").casefold() not in ("no", "false", "0")
        ]
        days = [changed(smokes), *ill[-1:], started(case.of(*CYP1A2))]
    else:  # an event that no record shows counts from the start of the course
        return course(case, row.scope)[0]
    return max((day for day in days if day is not None), default=None)


EVENT_PHASES = ("amber_result", "red_result", "treatment_break", "post_stop")


def is_event(row: Protocol) -> bool:
    return row.phase in EVENT_PHASES or (row.phase == "event" and row.scope in ("clozapine", "lithium"))


def done(case: Case, test: str) -> dt.date | None:
    """The day of the last result that meets the schedule of a test: of the test itself, or of one that satisfies it."""

    def meets(name: str) -> bool:
        return name == test or (bool(TESTS[name].satisfies) and meets(TESTS[name].satisfies))

    days = [row["taken_on"] for row in case.results if meets(row["test"])]
    return days[-1] if days else None


def counted(case: Case) -> dt.date | None:
    """The day of the last clozapine blood count: a full one, or one with white cells and neutrophils."""
    parts = {row["taken_on"]: set() for row in case.results}
    for row in case.results:
        parts[row["taken_on"]].add(row["test"])
    days = [day for day, tests in parts.items() if "fbc" in tests or {"wbc", "anc"} <= tests]
    return days[-1] if days else None


@dataclass(frozen=True)
class Obligation:
    """A test that a row asks for by a day, or a row whose condition cannot be assessed (``due`` is None)."""

    scope: str
    test: str
    row: Protocol
    due: dt.date | None


def obligations(case: Case, scope: str, test: str, rows: list[Protocol]) -> list[Obligation]:
    """What the rows of one test in one scope ask of a person today."""
    start, end = course(case, scope)
    if start is None:
        return []
    over = (case.today - end).days > gap(scope) and scope not in PERSON
    if over and not any(row.phase == "post_stop" for row in rows):
        return []  # a medicine that was stopped asks for nothing but what follows a stop
    last = counted(case) if (scope, test) == ("clozapine", "fbc") else done(case, test)
    found: list[Obligation] = []
    for row in rows:
        anchor = event(case, row) if is_event(row) else start
        if anchor is None or (over and not is_event(row)):
            continue
        begins = anchor + row.from_day * DAY
        ends = dt.date.max if row.to_day is None else anchor + row.to_day * DAY
        stands_until = ends
        if is_event(row):  # a check that an event asked for and that was never done lapses
            stands_until = lapse(anchor if over and row.to_day is None else ends)
        if case.today < begins or (is_event(row) and case.today > stands_until):
            continue
        answer = applies(case, row)
        if answer != YES:
            if answer == CANNOT_SAY and (case.today <= ends or row.interval_days is None):
                found.append(Obligation(scope, test, row, None))
            continue
        if row.interval_days is None:
            if last is None or last < begins - row.grace_days * DAY:
                found.append(Obligation(scope, test, row, ends))
            continue
        first = anchor + min(row.from_day, 1) * DAY  # stands in for a result where the course has none
        if scope in PERSON:
            due = max(last, begins - row.interval_days * DAY) if last is not None else begins
        else:
            due = max(last if last is not None and last >= anchor else first, first)
        due = max(due + row.interval_days * DAY, begins)
        if due <= ends and (case.today <= stands_until or followed(case, row, rows)):
            found.append(Obligation(scope, test, row, due))
    return found


def lapse(day: dt.date) -> dt.date:
    return day if day == dt.date.max else day + 90 * DAY


def followed(case: Case, row: Protocol, rows: list[Protocol]) -> bool:
    """Whether a phase that applies takes over on the day after this one ends: what fell due then still stands."""
    return not is_event(row) and any(
        other.interval_days is not None
        and not is_event(other)
        and row.to_day is not None
        and other.from_day == row.to_day + 1
        and applies(case, other) == YES
        for other in rows
    )


PERSON = ("smi_any", "acb_total_ge_3", "high_dose_or_combined_antipsychotics")


def everything(case: Case) -> list[Obligation]:
    """The first obligation of every test in every scope."""
    asked: dict[tuple[str, str], list[Protocol]] = {}
    for row in PROTOCOLS:
        if "component of fbc" not in row.applies_if:
            asked.setdefault((row.scope, row.test), []).append(row)
    first = [first_due(obligations(case, scope, test, rows)) for (scope, test), rows in asked.items()]
    return [by_register(case, o) for o in first if o is not None]


def by_register(case: Case, o: Obligation) -> Obligation:
    """A clozapine count by the interval that the register or the record gives, where it still holds."""
    rows = [row for row in case.seen("circumstances", "from_on") if row["kind"] == "clozapine_interval"]
    every = {"weekly": 7, "fortnightly": 14, "four_weekly": 28}
    last, phases = counted(case), ("initiation", "maintenance", "treatment_break")
    if (o.scope, o.test) != ("clozapine", "fbc") or o.due is None or o.row.phase not in phases:
        return o
    if not rows or last is None or (rows[-1]["value"] or "").casefold() not in every:
        return o
    start, _ = course(case, "clozapine")
    again = [day for day, _ in breaks(case.of("clozapine"), service_limit(case))]
    if rows[-1]["from_on"] < max([start, *again]):
        return o
    return replace(o, due=last + every[rows[-1]["value"].casefold()] * DAY)


def scheduled(f: Feature, case: Case) -> dict[str, list[Obligation]]:
    """By test: what is asked of a person in the feature's scope and tests."""
    found: dict[str, list[Obligation]] = {}
    for o in case.everything:
        if (not f.scope or o.scope == f.scope) and (not f.tests or o.test in f.tests):
            found.setdefault(o.test, []).append(o)
    return found


def first_due(several: list[Obligation]) -> Obligation | None:
    """The earliest of one test in one scope; one that cannot be assessed only where nothing else asks for it."""
    dated = [o for o in several if o.due is not None]
    ordered = sorted(dated, key=lambda o: (o.due, o.row.interval_days is None, o.row.from_day))
    return ordered[0] if ordered else several[0] if several else None


def days_past_due(f: Feature, case: Case) -> float:
    dues = [o.due for several in scheduled(f, case).values() for o in several if o.due is not None]
    return (case.today - min(dues)).days if dues else NAN


def tests_due(f: Feature, case: Case) -> float:
    return share_of(f, case, lambda o: o.due <= case.today)[0]


def tests_overdue(f: Feature, case: Case) -> float:
    return share_of(f, case, late(case))[0]


def complete_share(f: Feature, case: Case) -> float:
    hit, asked = share_of(f, case, late(case))
    return 1 - hit / asked if asked else NAN


def tests_unsure(f: Feature, case: Case) -> float:
    return sum(any(o.due is None for o in several) for several in scheduled(f, case).values())


def late(case: Case) -> Callable[[Obligation], bool]:
    return lambda o: case.today > o.due + o.row.grace_days * DAY


def share_of(f: Feature, case: Case, hit: Callable[[Obligation], bool]) -> tuple[float, int]:
    """How many different tests are hit, and how many are asked for."""
    asked = {test: [o for o in several if o.due is not None] for test, several in scheduled(f, case).items()}
    asked = {test: several for test, several in asked.items() if several}
    return (sum(any(map(hit, several)) for several in asked.values()) if asked else NAN), len(asked)


def blood_colour(f: Feature, case: Case) -> float:
    counted = case.values("wbc") or case.values("anc")
    return colour(case)[0] if counted else NAN


RULES = (days_past_due, tests_due, tests_overdue, complete_share, tests_unsure, blood_colour)


case_of = cache(Case)


def _slow(rule: Callable[[Feature, Case], float]) -> Callable[[Feature, History, str, dt.date], float]:
    return lambda f, history, patient, today: float(rule(f, case_of(history, patient, today)))


SLOW.update({rule.__name__: _slow(rule) for rule in RULES})
