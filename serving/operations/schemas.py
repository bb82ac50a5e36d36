"""Models of the service's state in the API."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Alive(BaseModel):
    alive: bool = True


class Check(BaseModel):
    name: str
    ok: bool
    detail: str = Field(description="what is wrong and what to do; empty if all is well")


class Ready(BaseModel):
    """Ready to serve: a verified model is loaded, the database is migrated, the audit log can be written."""

    ready: bool
    checks: list[Check]


class ServiceVersion(BaseModel):
    version: str
    environment: str
    bundle_id: str | None


class ModelInfo(BaseModel):
    """The model that scores requests now."""

    bundle_id: str
    version: str
    synthetic: bool
    not_promoted: list[str] = Field(
        default_factory=list, description="gates that refused the model; only a demo shows such a model"
    )
    trained_run_id: str
    data_hash: str
    code_commit: str
    created_at: str
    features: int
    outcomes: dict[str, list[int]]
    definitions: dict[str, str] = Field(
        default_factory=dict, description="what each outcome means, in one sentence from the model card"
    )
    left_out: dict[str, str] = Field(
        default_factory=dict, description="outcomes that the settings name and this model does not predict, and why"
    )
    problem: str = Field(description="why a newer bundle is not served; empty if all is well")


class ModelCard(BaseModel):
    """The card written at training, as it is in the bundle."""

    bundle_id: str
    synthetic: bool
    not_promoted: list[str] = Field(
        default_factory=list, description="gates that refused the model; only a demo shows such a model"
    )
    card: dict[str, Any]
