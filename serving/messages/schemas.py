"""Callbacks of the text provider in the format of GOV.UK Notify. Unused fields are ignored."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")]
"""An id of the provider. No database keeps a control character in one."""


class TextReceipt(BaseModel):
    """The delivery status of one text."""

    model_config = ConfigDict(extra="ignore")

    id: Word
    status: str = Field(min_length=1, max_length=32)
    completed_at: str | None = Field(default=None, max_length=64)
    sent_at: str | None = Field(default=None, max_length=64)


class TextReply(BaseModel):
    """One text from a person's phone."""

    model_config = ConfigDict(extra="ignore")

    id: Word
    source_number: str = Field(max_length=64)
    destination_number: str | None = Field(default=None, max_length=64)
    message: str = Field(max_length=20_000)
    date_received: str | None = Field(default=None, max_length=64)
