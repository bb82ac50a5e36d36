"""The need of each rule (features/gaps/rules/needs.py). A rule that is not named here is asked about everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from features.gaps.rules.engagement import changes, contact, review, support
from features.gaps.rules.monitoring import clozapine, clozapine_levels, lithium, physical, results, schedule
from features.gaps.rules.needs import Need, Rule
from features.gaps.rules.prescribing import (
    antipsychotics,
    burdens,
    doses,
    interactions,
    pregnancy,
    untreated,
    valproate,
)
from features.gaps.rules.supply import depot, oral, stock
from features.reference import MEDICINES, THRESHOLDS, Medicine
from features.reference.medicines.dose_limits import dose_limits
from features.reference.medicines.stops import sudden_stop


def _antipsychotic(medicine: Medicine) -> bool:
    return medicine.is_antipsychotic


def _psychotropic(medicine: Medicine) -> bool:
    return medicine.is_psychotropic


def _injection(medicine: Medicine) -> bool:
    return medicine.is_long_acting_injection


def _clozapine(medicine: Medicine) -> bool:
    return medicine.base == "clozapine"


def _lithium(medicine: Medicine) -> bool:
    return medicine.base == "lithium"


def _valproate(medicine: Medicine) -> bool:
    return medicine.base == "valproate"


def _harms_in_pregnancy(medicine: Medicine) -> bool:
    return medicine.base in {row.base for row in pregnancy.HARMS}


def _runs_out(medicine: Medicine) -> bool:
    return bool(oral.class_of(medicine)) or sudden_stop(medicine.name) is not None


def _has_maximum(medicine: Medicine) -> bool:
    if medicine.is_long_acting_injection:
        return False
    whole = MEDICINES.get(medicine.base)
    known = whole is not None and whole.max_daily_dose_mg is not None
    return medicine.base in dose_limits() or (known and not medicine.is_antipsychotic)


def _at_least(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


_ORGAN_CHECKS = tuple(("lithium", test) for test in lithium.ORGANS)
_SIDE_EFFECTS = (
    *((test, THRESHOLDS[key].holds) for test, scores in burdens.SCORES for key, _ in scores),
    *((test, _at_least(burdens.SCORE_LIMIT)) for test in ("movement_score", "sedation_score")),
    ("prolactin", _at_least(burdens.PROLACTIN_MARKED)),  # a lower one is named beside another side effect only
)

NEEDS: Mapping[Rule, Need] = {
    clozapine.blood_count: Need(ever=_clozapine, or_due=(("clozapine", "fbc"),)),
    clozapine.treatment_break: Need(ever=_clozapine),
    clozapine.red_or_amber: Need(ever=_clozapine),
    clozapine_levels.level_or_change: Need(current=_clozapine),
    clozapine_levels.bowel: Need(current=_clozapine),
    lithium.level_due: Need(ever=_lithium, or_due=(("lithium", "lithium_level"),)),
    lithium.level_abnormal: Need(current=_lithium, tests=frozenset(("lithium_level",))),
    lithium.organs: Need(ever=_lithium, or_due=_ORGAN_CHECKS),
    depot.depot: Need(ever=_injection),
    depot.around_injection: Need(ever=_injection),
    oral.supply_gap: Need(ever=_runs_out),
    oral.falling: Need(ever=_runs_out),
    changes.regimen_change: Need(regimen=(("starts_28d", 0), ("stops_28d", 0))),
    changes.after_discharge: Need(meets=lambda person: bool(person.stays)),
    changes.shared_care: Need(regimen=(("shared_prescribing_90d", 0), ("prescriber_changes_180d", 0))),
    changes.smoking_change: Need(circumstances=frozenset(("smoking",))),
    antipsychotics.high_dose: Need(current=_antipsychotic, regimen=(("percent_of_max", 99),)),
    antipsychotics.combination: Need(current=_antipsychotic, regimen=(("antipsychotics_60d", 1),)),
    antipsychotics.resistance: Need(ever=_antipsychotic, meets=lambda person: bool(person.conditions["diagnosis"])),
    untreated.need: Need(current=_antipsychotic),
    stock.stock: Need(current=_psychotropic),
    physical.metabolic: Need(current=_antipsychotic, meets=lambda person: bool(person.results)),
    physical.cardiovascular: Need(current=_psychotropic),
    schedule.overdue: Need(meets=lambda person: bool(person.due)),
    burdens.side_effects: Need(current=_psychotropic, numbers=_SIDE_EFFECTS),
    burdens.anticholinergic: Need(regimen=(("acb_total", burdens.ACB_TOTAL - 1),)),
    burdens.dependence: Need(regimen=(("dependence_days", burdens.LONG_DAYS),)),
    interactions.new_interaction: Need(meets=interactions.began_lately),
    interactions.standing: Need(regimen=(("interactions", 0),)),
    valproate.documents: Need(current=_valproate),
    pregnancy.harm: Need(current=_harms_in_pregnancy),
    results.dangerous: Need(
        numbers=tuple((limit.test, THRESHOLDS[key].holds) for limit in results.LIMITS for key, _ in limit.bands)
    ),
    doses.above_maximum: Need(current=_has_maximum),
    doses.allergy_conflict: Need(meets=lambda person: bool(person.current) and bool(person.conditions["allergy"])),
    support.living: Need(current=_psychotropic, circumstances=frozenset(("housing", "carer"))),
    support.community_order: Need(current=_psychotropic, circumstances=frozenset(("community_treatment_order",))),
    contact.missed_pattern: Need(meets=lambda person: any(one.missed for one in person.contacts)),
    review.medicines_review: Need(ever=_psychotropic),
}
