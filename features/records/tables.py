"""The nine tables of a person's record: their columns, clocks and allowed values.

This module is data. Validation, storage, sources and the engine all read it, so a column is described once.

Every row has two clocks: the day it happened (``event_day``) and the day it became known (``known_on``). Where a part
of a row becomes known later than the row itself (an attendance outcome, a closure, a discharge), the column that says
when is named in ``late``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from features.reference import MEDICINES, TESTS

Kind = Literal["id", "text", "code", "date", "number", "flag"]


@dataclass(frozen=True)
class Column:
    """One column: ``kind`` decides how it is read, ``values`` lists what a ``code`` column may hold.

    ``words`` is the field of ``words.csv`` that spells those values, where it is not the column's name.

    ``ahead`` allows a date after tomorrow (a booked contact). ``low`` and ``high`` are the plausible range of a
    number, both included. A missing value is allowed unless ``required``.
    """

    name: str
    kind: Kind
    required: bool = False
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    ahead: bool = False
    words: str = ""


@dataclass(frozen=True)
class Late:
    """``column`` (and what it closes) counts only once ``known_on`` has passed; ``delay_days`` applies where the
    extract is silent."""

    column: str
    known_on: str
    delay_days: int


@dataclass(frozen=True)
class TableSpec:
    """One table. ``usual_delay_days`` stands in for ``known_on`` where an extract lacks it, and the load report says
    so.

    ``sent_again`` marks tables without an id of their own in which two rows that say the same, but for when it became
    known, are one event sent twice.
    """

    name: str
    columns: tuple[Column, ...]
    event_day: str | None
    usual_delay_days: int = 0
    unique: str | None = None
    sent_again: bool = False
    late: tuple[Late, ...] = ()
    ends: tuple[tuple[str, str], ...] = ()

    @property
    def per_patient(self) -> bool:
        return self.name != "teams"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The columns that must be given in every row."""
        return tuple(column.name for column in self.columns if column.required)

    def column(self, name: str) -> Column:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}


PATIENT_ID = Column("patient_id", "id", required=True)
KNOWN_ON = Column("known_on", "date", ahead=True)

