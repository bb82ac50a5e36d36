"""Checks an incoming person id: a local pseudonym in one spelling. An NHS number is refused, because it would end up
in an address, a log or a table.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from features.records.reading.ids import clean_id
from features.records.reading.nhs_numbers import looks_like_one

SLASH_IN_AN_ID = "\ue02f"
"""Stands for ``%2F`` in the address of a request until its route is found: routes split addresses at ``/``. It is a
private-use character, which ``clean_id`` removes from every id of the records."""


def with_slashes(text: str) -> str:
    """An id of an address with its own ``/``."""
    return text.replace(SLASH_IN_AN_ID, "/")


def local_id(text: str) -> str:
    """``text`` in its one spelling, unless it is an NHS number. A local id of ten digits passes the check by chance
    one time in eleven: put a letter before it."""
    text = with_slashes(text)
    if looks_like_one(text):
        raise PydanticCustomError("nhs_number_as_id", "an NHS number")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise PydanticCustomError("string_pattern_mismatch", "a control character")  # PostgreSQL takes no NUL
    plain = clean_id(text)
    if not plain:
        raise PydanticCustomError("no_id_left", "nothing but spaces, or a rounded number")
    return plain


LocalId = Annotated[str, AfterValidator(local_id)]
PersonId = Annotated[LocalId, Path(min_length=1, max_length=200)]
