"""Cleans ids to one spelling per person, even if a spreadsheet, a database or a browser changed them.

Everything that compares ids (uniqueness, the check for NHS numbers, the join of tables, shards, team membership) reads
the cleaned spelling, so that two spellings never become one person after the check has passed.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.jit import jit

_WHOLE_FLOAT = re.compile(r"(\d+)\.0+", re.ASCII)
_ROUNDED = re.compile(r"\d\.?\d*[eE]\+\d+|\d\.\d+[eE]\d+", re.ASCII)
_QUOTED = re.compile(r"""=?"(.*)"|'(.*?)'?""")
_SPACES = re.compile(r" {2,}")
_CLEAN = re.compile(r"[\w/:-]*", re.ASCII)
"""Letters, digits and signs that nothing below changes: neither a space nor a quote, and no point or plus sign, without
which no number is rounded. Most ids and dates are such."""


def clean_id(text: str) -> str:
    """The one spelling of an id: no outer or double space, plain digits and letters for full-width ones, nothing that
    cannot be seen, no ``.0`` after a whole number. Empty if nothing is left.

    Quotes that keep a spreadsheet from reading a number (``'123``, ``="123"``) are no part of it.
    An id that a spreadsheet rounded (``9.43E+09``) has lost its digits: it becomes empty, never a guess.
    """
    if _CLEAN.fullmatch(text):
        return text
    plain = "".join(_plain(sign) for sign in text)
    plain = _SPACES.sub(" ", plain).strip()
    while quoted := _QUOTED.fullmatch(plain):
        plain = (quoted[1] or quoted[2] or "").strip()
    whole = _WHOLE_FLOAT.fullmatch(plain)
    if whole:
        return whole[1]
    return "" if _ROUNDED.fullmatch(plain) else plain


def _plain(sign: str) -> str:
    if " " < sign < "\x7f":
        return sign
    category = unicodedata.category(sign)
    if category in ("Zs", "Zl", "Zp") or sign in "\t\r\n\v\f\x85":
        return " "
    if category in ("Cf", "Cc"):  # zero-width space, byte order mark, soft hyphen, NUL
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    if "\uff01" <= sign <= "\uff5e":  # full-width letters and signs
        return chr(ord(sign) - 0xFEE0)
    return sign


def clean_ids(ids: pa.Array) -> pa.Array:
    """``clean_id`` of every id, null if nothing is left. Ids that need no cleaning are skipped."""
    if _plain_throughout(ids):
        return ids
    encoded = ids.dictionary_encode()
    words = [clean_id(word) or None for word in encoded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(encoded.indices)


def _plain_throughout(ids: pa.Array) -> bool:
    """Whether no id can need cleaning: every byte is a visible ASCII sign, and no id ends in ``.0`` or is rounded."""
    size, (_, offsets, data) = len(ids), ids.buffers()
    if size == 0:
        return True
    if data is None:
        return ids.null_count == size
    ends = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + size + 1]
    signs = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    if not _visible(signs):
        return False
    if ids.null_count + int(pc.sum(pc.equal(pc.binary_length(ids), 0)).as_py() or 0) > ids.null_count:
        return False
    if _holds(signs, 0x22) or _holds(signs, 0x27):
        return False
    return not (
        (_holds(signs, 0x2E) or _holds(signs, 0x2B))
        and pc.any(pc.match_substring_regex(ids, r"\.0+$|[eE]\+|\.\d+[eE]\d")).as_py()
    )


@jit(_nrt=False)
def _visible(signs):  # type: ignore[no-untyped-def]
    """Whether every byte is a visible ASCII sign."""
    found = True
    for i in range(signs.shape[0]):
        found &= signs[i] > 0x20 and signs[i] < 0x7F
    return found


@jit(_nrt=False)
def _holds(signs, wanted):  # type: ignore[no-untyped-def]
    found = False
    for i in range(signs.shape[0]):
        found |= signs[i] == wanted
    return found
