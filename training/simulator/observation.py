"""Turns events into records: late rows, lost rows, missing values, and the extract taken on the last day.

Every choice is hashed from (seed, person, the row's place among the person's rows), never drawn in sequence, so one
person's rows do not depend on anybody else's. A row, an outcome, a closure or a discharge that became known after the
last day is not in the extract.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.tables import (
    ADMISSION_METHODS,
    CLOSE_REASONS,
    CONTACT_KINDS,
    LEGAL_STATUSES,
    MODES,
    OUTCOMES,
    PRESCRIBERS,
    SEX,
    SUPPLY_KINDS,
    THREE_WAY,
    WARDS,
)
from training.simulator import state
from training.simulator.care.formulary import FORMULARY, NAMES
from training.simulator.care.own_words import FELT_KNOWN, WISH_KNOWN, in_own_words
from training.simulator.parameters import World
from training.simulator.random import hashed

NO_DAY = state.NONE
DAYS_TO_WRITE_DOWN = 10
"""A wish or a side effect is known within so many days of the day on which it was said."""

HOUSING = ("settled", "temporary", "hostel", "rough_sleeping")
EMPLOYMENT = ("unemployed", "employed")
YES_NO = ("no", "yes")
INTERPRETER = ("not_required", "required")
LANGUAGES = ("Polish", "Urdu", "Bengali", "Arabic", "Somali")
SMOKING = ("smoker", "ex_smoker", "never_smoked")
VALUES: dict[str, tuple[str, ...]] = {
    "housing": HOUSING,
    "employment": EMPLOYMENT,
    "interpreter": INTERPRETER,
    "language": LANGUAGES,
    "smoking": SMOKING,
    "carer": YES_NO,
    "living_alone": YES_NO,
    "substance_use": ("current",),
    "care_coordinator": tuple(f"S{i:02d}" for i in range(13)),
    "clozapine_service": ("DMS", "ZTAS", "CPMS"),
    "benign_ethnic_neutropenia": ("yes",),
    "childbearing_potential": YES_NO,
    "community_treatment_order": ("yes",),
    "reported_missed_doses": ("yes",),
    "reasonable_adjustment": ("in_place",),
    "infection": ("yes",),
}
DIAGNOSIS_ROWS = (
    *state.DIAGNOSES,
    ("F10.2", "alcohol dependence syndrome"),
    ("F12.1", "harmful use of cannabinoids"),
    ("E11.9", "type 2 diabetes mellitus"),
    ("I10", "essential hypertension"),
    ("J44.9", "chronic obstructive pulmonary disease"),
    ("F90.0", "attention deficit hyperactivity disorder"),
)
ALLERGY_ROWS = (
    ("716186003", "no known allergy"),
    ("91936005", "allergy to penicillin"),
    ("91939003", "allergy to sulfonamide"),
    ("294499007", "allergy to aspirin"),
)


@dataclass(frozen=True)
class Recording:
    """What the recording layer needs besides the events: who, when, and how late and lossy each table is."""

    seed: int
    last_day: int
    team_ids: np.ndarray
    patient_ids: np.ndarray
    died_on: np.ndarray
    lateness: np.ndarray  # per team, multiplies the delays
    world: World

    def noise(self, salt: int, rows: np.ndarray) -> np.ndarray:
        """float64 (rows,) in [0, 1), from the person and the row's place."""
        return hashed(self.seed, salt, rows["person"], place(rows["person"]))

    def delay(self, salt: int, rows: np.ndarray, mean: float, team: np.ndarray | None = None) -> np.ndarray:
        """int64 days: geometric about ``mean`` times the team's lateness, and one row in forty up to nine weeks later
        still."""
        means = mean * (self.lateness[team] if team is not None else np.ones(len(rows)))
        days = np.floor(np.log1p(-self.noise(salt, rows)) / np.log(means / (1.0 + means)))
        tail = self.noise(salt + 1, rows)
        return (days + np.where(tail < 0.025, tail / 0.025 * 63.0, 0.0)).astype(np.int64)


def place(person: np.ndarray) -> np.ndarray:
    """Place of each row among its person's rows; rows of a person are contiguous."""
    position = np.arange(len(person))
    first = np.ones(len(person), dtype=bool)
    first[1:] = person[1:] != person[:-1]
    return position - np.maximum.accumulate(np.where(first, position, 0))


def words(values: tuple[str, ...] | list[str], codes: np.ndarray) -> pd.Series:
    """Text column from codes; a negative code is missing."""
    known = pa.array(values, pa.string())
    taken = known.take(pa.array(np.where(codes < 0, 0, codes), mask=codes < 0))
    return text(taken)


