"""Reads the bodies of ``POST /v1/scores`` and of its stream as people and rows. Called in a thread, never on the
event loop.

A well-formed body is read quickly (:mod:`serving.scoring.quick_reading`), a large one a person at a time; any other
strictly, so that every fault is named. A small body is read at once. Python's JSON reader and pydantic hold the
interpreter's lock until they finish, more than a second for 30 MB, and everything else would stop even if a thread did
it. So of a large body that is not well-formed a few hundred rows are read at a time; each part is checked before the
next is read, and the first wrong part ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from serving.http.json_reading import NamedTwice, json_decoder, read_json
from serving.scoring.quick_reading import quick_people, quick_person, quick_scores
from serving.scoring.schemas import MAX_PEOPLE, MAX_ROWS, ROWS, PersonIn, PersonTables, ScoresRequest

ONE_GO = 200_000
"""Up to this many bytes a body is read at once, in a few milliseconds."""
ROWS_A_TIME = 200
LONGEST_ROW = 20_000
"""Longest row, in characters. The longest row that the API allows has under 8,000."""
Loc = tuple[str | int, ...]
Read = TypeVar("Read")
_CHOICES = frozenset({"str", "constrained-str", "float", "bool"})
"""Pydantic's names for the types of a cell."""


class Unreadable(Exception):
    """The faults of a body as pydantic reports them, without any value of the body."""

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__()
        self.faults = faults

    @classmethod
    def at(cls, kind: str, *loc: str | int) -> Unreadable:
        return cls([{"type": kind, "loc": ("body", *loc)}])

    @classmethod
    def of(cls, error: ValidationError, *loc: str | int) -> Unreadable:
        found: dict[Loc, str] = {}
        for fault in error.errors(include_input=False, include_context=False, include_url=False):
            place, kind = ("body", *loc, *fault["loc"]), fault["type"]
            if place[-1] in _CHOICES:  # a cell may be one of several types, and pydantic names a fault of each
                place, kind = place[:-1], kind if kind == "string_too_long" else "cell_type"
            if found.get(place) in (None, "cell_type"):
                found[place] = kind
        return cls([{"type": kind, "loc": place} for place, kind in found.items()])


def read_scores(body: bytes, one_go: int = ONE_GO) -> ScoresRequest:
    """The request in ``body``. Raises ``Unreadable``, which holds no value of it."""
    if len(body) > one_go:
        return quick_people(body, one_go) or _read(body, None, _request)
    return quick_scores(body) or _read(body, ScoresRequest.model_validate, _request)


def read_person(line: bytes) -> PersonIn:
    """One person of ``POST /v1/scores/stream``. Raises ``Unreadable``, which holds no value of the line."""
    return quick_person(line) or _read(line, PersonIn.model_validate, _person)


def _read(body: bytes, whole: Callable[[Any], Read] | None, steps: Callable[[_Walker], Read]) -> Read:
    """What ``whole`` makes of the value in ``body``, read at once; without it, or to find the place of a name that is
    there twice, what ``steps`` makes of its parts."""
    try:
        if whole is not None:
            with suppress(NamedTwice):
                return whole(read_json(body))
        return steps(_Walker(body.decode(json.detect_encoding(body))))
    except ValidationError as error:
        found = Unreadable.of(error)
    except (ValueError, RecursionError):
        found = Unreadable.at("json_invalid")
    raise found


def _request(walker: _Walker) -> ScoresRequest:
    found: dict[str, Any] = {}
    for name in walker.members():
        if name == "people":
            found[name] = [_person(walker, "people", place) for place in walker.items(MAX_PEOPLE, "people")]
        elif name in ScoresRequest.model_fields:
            found[name] = walker.scalar(name)
        else:
            raise Unreadable.at("extra_forbidden", name)
    walker.end()
    return ScoresRequest.model_validate(found)


