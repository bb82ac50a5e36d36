"""Medicines, facts and due things in the words of a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from pydantic_core import from_json

from features.reference import MEDICINES
from serving.summaries.schemas import DueShown, MedicineNotKnown, MedicineShown
from serving.wording import listed, upper_first

FORMS = {
    "oral": "by mouth",
    "long_acting_injection": "long-acting injection",
    "injection": "injection",
    "other": "other route",
}
PRESCRIBERS = {"trust": "Trust", "gp": "GP"}
SCOPES = {
    "smi_any": "severe mental illness",
    "antipsychotic_any_except_clozapine": "antipsychotic",
    "antipsychotic_long_acting_injection": "long-acting injection",
    "high_dose_or_combined_antipsychotics": "high dose or combined antipsychotics",
    "acb_total_ge_3": "anticholinergic burden",
    "antidepressant_maoi": "MAOI",
    "antidepressant_snri": "SNRI",
    "antidepressant_ssri": "SSRI",
    "antidepressant_tca": "tricyclic antidepressant",
    "adhd_stimulant": "stimulant for ADHD",
    "antipsychotic_first_generation": "first-generation antipsychotic",
    "benzodiazepine_or_z_drug": "benzodiazepine or z-drug",
}
KINDS = {"check": "", "injection": "Injection", "supply": "Supply runs out"}
LABELS_SHOWN = 3


@lru_cache(maxsize=4_096)
def dose_words(dose_mg: float | None, interval_days: int | None, as_required: bool) -> str:
    """``300 mg a day``, ``100 mg every 28 days``, ``dose not recorded``, with ``when needed`` after it."""
    said = "dose not recorded" if not dose_mg else f"{dose_mg:,g} mg"
    if interval_days is not None:
        said += f" every {interval_days} days"
    elif dose_mg:
        said += " a day"
    return f"{said}, when needed" if as_required else said


def dose_of(medicine: MedicineShown) -> str:
    return dose_words(medicine.dose_mg, medicine.interval_days, medicine.as_required)


def form_words(form: str) -> str:
    return FORMS.get(form, form.replace("_", " "))


def prescriber_words(prescriber: str) -> str:
    return PRESCRIBERS.get(prescriber, "Not recorded" if not prescriber else upper_first(prescriber))


def medicine_lines(medicines: Sequence[MedicineShown], not_known: Sequence[MedicineNotKnown]) -> list[str]:
    """What a row of a list says, the first first: ``Clozapine 300 mg``, ``Paliperidone injection 75 mg every 28
    days``. What has run out and may have ended is left to the person's page."""
    said = [_line(one) for one in medicines if not one.lapsed]
    return said + [f"{one.written} (not in Upstream's tables)" for one in not_known]


def stored_lines(rows: Sequence[Sequence[Any]], not_known: Sequence[Sequence[Any]]) -> list[str]:
    """:func:`medicine_lines` of rows as stored: a list of 500 people reads thousands of them."""
    said = [
        _said(name, form, dose, interval, bool(needed))
        for name, form, dose, interval, needed, *rest in rows
        if not rest[-1]
    ]
    return said + [f"{written} (not in Upstream's tables)" for written, _ in not_known]


class Glance(NamedTuple):
    """The lines of medicines; what falls due next, and what closed overdue care (its code, what, its day, days late),
    with days counted from the list's own; and what could not be checked, None where that was not kept."""

    medicines: tuple[str, ...]
    next_due: tuple[int, str] | None
    closed: tuple[tuple[str, str, int, int], ...]
    unchecked: tuple[str, ...] | None


@lru_cache(maxsize=8_192)
def glance_words(medicines: str, about: str, dues: str) -> Glance:
    """What a row of a list says, from the JSON as stored. Kept by content: a list of 500 people is read many times and
    changes once a night."""
    said = from_json(about)
    lines = tuple(stored_lines(from_json(medicines), said.get("not_known", ())))
    first = from_json(dues)[:1]
    unchecked = said.get("unchecked")
    return Glance(
        lines,
        (first[0][0], due_in_short(DueShown(dt.date.min, *first[0][1:]))) if first else None,
        tuple((code, what, day, late) for code, what, day, late in said.get("closed", ())),
        None if unchecked is None else tuple(unchecked),
    )


def _line(one: MedicineShown) -> str:
    return _said(one.name, one.form, one.dose_mg, one.interval_days, one.as_required)


@lru_cache(maxsize=4_096)
def _said(name: str, form: str, dose_mg: float | None, interval_days: int | None, as_required: bool) -> str:
    injection = form == "long_acting_injection"
    parts = [
        f"{upper_first(MEDICINES[name].base)} injection" if injection and name in MEDICINES else upper_first(name),
        f"{dose_mg:,g} mg" if dose_mg else "dose not recorded",
        f"every {interval_days} days" if interval_days is not None else "",
        "when needed" if as_required else "",
    ]
    return " ".join(filter(None, parts))


def due_words(due: DueShown) -> str:
    """``Full blood count (clozapine)``, ``Injection: paliperidone``, ``Annual check and 4 more (antipsychotic)``."""
    named, more = due.labels[:LABELS_SHOWN], len(due.labels) - LABELS_SHOWN
    what = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    if KINDS.get(due.kind):
        return f"{KINDS[due.kind]}: {what}"
    return f"{upper_first(what)} ({scope_words(due.scope)})"


def dues_by_day(dues: Sequence[DueShown]) -> list[tuple[dt.date, str]]:
    """What falls due on each day; medicines whose supply runs out on one day are one entry."""
    found = []
    for on, of_day in groupby(dues, key=lambda due: due.on):
        every = list(of_day)
        out = [label for due in every if due.kind == "supply" for label in due.labels]
        said = [due_words(due) for due in every if due.kind != "supply"]
        said += [f"supply of {listed(out)} runs out"] if out else []
        found.append((on, "; ".join(said)))
    return found


def due_in_short(due: DueShown) -> str:
    """The same for a row of a list: ``full blood count``, ``supply of lithium``, ``adherence review and 4 more``."""
    if due.kind != "check":
        return f"{'injection' if due.kind == 'injection' else 'supply'} of {', '.join(due.labels)}"
    more = len(due.labels) - 1
    return due.labels[0] + (f" and {more} more" if more else "")


def scope_words(scope: str) -> str:
    return SCOPES.get(scope, scope.replace("_any", "").replace("_", " "))
