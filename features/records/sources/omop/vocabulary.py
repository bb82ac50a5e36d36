"""The extract's own vocabulary tables, and which concept ids a mapping row means in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from features.records.sources.omop.folder import OmopFolder
from features.records.sources.omop.mappings import Row

VOCABULARY_TABLES = (
    "concept",
    "concept_ancestor",
    "concept_class",
    "concept_relationship",
    "concept_synonym",
    "domain",
    "drug_strength",
    "relationship",
    "source_to_concept_map",
    "vocabulary",
)
MILLIGRAM = "8576"


@dataclass(frozen=True)
class OmopConcept:
    """One row of the extract's concept table."""

    vocabulary_id: str
    code: str
    name: str
    domain: str


@dataclass(frozen=True)
class Vocabulary:
    """``concepts`` by id, ``ids`` by (vocabulary, code), ``ancestors`` of the concepts in use nearest first,
    ``strengths`` of products in mg."""

    concepts: dict[str, OmopConcept]
    ids: dict[tuple[str, str], tuple[str, ...]]
    ancestors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strengths: dict[str, dict[str, float | None]] = field(default_factory=dict)

    def resolve(self, rows: Iterable[Row]) -> tuple[dict[str, list[Row]], list[Row]]:
        """Mapping rows by their concept id in this extract, and the rows rejected because the extract contradicts them.

        If the extract has the code, the code decides. Otherwise the row's own concept id is used, unless the extract
        gives that id another code. The id of an unverified row is used only if the extract confirms its code or name.
        """
        meant: dict[str, list[Row]] = defaultdict(list)
        rejected: list[Row] = []
        for row in rows:
            trusted = row.get("verified", "yes") == "yes"
            by_code = self.ids.get((row["vocabulary_id"], row["concept_code"]), ()) if row["concept_code"] else ()
            for concept_id in by_code:
                if trusted or self._same_name(row, concept_id):
                    meant[concept_id].append(row)
                else:
                    rejected.append(row)
            if by_code or not row["concept_id"]:
                continue
            concept = self.concepts.get(row["concept_id"])
            if concept is None and trusted:
                meant[row["concept_id"]].append(row)
            elif concept is not None:
                same_code = not row["concept_code"] or concept.code == row["concept_code"]
                if same_code and self._same_name(row, row["concept_id"]):
                    meant[row["concept_id"]].append(row)
                else:
                    rejected.append(row)
        return dict(meant), rejected

    def _same_name(self, row: Row, concept_id: str) -> bool:
        """True if the extract gives the concept the name that the row expects, or if the row expects no name."""
        expected = row.get("concept_name", "")
        return not expected or self.concepts[concept_id].name.casefold() == expected.casefold()

    def name(self, concept_id: str) -> tuple[str, str]:
        """Name and domain of a concept; code where it has no name (CPT4 descriptors are not distributed); blanks where
        it is unknown."""
        concept = self.concepts.get(concept_id)
        if concept is None:
            return "", ""
        return concept.name or f"{concept.vocabulary_id} {concept.code}", concept.domain


def load_vocabulary(folder: OmopFolder, used: set[str]) -> Vocabulary:
    """Concepts, ancestors of the ``used`` concept ids, and drug strengths, each as far as the extract has the table."""
    frame = folder.table(
        "concept", ("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_code"), ("concept_id",)
    )
    frame = frame.dropna(subset=["concept_id"]).fillna("")
    concepts: dict[str, OmopConcept] = {}
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for concept_id, name, domain, vocabulary, code in frame.itertuples(index=False, name=None):
        if concept_id in concepts:
            continue
        concepts[concept_id] = OmopConcept(vocabulary, code, name, domain)
        if code:
            ids[(vocabulary, code)].append(concept_id)
    return Vocabulary(
        concepts, {key: tuple(found) for key, found in ids.items()}, _ancestors(folder, used), _strengths(folder, used)
    )


def _ancestors(folder: OmopFolder, used: set[str]) -> dict[str, tuple[str, ...]]:
    columns = ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation")
    frame = folder.table("concept_ancestor", columns, columns[:2])
    frame = frame[frame["descendant_concept_id"].isin(used)]
    levels = pd.to_numeric(frame["min_levels_of_separation"], errors="coerce").fillna(99)
    frame = frame.assign(levels=levels).sort_values(["descendant_concept_id", "levels", "ancestor_concept_id"])
    return {str(key): tuple(group) for key, group in frame.groupby("descendant_concept_id")["ancestor_concept_id"]}


def _strengths(folder: OmopFolder, used: set[str]) -> dict[str, dict[str, float | None]]:
    """Ingredients of a product, with the mg in one solid unit where drug_strength gives an amount in mg."""
    columns = ("drug_concept_id", "ingredient_concept_id", "amount_value", "amount_unit_concept_id")
    frame = folder.table("drug_strength", columns, columns[:2])
    frame = frame[frame["drug_concept_id"].isin(used)]
    out: dict[str, dict[str, float | None]] = defaultdict(dict)
    amounts = pd.to_numeric(frame["amount_value"], errors="coerce")
    in_mg = (frame["amount_unit_concept_id"] == MILLIGRAM) & (amounts > 0)
    for drug, ingredient, amount, usable in zip(frame[columns[0]], frame[columns[1]], amounts, in_mg, strict=True):
        out[str(drug)][str(ingredient)] = float(amount) if usable else None
    return dict(out)
