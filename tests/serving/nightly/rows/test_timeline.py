"""What the nightly run keeps of a person's record for the pages: a small record in, plain events out."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from features import Records
from features.gaps import people
from features.records import day_of
from serving.nightly.rows.timeline import _covered, groups, timelines

AS_OF = dt.date(2026, 1, 5)


def ago(days):
    return AS_OF - dt.timedelta(days=days)


def records(**tables):
    frames = {"patients": pd.DataFrame({"patient_id": ["A", "B"], "sex": ["female", None]})}
    frames |= {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return Records.from_frames(frames)


def one(who="A", **tables):
    found = timelines(records(**tables), AS_OF, ["A", "B"])
    return next(row for row in found if row["patient_id"] == who)


def supply(days_ago, medicine="olanzapine", days=28.0, **changed):
    row = {"patient_id": "A", "medicine": medicine, "route": "oral", "kind": "dispensed", "supplied_on": ago(days_ago)}
    return row | {"days_supplied": days, "daily_dose_mg": 10.0, "known_on": ago(days_ago)} | changed


def test_supplies_carry_over_what_was_in_hand_and_leave_the_gap_open():
    found = one(supplies=[supply(100), supply(80), supply(20)])
    assert [(row[0], row[4], row[5]) for row in found["events"]["supplies"]] == [
        (-100, -100, -72),
        (-80, -73, -45),  # eight days were in hand, of which a week counts
        (-20, -20, 8),  # nothing from -45 to -20
    ]
    assert found["medicines"] == ",olanzapine,"


def test_a_medicine_is_held_until_28_days_after_its_supply():
    found = one(supplies=[supply(56), supply(57, "lithium_carbonate"), supply(90, "sertraline")])
    assert found["medicines"] == ",olanzapine,"
    assert one("B", supplies=[supply(56)])["medicines"] == ""


def test_what_was_not_known_on_the_day_is_left_out():
    late = supply(10, known_on=AS_OF)
    result = {"patient_id": "A", "test": "anc", "taken_on": ago(3), "value": 2.1, "unit": "10*9/L"}
    found = one(
        supplies=[late],
        results=[result | {"known_on": AS_OF}, result | {"taken_on": ago(9), "known_on": ago(8)}],
        stays=[{"patient_id": "A", "admitted_on": ago(30), "discharged_on": ago(2), "discharge_known_on": AS_OF}],
        contacts=[
            {
                "patient_id": "A",
                "contact_id": "1",
                "contact_on": ago(1),
                "outcome": "attended",
                "outcome_known_on": AS_OF,
            },
            {"patient_id": "A", "contact_id": "2", "contact_on": ago(-9), "outcome": "planned", "known_on": ago(3)},
            {"patient_id": "A", "contact_id": "3", "contact_on": ago(-5), "outcome": "planned", "known_on": AS_OF},
        ],
    )
    assert found["events"]["supplies"] == [] and found["medicines"] == ""
    assert found["events"]["results"] == [(-9, "anc", 2.1, "")]
    assert found["events"]["stays"] == [(-30, None, "", "")]
    assert [(day, outcome) for day, _, _, outcome in found["events"]["contacts"]] == [(9, "planned")]


def test_a_test_is_due_on_the_day_that_the_care_gap_counts_from():
    tables = {"supplies": [supply(ago_, "clozapine") for ago_ in range(700, 0, -28)]}
    found = one(**tables)
    dues = {test: (due, last) for test, due, last, _ in found["events"]["dues"]}
    (person,) = people(records(**tables), np.array([0]), day_of(AS_OF))
    fbc = min(due.day for due in person.due if due.item.test == "fbc")
    assert dues["fbc"] == (fbc - day_of(AS_OF), None)


def test_adjustments_are_the_latest_needs_and_do_not_include_a_language_alone():
    def said(kind, value, days_ago=50, who="A"):
        return {"patient_id": who, "kind": kind, "value": value, "from_on": ago(days_ago), "known_on": ago(days_ago)}

    needs = [said("interpreter", "not_required", 90), said("interpreter", "required"), said("language", "Somali")]
    assert one(circumstances=needs)["adjustments"] == [["interpreter", "required"], ["language", "Somali"]]
    assert one("B", circumstances=[said("language", "Somali", who="B")])["adjustments"] == []
    assert one(circumstances=[said("interpreter", "required", 90), said("interpreter", "no")])["adjustments"] == []


def test_groups_say_what_is_not_recorded():
    found = groups(records(), AS_OF, ["A", "B"])
    assert [row["groups"]["sex"] for row in found] == ["female", "not recorded"]
    assert set(found[1]["groups"].values()) == {"not recorded"}


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500), st.integers(0, 60)), max_size=30)


@given(rows)
def test_cover_of_the_picture_is_that_of_the_features(drawn):
    """The law: a supply begins when what is in hand runs out, at most a week after its day, within each medicine."""
    drawn = sorted(drawn, key=lambda row: row[:2])
    group, day, length = (
        (np.array(column, dtype=np.int32) for column in zip(*drawn, strict=True))
        if drawn
        else 3 * (np.zeros(0, np.int32),)
    )
    start, end = _covered(np.zeros(len(group), np.int64), group.astype(np.int64), day, length)
    ends: dict[int, int] = {}
    for i, (which, on, days) in enumerate(drawn):
        begin = min(max(ends.get(which, on), on), on + 7)
        ends[which] = max(ends.get(which, on), begin + days)
        assert (start[i], end[i]) == (begin, ends[which])
