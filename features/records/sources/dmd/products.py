"""``Products``: maps a dm+d code to our medicine, route and strength."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from features.records.problems import RecordsError, RecordsProblem
from features.records.sources.dmd.release import Release, read_release
from features.reference import MEDICINES
from features.reference.medicines.long_acting import by_strength

OWN = Path(__file__).parent / "mappings"
TEXT_ONLY = "196421000000109"
"""Transfer-degraded medication entry: a name without a code."""


@dataclass(frozen=True)
class Product:
    """A medicine in a product. ``strength_mg`` is in one tablet, capsule, ampoule or vial; NaN where it is not known
    (liquids). ``route`` is empty where the product does not give one.
    """

    medicine: str
    route: str = ""
    strength_mg: float = math.nan


@dataclass(frozen=True)
class Route:
    route: str
    intramuscular: bool
    systemic: bool


@dataclass(frozen=True)
class Products:
    """Every dm+d code that is known. ``known_by`` counts how many codes each route brought."""

    vtms: Mapping[str, tuple[str, str]]
    listed: Mapping[str, Product]
    routes: Mapping[str, Route]
    release: Release | None = None
    known_by: Mapping[str, int] = field(default_factory=dict)

    def find(self, code: str, route_code: str | None = None, dose_mg: float | None = None) -> Product | None:
        """The product of ``code`` (a VTM, VMP, AMP or pack, or an id that one of them had before).

        ``route_code`` and ``dose_mg`` are those of the prescription: they tell a depot from the tablets where the
        product itself does not.
        """
        found = self._from_release(code) or self.listed.get(code) or self._from_vtm(code)
        if found is None:
            return None
        given = self.routes.get(route_code) if route_code else None
        injected = given is not None and given.intramuscular
        mg = found.strength_mg if not math.isnan(found.strength_mg) else dose_mg
        if (injected or found.route == "injection") and mg is not None:
            depot = by_strength(found.medicine, mg)
            if depot:
                return Product(depot, "long_acting_injection", found.strength_mg)
        if given is not None and (not found.route or (found.route == "oral" and math.isnan(found.strength_mg))):
            return replace(found, route=given.route)
        return found

    def _from_vtm(self, code: str) -> Product | None:
        if code not in self.vtms:
            return None
        medicine, form = self.vtms[code]
        route = {"depot": "long_acting_injection", "acute": "injection"}.get(form, "")
        return Product(medicine, route)

    def _from_release(self, code: str) -> Product | None:
        if self.release is None:
            return None
        vmp = self.release.vmps.get(self.release.product_of(code))
        moiety = self._from_vtm(self.release.vtm_of(vmp.vtm)) if vmp and vmp.vtm else None
        if vmp is None or moiety is None:
            return self._from_vtm(self.release.vtm_of(code))
        routes = [self.routes[r] for r in vmp.routes if r in self.routes]
        route = moiety.route or (routes[0].route if routes else "")
        if any(r.intramuscular for r in routes):
            depot = by_strength(moiety.medicine, vmp.strength_mg)
            if depot:
                return Product(depot, "long_acting_injection", vmp.strength_mg)
        return Product(moiety.medicine, route, vmp.strength_mg)


def load_products(folder: str | Path | None = None) -> Products:
    """Reads our tables and the files in ``folder``: a dm+d release (``f_vmp2*.xml`` ...), and code lists as CSV with
    a BNF code and a dm+d id in each row. Raises RecordsError.
    """
    vtms = {row["vtm_id"]: (row["medicine"], row["form"]) for row in _rows("vtm")}
    listed = {
        row["dmd_id"]: Product(row["medicine"], row["route"], float(row["strength_mg"] or "nan"))
        for row in _rows("products")
    }
    known = {"own products": len(listed), "own VTMs": len(vtms)}
    release = None
    if folder is not None:
        path = Path(folder)
        if not path.is_dir():
            raise RecordsError(
                [RecordsProblem("dm+d", f"{path} is not a folder", "a dm+d release or code lists", "check the path")]
            )
        release = read_release(
            path, {row["uom_code"]: (row["meaning"], float(row["factor"])) for row in _rows("units")}
        )
        by_bnf = dict(_code_lists(path))
        listed = {**by_bnf, **listed}
        known |= {"code lists with BNF codes": len(by_bnf), "release": len(release.vmps) if release else 0}
        if release is None and not by_bnf:
            raise RecordsError(
                [
                    RecordsProblem(
                        "dm+d",
                        f"{path} holds neither a release nor a code list",
                        "f_vtm2*.xml, f_vmp2*.xml and f_amp2*.xml, or CSVs with the columns dmd_id and bnf_code",
                        "point at the folder that the release was unpacked into",
                    )
                ]
            )
    wrong = sorted({p.medicine for p in listed.values() if p.medicine not in MEDICINES})
    if wrong:
        raise RecordsError(
            [RecordsProblem("dm+d", f"unknown medicines {', '.join(wrong)}", "medicines.csv", "correct the table")]
        )
    routes = {
        row["route_code"]: Route(row["route"], row["intramuscular"] == "yes", row["systemic"] == "yes")
        for row in _rows("routes")
    }
    return Products(vtms, listed, routes, release, known)


def of_bnf_code(code: str) -> Product | None:
    """The product of a BNF code, by its longest prefix in ``bnf.csv``."""
    for row in sorted(_rows("bnf"), key=lambda row: -len(row["prefix"])):
        if code.startswith(row["prefix"]):
            return Product(row["medicine"], row["route"])
    return None


def _code_lists(folder: Path) -> Iterator[tuple[str, Product]]:
    """dm+d id and product of every CSV in ``folder`` that gives a BNF code."""
    prefixes = sorted(_rows("bnf"), key=lambda row: -len(row["prefix"]))
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not reader.fieldnames or not {"dmd_id", "bnf_code"} <= set(reader.fieldnames):
                continue
            for row in reader:
                hit = next((p for p in prefixes if (row["bnf_code"] or "").startswith(p["prefix"])), None)
                if hit and row["dmd_id"]:
                    yield row["dmd_id"].strip(), Product(hit["medicine"], hit["route"])


def _rows(name: str) -> list[dict[str, str]]:
    with (OWN / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        lines = file.readlines()
    start = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return [{key: (value or "").strip() for key, value in row.items()} for row in csv.DictReader(lines[start:])]
