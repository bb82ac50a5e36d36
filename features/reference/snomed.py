"""The check digit of a SNOMED CT identifier (Verhoeff's dihedral scheme)."""

from __future__ import annotations

_TIMES = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
"""Multiplication in the dihedral group of order ten."""
_TURNS = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
"""The permutation of a digit by its place from the right."""


def has_check_digit(code: str) -> bool:
    """True if ``code`` is 6 to 18 digits and its last digit confirms the others."""
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 18):
        return False
    found = 0
    for place, digit in enumerate(reversed(code)):
        found = int(_TIMES[found][int(_TURNS[place % 8][int(digit)])])
    return found == 0