SEX = ("female", "male", "other")
THREE_WAY = ("confirmed", "suspected", "no")
MODES = ("face_to_face", "video", "telephone", "text", "email", "other", "not_recorded")
"""``not_recorded`` stands where an extract says that somebody attended and not how: a contact with the person."""
COMPARATORS = ("<", "<=", ">", ">=")
CONTACT_KINDS = (
    "routine",
    "assessment",
    "medicines_review",
    "care_review",
    "physical_health",
    "depot_clinic",
    "clozapine_clinic",
    "follow_up_after_discharge",
    "outreach",
    "crisis",
    "liaison",
    "place_of_safety",
    "carer",
    "other",
)
OUTCOMES = ("attended", "did_not_attend", "cancelled_by_patient", "cancelled_by_service", "planned")
ROUTES = ("oral", "long_acting_injection", "injection", "other")
SUPPLY_KINDS = ("prescribed", "dispensed", "administered")
SUPPLY_STATUSES = ("supplied", "reversed", "planned", "not_given", "part_returned")
"""``reversed`` undoes the supply that its row tells of: cancelled, returned, entered in error. The row's ``known_on``
is the day on which that became known. ``planned`` was not handed over yet and is no supply. ``not_given`` did not
take place (refused, withheld): it is no supply either, and undoes only a row of its own day. ``part_returned`` takes
the row's ``quantity`` off the supply that it tells of."""
PRESCRIBERS = ("trust", "gp", "other")
ADMISSION_METHODS = ("emergency", "planned", "transfer", "unknown")
WARDS = ("acute", "older_adult", "picu", "specialist", "rehabilitation", "place_of_safety", "unknown")
LEGAL_STATUSES = (
    "informal",
    "section_2",
    "section_3",
    "section_4",
    "section_5",
    "section_136",
    "other_detention",
    "unknown",
)
CLOSE_REASONS = (
    "planned_end",
    "did_not_attend",
    "refused",
    "patient_request",
    "transferred",
    "admitted_elsewhere",
    "moved_away",
    "died",
    "other",
)
CONDITION_CATEGORIES = ("diagnosis", "allergy", "shared_care")

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        TableSpec(
            "patients",
            (
                PATIENT_ID,
                Column("birth_date", "date"),
                Column("sex", "code", values=SEX),
                Column("ethnicity", "text"),
                Column("deprivation_decile", "number", low=1, high=10),
                Column("learning_disability", "code", values=THREE_WAY),
                Column("autism", "code", values=THREE_WAY),
                Column("died_on", "date"),
                KNOWN_ON,
            ),
            event_day=None,
            unique="patient_id",
            ends=(("birth_date", "died_on"),),
        ),
        TableSpec(
            "circumstances",
            (
                PATIENT_ID,
                Column("kind", "text", required=True),
                Column("value", "text", required=True),
                Column("from_on", "date", required=True),
                KNOWN_ON,
            ),
            event_day="from_on",
            usual_delay_days=7,
            sent_again=True,
        ),
        TableSpec(
            "teams",
            (
                Column("team_id", "id", required=True),
                Column("name", "text"),
                Column("kind", "text"),
                Column("weekly_reviews", "number", low=0, high=1000),
            ),
            event_day=None,
            unique="team_id",
        ),
        TableSpec(
            "referrals",
            (
                PATIENT_ID,
                Column("referral_id", "id", required=True),
                Column("team_id", "id", required=True),
                Column("opened_on", "date", required=True),
                Column("closed_on", "date"),
                Column("close_reason", "code", values=CLOSE_REASONS),
                Column("closed_known_on", "date", ahead=True),
                KNOWN_ON,
            ),
            event_day="opened_on",
            usual_delay_days=2,
            unique="referral_id",
            late=(Late("closed_on", "closed_known_on", 7),),
            ends=(("opened_on", "closed_on"),),
        ),
        TableSpec(
            "contacts",
            (
                PATIENT_ID,
                Column("contact_id", "id", required=True),
                Column("team_id", "id"),
                Column("staff_id", "id"),
                Column("contact_on", "date", required=True, ahead=True),
                Column("booked_on", "date"),
                Column("mode", "code", values=MODES),
                Column("kind", "code", values=CONTACT_KINDS, words="contact_kind"),
                Column("outcome", "code", required=True, values=OUTCOMES),
                Column("outcome_known_on", "date", ahead=True),
                KNOWN_ON,
            ),
            event_day="contact_on",
            usual_delay_days=2,
            unique="contact_id",
            late=(Late("outcome", "outcome_known_on", 2),),
            ends=(("booked_on", "contact_on"),),
        ),
        TableSpec(
            "supplies",
            (
                PATIENT_ID,
                Column("medicine", "code", required=True, values=tuple(MEDICINES)),
                Column("route", "code", values=ROUTES),
                Column("kind", "code", values=SUPPLY_KINDS, words="supply_kind"),
                Column("supplied_on", "date", required=True),
                Column("days_supplied", "number", low=0, high=400),
                Column("daily_dose_mg", "number", low=0, high=20_000),
                Column("dose_mg", "number", low=0, high=20_000),
                Column("interval_days", "number", low=1, high=400),
                Column("quantity", "number", low=0, high=100_000),
                Column("units_a_day", "number", low=0, high=1_000),
                Column("strength_mg", "number", low=0, high=20_000),
                Column("status", "code", values=SUPPLY_STATUSES),
                Column("as_required", "flag"),
                Column("prescriber", "code", values=PRESCRIBERS),
                KNOWN_ON,
            ),
            event_day="supplied_on",
            usual_delay_days=3,
            sent_again=True,
        ),
        TableSpec(
            "results",
            (
                PATIENT_ID,
                Column("test", "code", required=True, values=tuple(TESTS)),
                Column("taken_on", "date", required=True),
                Column("value", "number"),
                Column("unit", "text"),
                Column("comparator", "code", values=COMPARATORS),
                KNOWN_ON,
            ),
            event_day="taken_on",
            usual_delay_days=3,
            sent_again=True,
        ),
        TableSpec(
            "stays",
            (
                PATIENT_ID,
                Column("admitted_on", "date", required=True),
                Column("discharged_on", "date"),
                Column("method", "code", values=ADMISSION_METHODS),
                Column("ward", "code", values=WARDS),
                Column("legal_status", "code", values=LEGAL_STATUSES),
                Column("discharge_known_on", "date", ahead=True),
                KNOWN_ON,
            ),
            event_day="admitted_on",
            usual_delay_days=1,
            late=(Late("discharged_on", "discharge_known_on", 2),),
            ends=(("admitted_on", "discharged_on"),),
        ),
        TableSpec(
            "conditions",
            (
                PATIENT_ID,
                Column("category", "code", required=True, values=CONDITION_CATEGORIES),
                Column("system", "text"),
                Column("code", "text"),
                Column("label", "text"),
                Column("recorded_on", "date", required=True),
                KNOWN_ON,
            ),
            event_day="recorded_on",
            usual_delay_days=14,
            sent_again=True,
        ),
    )
}

CIRCUMSTANCE_KINDS = (
    "housing",
    "employment",
    "interpreter",
    "language",
    "accessible_format",
    "reasonable_adjustment",
    "smoking",
    "carer",
    "living_alone",
    "substance_use",
    "care_coordinator",
    "clozapine_service",
    "clozapine_interval",
    "benign_ethnic_neutropenia",
    "childbearing_potential",
    "pregnancy",
    "community_treatment_order",
    "reported_missed_doses",
    "infection",
    "side_effect",
    "wish",
)
"""Kinds of circumstance that are read: by the engine, and the last two by the conversation sheet alone. Others are kept
and named in the load report."""
