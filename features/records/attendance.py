"""Which contacts the person attended or missed: one definition for features, gaps, labels and pages.

A contact is attended as the national access measure counts it (docs/clinical.md, section 2.1): the person, seen face to
face, by video or telephone, and not a carer in their place. A message cannot be missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from features.records.tables import TABLES

Bools = npt.NDArray[np.bool_]

DIRECT_MODES = ("face_to_face", "video", "telephone", "not_recorded")
"""Modes in which a contact is with the person."""
WRITTEN_MODES = ("text", "email")
REPLY_PREFIX = "upstream-text:"
"""Begins the id of every contact that is a reply to a text of Upstream's own, and of no other."""
CARER_KIND = "carer"
"""The kind of a contact with a carer alone."""


def attended(contacts: Mapping[str, Any]) -> Bools:
    """Mask of the contacts that the person attended, from the columns of ``contacts`` (codes). A caller with an
    ``as_of`` date also compares ``outcome_known_on``.
    """
    return _outcome(contacts, "attended") & _modes(DIRECT_MODES)[contacts["mode"]] & _with_person(contacts)


def missed(contacts: Mapping[str, Any]) -> Bools:
    """Mask of the contacts that the person missed without notice; see :func:`attended`."""
    return _outcome(contacts, "did_not_attend") & ~written(contacts) & _with_person(contacts)


def written(contacts: Mapping[str, Any]) -> Bools:
    """Mask of the contacts that are messages: a text or an email."""
    return np.asarray(_modes(WRITTEN_MODES)[contacts["mode"]])


def own_replies(contacts: Mapping[str, Any]) -> Bools:
    """Mask of the contacts that are replies to a text of Upstream's own. They do not come from a feed, so they do not
    show that a feed is up to date.
    """
    found = np.zeros(len(contacts["mode"]), bool)
    rows = np.flatnonzero(_modes(("text",))[contacts["mode"]])
    if len(rows):
        ids = contacts["contact_id"].take(rows)
        found[rows] = pc.starts_with(ids, REPLY_PREFIX).fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _outcome(contacts: Mapping[str, Any], word: str) -> Bools:
    return np.asarray(contacts["outcome"] == TABLES["contacts"].column("outcome").values.index(word))


def _with_person(contacts: Mapping[str, Any]) -> Bools:
    return np.asarray(contacts["kind"] != TABLES["contacts"].column("kind").values.index(CARER_KIND))


@cache
def _modes(some: tuple[str, ...]) -> Bools:
    """Mask of the contact modes in ``some``. The last element is for a missing mode and is False."""
    return np.array([mode in some for mode in (*TABLES["contacts"].column("mode").values, "")])