def text(array: pa.Array) -> pd.Series:
    return pd.Series(pd.array(array, dtype=pd.StringDtype("pyarrow", na_value=np.nan)))


def dates(days: np.ndarray) -> pd.Series:
    """datetime64[s]; ``NO_DAY`` is missing."""
    days = np.asarray(days, dtype=np.int64)
    stamps = days.astype("datetime64[D]").astype("datetime64[s]")
    return pd.Series(np.where(days >= NO_DAY, np.datetime64("NaT"), stamps))


def numbered(prefix: str, numbers: np.ndarray) -> pd.Series:
    return text(pc.binary_join_element_wise(prefix, pa.array(numbers.astype(np.int64)).cast(pa.string()), ""))


def frames_of(
    tables: list[np.ndarray], people: np.ndarray, teams: pd.DataFrame, extract: Recording
) -> dict[str, pd.DataFrame]:
    """All nine tables from the event rows of each (in the order of ``layout``'s table codes)."""
    writers = (contacts, supplies, results, stays, referrals, circumstances, conditions)
    names = ("contacts", "supplies", "results", "stays", "referrals", "circumstances", "conditions")
    frames = {"patients": patients(people, extract), "teams": teams}
    for name, writer, rows in zip(names, writers, tables, strict=True):
        rows = rows[rows["day"] <= extract.died_on[rows["person"]]]
        frames[name] = writer(rows, extract)
    frames["circumstances"] = with_own_words(frames["circumstances"], tables[0], tables[1], extract)
    return frames


def keep(
    frame: dict[str, pd.Series],
    known_on: np.ndarray,
    extract: Recording,
    lost: np.ndarray | None = None,
    twice: np.ndarray | None = None,
) -> pd.DataFrame:
    """The rows known by the last day and not lost; rows of ``twice`` appear twice in a row."""
    here = known_on <= extract.last_day
    if lost is not None:
        here &= ~lost
    times = here.astype(np.int64) * (1 + (0 if twice is None else twice.astype(np.int64)))
    whole = pd.DataFrame({**frame, "known_on": dates(known_on)})
    return whole.take(np.repeat(np.arange(len(whole)), times)).reset_index(drop=True)


def localised(column: pd.Series, salt: int, rows: np.ndarray, extract: Recording) -> pd.Series:
    """Gives some rows a code of a local system that is in no vocabulary, as in real extracts; ``Records`` must set
    them aside.
    """
    return column.mask(extract.noise(salt, rows) < extract.world.local_codes, "LOCAL-17")


def never_submitted(day: np.ndarray, team: np.ndarray, extract: Recording) -> np.ndarray:
    """Rows of a team and calendar month that the team's system never sent. Bookings ahead of the last day are not
    touched."""
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return (hashed(extract.seed, 912, team, month) < extract.world.submission_gap) & (day <= extract.last_day)


def patient(rows: np.ndarray, extract: Recording) -> pd.Series:
    return text(pa.array(extract.patient_ids, pa.string()).take(pa.array(rows["person"])))


def patients(people: np.ndarray, extract: Recording) -> pd.DataFrame:
    """A death updates the person's row; a death not reported by the last day is missing."""
    number = people["index"]
    told = np.where(
        extract.died_on == NO_DAY,
        NO_DAY,
        extract.died_on + np.floor(12.0 * hashed(extract.seed, 11, number) ** 2).astype(np.int64),
    )
    dead = told <= extract.last_day
    unwritten = hashed(extract.seed, 12, number)
    learning = np.where((people["learning_disability"] == 2) & (unwritten < 0.15), -1, people["learning_disability"])
    autism = np.where((people["autism"] == 2) & (unwritten < 0.22), -1, people["autism"])
    deprivation = np.where(hashed(extract.seed, 13, number) < 0.02, np.nan, people["deprivation"].astype(float))
    return pd.DataFrame(
        {
            "patient_id": text(pa.array(extract.patient_ids, pa.string())),
            "birth_date": dates(people["born_on"]),
            "sex": words(SEX, people["sex"]),
            "ethnicity": words(state.ETHNICITIES, people["ethnicity"]),
            "deprivation_decile": deprivation,
            "learning_disability": words(THREE_WAY, learning),
            "autism": words(THREE_WAY, autism),
            "died_on": dates(np.where(dead, extract.died_on, NO_DAY)),
            "known_on": dates(np.where(dead, told, people["referred_on"])),
        }
    )


