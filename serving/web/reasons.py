"""Which reasons a page lists, and in which order: one that can be acted on first; none that a care gap on the same page
contradicts; none that lowers a risk by nothing being recorded.

The estimate does not change: its picture and its table hold every part, and add up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from serving.scoring.schemas import RiskReason

CANNOT_BE_ACTED_ON = frozenset(("admissions", "discharge_recency", "time_in_service", "data_freshness", "treatment"))
"""Concepts of what has happened, or of the record itself: they are listed after those that a team can do something
about."""
CONTRADICTED_BY: dict[str, tuple[str, ...]] = {
    "supply_gap": ("SUPPLY_GAP_ORAL", "ADHERENCE_FALLING", "CLZ_BREAK", "NO_ANTIPSYCHOTIC", "LAI_OVERDUE"),
    "adherence": ("SUPPLY_GAP_ORAL", "ADHERENCE_FALLING", "CLZ_BREAK", "NO_ANTIPSYCHOTIC", "LAI_OVERDUE"),
    "depot": ("LAI_OVERDUE", "LAI_SAFE_USE", "NO_ANTIPSYCHOTIC"),
    "regimen_change": ("REGIMEN_CHANGE_RECENT", "WITHDRAWAL_RISK"),
    "shared_care": ("SHARED_CARE_UNCLEAR",),
    "clozapine_blood": ("CLZ_FBC_OVERDUE", "CLZ_BREAK", "CLZ_RESULT_RED_AMBER"),
    "lithium_monitoring": ("LI_LEVEL_OVERDUE", "LI_LEVEL_ABNORMAL", "LI_RENAL_THYROID_CALCIUM"),
    "physical_checks": ("MONITORING_NEVER_DONE", "MONITORING_OVERDUE", "METABOLIC_WORSENING", "BP_PULSE_QTC"),
    "missed_contacts": ("DNA_PATTERN", "NO_CONTACT"),
    "cancellations": ("DNA_PATTERN", "NO_CONTACT"),
    "contact_recency": ("NO_CONTACT", "DNA_PATTERN"),
    "contact_amount": ("NO_CONTACT", "DNA_PATTERN"),
    "continuity": ("NO_CONTACT",),
    "crisis": ("CRISIS_SIGNAL",),
    "discharge_recency": ("POST_DISCHARGE_RECONCILE",),
    "reviews": ("MEDICINES_REVIEW_OVERDUE",),
    "side_effects": ("SIDE_EFFECT_BURDEN",),
}
"""By concept, the gaps beside which its "lowers" would say the opposite."""


def listed_reasons(reasons: Iterable[RiskReason], gap_codes: Collection[str]) -> list[RiskReason]:
    """The reasons to list of a risk, those that raise it and can be acted on first, else in the order given."""
    kept = [reason for reason in reasons if not _misleads(reason, gap_codes)]
    return sorted(kept, key=lambda reason: reason.concept in CANNOT_BE_ACTED_ON)


def _misleads(reason: RiskReason, gap_codes: Collection[str]) -> bool:
    if reason.contribution >= 0:
        return False
    nothing_recorded = all(feature.missing for feature in reason.features)
    return nothing_recorded or any(code in gap_codes for code in CONTRADICTED_BY.get(reason.concept, ()))
