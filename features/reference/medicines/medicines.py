"""Medicines: class, maximum dose, injection windows, anticholinergic score; and which medicines a rule's scope name
means.

``medicines.csv`` holds the psychotropics, ``other_medicines.csv`` those that matter to them (interactions, bowel and
metabolic care), ``combined_medicines.csv`` products of several of the latter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from features.reference.files import ReferenceTableError, is_unverified, number, read_rows


@dataclass(frozen=True)
class Medicine:
    """One medicine. Doses are mg; ``lai_*`` fields describe a long-acting injection's product."""

    name: str
    base: str
    atc: str
    medicine_class: str
    route: str
    max_daily_dose_mg: float | None
    lai_max_dose_mg: float | None
    lai_max_dose_per_days: float | None
    lai_max_interval_days: float | None
    lai_usual_interval_days: float | None
    lai_missed_dose_rule_after_days: float | None
    acb_score: int
    groups: tuple[str, ...]
    unverified_fields: tuple[str, ...]
    parts: tuple[str, ...] = ()
    """The medicines in a combined product."""

    @cached_property
    def is_antipsychotic(self) -> bool:
        return self.medicine_class.startswith("antipsychotic_")

    @cached_property
    def is_long_acting_injection(self) -> bool:
        return self.route == "long_acting_injection"

    @cached_property
    def is_psychotropic(self) -> bool:
        return self.medicine_class != "other"


@cache
def _load() -> dict[str, Medicine]:
    loaded: dict[str, Medicine] = {}
    for row in read_rows("medicines"):
        loaded[row["medicine"]] = Medicine(
            name=row["medicine"],
            base=row["base_medicine"],
            atc=row["atc_code"],
            medicine_class=row["medicine_class"],
            route=row["route"],
            max_daily_dose_mg=number(row, "bnf_max_daily_dose_mg", "medicines"),
            lai_max_dose_mg=number(row, "lai_max_dose_mg", "medicines"),
            lai_max_dose_per_days=number(row, "lai_max_dose_per_days", "medicines"),
            lai_max_interval_days=number(row, "lai_max_interval_days", "medicines"),
            lai_usual_interval_days=number(row, "lai_usual_interval_days", "medicines"),
            lai_missed_dose_rule_after_days=number(row, "lai_missed_dose_rule_after_days", "medicines"),
            acb_score=int(number(row, "acb_score", "medicines") or 0),
            groups=(),
            unverified_fields=tuple(f for f in row["unverified_fields"].split(";") if f)
            + (("acb_score",) if is_unverified(row["acb_scale"]) else ()),
        )
    for row in read_rows("other_medicines"):
        if row["medicine"] in loaded:
            raise ReferenceTableError(f"other_medicines.csv: {row['medicine']} is in medicines.csv already")
        nothing: dict[str, Any] = dict.fromkeys(
            (
                "max_daily_dose_mg",
                "lai_max_dose_mg",
                "lai_max_dose_per_days",
                "lai_max_interval_days",
                "lai_usual_interval_days",
                "lai_missed_dose_rule_after_days",
            )
        )
        loaded[row["medicine"]] = Medicine(
            name=row["medicine"],
            base=row["medicine"],
            atc="",
            medicine_class="other",
            route=row["route"],
            acb_score=int(number(row, "acb_score", "other_medicines") or 0),
            groups=tuple(row["groups"].split(";")),
            unverified_fields=("acb_score",) if is_unverified(row["acb_scale"]) else (),
            **nothing,
        )
    for row in read_rows("combined_medicines"):
        name, parts = row["medicine"], tuple(row["parts"].split(";"))
        if name in loaded:
            raise ReferenceTableError(f"combined_medicines.csv: {name} is in another table already")
        if wrong := [part for part in parts if part not in loaded or loaded[part].medicine_class != "other"]:
            raise ReferenceTableError(f"combined_medicines.csv: {name}: {wrong[0]} is not in other_medicines.csv")
        scopes = [scope for part in parts for scope in (part, *loaded[part].groups)]
        loaded[name] = replace(
            loaded[parts[0]],
            name=name,
            base=name,
            acb_score=max(loaded[part].acb_score for part in parts),
            groups=tuple(dict.fromkeys(scopes)),
            parts=parts,
        )
    return loaded


MEDICINES: dict[str, Medicine] = _load()

_BENZODIAZEPINE_OR_Z = ("N05BA", "N05CD", "N05CF", "N03AE01")


def in_scope(medicine: Medicine, scope: str) -> bool:
    """Whether ``medicine`` falls under a rule's ``medicine_or_class`` (docs/clinical.md section 0).

    Scopes that describe a person rather than a medicine (``smi_any``, ``acb_total_ge_3``,
    ``high_dose_or_combined_antipsychotics``) hold no medicine.
    """
    if scope in (medicine.name, medicine.base, medicine.medicine_class):
        return True
    if scope == "antipsychotic_any":
        return medicine.is_antipsychotic
    if scope == "antipsychotic_any_except_clozapine":
        return medicine.is_antipsychotic and medicine.base != "clozapine"
    if scope == "antipsychotic_long_acting_injection":
        return medicine.is_antipsychotic and medicine.is_long_acting_injection
    if scope == "antidepressant_any":
        return medicine.medicine_class.startswith("antidepressant_")
    if scope == "benzodiazepine_or_z_drug":
        return medicine.atc.startswith(_BENZODIAZEPINE_OR_Z) or "benzodiazepine" in medicine.groups
    if scope == "psychotropic_any":
        return medicine.is_psychotropic
    if scope == medicine.base:
        return True
    return scope in medicine.groups


def medicines_in(scope: str) -> tuple[str, ...]:
    """Names of the medicines under ``scope``, in the order of the reference table."""
    return tuple(name for name, medicine in MEDICINES.items() if in_scope(medicine, scope))
