"""What identifies a person: a name, a date of birth and an NHS number, each if the trust gave it."""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from dataclasses import dataclass

from features.records.reading.nhs_numbers import ten_digits

_APOSTROPHES = re.compile(r"['’ʼ`´]")
_BETWEEN = re.compile(r"[^\w]+|_")
SHORTEST_SEARCH = 2


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a person is. Shown by pages, held in no log, feature or answer of the API."""

    name: str = ""
    birth_date: dt.date | None = None
    nhs_number: str = ""

    def as_json(self) -> bytes:
        born = self.birth_date.isoformat() if self.birth_date else ""
        return json.dumps([self.name, born, self.nhs_number]).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Identity:
        name, born, number = json.loads(text)
        return cls(name, dt.date.fromisoformat(born) if born else None, number)

    @property
    def nhs_spaced(self) -> str:
        """``999 000 0018``, as an NHS number is written for people."""
        number = self.nhs_number
        return f"{number[:3]} {number[3:6]} {number[6:]}" if number else ""


@dataclass(frozen=True, slots=True)
class Sought:
    """What somebody types to find a person: words of a name, the ten digits of an NHS number, or an id."""

    words: tuple[str, ...]
    digits: str
    as_id: str

    @classmethod
    def of(cls, text: str) -> Sought:
        plain = " ".join(text.split())
        return cls(tuple(_words(_APOSTROPHES.sub("", plain))), ten_digits(plain) or "", plain.casefold())

    @property
    def long_enough(self) -> bool:
        return len(self.as_id) >= SHORTEST_SEARCH

    def rank(self, patient_id: str, identity: Identity | None, name_words: frozenset[str]) -> int | None:
        """0 for an exact match (id or NHS number), 1 for a name or an id that begins with the text, None for no
        match.
        """
        folded = patient_id.casefold()
        if folded == self.as_id or (self.digits and identity is not None and identity.nhs_number == self.digits):
            return 0
        if folded.startswith(self.as_id):
            return 1
        named = bool(self.words) and all(any(one.startswith(word) for one in name_words) for word in self.words)
        return 1 if named else None


def name_words(name: str) -> frozenset[str]:
    """The words of a name for searching: without case and accents; ``O'Brien`` gives obrien, o and brien."""
    joined = _BETWEEN.sub("", name.rpartition(" ")[2]) if name else ""
    return frozenset((*_words(name), *_words(_APOSTROPHES.sub("", name)), *_words(joined)))


def _words(text: str) -> list[str]:
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return [word for word in _BETWEEN.split(plain.casefold()) if word]
