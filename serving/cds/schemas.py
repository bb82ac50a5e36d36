"""Requests and responses of CDS Hooks, with the names of the specification. Empty elements are left out of a
response. Unknown names are ignored, because a later version of the specification may send them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from serving.identity.ids import LocalId

Text = Annotated[str, Field(max_length=2_000)]
Code = Annotated[str, Field(min_length=1, max_length=300)]
Indicator = Literal["info", "warning", "critical"]
SUMMARY_LENGTH = 139
"""Characters of a card's summary at most: the specification wants fewer than 140."""


class Sent(BaseModel):
    """Something a client sends."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FhirAuthorization(Sent):
    """A token for the client's FHIR server. It is checked and not used: everything needed is asked for as prefetch."""

    access_token: Annotated[str, Field(min_length=1, max_length=10_000)]
    token_type: Literal["Bearer"]
    expires_in: StrictInt
    scope: Annotated[str, Field(max_length=4_000)]
    subject: Code
    patient: Code | None = None


class HookContext(Sent):
    """What both hooks say: who looks, and at whom."""

    userId: Code
    patientId: Annotated[LocalId, Field(min_length=1, max_length=200)]
    encounterId: Code | None = None


class OrderContext(HookContext):
    """``selections`` names the orders of ``draftOrders`` that were selected just now."""

    selections: Annotated[list[Code], Field(min_length=1, max_length=100)]
    draftOrders: dict[str, Any]


class Hook(Sent):
    """A call of a service."""

    hookInstance: UUID
    fhirServer: Annotated[str, Field(max_length=1_000)] | None = None
    fhirAuthorization: FhirAuthorization | None = None
    prefetch: dict[str, dict[str, Any] | None] = Field(default_factory=dict, description="null: there is no such data")

    @model_validator(mode="after")
    def a_token_is_for_a_server(self) -> Hook:
        """cds-r-1."""
        if self.fhirAuthorization is not None and self.fhirServer is None:
            raise PydanticCustomError("missing", "fhirServer is missing")
        return self


class PatientView(Hook):
    hook: Literal["patient-view"]
    context: HookContext


class OrderSelect(Hook):
    hook: Literal["order-select"]
    context: OrderContext


class CardCoding(BaseModel):
    code: str
    system: str
    display: str


class CardSource(BaseModel):
    label: str
    url: str | None = None
    topic: CardCoding | None = None


class CardLink(BaseModel):
    label: str
    url: str
    type: Literal["absolute", "smart"]


class HookCard(BaseModel):
    """One card. ``indicator`` is never ``critical``: nothing here may stop somebody's work."""

    uuid: UUID
    summary: Annotated[str, Field(max_length=SUMMARY_LENGTH)]
    detail: str | None = Field(default=None, description="GitHub Flavored Markdown")
    indicator: Indicator
    source: CardSource
    overrideReasons: list[CardCoding]
    links: list[CardLink] | None = None


class HookCards(BaseModel):
    """An answer without cards means that there is nothing to show. It does not mean that all is well."""

    cards: list[HookCard]


class CdsService(BaseModel):
    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str] | None = None
    usageRequirements: str | None = None


class CdsServices(BaseModel):
    services: list[CdsService]


class ReasonGiven(Sent):
    code: Code
    system: Code
    display: Text | None = None


class OverrideReason(Sent):
    """``userComment`` is free text: it is counted and not kept."""

    reason: ReasonGiven | None = None
    userComment: Annotated[str, Field(max_length=20_000)] | None = None

    @model_validator(mode="after")
    def says_something(self) -> OverrideReason:
        """cds-fb-3."""
        if self.reason is None and self.userComment is None:
            raise PydanticCustomError("missing", "neither a reason nor a comment")
        return self


class AcceptedSuggestion(Sent):
    id: UUID


def _earthly(at: dt.datetime) -> dt.datetime:
    """A moment that the database can store in UTC."""
    if not 1970 < at.year < 9_999:
        raise PydanticCustomError("date_parsing", "not a moment of ours")
    return at.astimezone(dt.UTC)


class FeedbackEntry(Sent):
    """What became of one card."""

    card: UUID
    outcome: Literal["accepted", "overridden"]
    acceptedSuggestions: Annotated[list[AcceptedSuggestion], Field(max_length=100)] | None = None
    overrideReason: OverrideReason | None = None
    outcomeTimestamp: Annotated[AwareDatetime, AfterValidator(_earthly)]

    @model_validator(mode="after")
    def accepting_names_what(self) -> FeedbackEntry:
        """cds-fb-2."""
        if self.outcome == "accepted" and not self.acceptedSuggestions:
            raise PydanticCustomError("missing", "acceptedSuggestions is missing")
        return self


class CardFeedback(Sent):
    feedback: Annotated[list[FeedbackEntry], Field(min_length=1, max_length=1_000)]


class FeedbackTaken(BaseModel):
    """The result of feedback. Entries about cards that this client was never shown are counted and not stored."""

    stored: int
    repeated: int
    unknown_cards: int
    comments_dropped: int


NAMES = frozenset().union(
    *(
        model.model_fields
        for model in (
            FhirAuthorization,
            OrderContext,
            PatientView,
            ReasonGiven,
            OverrideReason,
            AcceptedSuggestion,
            FeedbackEntry,
            CardFeedback,
        )
    ),
    ("patient", "medications", "observations", "allergies", "conditions", "service_id"),
)
"""Field names that an error may repeat."""
