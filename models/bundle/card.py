"""The model card as it stands in a bundle: free in what it says, and typed in what pages read of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class TrainedOn(BaseModel):
    model_config = ConfigDict(extra="allow")

    people: int | None = None
    rows: int | None = None


class Card(BaseModel):
    """Everything else that a card says is kept as it is."""

    model_config = ConfigDict(extra="allow")

    intended_use: str | None = None
    method: str | None = None
    not_used: str | None = None
    exits: str | None = None
    not_for: list[str] | None = None
    outcomes: dict[str, str] | None = None
    figures: dict[str, dict[str, Any]] | None = None
    trained_on: TrainedOn | None = None


def checked_card(document: Any) -> dict[str, Any]:
    """The card, if it is one. Raises ``ValueError`` (pydantic) for a null, a list, or a part of another shape."""
    Card.model_validate(document)
    return dict(document)
