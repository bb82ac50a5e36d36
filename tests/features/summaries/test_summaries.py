"""One person at a glance: small records in, medicines, facts, due dates and register rows out."""

from __future__ import annotations

import numpy as np
import pytest

from features.gaps import people, people_with_gaps
from features.records.days import date_of, day_of
from features.summaries import summary_of
from tests.tables import records

AS_OF = day_of("2026-01-05")


def known(made, as_of=AS_OF):
    return next(iter(people(made, np.array([0]), as_of)))


def summary(**tables):
    return summary_of(known(records(**tables)))


def on(day):
    return None if day is None else date_of(day).isoformat()


OLANZAPINE = """
patient_id medicine   kind      supplied_on days_supplied daily_dose_mg prescriber
anna       olanzapine dispensed 2025-10-20  28            10            trust
anna       olanzapine dispensed 2025-11-17  28            15            trust
anna       olanzapine dispensed 2025-12-15  28            15            gp
"""


def test_a_medicine_has_its_dose_prescriber_start_and_the_day_its_supply_runs_out():
    (one,) = summary(supplies=OLANZAPINE).medicines
    assert (one.name, one.form, one.dose_mg, one.prescriber) == ("olanzapine", "oral", 15.0, "gp")
    assert [on(day) for day in (one.since, one.last, one.next)] == ["2025-10-20", "2025-12-15", "2026-01-12"]
    assert not one.lapsed and not one.injection


def test_a_prescription_and_its_dispensing_are_one_supply():
    twice = OLANZAPINE + "anna olanzapine prescribed 2025-12-15 28 15 gp\n"
    assert summary(supplies=twice).medicines == summary(supplies=OLANZAPINE).medicines


@pytest.mark.parametrize(
    ("as_of", "held"),
    [("2026-02-09", "current"), ("2026-02-10", "lapsed"), ("2026-04-12", "lapsed"), ("2026-04-13", "gone")],
)
def test_a_medicine_is_shown_as_run_out_until_its_course_has_ended(as_of, held):
    found = summary_of(known(records(supplies=OLANZAPINE), day_of(as_of))).medicines
    assert ("gone" if not found else "lapsed" if found[0].lapsed else "current") == held


DEPOT = """
patient_id medicine                               kind         supplied_on interval_days dose_mg
anna       paliperidone_palmitate_1-monthly_injection administered 2025-11-08  28            100
anna       paliperidone_palmitate_1-monthly_injection administered 2025-12-09  28            75
"""


def test_an_injection_is_due_its_interval_after_it_was_last_given_whatever_was_prescribed_since():
    prescribed = DEPOT + "anna paliperidone_palmitate_1-monthly_injection prescribed 2026-01-02 28 150\n"
    for drawn in (DEPOT, prescribed):
        (one,) = summary(supplies=drawn).medicines
        assert (one.dose_mg, one.interval_days, on(one.last), on(one.next)) == (75.0, 28, "2025-12-09", "2026-01-06")


def test_what_is_taken_when_needed_runs_out_on_no_day():
    drawn = """
    patient_id medicine  kind      supplied_on days_supplied daily_dose_mg as_required
    anna       lorazepam dispensed 2025-12-20  14            2             yes
    """
    (one,) = summary(supplies=drawn).medicines
    assert one.as_required and one.next is None


def test_facts_are_the_newest_of_each_and_absence_is_an_empty_list():
    found = summary(
        patients="patient_id birth_date\nanna 1980-01-06",
        conditions="""
        patient_id category  code  label    recorded_on
        anna       diagnosis F20.0 Paranoid 2020-01-01
        anna       diagnosis F20.0 Paranoid 2024-01-01
        anna       allergy   -     Penicillin 2024-02-01
        """,
        circumstances="patient_id kind value from_on\nanna care_coordinator Priya 2025-01-01",
    ).about
    assert found.age == 45  # a day before the birthday
    assert [(one.text, on(one.on)) for one in found.diagnoses] == [("Paranoid (F20.0)", "2024-01-01")]
    assert [one.text for one in found.allergies] == ["Penicillin"]
    assert found.worker and found.worker.text == "Priya"
    assert (found.carer, found.shared_care) == (None, ())


def test_a_code_that_there_is_no_known_allergy_is_said_in_words_without_the_code():
    drawn = """
    patient_id category system    code      label            recorded_on
    anna       allergy  snomed_ct 716186003 no_known_allergy 2024-02-01
    """
    assert [one.text for one in summary(conditions=drawn).about.allergies] == ["no known allergies recorded"]


def test_nothing_that_became_known_later_is_said():
    late = OLANZAPINE.replace("prescriber\n", "prescriber known_on\n").replace("trust\n", "trust 2026-01-01\n")
    (one,) = summary(supplies=late.replace("gp\n", "gp 2026-02-01\n")).medicines
    assert on(one.last) == "2025-11-17"


CLOZAPINE = """
patient_id medicine  kind      supplied_on days_supplied daily_dose_mg
anna       clozapine dispensed 2025-10-27  28            300
anna       clozapine dispensed 2025-11-24  28            300
anna       clozapine dispensed 2025-12-22  28            300
"""
COUNTS = """
patient_id test taken_on   value unit
anna       fbc  2026-01-01 -     -
anna       anc  2025-12-18 3.9   10^9/L
anna       anc  2026-01-01 3.2   10^9/L
anna       wbc  2026-01-01 6.5   10^9/L
"""


