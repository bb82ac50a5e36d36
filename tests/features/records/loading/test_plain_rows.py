"""The rows of one person in plain lists read as the usual steps read them, whatever they hold."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.records import Records, RecordsError
from features.records.days import day_of
from features.records.loading.plain_rows import cells, tables
from features.records.loading.plain_rows.tables import plain_tables
from features.records.reading.given import OneValue
from features.records.tables import TABLES

TODAY = dt.date(2026, 6, 1)
DAY = st.dates(dt.date(2024, 1, 1), dt.date(2026, 6, 2)).map(dt.date.isoformat)
SOON = st.dates(dt.date(2024, 1, 1), dt.date(2027, 6, 1)).map(dt.date.isoformat)
CLOSE = st.sampled_from(["2025-01-01", "2025-01-02", "2025-01-03", "20250104", "05 Jan 2025"])
NUMBER = st.sampled_from([1.0, 7.0, 14.0, 28.0, 300.0, 0.0])
ID = st.sampled_from(["a1", "a2", "T01", "C0000001", "C0000002", "R-7", "x/9"])
PLAIN: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("circumstances", "kind"): st.sampled_from(["smoking", "housing", "carer", "infection", "Housing "]),
    ("circumstances", "value"): st.sampled_from(["yes", "no", "smoker", "20 a day", "homeless", "a cold"]),
    ("results", "value"): st.sampled_from([3.1, 80.0, 0.5, 5.5]),
    ("results", "unit"): st.sampled_from(["10^9/L", "kg", "mmol/L", "%"]),
    ("patients", "ethnicity"): st.sampled_from(["white_british", " any ", ""]),
    ("patients", "deprivation_decile"): st.sampled_from([1.0, 3.0, 10.0]),
    ("supplies", "interval_days"): st.sampled_from([14.0, 28.0]),
}
ODD = st.sampled_from(
    [
        *(
            "",
            "  ",
            "unknown",
            "n/a",
            "31/12/2024",
            "2024-02-30",
            "1800-01-01",
            "9999-12-31",
            "1900-01-02",
            "2031-01-01",
        ),
        *("2024-07-14T23:00Z", "not a word", "<0.5", "0,4", "9434765919", "call 943 476 5919", "patient_id", "null"),
        *(
            "Clozaril",
            "Depixol",
            "Clopixol 200mg",
            "Zyprexa 10mg",
            "haloperidol injection",
            "refused",
            "reversed",
            "died",
            "a\nb",
        ),
        *(True, False, 3, -14.0, 0.0, 1e9, float("inf"), 20240203.0, dt.date(2025, 1, 1), "x" * 80),
    ]
)


def cell(table: str, name: str) -> st.SearchStrategy[Any]:
    column = TABLES[table].column(name)
    kinds = {
        "date": SOON if column.ahead else DAY | CLOSE,
        "code": st.sampled_from(column.values[:30]) if column.values else st.none(),
        "number": NUMBER,
        "flag": st.sampled_from([True, False, "yes", "no"]),
        "id": ID,
        "text": st.sampled_from(["icd10", "F20.0", "a label", "1234567890"]),
    }
    return PLAIN.get((table, name), kinds[column.kind])


@st.composite
def histories(draw: st.DrawFn, oddities: int) -> dict[str, dict[str, list[Any]]]:
    """One person's tables by column: cells of the usual kinds, and a few that are not."""
    found: dict[str, dict[str, list[Any]]] = {}
    for name, spec in TABLES.items():
        if not spec.per_patient:
            continue
        rows = 1 if name == "patients" else draw(st.integers(0, 6))
        if not rows:
            continue
        columns: dict[str, list[Any]] = {}
        for column in spec.columns[1:]:
            if not column.required and draw(st.booleans()):
                continue
            one = cell(name, column.name) if column.required else cell(name, column.name) | st.none()
            alike = draw(st.integers(0, 3)) == 0
            columns[column.name] = [draw(one)] * rows if alike else [draw(one) for _ in range(rows)]
        found[name] = columns
    for _ in range(draw(st.integers(0, oddities))):
        name = draw(st.sampled_from(sorted(found)))
        if not found[name]:
            continue
        column_name = draw(st.sampled_from(sorted(found[name])))
        values = found[name][column_name]
        values[draw(st.integers(0, len(values) - 1))] = draw(ODD | st.none())
    return found


def as_sent(history: dict[str, dict[str, list[Any]]], plain: bool) -> dict[str, dict[str, Any]]:
    """The same with an id: as one value, which is read plainly, or as a list, which never is."""
    rows = {name: max(map(len, columns.values()), default=1) for name, columns in history.items()}
    return {
        name: {"patient_id": OneValue("p1", rows[name]) if plain else ["p1"] * rows[name], **columns}
        for name, columns in history.items()
    }


def said(history: dict[str, dict[str, list[Any]]], plain: bool) -> Any:
    """All that a load says: its tables to the type of each column, rows set aside, versions and the report."""
    try:
        records = Records.from_columns(as_sent(history, plain), today=TODAY)
    except RecordsError as error:
        return str(error)
    types = {
        (name, column): (str(getattr(values, "dtype", "")) or str(values.type), type(values))
        for name, table in records.tables.items()
        for column, values in table.columns.items()
    }
    order = [list(table.columns) for table in records.tables.values()], list(records.report.tables)
    versions = {
        name: (one.table.to_pandas(records.patient_ids).to_json(), one.since.tolist(), one.until.tolist())
        for name, one in records.versions.items()
    }
    words = [
        (name, column, values.to_pylist())
        for name, table in records.tables.items()
        for column, values in table.columns.items()
        if isinstance(values, pa.Array)
    ]
    whose = {name: (table.patient.tolist(), table.offsets.tolist()) for name, table in records.tables.items()}
    aside = records.set_aside, records.unread.rows(), records.quarantine.to_json()
    return records.data_hash, types, order, versions, words, whose, aside, records.report.as_dict()


