"""Models of the audit log and emergency access in the API."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.http.types import Strict

Reason = Literal["immediate_risk", "crisis_call", "cover_for_absence", "wrong_team_recorded"]
"""Why somebody opened a person of another team. It is a code, because free text would soon hold details of the
person.
"""
REASON_LABELS = {
    "immediate_risk": "Immediate risk to the person or to others",
    "crisis_call": "The person, a carer or another service is on the line in a crisis",
    "cover_for_absence": "Covering for a colleague of that team",
    "wrong_team_recorded": "The person is with my team, and the list says another",
}
ACCESS_MINUTES = 60
MOST_AN_HOUR = 10
"""People that one caller may open in an hour, unless UPSTREAM_EMERGENCIES_PER_HOUR says otherwise."""


class EmergencyIn(Strict):
    """Why somebody beyond the caller's teams has to be seen now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "crisis_call"}]})

    reason: Reason


class Emergency(BaseModel):
    """One person opened beyond the caller's teams, for an hour, with a reason."""

    grant_id: str
    actor: str
    actor_name: str
    patient_id: str
    reason: str
    granted_at: dt.datetime
    expires_at: dt.datetime

    @property
    def reason_label(self) -> str:
        return REASON_LABELS.get(self.reason, self.reason)


class Emergencies(BaseModel):
    """Newest first."""

    items: list[Emergency]
    total: int


class Event(BaseModel):
    """One event of the audit log."""

    seq: int
    at: str = Field(description="UTC, to the microsecond")
    actor: str
    actor_name: str = Field(description="display name of the actor; empty if unknown")
    role: str
    action: str
    team_id: str | None
    patient_ids: list[str]
    run_id: str | None
    bundle_id: str | None = Field(description="the model behind what was shown")
    request_id: str
    detail: dict[str, Any]


class AuditEvents(BaseModel):
    """Newest first. ``next_before`` continues from here; null if there is no more."""

    items: list[Event]
    next_before: int | None
