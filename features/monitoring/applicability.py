"""Conditions of the monitoring protocols: for each person and day, whether a condition applies, does not apply, or
cannot be assessed.

Every text of ``applies_if`` is listed here or refused, so a new protocol row cannot be skipped silently. What the
record does not hold is "cannot assess", never "no" (docs/clinical.md section 0). Age and sex are read here as clinical
facts; no feature holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from features.kernels import lookups
from features.kernels.schedule import APPLIES, CANNOT_ASSESS, DOES_NOT
from features.medicines import regimen
from features.medicines.regimen import FIELDS
from features.records import Records
from features.records.coded_words import coded_words
from features.records.days import NO_DAY
from features.records.tables import TABLES
from features.reference import MEDICINES, TESTS, high_limit, low_limit, medicines_meant
from features.reference.diagnoses import in_group
from features.reference.monitoring.clozapine_schedules import REGISTER_DAYS
from features.reference.monitoring.clozapine_services import RESET_DAYS, STRICTEST_DAYS

Int = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Answers = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

_ALL_STAND = np.zeros(0, np.int32)
"""For tables of which every row stands."""
EVENTS = ("amber_result", "red_result", "treatment_break", "clozapine_event", "lithium_event", "clozapine_stop")
NEW_START_DAYS = 28
"""A clozapine break of more than four weeks is a new start, not a break (docs/clinical.md section 4.6)."""
LITHIUM_HIGHER_RISK = low_limit("th031")
TSH_RAISED, CALCIUM_RAISED = low_limit("th044"), low_limit("th041")
EGFR_LOW, SODIUM_LOW, POTASSIUM_LOW = high_limit("th037"), high_limit("th047"), high_limit("th055")
_YES = frozenset(("yes", "true", "registered", "confirmed", "1"))
_NO = frozenset(("no", "false", "0"))
_SMOKES = frozenset(("smoker", "current_smoker", "yes", "reduced"))
_INTERACTING = (
    "nsaid",
    "ace inhibitor",
    "angiotensin receptor blocker",
    "thiazide diuretic",
    "loop diuretic",
    "sglt2 inhibitor",
)
_CYP1A2 = ("ciprofloxacin", "fluvoxamine", "oral contraceptive")
_DIURETIC = ("thiazide diuretic", "loop diuretic", "potassium-sparing diuretic")


@dataclass(frozen=True)
class ConditionInputs:
    """What conditions read from a set of records, made once: masks and codes of rows, independent of time."""

    records: Records
    regimen: regimen.RegimenInputs
    birth: Days
    sex: npt.NDArray[np.int16]
    diagnosis: dict[str, Bools]
    yes_no: dict[str, npt.NDArray[np.int8]]
    smoking: npt.NDArray[np.int8]
    service: npt.NDArray[np.int8]
    interval: npt.NDArray[np.int16]
    infection: Bools
    medicine_in: dict[str, Bools]


def prepare(records: Records) -> ConditionInputs:
    """Prepares ``records`` for the conditions."""
    return records.once("conditions", lambda: _prepare(records))


def _prepare(records: Records) -> ConditionInputs:
    patients, conditions = records.columns("patients"), records.columns("conditions")
    category = TABLES["conditions"].column("category").values.index("diagnosis")
    diagnosed = conditions["category"] == category
    (code, codes), (label, labels) = coded_words(conditions["code"]), coded_words(conditions["label"])
    pairs, pair = np.unique(np.stack((code, label)), axis=1, return_inverse=True)
    different = [(codes[one], labels[other]) for one, other in pairs.T.tolist()]
    circumstances = records.columns("circumstances")
    (kind_of, kinds), (value_of, given) = coded_words(circumstances["kind"]), coded_words(circumstances["value"])
    values = [(value or "").casefold() for value in given]

    def of_kind(kind: str) -> Bools:
        return np.array([k == kind for k in kinds], bool)[kind_of]

    def coded(kind: str, words: dict[str, int]) -> npt.NDArray[np.int8]:
        return np.where(of_kind(kind), np.array([words.get(v, -1) for v in values], np.int8)[value_of], np.int8(-1))

    yes_no = {word: 1 for word in _YES} | {word: 0 for word in _NO}
    smoking = {v: int(v in _SMOKES or (v.endswith("_a_day") and v != "0_a_day")) for v in dict.fromkeys(values)}
    medicine = records.columns("supplies")["medicine"]
    return ConditionInputs(
        records,
        regimen.prepare(records),
        patients["birth_date"],
        patients["sex"],
        {
            g: diagnosed & np.array([in_group(g, c, w) for c, w in different], bool)[pair.reshape(-1)]
            for g in ("smi", "cardiac", "thyroid", "pregnancy")
        },
        {kind: coded(kind, yes_no) for kind in ("childbearing_potential", "benign_ethnic_neutropenia")},
        coded("smoking", smoking),
        coded("clozapine_service", {name: int(days) for name, days in RESET_DAYS.items()}),
        np.where(
            of_kind("clozapine_interval"),
            np.array([REGISTER_DAYS.get(v, 0) for v in values], np.int16)[value_of],
            np.int16(-1),
        ),
        of_kind("infection") & np.array([v not in _NO for v in values], bool)[value_of],
        {
            name: _of(scopes)[medicine]
            for name, scopes in (
                ("interacting", _INTERACTING),
                ("cyp1a2", _CYP1A2),
                ("diuretic", _DIURETIC),
                ("clozapine", ("clozapine",)),
                ("lithium", ("lithium",)),
                ("methadone", ("methadone",)),
            )
        },
    )


@cache
def _masks(scopes: tuple[str, ...]) -> tuple[bool, ...]:
    meant = frozenset(name for scope in scopes for name in medicines_meant(scope))
    return tuple(name in meant for name in MEDICINES)


@cache
def _of(scopes: tuple[str, ...]) -> Bools:
    return np.array(_masks(scopes), bool)


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
        columns = self.p.records.columns("conditions")
        return self._latest("conditions", columns["recorded_on"], self.p.diagnosis[group]) >= 0

    def _latest(self, table: str, day: Days, keep: Bools, until: Days = _ALL_STAND) -> Int:
        records = self.p.records
        return lookups.latest_row(
            records.offsets(table), day, records.columns(table)["known_on"], until, keep, self.person, self.as_of
        )

    def yes_no(self, kind: str) -> npt.NDArray[np.int8]:
        """1 yes, 0 no, -1 not recorded: the latest value of a circumstance."""
        codes = self.p.yes_no[kind]
        return self._code(codes)

    def _code(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        row = self._latest("circumstances", self.p.records.columns("circumstances")["from_on"], codes >= 0)
        return np.where(row >= 0, codes[row] if len(codes) else np.int8(-1), np.int8(-1)).astype(np.int8)

    @cached_property
    def service_limit(self) -> Int:
        """Days of break after which blood counts restart: the service's limit, or the strictest if the service is not
        recorded.
        """
        code = self._code(self.p.service)
        return np.where(code >= 0, code, int(STRICTEST_DAYS)).astype(np.int64)

    def result(self, test: str, lowest: bool = False) -> npt.NDArray[np.float64]:
        """The latest (or lowest) visible value of a test, NaN if there is none."""
        records, columns = self.p.records, self.p.records.columns("results")
        keep = (columns["test"] == list(TESTS).index(test)) & ~np.isnan(columns["value"])
        if lowest:
            return lookups.lowest_value(
                records.offsets("results"),
                columns["taken_on"],
                columns["known_on"],
                keep,
                columns["value"],
                self.person,
                self.as_of,
            )
        row = self._latest("results", columns["taken_on"], keep)
        return np.where(row >= 0, columns["value"][row] if len(columns["value"]) else np.nan, np.nan)

    def current(self, name: str) -> Bools:
        """Whether a medicine of a set was supplied and has not run out for more than 28 days."""
        p, taking = self.p, self.p.regimen
        end = lookups.latest_end(
            taking.offsets,
            taking.day,
            taking.known,
            taking.until,
            taking.length,
            p.medicine_in[name],
            self.person,
            self.as_of,
        )
        return np.asarray((end != NO_DAY) & (end.astype(np.int64) + 28 >= self.as_of))

    def changed(self, name: str) -> Days:
        """Day on which the dose of a medicine last changed, NO_DAY where it did not."""
        p, taking = self.p, self.p.regimen
        dose = np.where(p.medicine_in[name] & ~np.isnan(taking.dose_mg_a_day), taking.dose_mg_a_day, -1.0)
        return lookups.latest_change(
            taking.offsets, taking.day, taking.known, taking.until, dose, self.person, self.as_of
        )

    def started(self, name: str) -> Days:
        """Day on which a medicine of a set was last started, or restarted after it had run out for more than 28
        days.
        """
        p = self.p
        keep = p.medicine_in[name]
        limit = np.full(len(self.person), 28, np.int64)
        restart, _ = lookups.latest_break(
            p.regimen.offsets,
            p.regimen.day,
            p.regimen.known,
            p.regimen.until,
            p.regimen.length,
            keep,
            limit,
            self.person,
            self.as_of,
        )
        first = lookups.first_row(
            p.regimen.offsets, p.regimen.day, p.regimen.known, p.regimen.until, keep, self.person, self.as_of
        )
        begun = np.where(first >= 0, p.regimen.day[first] if len(p.regimen.day) else NO_DAY, NO_DAY)
        return np.where(restart == NO_DAY, begun, restart).astype(np.int32)

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
        told = self.yes_no("childbearing_potential")
        male = self.sex == TABLES["patients"].column("sex").values.index("male")
        ruled_out = male | (self.age >= 55)
        return np.where(told >= 0, told, np.where(ruled_out, DOES_NOT, CANNOT_ASSESS)).astype(np.int8)

    @cached_property
    def cardiac(self) -> Answers:
        return _known_if(self.diagnosed("cardiac"))

    @cached_property
    def colour(self) -> tuple[npt.NDArray[np.int8], Days]:
        """The colour of the clozapine blood count in force, and the day that set it."""
        records, columns = self.p.records, self.p.records.columns("results")
        names = list(TESTS)
        part = np.where(
            columns["test"] == names.index("wbc"), 0, np.where(columns["test"] == names.index("anc"), 1, -1)
        )
        registered = (self.yes_no("benign_ethnic_neutropenia") == 1).astype(np.int64)
        return lookups.blood_colour(
            records.offsets("results"),
            columns["taken_on"],
            columns["known_on"],
            part.astype(np.int64),
            columns["value"],
            _COLOUR_LIMITS,
            registered,
            self.person,
            self.as_of,
        )

    @cached_property
    def counted(self) -> Bools:
        """Whether any white cell or neutrophil count is known."""
        return ~np.isnan(self.result("wbc")) | ~np.isnan(self.result("anc"))

    @cached_property
    def clozapine_break(self) -> tuple[Days, Days]:
        """Day on which clozapine began again after the latest break past the service's limit, NO_DAY where there was
        none, and the days missed."""
        p = self.p
        return lookups.latest_break(
            p.regimen.offsets,
            p.regimen.day,
            p.regimen.known,
            p.regimen.until,
            p.regimen.length,
            p.medicine_in["clozapine"],
            self.service_limit,
            self.person,
            self.as_of,
        )

    @cached_property
    def recorded_interval(self) -> tuple[Int, Days]:
        """Days between clozapine counts by the latest entry of the register or the record (0 where there is none, or
        it is not understood), and the day of the entry."""
        codes, columns = self.p.interval, self.p.records.columns("circumstances")
        if not (codes >= 0).any():
            return np.zeros(len(self.person), np.int64), np.full(len(self.person), NO_DAY, np.int32)
        row = self._latest("circumstances", columns["from_on"], codes >= 0)
        days = np.where(row >= 0, codes[row], 0).astype(np.int64)
        return days, np.where(row >= 0, columns["from_on"][row], NO_DAY).astype(np.int32)

    def events(self, clozapine_end: Days) -> Days:
        """Shape (rows, len(EVENTS)): the day from which each event's schedule counts, NO_DAY if it is not in force."""
        p = self.p
        colour, since = self.colour
        out = np.full((len(self.person), len(EVENTS)), NO_DAY, np.int32)
        out[:, 0] = np.where(colour == lookups.AMBER, since, NO_DAY)
        out[:, 1] = np.where(colour == lookups.RED, since, NO_DAY)
        restart, missed = self.clozapine_break
        out[:, 2] = np.where(missed <= NEW_START_DAYS, restart, NO_DAY)
        circumstances = p.records.columns("circumstances")
        smoking = lookups.latest_change(
            p.records.offsets("circumstances"),
            circumstances["from_on"],
            circumstances["known_on"],
            _ALL_STAND,
            p.smoking,
            self.person,
            self.as_of,
        )
        ill = self._latest("circumstances", circumstances["from_on"], p.infection)
        infected = np.where(ill >= 0, circumstances["from_on"][ill] if len(p.infection) else NO_DAY, NO_DAY)
        out[:, 3] = _latest_of(smoking, infected, self.started("cyp1a2"))
        out[:, 4] = _latest_of(self.changed("lithium"), self.started("interacting"))
        out[:, 5] = np.where(clozapine_end < self.as_of, clozapine_end, NO_DAY)
        return out