@settings(max_examples=150, deadline=None)
@given(histories(oddities=0) | histories(oddities=3))
def test_plain_rows_read_as_the_usual_steps_read_them(history):
    # Twice: what a cell means is kept by the first reading, and used by the second.
    assert said(history, plain=True) == said(history, plain=False) == said(history, plain=True)


USUAL: dict[str, dict[str, Any]] = {
    "patients": {"birth_date": "1980-05-01", "sex": "female"},
    "circumstances": {"kind": "smoking", "value": "smoker", "from_on": "2025-01-01", "known_on": "2025-01-02"},
    "referrals": {"referral_id": "r1", "team_id": "T1", "opened_on": "2025-01-01"},
    "contacts": {"contact_id": "c1", "contact_on": "2025-01-01", "outcome": "attended", "known_on": "2025-01-02"},
    "supplies": {"medicine": "clozapine", "supplied_on": "2025-01-01", "days_supplied": 28.0},
    "results": {"test": "anc", "taken_on": "2025-01-01", "value": 3.1, "unit": "10^9/L", "known_on": "2025-01-02"},
    "stays": {"admitted_on": "2025-01-01", "discharged_on": "2025-02-01", "known_on": "2025-01-02"},
    "conditions": {"category": "diagnosis", "system": "icd10", "code": "F20.0", "recorded_on": "2025-01-01"},
}


def usual(**changed: Any) -> dict[str, dict[str, list[Any]]]:
    return {
        table: {column: [value] for column, value in (row | changed.get(table, {})).items()}
        for table, row in USUAL.items()
    }


def plain_among(history: dict[str, dict[str, list[Any]]]) -> set[str]:
    _, found = plain_tables(as_sent(history, plain=True), day_of(TODAY), {})
    return set(found)


def test_a_usual_person_is_read_plainly():
    assert plain_among(usual()) == set(USUAL)
    assert said(usual(), plain=True) == said(usual(), plain=False)


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        ("circumstances", {"kind": "pets"}),
        ("circumstances", {"value": "unheard of"}),
        ("referrals", {"close_reason": "died"}),
        ("referrals", {"closed_on": "2024-12-01"}),
        ("contacts", {"contact_on": "2026-08-01"}),
        ("contacts", {"contact_id": None}),
        ("supplies", {"medicine": "Depixol"}),
        ("supplies", {"days_supplied": 401.0}),
        ("supplies", {"quantity": 28.0}),
        ("supplies", {"status": "reversed"}),
        ("supplies", {"supplied_on": "1800-01-01"}),
        ("results", {"value": 5_000.0}),
        ("results", {"unit": "furlong"}),
        ("results", {"unit": "943 476 5919"}),
        ("results", {"known_on": "2024-12-01"}),
        ("results", {"comparator": "<"}),
        ("stays", {"discharged_on": "2024-12-01"}),
        ("conditions", {"category": "a guess"}),
        ("conditions", {"unheard": "of"}),
    ],
)
def test_only_a_table_with_something_odd_is_left_to_the_usual_steps(table, changed):
    history = usual(**{table: changed})
    assert plain_among(history) == set(USUAL) - {table}
    assert said(history, plain=True) == said(history, plain=False)


@pytest.mark.parametrize("day", [float("inf"), float("-inf"), float("nan"), 1e300, 10**400])
def test_a_number_that_is_no_day_is_not_understood_and_ends_nothing(day):
    """JSON holds 1e999, which is infinite."""
    history = usual(circumstances={"from_on": day})
    assert said(history, plain=True) == said(history, plain=False)


def test_a_person_whose_own_row_is_odd_or_named_twice_is_left_to_the_usual_steps():
    assert not plain_among(usual(patients={"birth_date": "2026-12-01"}))
    twice = usual()
    twice["patients"] = {"birth_date": ["1980-05-01", "1980-05-01"]}
    assert not plain_among(twice)


@pytest.mark.parametrize("swap", [False, True])
def test_rows_of_one_day_are_in_the_order_of_their_content_with_what_was_filled_in(swap):
    """Zuclopenthixol acetate is read as taken when needed, so its row comes last, whatever its dose."""
    history = usual()
    cells_of = {"medicine": ["zuclopenthixol acetate injection", "clozapine"], "daily_dose_mg": [50.0, 300.0]}
    history["supplies"] = {
        "supplied_on": ["2025-01-01"] * 2,
        **{name: values[::-1] if swap else values for name, values in cells_of.items()},
    }
    assert "supplies" in plain_among(history)
    assert said(history, plain=True) == said(history, plain=False)


def test_what_is_kept_of_cells_is_bounded(monkeypatch):
    monkeypatch.setattr(cells, "MOST_KEPT", 5)
    texts = cells._Texts(coded=False)
    for number in range(20):
        assert texts[f"word {number}"] == f"word {number}"
    assert texts["x" * 80] == "x" * 80 and len(texts) <= 5 and "x" * 80 not in texts


def test_arrays_of_one_kind_share_memory_and_can_be_written():
    records = Records.from_columns(as_sent(usual(), plain=True), today=TODAY)
    first, second = records.columns("results")["taken_on"], records.columns("stays")["admitted_on"]
    assert first.base is second.base and first.flags.writeable and first.flags.c_contiguous
    assert tables.nothing_in("stays") is tables.nothing_in("stays") and isinstance(first, np.ndarray)