def test_two_numbers_of_two_days_each_say_their_day():
    """One day beside two numbers would read as the day of both."""
    earlier = COUNTS.replace("wbc  2026-01-01", "wbc  2025-12-30")
    row = next(row for row in summary(supplies=CLOZAPINE, results=earlier).registers if row.register == "clozapine")
    assert row.result == "neutrophils 3.2 on 2026-01-01, white cells 6.5 on 2025-12-30"


def test_the_clozapine_register_has_the_last_and_next_count_its_result_and_trend():
    found = summary(supplies=CLOZAPINE, results=COUNTS)
    row = next(row for row in found.registers if row.register == "clozapine")
    assert [on(row.last), on(row.next)] == ["2026-01-01", "2026-01-08"]
    assert row.result == "neutrophils 3.2, white cells 6.5"
    assert [value for _, value in row.trend] == [3.9, 3.2]
    assert dict(row.more)["Level"] == "not recorded"
    (due,) = [due for due in found.dues if due.labels[0] == "full blood count"]
    assert on(due.day) == "2026-01-08" and due.scope == "clozapine"


def test_the_interval_that_the_register_gave_sets_the_next_count_as_it_sets_the_gap():
    every = "patient_id kind value from_on\nanna clozapine_interval four_weekly 2025-12-01"
    found = summary(supplies=CLOZAPINE, results=COUNTS, circumstances=every)
    row = next(row for row in found.registers if row.register == "clozapine")
    assert on(row.next) == "2026-01-29" and all(due.labels[0] != "full blood count" for due in found.dues)


def test_a_register_and_a_gap_never_differ_about_what_is_overdue():
    made = records(supplies=CLOZAPINE, results=COUNTS.replace("2026-01-01", "2025-12-26"))
    ((person, gaps),) = people_with_gaps(made, np.array([0]), AS_OF)
    row = next(row for row in summary_of(person).registers if row.register == "clozapine")
    (gap,) = [gap for gap in gaps if gap.code.code == "CLZ_FBC_OVERDUE"]
    assert row.next == gap.due < AS_OF


def test_the_register_of_injections_says_how_late_they_were():
    (row,) = [row for row in summary(supplies=DEPOT).registers if row.register == "injections"]
    assert row.result == "75 mg every 28 days; last given 3 days late"
    assert [value for _, value in row.trend] == [3.0]


def test_an_injection_that_was_never_recorded_as_given_has_no_day():
    (row,) = [
        row
        for row in summary(supplies=DEPOT.replace("administered", "prescribed")).registers
        if row.register == "injections"
    ]
    assert (row.last, row.next, row.result) == (None, None, "supplied; none recorded as given")


@pytest.mark.parametrize(
    ("medicines", "on_registers"),
    [
        (["lithium"], {"lithium"}),
        (["valproate"], {"valproate"}),
        (["topiramate"], {"valproate"}),
        (["clozapine", "carbamazepine"], {"clozapine", "interactions"}),
        (["sertraline"], set()),
    ],
)
def test_who_is_on_which_register(medicines, on_registers):
    rows = "\n".join(f"anna {name} dispensed 2025-12-20 28 10" for name in medicines)
    found = summary(supplies=f"patient_id medicine kind supplied_on days_supplied daily_dose_mg\n{rows}")
    assert {row.register for row in found.registers} == on_registers


@pytest.mark.parametrize(("dose", "is_on"), [(20, False), (25, True)])
def test_the_high_dose_register_begins_above_the_maximum(dose, is_on):
    head = "patient_id medicine kind supplied_on days_supplied daily_dose_mg"
    drawn = f"{head}\nanna olanzapine dispensed 2025-12-20 28 {dose}"
    assert any(row.register == "high-dose" for row in summary(supplies=drawn).registers) is is_on


def test_the_worst_pair_stands_first_on_the_register_of_interactions():
    drawn = """
    patient_id medicine      kind      supplied_on days_supplied daily_dose_mg
    anna       clozapine     dispensed 2025-12-20  28            300
    anna       carbamazepine dispensed 2025-12-21  28            400
    anna       procyclidine  dispensed 2025-12-22  28            10
    """
    (row,) = [row for row in summary(supplies=drawn).registers if row.register == "interactions"]
    assert "carbamazepine" in row.result and "(contraindicated)" in row.result and row.rank == 0
    assert any("procyclidine" in words for _, words in row.more)


def test_checks_of_one_day_are_one_line_and_what_is_past_its_grace_is_a_gap_not_a_due_date():
    found = summary(
        supplies="""
        patient_id medicine kind      supplied_on days_supplied daily_dose_mg
        anna       lithium  dispensed 2025-06-01  300           600
        """,
        results="""
        patient_id test    taken_on   value unit
        anna       egfr    2025-07-15 90    mL/min/1.73m2
        anna       tsh     2025-07-15 2     mU/L
        anna       calcium 2025-07-15 2.4   mmol/L
        """,
    ).dues
    (together,) = [due for due in found if on(due.day) == "2026-01-11"]
    assert {"calcium", "estimated kidney function (eGFR)", "thyroid function"} <= set(together.labels)
    assert not any("lithium level" in due.labels for due in found)
