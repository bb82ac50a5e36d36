"""NHS numbers: checked, then turned at once into a keyed pseudonym. No number is ever stored, logged or repeated.

Trying all numbers reverses a plain hash of ten digits in minutes. It does not reverse a keyed hash (HMAC-SHA-256) as
long as the key is stored separately. The pseudonym starts with the id of its key, so that keys can be changed: old
pseudonyms stay readable as what they are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import stat
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import UpstreamError
from features.records.reading.ids import clean_id

_SHAPE = re.compile(
    r"(?:[^\d]*nhs[^\d]*)?((?:\d[ .\-\u2010-\u2015/_]*){9}\d)(?:e\+?0+|[ .\-/_]+[a-z0-9]{1,3})?",
    re.ASCII | re.IGNORECASE,
)
"""Ten digits, grouped in any way, with or without a prefix that says what they are or a short suffix (``/1``)."""
_LETTERS_AFTER = re.compile(r"(?<=\d)[a-z]{1,3}", re.ASCII | re.IGNORECASE)
"""Letters straight after the digits (``9434765919A``). Such a text, and one with signs around it (``#9434765919*``), is
no local id, and nobody's number either, because it may mean a second person."""
_BETWEEN = r"[ .\-_\u00a0\u00ad\u1680\u2000-\u200f\u2010-\u2015\u202f\u205f\u2060\u3000\ufeff]{0,3}"
_WITHIN = re.compile(rf"(?<!\d)(?!\d{{4}}-\d\d-\d\d)(?:\d{_BETWEEN}){{9}}\d(?!\d)")
"""Ten digits within a text, grouped in any way; a date with an hour is none."""
_KEY_ID = re.compile(r"[a-z0-9]{1,16}")
MIN_KEY_BYTES = 32


class KeyProblem(UpstreamError, ValueError):
    """A key that cannot be used; the message says what to do and never holds the key."""


@dataclass(frozen=True)
class NhsKey:
    """The secret that turns NHS numbers into pseudonyms, and the id that each pseudonym names it by."""

    key_id: str
    secret: bytes = field(repr=False)
    known: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """The ids that people had before this key, by the digits that it makes of their numbers: they keep them."""

    def __post_init__(self) -> None:
        if not _KEY_ID.fullmatch(self.key_id):
            raise KeyProblem("a key id has 1 to 16 lower-case letters and digits")
        if len(self.secret) < MIN_KEY_BYTES:
            raise KeyProblem(
                f"a pseudonym key has at least {MIN_KEY_BYTES} bytes; make one with `openssl rand -hex 32`"
            )

    @classmethod
    def read(cls, path: Path) -> NhsKey:
        """From a file of one line, ``<key id>:<hex digits>``, which only the service may read, and the ids that people
        had before this key, where it replaced another (:mod:`features.records.reading.nhs_key_rotation`). Raises
        ``KeyProblem``."""
        try:
            open_to_all = stat.S_IMODE(path.stat().st_mode) & 0o007
            key_id, _, digits = path.read_text(encoding="ascii").strip().partition(":")
            secret = bytes.fromhex(digits)
        except (OSError, ValueError):
            raise KeyProblem("the NHS number key file cannot be read as one line <key id>:<hex digits>") from None
        if open_to_all:
            raise KeyProblem(
                "the NHS number key file can be read by every account of this machine: make a new key, since this one "
                "may be known, and run chmod 600 on its file"
            )
        return cls(key_id, secret, read_known(path, key_id))

    def pseudonym(self, number: str) -> str:
        """``<key id>.<64 hex digits>``: the same for the same number and key, nothing without the key. The id from
        before this key where there is one. Raises ``NotAnNhsNumber``."""
        digits = self.digits(number)
        return self.known.get(digits) or f"{self.key_id}.{digits}"

    def digits(self, number: str) -> str:
        """The keyed hash of a number, as 64 hex digits. Raises ``NotAnNhsNumber``."""
        return hmac.new(self.secret, checked(number).encode(), hashlib.sha256).hexdigest()


def known_file(key_file: Path) -> Path:
    """The file beside a key that holds the ids from before it."""
    return key_file.with_name(f"{key_file.name}.known")


def read_known(key_file: Path, key_id: str) -> dict[str, str]:
    """The ids from before a key, by the digits that it makes; none where it replaced no other. Raises
    ``KeyProblem``."""
    path = known_file(key_file)
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="ascii"))
        ids = {str(digits): str(one) for digits, one in found["ids"].items()}
        belongs = found["key_id"] == key_id
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise KeyProblem(
            f"{path.name}, the ids from before the NHS number key, cannot be read; restore it from the backup of the "
            f"keys: without it, everybody would become a new person"
        ) from None
    if not belongs:
        raise KeyProblem(f"{path.name} belongs to another NHS number key; put the key and its file back together")
    return ids


class NotAnNhsNumber(ValueError):
    """Not ten digits, or the last does not fit the first nine. The message never holds the number."""


def checked(number: str) -> str:
    """The ten digits of ``number``, however they are spaced, dashed or dotted, with or without ``NHS:`` before them.
    Raises ``NotAnNhsNumber``.

    The tenth digit is 11 minus the sum of the first nine times 10 down to 2, modulo 11; 11 stands for 0, and 10 is
    never issued (NHS Data Dictionary, NHS NUMBER).
    """
    digits = _digits_of(clean_id(number))
    if digits is None:
        raise NotAnNhsNumber("an NHS number has ten digits, as 3, 3 and 4 with or without spaces")
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    if check % 11 != int(digits[9]) or check == 10:
        raise NotAnNhsNumber("the last digit of the NHS number does not fit the others; look for a slip of the keys")
    return digits


