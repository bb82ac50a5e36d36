"""Looks codes up in the mapping tables. One rule decides a concept that has several codings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from features.records.problems import RecordsError, RecordsProblem
from features.records.reading.nhs_numbers import without_numbers
from features.records.reading.parsing import codes_of
from features.records.sources.dmd import Product, Products, load_products
from features.records.sources.dmd.products import TEXT_ONLY
from features.records.sources.fhir.resources import CodeableConcept, Coding
from features.records.sources.omop.mappings import load_mappings
from features.records.tables import TABLES
from features.reference import MEDICINES, TESTS
from features.reference.medicines.medicine_names import medicine_named

RESULTS = TABLES["results"]
OWN = Path(__file__).parent / "mappings"
OWN_SYSTEM = "urn:upstream:code"
CONFLICT = "conflicting codings"
BY_NAME = " - a name without a code"
"""Marks the name of a medicine that came without a code of ours. A name alone never becomes a supply."""
NAMES = ("systems", "codes", "tests")


@dataclass(frozen=True)
class Diagnosis:
    """A coded diagnosis: system and code as recorded, its diagnosis group, and the column of patients that it
    confirms.
    """

    system: str | None
    code: str | None
    group: str
    column: str


@dataclass(frozen=True)
class CodeBook:
    """Every mapping that the FHIR reader uses. ``None``: no table holds the code. ``CONFLICT``: the codings differ."""

    systems: dict[str, tuple[str, int]]
    lists: dict[str, dict[tuple[str, str], str]]
    tests: dict[tuple[str, str], tuple[str, ...]]
    products: Products
    rxnorm: dict[str, Product]
    diagnoses: dict[tuple[str, str], tuple[str, str]]
    units: dict[str, str]

    def ordered(self, concept: CodeableConcept | None) -> list[tuple[str, str]]:
        """(system, code) of a concept, in the fixed order of systems.csv; a system that is not listed comes last."""
        if concept is None or not concept.coding:
            return []
        if len(concept.coding) == 1:
            one = concept.coding[0]
            return [(self.systems.get(one.system or "", ("", 10))[0], one.code)] if one.code else []
        known = [(*self.systems.get(one.system or "", ("", 10)), one.code) for one in concept.coding if one.code]
        return [(name, code) for name, _, code in sorted(known, key=lambda k: k[1])]

    def word(self, name: str, concept: CodeableConcept | Coding | None) -> str | None:
        """Meaning of a concept in one list, None where no coding is in it, CONFLICT where two mean different things."""
        if concept is None:
            return None
        if isinstance(concept, Coding):
            concept = CodeableConcept(coding=[concept])
        table = self.lists.get(name, {})
        meanings = {
            meaning
            for system, code in self.ordered(concept)
            if (meaning := _own(name, code) if system == "own" else table.get((system, code)) or table.get(("", code)))
        }
        return None if not meanings else meanings.pop() if len(meanings) == 1 else CONFLICT

    def code(self, name: str, code: str | None) -> str | None:
        """Meaning of a bare code in one list."""
        return self.lists.get(name, {}).get(("", code)) if code else None

    def tests_of(self, concept: CodeableConcept | None) -> tuple[str, ...] | str:
        """Tests of an Observation's code: several for a panel, empty for none, CONFLICT where two codings differ."""
        chosen: tuple[str, ...] = ()
        for system, code in self.ordered(concept):
            own = _own("test", code) if system == "own" else None
            tests = (own,) if own in TESTS and own else self.tests.get((system, code), ())
            if tests and chosen and tests != chosen:
                return CONFLICT
            chosen = chosen or tests
        return chosen

    def product_of(
        self, concept: CodeableConcept | None, route: str | None, dose_mg: float | None
    ) -> Product | str | None:
        """The product of a medicine's code; CONFLICT where two codings name different medicines."""
        chosen: Product | None = None
        for system, code in self.ordered(concept):
            found = self._product(system, code, route, dose_mg)
            if found is None:
                continue
            if chosen is not None and found.medicine != chosen.medicine:
                return CONFLICT
            chosen = chosen or found
        return chosen

    def in_words(self, concept: CodeableConcept | None) -> str | None:
        """The name of a medicine whose code no table holds, marked so that no reader takes it for a medicine: the
        person's records keep it as not understood.

        A concept without a code keeps any name, one with a code only a name that our tables know: most codes that no
        table holds are of medicines that no rule asks about.
        """
        named = [one.display for one in concept.coding] + [concept.text] if concept else []
        names = [name.strip() for name in named if name and name.strip()]
        if not names:
            return None
        bare = all(code == TEXT_ONLY for _, code in self.ordered(concept))
        ours = next((name for name in names if medicine_named(name)), names[-1] if bare else None)
        return f"{without_numbers(ours)[:80]}{BY_NAME}" if ours else None

    def test_in_words(self, concept: CodeableConcept | None) -> str | None:
        """The test that the name of an Observation means, where no table holds its code. The name alone never becomes
        a result: the person's records keep it as not understood."""
        named = [one.display for one in concept.coding] + [concept.text] if concept else []
        codes = codes_of(RESULTS.column("test"))
        places = [codes[name] for name in named if name and name.strip()]
        return next((RESULTS.column("test").values[place] for place in places if place >= 0), None)

    def _product(self, system: str, code: str, route: str | None, dose_mg: float | None) -> Product | None:
        if system == "own":
            name = _own("medicine", code)
            return Product(name, MEDICINES[name].route) if name in MEDICINES and name else None
        if system == "snomed":
            return None if code == TEXT_ONLY else self.products.find(code, route, dose_mg)
        return self.rxnorm.get(code) if system == "rxnorm" else None

    def diagnosis(self, concept: CodeableConcept | None) -> Diagnosis | str | None:
        """The diagnosis of a Condition's code: ICD codes through their parents, SNOMED CT codes as written."""
        chosen: Diagnosis | None = None
        for system, code in self.ordered(concept):
            parent = code
            while parent:
                hit = self.diagnoses.get((system, parent))
                if hit is not None:
                    if chosen is not None and chosen.group != hit[0]:
                        return CONFLICT
                    chosen = chosen or Diagnosis(_SYSTEMS_OUT.get(system, system), code, *hit)
                    break
                parent = parent[:-1].rstrip(".") if system.startswith("icd") and len(parent) > 3 else ""
        return chosen

    def unit(self, test: str, code: str | None, unit: str | None) -> str | None:
        """The unit in the spelling of the test's table, or the unit as written where the table does not have it."""
        for given in (code, unit):
            if given is None:
                continue
            for spelling in (given, self.units.get(given, given)):
                if TESTS[test].conversion(spelling) is not None:
                    return spelling
        return unit or code


