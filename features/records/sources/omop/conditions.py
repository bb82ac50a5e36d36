"""condition_occurrence -> conditions: psychiatric diagnoses, and diagnoses that medicines reviews use, by code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from features.records.sources.omop.columns import CONCEPT_COLUMNS, day_text, has_concept
from features.records.sources.omop.ledger import ASIDE, MAPPED, NO_CONCEPT, NOT_IN_MAPPING, RowFates, repeated
from features.records.sources.omop.mappings import Mappings, Row
from features.records.sources.omop.vocabulary import OmopConcept, Vocabulary

_HIERARCHICAL = ("ICD9CM", "ICD10", "ICD10CM")
"""Classifications in which the start of a code is its parent: F20.01 is in F20.0, which is in F20."""


def conditions(
    events: pd.DataFrame, maps: Mappings, vocabulary: Vocabulary, ledger: RowFates
) -> tuple[pd.DataFrame, dict[str, set[str]]]:
    """The conditions, and for each column of patients the people for whom a diagnosis confirms it ({column: person
    ids}).
    """
    rules = {(row["vocabulary_id"], row["concept_code"]): row for row in maps["conditions"]}
    standard, source = CONCEPT_COLUMNS["condition_occurrence"]
    ids = pd.concat([events[standard], events[source]]).dropna().unique()
    held = {str(concept_id): _find(str(concept_id), rules, vocabulary) for concept_id in ids}
    chosen = [held.get(a) or held.get(b) for a, b in zip(events[source], events[standard], strict=True)]
    mapped = np.array([found is not None for found in chosen], dtype=bool)
    fates = np.where(has_concept(events[standard]), NOT_IN_MAPPING, NO_CONCEPT).astype(object)
    fates[mapped] = f"{MAPPED}conditions"
    ledger.not_mapped("condition_occurrence", events.loc[~mapped, standard])
    fates[repeated(events["condition_occurrence_id"])] = f"{ASIDE}condition_occurrence_id given twice"
    ledger.fates["condition_occurrence"] = fates
    used = fates == f"{MAPPED}conditions"
    lines = events[used].reset_index(drop=True)
    found = [pair for pair, keep in zip(chosen, used, strict=True) if keep and pair is not None]
    ledger.came_from("conditions", "condition_occurrence", np.flatnonzero(used))
    frame = pd.DataFrame(
        {
            "patient_id": lines["person_id"],
            "category": pd.Series([rule["category"] for rule, _ in found], dtype="str"),
            "system": pd.Series([concept.vocabulary_id for _, concept in found], dtype="str"),
            "code": pd.Series([concept.code for _, concept in found], dtype="str"),
            "label": pd.Series([rule["group"] for rule, _ in found], dtype="str"),
            "recorded_on": day_text(lines, "condition_start"),
        }
    )
    confirmed: dict[str, set[str]] = {}
    for person, (rule, _) in zip(lines["person_id"], found, strict=True):
        if rule["patient_column"]:
            confirmed.setdefault(rule["patient_column"], set()).add(person)
    return frame, confirmed


def _find(concept_id: str, rules: dict[tuple[str, str], Row], vocabulary: Vocabulary) -> tuple[Row, OmopConcept] | None:
    """The rule of a concept, or of its nearest parent that has one, with the concept as recorded."""
    concept = vocabulary.concepts.get(concept_id)
    if concept is None:
        return None
    for code in _with_parents(concept):
        if (concept.vocabulary_id, code) in rules:
            return rules[(concept.vocabulary_id, code)], concept
    for ancestor_id in vocabulary.ancestors.get(concept_id, ()):
        ancestor = vocabulary.concepts.get(ancestor_id)
        if ancestor is not None and (ancestor.vocabulary_id, ancestor.code) in rules:
            return rules[(ancestor.vocabulary_id, ancestor.code)], concept
    return None


def _with_parents(concept: OmopConcept) -> Iterator[str]:
    code = concept.code
    yield code
    if concept.vocabulary_id in _HIERARCHICAL:
        while "." in code:
            code = code[:-1].rstrip(".")
            yield code
