"""The hash of a person's records: any change in a person's rows changes theirs, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features import Records
from features.records.person_hashes import BYTES, person_hashes
from features.records.same_event.versions import RowVersions
from features.records.table import Table
from features.records.tables import TABLES, TableSpec
from features.records.unread import Unread

PEOPLE, EACH = 4, 3
CHANGED = 1
CELLS = [
    (name, column.name)
    for name, spec in TABLES.items()
    if spec.per_patient
    for column in spec.columns
    if column.name != "patient_id"
]


def filled(spec: TableSpec) -> Table:
    """Three rows a person, each cell different."""
    rows = PEOPLE * EACH
    columns = {}
    for column in spec.columns:
        if column.name == "patient_id":
            continue
        if column.kind == "date":
            columns[column.name] = np.arange(rows, dtype=np.int32) + 100
        elif column.kind == "number":
            columns[column.name] = np.arange(rows) / 7
        elif column.kind in ("code", "flag"):
            columns[column.name] = np.zeros(rows, np.int8)
        else:
            columns[column.name] = pa.array([f"word {row}" for row in range(rows)])
    patient = np.repeat(np.arange(PEOPLE, dtype=np.int32), EACH)
    return Table(spec, columns, patient, np.arange(0, rows + 1, EACH, dtype=np.int64))


def records(**changes) -> Records:
    tables = {name: filled(spec) for name, spec in TABLES.items() if spec.per_patient}
    ids = np.array([f"P{i}" for i in range(PEOPLE)], object)
    return Records(ids, {**tables, **changes.pop("tables", {})}, **changes)


def changed_people(before: Records, after: Records) -> list[int]:
    everybody = np.arange(PEOPLE)
    pairs = zip(person_hashes(before, everybody), person_hashes(after, everybody), strict=True)
    return [person for person, (one, other) in enumerate(pairs) if one != other]


def with_cell(values, row: int):
    """The column with another value in one row."""
    if isinstance(values, np.ndarray):
        other = values.copy()
        other[row] += 1
        return other
    words = values.to_pylist()
    return pa.array([*words[:row], None, *words[row + 1 :]], pa.string())


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_changed_cell_changes_the_hash_of_that_person_alone(table, column):
    now = filled(TABLES[table])
    columns = {**now.columns, column: with_cell(now.columns[column], CHANGED * EACH + 2)}
    assert changed_people(records(), records(tables={table: replace(now, columns=columns)})) == [CHANGED]


def test_the_same_records_give_the_same_hash_however_they_lie():
    everybody = np.arange(PEOPLE)
    whole = person_hashes(records(), everybody)
    assert all(len(one) == BYTES for one in whole) and len(set(whole)) == PEOPLE
    assert person_hashes(records(), everybody[::-1]) == whole[::-1]
    assert person_hashes(records().at(np.array([1, 3])), np.arange(2)) == [whole[1], whole[3]]
    in_pieces = filled(TABLES["contacts"])
    text = in_pieces.columns["contact_id"]
    columns = {**in_pieces.columns, "contact_id": pa.chunked_array([text[:5], text[5:]])}
    assert changed_people(records(), records(tables={"contacts": replace(in_pieces, columns=columns)})) == []


def test_no_text_and_an_empty_text_differ():
    table = filled(TABLES["contacts"])

    def said(word):
        return {"contacts": replace(table, columns={**table.columns, "team_id": pa.array([word] * 12, pa.string())})}

    assert changed_people(records(tables=said(None)), records(tables=said(""))) == [0, 1, 2, 3]


def test_a_row_more_a_row_less_and_a_row_that_moves():
    table = filled(TABLES["results"])
    ends = np.array([0, 3, 7, 9, 12])  # a row of person 2 is now person 1's
    moved = Table(table.spec, table.columns, np.repeat(np.arange(4, dtype=np.int32), np.diff(ends)), ends)
    assert changed_people(records(), records(tables={"results": moved})) == [1, 2]
    fewer = table.take(np.arange(11), table.patient[:11], PEOPLE)
    assert changed_people(records(), records(tables={"results": fewer})) == [3]


def test_what_was_not_understood_and_earlier_versions_count():
    said = Unread.of([(CHANGED, 10, 11, ("results", "value", "trace", "anc", "no number"))])
    assert changed_people(records(), records(unread=said)) == [CHANGED]
    otherwise = Unread.of([(CHANGED, 10, 12, ("results", "value", "trace", "anc", "no number"))])
    assert changed_people(records(unread=said), records(unread=otherwise)) == [CHANGED]

    def versions(until: int) -> dict[str, RowVersions]:
        table = filled(TABLES["stays"]).take(np.arange(3, 6), np.ones(3, np.int32), PEOPLE)
        spans = np.array([0, 0, 1, 1, 1])
        return {"stays": RowVersions(table, spans, np.array([5], np.int32), np.array([until], np.int32))}

    assert changed_people(records(versions=versions(8)), records(versions=versions(9))) == [CHANGED]
