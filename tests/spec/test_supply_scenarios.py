"""Supplies as they come in practice: small tables in, days in hand and gaps out. Each answer was worked out by hand
before it was run."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records, build, find_gaps
from tests.tables import TODAY

LEFT, COVERED, DOSE = "antipsychotic_supply_left_days", "antipsychotic_covered_share_90d", "percent_of_max"
DAY = dt.timedelta(days=1)


def on(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def supply(day: str | dt.date, medicine: str = "clozapine", days: float | None = 28, **more: object) -> dict:
    day = on(day) if isinstance(day, str) else day
    row = {"patient_id": "anna", "medicine": medicine, "kind": "dispensed", "supplied_on": day, "days_supplied": days}
    return row | {"known_on": day} | more


def every(first: str, step: int, count: int, **more: object) -> list[dict]:
    return [supply(on(first) + step * n * DAY, **more) for n in range(count)]


def of(*rows: dict, stays: list[dict] | None = None) -> Records:
    frames = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "supplies": pd.DataFrame(list(rows), dtype="object")}
    if stays:
        frames["stays"] = pd.DataFrame(stays).assign(patient_id="anna")
    return Records.from_frames(frames, today=TODAY)


def value(records: Records, day: str, *names: str) -> list[float]:
    spine = pd.DataFrame({"patient_id": ["anna"], "as_of": [on(day)]})
    return [round(float(found), 3) for found in build(records, spine, list(names)).values[0]]


def gaps(records: Records, day: str, code: str) -> list[str]:
    found = find_gaps(records, day)
    return found[found.code == code].value.tolist()


def test_three_packs_on_one_day_are_one_supply_of_all_their_doses():
    """300 mg as 100 mg and 200 mg packs of 28 days, and a starter pack of 25 mg for 7 days."""
    packs = [supply("2025-10-01", daily_dose_mg=mg, days=days) for mg, days in ((200, 28), (100, 28), (25, 7))]
    assert value(of(*packs), "2025-10-02", LEFT, DOSE) == [27, round(325 / 9, 3)]


def test_a_switch_of_strength_while_the_old_one_is_in_hand():
    """Collected ten days early because the dose went up: the new dose counts, and a week of the old tablets."""
    rows = [supply("2025-10-01", daily_dose_mg=200.0), supply("2025-10-19", daily_dose_mg=300.0)]
    assert value(of(*rows), "2025-10-20", LEFT, DOSE) == [7 + 28 - 1, round(300 / 9, 3)]


def test_collected_every_26_days_for_two_years_and_then_nothing_for_40_days():
    rows = every("2023-11-04", 26, 28)
    last = rows[-1]["supplied_on"]
    (said,) = gaps(of(*rows), str(last + 40 * DAY), "CLZ_BREAK")
    # 28 days from a week after the last collection: 35 days after it, so for five days nothing
    assert said.startswith(f"supply recorded ran out on {last + 35 * DAY}, 5 days ago")


def test_weekly_dispensing_that_stops_is_seen_after_a_week():
    rows = every("2025-08-04", 7, 10, days=7, medicine="olanzapine")
    ran_out = rows[-1]["supplied_on"] + 7 * DAY
    assert gaps(of(*rows), str(ran_out + 6 * DAY), "SUPPLY_GAP_ORAL") == []
    (said,) = gaps(of(*rows), str(ran_out + 7 * DAY), "SUPPLY_GAP_ORAL")
    assert "supplied weekly before" in said


def test_a_monthly_prescription_dispensed_week_by_week_is_the_weeks_that_were_collected():
    rows = [supply("2025-10-01", kind="prescribed"), *every("2025-10-01", 7, 2, days=7)]
    assert value(of(*rows), "2025-10-16", LEFT) == [0]
    assert gaps(of(*rows), "2025-10-20", "CLZ_BREAK") != []


def test_doses_given_on_the_ward_do_not_take_away_the_tablets_to_take_home():
    """Admitted for two weeks, every dose charted; 14 days to take home on the day of discharge, then nothing."""
    charted = every("2025-10-01", 1, 14, kind="administered", days=None)
    home = supply("2025-10-15", days=14)
    stay = {"admitted_on": on("2025-10-01"), "discharged_on": on("2025-10-15"), "known_on": on("2025-10-01")}
    stay |= {"discharge_known_on": on("2025-10-15")}
    made = of(*charted, home, stays=[stay])
    assert value(made, "2025-10-20", LEFT) == [9]
    assert gaps(made, "2025-10-28", "CLZ_BREAK") == []
    (said,) = gaps(made, "2025-11-02", "CLZ_BREAK")
    assert said.startswith("supply recorded ran out on 2025-10-29, 4 days ago")


def test_a_dose_given_at_the_clinic_neither_ends_nor_lengthens_the_supply_in_hand():
    rows = [supply("2025-10-01"), *every("2025-10-22", 1, 7, kind="administered", days=None)]
    assert value(of(*rows), "2025-10-23", LEFT) == value(of(rows[0]), "2025-10-23", LEFT) == [6]
    assert value(of(*rows), "2025-10-30", LEFT) == [0]


def test_supervised_doses_alone_are_days_of_cover_and_a_missed_day_is_seen():
    """Six of seven days given: six days covered, and nothing in hand on the morning after."""
    given = [row for row in every("2025-10-01", 1, 7, kind="administered", days=None) if row["supplied_on"].day != 4]
    made = of(*given)
    assert value(made, "2025-10-08", LEFT, COVERED) == [0, round(6 / 90, 3)]
    assert "days_assumed" not in made.report.tables["supplies"].defaults


def test_stock_at_home_is_the_same_for_prescribed_and_dispensed_rows():
    """Lithium for 84 days, collected every 28 days by the same person: a toxic medicine that gathers."""
    one = every("2025-07-01", 28, 5, medicine="lithium", days=84)
    told = [row | {"kind": kind} for row in one for kind in ("prescribed", "dispensed")]
    first, twice = (gaps(of(*rows), "2025-10-30", "STOCK_AT_HOME") for rows in (one, told))
    # 5 x 84 days, less the 121 that passed and the 84 of the latest
    assert first == twice and first[0].startswith("lithium: 215 days of supply more than needed since 2025-07-01")


def test_a_depot_prescribed_dispensed_and_given_is_due_from_the_day_it_was_given():
    depot = {"medicine": "zuclopenthixol decanoate injection", "days": None, "dose_mg": 200.0, "interval_days": 14}
    rows = [
        supply("2025-10-01", kind="prescribed", **depot),
        supply("2025-10-03", **depot),
        supply("2025-10-06", kind="administered", **depot),
        supply("2025-10-20", kind="prescribed", **depot),
        supply("2025-10-22", **depot),
    ]
    assert value(of(*rows), "2025-10-27", "depot_days_past_due") == [7]
    assert len(gaps(of(*rows), "2025-10-27", "LAI_OVERDUE")) == 1


def test_trust_and_gp_both_supply_and_each_counts():
    rows = [supply("2025-10-01", prescriber="trust"), supply("2025-10-01", prescriber="gp")]
    rows += [supply("2025-10-29", prescriber=side) for side in ("trust", "gp")]
    assert value(of(*rows), "2025-10-30", LEFT) == [7 + 28 - 1]


@pytest.mark.parametrize("days", [30, 56, 84, 112])
def test_a_long_supply_lasts_as_long_as_it_says(days):
    made = of(supply("2025-06-01", days=days))
    assert value(made, str(on("2025-06-01") + (days - 1) * DAY), LEFT) == [1]
    assert gaps(made, str(on("2025-06-01") + (days + 3) * DAY), "CLZ_BREAK") != []
