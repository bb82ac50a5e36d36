"""Leaks planted on purpose, one place at a time: each says what it does wrong and which feature or gap code must give
it away.

Compiled loops cannot be patched, so a plant changes what they are handed: a clock set back to before time began, a day
moved, ``as_of`` moved on by one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from features.engine import plan, window_walks
from features.engine.plan_cache import ByFeatures
from features.engine.stream_masks import Membership
from features.gaps import person_view as gaps_person
from features.kernels import bookings, coverage, lookups, planned_gaps, spells, windows
from features.medicines import regimen
from features.monitoring import condition_inputs, due_dates
from features.records import Records
from features.records.days import NO_DAY
from features.records.table import Table
from features.records.tables import TABLES

ALWAYS_KNOWN = -(2**30)
Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Plant:
    """One leak. Every name in ``caught_by`` must be among the differences of ``checks`` checks: rare states need
    more."""

    name: str
    caught_by: tuple[str, ...]
    place: Callable[[Patch], None]
    checks: int = 400

    @contextmanager
    def planted(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                plan, "_PLANS", ByFeatures(plan._plan)
            )  # a plan made before holds the true clocks, one made now must not outlive the leak
            self.place(patch)
            yield


PLANTS: list[Plant] = []


def plant(
    name: str, *caught_by: str, checks: int = 400
) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def add(place: Callable[[Patch], None]) -> Callable[[Patch], None]:
        PLANTS.append(Plant(name, caught_by, place, checks))
        return place

    return add


# --- what a plant is made of
# ----------------------------------------------------------------------------------------------------------------------


def ignored(values: Any) -> Any:
    """A clock that says everything was always known."""
    return np.full_like(values, ALWAYS_KNOWN)


def a_day_early(values: Any) -> Any:
    """``<=`` for ``<``: a missing day stays missing."""
    return np.where(values == NO_DAY, values, values - 1).astype(values.dtype)


def doctored(records: Records, table: str, column: str, change: Callable[[Any], Any]) -> Records:
    """The records with one column changed."""
    old = records.tables[table]
    new = Table(old.spec, {**old.columns, column: change(old.columns[column])}, old.patient, old.offsets)
    return Records(records.patient_ids, {**records.tables, table: new}, records.about)


def reads(owner: Any, function: str, table: str, column: str, change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """``function(records, ...)`` sees one column changed."""

    def place(patch: Patch) -> None:
        true = getattr(owner, function)
        patch.setattr(owner, function, lambda records, *rest: true(doctored(records, table, column, change), *rest))

    return place


def handed(owner: Any, function: str, position: int, change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """A compiled loop is handed one array changed."""

    def place(patch: Patch) -> None:
        true = getattr(owner, function)

        def leaky(*given: Any) -> Any:
            return true(*given[:position], change(given[position]), *given[position + 1 :])

        patch.setattr(owner, function, leaky)

    return place


def gaps_read(table: str, column: str, change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """The gaps' view of a person sees one column changed; the schedule and the features do not."""

    def place(patch: Patch) -> None:
        true = gaps_person.Shared.__init__

        def leaky(self: Any, records: Records, taking: Any = None) -> None:
            seen = doctored(records, table, column, change)
            true(self, seen, regimen.prepare(seen) if table == "supplies" else taking)

        patch.setattr(gaps_person.Shared, "__init__", leaky)

    return place