_COLOUR_ROWS = ((("th002", "th003"), ("th005", "th006")), (("th008", "th009"), ("th011", "th012")))
"""(amber, red) of white cells and neutrophils: general, then benign ethnic neutropenia registered."""
_COLOUR_LIMITS = np.array([[[high_limit(row) for row in rows] for rows in way] for way in _COLOUR_ROWS])


def _latest_of(*days: Days) -> Days:
    known = np.array([np.where(day == NO_DAY, -(2**31) + 1, day) for day in days]).max(axis=0)
    return np.where(known == -(2**31) + 1, NO_DAY, known).astype(np.int32)


def _known_if(yes: Bools) -> Answers:
    """A recorded history applies; one that is not recorded cannot be assessed."""
    return np.where(yes, APPLIES, CANNOT_ASSESS).astype(np.int8)


def _always(s: Situation) -> Answers:
    return np.full(len(s.person), APPLIES, np.int8)


def _never_known(s: Situation) -> Answers:
    return np.full(len(s.person), CANNOT_ASSESS, np.int8)


def _smi(s: Situation) -> Answers:
    return _known_if(s.diagnosed("smi"))


def _sodium(s: Situation) -> Answers:
    """Age 65 or over, a diuretic, or a sodium ever below the normal range (th047)."""
    yes = (s.age >= 65) | s.current("diuretic") | (s.result("sodium", lowest=True) < SODIUM_LOW)
    return np.where(yes, APPLIES, np.where(np.isnan(s.age), CANNOT_ASSESS, DOES_NOT)).astype(np.int8)


