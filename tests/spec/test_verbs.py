"""Every verb as a table: a small history in, answers out. The documentation of the vocabulary that a person can check
by eye."""

from __future__ import annotations

import math

import pytest

from features import CATALOGUE, Feature, build
from features.engine import EVER, results_of, stream, supplies_of
from features.spec import outside
from tests.tables import records, spine

CONTACTS = """
patient_id  contact_on  booked_on   mode          kind     outcome               staff_id  known_on    outcome_known_on
anna        2025-01-10  2025-01-01  face_to_face  routine  attended              s1        2025-01-11  2025-01-11
anna        2025-02-10  2025-01-11  video         routine  attended              s1        2025-02-11  2025-02-11
anna        2025-03-12  2025-02-11  telephone     routine  attended              s2        2025-03-13  2025-03-13
anna        2025-04-11  2025-03-13  face_to_face  routine  did_not_attend        s1        2025-03-13  2025-04-12
anna        2025-04-21  2025-04-12  face_to_face  routine  did_not_attend        s1        2025-04-12  2025-04-22
anna        2025-04-25  2025-04-22  text          routine  did_not_attend        -         2025-04-25  2025-04-26
anna        2025-04-30  2025-04-22  face_to_face  routine  attended              s3        2025-04-22  2025-05-03
"""
"""As of 1 May 2025: the last contact's outcome is not known until 3 May, so it has not been attended yet."""

BOOKINGS = """
patient_id  contact_on  booked_on   kind              outcome               known_on    outcome_known_on
anna        2025-03-01  2025-02-19  routine           attended              2025-02-19  2025-03-02
anna        2025-04-20  2025-04-16  routine           did_not_attend        2025-04-16  2025-05-02
anna        2025-04-25  2025-03-25  routine           cancelled_by_service  2025-03-25  2025-04-24
anna        2025-05-01  2025-04-30  routine           cancelled_by_patient  2025-04-30  2025-04-30
anna        2025-05-11  2025-04-21  medicines_review  attended              2025-04-21  2025-05-12
anna        2025-05-11  2025-04-27  routine           planned               2025-04-27  -
anna        2025-05-20  2025-04-30  routine           cancelled_by_patient  2025-04-30  2025-05-01
anna        2025-05-03  2025-05-01  routine           attended              2025-05-01  2025-05-04
anna        2025-05-02  2025-04-29  routine           attended              2025-05-01  2025-05-04
anna        2025-05-05  -           routine           attended              2025-04-29  2025-05-06
"""
"""As of 1 May 2025: two appointments on 11 May, and one on 20 May whose cancellation is not known yet. Of 2 May nobody
knew on 30 April, and no day of booking is known for 5 May."""

PLANNED = """
patient_id  contact_on  booked_on   kind     outcome               known_on    outcome_known_on
anna        2025-02-10  2025-01-01  routine  attended              2025-01-01  2025-02-11
anna        2025-02-20  2025-02-10  routine  cancelled_by_patient  2025-02-10  2025-02-19
anna        2025-03-12  2025-02-20  routine  attended              2025-02-20  2025-03-13
anna        2025-04-21  2025-03-12  routine  attended              2025-03-12  2025-05-01
anna        2025-05-05  2025-04-21  routine  planned               2025-04-21  -
anna        2025-05-06  2025-03-12  routine  planned               2025-05-01  -
"""
"""As of 1 May 2025: what was booked at the contacts of 10 February (10 days ahead, 80 days ago) and of 12 March (40
days ahead, 50 days ago). Nobody was met on 1 January or 20 February. Two things are not known yet: that Anna came on
21 April, and that a second appointment was booked on 12 March."""

WEIGHTS = """
patient_id  test    taken_on    value  unit  known_on
anna        weight  2024-04-01  80     kg    2024-04-02
anna        weight  2025-01-31  84     kg    2025-02-01
anna        weight  2025-03-01  -      -     2025-03-02
anna        weight  2025-04-01  90     kg    2025-04-02
anna        weight  2025-04-20  70     kg    2025-05-01
"""
"""As of 1 May 2025: the check of 1 March has no number, and the value of 20 April becomes known a day too late."""

SUPPLIES = """
patient_id  medicine  supplied_on  days_supplied  known_on
anna        lithium   2025-01-01   28             2025-01-01
anna        lithium   2025-02-05   28             2025-02-05
anna        lithium   2025-03-01   28             2025-03-01
"""
"""Covered 1 - 28 January and, with carry-over, 5 February - 1 April (56 days less one: 5 Feb + 28 = 5 Mar, then 28
more)."""

