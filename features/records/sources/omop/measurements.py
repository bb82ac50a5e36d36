"""measurement and observation -> results: a check counts as done even if its number is missing or not reliable."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.records.reading.results import read_pair
from features.records.sources.omop.columns import CONCEPT_COLUMNS, day_text, has_concept
from features.records.sources.omop.ledger import ASIDE, MAPPED, NO_CONCEPT, NOT_IN_MAPPING, RowFates, repeated
from features.records.sources.omop.mappings import Mappings
from features.records.sources.omop.vocabulary import Vocabulary
from features.reference import TESTS
from features.reference.monitoring.values_of_checks import test_in_unit, tests_of_pair


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
    number, text = _with_bounds(lines), _texts(lines, test, unit)
    value = number.where(usable).fillna(text.where(number.isna()))
    lost = np.flatnonzero((number.notna() & ~usable & _measured(test, unit)).to_numpy(dtype=bool))
    if len(lost):
        notes.append(
            f"{name}: {len(lost)} results have a number without a unit known for their test; the check was kept, the "
            f"number is shown with the person"
        )
    ledger.came_from("results", name, np.concatenate([origin, origin[lost]]))
    frame = pd.DataFrame(
        {
            "patient_id": lines["person_id"],
            "test": test,
            "taken_on": day_text(lines, name),
            "value": value,
            "unit": unit.where(value.notna()),
        }
    )
    # The checks of the records set such a number aside, and keep it with the person as not understood.
    numbers = frame.iloc[lost].assign(value=number.iloc[lost], unit=unit.iloc[lost])
    return pd.concat([frame, numbers], ignore_index=True)


def _measured(test: pd.Series, unit: pd.Series) -> pd.Series:
    """Which rows have a test that is written as numbers, or a unit: a number beside any other check says nothing."""
    return pd.Series([bool(TESTS[one].unit or tests_of_pair(one)) for one in test], dtype=bool) | unit.notna()


def _texts(lines: pd.DataFrame, test: pd.Series, unit: pd.Series) -> pd.Series:
    """What was written where the number should be. Beside a check without a number only two numbers in one value."""
    if "value_source_value" not in lines:
        return pd.Series(None, index=lines.index, dtype="str")
    written = [
        text if isinstance(text, str) and (TESTS[one].unit or read_pair(one, text, None)) else None
        for one, text in zip(test, lines["value_source_value"], strict=True)
    ]
    return pd.Series(written, index=lines.index, dtype="str")


_OPERATORS = {"4171756": "<", "4171754": "<=", "4172704": ">", "4171755": ">="}
"""OMOP's concepts of the operator domain (Meas Value Operator)."""


def _with_bounds(lines: pd.DataFrame) -> pd.Series:
    """The number of each row with its operator before it."""
    value = lines["value_as_number"]
    if "operator_concept_id" in lines:
        sign = lines["operator_concept_id"].map(_OPERATORS)
        value = (sign + value).fillna(value)
    return value.astype("str")


def _units(lines: pd.DataFrame, maps: Mappings, vocabulary: Vocabulary) -> pd.Series:
    """Our spelling of each row's unit: by its concept, else by a unit_source_value that is a UCUM code of units.csv,
    else the unit as written."""
    meant, _ = vocabulary.resolve(maps["units"])
    by_concept = {concept_id: rows[0]["unit"] for concept_id, rows in meant.items()}
    by_code = {row["concept_code"]: row["unit"] for row in maps["units"]}
    written = lines["unit_source_value"]
    found = lines["unit_concept_id"].map(by_concept).fillna(written.map(by_code))
    return found.fillna(written).astype("str")


def _fits(test: str, unit: object) -> bool:
    if not isinstance(unit, str) or test not in TESTS:
        return False
    return TESTS[test].conversion(unit) is not None or test_in_unit(test, unit) is not None