def _own(name: str, code: str) -> str | None:
    """The value of a code in our own code system: ``contact_kind/crisis`` gives "crisis" from the list of contact
    kinds.
    """
    kind, _, word = code.partition("/")
    return word or None if kind == name else None


_SYSTEMS_OUT = {"snomed": "snomed_ct", "icd10": "icd10", "icd10cm": "icd10", "icd9cm": "icd9"}
_DIAGNOSIS_SYSTEMS = {"SNOMED": "snomed", "ICD10": "icd10", "ICD10CM": "icd10cm", "ICD9CM": "icd9cm"}


def load_codebook(mappings: str | Path | None = None, dmd: str | Path | None = None) -> CodeBook:
    """Reads our tables and the ``dmd`` folder. A file ``mappings/<name>.csv`` replaces our table of that name. Our
    tables alone are read once in a process. Raises RecordsError.
    """
    return _own_codebook() if mappings is None and dmd is None else _read(mappings, dmd)


@cache
def _own_codebook() -> CodeBook:
    return _read(None, None)


def _read(mappings: str | Path | None, dmd: str | Path | None) -> CodeBook:
    theirs = Path(mappings) if mappings is not None else None
    if theirs is not None and not theirs.is_dir():
        raise RecordsError(
            [RecordsProblem("FHIR mappings", f"{theirs} is not a folder", "a folder of mapping CSVs", "check the path")]
        )
    rows = {name: list(_rows(name, theirs)) for name in NAMES}
    lists: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows["codes"]:
        lists.setdefault(row["list"], {})[row["system"], row["code"]] = row["meaning"]
    tests: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in rows["tests"]:
        if row["test"] not in TESTS:
            raise RecordsError(
                [
                    RecordsProblem(
                        "FHIR mapping tests.csv", f"unknown test {row['test']}", "tests.csv", "correct the row"
                    )
                ]
            )
        key = row["system"], row["code"]
        tests[key] = tuple(dict.fromkeys((*tests.get(key, ()), row["test"])))
    omop = load_mappings()
    rxnorm = {
        row["concept_code"]: Product(row["medicine"], row["route"], float(row["strength_mg"] or "nan"))
        for row in _single(omop["products"])
    }
    rxnorm |= {
        row["concept_code"]: Product(row["medicine"]) for row in omop["ingredients"] if row["vocabulary_id"] == "RxNorm"
    }
    return CodeBook(
        systems={row["url"]: (row["name"], int(row["order"])) for row in rows["systems"]},
        lists=lists,
        tests=tests,
        products=load_products(dmd),
        rxnorm={code: p for code, p in rxnorm.items() if p.medicine in MEDICINES},
        diagnoses={
            (_DIAGNOSIS_SYSTEMS[row["vocabulary_id"]], row["concept_code"]): (row["group"], row["patient_column"])
            for row in omop["conditions"]
            if row["vocabulary_id"] in _DIAGNOSIS_SYSTEMS
        },
        units={row["concept_code"]: row["unit"] for row in omop["units"]},
    )


def _single(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """RxNorm products that hold one medicine. A compound product is left out: it is not a supply of one medicine."""
    kept = [row for row in rows if row["vocabulary_id"].startswith("RxNorm") and row["dose_basis"] != "injection_unit"]
    counts: dict[str, int] = {}
    for row in kept:
        counts[row["concept_code"]] = counts.get(row["concept_code"], 0) + 1
    return [row for row in kept if counts[row["concept_code"]] == 1]


def _rows(name: str, theirs: Path | None) -> Iterator[dict[str, str]]:
    path = OWN / f"{name}.csv"
    if theirs is not None and (theirs / path.name).is_file():
        path = theirs / path.name
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = file.readlines()
    start = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for row in csv.DictReader(lines[start:]):
        yield {str(key): (value or "").strip() for key, value in row.items()}
