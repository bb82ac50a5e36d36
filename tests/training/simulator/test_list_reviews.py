"""The simulator answers back: reviews from a list do what is planted, to the people reviewed and to nobody else."""

from __future__ import annotations

import pandas as pd
import pytest

from training.simulator import World, simulate

DAY = pd.Timestamp("2023-02-06")
IDS = [f"S{number + 1:06d}" for number in range(800)]
REVIEWED = IDS[::2]
"""Every other person, so that chance alone decides who is reviewed."""
EVENT_DAY = {
    "contacts": "contact_on", "supplies": "supplied_on", "results": "taken_on", "stays": "admitted_on",
    "referrals": "opened_on", "circumstances": "from_on", "conditions": "recorded_on",
}  # fmt: skip
KNOWN_LATER = {"contacts": "outcome_known_on", "stays": "discharge_known_on", "referrals": "closed_known_on"}
"""Rows of an earlier event whose last column becomes known after the review are left out of what must be the same."""


def played(effect, reviewed=True):
    world = World(review_effect=effect, submission_gap=0.0, duplicate_rows=0.0)
    reviews = pd.DataFrame({"patient_id": REVIEWED, "reviewed_on": DAY}) if reviewed else None
    return simulate(len(IDS), 2, seed=5, teams=4, world=world, reviews=reviews)


@pytest.fixture(scope="module")
def without():
    return played(2.0, reviewed=False)


@pytest.fixture(scope="module")
def trust():
    return played(2.0)


def after(trust, table, days=700, **columns):
    """Rows of the reviewed people within days after the review."""
    frame = trust.frames[table]
    since = (frame[EVENT_DAY[table]] - DAY).dt.days
    frame = frame[frame["patient_id"].isin(REVIEWED) & since.between(0, days)]
    for name, value in columns.items():
        frame = frame[frame[name] == value]
    return frame


def same(without, trust, table, keep):
    before, now = (one.frames[table] for one in (without, trust))
    pd.testing.assert_frame_equal(
        before[keep(before)].reset_index(drop=True), now[keep(now)].reset_index(drop=True), check_exact=True
    )


@pytest.mark.parametrize("table", EVENT_DAY)
def test_the_records_of_everybody_else_are_the_same(without, trust, table):
    same(without, trust, table, lambda rows: ~rows["patient_id"].isin(REVIEWED))


@pytest.mark.parametrize("table", EVENT_DAY)
def test_what_was_recorded_before_the_review_is_the_same(without, trust, table):
    late = KNOWN_LATER.get(table, "known_on")

    def settled(rows):
        return (rows[EVENT_DAY[table]] < DAY) & (rows["known_on"] < DAY) & (rows[late] < DAY)

    same(without, trust, table, settled)
    assert settled(trust.frames[table]).sum() > 100


def test_the_review_is_an_attended_contact_of_each_reviewed_person_who_was_in_the_community(trust):
    seen = set(after(trust, "contacts", days=0, kind="medicines_review", outcome="attended")["patient_id"])
    some = REVIEWED[:120]
    where = {person: trust.truth.course(person).set_index("day")["where"].get(DAY, "not there") for person in some}
    community = {person for person in some if where[person] == "community"}
    assert seen & set(some) == community and 50 < len(community) < len(some)


def test_reviewed_people_collect_more_and_fewer_missed_doses_are_reported(without, trust):
    """The planted effect is on taking tablets; the records show it where staff can."""
    collected = [after(one, "supplies", 150, kind="dispensed")["days_supplied"].sum() for one in (without, trust)]
    assert collected[1] > 1.03 * collected[0]
    told = [len(after(one, "circumstances", 365, kind="reported_missed_doses")) for one in (without, trust)]
    assert told[1] < 0.85 * told[0]


def test_reviews_raise_true_adherence_unless_the_world_says_they_do_nothing(without, trust):
    def taking(one, person):
        course = one.truth.course(person).set_index("day")
        return course.loc[DAY : DAY + pd.Timedelta(days=30), "takes_medicine"].mean()

    seen = after(trust, "contacts", days=0, kind="medicines_review", outcome="attended")["patient_id"].head(15)
    lifted = [taking(trust, person) - taking(without, person) for person in seen]
    assert min(lifted) > 0
    idle, idle_without = played(0.0), played(0.0, reviewed=False)
    changed = [taking(idle, person) - taking(idle_without, person) for person in seen]
    assert sum(changed) < 0.2 * sum(lifted)  # a review is a contact too, and contacts support


def clozapine_days(trust, after_due, late_by):
    """patient_id and reviewed_on: for each person whose count was at least ``late_by`` days late once, a day
    ``after_due`` days after it was due. A count allows the supply until the next is due.
    """
    given = trust.frames["supplies"].query("medicine == 'clozapine' and kind == 'dispensed'")
    given = given.sort_values(["patient_id", "supplied_on"])
    due = given["supplied_on"] + pd.to_timedelta(given["days_supplied"], unit="D")
    late = given.groupby("patient_id")["supplied_on"].shift(-1) >= due + pd.Timedelta(days=late_by)
    days = given.assign(reviewed_on=due + pd.Timedelta(days=after_due))[late]
    return days.drop_duplicates("patient_id")[["patient_id", "reviewed_on"]]


@pytest.mark.parametrize(("after_due", "least", "most"), [(1, 0.5, 1.0), (-4, 0.0, 0.1)], ids=["due", "not yet due"])
def test_a_review_gets_a_clozapine_blood_count_done_that_is_due_and_no_other(without, after_due, least, most):
    """Without the review nobody has a count on these days. The others are on a ward, or a visit is booked that day."""
    reviews = clozapine_days(without, after_due, late_by=4)
    now = simulate(len(IDS), 2, seed=5, teams=4, world=without.truth.world, reviews=reviews).frames["results"]
    counts = now[now["test"] == "anc"]
    done = reviews.merge(counts, left_on=["patient_id", "reviewed_on"], right_on=["patient_id", "taken_on"])
    assert len(reviews) > 20 and least <= done["patient_id"].nunique() / len(reviews) <= most
