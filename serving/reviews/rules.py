"""What cannot stand together in one review, and what a gap suggests to tick. Rules only: nothing here reads a
database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from serving.reviews.schemas import ACTION_LABELS, ReviewAction

A = ReviewAction


class Clash(NamedTuple):
    """Two answers that contradict each other: the field, and what to do, in words that repeat only our own labels."""

    field: str
    words: str


CHANGES_TREATMENT = frozenset(
    {
        A.MEDICINE_CHANGED,
        A.DOSE_CHANGED,
        A.DEPRESCRIBING_AGREED,
        A.REGIMEN_SIMPLIFIED,
        A.ANTICHOLINERGIC_LOAD_REDUCED,
    }
)
NEEDS_THE_PERSON = frozenset({A.ADHERENCE_DISCUSSED, A.DEPRESCRIBING_AGREED})


def contradictions(actions: Collection[str], *, side_effects_assessed: bool | None) -> list[Clash]:
    """All contradictions of a review; empty if there are none."""
    given = {ReviewAction(action) for action in actions}
    found = []
    if A.NO_CHANGE_NEEDED in given and (changes := given & CHANGES_TREATMENT):
        found.append(_both(A.NO_CHANGE_NEEDED, changes))
    if A.NOT_REACHED in given and (talked := given & NEEDS_THE_PERSON):
        found.append(_both(A.NOT_REACHED, talked))
    if A.NOT_REACHED in given and side_effects_assessed:
        words = f"“{ACTION_LABELS[A.NOT_REACHED]}” and side effects assessed cannot both be so: change one of them"
        found.append(Clash("side_effects_assessed", words))
    return found


def _both(one: ReviewAction, others: Collection[ReviewAction]) -> Clash:
    named = "”, “".join(ACTION_LABELS[other] for other in ReviewAction if other in others)
    return Clash("actions", f"“{ACTION_LABELS[one]}” cannot stand together with “{named}”: untick one side")


SUGGESTED: dict[str, tuple[ReviewAction, ...]] = {
    "CLZ_FBC_OVERDUE": (A.MONITORING_ARRANGED, A.SUPPLY_SECURED),
    "CLZ_BREAK": (A.CLOZAPINE_DISCUSSED, A.ADHERENCE_DISCUSSED, A.SUPPLY_SECURED),
    "CLZ_RESULT_RED_AMBER": (A.RESULT_ACTED_ON, A.MONITORING_ARRANGED),
    "CLZ_LEVEL_SMOKING": (A.LEVEL_ARRANGED, A.DOSE_CHANGED),
    "CLZ_GI_HYPOMOTILITY": (A.BOWEL_CARE_ARRANGED, A.ANTICHOLINERGIC_LOAD_REDUCED),
    "LI_LEVEL_OVERDUE": (A.LEVEL_ARRANGED,),
    "LI_LEVEL_ABNORMAL": (A.RESULT_ACTED_ON, A.LEVEL_ARRANGED, A.DOSE_CHANGED),
    "LI_RENAL_THYROID_CALCIUM": (A.MONITORING_ARRANGED, A.RESULT_ACTED_ON),
    "LAI_OVERDUE": (A.DEPOT_ARRANGED, A.CONTACT_ARRANGED),
    "LAI_SAFE_USE": (A.DEPOT_ARRANGED,),
    "WITHDRAWAL_RISK": (A.SUPPLY_SECURED, A.ADHERENCE_DISCUSSED),
    "SUPPLY_GAP_ORAL": (A.SUPPLY_SECURED, A.ADHERENCE_DISCUSSED, A.REGIMEN_SIMPLIFIED),
    "ADHERENCE_FALLING": (A.ADHERENCE_DISCUSSED, A.REGIMEN_SIMPLIFIED),
    "STOCK_AT_HOME": (A.ADHERENCE_DISCUSSED, A.SUPPLY_SECURED),
    "ABRUPT_STOP": (A.ADHERENCE_DISCUSSED, A.SUPPLY_SECURED),
    "NO_ANTIPSYCHOTIC": (A.CONTACT_ARRANGED, A.INDICATION_REVIEWED, A.MEDICINE_CHANGED),
    "REGIMEN_CHANGE_RECENT": (A.INDICATION_REVIEWED, A.GP_INFORMED),
    "POST_DISCHARGE_RECONCILE": (A.SUPPLY_SECURED, A.GP_INFORMED),
    "HDAT": (A.ANTIPSYCHOTIC_PLAN_AGREED, A.ECG_ARRANGED, A.DOSE_CHANGED),
    "ANTIPSYCHOTIC_POLYPHARMACY": (A.ANTIPSYCHOTIC_PLAN_AGREED, A.DEPRESCRIBING_AGREED),
    "ANTIPSYCHOTIC_NEED": (A.INDICATION_REVIEWED, A.DEPRESCRIBING_AGREED),
    "TRS_NO_CLOZAPINE": (A.CLOZAPINE_DISCUSSED,),
    "METABOLIC_WORSENING": (A.RESULT_ACTED_ON, A.MEDICINE_CHANGED, A.GP_INFORMED),
    "BP_PULSE_QTC": (A.ECG_ARRANGED, A.RESULT_ACTED_ON),
    "RESULT_DANGEROUS": (A.RESULT_ACTED_ON,),
    "MONITORING_NEVER_DONE": (A.MONITORING_ARRANGED,),
    "MONITORING_OVERDUE": (A.MONITORING_ARRANGED,),
    "SIDE_EFFECT_BURDEN": (A.DOSE_CHANGED, A.MEDICINE_CHANGED),
    "ANTICHOLINERGIC_BURDEN": (A.ANTICHOLINERGIC_LOAD_REDUCED,),
    "INTERACTION_NEW": (A.INTERACTION_RESOLVED, A.LEVEL_ARRANGED, A.ECG_ARRANGED),
    "INTERACTION_STANDING": (A.INTERACTION_RESOLVED,),
    "ALLERGY_CONFLICT": (A.MEDICINE_CHANGED,),
    "DOSE_ABOVE_MAXIMUM": (A.DOSE_CHANGED,),
    "VALPROATE_PPP": (A.VALPROATE_SAFETY_CHECKED,),
    "PREGNANCY_RISK": (A.VALPROATE_SAFETY_CHECKED, A.TEAM_REVIEW_ARRANGED),
    "BZD_Z_PREGABALIN_LONG": (A.DEPRESCRIBING_AGREED,),
    "SMOKING_CHANGE": (A.LEVEL_ARRANGED, A.DOSE_CHANGED),
    "DNA_PATTERN": (A.CONTACT_ARRANGED, A.NOT_REACHED),
    "NO_CONTACT": (A.CONTACT_ARRANGED, A.NOT_REACHED),
    "CRISIS_SIGNAL": (A.TEAM_REVIEW_ARRANGED,),
    "CTO_TREATMENT_FORM": (A.TEAM_REVIEW_ARRANGED,),
    "EQUALITY_NEED_UNMET": (A.ADJUSTMENT_ARRANGED,),
    "LIVING_SITUATION": (A.ADJUSTMENT_ARRANGED, A.SUPPLY_SECURED),
    "MEDICINES_REVIEW_OVERDUE": (A.INDICATION_REVIEWED, A.ADHERENCE_DISCUSSED),
    "ALLERGY_NOT_RECORDED": (A.GP_INFORMED,),
    "SHARED_CARE_UNCLEAR": (A.SHARED_CARE_AGREED, A.GP_INFORMED),
}
"""What to tick for a gap, by its code. A code that is not listed suggests nothing, and its boxes are under "the
rest".
"""


class BoxGroup(NamedTuple):
    """Boxes that belong to some of a person's gaps, by their titles; no title: the rest."""

    titles: tuple[str, ...]
    actions: tuple[ReviewAction, ...]


def grouped(gaps: Sequence[tuple[str, str]]) -> list[BoxGroup]:
    """Every box once: under the first of the person's gaps (code, title) that suggests it, and the rest last."""
    groups: list[tuple[list[str], list[ReviewAction]]] = []
    place: dict[ReviewAction, int] = {}
    for code, title in gaps:
        suggested = SUGGESTED.get(code, ())
        new = [action for action in suggested if action not in place]
        if new:
            groups.append(([title], new))
            place |= dict.fromkeys(new, len(groups) - 1)
        elif suggested and title not in groups[place[suggested[0]]][0]:
            groups[place[suggested[0]]][0].append(title)
    found = [BoxGroup(tuple(titles), tuple(actions)) for titles, actions in groups]
    rest = tuple(action for action in ReviewAction if action not in place)
    return [*found, BoxGroup((), rest)] if rest else found
