"""Types that requests and answers of several routes share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError


def _text_only(value: object) -> object:
    """Accepts a date only as text. Pydantic alone would read the number 0 as 1 January 1970 and score on that day."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise PydanticCustomError("date_parsing", "not a date")
    if value is not None and not isinstance(value, str | dt.date):
        raise PydanticCustomError("date_type", "not text")
    return value


Day = Annotated[dt.date, BeforeValidator(_text_only)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
