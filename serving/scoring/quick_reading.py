"""Reads a well-formed body in a fraction of the time that the strict reader takes, and declines every other.

The strict reader builds each object through Python, so that a name that is there twice is found, and pydantic then
tries every type of each cell. Here a compiled reader builds the objects, the members as written are counted against
those that were kept, and the types of a table are checked column by column. What this reader accepts, it reads as the
strict one would; of anything else it says None, and the strict reader finds the fault.
"""

from __future__ import annotations

from itertools import chain, pairwise
from types import NoneType
from typing import Any

import msgspec
from pydantic import ValidationError

from serving.http.json_scan import listed_objects, scan
from serving.scoring.schemas import MAX_PEOPLE, MAX_ROWS, MAX_TEXT, ROWS, PersonIn, PersonTables, ScoresRequest

_MOST_DIGITS = 18
"""A whole number of more digits may be more than the compiled reader's numbers hold."""
_EXACT = 2**53
_BLANK = b" \t\n\r"
_CELL = frozenset((str, float, bool, NoneType))
_ID = frozenset((str, NoneType))
_NAMES = {table: frozenset(row.__annotations__) for table, row in ROWS.items()}
_read = msgspec.json.Decoder().decode


class _Declined(Exception):
    """The strict reader must read this."""


def quick_scores(body: bytes) -> ScoresRequest | None:
    """The request in ``body``; None where the strict reader must say."""
    try:
        found, members = _value(body)
        if type(found) is not dict or not found.keys() <= ScoresRequest.model_fields.keys():
            return None
        people = found.get("people")
        if type(people) is not list or len(people) > MAX_PEOPLE:
            return None
        persons, read = [], len(found)
        for one in people:
            person, inside = _person(one)
            persons.append(person)
            read += inside
        return ScoresRequest.model_validate({**found, "people": persons}) if read == members else None
    except (_Declined, ValidationError):
        return None


def quick_people(body: bytes, most: int) -> ScoresRequest | None:
    """:func:`quick_scores` a person at a time, for large bodies: the compiled reader holds the interpreter's lock until
    it is done. None also where one person, or all that is no person, is more than ``most`` bytes."""
    places = listed_objects(body, MAX_PEOPLE)
    if not 0 < len(places) <= MAX_PEOPLE or max(end - begin for begin, end in places) > most:
        return None
    first, last = places[0][0], places[-1][1]
    between = (body[end:begin].strip(_BLANK) for (_, end), (begin, _) in pairwise(places))
    if len(body) - (last - first) > most or any(sign != b"," for sign in between):
        return None
    try:
        found, members = _value(body[:first] + body[last:])  # with the list of people empty
        if type(found) is not dict or not found.keys() <= ScoresRequest.model_fields.keys():
            return None
        if found.get("people") != [] or len(found) != members:
            return None
        persons = []
        for begin, end in places:
            one, members = _value(body[begin:end])
            person, read = _person(one)
            if read != members:
                return None
            persons.append(person)
        return ScoresRequest.model_validate({**found, "people": persons})
    except (_Declined, ValidationError):
        return None


def quick_person(line: bytes) -> PersonIn | None:
    """The person in ``line``; None where the strict reader must say."""
    try:
        found, members = _value(line)
        person, read = _person(found)
        return PersonIn.model_validate(person) if read == members else None
    except (_Declined, ValidationError):
        return None


def _value(text: bytes) -> tuple[Any, int]:
    """The value of a JSON text, and how many members its objects have as written."""
    seen = scan(text)
    if seen.longest_text > MAX_TEXT or seen.most_digits > _MOST_DIGITS:
        raise _Declined
    try:
        return _read(text), seen.members
    except (ValueError, RecursionError):
        raise _Declined from None


def _person(found: Any) -> tuple[dict[str, Any], int]:
    """A person with their tables checked, and how many members they have. Raises ``_Declined``."""
    if type(found) is not dict:
        raise _Declined
    tables = found.get("tables")
    if type(tables) is not dict or not tables.keys() <= ROWS.keys():
        raise _Declined
    members = len(found) + len(tables) + sum(_checked(table, rows) for table, rows in tables.items())
    return {**found, "tables": PersonTables.model_construct(**tables)}, members


def _checked(table: str, rows: Any) -> int:
    """How many cells the rows of a table have. Whole numbers become numbers, in place, as the strict reader does.
    Raises ``_Declined`` for rows that it would refuse."""
    if type(rows) is not list or len(rows) > MAX_ROWS:
        raise _Declined
    if not set(map(type, rows)) <= {dict}:
        raise _Declined
    shapes = set(map(tuple, rows))  # one, of the rows of one program
    named = set(chain.from_iterable(shapes))
    if not named <= _NAMES[table]:
        raise _Declined
    if "patient_id" in named and not {type(row.get("patient_id")) for row in rows} <= _ID:
        raise _Declined
    if not set(map(type, chain.from_iterable(map(dict.values, rows)))) <= _CELL:
        for row in rows:
            _to_numbers(row)
    return sum(map(len, rows))


def _to_numbers(row: dict[str, Any]) -> None:
    for name, value in row.items():
        if type(value) is int and abs(value) <= _EXACT and name != "patient_id":
            row[name] = float(value)
        elif type(value) not in _CELL:
            raise _Declined


__all__ = ["quick_people", "quick_person", "quick_scores"]
