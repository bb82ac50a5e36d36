"""The CMA definitions (Vollmer 2012; AdhereR), each answer worked out by hand.

The window is [1 June, 1 July): 30 days. Anna had 20 days on 22 May (10 of them before the window), 10 on 6 June and 10
on 26 June::

    day of the window   0 ......... 9 10 .... 14 15 ........ 24 25 ..... 29
    carried in          0 - 9 (22 May + 20 days runs to 10 June)
    5 = 6 June + 10     starts on day 10, when the first runs out: 10 - 19
    25 = 26 June + 10   25 - 29 (5 of its 10 days lie in the window)
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import AdherenceError, Records, build, proportion_of_days_covered
from features.kernels.coverage import CARRY_DAYS
from tests.examples import examples
from tests.tables import table

ANNA = """
patient_id  supplied_on  days_supplied
anna        2025-05-22   20
anna        2025-06-06   10
anna        2025-06-26   10
"""


@pytest.mark.parametrize(
    ("method", "days", "window"),
    [
        ("CMA1", 10, 20),  # without the last supply, 6 to 26 June
        ("CMA2", 20, 25),  # 6 June to the end
        ("CMA3", 10, 20),
        ("CMA4", 20, 25),
        ("CMA5", 10, 20),  # days 5 - 14 covered between the first and the last supply
        ("CMA6", 15, 25),  # and days 25 - 29
        ("CMA7", 25, 30),  # days 0 - 19 and 25 - 29
        ("CMA8", 15, 20),  # begins on day 10 when the supply carried in runs out: 10 - 19 and 25 - 29
        ("CMA9", 5 + 20 * 0.75 + 5, 30),  # 20 over 15 days is 1, 5 left over; 15 over 20 is 0.75; 10 over 5 is 1
    ],
)
def test_days_covered_of_one_person_worked_out_by_hand(method, days, window):
    (row,) = proportion_of_days_covered(table(ANNA), "2025-06-01", "2025-07-01", method).to_dict("records")
    assert (row["days_covered"], row["days_in_window"]) == (days, window)
    assert row["proportion_of_days_covered"] == pytest.approx(days / window)


@pytest.mark.parametrize(
    ("supplies", "days", "window"),
    [
        ("anna 2025-06-11 10", 10, 30),  # nothing carried in: the window keeps its own start, not the first supply's
        ("anna 2025-05-01 28\nanna 2025-06-11 10", 10, 30),  # ran out on 29 May
        ("anna 2025-05-22 20\nanna 2025-06-16 10", 10, 20),  # runs out on 11 June
        ("anna 2025-05-22 60\nanna 2025-06-16 10", 0, 0),  # lasts beyond the window
    ],
)
def test_the_window_of_cma8_begins_when_what_was_carried_in_has_run_out(supplies, days, window):
    drawn = table("patient_id supplied_on days_supplied\n" + supplies)
    (row,) = proportion_of_days_covered(drawn, "2025-06-01", "2025-07-01", "CMA8").to_dict("records")
    assert (row["days_covered"], row["days_in_window"]) == (days, window)


def test_oversupply_exceeds_1_only_in_definitions_without_a_cap():
    hoarded = table("patient_id supplied_on days_supplied\nanna 2025-06-01 40\nanna 2025-06-11 40")
    found = {
        m: proportion_of_days_covered(hoarded, "2025-06-01", "2025-07-01", m)["proportion_of_days_covered"][0]
        for m in ("CMA1", "CMA2", "CMA3", "CMA4", "CMA7", "CMA9")
    }
    assert found == {"CMA1": 4.0, "CMA2": 80 / 30, "CMA3": 1.0, "CMA4": 1.0, "CMA7": 1.0, "CMA9": 1.0}


def test_carry_over_stays_within_a_medicine():
    switched = (
        "patient_id supplied_on days_supplied medicine\nanna 2025-06-01 20 olanzapine\nanna 2025-06-11 10 aripiprazole"
    )
    pooled = switched.replace("aripiprazole", "olanzapine")
    assert proportion_of_days_covered(table(switched), "2025-06-01", "2025-07-01")["days_covered"][0] == 20
    assert proportion_of_days_covered(table(pooled), "2025-06-01", "2025-07-01")["days_covered"][0] == 30


def test_one_row_a_person_and_unknown_where_there_is_nothing_to_divide_by():
    two = table(ANNA + "bede 2025-08-01 28")
    frame = proportion_of_days_covered(two, "2025-06-01", "2025-07-01")
    assert frame["patient_id"].tolist() == ["anna", "bede"]
    assert np.isnan(frame["proportion_of_days_covered"][1]), "bede's supply comes after the window"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "CMA10"}, "method CMA10 is not known"),
        ({"end": "2025-06-01"}, "the window is empty"),
        ({"supplies": table("patient_id supplied_on\nanna 2025-06-01")}, "supplies lack days_supplied"),
        ({"supplies": table("patient_id supplied_on days_supplied\nanna 2025-06-01 -3")}, "rows 0"),
    ],
)
def test_bad_input_says_what_to_do(change, message):
    arguments = {"supplies": table(ANNA), "start": "2025-06-01", "end": "2025-07-01"} | change
    with pytest.raises(AdherenceError, match=message):
        proportion_of_days_covered(**arguments)


@st.composite
def supplies_at_most_a_week_early(draw):
    """(day, days supplied), in order: each is collected with at most the days in hand that the features carry over."""
    found, day, end = [], draw(st.integers(0, 60)), 0
    for _ in range(draw(st.integers(1, 12))):
        length = draw(st.sampled_from([0, 7, 14, 28, 56]))
        found.append((day, length))
        end = max(day, end) + length
        day = max(day + 1, end + draw(st.integers(-CARRY_DAYS, 40)))
        if day > 300:
            break
    return found


@settings(max_examples=examples(20), deadline=None)
@given(supplies_at_most_a_week_early())
def test_the_features_use_the_same_definitions_where_the_cap_does_not_bite(supplies):
    first = dt.date(2024, 3, 1)
    frame = pd.DataFrame(
        [("anna", first + dt.timedelta(days=day), length) for day, length in supplies],
        columns=["patient_id", "supplied_on", "days_supplied"],
    )
    records = Records.from_frames(
        {
            "patients": pd.DataFrame({"patient_id": ["anna"]}),
            "supplies": frame.assign(medicine="lithium", known_on=frame["supplied_on"]),
        }
    )
    as_of = first + dt.timedelta(days=301)
    names = [
        "lithium_covered_share_90d",
        "lithium_covered_share_180d",
        "lithium_interval_share_90d",
        "lithium_interval_share_180d",
    ]
    built = build(records, pd.DataFrame({"patient_id": ["anna"], "as_of": [as_of]}), names).values[0]
    for value, method, window in zip(built, ("CMA7", "CMA7", "CMA9", "CMA9"), (90, 180, 90, 180), strict=True):
        start = as_of - dt.timedelta(days=window)
        assert value == pytest.approx(
            proportion_of_days_covered(frame, start, as_of, method)["proportion_of_days_covered"][0], abs=1e-6
        )


@pytest.mark.parametrize(("days", "as_of"), [(400, "2025-01-20"), (380, "2025-03-01"), (28, "2024-12-31")])
def test_days_covered_are_known_where_the_published_definition_gives_a_value(days, as_of):
    """One supply of more than a year ago, or one that still reaches into the window, is no reason to know nothing."""
    supply = table(f"patient_id supplied_on days_supplied\nanna 2024-01-01 {days}")
    records = Records.from_frames(
        {
            "patients": pd.DataFrame({"patient_id": ["anna"]}),
            "supplies": supply.assign(medicine="lithium", known_on="2024-01-01"),
        }
    )
    spine = pd.DataFrame({"patient_id": ["anna"], "as_of": [as_of]})
    (value,) = build(records, spine, ["lithium_covered_share_90d"]).values[0]
    end = dt.date.fromisoformat(as_of)
    told = proportion_of_days_covered(supply, end - dt.timedelta(days=90), end)["proportion_of_days_covered"][0]
    assert value == pytest.approx(told, abs=1e-6)


@settings(max_examples=examples(20), deadline=None)
@given(
    st.lists(st.tuples(st.integers(-120, 89), st.sampled_from([7, 14, 28, 56])), min_size=1, max_size=8, unique=True)
)
def test_cma8_and_cma9_day_by_day(drawn):
    """CMA8: the window begins when supply carried in has run out. CMA9: each day has the share of its interval that
    supply lasts. Both worked out a day at a time, as the help of AdhereR describes them."""
    start = dt.date(2025, 1, 1)
    drawn = sorted(drawn, key=lambda pair: pair[0])
    frame = pd.DataFrame(
        [("anna", start + dt.timedelta(days=day), length) for day, length in drawn],
        columns=["patient_id", "supplied_on", "days_supplied"],
    )
    end = start + dt.timedelta(days=90)
    got = {m: proportion_of_days_covered(frame, start, end, m).iloc[0] for m in ("CMA8", "CMA9")}

    ends = None  # what is in hand on the window's first day is used up first
    for day, length in (pair for pair in drawn if pair[0] < 0):
        ends = (day if ends is None else max(day, ends)) + length
    begin = max(0, ends or 0)
    inside = [pair for pair in drawn if 0 <= pair[0] < 90]
    if not inside or begin >= 90:
        assert np.isnan(got["CMA8"]["proportion_of_days_covered"])
    else:
        held, covered = 0, 0
        for today in range(begin, 90):
            held += sum(length for day, length in inside if max(day, begin) == today)
            covered += held > 0
            held = max(0, held - 1)
        assert got["CMA8"]["proportion_of_days_covered"] == pytest.approx(covered / (90 - begin))

    over, shares = 0.0, {}
    for (day, length), (following, _) in zip(drawn, [*drawn[1:], (90, 0)], strict=True):
        wide = following - day
        for today in range(day, following):
            shares[today] = min(1.0, (over + length) / wide)
        over = max(0.0, over + length - wide)
    assert got["CMA9"]["proportion_of_days_covered"] == pytest.approx(sum(shares.get(d, 0.0) for d in range(90)) / 90)
