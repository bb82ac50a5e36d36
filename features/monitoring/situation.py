"""Facts about people on days that conditions of the monitoring protocols depend on: age, medicines, results, events.

A fact that is not recorded is "cannot assess", never "no" (docs/clinical.md section 0). Age and sex are read here as
clinical facts; no feature holds them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.kernels import lookups
from features.kernels.schedule import APPLIES, CANNOT_ASSESS, DOES_NOT
from features.medicines import regimen
from features.medicines.regimen import FIELDS
from features.monitoring.condition_inputs import ConditionInputs, KeptRows
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import TESTS, high_limit, low_limit
from features.reference.monitoring.clozapine_services import STRICTEST_DAYS

Int = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Answers = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
EVENTS = ("amber_result", "red_result", "treatment_break", "clozapine_event", "lithium_event", "clozapine_stop")
NEW_START_DAYS = 28
"""A clozapine break of more than four weeks is a new start, not a break (docs/clinical.md section 4.6)."""
RUN_OUT_DAYS = 28
"""A medicine counts as taken until this many days after supply ran out."""
LITHIUM_HIGHER_RISK = low_limit("th031")
TSH_RAISED, CALCIUM_RAISED = low_limit("th044"), low_limit("th041")
EGFR_LOW = high_limit("th037")
_COLOUR_ROWS = ((("th002", "th003"), ("th005", "th006")), (("th008", "th009"), ("th011", "th012")))
"""(amber, red) of white cells and neutrophils: general, then benign ethnic neutropenia registered."""
_COLOUR_LIMITS = np.array([[[high_limit(row) for row in rows] for rows in way] for way in _COLOUR_ROWS])
_PARTS = np.array([{"wbc": 0, "anc": 1}.get(test, -1) for test in TESTS] + [-1], np.int64)
"""By test: 0 for white cells, 1 for neutrophils, -1 for any other."""


class Situation:
    """Facts about some rows of the spine, each computed at most once."""

    def __init__(self, prepared: ConditionInputs, person: Int, as_of: Days) -> None:
        self.p, self.person, self.as_of = prepared, person, as_of
        self.by_register: Bools = np.zeros(len(person), bool)
        """Rows whose clozapine count is due by the interval recorded (features/monitoring/due_dates.py)."""

    @cached_property
    def taking(self) -> npt.NDArray[np.float64]:
        return regimen.regimen_of(self.p.regimen, self.person, self.as_of)

    def regimen(self, field: str) -> npt.NDArray[np.float64]:
        return self.taking[:, FIELDS.index(field)]

    @cached_property
    def age(self) -> npt.NDArray[np.float64]:
        birth = self.p.birth[self.person].astype(np.float64)
        return np.where(birth == NO_DAY, np.nan, (self.as_of - birth) / 365.25)

    @cached_property
    def sex(self) -> npt.NDArray[np.int16]:
        return self.p.sex[self.person]

    def diagnosed(self, group: str) -> Bools:
        return self.latest(self.p.events("conditions", group, lambda: self.p.diagnosis[group])) >= 0

    def latest(self, rows: KeptRows) -> Int:
        """Position in its table of the latest visible row, -1 where there is none."""
        if not len(rows):
            return np.full(len(self.person), -1, np.int64)
        place = lookups.latest_row(rows.offsets, rows.day, rows.known, rows.until, self.person, self.as_of)
        return np.where(place >= 0, rows.row[place], -1)

    def latest_day(self, rows: KeptRows) -> Days:
        """Day of the latest visible row, NO_DAY where there is none."""
        if not len(rows):
            return np.full(len(self.person), NO_DAY, np.int32)
        place = lookups.latest_row(rows.offsets, rows.day, rows.known, rows.until, self.person, self.as_of)
        return np.where(place >= 0, rows.day[place], NO_DAY).astype(np.int32)

    def first_day(self, rows: KeptRows) -> Days:
        """Day of the first visible row, NO_DAY where there is none."""
        if not len(rows):
            return np.full(len(self.person), NO_DAY, np.int32)
        place = lookups.first_row(rows.offsets, rows.day, rows.known, rows.until, self.person, self.as_of)
        return np.where(place >= 0, rows.day[place], NO_DAY).astype(np.int32)

    def yes_no(self, kind: str) -> npt.NDArray[np.int8]:
        """1 yes, 0 no, -1 not recorded: the latest value of a circumstance."""
        return self._code(kind, self.p.yes_no[kind])

    def _code(self, kind: str, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        row = self.latest(self.p.events("circumstances", kind, lambda: codes >= 0))
        return np.where(row >= 0, codes[row] if len(codes) else np.int8(-1), np.int8(-1)).astype(np.int8)

    @cached_property
    def service_limit(self) -> Int:
        """Days of break after which blood counts restart: the service's limit, or the strictest if the service is not
        recorded.
        """
        code = self._code("clozapine_service", self.p.service)
        return np.where(code >= 0, code, int(STRICTEST_DAYS)).astype(np.int64)

    def result(self, test: str, lowest: bool = False) -> npt.NDArray[np.float64]:
        """The latest (or lowest) visible value of a test, NaN if there is none."""
        columns = self.p.records.columns("results")
        place = list(TESTS).index(test)
        rows = self.p.events("results", test, lambda: (columns["test"] == place) & ~np.isnan(columns["value"]))
        if not len(rows):
            return np.full(len(self.person), np.nan)
        if lowest:
            values = columns["value"][rows.row]
            return lookups.lowest_value(rows.offsets, rows.day, rows.known, values, self.person, self.as_of)
        row = self.latest(rows)
        return np.where(row >= 0, columns["value"][row], np.nan)

    def current(self, name: str) -> Bools:
        """Whether a medicine of a set was supplied and has not run out for more than 28 days."""
        rows = self.p.supplies(name)
        if not len(rows):
            return np.zeros(len(self.person), bool)
        length = self.p.regimen.length[rows.row]
        end = lookups.latest_end(rows.offsets, rows.day, rows.known, rows.until, length, self.person, self.as_of)
        return np.asarray((end != NO_DAY) & (end.astype(np.int64) + RUN_OUT_DAYS >= self.as_of))

    def changed(self, name: str) -> Days:
        """Day on which the dose of a medicine last changed, NO_DAY where it did not."""
        rows = self.p.supplies(name, dosed=True)
        return self._latest_change(rows, self.p.regimen.dose_mg_a_day)

    def _latest_change(self, rows: KeptRows, values: npt.NDArray[np.float64] | npt.NDArray[np.int8]) -> Days:
        if not len(rows):
            return np.full(len(self.person), NO_DAY, np.int32)
        mine = values[rows.row].astype(np.float64, copy=False)
        return lookups.latest_change(rows.offsets, rows.day, rows.known, rows.until, mine, self.person, self.as_of)

    def started(self, name: str) -> Days:
        """Day on which a medicine of a set was last started, or restarted after it had run out for more than 28
        days.
        """
        restart, _ = self._latest_break(name, np.full(len(self.person), RUN_OUT_DAYS, np.int64))
        return np.where(restart == NO_DAY, self.first_day(self.p.supplies(name)), restart).astype(np.int32)

    def _latest_break(self, name: str, limit: Int) -> tuple[Days, Days]:
        """Latest restart of a medicine of a set after more than ``limit`` days, and the days missed."""
        rows = self.p.supplies(name)
        if not len(rows):
            return np.full(len(self.person), NO_DAY, np.int32), np.zeros(len(self.person), np.int32)
        length = self.p.regimen.length[rows.row]
        return lookups.latest_break(
            rows.offsets, rows.day, rows.known, rows.until, length, limit, self.person, self.as_of
        )

    @cached_property
    def lithium_high_risk(self) -> Answers:
        """docs/clinical.md, mp140: any one of these is enough. Symptom control and fluid change are not in the
        records.
        """
        any_of = self.age >= 65
        any_of |= self.current("interacting")
        any_of |= self.result("lithium_level") >= LITHIUM_HIGHER_RISK
        any_of |= self.result("egfr") < EGFR_LOW
        any_of |= self.diagnosed("thyroid") | self.diagnosed("pregnancy")
        any_of |= self.result("tsh") >= TSH_RAISED
        any_of |= self.result("calcium_adjusted") >= CALCIUM_RAISED
        return np.where(any_of, APPLIES, np.where(np.isnan(self.age), CANNOT_ASSESS, DOES_NOT)).astype(np.int8)

    @cached_property
    def childbearing(self) -> Answers:
        """Childbearing potential as recorded; otherwise no for males and people of 55 and over, and cannot be
        assessed for all others.
        """
        recorded = self.yes_no("childbearing_potential")
        male = self.sex == TABLES["patients"].column("sex").values.index("male")
        ruled_out = male | (self.age >= 55)
        return np.where(recorded >= 0, recorded, np.where(ruled_out, DOES_NOT, CANNOT_ASSESS)).astype(np.int8)

    @cached_property
    def cardiac(self) -> Answers:
        return known_if(self.diagnosed("cardiac"))

    @property
    def _counts(self) -> KeptRows:
        """Results that are a count of white cells or neutrophils."""
        columns = self.p.records.columns("results")
        return self.p.events(
            "results", "blood counts", lambda: (_PARTS[columns["test"]] >= 0) & ~np.isnan(columns["value"])
        )

    @cached_property
    def colour(self) -> tuple[npt.NDArray[np.int8], Days]:
        """The colour of the clozapine blood count in force, and the day that set it."""
        rows, columns = self._counts, self.p.records.columns("results")
        if not len(rows):
            return np.full(len(self.person), lookups.GREEN, np.int8), np.full(len(self.person), NO_DAY, np.int32)
        registered = (self.yes_no("benign_ethnic_neutropenia") == 1).astype(np.int64)
        return lookups.blood_colour(
            rows.offsets,
            rows.day,
            rows.known,
            _PARTS[columns["test"][rows.row]],
            columns["value"][rows.row],
            _COLOUR_LIMITS,
            registered,
            self.person,
            self.as_of,
        )

    @cached_property
    def counted(self) -> Bools:
        """Whether any white cell or neutrophil count is known."""
        return self.latest(self._counts) >= 0

    @cached_property
    def clozapine_break(self) -> tuple[Days, Days]:
        """Day on which clozapine began again after the latest break past the service's limit, NO_DAY where there was
        none, and the days missed."""
        return self._latest_break("clozapine", self.service_limit)

    @cached_property
    def recorded_interval(self) -> tuple[Int, Days]:
        """Days between clozapine counts by the latest entry of the register or the record (0 where there is none, or
        it is not understood), and the day of the entry."""
        codes, columns = self.p.interval, self.p.records.columns("circumstances")
        rows = self.p.events("circumstances", "clozapine_interval", lambda: codes >= 0)
        if not len(rows):
            return np.zeros(len(self.person), np.int64), np.full(len(self.person), NO_DAY, np.int32)
        row = self.latest(rows)
        days = np.where(row >= 0, codes[row], 0).astype(np.int64)
        return days, np.where(row >= 0, columns["from_on"][row], NO_DAY).astype(np.int32)

    def events(self, clozapine_end: Days, wanted: Bools) -> Days:
        """Shape (rows, len(EVENTS)): the day from which each event's schedule counts, NO_DAY if it is not in force.
        Only those of the kinds ``wanted`` are looked for."""
        out = np.full((len(self.person), len(EVENTS)), NO_DAY, np.int32)
        if wanted[:2].any():
            colour, since = self.colour
            out[:, 0] = np.where(colour == lookups.AMBER, since, NO_DAY)
            out[:, 1] = np.where(colour == lookups.RED, since, NO_DAY)
        if wanted[2]:
            restart, missed = self.clozapine_break
            out[:, 2] = np.where(missed <= NEW_START_DAYS, restart, NO_DAY)
        if wanted[3]:
            out[:, 3] = self._clozapine_event
        if wanted[4]:
            out[:, 4] = _latest_of(self.changed("lithium"), self.started("interacting"))
        if wanted[5]:
            out[:, 5] = np.where(clozapine_end < self.as_of, clozapine_end, NO_DAY)
        return out

    @property
    def _clozapine_event(self) -> Days:
        """Day of the latest event after which a clozapine level is due: smoking changed, an infection, a medicine."""
        p = self.p
        smoking = self._latest_change(p.events("circumstances", "smoking", lambda: p.smoking >= 0), p.smoking)
        infected = self.latest_day(p.events("circumstances", "infection", lambda: p.infection))
        return _latest_of(smoking, infected, self.started("cyp1a2"))


def known_if(yes: Bools) -> Answers:
    """A recorded history applies; one that is not recorded cannot be assessed."""
    return np.where(yes, APPLIES, CANNOT_ASSESS).astype(np.int8)


def _latest_of(*days: Days) -> Days:
    known = np.array([np.where(day == NO_DAY, -(2**31) + 1, day) for day in days]).max(axis=0)
    return np.where(known == -(2**31) + 1, NO_DAY, known).astype(np.int32)