def _under_55(s: Situation) -> Answers:
    return np.where(np.isnan(s.age), CANNOT_ASSESS, np.where(s.age < 55, APPLIES, DOES_NOT)).astype(np.int8)


def _young(s: Situation) -> Answers:
    """Age 18 to 25 applies. The other half of the condition cannot be assessed by this service."""
    return _known_if((s.age >= 18) & (s.age < 26))


def _cardiac_or_qt(s: Situation) -> Answers:
    yes = (s.cardiac == APPLIES) | (s.regimen("qt_medicines") >= 2) | (s.result("potassium") < POTASSIUM_LOW)
    return _known_if(yes)


def _cardiac_older_high(s: Situation) -> Answers:
    return _known_if((s.cardiac == APPLIES) | (s.age >= 65))


def _inpatient_or_cardiac(s: Situation) -> Answers:
    stays = s.p.records.columns("stays")
    row = s._latest("stays", stays["admitted_on"], np.ones(len(stays["admitted_on"]), bool))
    over = np.zeros(len(row), bool)
    if len(stays["admitted_on"]):
        over = (stays["discharged_on"][row] < s.as_of) & (stays["discharge_known_on"][row] < s.as_of)
    return _known_if((s.cardiac == APPLIES) | ((row >= 0) & ~over))


