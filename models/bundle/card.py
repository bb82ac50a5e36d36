"""The model card inside a bundle. Its content is free; the fields that pages read are typed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class TrainedOn(BaseModel):
    model_config = ConfigDict(extra="allow")

    people: int | None = None
    rows: int | None = None


class ServedModel(BaseModel):
    model_config = ConfigDict(extra="allow")

    fitted_on: str
    not_tested: str | None = None


class Card(BaseModel):
    """The typed fields of a card. All other fields are kept as they are."""

    model_config = ConfigDict(extra="allow")

    intended_use: str | None = None
    method: str | None = None
    not_used: str | None = None
    exits: str | None = None
    not_for: list[str] | None = None
    outcomes: dict[str, str] | None = None
    left_out: dict[str, str] | None = None
    figures: dict[str, dict[str, Any]] | None = None
    trained_on: TrainedOn | None = None
    served_model: ServedModel | None = None


def checked_card(document: Any) -> dict[str, Any]:
    """The checked card. Raises ``ValueError`` (pydantic) for a null, a list, or a field of the wrong shape."""
    Card.model_validate(document)
    return dict(document)