def ten_digits(text: str) -> str | None:
    """The digits of what has the shape of an NHS number, right or wrong, with or without letters after it; None for
    anything else."""
    clean = clean_id(text)
    return _digits_of(clean) or _digits_of(_bare(clean))


def _digits_of(clean: str) -> str | None:
    found = _SHAPE.fullmatch(clean)
    return None if found is None else re.sub(r"\D", "", found[1])


def _bare(clean: str) -> str:
    """The text without signs around it and without one to three letters after its digits."""
    bare = clean.strip("".join(sign for sign in set(clean) if not sign.isalnum()))
    head = bare.rstrip(string.ascii_letters)
    return head if _LETTERS_AFTER.fullmatch(bare, len(head)) else bare


def without_numbers(text: str) -> str:
    """``text`` with every NHS number inside it blanked: what a quarantine file may hold."""
    return _WITHIN.sub(lambda found: BLANK if looks_like_one(found[0]) else found[0], text)


BLANK = "[NHS number]"


def text_without_numbers(text: pa.Array) -> tuple[pa.Array, int]:
    """The texts with every NHS number inside them blanked, and how many of them held one."""
    codes = text.dictionary_encode()
    words = codes.dictionary
    held = _with_ten_digits(words)
    if not held:
        return text, 0
    clean = pa.array([without_numbers(word) if word in held else word for word in words.to_pylist()], pa.string())
    new = clean.take(codes.indices)
    return new, int(pc.sum(pc.not_equal(new, text)).as_py() or 0)


def hold_no_number(texts: Any) -> bool:
    """True if it is certain that no text of a plain list holds an NHS number."""
    if isinstance(texts, (list, tuple)) and set(map(type, texts)) <= {str, NoneType}:
        # A letter between two texts: no number reaches from one into the next.
        return not _TEN_DIGITS.search("a".join([text for text in set(texts) if text]))
    return False


def looks_like_one(text: str) -> bool:
    """True for text that holds a valid NHS number, with or without letters after it: such a text must not be taken as
    a local pseudonym."""
    return is_one(text) or is_one(_bare(clean_id(text)))


def is_one(text: str) -> bool:
    """True for text that is a valid NHS number and nothing else: it may be turned into a pseudonym."""
    try:
        checked(text)
    except NotAnNhsNumber:
        return False
    return True


def among(ids: pa.Array | Sequence[str]) -> int:
    """How many of ``ids`` (cleaned; different ones, if a plain list) are NHS numbers."""
    return sum(looks_like_one(text) for text in _candidates(ids))


def pseudonymised(frames: Mapping[str, pd.DataFrame], key: NhsKey) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """The tables with every NHS number in ``patient_id`` turned into its pseudonym; and how many rows of each table
    held a wrong one.

    A number of ten digits that fails its check, or has letters after it, becomes no id at all: the loader sets its row
    aside, and the number goes no further. Other ids stay as they are.
    """
    out, wrong = dict(frames), {}
    for name, frame in frames.items():
        if "patient_id" not in frame:
            continue
        new = {text: key.pseudonym(text) if is_one(text) else None for text in _shaped(frame["patient_id"])}
        if new:
            ids = _as_text(frame["patient_id"])
            out[name] = frame.assign(patient_id=ids.map(lambda text, new=new: new.get(text, text)).astype("str"))
            slips = [text for text, pseudonym in new.items() if pseudonym is None]
            if slips:
                wrong[name] = int(ids.isin(slips).sum())
    return out, wrong


def _as_text(ids: pd.Series) -> pd.Series:
    """Ids as text: a whole number that a gap in its column turned into a float has no decimal point."""
    if pd.api.types.is_float_dtype(ids.dtype):
        whole = ids.notna() & (ids % 1 == 0)
        if whole.sum() == ids.notna().sum():
            return ids.astype("Int64").astype("string").astype("str")
    return ids.astype("str")


def _shaped(ids: pd.Series) -> list[str]:
    """The different ids that have the ten digits of an NHS number, valid or not."""
    return _candidates(pa.array(_as_text(ids.dropna()), pa.string()))


def _candidates(ids: pa.Array | pa.ChunkedArray | Sequence[str]) -> list[str]:
    if not isinstance(ids, (pa.Array, pa.ChunkedArray)):
        return [word for word in ids if _TEN_DIGITS.search(word) and ten_digits(word) is not None]
    return [word for word in _with_ten_digits(pc.unique(ids).drop_null()) if ten_digits(word) is not None]


def _with_ten_digits(words: pa.Array) -> dict[str, None]:
    """The words that hold ten digits without a letter between them, as every NHS number does and few other texts, in
    their order."""
    if len(words) <= FEW:
        return {word: None for word in words.to_pylist() if word is not None and _TEN_DIGITS.search(word)}
    return dict.fromkeys(words.filter(pc.match_substring_regex(words, _ARROW_TEN_DIGITS)).to_pylist())


FEW = 300
"""Up to so many words Python's pattern is faster: Arrow compiles its own anew at each call, which took half of the
time of reading one person."""
_TEN_DIGITS = re.compile(r"(?:\d[^\da-zA-Z]*){10}")
_ARROW_TEN_DIGITS = r"(?:\p{Nd}[^\p{Nd}a-zA-Z]*){10}"
