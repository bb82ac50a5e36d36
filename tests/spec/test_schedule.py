"""Due or done, drawn as tables: the monitoring protocols as docs/clinical.md section 0 reads them."""

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
    anna        anc   {last_count}  6.1    10^9/L
    anna        wbc   {last_count}  6.1    10^9/L
    """
    days = past_due("clozapine_fbc_days_past_due", as_of, supplies=CLOZAPINE, results=counts)
    assert days == expected


def test_no_count_on_the_course_counts_from_the_start_of_the_phase():
    assert past_due("clozapine_fbc_days_past_due", "2024-01-20", supplies=CLOZAPINE) == 19  # baseline was due on day 0
    before = """
    patient_id  test  taken_on    value  unit
    anna        anc   2023-12-28  6.1    10^9/L
    anna        wbc   2023-12-28  6.1    10^9/L
    """
    assert (
        past_due("clozapine_fbc_days_past_due", "2024-01-20", supplies=CLOZAPINE, results=before) == 11
    )  # due 1 + 7 days in


def test_a_result_known_late_is_not_a_result_yet():
    late = """
    patient_id  test  taken_on    value  unit    known_on
    anna        anc   2025-06-01  6.1    10^9/L  2025-06-03
    anna        wbc   2025-06-01  6.1    10^9/L  2025-06-03
    anna        anc   2025-06-27  6.1    10^9/L  2025-07-05
    anna        wbc   2025-06-27  6.1    10^9/L  2025-07-05
    """
    assert past_due("clozapine_fbc_days_past_due", "2025-07-01", supplies=CLOZAPINE, results=late) == 2
    assert past_due("clozapine_fbc_days_past_due", "2025-07-05", supplies=CLOZAPINE, results=late) == 6, (
        "known that day"
    )
    assert past_due("clozapine_fbc_days_past_due", "2025-07-06", supplies=CLOZAPINE, results=late) == -19


def test_a_supply_known_on_the_day_itself_is_not_known_yet():
    supply = "patient_id medicine supplied_on days_supplied known_on\nanna clozapine 2025-07-01 28 2025-07-05"
    assert pd.isna(past_due("clozapine_fbc_days_past_due", "2025-07-05", supplies=supply))
    assert past_due("clozapine_fbc_days_past_due", "2025-07-06", supplies=supply) == 5


def test_a_break_of_more_than_4_weeks_is_a_new_start_not_six_weekly_counts():
    """On day 50 after the restart: weekly for 18 weeks after a new start; after a shorter break 4-weekly again since
    day 42."""
    supplies = """
    patient_id  medicine   supplied_on  days_supplied
    anna        clozapine  2023-01-01   400
    anna        clozapine  2024-02-05   100
    anna        clozapine  {restart}    400
    """
    results = "patient_id test taken_on value unit\nanna anc {last} 6.0 10^9/L\nanna wbc {last} 6.0 10^9/L"

    def late(restart: str, last: str, as_of: str) -> float:
        tables = {"supplies": supplies.format(restart=restart), "results": results.format(last=last)}
        return past_due("clozapine_fbc_days_past_due", as_of, **tables)

    assert late("2024-06-12", "2024-07-29", "2024-08-06") == -20, (
        "28 days of break: day 47 is past the six weeks, 4-weekly again"
    )
    assert late("2024-06-13", "2024-07-29", "2024-08-06") == 1, "29 days of break: a new start, weekly"


def test_a_course_ends_after_more_than_90_days_without_supply():
    supplies = """
    patient_id  medicine  supplied_on  days_supplied
    anna        lithium   2024-01-01   28
    """
    level = "lithium_level_days_past_due"
    assert (
        past_due(level, "2024-04-28", supplies=supplies) == 111
    )  # due on day 7; 90 days after supply ended it is still the course
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
        anna        wbc   2025-06-01  4.4    10^9/L
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


@pytest.mark.parametrize(
    ("counts", "registered", "colour"),
    [
        ((3.5,), False, 0),  # the green limit itself
        ((3.49,), False, 1),
        ((2.99,), False, 2),
        ((3.0,), False, 1),
        ((3.0,), True, 0),  # benign ethnic neutropenia: 0.5 lower
        ((2.99,), True, 1),
        ((2.5,), True, 1),
        ((2.49,), True, 2),
        ((3.2, 4.0), False, 0),  # amber lasts until a green count
        ((2.5, 4.0), False, 2),  # red lasts until two greens in a row
        ((2.5, 4.0, 3.2, 4.0), False, 2),
        ((2.5, 4.0, 4.0), False, 0),
    ],
)
def test_the_colour_of_the_blood_count(counts, registered, colour):
    rows = "\n".join(
        f"anna wbc 2025-06-{day + 1:02d} {count} 10^9/L\nanna anc 2025-06-{day + 1:02d} 4.0 10^9/L"
        for day, count in enumerate(counts)
    )
    tables = {"supplies": CLOZAPINE, "results": "patient_id test taken_on value unit\n" + rows}
    if registered:
        tables["circumstances"] = "patient_id kind value from_on\nanna benign_ethnic_neutropenia yes 2024-01-01"
    assert past_due("clozapine_blood_colour", "2025-06-20", **tables) == colour


def test_an_amber_count_asks_for_the_next_within_3_days_and_a_red_one_daily():
    for count, due in ((3.2, 3), (2.5, 1)):
        results = (
            f"patient_id test taken_on value unit\nanna wbc 2025-06-01 {count} 10^9/L\nanna anc 2025-06-01 4.0 10^9/L"
        )
        assert past_due("clozapine_fbc_days_past_due", "2025-06-10", supplies=CLOZAPINE, results=results) == 9 - due


LITHIUM = """
patient_id  medicine  supplied_on  days_supplied
anna        lithium   2023-01-01   400
anna        lithium   2024-02-01   400
"""
LEVEL = "patient_id test taken_on value unit\nanna lithium_level 2024-06-01 {value} mmol/L"


@pytest.mark.parametrize(
    ("value", "birth_date", "other", "due_after"),
    [
        (0.6, "1980-01-01", "", 180),
        (0.6, "-", "", 180),  # age not recorded: the 6-monthly level still applies
        (0.8, "1980-01-01", "", 90),  # last level 0.8 or more: high risk
        (0.6, "1955-01-01", "", 90),  # 65 and over
        (0.6, "1980-01-01", "\nanna ibuprofen 2024-07-20 28", 90),  # an interacting medicine
    ],
)
def test_lithium_levels_are_3_monthly_for_people_at_higher_risk(value, birth_date, other, due_after):
    tables = {
        "patients": f"patient_id birth_date\nanna {birth_date}",
        "supplies": LITHIUM + other,
        "results": LEVEL.format(value=value),
    }
    if other:
        tables["results"] += "\nanna lithium_level 2024-07-27 0.6 mmol/L"
        assert past_due("lithium_level_days_past_due", "2024-08-05", **tables) == 9 - due_after
        return
    assert past_due("lithium_level_days_past_due", "2024-08-01", **tables) == 61 - due_after


def test_an_interacting_medicine_or_a_dose_change_asks_for_a_level_within_a_week():
    supplies = LITHIUM + "\nanna ibuprofen 2024-07-20 28"
    due = {
        "supplies": supplies,
        "results": LEVEL.format(value=0.6),
        "patients": "patient_id birth_date\nanna 1980-01-01",
    }
    assert past_due("lithium_level_days_past_due", "2024-07-31", **due) == 4, (
        "due on 27 July, 7 days after ibuprofen was started"
    )


def test_weekly_counts_for_six_weeks_after_a_clozapine_break_by_the_services_limit():
    supplies = """
    patient_id  medicine   supplied_on  days_supplied
    anna        clozapine  2023-01-01   400
    anna        clozapine  2024-02-05   100
    anna        clozapine  {restart}    400
    """
    results = "patient_id test taken_on value unit\nanna anc {last} 6.0 10^9/L\nanna wbc {last} 6.0 10^9/L"
    service = "patient_id kind value from_on\nanna clozapine_service {service} 2023-01-01"

    def late(restart: str, name: str) -> float:
        return past_due(
            "clozapine_fbc_days_past_due",
            "2024-06-03",
            supplies=supplies.format(restart=restart),
            results=results.format(last="2024-05-24"),
            circumstances=service.format(service=name),
        )

    ran_out = "supply ran out on 15 May"
    assert late("2024-05-18", "DMS") == -18, f"{ran_out}: 3 days are not more than 72 hours, 4-weekly"
    assert late("2024-05-19", "DMS") == 3, f"{ran_out}: more than 72 hours, weekly"
    assert late("2024-05-19", "CPMS") == -18, f"{ran_out}: not more than 96 hours"
    assert late("2024-05-20", "CPMS") == 3


def test_cannot_assess_is_not_overdue():
    made = records(
        patients="patient_id\nanna",
        supplies="patient_id medicine supplied_on days_supplied\nanna valproate 2024-01-01 400",
    )
    unsure, overdue = build(made, spine("anna 2024-06-01"), ["tests_unsure", "valproate_tests_overdue"]).values[0]
    assert unsure >= 1, "whether the pregnancy prevention programme applies is not recorded"
    assert overdue >= 1


def test_every_protocol_row_is_scheduled():
    from features.monitoring import due_dates
    from features.reference import PROTOCOLS

    scheduled = {row.id for item in due_dates.items() for row in item.rows}
    assert scheduled == {row.id for row in PROTOCOLS}
    assert len(scheduled) == 218


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phase": "sometimes"}, "row mp001: phase must be one of"),
        ({"test": "nosuch"}, "row mp001: test is not in tests.csv"),
        ({"from_day": ""}, "row mp001: from_day is blank"),
        ({"interval_days": "", "to_day": ""}, "row mp001: needs interval_days, or to_day"),
        ({"interval_days": "often"}, "row mp001: field interval_days must be a number"),
    ],
)
def test_a_protocol_row_that_cannot_be_read_stops_with_its_id(change, message):
    from features.reference.files import ReferenceTableError, read_rows
    from features.reference.monitoring.protocols import _protocol

    with pytest.raises(ReferenceTableError, match=message):
        _protocol(next(read_rows("monitoring_protocols")) | change)


def test_clozapine_that_was_stopped_asks_for_the_last_count_and_then_for_nothing():
    supplies = (
        "patient_id medicine supplied_on days_supplied\nanna clozapine 2023-01-01 400\nanna clozapine 2024-02-05 100"
    )
    results = "patient_id test taken_on value unit\nanna anc 2024-05-01 6.0 10^9/L\nanna wbc 2024-05-01 6.0 10^9/L"
    ran_out = pd.Timestamp("2024-05-15")

    def late(days: int) -> float:
        as_of = (ran_out + pd.Timedelta(days=days)).date().isoformat()
        return past_due("clozapine_fbc_days_past_due", as_of, supplies=supplies, results=results)

    assert late(20) == 6, "still the course: 4 weeks after 1 May"
    assert late(29) == 1, "28 days after supply ran out the course has ended; the count 4 weeks after stopping is due"
    assert late(118) == 90
    assert pd.isna(late(119)), "a check that an event asked for lapses after 90 days"


def test_a_supply_collected_early_carries_over_in_every_course():
    supplies = """
    patient_id  medicine  supplied_on  days_supplied
    anna        lithium   2024-01-01   28
    anna        lithium   2024-01-22   28
    """
    level = "lithium_level_days_past_due"
    assert past_due(level, "2024-05-26", supplies=supplies) == 139, (
        "supply lasts to 26 February; 90 days after it the course goes on"
    )
    assert pd.isna(past_due(level, "2024-05-27", supplies=supplies))


@pytest.mark.parametrize(
    ("sex", "birth_date", "told", "due"),
    [
        ("male", "1980-01-01", "", None),
        ("female", "1980-01-01", "yes", 30),
        ("female", "1980-01-01", "no", None),
        ("female", "1980-01-01", "", None),  # cannot be assessed: a question, never an overdue test
        ("female", "1960-01-01", "", None),
        ("male", "1980-01-01", "yes", 30),  # what is recorded about the person goes before what their sex suggests
    ],
)
def test_a_pregnancy_test_before_clozapine_is_asked_of_nobody_who_cannot_be_pregnant(sex, birth_date, told, due):
    tables = {
        "patients": f"patient_id sex birth_date\nanna {sex} {birth_date}",
        "supplies": "patient_id medicine supplied_on days_supplied\nanna clozapine 2024-01-01 400",
    }
    if told:
        tables["circumstances"] = f"patient_id kind value from_on\nanna childbearing_potential {told} 2020-01-01"
    found = past_due("pregnancy_status_days_past_due", "2024-01-31", **tables)
    assert (None if pd.isna(found) else found) == due