def events_with(change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """Every window feature's events changed before the loop sees them."""

    def place(patch: Patch) -> None:
        true = window_walks.events_of
        patch.setattr(window_walks, "events_of", lambda *given: change(true(*given)))

    return place


def clocks_forget(table: str) -> Callable[[Patch], None]:
    """Streams of a table know only the clock of the row, not those of its late parts."""

    def place(patch: Patch) -> None:
        true = plan.clocks_of

        def forget(stream: Any, value: str = "") -> Any:
            return ("known_on",) if stream.table == table else true(stream, value)

        for reader in (plan, window_walks):
            patch.setattr(reader, "clocks_of", forget)

    return place


def column_plus(feature: str, what: Callable[[Records, Any, Any], Any]) -> Callable[[Patch], None]:
    """One feature's column gets something added that ``what(records, person, as_of)`` read from where it must not."""

    def place(patch: Patch) -> None:
        build = sys.modules["features.engine.build"]
        true = build.walks_for

        def leaky(records: Records, features: Any) -> Any:
            column = next(i for i, f in enumerate(features) if f.name == feature)

            def more(person: Any, as_of: Any, rows: Any, values: Any) -> None:
                before = np.nan_to_num(values[rows, column])
                values[rows, column] = before + what(records, person, as_of)

            return [*true(records, features), more]

        patch.setattr(build, "walks_for", leaky)

    return place


RARE = 1500
"""Checks for a leak that shows only in people who take clozapine or lithium, or who were in hospital."""


def add(name: str, *caught_by: str, place: Callable[[Patch], None], checks: int = 400) -> None:
    PLANTS.append(Plant(name, caught_by, place, checks))


# --- windows
# ----------------------------------------------------------------------------------------------------------------------

add(
    "window: known_on off by one",
    "days_since_any_supply",
    "attended_30d",
    place=events_with(lambda e: replace(e, known=a_day_early(e.known))),
)
add(
    "window: known_on ignored",
    "days_since_any_result",
    "never_allergy_status",
    place=events_with(lambda e: replace(e, known=ignored(e.known))),
)
add(
    "window: closed boundary, the day itself counts",
    "days_since_any_contact_row",
    "attended_30d",
    place=events_with(lambda e: replace(e, day=a_day_early(e.day))),
)
add(
    "window: as_of means the end of the day",
    "days_since_any_supply",
    "attended_30d",
    place=handed(windows, "window_kernel", 8, lambda t: t + 1),
)
add(
    "window: a week of tolerance on known_on",
    "days_since_any_result",
    place=events_with(lambda e: replace(e, known=np.where(e.known == NO_DAY, NO_DAY, e.known - 7).astype(np.int32))),
)
add("clock of the outcome forgotten", "attended_30d", "missed_90d", place=clocks_forget("contacts"), checks=RARE)
add("clock of the closure forgotten", "closed_referrals_730d", place=clocks_forget("referrals"))
add(
    "clock of the discharge forgotten",
    "days_since_discharge",
    "discharges_28d",
    place=clocks_forget("stays"),
    checks=RARE,
)


@plant("corrected outcome: rows later cancelled are left out at once", "days_since_any_contact_row", checks=2_000)
def _(patch: Patch) -> None:
    true = Membership.bits
    cancelled = [
        TABLES["contacts"].column("outcome").values.index(f"cancelled_by_{who}") for who in ("patient", "service")
    ]

    def leaky(members: Membership, records: Records) -> Any:
        bits = true(members, records)
        for place, stream in enumerate(members.streams):
            if stream.table == "contacts" and not stream.where and not stream.unless:
                gone = np.isin(records.columns("contacts")["outcome"], cancelled)
                bits[gone] &= ~np.uint64(1 << place)
        return bits

    patch.setattr(Membership, "bits", leaky)


@plant("a discharge without a date yet counts by the day it will have", "days_since_discharge")
def _(patch: Patch) -> None:
    handed(window_walks, "events_of", 0, lambda r: doctored(r, "stays", "discharge_known_on", ignored))(patch)


# --- spells
# ----------------------------------------------------------------------------------------------------------------------

add(
    "spell: referral's known_on ignored",
    "referral_length_days",
    place=reads(plan, "_spell_walk", "referrals", "known_on", ignored),
)
add(
    "spell: closure's clock ignored",
    "referral_length_days",
    place=reads(plan, "_spell_walk", "referrals", "closed_known_on", ignored),
)
add(
    "spell: discharge's clock ignored",
    "bed_days_365d",
    place=reads(plan, "_spell_walk", "stays", "discharge_known_on", ignored),
)
add(
    "spell: stay's known_on ignored",
    "bed_days_365d",
    "bed_days_730d",
    place=reads(plan, "_spell_walk", "stays", "known_on", ignored),
)
add(
    "spell: as_of means the end of the day",
    "referral_length_days",
    place=handed(spells, "spell_kernel", 7, lambda t: t + 1),
)

# --- coverage, depots, regimen
# ----------------------------------------------------------------------------------------------------------------------

add(
    "coverage: supply's known_on ignored",
    "antipsychotic_covered_share_90d",
    place=reads(plan, "_coverage_walks", "supplies", "known_on", ignored),
)
add(
    "coverage: supply's day off by one",
    "antipsychotic_supply_left_days",
    place=reads(plan, "_coverage_walks", "supplies", "supplied_on", a_day_early),
)
add(
    "coverage: stay's known_on ignored",
    "antipsychotic_covered_share_90d",
    place=reads(plan, "_coverage_walks", "stays", "known_on", ignored),
    checks=RARE,
)
add(
    "coverage: discharge's clock ignored",
    "antipsychotic_in_hand_at_discharge",
    place=reads(plan, "_coverage_walks", "stays", "discharge_known_on", ignored),
    checks=RARE,
)
add(
    "depot: known_on ignored",
    "depot_days_past_due",
    place=reads(plan, "_depot_walks", "supplies", "known_on", ignored),
)
add(
    "depot: as_of means the end of the day",
    "depot_days_past_due",
    place=handed(coverage, "depot_kernel", 7, lambda t: t + 1),
)
add(
    "regimen: known_on ignored in what is prepared",
    "psychotropics",
    "regular_items",
    place=reads(regimen, "prepare", "supplies", "known_on", ignored),
)
add(
    "regimen: day off by one", "psychotropics", "regular_items", place=handed(regimen, "regimen_kernel", 1, a_day_early)
)

# --- schedule
# ----------------------------------------------------------------------------------------------------------------------

add(
    "schedule: last result ignores its clock",
    "tests_due",
    "tests_overdue",
    place=handed(due_dates, "latest_kernel", 2, ignored),
)
add(
    "schedule: last result, as_of means the end of the day",
    "tests_due",
    "tests_overdue",
    place=handed(due_dates, "latest_kernel", 5, lambda t: t + 1),
)
add(
    "schedule: courses ignore known_on",
    "tests_due",
    "antipsychotic_tests_due",
    place=handed(due_dates, "courses_kernel", 2, ignored),
)
add("schedule: courses' day off by one", "tests_due", place=handed(due_dates, "courses_kernel", 1, a_day_early))
add("schedule: first referral ignores its clock", "smi_tests_due", place=handed(lookups, "first_row", 2, ignored))
add(
    "conditions: circumstances and diagnoses ignore known_on",
    "tests_unsure",
    place=handed(lookups, "latest_row", 2, ignored),
    checks=RARE,
)
add(
    "conditions: blood colour ignores known_on",
    "clozapine_blood_colour",
    place=handed(lookups, "blood_colour", 2, ignored),
    checks=RARE,
)
add(
    "conditions: blood colour, as_of means the end of the day",
    "clozapine_blood_colour",
    place=handed(lookups, "blood_colour", 8, lambda t: t + 1),
    checks=RARE,
)
add(
    "conditions: lowest value ever ignores known_on",
    "u_and_e_days_past_due",
    place=handed(lookups, "lowest_value", 2, ignored),
    checks=RARE,
)
add(
    "conditions: break or new interacting medicine ignores known_on",
    "lithium_level_days_past_due",
    place=handed(lookups, "latest_break", 2, ignored),
    checks=RARE,
)
add(
    "conditions: change of dose or smoking ignores known_on",
    "lithium_level_days_past_due",
    place=handed(lookups, "latest_change", 2, ignored),
    checks=RARE,
)
add(
    "conditions: discharge's clock ignored",
    "tests_unsure",
    place=reads(condition_inputs, "prepare", "stays", "discharge_known_on", ignored),
    checks=RARE,
)

# --- gaps
# ----------------------------------------------------------------------------------------------------------------------

add(
    "gaps: supplies ignore known_on",
    "MEDICINES_REVIEW_OVERDUE",
    "LAI_OVERDUE",
    place=gaps_read("supplies", "known_on", ignored),
)
add("gaps: supplies' closed boundary", "REGIMEN_CHANGE_RECENT", place=gaps_read("supplies", "supplied_on", a_day_early))
add("gaps: results ignore known_on", "SIDE_EFFECT_BURDEN", place=gaps_read("results", "known_on", ignored))
add("gaps: results' known_on off by one", "SIDE_EFFECT_BURDEN", place=gaps_read("results", "known_on", a_day_early))
add("gaps: contacts ignore known_on", "NO_CONTACT", place=gaps_read("contacts", "known_on", ignored))
add(
    "gaps: outcome's clock ignored",
    "NO_CONTACT",
    "DNA_PATTERN",
    place=gaps_read("contacts", "outcome_known_on", ignored),
    checks=RARE,
)
add(
    "gaps: stays ignore known_on",
    "POST_DISCHARGE_RECONCILE",
    place=gaps_read("stays", "known_on", ignored),
    checks=RARE,
)
add(
    "gaps: discharge's clock ignored",
    "POST_DISCHARGE_RECONCILE",
    place=gaps_read("stays", "discharge_known_on", ignored),
    checks=RARE,
)
add("gaps: closure's clock ignored", "NO_CONTACT", place=gaps_read("referrals", "closed_known_on", ignored))
add("gaps: referrals ignore known_on", "NO_CONTACT", place=gaps_read("referrals", "known_on", ignored))
add("gaps: circumstances ignore known_on", "EQUALITY_NEED_UNMET", place=gaps_read("circumstances", "known_on", ignored))
add(
    "gaps: circumstances' closed boundary",
    "EQUALITY_NEED_UNMET",
    place=gaps_read("circumstances", "from_on", a_day_early),
    checks=RARE,
)
add("gaps: allergy rows ignore known_on", "ALLERGY_NOT_RECORDED", place=gaps_read("conditions", "known_on", ignored))
add(
    "gaps: allergy rows' closed boundary",
    "ALLERGY_NOT_RECORDED",
    place=gaps_read("conditions", "recorded_on", a_day_early),
)


@plant(
    "gaps: a birth date is hidden until the row was last written, which a later death does",
    "EQUALITY_NEED_UNMET",
    "ANTICHOLINERGIC_BURDEN",
)
def _(patch: Patch) -> None:
    true = gaps_person.PersonAsKnown.patient

    def leaky(self: Any, column: str) -> int | None:
        known = int(self.shared.records.columns("patients")["known_on"][self.place])
        return None if known != NO_DAY and known >= self.as_of else true(self, column)

    patch.setattr(gaps_person.PersonAsKnown, "patient", leaky)


# --- what belongs to nobody's past
# ------------------------------------------------------------------------------------------------------------------


def _mean_result(records: Records, person: Any, as_of: Any) -> Any:
    values = records.columns("results")["value"]
    return np.nanmean(values) if len(values) else 0.0


def _last_day(records: Records, person: Any, as_of: Any) -> Any:
    return records.last_day_known() - as_of


def _dies_soon(records: Records, person: Any, as_of: Any) -> Any:
    return records.columns("patients")["died_on"][person] < as_of + 90


def _every_appointment(records: Records, person: Any, as_of: Any) -> Any:
    columns, patient = records.columns("contacts"), records.tables["contacts"].patient
    return np.bincount(patient[columns["contact_on"] >= as_of[0]], minlength=len(records))[person]


def _rows_held(records: Records, person: Any, as_of: Any) -> Any:
    offsets = records.offsets("results")
    return offsets[person + 1] - offsets[person]


def _newest_dose(records: Records, person: Any, as_of: Any) -> Any:
    offsets, dose = records.offsets("supplies"), records.columns("supplies")["daily_dose_mg"]
    last = np.clip(offsets[person + 1] - 1, 0, max(len(dose) - 1, 0))
    return np.nan_to_num(dose[last]) if len(dose) else 0.0


add("whole table: scaled by the mean of all results", "attended_365d", place=column_plus("attended_365d", _mean_result))
add("whole table: days to the end of the extract", "attended_365d", place=column_plus("attended_365d", _last_day))
add("a death to come", "attended_365d", place=column_plus("attended_365d", _dies_soon))
add(
    "appointments ahead, booked or not",
    "attended_365d",
    place=column_plus("attended_365d", _every_appointment),
)


BOOKING_ARGUMENTS = (
    *("offsets", "day", "booked", "known", "cancelled", "cancelled_known", "bits", "person", "as_of"),
    *("out_row", "ops", "streams", "windows", "columns", "out"),
)
FROM_BOOKINGS = ("days_to_next_booking", "bookings_ahead")


def booking_leak(**changes: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """The walk of bookings handed other arguments."""
    true = bookings.bookings_kernel

    def leaky(*arguments: Any) -> None:
        named = dict(zip(BOOKING_ARGUMENTS, arguments, strict=True))
        true(*(changes[name](value) if name in changes else value for name, value in named.items()))

    return lambda patch: patch.setattr(bookings, "bookings_kernel", leaky)


add("bookings ignore the day of booking", *FROM_BOOKINGS, place=booking_leak(booked=ignored))
add("bookings ignore known_on", *FROM_BOOKINGS, place=booking_leak(known=ignored))
add("bookings read a day on", *FROM_BOOKINGS, place=booking_leak(as_of=lambda days: days + 1))
add("bookings ignore when a cancellation was known", *FROM_BOOKINGS, place=booking_leak(cancelled_known=ignored))


def planned_gap_leak(kernel: str, place: int, change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """One of the two loops over planned gaps, handed another argument at ``place``."""
    true = getattr(planned_gaps, kernel)

    def leaky(*arguments: Any) -> Any:
        return true(*arguments[:place], change(arguments[place]), *arguments[place + 1 :])

    return lambda patch: patch.setattr(planned_gaps, kernel, leaky)


for _says, _kernel, _place, _change in (
    ("ignore when the booking was known", "gaps_planned", 3, ignored),
    ("ignore when the outcome of the contact was known", "gaps_planned", 4, ignored),
    ("ignore both clocks", "planned_gaps_kernel", 2, ignored),
    ("read a day on", "planned_gaps_kernel", 5, lambda days: days + 1),
):
    add(
        f"planned gaps {_says}",
        "planned_gap_halved_every_30_days",
        place=planned_gap_leak(_kernel, _place, _change),
    )
add("how much is on file, whenever it was written", "attended_365d", place=column_plus("attended_365d", _rows_held))
add("the newest dose on file", "attended_365d", place=column_plus("attended_365d", _newest_dose))

__all__ = ["PLANTS", "Plant", "doctored"]
