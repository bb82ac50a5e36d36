"""Medicines, facts and due things in the words of a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from serving.summaries.schemas import DueShown, MedicineNotKnown, MedicineShown
from serving.wording import upper_first

FORMS = {
    "oral": "by mouth",
    "long_acting_injection": "long-acting injection",
    "injection": "injection",
    "other": "other route",
}
PRESCRIBERS = {"trust": "Trust", "gp": "GP"}
IN_A_ROW = 4
"""Medicines that a row of a list names."""
SCOPES = {
    "smi_any": "severe mental illness",
    "antipsychotic_any_except_clozapine": "antipsychotic",
    "antipsychotic_long_acting_injection": "long-acting injection",
    "high_dose_or_combined_antipsychotics": "high dose or combined antipsychotics",
    "acb_total_ge_3": "anticholinergic burden",
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


def row_words(medicines: Sequence[MedicineShown], not_known: Sequence[MedicineNotKnown]) -> tuple[list[str], int]:
    """What a row of a list says: the first medicines, as ``Clozapine 300 mg a day``, and how many more there are."""
    held = [one for one in medicines if not one.lapsed]
    said = [f"{upper_first(one.name)} {_short_dose(one)}".strip() for one in held]
    said += [f"{one.written} (not in Upstream's tables)" for one in not_known]
    return said[:IN_A_ROW], max(0, len(said) - IN_A_ROW)


def _short_dose(one: MedicineShown) -> str:
    dose = f"{one.dose_mg:,g} mg" if one.dose_mg else ""
    every = f"every {one.interval_days} days" if one.interval_days is not None else ""
    return " ".join(filter(None, (dose, every, "when needed" if one.as_required else "")))


def due_words(due: DueShown) -> str:
    """``Full blood count (clozapine)``, ``Injection: paliperidone``, ``Annual check and 4 more (antipsychotic)``."""
    named, more = due.labels[:LABELS_SHOWN], len(due.labels) - LABELS_SHOWN
    what = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    if KINDS.get(due.kind):
        return f"{KINDS[due.kind]}: {what}"
    return f"{upper_first(what)} ({scope_words(due.scope)})"


def scope_words(scope: str) -> str:
    return SCOPES.get(scope, scope.replace("_any", "").replace("_", " "))
