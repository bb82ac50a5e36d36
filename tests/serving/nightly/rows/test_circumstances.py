"""A person's recorded words and circumstances: for some kinds the newest value, for others every value, by both
clocks."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from features import Records
from features.records import day_of
from serving.nightly.rows.circumstances import circumstances_of

AS_OF = dt.date(2026, 1, 5)


def ago(days):
    return AS_OF - dt.timedelta(days=days)


def of_a(*rows, **about):
    """What is shown of A; each row is (kind, value, days ago happened[, days ago known])."""
    frame = pd.DataFrame(
        [
            {
                "patient_id": "A",
                "kind": kind,
                "value": value,
                "from_on": ago(on),
                "known_on": ago(known[0] if known else on),
            }
            for kind, value, on, *known in rows
        ],
        columns=["patient_id", "kind", "value", "from_on", "known_on"],
    )
    patients = pd.DataFrame([{"patient_id": "A", **about}, {"patient_id": "B"}])
    records = Records.from_frames({"patients": patients, "circumstances": frame})
    first, second = circumstances_of(records, day_of(AS_OF), records.positions(["A", "B"]).tolist())
    assert second == [], "nothing of A is shown with B"
    return first


def test_the_newest_row_counts_for_circumstances():
    assert of_a(("housing", "settled", 300), ("housing", "hostel", 20)) == [["housing", "hostel", -20]]


def test_every_different_side_effect_and_wish_counts_once_the_newest_first():
    found = of_a(
        ("side_effect", "Weight gain", 200),
        ("side_effect", "weight gain", 30),
        ("side_effect", "sleepy", 90),
        ("wish", "one tablet a day", 60),
    )
    assert found == [
        ["side_effect", "weight gain", -30],
        ["side_effect", "sleepy", -90],
        ["wish", "one tablet a day", -60],
    ]


def test_rows_not_yet_known_and_future_rows_are_not_shown():
    assert of_a(("wish", "later", 10, 0), ("wish", "ahead", -3), ("wish", "in time", 10, 1)) == [
        ["wish", "in time", -10]
    ]


def test_other_circumstances_are_left_out_and_needs_of_the_person_have_no_day():
    assert of_a(("employment", "employed", 9), autism="confirmed", learning_disability="no") == [
        ["autism", "confirmed", None]
    ]
