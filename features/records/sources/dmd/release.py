"""Reads a dm+d release as NHSBSA publishes it: VTMs, virtual and actual products, packs, strengths and previous ids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from features.records.problems import RecordsError, RecordsProblem


@dataclass(frozen=True)
class Vmp:
    """A virtual medicinal product. ``strength_mg`` is in one unit dose (a tablet; 2 ml of 25 mg/ml are 50 mg)."""

    vtm: str
    routes: tuple[str, ...]
    strength_mg: float


@dataclass(frozen=True)
class Release:
    """``products`` maps an actual product or a pack to its VMP. ``previous`` maps a previous id to the current id."""

    vmps: Mapping[str, Vmp]
    products: Mapping[str, str]
    previous: Mapping[str, str]

    def product_of(self, code: str) -> str:
        """The VMP of a product, pack or VMP. Previous ids are followed to the current id."""
        for _ in range(4):
            if code in self.vmps:
                return code
            step = self.products.get(code) or self.previous.get(code)
            if step is None:
                return code
            code = step
        return code

    def vtm_of(self, code: str) -> str:
        """The current id of a VTM."""
        return self.previous.get(code, code)


def read_release(folder: Path, units: Mapping[str, tuple[str, float]]) -> Release | None:
    """The release in ``folder``, None where there is no VMP file. Raises RecordsError for XML that cannot be read."""
    files = {name: next(iter(sorted(folder.glob(f"f_{name}2*.xml"))), None) for name in _PARTS}
    if files["vmp"] is None:
        return None
    previous = {row["VTMIDPREV"]: row["VTMID"] for row in _rows(files["vtm"], "VTM") if "VTMIDPREV" in row}
    doses: dict[str, tuple[float, str]] = {}
    vtms: dict[str, str] = {}
    strengths: dict[str, list[float]] = {}
    routes: dict[str, list[str]] = {}
    for row in _rows(files["vmp"], "VMP", "VPI", "DROUTE", "ROUTE"):
        code = row.get("VPID", "")
        if "NM" in row:
            vtms[code] = row.get("VTMID", "")
            if "UDFS" in row:
                doses[code] = float(row["UDFS"]), row.get("UDFS_UOMCD", "")
            if "VPIDPREV" in row:
                previous[row["VPIDPREV"]] = code
        elif "ISID" in row:
            strengths.setdefault(code, []).append(_strength(row, doses.get(code), units))
        elif "ROUTECD" in row:
            routes.setdefault(code, []).append(row["ROUTECD"])
    products = {row["APID"]: row["VPID"] for row in _rows(files["amp"], "AMP") if "APID" in row}
    products |= {row["VPPID"]: row["VPID"] for row in _rows(files["vmpp"], "VMPP") if "VPID" in row}
    products |= {row["APPID"]: row["VPPID"] for row in _rows(files["ampp"], "AMPP") if "VPPID" in row}
    vmps = {code: Vmp(vtm, tuple(routes.get(code, ())), _only(strengths.get(code, []))) for code, vtm in vtms.items()}
    return Release(vmps, products, previous)


_PARTS = ("vtm", "vmp", "amp", "vmpp", "ampp")


def _only(found: list[float]) -> float:
    """The strength of a product with one ingredient. A compound product has no single strength."""
    return found[0] if len(found) == 1 else math.nan


def _strength(row: Mapping[str, str], dose: tuple[float, str] | None, units: Mapping[str, tuple[str, float]]) -> float:
    """mg in one unit dose. A strength in mg per ml is multiplied by the millilitres in one unit."""
    kind, factor = units.get(row.get("STRNT_NMRTR_UOMCD", ""), ("", 0.0))
    if kind != "mg" or "STRNT_NMRTR_VAL" not in row:
        return math.nan
    mg = float(row["STRNT_NMRTR_VAL"]) * factor
    if "STRNT_DNMTR_VAL" not in row:
        return mg
    below, size = units.get(row.get("STRNT_DNMTR_UOMCD", ""), ("", 0.0))
    held, held_size = units.get(dose[1], ("", 0.0)) if dose else ("", 0.0)
    if dose is None or not below or below != held:
        return math.nan
    return mg / (float(row["STRNT_DNMTR_VAL"]) * size) * dose[0] * held_size


def _rows(path: Path | None, *tags: str) -> Iterator[dict[str, str]]:
    """The children of every element named in ``tags``, as text."""
    if path is None:
        return
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag in tags and len(element):
                yield {child.tag: (child.text or "").strip() for child in element if not len(child)}
                element.clear()
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise RecordsError(
            [RecordsProblem("dm+d", f"{path.name}, line {line}, is not XML", "a dm+d release", "unpack it again")]
        ) from None
