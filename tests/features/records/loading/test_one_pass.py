"""The one pass over few rows finds a fault wherever the checks of a large table do, and orders rows as they do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from features.records.loading import checks
from features.records.same_event import versions

DAYS = st.sampled_from(["2025-01-01", "2025-01-02", "2025-03-05", "1899-12-31", "2026-06-30", "2031-01-01", None, "?"])
TABLES = {
    "referrals": {
        "referral_id": st.sampled_from(["r1", "r2", None]),
        "team_id": st.sampled_from(["T1", "T2"]),
        "opened_on": DAYS,
        "closed_on": DAYS,
        "close_reason": st.sampled_from(["died", "planned_end", "nonsense", None]),
        "known_on": DAYS,
    },
    "contacts": {
        "contact_id": st.sampled_from(["c1", "c2", "c3", "c4"]),
        "team_id": st.sampled_from(["T1", "T2", None]),
        "contact_on": DAYS,
        "booked_on": DAYS,
        "outcome": st.sampled_from(["attended", "planned", "did_not_attend", None]),
        "mode": st.sampled_from(["face_to_face", "text", None]),
        "known_on": DAYS,
    },
    "supplies": {
        "medicine": st.sampled_from(["clozapine", "Clozaril", "olanzapine", "nonsense"]),
        "supplied_on": DAYS,
        "days_supplied": st.sampled_from([28.0, 14.0, -28.0, 5_000.0, None]),
        "daily_dose_mg": st.sampled_from([300.0, 10.0, None]),
        "as_required": st.sampled_from([True, False, "yes", "", None]),
        "status": st.sampled_from(["reversed", "supplied", None]),
        "known_on": DAYS,
    },
    "results": {
        "test": st.sampled_from(["anc", "wbc", "weight", "nonsense"]),
        "taken_on": DAYS,
        "value": st.sampled_from([3.1, 80.0, 1e6, "<0.5", None]),
        "unit": st.sampled_from(["10^9/L", "kg", "furlong", None]),
        "known_on": DAYS,
    },
    "circumstances": {
        "kind": st.sampled_from(["smoking", "housing", "nonsense"]),
        "value": st.sampled_from(["yes", "no", "not known", "20 a day", None]),
        "from_on": DAYS,
        "known_on": DAYS,
    },
    "stays": {
        "admitted_on": DAYS,
        "discharged_on": DAYS,
        "ward": st.sampled_from(["acute", "place_of_safety", None]),
        "known_on": DAYS,
    },
}


@st.composite
def histories(draw: st.DrawFn) -> dict[str, dict[str, list[Any]]]:
    """One person's tables by column, with rows that repeat, contradict and cannot be right."""
    found: dict[str, dict[str, list[Any]]] = {"patients": {"patient_id": ["person1"]}}
    for name, columns in TABLES.items():
        rows = draw(st.lists(st.fixed_dictionaries(columns), max_size=8))
        if rows:
            found[name] = {column: [row[column] for row in rows] for column in columns}
            found[name]["patient_id"] = ["person1"] * len(rows)
    return found


def told(history: dict[str, dict[str, list[Any]]]) -> tuple[Any, ...]:
    records = Records.from_columns(history, today=dt.date(2026, 6, 1))
    aside = sorted((one.table, one.row, one.column, one.reason) for one in records.set_aside)
    return records.data_hash, aside, records.report.as_dict()


PLAIN = {
    "patients": {"patient_id": "person1", "birth_date": "1980-05-01", "died_on": None, "deprivation_decile": 3.0},
    "referrals": {
        "referral_id": "r1",
        "team_id": "T1",
        "opened_on": "2025-01-01",
        "closed_on": "2025-03-01",
        "close_reason": "planned_end",
        "known_on": "2025-01-02",
    },
    "supplies": {
        "medicine": "clozapine",
        "supplied_on": "2025-01-01",
        "days_supplied": 28.0,
        "daily_dose_mg": 300.0,
        "known_on": "2025-01-02",
    },
    "results": {"test": "anc", "taken_on": "2025-01-01", "value": 3.1, "unit": "10^9/L", "known_on": "2025-01-02"},
    "stays": {"admitted_on": "2025-01-01", "discharged_on": "2025-02-01", "known_on": "2025-01-02"},
}


def as_many_are(history: dict[str, dict[str, list[Any]]]) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checks, "_FEW", -1)
        patched.setattr(versions, "_FEW", -1)
        return told(history)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("patients", "deprivation_decile", 0.0),
        ("patients", "deprivation_decile", 11.0),
        ("patients", "died_on", "1970-01-01"),
        ("patients", "birth_date", "2026-06-03"),
        ("referrals", "closed_on", "2024-01-01"),
        ("referrals", "close_reason", "died"),
        ("referrals", "team_id", None),
        ("referrals", "opened_on", None),
        ("supplies", "days_supplied", 401.0),
        ("supplies", "daily_dose_mg", -1.0),
        ("supplies", "medicine", None),
        ("supplies", "supplied_on", "1890-01-01"),
        ("results", "known_on", "2024-12-31"),
        ("results", "known_on", "2040-01-01"),
        ("results", "taken_on", "2026-06-03"),
        ("stays", "known_on", "2024-12-31"),
        ("stays", "discharged_on", "2024-12-31"),
    ],
)
def test_one_value_that_cannot_be_right_is_found(table, column, value):
    history = {
        name: {
            of: [value if (name, of) == (table, column) else cell]
            for of, cell in {"patient_id": "person1", **row}.items()
        }
        for name, row in PLAIN.items()
    }
    if (table, column) != ("referrals", "close_reason"):
        assert told(history)[1]
    assert told(history) == as_many_are(history)


def test_a_plain_history_has_no_fault():
    history = {
        name: {of: [cell] for of, cell in {"patient_id": "person1", **row}.items()} for name, row in PLAIN.items()
    }
    assert not told(history)[1] and told(history) == as_many_are(history)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_few_rows_are_read_as_many_are(history):
    assert told(history) == as_many_are(history)