def _person(walker: _Walker, *loc: str | int) -> PersonIn:
    found: dict[str, Any] = {}
    for name in walker.members(*loc):
        if name == "tables":
            tables = {table: _rows(walker, table, (*loc, name, table)) for table in walker.members(*loc, name)}
            found[name] = PersonTables.model_construct(**tables)  # type: ignore[arg-type]
        elif name in PersonIn.model_fields:
            found[name] = walker.scalar(*loc, name)
        else:
            raise Unreadable.at("extra_forbidden", *loc, name)
    try:
        return PersonIn.model_validate(found)
    except ValidationError as error:
        raise Unreadable.of(error, *loc) from None


def _rows(walker: _Walker, table: str, loc: Loc) -> list[dict[str, Any]]:
    if table not in ROWS:
        raise Unreadable.at("extra_forbidden", *loc)
    found: list[dict[str, Any]] = []
    waiting: list[Any] = []

    def check() -> None:
        try:
            found.extend(_adapter(table).validate_python(waiting))
        except ValidationError as error:
            told = Unreadable.of(error)
            raise Unreadable(
                [
                    {"type": fault["type"], "loc": ("body", *loc, len(found) + fault["loc"][1], *fault["loc"][2:])}
                    for fault in told.faults
                ]
            ) from None
        waiting.clear()

    for place in walker.items(MAX_ROWS, *loc):
        waiting.append(walker.row(*loc, place))
        if len(waiting) == ROWS_A_TIME:
            check()
    check()
    return found


@cache
def _adapter(table: str) -> TypeAdapter[Any]:
    return TypeAdapter(list[ROWS[table]])  # type: ignore[valid-type]


class _Walker:
    """Walks a JSON text from the outside in; only small parts go to the compiled reader."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._read = json_decoder().raw_decode

    def members(self, *loc: str | int) -> Iterator[str]:
        """The names of an object's members; read the value of each before the next."""
        self._open("{", "dict_type", loc)
        first, seen = True, set()
        while not self._closes("}", first):
            name = self.scalar(*loc)
            if not isinstance(name, str):
                raise ValueError("a name that is not a text")
            if name in seen:
                raise Unreadable.at("named_twice", *loc, name)
            seen.add(name)
            self._take(":")
            yield name
            first = False

    def items(self, most: int, *loc: str | int) -> Iterator[int]:
        """The places of a list's items; read each before the next."""
        self._open("[", "list_type", loc)
        place = 0
        while not self._closes("]", place == 0):
            if place == most:
                raise Unreadable.at("too_long", *loc)
            yield place
            place += 1

    def scalar(self, *loc: str | int) -> Any:
        """A text, number, true, false or null."""
        if self._next() in "{[":
            raise Unreadable.at("string_type", *loc)
        value, self._at = self._read(self._text, self._at)
        return value

    def row(self, *loc: str | int) -> Any:
        """A flat object: up to the first closing brace that makes it valid, because a text may hold a brace."""
        if self._next() != "{":
            raise Unreadable.at("dict_type", *loc)
        end = self._at
        for _ in range(50):
            end = self._text.find("}", end, self._at + LONGEST_ROW) + 1
            if not end:
                break
            try:
                value, read = self._read(self._text[self._at : end])
            except NamedTwice as error:
                raise Unreadable.at("named_twice", *loc, error.name) from None
            except json.JSONDecodeError:
                continue
            self._at += read
            return value
        raise Unreadable.at("json_invalid", *loc)

    def end(self) -> None:
        """Checks that nothing follows."""
        if self._next():
            raise ValueError("more after the end")

    def _open(self, bracket: str, kind: str, loc: Loc) -> None:
        if self._next() != bracket:
            raise Unreadable.at(kind, *loc)
        self._at += 1

    def _closes(self, bracket: str, first: bool) -> bool:
        """Whether the list or object ends here; if not, steps over the comma."""
        if self._next() == bracket:
            self._at += 1
            return True
        if not first:
            self._take(",")
            self._next()
        return False

    def _take(self, sign: str) -> None:
        if self._next() != sign:
            raise ValueError("another character was expected")
        self._at += 1

    def _next(self) -> str:
        """The next character that is not white space; empty at the end."""
        text, at = self._text, self._at
        while at < len(text) and text[at] in " \t\n\r":
            at += 1
        self._at = at
        return text[at : at + 1]
