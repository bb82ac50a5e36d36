"""NHS numbers: checked, then turned at once into a keyed pseudonym. No number is ever stored, logged or repeated.

A plain hash of ten digits is undone in minutes by trying them all; a keyed one (HMAC-SHA-256) is not, while the key is kept apart. The
pseudonym starts with the id of its key, so that keys can be changed: old pseudonyms stay readable as what they are.
"""

from __future__ import annotations

import hashlib
import hmac
import re

_DIGITS = re.compile(r"(\d{3})[ -]?(\d{3})[ -]?(\d{4})", re.ASCII)
_KEY_ID = re.compile(r"[a-z0-9]{1,16}")
MIN_KEY_BYTES = 32


class NotAnNhsNumber(ValueError):
    """Not ten digits, or the last does not fit the first nine. The message never holds the number."""


def checked(number: str) -> str:
    """The ten digits of ``number`` (spaced as 3-3-4 or not). Raises ``NotAnNhsNumber``.

    The tenth digit is 11 minus the sum of the first nine times 10 down to 2, modulo 11; 11 stands for 0, and 10 is never issued
    (NHS Data Dictionary, NHS NUMBER).
    """
    found = _DIGITS.fullmatch(number.strip())
    if found is None:
        raise NotAnNhsNumber("an NHS number has ten digits, as 3, 3 and 4 with or without spaces")
    digits = "".join(found.groups())
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    if check % 11 != int(digits[9]) or check == 10:
        raise NotAnNhsNumber("the last digit of the NHS number does not fit the others; look for a slip of the keys")
    return digits


def looks_like_one(text: str) -> bool:
    """True for text that is a valid NHS number: such a text must not be taken as a local pseudonym."""
    try:
        checked(text)
    except NotAnNhsNumber:
        return False
    return True


def pseudonym(number: str, key: bytes, key_id: str) -> str:
    """``<key id>.<64 hex digits>``: the same for the same number and key, nothing without the key. Raises ``NotAnNhsNumber``, ``ValueError``."""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"a pseudonym key has at least {MIN_KEY_BYTES} bytes, got {len(key)}; make one with `openssl rand -hex 32`"
        )
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError("a key id has 1 to 16 lower-case letters and digits")
    return f"{key_id}.{hmac.new(key, checked(number).encode(), hashlib.sha256).hexdigest()}"
