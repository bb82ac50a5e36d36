"""One compiled pass over a JSON text: what a fast reader does not say, and a strict one must know."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.jit import jit

_QUOTE, _BACKSLASH, _COLON, _ZERO, _NINE = b'"'[0], b"\\"[0], b":"[0], b"0"[0], b"9"[0]
_OPEN_OBJECT, _OPEN_LIST, _CLOSE_OBJECT, _CLOSE_LIST = b"{"[0], b"["[0], b"}"[0], b"]"[0]


class Scanned(NamedTuple):
    """``members`` of all objects together, as written: a name that is there twice counts twice. ``longest_text`` in
    bytes as written, names included; ``most_digits`` in a row outside texts."""

    members: int
    longest_text: int
    most_digits: int


def scan(text: bytes) -> Scanned:
    """What a JSON text holds. Of a text that is not JSON the numbers mean nothing."""
    return Scanned(*_scan(np.frombuffer(text, np.uint8)))


def listed_objects(text: bytes, most: int) -> list[tuple[int, int]]:
    """Where the objects inside two brackets begin and end: of a JSON object those that stand in lists of it. One more
    than ``most`` where there are more. Of a text that is not JSON the places mean nothing."""
    places = np.zeros((most + 1, 2), np.int64)
    number = _listed_objects(np.frombuffer(text, np.uint8), places)
    return [(begin, end) for begin, end in places[:number].tolist()]


@jit(_nrt=False)
def _listed_objects(text, places):  # type: ignore[no-untyped-def]
    depth, number, i = 0, 0, 0
    while i < text.shape[0] and number < places.shape[0]:
        sign = text[i]
        if sign == _QUOTE:
            i += 1
            while i < text.shape[0] and text[i] != _QUOTE:
                i += 2 if text[i] == _BACKSLASH else 1
        elif sign in (_OPEN_OBJECT, _OPEN_LIST):
            if depth == 2 and sign == _OPEN_OBJECT:
                places[number, 0] = i
            depth += 1
        elif sign in (_CLOSE_OBJECT, _CLOSE_LIST):
            depth -= 1
            if depth == 2 and sign == _CLOSE_OBJECT:
                places[number, 1] = i + 1
                number += 1
        i += 1
    return number


@jit()
def _scan(text):  # type: ignore[no-untyped-def]
    members, longest, most, digits, i = 0, 0, 0, 0, 0
    while i < text.shape[0]:
        sign = text[i]
        if _ZERO <= sign <= _NINE:
            digits += 1
            most = max(most, digits)
        else:
            digits = 0
            if sign == _QUOTE:
                start = i + 1
                i = start
                while i < text.shape[0] and text[i] != _QUOTE:
                    i += 2 if text[i] == _BACKSLASH else 1
                longest = max(longest, i - start)
            elif sign == _COLON:
                members += 1
        i += 1
    return members, longest, most