DEPOTS = """
patient_id  medicine                        kind          supplied_on  interval_days  known_on
anna        haloperidol_decanoate_injection  administered  2025-01-01   28             2025-01-02
anna        haloperidol_decanoate_injection  administered  2025-02-01   28             2025-02-02
anna        haloperidol_decanoate_injection  administered  2025-03-12   28             2025-03-13
"""
"""3 days late, then 11 days late; the next was due on 9 April."""

STAYS = """
patient_id  admitted_on  discharged_on  method     known_on    discharge_known_on
anna        2024-11-01   2024-11-21     emergency  2024-11-02  2024-11-23
anna        2025-04-21   2025-04-28     emergency  2025-04-22  2025-05-02
"""
"""As of 1 May 2025 the second discharge is not known: Anna counts as in hospital, for 10 days."""

ATTENDED = stream("contacts", outcome="attended", mode=("face_to_face", "video", "telephone"))
MISSED = stream("contacts", outcome="did_not_attend", unless={"mode": ("text",)})
OFFERED = stream("contacts", outcome=("attended", "did_not_attend"), unless={"mode": ("text",)})
BOOKED = stream("contacts", given=("booked_on",))
MET = stream("contacts", outcome="attended")
CANCELLED = stream("contacts", on="outcome_known_on", outcome="cancelled_by_patient")
WEIGHED = stream("results", test="weight")
LITHIUM = supplies_of("lithium")
DEPOT = supplies_of("antipsychotic_long_acting_injection")
_MISSED = 0.5 ** (20 / 30) + 0.5 ** (10 / 30)
"""Two missed contacts, 20 and 10 days before 1 May, each counted half as much every 30 days."""
_RECENT = 0.5 / (0.5 + 0.5 ** (80 / 50))
_EARLIER = 1 - _RECENT
"""Shares of two bookings made 50 and 80 days before 1 May, each counted half as much every 50 days."""


def feature(verb: str, main, window: int = EVER, **extra) -> Feature:
    extra = {"missing": "unknown", "low": -1e6, "high": 1e6} | extra
    return Feature(
        "answer",
        "crisis",
        verb,
        main,
        window,
        extra.pop("missing"),
        "any",
        extra.pop("low"),
        extra.pop("high"),
        0,
        "A test.",
        **extra,
    )