def contacts(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    """A booked contact is known from its booking, its outcome days later. An outcome not yet known reads as planned."""
    team, staff = rows["number"] // 100, rows["number"] % 100
    day, booked = rows["day"].astype(np.int64), rows["day2"].astype(np.int64)
    elsewhere = staff == 99
    outcome_known = day + extract.delay(20, rows, 1.6, team) + np.where(elsewhere, 2, 0)
    known = np.where(booked == NO_DAY, outcome_known, booked + extract.delay(22, rows, 0.25))
    unknown = (rows["c"] == state.PLANNED) | (outcome_known > extract.last_day)
    frame = {
        "patient_id": patient(rows, extract),
        "contact_id": numbered("C", (rows["person"].astype(np.int64) + 1) * 100_000 + place(rows["person"])),
        "team_id": words(list(extract.team_ids), np.where(elsewhere, -1, team)),
        "staff_id": words(
            [f"{t}-S{i:02d}" for t in extract.team_ids for i in range(13)],
            np.where(elsewhere, -1, team * 13 + staff % 13),
        ),
        "contact_on": dates(day),
        "booked_on": dates(booked),
        "mode": words(MODES, rows["b"]),
        "kind": localised(words(CONTACT_KINDS, rows["a"]), 25, rows, extract),
        "outcome": words(OUTCOMES, np.where(unknown, state.PLANNED, rows["c"])),
        "outcome_known_on": dates(np.where(unknown, NO_DAY, outcome_known)),
    }
    lost = (extract.noise(24, rows) < 0.003) | (never_submitted(day, team, extract) & ~elsewhere)
    at_clinic = (rows["a"] == state.CLOZAPINE_CLINIC) & (rows["c"] == state.ATTENDED)
    lost |= at_clinic & (extract.noise(26, rows) < extract.world.visits_elsewhere)
    twice = extract.noise(27, rows) < extract.world.duplicate_rows
    return keep(frame, np.minimum(known, outcome_known), extract, lost, twice)


def supplies(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    """Oral supplies by days and daily dose; depots by dose and interval, administered."""
    medicine = rows["a"]
    interval = np.array([m.interval for m in FORMULARY], dtype=float)[medicine]
    depot = interval > 0
    frame = {
        "patient_id": patient(rows, extract),
        "medicine": words(NAMES, medicine),
        "route": words(["oral", "long_acting_injection"], depot.astype(int)),
        "kind": words(SUPPLY_KINDS, rows["b"]),
        "supplied_on": dates(rows["day"]),
        "days_supplied": pd.Series(np.where(depot, np.nan, rows["x"])),
        "daily_dose_mg": pd.Series(np.where(depot, np.nan, rows["y"])),
        "dose_mg": pd.Series(np.where(depot, rows["y"], np.nan)),
        "interval_days": pd.Series(np.where(depot, interval, np.nan)),
        "as_required": pd.Series(rows["number"] == 1),
        "prescriber": words(PRESCRIBERS, rows["c"]),
    }
    mean = np.where(rows["c"] == state.GP, 4.0, 1.5)
    known = rows["day"] + (extract.delay(30, rows, 1.0) * mean).astype(np.int64)
    twice = extract.noise(33, rows) < extract.world.duplicate_rows
    return keep(frame, known, extract, extract.noise(32, rows) < 0.012, twice)


def results(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    """Values of tests; a check without a number has neither value nor unit.

    Blood counts of clozapine clinics come from the register of the monitoring service: sooner than the laboratory's,
    and none is lost.
    """
    unit = words([unit for _, unit in state.TESTS], rows["a"])
    value = np.round(rows["x"].astype(float), 2)
    frame = {
        "patient_id": patient(rows, extract),
        "test": localised(words([name for name, _ in state.TESTS], rows["a"]), 45, rows, extract),
        "taken_on": dates(rows["day"]),
        "value": pd.Series(value),
        "unit": unit.where(~np.isnan(value)),
    }
    register = (rows["b"] == 1) & np.isin(rows["a"], (state.TEST["wbc"], state.TEST["anc"]))
    known = rows["day"] + np.where(register, extract.delay(46, rows, 0.6), extract.delay(40, rows, 1.4))
    lost = (extract.noise(42, rows) < 0.02) & ~register
    return keep(frame, known, extract, lost, extract.noise(48, rows) < extract.world.duplicate_rows)


def stays(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    """One emergency in fifty has no method recorded: unknown counts as unplanned (docs/clinical.md section 2.2)."""
    left = rows["day2"].astype(np.int64)
    told = np.where(left == NO_DAY, NO_DAY, left + extract.delay(50, rows, 1.2))
    unknown = (rows["a"] == state.EMERGENCY) & (extract.noise(52, rows) < 0.02)
    frame = {
        "patient_id": patient(rows, extract),
        "admitted_on": dates(rows["day"]),
        "discharged_on": dates(np.where(told > extract.last_day, NO_DAY, left)),
        "method": words(ADMISSION_METHODS, np.where(unknown, ADMISSION_METHODS.index("unknown"), rows["a"])),
        "ward": words(WARDS, rows["b"]),
        "legal_status": words(LEGAL_STATUSES, rows["c"]),
        "discharge_known_on": dates(np.where(told > extract.last_day, NO_DAY, told)),
    }
    return keep(frame, rows["day"] + extract.delay(54, rows, 0.7), extract)


def referrals(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    closed = rows["day2"].astype(np.int64)
    told = np.where(closed == NO_DAY, NO_DAY, closed + extract.delay(60, rows, 4.0, rows["number"]))
    still = told > extract.last_day
    frame = {
        "patient_id": patient(rows, extract),
        "referral_id": numbered("R", (rows["person"].astype(np.int64) + 1) * 100 + place(rows["person"])),
        "team_id": words(list(extract.team_ids), rows["number"]),
        "opened_on": dates(rows["day"]),
        "closed_on": dates(np.where(still, NO_DAY, closed)),
        "close_reason": words(CLOSE_REASONS, np.where(still, -1, rows["a"])),
        "closed_known_on": dates(np.where(still, NO_DAY, told)),
    }
    return keep(frame, rows["day"] + extract.delay(62, rows, 1.0), extract)


def circumstances(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    kinds = state.CIRCUMSTANCE
    vocabulary = [value for kind in kinds for value in VALUES[kind]]
    starts = np.cumsum([0] + [len(VALUES[kind]) for kind in kinds])[:-1]
    frame = {
        "patient_id": patient(rows, extract),
        "kind": words(kinds, rows["a"]),
        "value": words(vocabulary, starts[rows["a"]] + rows["b"]),
        "from_on": dates(rows["day"]),
    }
    return keep(frame, rows["day"] + extract.delay(70, rows, 5.0), extract, lost=extract.noise(72, rows) < 0.03)


def with_own_words(
    written: pd.DataFrame, contacts: np.ndarray, supplies: np.ndarray, extract: Recording
) -> pd.DataFrame:
    """The circumstances with wishes and side effects added, each person's rows together, the others as they were."""
    parts = [written]
    said = in_own_words(contacts, supplies, extract.seed, place)
    for salt, (kind, (person, day, values)) in zip((WISH_KNOWN, FELT_KNOWN), said.items(), strict=True):
        here = day <= np.minimum(extract.died_on[person], extract.last_day)
        noise = hashed(extract.seed, salt, person, day)
        frame = {
            "patient_id": text(pa.array(extract.patient_ids, pa.string()).take(pa.array(person))),
            "kind": text(pa.array([kind] * len(person), pa.string())),
            "value": text(pa.array(values, pa.string())),
            "from_on": dates(day),
        }
        known = day + np.floor(noise * DAYS_TO_WRITE_DOWN).astype(np.int64)
        once = ~pd.DataFrame({"person": person, "day": day}).duplicated().to_numpy()
        parts.append(keep(frame, known, extract, lost=~here | ~once))
    return pd.concat(parts, ignore_index=True).sort_values("patient_id", kind="stable", ignore_index=True)


def conditions(rows: np.ndarray, extract: Recording) -> pd.DataFrame:
    """Diagnoses (ICD-10), allergies (SNOMED CT) and shared-care agreements."""
    table = [*DIAGNOSIS_ROWS, *ALLERGY_ROWS, ("", "shared care agreement")]
    start = np.array([0, len(DIAGNOSIS_ROWS), len(DIAGNOSIS_ROWS) + len(ALLERGY_ROWS)])
    entry = start[rows["a"]] + rows["number"]
    frame = {
        "patient_id": patient(rows, extract),
        "category": words(["diagnosis", "allergy", "shared_care"], rows["a"]),
        "system": words(["icd10", "snomed_ct"], np.where(rows["a"] == 2, -1, rows["a"])),
        "code": words([code for code, _ in table], np.where(rows["a"] == 2, -1, entry)),
        "label": words([label for _, label in table], entry),
        "recorded_on": dates(rows["day"]),
    }
    return keep(frame, rows["day"] + extract.delay(80, rows, 8.0), extract)
