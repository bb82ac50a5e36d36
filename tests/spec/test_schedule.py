"""Due or done, drawn as tables: the monitoring protocols as CLINICAL.md section 0 reads them."""

from __future__ import annotations

import pandas as pd
import pytest

from features import build, find_gaps
from tests.tables import records, spine

CLOZAPINE = """
patient_id  medicine   supplied_on  days_supplied
anna        clozapine  2024-01-01   400
anna        clozapine  2025-01-01   400
"""


def past_due(feature: str, as_of: str, **tables: str) -> float:
    return float(build(records(**tables), spine(f"anna {as_of}"), [feature]).values[0, 0])


@pytest.mark.parametrize(
    ("last_count", "as_of", "expected"),
    [
        ("2024-01-15", "2024-01-20", -2),  # weekly: due 22 January
        ("2024-01-15", "2024-01-22", 0),  # on the day itself
        ("2024-01-15", "2024-01-25", 3),
        ("2024-05-05", "2024-05-13", -6),  # day 125: the next falls into the fortnightly phase
        ("2024-04-20", "2024-05-13", 16),  # missed in the weekly phase: the obligation stands after day 126
        ("2024-12-01", "2024-12-16", 1),  # fortnightly to week 52
        ("2025-06-01", "2025-06-29", 0),  # every 4 weeks after week 52
        ("2025-06-01", "2025-07-01", 2),
    ],
)
def test_clozapine_blood_count_weekly_fortnightly_four_weekly(last_count, as_of, expected):
    counts = f"""
    patient_id  test  taken_on      value  unit
    anna        wbc   {last_count}  6.1    10^9/L
    """
    days = past_due(
        "clozapine_fbc_days_past_due", as_of, supplies=CLOZAPINE, results=counts.replace("anna        wbc", "anna wbc")
    )
    assert days == expected


def test_no_count_on_the_course_counts_from_the_start_of_the_phase():
    assert past_due("clozapine_fbc_days_past_due", "2024-01-20", supplies=CLOZAPINE) == 19  # baseline was due on day 0
    before = """
    patient_id  test  taken_on    value  unit
    anna        wbc   2023-12-28  6.1    10^9/L
    """
    assert (
        past_due("clozapine_fbc_days_past_due", "2024-01-20", supplies=CLOZAPINE, results=before) == 11
    )  # due 1 + 7 days in


def test_a_result_known_late_is_not_a_result_yet():
    late = """
    patient_id  test  taken_on    value  unit    known_on
    anna        wbc   2025-06-01  6.1    10^9/L  2025-06-03
    anna        wbc   2025-06-27  6.1    10^9/L  2025-07-05
    """
    assert past_due("clozapine_fbc_days_past_due", "2025-07-01", supplies=CLOZAPINE, results=late) == 2
    assert past_due("clozapine_fbc_days_past_due", "2025-07-06", supplies=CLOZAPINE, results=late) == -19


def test_a_course_ends_after_more_than_90_days_without_supply():
    supplies = """
    patient_id  medicine  supplied_on  days_supplied
    anna        lithium   2024-01-01   28
    """
    level = "lithium_level_days_past_due"
    assert (
        past_due(level, "2024-04-28", supplies=supplies) == 104
    )  # due on day 14; 90 days after supply ended it is still the course
    assert pd.isna(past_due(level, "2024-04-29", supplies=supplies))


def test_one_result_satisfies_several_protocols_and_the_shorter_interval_wins():
    tables = {
        "supplies": """
        patient_id  medicine    supplied_on  days_supplied
        anna        olanzapine  2023-01-01   400
        anna        lithium     2023-01-01   400
        anna        olanzapine  2024-02-01   400
        anna        lithium     2024-02-01   400
        """,
        "referrals": """
        patient_id  team_id  opened_on
        anna        t1       2023-01-01
        """,
        "results": """
        patient_id  test    taken_on    value  unit
        anna        weight  2024-06-01  81     kg
        """,
    }
    made = records(**tables)
    frame = find_gaps(made, "2024-12-27", ["anna"])
    never = frame[frame.code == "MONITORING_NEVER_DONE"].iloc[0]
    assert "weight" not in never["value"], "lithium's 6-monthly weight check is past due, but it has been recorded"
    overdue = build(made, spine("anna 2024-12-26", "anna 2024-12-27"), ["tests_overdue"]).values[:, 0]
    assert overdue[1] == overdue[0] + 1, (
        "lithium asks every 180 days (due 28 November, 28 days of grace), the SMI check only every 365"
    )


@pytest.mark.parametrize(
    ("as_of", "days"), [("2025-06-28", None), ("2025-06-29", 0), ("2025-06-30", 1), ("2025-07-04", 5)]
)
def test_feature_and_gap_never_disagree(as_of, days):
    made = records(
        supplies=CLOZAPINE,
        results="""
        patient_id  test  taken_on    value  unit
        anna        anc   2025-06-01  4.4    10^9/L
        """,
    )
    gap = find_gaps(made, as_of).query("code == 'CLZ_FBC_OVERDUE'")
    feature = build(made, spine(f"anna {as_of}"), ["clozapine_fbc_days_past_due"]).values[0, 0]
    if days is None:
        assert gap.empty
        assert feature == -1
        return
    assert gap["days_overdue"].tolist() == [days] == [feature]
    assert gap["due_on"].tolist() == [pd.Timestamp("2025-06-29")]
    assert gap["evidence"].iloc[0][0]["on"] == "2025-06-01"
