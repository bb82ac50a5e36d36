"""How long a supply lasts: by days, by quantity and dose, or by a default that is counted and shown."""

from __future__ import annotations

import pytest

from features import Records, build, find_gaps
from tests.tables import TODAY, records, spine, table

HEAD = "patient_id medicine kind supplied_on days_supplied quantity units_a_day strength_mg daily_dose_mg dose_mg\n"


def left(row: str, as_of: str = "2025-01-02") -> float:
    """Days in hand on ``as_of`` of a supply of 1 January."""
    made = records(supplies=f"{HEAD.strip()} known_on\nanna {row} 2025-01-01")
    return float(build(made, spine(f"anna {as_of}"), ["antipsychotic_supply_left_days"]).values[0, 0])


def test_the_days_are_those_that_quantity_and_dose_give():
    cases = {
        "clozapine dispensed 2025-01-01 28 84 1 - - -": 27,  # what the record states stands
        "clozapine dispensed 2025-01-01 - 168 3 - - -": 55,  # 168 tablets, 3 a day
        "clozapine dispensed 2025-01-01 - 84 - 100 300 -": 27,  # 84 tablets of 100 mg, 300 mg a day
        "clozapine dispensed 2025-01-01 - 84 - - 300 100": 27,  # one dose is one tablet where no strength is stated
        "clozapine dispensed 2025-01-01 0 14 2 - - -": 6,  # nobody is handed nothing
        "clozapine dispensed 2025-01-01 - 15 2 - - -": 6,  # half a day is no day
        "clozapine dispensed 2025-01-01 - 1 2 - - -": 0,  # at least the day itself
        "clozapine dispensed 2025-01-01 - 84 - - - -": 27,  # no dose: 28 days, and it is said
        "clozapine dispensed 2025-01-01 - 9999 1 - - -": 27,  # more than 400 days is no length
        "clozapine administered 2025-01-01 - - - - - -": 0,  # a dose that was given lasts its day
        "clozapine administered 2025-01-01 - 1 2 - - -": 0,
    }
    assert {row: left(row) for row in cases} == cases


def test_the_strength_stands_in_the_name_of_the_product():
    supplies = table(HEAD + "anna x dispensed 2025-01-01 - 56 - - 300 -").assign(medicine="Clozapine 100mg tablets")
    made = Records.from_frames({"patients": table("patient_id\nanna"), "supplies": supplies}, today=TODAY)
    assert made["supplies"]["days_supplied"].tolist() == [18.0]


def test_a_dose_of_units_is_a_dose_in_mg():
    made = records(supplies=HEAD + "anna quetiapine dispensed 2025-01-01 28 56 2 300 - -")
    assert made["supplies"]["daily_dose_mg"].tolist() == [600.0]


def test_a_default_is_counted_and_marks_the_gap_that_rests_on_it():
    silent = records(supplies=HEAD + "anna clozapine dispensed 2025-01-01 - - - - 300 -")
    report = silent.report.tables["supplies"]
    assert report.defaults["days_assumed"] == {"value": 28, "rows": 1}
    assert "days_assumed: 1 rows" in "\n".join(silent.report.lines())
    (gap,) = [gap for _, gap in find_gaps(silent, "2025-02-10").iterrows() if gap.code == "CLZ_BREAK"]
    assert gap.value.endswith("days of supply not recorded: 28 days assumed")
    assert gap.evidence[0]["what"] == (
        "last clozapine supply: by supplies in hand until 2025-01-29, counting at most 7 days carried over; "
        "days of supply not recorded: 28 days assumed"
    )


@pytest.mark.parametrize("days", ["28 - - - 300 -", "- 84 3 - - -"])
def test_what_the_record_states_is_not_marked(days):
    made = records(supplies=HEAD + f"anna clozapine dispensed 2025-01-01 {days}")
    assert "days_assumed" not in made.report.tables["supplies"].defaults
    assert "assumed" not in str(find_gaps(made, "2025-02-10").to_dict("records"))


def test_an_injection_without_an_interval_says_so():
    head = "patient_id medicine kind supplied_on dose_mg"
    depot = f"{head}\nanna zuclopenthixol_decanoate_injection administered 2025-01-01 200"
    made = records(supplies=depot)
    assert made.report.tables["supplies"].defaults["days_assumed"]["rows"] == 1
    (gap,) = [gap for _, gap in find_gaps(made, "2025-02-10").iterrows() if gap.code == "LAI_OVERDUE"]
    assert "days between injections not recorded: 14 days assumed" in gap.value
