"""Values that no table understands: stored with the person, and named in the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.records.days import FIRST_DAY, LAST_REAL_DAY, NO_DAY
from features.records.loading.checks import SECOND_OF_AN_ID, Finding, Mask
from features.records.problems import TableReport
from features.records.reading.given import Given, given_rows, is_missing, short
from features.records.reading.nhs_numbers import without_numbers
from features.records.table import words_of
from features.records.tables import CIRCUMSTANCE_KINDS, CONDITION_CATEGORIES, TableSpec
from features.reference.diagnoses import is_coded, is_not_understood, is_uncertain

UnreadRow = tuple[int, int, int, tuple[str, str, str, str, str]]
"""The person, the day of the event, the day it became known; table, column, value, what it is about, and why."""
_ABOUT = {"results": "test", "supplies": "medicine", "circumstances": "kind", "conditions": "category"}
DIAGNOSIS_NOT_READ = "a diagnosis in words that Upstream does not know; no rule reads it"
UNCERTAIN_CODE = "a code with a question mark is no diagnosis"
KIND_NOT_READ = "a kind of circumstance that Upstream does not read"
_NAMED = 20
_DIAGNOSIS = CONDITION_CATEGORIES.index("diagnosis")


def unread_values(
    spec: TableSpec,
    given: Given,
    columns: dict[str, Any],
    patient: npt.NDArray[np.int32],
    findings: Iterable[Finding],
    usual_delay: int,
) -> Iterator[UnreadRow]:
    """For each person, the values that were not understood, with the row's two clocks as far as they can be read."""
    about = _ABOUT.get(spec.name, "")
    clocks = columns[spec.event_day or "known_on"], columns["known_on"]
    for name, rows, reason in findings:
        if name == "patient_id" or reason == SECOND_OF_AN_ID:
            continue
        places = np.flatnonzero(rows & (patient >= 0))
        as_given = given_rows(given, places, [name, about] if about else [name])
        for row, values in zip(places.tolist(), as_given, strict=True):
            on, known_on = (int(days[row]) if FIRST_DAY <= days[row] <= LAST_REAL_DAY else NO_DAY for days in clocks)
            if known_on == NO_DAY and on != NO_DAY:
                known_on = on + usual_delay
            words = (spec.name, name, short(values.get(name)), _concept(spec, columns, about, row, values), reason)
            yield int(patient[row]), on, known_on, words


def kinds_not_read(columns: dict[str, Any]) -> list[Finding]:
    """Circumstances of a kind that Upstream does not use. They are kept and shown with the person, because they may
    matter.
    """
    codes, words = words_of(columns["kind"])
    known = np.array([word in CIRCUMSTANCE_KINDS for word in words], bool)
    other = (codes >= 0) & ~known[codes] if len(words) else np.zeros(len(codes), bool)
    return [("value", other, KIND_NOT_READ)] if other.any() else []


def uncertain_codes(columns: dict[str, Any]) -> list[Finding]:
    """Diagnoses whose code says that they are only asked about (``F20.0?``)."""
    codes, words = words_of(columns["code"])
    asked = np.array([*map(is_uncertain, words), False])
    rows = asked[codes] & (columns["category"] == _DIAGNOSIS)
    return [("code", rows, UNCERTAIN_CODE)] if rows.any() else []


def diagnoses_not_read(columns: dict[str, Any]) -> list[Finding]:
    """Diagnoses without a code of a classification, whose words speak of what rules ask about and are in no table."""
    codes, words = words_of(columns["code"])
    coded = np.array([*map(is_coded, words), False])
    rows = ~coded[codes] & (columns["category"] == _DIAGNOSIS)
    if not rows.any():
        return []
    codes, words = words_of(columns["label"])
    unclear = np.array([*map(is_not_understood, words), False])
    rows &= unclear[codes]
    return [("label", rows, DIAGNOSIS_NOT_READ)] if rows.any() else []


def _concept(spec: TableSpec, columns: Mapping[str, Any], about: str, row: int, given: Mapping[str, Any]) -> str:
    """The subject of the row in our words, or as written if it could not be read."""
    if not about:
        return ""
    value = columns[about][row]
    if spec.column(about).kind != "code":
        return str(value.as_py() or "")
    return spec.column(about).values[value] if value >= 0 else short(given.get(about))


def name_unknown_words(spec: TableSpec, given: Given, findings: list[Finding], report: TableReport) -> None:
    """Notes the words that no table knows and how often, most frequent first: words of a vocabulary (medicines, codes,
    circumstances), never a number, a date or an id.
    """
    for name, rows, reason in findings:
        vocabulary = spec.column(name).kind in ("code", "flag") or (spec.name, name) == ("circumstances", "value")
        if not vocabulary or spec.name == "results" or "missing" in reason:
            continue
        extra = ["kind"] if spec.name == "circumstances" else []
        as_given = given_rows(given, np.flatnonzero(rows), [name, *extra])
        words = Counter(" ".join(short(row.get(column)) for column in [*extra, name]).strip() for row in as_given)
        del words[""]
        if words:
            report.note(f"{name} not understood: {_most_common(words)}")


def name_unknown_tests_and_units(
    given: Given, units_as_given: Any, findings: list[Finding], report: TableReport
) -> None:
    """Notes the tests and units of ``results`` that no reference table knows, most frequent first: words of a
    vocabulary, never a patient's value.
    """
    for column in ("test", "unit"):
        failing = [rows for name, rows, _ in findings if name == column]
        if not failing or (column == "test" and "test" not in given):
            continue
        values = given["test"] if column == "test" else units_as_given
        known = Counter(without_numbers(str(word))[:40] for word in _at(values, failing) if not is_missing(word))
        if known:
            report.note(f"{column} not known: {_most_common(known)}; see features/reference/tests.csv")


def _at(values: Any, failing: list[Mask]) -> Iterable[Any]:
    rows = np.flatnonzero(np.logical_or.reduce(failing))
    if isinstance(values, pa.Array):
        words: list[Any] = values.take(pa.array(rows)).to_pylist()
        return words
    return list(values.iloc[rows]) if isinstance(values, pd.Series) else [values[row] for row in rows.tolist()]


def _most_common(words: Counter[str]) -> str:
    return ", ".join(f"{word} ({count:,} rows)" for word, count in words.most_common(_NAMED))
