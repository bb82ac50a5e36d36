"""The evidence for a gap: reference rows and sentences of docs/clinical.md, each with its source and whether it has
been checked.

A gap's ``verified`` mark is computed from these and never typed: one unchecked fact makes the gap unverified.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from features.reference import INTERACTIONS, PROTOCOLS, THRESHOLDS, Medicine, Protocol
from features.reference.files import is_unverified, read_rows
from features.reference.medicines.injections import INJECTION_COURSES, INJECTION_STARTS
from features.reference.medicines.stops import SUDDEN_STOPS
from features.reference.monitoring.clozapine_schedules import clozapine_schedules


class Fact(NamedTuple):
    source: str
    verified: bool


@cache
def threshold(key: str) -> Fact:
    row = THRESHOLDS[key]
    return Fact(f"{row.id}: {row.source.strip()}", row.verified)


@cache
def protocol(place: int) -> Fact:
    """The protocol at a position in PROTOCOLS."""
    row = PROTOCOLS[place]
    return Fact(f"{row.id}: {row.source.strip()}", row.verified)


@cache
def protocol_row(key: str) -> Protocol:
    return next(row for row in PROTOCOLS if row.id == key)


@cache
def protocol_named(key: str) -> Fact:
    row = protocol_row(key)
    return Fact(f"{row.id}: {row.source.strip()}", row.verified)


@cache
def interaction(key: str) -> Fact:
    row = next(row for row in INTERACTIONS if row.id == key)
    return Fact(f"{row.id}: {row.source.strip()}", row.verified)


@cache
def injection_course(name: str) -> Fact:
    row = INJECTION_COURSES[name]
    return Fact(f"injection_courses.csv {name}: {row.source.strip()}", row.verified)


@cache
def injection_start(name: str) -> Fact:
    row = INJECTION_STARTS[name]
    return Fact(f"injection_starts.csv {name}: {row.source.strip()}", row.verified)


@cache
def sudden_stop(scope: str) -> Fact:
    row = next(row for row in SUDDEN_STOPS if row.scope == scope)
    return Fact(f"sudden_stops.csv {scope}: {row.source.strip()}", row.verified)


@cache
def clozapine_schedule(name: str) -> Fact:
    row = clozapine_schedules()[name]
    return Fact(f"clozapine_schedules.csv {name}: {row.source.strip()}", row.verified)


@cache
def medicine(name: str, fields: tuple[str, ...], unverified: tuple[str, ...]) -> Fact:
    open_fields = [field for field in fields if field in unverified]
    return Fact(f"medicines.csv {name}: {', '.join(fields)}{' (unverified)' if open_fields else ''}", not open_fields)


def of_medicine(row: Medicine, *fields: str) -> Fact:
    """Fields of a medicine; unverified if the row marks any of them so."""
    return medicine(row.name, fields, row.unverified_fields)


@cache
def group(name: str) -> Fact:
    """A named group of medicine_groups.csv; unverified if any of its rows is."""
    sources = [row["source"] for row in read_rows("medicine_groups") if row["group"] == name]
    worst = next(filter(is_unverified, sources), sources[0])
    return Fact(f"medicine_groups.csv {name}: {worst}", not is_unverified(worst))


@cache
def clinical(section: str, mark: str) -> Fact:
    """A sentence of docs/clinical.md with its evidence mark: only V counts as verified, D (decided here) and R (to be
    checked) do not."""
    return Fact(f"docs/clinical.md section {section} [{mark}]", mark == "V")


def document(name: str, checked: bool) -> Fact:
    """A document that no table cites yet; ``checked`` if it was read."""
    return Fact(name if checked else f"{name} (unverified)", checked)