@pytest.mark.parametrize(
    ("tables", "asked", "answer"),
    [
        (CONTACTS, feature("count", ATTENDED), 3),
        (CONTACTS, feature("count", ATTENDED, 80), 2),  # 10 February is exactly 80 days before: inside
        (CONTACTS, feature("count", ATTENDED, 79), 1),
        (CONTACTS, feature("days_since_last", ATTENDED), 50),
        (CONTACTS, feature("days_since_first", ATTENDED), 111),
        (CONTACTS, feature("share", MISSED, 90, of=OFFERED), 2 / 4),
        (CONTACTS, feature("recent_share", MISSED, of=OFFERED, number=3), 2 / 3),
        (CONTACTS, feature("fading_count", ATTENDED, number=50), 0.5 + 0.5 ** (80 / 50) + 0.5 ** (111 / 50)),
        (
            CONTACTS,
            feature("fading_count", ATTENDED, number=8),
            0.5 ** (50 / 8) + 0.5**10,
        ),  # 80 days are ten half-lives
        (
            CONTACTS,
            feature("fading_share", MISSED, of=OFFERED, number=30),
            (_MISSED + 0.1) / (_MISSED + 0.5 ** (50 / 30) + 0.5 ** (80 / 30) + 0.5 ** (111 / 30) + 0.5),
        ),
        (CONTACTS, feature("fading_share", MISSED, of=stream("contacts", kind="crisis"), number=30), math.nan),
        (CONTACTS, feature("count_since", MISSED, of=ATTENDED), 2),
        (CONTACTS, feature("gap_ratio", ATTENDED), 50 / 30.5),  # gaps of 31 and 30 days
        (CONTACTS, feature("distinct", ATTENDED, 365, value="staff_id"), 2),
        (CONTACTS, feature("usual_provider", ATTENDED, 365, value="staff_id"), 2 / 3),
        (CONTACTS, feature("never_recorded", stream("contacts", kind="crisis")), 1),
        (CONTACTS, feature("never_recorded", ATTENDED), 0),
        (BOOKINGS, feature("days_to_next_booking", BOOKED), 10),
        (BOOKINGS, feature("next_booking_lead", BOOKED), 20),  # of two on one day the one that was booked first
        (BOOKINGS, feature("bookings_ahead", BOOKED), 3),
        (BOOKINGS, feature("last_booking_lead", BOOKED), 4),  # whether it was attended is not known and not read
        (BOOKINGS, feature("mean_booking_lead", BOOKED, 365), (10 + 4) / 2),
        (BOOKINGS, feature("mean_booking_lead", BOOKED, 60), 4),
        (BOOKINGS, feature("days_between_bookings", BOOKED), 21),
        (PLANNED, feature("planned_gap", BOOKED, of=MET, number=50), 40**_RECENT * 10**_EARLIER),
        (PLANNED, feature("planned_gap", BOOKED, of=MET, number=6), 40),  # 80 days are more than ten half-lives
        (PLANNED, feature("planned_gap", BOOKED, of=stream("contacts", kind="crisis"), number=50), math.nan),
        (BOOKINGS, feature("count", stream("contacts", on="booked_on"), 5), 3),  # made 27 and 30 (twice) April
        (BOOKINGS, feature("days_since_last", stream("contacts", on="booked_on")), 1),
        (BOOKINGS, feature("count", CANCELLED, 30), 1),  # on 30 April for the day itself; 1 May is too late
        (WEIGHTS, feature("count", WEIGHED), 4),
        (WEIGHTS, feature("latest", WEIGHED, value="value"), 90),
        (WEIGHTS, feature("total", WEIGHED, 365, value="value"), 174),
        (WEIGHTS, feature("mean", WEIGHED, 365, value="value"), 87),
        (WEIGHTS, feature("highest", WEIGHED, value="value"), 90),
        (WEIGHTS, feature("lowest", WEIGHED, value="value"), 80),
        (WEIGHTS, feature("change", WEIGHED, 365, value="value"), 6),
        (WEIGHTS, feature("percent_change", WEIGHED, value="value"), 12.5),
        (WEIGHTS, feature("slope", WEIGHED, 365, value="value"), 6 / 60 * 365.25),
        (WEIGHTS, feature("count", stream("results", test="weight", given=("value",))), 3),
        (
            WEIGHTS,
            feature("days_since_last", results_of("weight_bmi")),
            30,
        ),  # a weight satisfies the check of weight or BMI
        (SUPPLIES, feature("covered_share", LITHIUM, 90), 56 / 90),
        (SUPPLIES, feature("covered_change", LITHIUM, 60), 31 / 60 - 53 / 60),
        (SUPPLIES, feature("supply_gap_days", LITHIUM), 29),  # ran out on 2 April
        (SUPPLIES, feature("supply_left_days", LITHIUM), 0),
        (SUPPLIES, feature("longest_supply_gap", LITHIUM, 365), 29),
        (SUPPLIES, feature("supply_gaps_over", LITHIUM, 365, number=6), 2),  # 29 January - 4 February is 7 days
        (SUPPLIES, feature("supply_gaps_over", LITHIUM, 365, number=7), 1),
        (SUPPLIES, feature("interval_share", LITHIUM, 61), (28 + 4) / 61),  # 4 days left over on 1 March, then 61 days
        (DEPOTS, feature("depot_days_past_due", DEPOT), 22),
        (DEPOTS, feature("depot_late_share", DEPOT, 365, number=7), 1 / 2),
        (DEPOTS, feature("depot_late_band", DEPOT, 365, number=0), 1),
        (DEPOTS, feature("depot_late_band", DEPOT, 365, number=1), 1),
        (DEPOTS, feature("depot_late_band", DEPOT, 365, number=2), 0),
        (DEPOTS, feature("depot_missed_windows", DEPOT, 365), 1),  # 50 days since the last: past the product's 42
        (STAYS, feature("count", stream("stays"), 365), 2),
        (STAYS, feature("days_in_spell", stream("stays"), 365), 30),
        (STAYS, feature("days_in_spell", stream("stays"), 5), 5),
        (STAYS, feature("spell_length", stream("stays")), 10),
        (STAYS, feature("days_since_last", stream("stays", on="discharged_on")), 161),
    ],
    ids=lambda value: f"{value.verb}-{value.window}" if isinstance(value, Feature) else None,
)
def test_a_history_and_its_answer(tables, asked, answer):
    made = records(**{asked.table: tables})
    assert build(made, spine("anna 2025-05-01"), [asked]).values[0, 0] == pytest.approx(answer, rel=1e-6, nan_ok=True)


