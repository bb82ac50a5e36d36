"""Clinical concepts: groups of features about one signal. Reasons are summed to concepts before they are
ranked.

The wording says what raises or lowers the estimate. It never says why something happens, and never blames
(docs/clinical.md section 1.1).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """``label`` is the heading of a reason; ``raises`` and ``lowers`` complete its sentence."""

    slug: str
    label: str
    raises: str
    lowers: str


CONCEPTS: dict[str, Concept] = {
    concept.slug: concept
    for concept in (
        Concept(
            "supply_gap",
            "Gap in medicine supply",
            "a gap in the supply of regular medicine",
            "regular medicine in hand",
        ),
        Concept(
            "adherence",
            "Days covered by medicine",
            "fewer days covered by collected medicine",
            "most days covered by collected medicine",
        ),
        Concept("depot", "Long-acting injection", "a long-acting injection late or due", "injections given on time"),
        Concept(
            "regimen_change",
            "Recent change of medicines",
            "recent changes to medicines",
            "no recent change to medicines",
        ),
        Concept(
            "treatment", "Current medicines", "the pattern of current medicines", "the pattern of current medicines"
        ),
        Concept(
            "dose_burden",
            "Number and strength of medicines",
            "the number or strength of medicines",
            "the number or strength of medicines",
        ),
        Concept(
            "shared_care",
            "Who prescribes",
            "prescribing split or moved between trust and GP",
            "the same prescriber for a while",
        ),
        Concept(
            "clozapine_blood",
            "Clozapine blood count",
            "clozapine blood counts overdue or out of step",
            "clozapine blood counts up to date",
        ),
        Concept(
            "lithium_monitoring",
            "Lithium monitoring",
            "lithium checks overdue or out of step",
            "lithium checks up to date",
        ),
        Concept(
            "physical_checks",
            "Physical health checks",
            "physical health checks that are overdue",
            "physical health checks up to date",
        ),
        Concept(
            "missed_contacts",
            "Missed appointments",
            "some recent contacts were missed",
            "few of the appointments were missed",
        ),
        Concept(
            "cancellations",
            "Cancelled appointments",
            "some of the appointments were cancelled",
            "few of the appointments were cancelled",
        ),
        Concept(
            "bookings",
            "Appointments booked ahead",
            "the number of appointments booked ahead",
            "the number of appointments booked ahead",
        ),
        Concept("contact_recency", "Time since last seen", "the time since last seen", "being seen recently"),
        Concept(
            "contact_amount",
            "How often seen",
            "how often the team has seen this person",
            "how often the team has seen this person",
        ),
        Concept("continuity", "Seeing the same staff", "many different members of staff", "seeing the same staff"),
        Concept("crisis", "Crisis contacts", "a recent contact in a crisis", "no recent contact in a crisis"),
        Concept(
            "admissions", "Hospital admissions", "one or more earlier stays in hospital", "no recent stay in hospital"
        ),
        Concept(
            "discharge_recency",
            "Time since discharge",
            "a recent discharge from hospital",
            "a longer time since any discharge",
        ),
        Concept("reviews", "Medicines and care reviews", "time since the last review", "a recent review"),
        Concept(
            "side_effects", "Side effects", "side effects high or not asked about", "side effects asked about and low"
        ),
        Concept(
            "outcome_scores",
            "Outcome scores",
            "the outcome scores on record",
            "the outcome scores on record",
        ),
        Concept(
            "time_in_service",
            "Time with the service",
            "the time with the service so far",
            "the time with the service so far",
        ),
        Concept(
            "substance_use",
            "Substance use recorded",
            "substance use is on record",
            "no substance use is on record",
        ),
        Concept(
            "data_freshness",
            "How fresh the records are",
            "how little has been recorded lately",
            "how much has been recorded lately",
        ),
    )
}
