"""Collects the result of one batch of resources: rows of the intermediate tables, one fate for each resource, and the
codes that were not understood.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from features.records.reading.nhs_numbers import without_numbers
from features.records.sources.fhir.codebook import CONFLICT, CodeBook
from features.records.sources.fhir.dates import is_partial
from features.records.sources.fhir.references import Scope
from features.records.sources.fhir.resources import CodeableConcept

MAPPED = "mapped to "
ASIDE = "set aside: "
NOT_MAPPED = "not mapped: "
LEFT_OUT = "left out: "
NOT_READ = "not read: "
USED = "used as "
REPLACED = "replaced by a later version"
MERGED = "merged into "
SYNTHETIC = "Patient: tagged as test data (HTEST); the store is marked synthetic"

TABLES: dict[str, tuple[str, ...]] = {
    "patient": ("source", "key", "birth_date", "sex", "ethnicity", "died_on"),
    "identifier": ("source", "key", "hash"),
    "same_person": ("source", "key", "replaced_by"),
    "circumstance": ("source", "subject", "kind", "value", "day", "business"),
    "team": ("source", "key", "name", "kind"),
    "role": ("source", "key", "practitioner", "organization"),
    "referral": ("source", "key", "subject", "team", "opened", "closed", "reason", "late", "business", "requests"),
    "contact": (
        "source", "key", "subject", "appointment", "team", "staff", "day", "booked", "mode", "kind", "outcome", "late",
        "business",
    ),
    "stay": ("source", "key", "subject", "admitted", "discharged", "method", "ward", "legal", "late", "business"),
    "supply": (
        "source", "key", "subject", "medication", "medicine", "route", "strength", "kind", "day", "days", "quantity",
        "units_a_day", "mg_a_day", "dose_units", "dose_mg", "expected", "interval", "as_required", "prescriber",
        "business", "depot_missed", "status", "late",
    ),
    "medication": ("source", "key", "medicine", "route", "strength"),
    "result": ("source", "subject", "test", "day", "amount", "comparator", "unit", "business", "words"),
    "member": ("source", "key"),
    "condition": ("source", "key", "subject", "category", "system", "code", "label", "day", "business", "column"),
    "provenance": ("source", "key", "recorded", "activity"),
}  # fmt: skip
NUMBERS = frozenset(
    (
        "strength",
        "days",
        "quantity",
        "units_a_day",
        "mg_a_day",
        "dose_units",
        "dose_mg",
        "expected",
        "interval",
        "amount",
    )
)
DAYS = frozenset(
    (
        "birth_date",
        "died_on",
        "day",
        "business",
        "opened",
        "closed",
        "late",
        "booked",
        "admitted",
        "discharged",
        "recorded",
    )
)

_PUBLIC = ("http://snomed.info/", "http://loinc.org", "https://dmd.nhs.uk")
"""Code systems whose codes are no person's number, though ten digits of one may look like it."""


@dataclass
class Sink:
    """Rows by table (tuples in the order of ``TABLES``), fates by resource, and counts for the report."""

    book: CodeBook
    rows: dict[str, list[tuple[object, ...]]] = field(default_factory=lambda: {name: [] for name in TABLES})
    fates: list[str] = field(default_factory=list)
    unmapped: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    source: int = 0
    scope: Scope = field(default_factory=lambda: Scope.nowhere())

    def add(self, table: str, *values: object) -> None:
        self.rows[table].append((self.source, *values))

    def note_partial(self, resource_type: str, text: str | None) -> None:
        if is_partial(text):
            self.notes[f"{resource_type}: dates without a day; the last day of their period was taken"] += 1

    def name_unmapped(self, what: str, concept: CodeableConcept | None) -> str:
        """Counts a code that no table holds, under its name if it has one. Returns the fate."""
        codes = self.book.ordered(concept)
        if concept is None or (not codes and not concept.text):
            self.unmapped[what, "", "", "no code"] += 1
            return f"{NOT_MAPPED}no code"
        name = next((c.display for c in concept.coding if c.display), None) or (concept.text if not codes else "") or ""
        system, code = codes[0] if codes else ("", "")
        if not system.startswith(_PUBLIC):
            code = without_numbers(code)  # a text that somebody typed where a code belongs
        self.unmapped[what, without_numbers(system), code, without_numbers(name)[:80]] += 1
        return f"{NOT_MAPPED}the code is in no mapping table"

    def mark_synthetic(self) -> None:
        """Counts a person who is tagged as test data (HTEST)."""
        self.notes[SYNTHETIC] += 1

    def conflict(self) -> str:
        return f"{ASIDE}{CONFLICT}"
