"""The rows behind a feature: only those the feature could read, newest first, worded without anything protected."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from features import CATALOGUE, build
from features.engine.provenance import SourceRows
from features.records import NO_DAY, day_of
from tests.tables import records

AS_OF = day_of("2026-01-05")


def found_behind(rows, chosen, person=0, most=5):
    """The rows behind features at some places, of which the first counts most."""
    weight = np.zeros((1, max(chosen) + 1))
    weight[0, chosen] = range(len(chosen), 0, -1)
    one = np.zeros(1, np.int64)
    return rows.behind(np.array([person]), one, one, weight, [np.array(chosen)], most)


def behind(world, name, person=0, most=5):
    rows = SourceRows(world, AS_OF, [CATALOGUE[name]])
    found = rows.described(found_behind(rows, [0], person, most))
    return [(row.table, row.row, str(row.as_dict()["on"]), row.what) for row in found]


CONTACTS = """
patient_id contact_on mode kind outcome known_on outcome_known_on
anna 2025-10-01 face_to_face routine did_not_attend 2025-10-02 2025-10-02
anna 2025-12-01 face_to_face routine attended 2025-12-02 2025-12-02
anna 2025-12-10 face_to_face medicines_review did_not_attend 2025-12-11 2025-12-12
anna 2025-12-20 face_to_face routine did_not_attend 2025-12-21 2026-01-05
anna 2025-12-28 telephone crisis cancelled_by_service 2025-12-29 2025-12-30
"""


@pytest.mark.parametrize(
    ("feature", "rows"),
    [
        # what became known on the day itself is not read, nor what lies before the window
        ("missed_90d", [("contacts", 2, "2025-12-10", "medicines review contact, missed")]),
        (
            "missed_365d",
            [
                ("contacts", 2, "2025-12-10", "medicines review contact, missed"),
                ("contacts", 0, "2025-10-01", "routine contact, missed"),
            ],
        ),
        ("days_since_attended", [("contacts", 1, "2025-12-01", "routine contact, attended")]),
        ("cancelled_by_service_30d", [("contacts", 4, "2025-12-28", "crisis contact, cancelled by the service")]),
        # the row itself is known, its outcome is not: it is shown without one
        (
            "days_since_any_contact_row",
            [
                ("contacts", 4, "2025-12-28", "crisis contact, cancelled by the service"),
                ("contacts", 3, "2025-12-20", "routine contact"),
                ("contacts", 2, "2025-12-10", "medicines review contact, missed"),
            ],
        ),
        ("admissions_365d", []),
    ],
)
def test_source_rows_of_a_contact_feature(feature, rows):
    assert behind(records(contacts=CONTACTS), feature) == rows


@pytest.mark.parametrize(
    ("contact_on", "rows"), [("2025-10-07", ["2025-10-07"]), ("2025-10-06", [])], ids=["first day", "day before"]
)
def test_a_window_begins_with_its_first_day(contact_on, rows):
    """Ninety days before 5 January 2026 is 7 October 2025: the feature counts that day, so its row is shown."""
    world = records(
        contacts=f"patient_id contact_on mode kind outcome\nanna {contact_on} face_to_face routine did_not_attend"
    )
    spine = pd.DataFrame({"patient_id": ["anna"], "as_of": ["2026-01-05"]})
    assert build(world, spine, ["missed_90d"]).values.tolist() == [[len(rows)]]
    assert [on for _, _, on, _ in behind(world, "missed_90d")] == rows
    found = SourceRows(world, AS_OF, [CATALOGUE["missed_90d"]]).days
    assert found.tolist() == [[day_of(on) for on in rows] or [NO_DAY]]


def test_source_rows_of_each_table_are_described_in_words():
    world = records(
        supplies="patient_id medicine supplied_on days_supplied kind\nanna clozapine 2025-12-01 28 dispensed",
        results="patient_id test taken_on value unit\nanna anc 2025-12-02 3.2 10^9/L\nanna lipids 2025-12-03 - -",
        stays="patient_id admitted_on discharged_on method\nanna 2025-06-01 2025-06-20 emergency",
        referrals="patient_id team_id opened_on closed_on close_reason\nanna t1 2025-01-01 2025-11-01 planned_end",
        conditions="patient_id category code label recorded_on\nanna diagnosis 35919005 autism 2025-01-01",
        circumstances=(
            "patient_id kind value from_on\nanna housing hostel 2025-12-01\nanna substance_use yes "
            "2025-11-01\nanna carer yes 2025-10-01"
        ),
        teams="team_id name kind weekly_reviews\nt1 one A06 3",
    )
    said = {
        name: [row[3] for row in behind(world, name)]
        for name in (
            "clozapine_gap_days",
            "days_since_fbc",
            "clozapine_fbc_days_past_due",
            "days_since_lipids",
            "days_since_discharge",
            "unplanned_admissions_730d",
            "closed_referrals_730d",
            "never_diagnosed",
            "days_since_substance_use",
            "days_since_circumstance",
        )
    }
    assert said == {
        "clozapine_gap_days": ["clozapine dispensed, 28 days"],
        "days_since_fbc": ["neutrophil count 3.2 10^9/L"],
        "clozapine_fbc_days_past_due": ["neutrophil count 3.2 10^9/L"],
        "days_since_lipids": ["lipids done"],
        "days_since_discharge": ["left hospital"],
        "unplanned_admissions_730d": ["went into hospital, emergency"],
        "closed_referrals_730d": ["referral closed"],
        # rule 6: neither the label of a diagnosis nor the kind of a circumstance, and housing is not read at all
        "never_diagnosed": ["diagnosis recorded"],
        "days_since_substance_use": ["substance use recorded"],
        "days_since_circumstance": ["a circumstance recorded", "a circumstance recorded"],
    }


def test_the_age_of_a_source_reads_both_clocks_and_nothing_protected():
    world = records(
        circumstances=(
            "patient_id kind value from_on\nanna housing hostel 2025-12-30\nanna carer yes 2025-10-01\nbede "
            "housing settled 2025-01-01"
        ),
        results="patient_id test taken_on value unit known_on\nanna anc 2025-12-02 3.2 10^9/L 2026-01-05",
    )
    rows = SourceRows(world, AS_OF, list(CATALOGUE))
    both = [list(CATALOGUE).index(CATALOGUE[name]) for name in ("days_since_circumstance", "days_since_fbc")]
    for person, ages in ((0, [96, -1]), (1, [-1, -1])):
        found = found_behind(rows, both, person)
        assert [rows.tables[table] for table in found.tables[0, :2]] == ["circumstances", "results"]
        assert rows.ages(found)[0, :2].tolist() == ages and set(found.tables[0, 2:].tolist()) == {-1}


@pytest.mark.parametrize("verb", ["days_since_last", "count"])
def test_the_newest_row_is_the_one_the_feature_read(verb):
    """Another witness: days since the last event is the day less the day of the newest row; a count above 0 has a row
    and 0 has none."""
    from tests.serving.world import AS_OF as day
    from tests.serving.world import records as trust

    world = trust()
    chosen = [f for f in CATALOGUE if f.verb == verb]
    spine = pd.DataFrame({"patient_id": list(world.patient_ids), "as_of": pd.Timestamp(day)})
    values = build(world, spine, chosen, threads=1).values
    found = SourceRows(world, day_of(day), chosen).days
    some = 0
    for column, feature in enumerate(chosen):
        days = found[:, column]
        has = days != NO_DAY
        if verb == "count":
            assert np.array_equal(values[:, column] > 0, has), feature.name
        else:
            since = np.where(has, day_of(day) - days.astype(np.float64), np.nan)
            assert np.array_equal(values[:, column], since.astype(np.float32), equal_nan=True), feature.name
        some += int(has.sum())
    assert some > 50


def test_one_person_or_many_find_the_same_rows():
    from tests.serving.world import records as trust

    world = trust()
    many = SourceRows(world, AS_OF, tuple(CATALOGUE))
    for place, patient in enumerate(world.patient_ids):
        alone = SourceRows(world.select([patient]), AS_OF, tuple(CATALOGUE))
        for at, feature in enumerate(CATALOGUE):
            both = (rows.described(found_behind(rows, [at], one)) for rows, one in ((many, place), (alone, 0)))
            assert next(both) == next(both), feature.name


def test_an_appointment_ahead_is_shown_on_the_day_it_was_booked_and_without_its_outcome():
    bookings = """
    patient_id contact_on booked_on kind outcome known_on outcome_known_on
    anna 2026-01-20 2025-12-30 routine attended 2025-12-30 2026-01-21
    anna 2026-01-12 2026-01-05 routine attended 2026-01-05 2026-01-13
    """
    rows = [("contacts", 1, "2025-12-30", "routine contact booked for 2026-01-20")]
    assert behind(records(today=dt.date(2026, 2, 1), contacts=bookings), "days_to_next_booking") == rows
