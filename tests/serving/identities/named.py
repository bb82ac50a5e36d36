"""The made-up trust with names: what the tests of identities share."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from serving.identities.keys import IdentityKeys, write_new_key
from serving.identities.loading import store_identities
from serving.identities.schemas import Identity
from serving.settings import IDENTITY_KEY

NAME, NUMBER = "Zephyrine Canaryton", "9990000018"
PEOPLE = {
    "N00": Identity(NAME, dt.date(1981, 3, 4), NUMBER),
    "N01": Identity("Anne-Marie O'Exampleby", dt.date(1970, 1, 2), "9990000026"),
    "N02": Identity("Zoë Inventedford"),
    "S02": Identity("Zephyr Southfield", dt.date(1990, 5, 6), "9990000034"),
}


def give_names(home: Path) -> IdentityKeys:
    """Names for some of the made-up trust, with the key of the home."""
    write_new_key(home / IDENTITY_KEY)
    keys = IdentityKeys.read(home / IDENTITY_KEY)
    store_identities(home, PEOPLE, keys)
    return keys