def test_two_rows_of_one_day_are_one_visit_for_an_injection():
    made = records(
        supplies="""
        patient_id  medicine                         supplied_on  interval_days  dose_mg
        anna        haloperidol_decanoate_injection  2025-01-01   28             50
        anna        haloperidol_decanoate_injection  2025-02-15   28             50
        anna        haloperidol_decanoate_injection  2025-02-15   28             100
        anna        haloperidol_decanoate_injection  2025-03-15   28             50
        """
    )
    asked = [feature("depot_late_share", DEPOT, 365, number=7)]
    assert build(made, spine("anna 2025-04-01"), asked).values[0, 0] == 1 / 2, "one of two was late, not one of three"


def test_the_day_itself_is_not_the_past_even_where_its_outcome_was_known_ahead():
    """A contact cancelled two days before it was due is no cancellation yet at 00:00 of its day, and is one the day
    after."""
    cancelled = """
    patient_id  contact_on  booked_on   outcome               known_on    outcome_known_on
    anna        2025-05-01  2025-04-01  cancelled_by_patient  2025-04-01  2025-04-29
    """
    asked = [feature("count", stream("contacts", outcome="cancelled_by_patient"))]
    made = records(contacts=cancelled)
    assert build(made, spine("anna 2025-05-01", "anna 2025-05-02"), asked).values[:, 0].tolist() == [0, 1]


def test_supply_in_hand_on_the_day_of_discharge_and_the_rhythm_of_collection():
    made = records(
        supplies="""
        patient_id  medicine  supplied_on  days_supplied  known_on
        anna        lithium   2025-01-01   28             2025-01-01
        anna        lithium   2025-01-31   28             2025-01-31
        anna        lithium   2025-02-28   28             2025-02-28
        anna        lithium   2025-04-01   28             2025-04-01
        """,
        stays="""
        patient_id  admitted_on  discharged_on  known_on    discharge_known_on
        anna        2025-03-01   2025-03-18     2025-03-02  2025-03-20
        """,
    )
    names = ["lithium_in_hand_at_discharge", "lithium_pick_up_spread_365d"]
    in_hand, spread = build(made, spine("anna 2025-05-01"), names).values[0]
    assert in_hand == 10, "28 February + 28 days is 28 March"
    assert spread == pytest.approx(((2**2 + 0**2 + 4**2) / 3 - 2**2) ** 0.5), "collected 2, 0 and 4 days late"


def test_days_in_hospital_are_neither_covered_nor_missed():
    tables = {"supplies": SUPPLIES, "stays": "patient_id admitted_on discharged_on\nanna 2025-04-02 2025-04-22"}
    asked = [feature("covered_share", LITHIUM, 90), feature("supply_gap_days", LITHIUM)]
    share, gap = (build(records(**tables), spine("anna 2025-05-01"), [one]).values[0, 0] for one in asked)
    assert share == pytest.approx(56 / 70)
    assert gap == 9


def test_limits_come_from_the_threshold_table():
    made = records(
        results="""
        patient_id  test           taken_on    value  unit
        anna        lithium_level  2025-01-01  0.99   mmol/L
        anna        lithium_level  2025-02-01  1.0    mmol/L
        anna        lithium_level  2025-03-01  0.39   mmol/L
        """
    )
    high, low = outside("lithium_level", high="th032"), outside("lithium_level", low="th028")
    values = [build(made, spine("anna 2025-05-01"), [feature("count", of)]).values[0, 0] for of in (high, low)]
    assert values == [1, 1], "1.0 is high, 0.4 would not be low"


def test_every_verb_of_the_catalogue_is_documented_by_a_table():
    here = {"in_hand_at_discharge", "pick_up_spread"}
    drawn = {case[1].verb for case in test_a_history_and_its_answer.pytestmark[0].args[1]} | here
    elsewhere = {
        "regimen",
        "days_past_due",
        "tests_due",
        "tests_overdue",
        "tests_unsure",
        "complete_share",
        "blood_colour",
    }
    assert {f.verb for f in CATALOGUE} <= drawn | elsewhere, (
        "the others are drawn in test_schedule.py and test_regimen.py"
    )