def _methadone(s: Situation) -> Answers:
    columns = s.p.records.columns("supplies")
    row = s._latest("supplies", columns["supplied_on"], s.p.medicine_in["methadone"], s.p.regimen.until)
    dose = np.where(row >= 0, s.p.regimen.dose_mg_a_day[row] if len(s.p.regimen.day) else np.nan, np.nan)
    yes = (dose > 100) | (s.regimen("qt_medicines") >= 2)
    return np.where(yes, APPLIES, np.where(np.isnan(dose), CANNOT_ASSESS, DOES_NOT)).astype(np.int8)


CONDITIONS: dict[str, Callable[[Situation], Answers]] = {
    "": _always,
    "until stable": _always,
    "amber result": _always,
    "red result": _always,
    "clozapine stopped": _always,
    "break >72 h (DMS, ZTAS) or >96 h (CPMS)": _always,
    "continuous use over 28 days": _always,
    "continuous use over 3 months": _always,
    "sum of ACB scores >=3": _always,
    "total >100% of BNF maximum": _always,
    "dose change, formulation change or interacting medicine started or stopped": _always,
    (
        "stopped or reduced smoking, switched to e-cigarette, pneumonia or serious infection, interacting medicine, "
        "suspected toxicity"
    ): _always,
    "on GP SMI register": _smi,
    "not high risk": lambda s: np.where(s.lithium_high_risk == APPLIES, DOES_NOT, APPLIES).astype(np.int8),
    (
        "age >=65; interacting medicine; renal or thyroid risk; raised calcium; poor adherence or symptom control; "
        "last level >=0.8; sodium or fluid change; pregnancy"
    ): lambda s: s.lithium_high_risk,
    "childbearing potential": lambda s: s.childbearing,
    "childbearing potential; also advise males and partners": lambda s: s.childbearing,
    "female of childbearing potential": lambda s: s.childbearing,
    "age under 55, new start any sex": _under_55,
    "age >=65, diuretic or previous hyponatraemia": _sodium,
    "age 18 to 25 or suicide risk": _young,
    "cardiovascular disease or risk factors": lambda s: s.cardiac,
    "cardiac risk or interacting medicine": _cardiac_or_qt,
    "cardiac disease, electrolyte disturbance or QT-prolonging medicine": _cardiac_or_qt,
    "cardiac disease, older age or high dose": _cardiac_older_high,
    "SmPC requirement, cardiovascular risk or history, or inpatient": _inpatient_or_cardiac,
    "symptoms or history of thyroid disease": lambda s: _known_if(s.diagnosed("thyroid")),
    "dose >100 mg daily or QT risk factors": _methadone,
    "toxicity, interaction or adherence concern": _never_known,
    "Han Chinese or Thai ancestry": _never_known,
}
"""Each text of ``applies_if`` and its assessment. ``_always`` if the phase or the scope already implies it."""
UNCONDITIONAL = frozenset(text for text, assess in CONDITIONS.items() if assess is _always)

__all__ = ["CONDITIONS", "EVENTS", "UNCONDITIONAL", "ConditionInputs", "Situation", "prepare"]
