"""Reads JSON bodies strictly. Python's reader keeps the last of two members of one name, and rows of the first would be
lost silently."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request


class NamedTwice(json.JSONDecodeError):
    """An object holds one name twice. ``name`` is as it was sent: tell it only where it is one of ours."""

    def __init__(self, name: str) -> None:
        super().__init__("a name is there twice", "", 0)
        self.name = name


def read_json(body: bytes | str) -> Any:
    """The value in ``body``. Raises ``NamedTwice``, or another ``ValueError``."""
    return json.loads(body, object_pairs_hook=_named_once, parse_constant=_no_number)


def json_decoder() -> json.JSONDecoder:
    """The same for a part of a text."""
    return json.JSONDecoder(object_pairs_hook=_named_once, parse_constant=_no_number)


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        return read_json(await self.body())


def _named_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        seen: set[str] = set()
        for name, _ in members:
            if name in seen:
                raise NamedTwice(name)
            seen.add(name)
    return found


def _no_number(_text: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")
