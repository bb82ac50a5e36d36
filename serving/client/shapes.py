"""What is sent and answered, as typed dictionaries. Written by ``serving.write_client``."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class AcceptedSuggestion(TypedDict):
    id: str


class Adjustment(TypedDict):
    kind: str
    value: str


class Alive(TypedDict):
    alive: NotRequired[bool]


class CardCoding(TypedDict):
    code: str
    display: str
    system: str


class CardLink(TypedDict):
    label: str
    type: Literal["absolute", "smart"]
    url: str


class CardSource(TypedDict):
    label: str
    topic: NotRequired[CardCoding | None]
    url: NotRequired[str | None]


class CdsService(TypedDict):
    description: str
    hook: str
    id: str
    prefetch: NotRequired[dict[str, str] | None]
    title: str
    usageRequirements: NotRequired[str | None]


class CdsServices(TypedDict):
    services: list[CdsService]


class Check(TypedDict):
    detail: str
    name: str
    ok: bool


class CheckDue(TypedDict):
    due_on: str
    grace_days: int
    label: str
    last_on: str | None
    test: str


class CircumstancesRow(TypedDict):
    from_on: NotRequired[str | float | bool | None]
    kind: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    value: NotRequired[str | float | bool | None]


class ClosedShown(TypedDict):
    code: str
    days_late: int
    on: str
    what: str


class Colleague(TypedDict):
    name: str
    person: str


class ConditionsRow(TypedDict):
    category: NotRequired[str | float | bool | None]
    code: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    label: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    recorded_on: NotRequired[str | float | bool | None]
    system: NotRequired[str | float | bool | None]


class ContactEvent(TypedDict):
    kind: str
    mode: str
    on: str
    outcome: str


class ContactsRow(TypedDict):
    booked_on: NotRequired[str | float | bool | None]
    contact_id: NotRequired[str | float | bool | None]
    contact_on: NotRequired[str | float | bool | None]
    kind: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    mode: NotRequired[str | float | bool | None]
    outcome: NotRequired[str | float | bool | None]
    outcome_known_on: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    staff_id: NotRequired[str | float | bool | None]
    team_id: NotRequired[str | float | bool | None]


class Contribution(TypedDict):
    concept: str
    contribution: float
    name: str
    value: float | None


class DueShown(TypedDict):
    kind: str
    labels: list[str]
    on: str
    scope: str


class Emergency(TypedDict):
    actor: str
    actor_name: str
    expires_at: str
    grant_id: str
    granted_at: str
    patient_id: str
    reason: str


class EmergencyIn(TypedDict):
    reason: Literal["immediate_risk", "crisis_call", "cover_for_absence", "wrong_team_recorded"]


class Event(TypedDict):
    action: str
    actor: str
    actor_name: str
    at: str
    bundle_id: str | None
    detail: dict[str, Any]
    patient_ids: list[str]
    request_id: str
    role: str
    run_id: str | None
    seq: int
    team_id: str | None


class FactShown(TypedDict):
    on: str
    text: str


class FactsShown(TypedDict):
    age: int | None
    allergies: list[FactShown]
    carer: FactShown | None
    diagnoses: list[FactShown]
    shared_care: list[FactShown]
    worker: FactShown | None


class FeedbackTaken(TypedDict):
    comments_dropped: int
    repeated: int
    stored: int
    unknown_cards: int


class FhirAuthorization(TypedDict):
    access_token: str
    expires_in: int
    patient: NotRequired[str | None]
    scope: str
    subject: str
    token_type: Literal["Bearer"]


class FieldProblem(TypedDict):
    what: str
    where: str


class FilterChoice(TypedDict):
    label: str
    people: int
    value: str


class FilterChoices(TypedDict):
    gap: list[FilterChoice]
    medicine: list[FilterChoice]
    reason: list[FilterChoice]


class GapEvidence(TypedDict):
    pass


class GapKind(TypedDict):
    code: str
    longest_overdue: float | None
    people: int
    safety: bool
    severity: str
    title: str
    verified: bool


class GapLine(TypedDict):
    code: str
    days_overdue: float | None
    safety: bool
    severity: str
    shown: bool
    status: NotRequired[str | None]
    title: str
    verified: bool


class GroupRow(TypedDict):
    group: str
    people: int | None
    reviewed: int | None
    slots: int | None


class HookCard(TypedDict):
    detail: NotRequired[str | None]
    indicator: Literal["info", "warning", "critical"]
    links: NotRequired[list[CardLink] | None]
    overrideReasons: list[CardCoding]
    source: CardSource
    summary: str
    uuid: str


class HookCards(TypedDict):
    cards: list[HookCard]


class HookContext(TypedDict):
    encounterId: NotRequired[str | None]
    patientId: str
    userId: str


class LastReview(TypedDict):
    reviewed_at: str
    reviewer_name: str


class MedicineNotKnown(TypedDict):
    last_on: str | None
    written: str


class MedicineShown(TypedDict):
    as_required: bool
    dose_mg: float | None
    form: str
    interval_days: int | None
    lapsed: bool
    last_kind: str
    last_on: str
    name: str
    next_on: str | None
    prescriber: str
    since: str


class ModelCard(TypedDict):
    bundle_id: str
    card: dict[str, Any]
    not_promoted: NotRequired[list[str]]
    synthetic: bool


class ModelInfo(TypedDict):
    bundle_id: str
    code_commit: str
    created_at: str
    data_hash: str
    definitions: NotRequired[dict[str, str]]
    features: int
    left_out: NotRequired[dict[str, str]]
    not_promoted: NotRequired[list[str]]
    outcomes: dict[str, list[int]]
    problem: str
    synthetic: bool
    trained_run_id: str
    version: str


class ModelUsed(TypedDict):
    bundle_id: str
    not_promoted: NotRequired[list[str]]
    synthetic: bool
    version: str


class NextDue(TypedDict):
    on: str
    what: str


class NotScored(TypedDict):
    patient_id: str
    reason: str


class OrderContext(TypedDict):
    draftOrders: dict[str, Any]
    encounterId: NotRequired[str | None]
    patientId: str
    selections: list[str]
    userId: str


class OrderSelect(TypedDict):
    context: OrderContext
    fhirAuthorization: NotRequired[FhirAuthorization | None]
    fhirServer: NotRequired[str | None]
    hook: Literal["order-select"]
    hookInstance: str
    prefetch: NotRequired[dict[str, dict[str, Any] | None]]


class OutsideTraining(TypedDict):
    high: float
    low: float
    name: str
    value: float


Parts: TypeAlias = Literal["none", "concepts", "features"]


class PatientView(TypedDict):
    context: HookContext
    fhirAuthorization: NotRequired[FhirAuthorization | None]
    fhirServer: NotRequired[str | None]
    hook: Literal["patient-view"]
    hookInstance: str
    prefetch: NotRequired[dict[str, dict[str, Any] | None]]


class PatientsRow(TypedDict):
    autism: NotRequired[str | float | bool | None]
    birth_date: NotRequired[str | float | bool | None]
    deprivation_decile: NotRequired[str | float | bool | None]
    died_on: NotRequired[str | float | bool | None]
    ethnicity: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    learning_disability: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    sex: NotRequired[str | float | bool | None]


class PersonTeam(TypedDict):
    middle: dict[str, float]
    name: str
    team_id: str


class ProblemDetails(TypedDict):
    detail: str
    errors: NotRequired[list[FieldProblem]]
    request_id: str
    status: int
    title: str
    type: str


class Ready(TypedDict):
    checks: list[Check]
    ready: bool


class ReasonFeature(TypedDict):
    contribution: float
    date: NotRequired[str | None]
    missing: bool
    name: str
    unit: str | None
    value: float | None


class ReasonGiven(TypedDict):
    code: str
    display: NotRequired[str | None]
    system: str


class ReasonLine(TypedDict):
    concept: str
    direction: str
    label: str
    sentence: str


class RecordRow(TypedDict):
    on: str | None
    row: int
    table: str
    what: str


class RecordedCircumstance(TypedDict):
    kind: str
    on: str | None
    value: str


class ReferralsRow(TypedDict):
    close_reason: NotRequired[str | float | bool | None]
    closed_known_on: NotRequired[str | float | bool | None]
    closed_on: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    opened_on: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    referral_id: NotRequired[str | float | bool | None]
    team_id: NotRequired[str | float | bool | None]


class ResultEvent(TypedDict):
    comparator: NotRequired[str]
    label: str
    on: str
    test: str
    unit: str
    value: float | None


class ResultsRow(TypedDict):
    comparator: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    taken_on: NotRequired[str | float | bool | None]
    test: NotRequired[str | float | bool | None]
    unit: NotRequired[str | float | bool | None]
    value: NotRequired[str | float | bool | None]


class Review(TypedDict):
    actions: list[str]
    allergies_up_to_date: bool
    listing_was: str | None
    medicines_reconciled: bool
    patient_id: str
    replaced_by: str | None
    replaces: str | None
    review_id: str
    reviewed_at: str
    reviewer: str
    reviewer_name: str
    run_id: str | None
    side_effects_assessed: bool
    snooze_until: str | None
    undone: bool
    written_at: str | None


class ReviewIn(TypedDict):
    actions: list[
        Literal[
            "indication_reviewed",
            "deprescribing_agreed",
            "antipsychotic_plan_agreed",
            "clozapine_discussed",
            "adherence_discussed",
            "regimen_simplified",
            "level_arranged",
            "monitoring_arranged",
            "ecg_arranged",
            "interaction_resolved",
            "medicine_changed",
            "dose_changed",
            "valproate_safety_checked",
            "anticholinergic_load_reduced",
            "bowel_care_arranged",
            "supply_secured",
            "depot_arranged",
            "shared_care_agreed",
            "result_acted_on",
            "gp_informed",
            "team_review_arranged",
            "contact_arranged",
            "adjustment_arranged",
            "not_reached",
            "no_change_needed",
        ]
    ]
    allergies_up_to_date: bool
    listing_was: NotRequired[Literal["useful", "already_known", "wrong_data"] | None]
    medicines_reconciled: bool
    replaces: NotRequired[str | None]
    side_effects_assessed: bool
    snooze_until: NotRequired[str | None]


class Reviews(TypedDict):
    items: list[Review]
    patient_id: str


class RiskBefore(TypedDict):
    as_of: str
    probability: float


class RiskRange(TypedDict):
    high: float
    in_words: str
    level: float
    low: float


class RunInfo(TypedDict):
    as_of: str
    bundle_id: str
    data_source: str
    made_at: str
    model_version: str
    newest_record_on: str | None
    not_promoted: NotRequired[list[str]]
    outcomes: dict[str, list[int]]
    published_at: str
    run_id: str
    synthetic: bool


class ServiceVersion(TypedDict):
    bundle_id: str | None
    environment: str
    version: str


class SetAsideRow(TypedDict):
    column: str
    reason: str
    row: int
    table: str


class SourceAge(TypedDict):
    age_days: int | None
    source: str
    stale: bool


class SourceFreshness(TypedDict):
    middle_age_days: int | None
    newest_age_days: int | None
    people_stale: int
    people_without: int
    source: str


class StayEvent(TypedDict):
    admitted_on: str
    discharged_on: str | None
    method: str
    ward: str


class StaysRow(TypedDict):
    admitted_on: NotRequired[str | float | bool | None]
    discharge_known_on: NotRequired[str | float | bool | None]
    discharged_on: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    legal_status: NotRequired[str | float | bool | None]
    method: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    ward: NotRequired[str | float | bool | None]


class SuppliesRow(TypedDict):
    as_required: NotRequired[str | float | bool | None]
    daily_dose_mg: NotRequired[str | float | bool | None]
    days_supplied: NotRequired[str | float | bool | None]
    dose_mg: NotRequired[str | float | bool | None]
    interval_days: NotRequired[str | float | bool | None]
    kind: NotRequired[str | float | bool | None]
    known_on: NotRequired[str | float | bool | None]
    medicine: NotRequired[str | float | bool | None]
    patient_id: NotRequired[str | None]
    prescriber: NotRequired[str | float | bool | None]
    quantity: NotRequired[str | float | bool | None]
    route: NotRequired[str | float | bool | None]
    status: NotRequired[str | float | bool | None]
    strength_mg: NotRequired[str | float | bool | None]
    supplied_on: NotRequired[str | float | bool | None]
    units_a_day: NotRequired[str | float | bool | None]


class SupplyEvent(TypedDict):
    as_required: bool
    covers_from: str
    covers_to: str
    days_assumed: NotRequired[str]
    injection: bool
    kind: str
    medicine: str
    mg: float | None
    on: str


class Team(TypedDict):
    name: str
    people: int
    people_with_safety_gap: int
    team_id: str
    weekly_reviews: int | None


class Teams(TypedDict):
    items: list[Team]
    limit: int
    offset: int
    run: RunInfo | None
    total: int


class TextReceipt(TypedDict):
    completed_at: NotRequired[str | None]
    id: str
    sent_at: NotRequired[str | None]
    status: str


class TextReply(TypedDict):
    date_received: NotRequired[str | None]
    destination_number: NotRequired[str | None]
    id: str
    message: str
    source_number: str


class TrendPoint(TypedDict):
    as_of: str
    horizon_days: int
    model_version: str
    outcome: str
    probability: float


class UnreadValueOut(TypedDict):
    column: str
    concept: str
    known_on: str | None
    on: str | None
    reason: str
    table: str
    value: str


class Unseen(TypedDict):
    last_seen_on: str | None
    listed: bool
    next_booked_on: str | None
    patient_id: str


class Week(TypedDict):
    begins_on: str
    reviewed: int


class WhatIfChange(TypedDict):
    changed_to: float
    name: str
    unit: str | None
    value: float | None


class WhatIfRisk(TypedDict):
    difference: float
    horizon_days: int
    outcome: str
    probability: float


class WorkIn(TypedDict):
    given_to: NotRequired[str | None]
    notes: NotRequired[
        list[
            Literal[
                "bloods_to_chase",
                "result_to_read",
                "person_to_call",
                "carer_to_call",
                "gp_to_call",
                "prescriber_to_ask",
                "supply_to_arrange",
                "injection_to_arrange",
                "letter_to_send",
                "review_begun",
                "waiting_for_reply",
                "best_in_person",
                "cover_for_absence",
            ]
        ]
    ]
    this_week: NotRequired[bool]


class WorkItem(TypedDict):
    given_to: str | None
    given_to_name: str
    notes: list[
        Literal[
            "bloods_to_chase",
            "result_to_read",
            "person_to_call",
            "carer_to_call",
            "gp_to_call",
            "prescriber_to_ask",
            "supply_to_arrange",
            "injection_to_arrange",
            "letter_to_send",
            "review_begun",
            "waiting_for_reply",
            "best_in_person",
            "cover_for_absence",
        ]
    ]
    set_at: str
    set_by: str
    still_in_team: bool
    this_week: bool


class WorklistEntry(TypedDict):
    adjustments: list[Adjustment]
    closed: NotRequired[list[ClosedShown]]
    gaps: list[GapLine]
    history_days: int | None
    in_critical_band: NotRequired[bool]
    in_words: str
    joined: bool
    last_review: LastReview | None
    last_seen_on: str | None
    listed_since: str | None
    medicines: NotRequired[list[str]]
    missing_sources: list[str]
    next_booked_on: str | None
    next_due: NotRequired[NextDue | None]
    patient_id: str
    position: int
    probability: float
    rank: int
    reasons: list[ReasonLine]
    risk_before: list[RiskBefore]
    short_history: bool
    slot: Literal["order", "kept", "longest_unseen", "no_limit", "lottery"] | None
    snoozed_until: str | None
    standing: Literal["listed", "waiting", "reviewed", "snoozed"] | None
    tied: bool
    unchecked: NotRequired[list[str] | None]
    within_capacity: bool | None
    work: NotRequired[str]


class AtAGlance(TypedDict):
    about: FactsShown
    closed: list[ClosedShown]
    dues: list[DueShown]
    medicines: list[MedicineShown]
    not_known: list[MedicineNotKnown]
    unchecked: list[str] | None


class AuditEvents(TypedDict):
    items: list[Event]
    next_before: int | None


class CareGap(TypedDict):
    action: str
    code: str
    could_not_check: NotRequired[list[str]]
    days_overdue: float | None
    due_on: str | None
    evidence: list[GapEvidence]
    safety: bool
    severity: str
    shown: NotRequired[bool]
    source: str
    standard: str
    title: str
    value: str
    verified: bool


class Emergencies(TypedDict):
    items: list[Emergency]
    total: int


class EqualityTable(TypedDict):
    dimension: str
    groups: list[GroupRow]


class Filters(TypedDict):
    gap: NotRequired[str | None]
    medicine: NotRequired[str | None]
    reason: NotRequired[str | None]
    reviewed: NotRequired[Literal["never", "7", "28", "not-28"] | None]
    work: NotRequired[Literal["mine", "this_week", "nobody"] | None]


class Flags(TypedDict):
    history_days: int | None
    missing_sources: list[str]
    outside_training: NotRequired[list[OutsideTraining]]
    set_aside: NotRequired[list[SetAsideRow]]
    short_history: bool
    sources: NotRequired[list[SourceAge]]
    unknown_medicines: NotRequired[int | None]
    unread: NotRequired[list[UnreadValueOut]]


class GapStatus(TypedDict):
    code: str
    ended: str
    holds: bool
    in_words: str
    set_at: str
    set_by: str
    status: Literal["acknowledged", "booked", "not_applicable", "done", "open"]
    until: str | None
    why: (
        Literal[
            "recorded_elsewhere",
            "not_taking_it",
            "agreed_with_prescriber",
            "person_declined",
            "record_is_wrong",
            "another_team_monitors",
        ]
        | None
    )


class GapStatuses(TypedDict):
    items: list[GapStatus]
    patient_id: str


class Joined(TypedDict):
    as_of: str
    patient_id: str
    place: int
    slot: Literal["order", "kept", "longest_unseen", "no_limit", "lottery"]


class LastYear(TypedDict):
    circumstances: NotRequired[list[RecordedCircumstance]]
    contacts: list[ContactEvent]
    dues: list[CheckDue]
    results: list[ResultEvent]
    stays: list[StayEvent]
    supplies: list[SupplyEvent]


class Left(TypedDict):
    as_of: str
    displaced_by: str | None
    in_words: str
    listed_since: str | None
    on_day: str | None
    patient_id: str
    rank: int | None
    reason: Literal[
        "left_caseload",
        "reviewed",
        "snoozed",
        "turn_over",
        "rules_changed",
        "gap_closed",
        "risk_fell",
        "displaced",
        "fewer_slots",
    ]
    still_here: bool


class ListChanges(TypedDict):
    joined: list[Joined]
    left: list[Left]
    since: str


class ListRulesUsed(TypedDict):
    horizon_days: int
    outcome: str
    ranking: Literal["risk", "gaps", "blended"]
    rest_days: int
    stay: float


class OverrideReason(TypedDict):
    reason: NotRequired[ReasonGiven | None]
    userComment: NotRequired[str | None]


class PersonTables(TypedDict):
    circumstances: NotRequired[list[CircumstancesRow]]
    conditions: NotRequired[list[ConditionsRow]]
    contacts: NotRequired[list[ContactsRow]]
    patients: NotRequired[list[PatientsRow]]
    referrals: NotRequired[list[ReferralsRow]]
    results: NotRequired[list[ResultsRow]]
    stays: NotRequired[list[StaysRow]]
    supplies: NotRequired[list[SuppliesRow]]


class RiskReason(TypedDict):
    concept: str
    contribution: float
    direction: str
    features: list[ReasonFeature]
    label: str
    rows: NotRequired[list[RecordRow]]
    sentence: str
    sources: NotRequired[list[SourceAge]]


class StatusIn(TypedDict):
    status: Literal["acknowledged", "booked", "not_applicable", "done", "open"]
    until: NotRequired[str | None]
    why: NotRequired[
        Literal[
            "recorded_elsewhere",
            "not_taking_it",
            "agreed_with_prescriber",
            "person_declined",
            "record_is_wrong",
            "another_team_monitors",
        ]
        | None
    ]


class WhatIfAnswer(TypedDict):
    changes: list[WhatIfChange]
    code: str
    kind: NotRequired[Literal["model_sensitivity"]]
    label: str
    note: NotRequired[str]
    risks: list[WhatIfRisk]


class Work(TypedDict):
    colleagues: list[Colleague]
    item: WorkItem | None
    patient_id: str


class Worklist(TypedDict):
    below_line: int
    changes: ListChanges
    choices: FilterChoices
    filters: Filters
    first_below_line_with_safety_gap: list[WorklistEntry]
    horizon_days: int
    in_critical_band: int
    items: list[WorklistEntry]
    limit: int
    listed: int
    matching: int
    middle: float | None
    offset: int
    outcome: str
    published_order: bool
    ranking: Literal["risk", "gaps", "blended"]
    reviews_this_week: int
    rules: ListRulesUsed | None
    run: RunInfo
    safety_below_line: int
    snoozed: int
    team: Team
    total: int


class Equality(TypedDict):
    least_shown: int
    reviewed_since: str
    tables: list[EqualityTable]


class FeedbackEntry(TypedDict):
    acceptedSuggestions: NotRequired[list[AcceptedSuggestion] | None]
    card: str
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: str
    overrideReason: NotRequired[OverrideReason | None]


class GapOfPerson(TypedDict):
    action: str
    code: str
    could_not_check: NotRequired[list[str]]
    days_overdue: float | None
    due_on: str | None
    evidence: list[GapEvidence]
    safety: bool
    severity: str
    shown: NotRequired[bool]
    source: str
    standard: str
    status: NotRequired[GapStatus | None]
    title: str
    value: str
    verified: bool


class PersonIn(TypedDict):
    nhs_number: NotRequired[str | None]
    patient_id: NotRequired[str | None]
    tables: PersonTables


class Risk(TypedDict):
    base: float
    contributions: list[Contribution]
    horizon_days: int
    horizon_part: float
    logit: float
    outcome: str
    probability: float
    range: NotRequired[RiskRange | None]
    reasons: list[RiskReason]


class ScoresRequest(TypedDict):
    as_of: NotRequired[str | None]
    people: list[PersonIn]


class TeamOverview(TypedDict):
    changes: ListChanges
    equality: Equality
    gaps: list[GapKind]
    listings: dict[str, int]
    run: RunInfo
    sources: list[SourceFreshness]
    team: Team
    unseen_longest: list[Unseen]
    weeks: list[Week]


class CardFeedback(TypedDict):
    feedback: list[FeedbackEntry]


class Person(TypedDict):
    adjustments: list[Adjustment]
    emergency: Emergency | None
    flags: Flags
    gaps: list[GapOfPerson]
    last_seen_on: str | None
    last_year: LastYear | None
    next_booked_on: str | None
    patient_id: str
    review_versions: list[Review]
    reviews: list[Review]
    risks: list[Risk]
    run: RunInfo
    summary: AtAGlance | None
    team: PersonTeam
    trend: list[TrendPoint]
    what_if: list[WhatIfAnswer]
    work: Work


class PersonScore(TypedDict):
    flags: Flags
    gaps: list[CareGap]
    patient_id: str
    risks: list[Risk]
    what_if: NotRequired[list[WhatIfAnswer]]


class ScoresAnswer(TypedDict):
    as_of: str
    model: ModelUsed
    not_scored: list[NotScored]
    people: list[PersonScore]
