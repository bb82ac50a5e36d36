"""measurement and observation -> results: a check counts as done even if its number is missing or not reliable."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.records.reading.parsing import read_bound
from features.records.sources.omop.columns import CONCEPT_COLUMNS, day_text, has_concept
from features.records.sources.omop.ledger import ASIDE, MAPPED, NO_CONCEPT, NOT_IN_MAPPING, RowFates, repeated
from features.records.sources.omop.mappings import Mappings
from features.records.sources.omop.vocabulary import Vocabulary
from features.reference import TESTS


def results(
    name: str, events: pd.DataFrame, maps: Mappings, vocabulary: Vocabulary, ledger: RowFates, notes: list[str]
) -> pd.DataFrame:
    """One row per event of table ``name`` and test in it: a panel makes several. The number is kept only if its unit
    is known for the test.
    """
    tests, _ = vocabulary.resolve(maps["tests"])
    held = {concept_id: tuple(dict.fromkeys(row["test"] for row in rows)) for concept_id, rows in tests.items()}
    standard, source = CONCEPT_COLUMNS[name]
    first = events[standard].map(lambda concept_id: held.get(concept_id, ()))
    second = events[source].map(lambda concept_id: held.get(concept_id, ()))
    chosen = [a or b for a, b in zip(first, second, strict=True)]
    mapped = np.array([bool(found) for found in chosen], dtype=bool)
    fates = np.where(has_concept(events[standard]), NOT_IN_MAPPING, NO_CONCEPT).astype(object)
    fates[mapped] = f"{MAPPED}results"
    ledger.not_mapped(name, events.loc[~mapped, standard])
    twice = repeated(events[f"{name}_id"]) & events.duplicated().to_numpy(dtype=bool)  # ids are reused, rows are not
    fates[twice] = f"{ASIDE}{name}_id given twice"
    ledger.fates[name] = fates

    pairs = [(row, test) for row, found in enumerate(chosen) if not twice[row] for test in found]
    origin = np.array([row for row, _ in pairs], dtype=np.int64)
    lines = events.iloc[origin].reset_index(drop=True)
    test = pd.Series([test for _, test in pairs], dtype="str")
    unit = _units(lines, maps, vocabulary)
    usable = pd.Series([_fits(t, u) for t, u in zip(test, unit, strict=True)], dtype=bool)
    told = _with_bounds(lines)
    value = told.where(usable)
    lost = int((told.notna() & ~usable).sum())
    if lost:
        notes.append(
            f"{name}: {lost} results have a number without a unit known for their test; the check was kept, the "
            f"number was not"
        )
    ledger.came_from("results", name, origin)
    return pd.DataFrame(
        {
            "patient_id": lines["person_id"],
            "test": test,
            "taken_on": day_text(lines, name),
            "value": value,
            "unit": unit.where(value.notna()),
        }
    )


_OPERATORS = {"4171756": "<", "4171754": "<=", "4172704": ">", "4171755": ">="}
"""OMOP's concepts of the operator domain (Meas Value Operator)."""


def _with_bounds(lines: pd.DataFrame) -> pd.Series:
    """The number of each row with its operator before it; where there is no number, a bound written in the source value
    (``>3.0``)."""
    value = lines["value_as_number"]
    if "operator_concept_id" in lines:
        sign = lines["operator_concept_id"].map(_OPERATORS)
        value = (sign + value).fillna(value)
    if "value_source_value" in lines:
        source = lines["value_source_value"]
        value = value.fillna(source.where(source.map(lambda text: read_bound(text) is not None)))
    return value.astype("str")


def _units(lines: pd.DataFrame, maps: Mappings, vocabulary: Vocabulary) -> pd.Series:
    """Our spelling of each row's unit: by its concept, else by a unit_source_value that is a UCUM code of units.csv."""
    meant, _ = vocabulary.resolve(maps["units"])
    by_concept = {concept_id: rows[0]["unit"] for concept_id, rows in meant.items()}
    by_code = {row["concept_code"]: row["unit"] for row in maps["units"]}
    return lines["unit_concept_id"].map(by_concept).fillna(lines["unit_source_value"].map(by_code)).astype("str")


def _fits(test: str, unit: object) -> bool:
    return isinstance(unit, str) and test in TESTS and TESTS[test].conversion(unit) is not None
