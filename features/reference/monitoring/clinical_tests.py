"""Tests and checks a person can have: canonical unit, plausible range, unit conversions, and which test satisfies
which."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from features.reference.files import ReferenceTableError, number, read_rows


@dataclass(frozen=True)
class Conversion:
    """``canonical = value * factor + offset``."""

    factor: float
    offset: float = 0.0


@dataclass(frozen=True)
class ClinicalTest:
    """One test. ``unit`` is empty for a check that has no number. ``satisfies`` names the test whose schedule a result
    also meets."""

    name: str
    label: str
    unit: str
    low: float | None
    high: float | None
    satisfies: str
    conversions: dict[str, Conversion]

    def conversion(self, unit: str) -> Conversion | None:
        """How to turn ``unit`` into the canonical unit, or None for a unit that is not known for this test."""
        return self.conversions.get(unit_key(unit))


_POWER = re.compile(r"(?<![\d.])[x*]?10(?:\*\*|[*^e]|(?=[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]))")


_PER = re.compile(r"(?<=\S)\s+per\s+(?=\S)")
_REMARK = re.compile(r"\s*\([a-z ]+\)$")
"""A remark after a unit: ``ms (Bazett)``, ``% (NGSP)``."""


def unit_key(unit: str) -> str:
    """A unit as it is compared: ``x10*9/L``, ``10^9 / l``, ``10^9 per litre`` and ``10\u2079/L`` are one, and so are
    the two letters mu, ``mcg``, ``microg`` and ``ug``, one and many ``mmols``, and any case."""
    raised = _PER.sub("/", _REMARK.sub("", unit.strip().casefold()))
    raised = _POWER.sub("10^", raised.replace("\u00d7", "x").replace(" ", ""))
    plain = unicodedata.normalize("NFKC", raised).casefold()
    plain = "".join(plain.split()).replace("\u03bc", "u").replace("\u2044", "/")
    plain = (
        plain.replace("mcg", "ug")
        .replace("microg/", "ug/")
        .replace("mols/", "mol/")
        .replace("mm^3", "mm3")
        .replace("mcl", "ul")
        .replace("litre", "l")
        .replace("liter", "l")
        .removeprefix("[")
        .removesuffix("]")
    )
    return _POWER.sub("10^", plain)


def _conversions(row: dict[str, str]) -> dict[str, Conversion]:
    known = {unit_key(row["unit"]): Conversion(1.0)} if row["unit"] else {}
    for entry in filter(None, row["other_units"].split(";")):
        unit, _, rule = entry.rpartition("=")
        factor, _, offset = rule.partition(":")
        try:
            known[unit_key(unit)] = Conversion(float(factor), float(offset or 0))
        except ValueError:
            raise ReferenceTableError(
                f"tests.csv: row {row['test']}: unit {unit} needs a factor, or factor:offset"
            ) from None
    return known


@cache
def _load() -> dict[str, ClinicalTest]:
    loaded = {
        row["test"]: ClinicalTest(
            name=row["test"],
            label=row["label"],
            unit=row["unit"],
            low=number(row, "low", "tests"),
            high=number(row, "high", "tests"),
            satisfies=row["satisfies"],
            conversions=_conversions(row),
        )
        for row in read_rows("tests")
    }
    for test in loaded.values():
        if test.satisfies and test.satisfies not in loaded:
            raise ReferenceTableError(f"tests.csv: row {test.name}: satisfies {test.satisfies}, which is not a test")
    return loaded


TESTS: dict[str, ClinicalTest] = _load()
