"""Mobile numbers: one way to write them, and the keyed hash by which a reply finds its person without the number."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from serving.identities.keys import IdentityKeys

NUMBERS_KEY = "numbers"
_BETWEEN = re.compile(r"[\s().-]+")
_MOBILE = re.compile(r"(?:\+44|0044|44|0)(7(?:[1-57-9]\d{8}|624\d{6}))")


def mobile(text: str) -> str | None:
    """A UK mobile number as ``+447...``; None for anything else. Numbers that begin with 070 and pagers are not
    mobile numbers.
    """
    found = _MOBILE.fullmatch(_BETWEEN.sub("", text))
    return f"+44{found[1]}" if found else None


def hash_of(number: str, keys: IdentityKeys) -> str:
    """The keyed hash of a number. Its key is the one named ``numbers`` in the key file, else the oldest: a new key on
    top changes no hash. If that key is removed, opt-outs are lost, so a trust must keep it."""
    oldest = keys.secrets.get(NUMBERS_KEY) or list(keys.secrets.values())[-1]
    plain = mobile(number) or _BETWEEN.sub("", number)
    return hmac.new(oldest, b"mobile:" + plain.encode(), hashlib.sha256).hexdigest()


def sealed_number(keys: IdentityKeys, patient_id: str, number: str) -> bytes:
    """A sealed number as stored: it can be opened for its own person only."""
    return keys.seal(json.dumps([number]).encode(), _about(patient_id))


def opened_number(keys: IdentityKeys, patient_id: str, sealed: bytes, key_id: str) -> str:
    """The number of a person. Raises ``NotOpened``."""
    return str(json.loads(keys.open(sealed, _about(patient_id), key_id))[0])


def _about(patient_id: str) -> str:
    return f"mobile:{patient_id}"
