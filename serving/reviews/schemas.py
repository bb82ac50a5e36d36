"""Models of a review in the API. Everything is coded: this service takes no free text about a person."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.http.types import Day, Strict


class ReviewAction(StrEnum):
    """What a medicines review did, by the eight domains of docs/clinical.md section 1 and the suggested actions of
    its reason codes.
    """

    INDICATION_REVIEWED = "indication_reviewed"
    DEPRESCRIBING_AGREED = "deprescribing_agreed"
    ANTIPSYCHOTIC_PLAN_AGREED = "antipsychotic_plan_agreed"
    CLOZAPINE_DISCUSSED = "clozapine_discussed"
    ADHERENCE_DISCUSSED = "adherence_discussed"
    REGIMEN_SIMPLIFIED = "regimen_simplified"
    LEVEL_ARRANGED = "level_arranged"
    MONITORING_ARRANGED = "monitoring_arranged"
    ECG_ARRANGED = "ecg_arranged"
    INTERACTION_RESOLVED = "interaction_resolved"
    MEDICINE_CHANGED = "medicine_changed"
    DOSE_CHANGED = "dose_changed"
    VALPROATE_SAFETY_CHECKED = "valproate_safety_checked"
    ANTICHOLINERGIC_LOAD_REDUCED = "anticholinergic_load_reduced"
    BOWEL_CARE_ARRANGED = "bowel_care_arranged"
    SUPPLY_SECURED = "supply_secured"
    DEPOT_ARRANGED = "depot_arranged"
    SHARED_CARE_AGREED = "shared_care_agreed"
    RESULT_ACTED_ON = "result_acted_on"
    GP_INFORMED = "gp_informed"
    TEAM_REVIEW_ARRANGED = "team_review_arranged"
    CONTACT_ARRANGED = "contact_arranged"
    ADJUSTMENT_ARRANGED = "adjustment_arranged"
    NOT_REACHED = "not_reached"
    NO_CHANGE_NEEDED = "no_change_needed"


ACTION_LABELS: dict[ReviewAction, str] = {
    ReviewAction.INDICATION_REVIEWED: "Indication, response and wish to continue reviewed",
    ReviewAction.DEPRESCRIBING_AGREED: "Stop or taper agreed",
    ReviewAction.ANTIPSYCHOTIC_PLAN_AGREED: "Plan for high dose or combined antipsychotics agreed",
    ReviewAction.CLOZAPINE_DISCUSSED: "Clozapine discussed, started or re-titration arranged",
    ReviewAction.ADHERENCE_DISCUSSED: "Taking of medicines discussed, with reasons for missed doses",
    ReviewAction.REGIMEN_SIMPLIFIED: "Regimen simplified, compliance aid or supervised supply arranged",
    ReviewAction.LEVEL_ARRANGED: "Medicine level arranged",
    ReviewAction.MONITORING_ARRANGED: "Overdue blood test or physical check arranged",
    ReviewAction.ECG_ARRANGED: "ECG arranged",
    ReviewAction.INTERACTION_RESOLVED: "Interaction acted on",
    ReviewAction.MEDICINE_CHANGED: "Medicine started, stopped or switched",
    ReviewAction.DOSE_CHANGED: "Dose changed",
    ReviewAction.VALPROATE_SAFETY_CHECKED: "Valproate safety documents checked or arranged",
    ReviewAction.ANTICHOLINERGIC_LOAD_REDUCED: "Anticholinergic load reduced",
    ReviewAction.BOWEL_CARE_ARRANGED: "Bowel review or laxative arranged",
    ReviewAction.SUPPLY_SECURED: "Next supply secured",
    ReviewAction.DEPOT_ARRANGED: "Depot injection arranged",
    ReviewAction.SHARED_CARE_AGREED: "Who prescribes and who monitors agreed",
    ReviewAction.RESULT_ACTED_ON: "Abnormal result acted on",
    ReviewAction.GP_INFORMED: "GP told in writing",
    ReviewAction.TEAM_REVIEW_ARRANGED: "Joint review with prescriber or care coordinator arranged",
    ReviewAction.CONTACT_ARRANGED: "Contact or outreach arranged",
    ReviewAction.ADJUSTMENT_ARRANGED: "Reasonable adjustment, interpreter or format arranged",
    ReviewAction.NOT_REACHED: "Tried, not reached",
    ReviewAction.NO_CHANGE_NEEDED: "Reviewed, no change needed",
}

CLOSING_QUESTIONS = {
    "medicines_reconciled": "Medicines reconciled",
    "allergies_up_to_date": "Allergies up to date",
    "side_effects_assessed": "Side effects assessed",
}
LISTING_LABELS = {
    "useful": "Listing useful",
    "already_known": "Listing already known to the team",
    "wrong_data": "Listing wrong: the record it rests on is not right",
}
ListingWas = Literal["useful", "already_known", "wrong_data"]
IdempotencyKey = Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9._~:-]+$")]
MAX_SNOOZE_DAYS = 183
"""Half a year. A longer snooze would take somebody off the list, which a snooze must not do."""


class ReviewIn(Strict):
    """What was done. The three questions that every review ends with have no default: each must be answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "actions": ["monitoring_arranged", "adherence_discussed"],
                    "medicines_reconciled": True,
                    "allergies_up_to_date": True,
                    "side_effects_assessed": False,
                    "listing_was": "useful",
                }
            ]
        }
    )

    actions: list[ReviewAction] = Field(
        min_length=1, max_length=len(ReviewAction), description="each once; order is kept"
    )
    medicines_reconciled: bool
    allergies_up_to_date: bool
    side_effects_assessed: bool
    listing_was: ListingWas | None = Field(default=None, description="what the reviewer thought of the listing")
    snooze_until: Day | None = Field(
        default=None, description=f"show again from this day; after today, at most {MAX_SNOOZE_DAYS} days ahead"
    )
    replaces: str | None = Field(
        default=None, min_length=1, max_length=64, description="the review that this one corrects; it stays in history"
    )


class Review(BaseModel):
    """One version of a review. The one with ``replaced_by`` null is the one that counts, unless it is ``undone``."""

    review_id: str
    patient_id: str
    reviewed_at: dt.datetime = Field(description="when the review was first recorded; a correction does not move it")
    written_at: dt.datetime | None = Field(description="when this version was written; null in older rows")
    reviewer: str = Field(description="who, as the audit log names them")
    reviewer_name: str
    run_id: str | None = Field(description="the list that was published when the review was recorded")
    actions: list[str]
    medicines_reconciled: bool
    allergies_up_to_date: bool
    side_effects_assessed: bool
    listing_was: str | None
    snooze_until: dt.date | None
    replaces: str | None
    replaced_by: str | None
    undone: bool = Field(description="this version takes the review back: it counts for nothing and stays in history")

    @property
    def is_correction(self) -> bool:
        return self.replaces is not None and not self.undone

    @property
    def answers(self) -> list[tuple[str, bool]]:
        """The three closing questions, as they were answered."""
        return [(label, bool(getattr(self, name))) for name, label in CLOSING_QUESTIONS.items()]

    @property
    def listing_label(self) -> str:
        return LISTING_LABELS.get(self.listing_was or "", "")

    @property
    def action_labels(self) -> list[str]:
        return [ACTION_LABELS[ReviewAction(code)] for code in self.actions]


class Reviews(BaseModel):
    """Every version of every review of a person, newest first."""

    patient_id: str
    items: list[Review]
