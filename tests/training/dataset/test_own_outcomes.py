"""A trust's own outcomes as tables: which row has an event, which has none, and which is not at risk."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records
from training.dataset.labels import UNDER_WAY, follow_up
from training.dataset.own_outcomes import IN_EPISODE, NOT_TAKEN
from training.outcome_settings import OutcomeSettings

AS_OF = dt.date(2024, 6, 1)


def day(after: int) -> str:
    """A date so many days after ``AS_OF``."""
    return str(AS_OF + dt.timedelta(days=after))


def records_of(contacts=(), supplies=(), stays=(), conditions=(), closed=(None, None), died=None) -> Records:
    frames = {
        "patients": pd.DataFrame({"patient_id": ["anna"], "died_on": [died]}),
        "teams": pd.DataFrame({"team_id": ["t"], "kind": ["A06"]}),
        "referrals": pd.DataFrame(
            {
                "patient_id": ["anna"],
                "referral_id": ["r"],
                "team_id": ["t"],
                "opened_on": [day(-900)],
                "closed_on": closed[0],
                "close_reason": closed[1],
            }
        ),
        # Someone is seen long afterwards, so that the extract does not end within a window.
        "contacts": pd.DataFrame(
            [("anna", f"c{n}", *one) for n, one in enumerate((*contacts, (day(400), "routine", "attended")))],
            columns=["patient_id", "contact_id", "contact_on", "kind", "outcome"],
        ).assign(mode="face_to_face"),
    }
    if supplies:
        frames["supplies"] = pd.DataFrame(
            [("anna", *one) for one in supplies], columns=["patient_id", "medicine", "supplied_on", "days_supplied"]
        ).assign(kind="dispensed", route="oral")
    if stays:
        frames["stays"] = pd.DataFrame(
            [("anna", *one) for one in stays], columns=["patient_id", "admitted_on", "discharged_on", "method", "ward"]
        )
    if conditions:
        frames["conditions"] = pd.DataFrame(
            [("anna", "diagnosis", *one) for one in conditions],
            columns=["patient_id", "category", "label", "recorded_on"],
        )
    return Records.from_frames(frames, today=dt.date(2030, 1, 1))


def status(records: Records, own: dict, horizon: int = 90) -> str:
    settings = OutcomeSettings(horizons={"mine": (horizon,)}, own={"mine": {"means": "made up in a test", **own}})
    spine = pd.DataFrame({"patient_id": ["anna"], "as_of": [pd.Timestamp(AS_OF)]})
    return str(follow_up(records, spine, settings).new_only().status("mine", horizon)[0])


CRISIS = {"events": [{"table": "contacts", "where": {"kind": ["crisis"]}}]}
RELAPSE = {
    "events": [
        {"table": "contacts", "where": {"kind": ["crisis"]}},
        {"table": "stays", "where": {"method": ["emergency"]}},
        {"table": "conditions", "where": {"label": ["Relapse of schizophrenia"]}},
    ]
}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"contacts": [(day(0), "crisis", "attended")]}, "event"),
        ({"contacts": [(day(89), "crisis", "attended")]}, "event"),
        ({"contacts": [(day(90), "crisis", "attended")]}, "none"),
        ({"contacts": [(day(-28), "crisis", "attended"), (day(10), "crisis", "attended")]}, "event"),
        ({"contacts": [(day(-27), "crisis", "attended"), (day(10), "crisis", "attended")]}, IN_EPISODE),
        ({"contacts": [(day(5), "crisis", "did_not_attend")]}, "none"),  # nobody came: no crisis contact took place
        ({"contacts": [(day(5), "routine", "attended")]}, "none"),
        ({"contacts": [(day(5), "crisis", "attended")], "died": day(4)}, "exit: died"),
        ({"contacts": [(day(5), "crisis", "attended")], "died": day(5)}, "event"),
        ({"closed": (day(5), "moved_away")}, "exit: moved_away"),
        ({"stays": [(day(-3), day(20), "emergency", "acute")]}, "in hospital, not yet known"),
        ({}, "none"),
    ],
)
def test_a_contact_of_one_kind(told, expected):
    assert status(records_of(**told), CRISIS) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"stays": [(day(30), day(40), "emergency", "acute")]}, "event"),
        ({"stays": [(day(30), day(40), "planned", "acute")]}, "none"),
        ({"conditions": [("Relapse of schizophrenia", day(30))]}, "event"),
        ({"conditions": [("Asthma", day(30))]}, "none"),
        (
            {"contacts": [(day(-5), "crisis", "attended")], "stays": [(day(9), day(12), "emergency", "acute")]},
            IN_EPISODE,
        ),
    ],
)
def test_any_of_several_kinds_is_the_event(told, expected):
    assert status(records_of(**told), RELAPSE) == expected


def clozapine(*supplies: tuple[int, int]) -> dict:
    return {"supplies": [("clozapine", day(first), days) for first, days in supplies]}


STOP = {"stop": {"medicines": ["clozapine"], "days_without": 28}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (clozapine((-20, 28), (8, 28)), "event"),  # runs out on day 36, and day 64 completes four weeks without
        (clozapine((-20, 28), (8, 55)), "none"),  # runs out on day 63: complete on day 91
        (clozapine((-20, 28), (35, 28), (63, 28)), "none"),  # 27 days without are a gap, not a stop
        (clozapine((-20, 28), (36, 28), (64, 28)), "event"),
        (clozapine((-40, 28)), UNDER_WAY),  # ran out before as_of: the days without had begun
        (clozapine((-100, 28)), NOT_TAKEN),
        (clozapine((-100, 28), (20, 28)), NOT_TAKEN),  # a start, not a stop
        ({}, NOT_TAKEN),
        ({**clozapine((-20, 28)), "stays": [(day(10), day(70), "emergency", "acute")]}, "none"),  # the ward supplies
        ({**clozapine((-20, 28)), "stays": [(day(10), day(40), "emergency", "acute")]}, "event"),
        ({**clozapine((-20, 28)), "died": day(20)}, "exit: died"),
        ({"supplies": [("olanzapine", day(-20), 28)]}, NOT_TAKEN),
    ],
)
def test_the_stop_of_a_medicine(told, expected):
    assert status(records_of(**told), STOP) == expected


def test_a_stop_of_two_medicines_needs_both_supplies_to_end():
    own = {"stop": {"medicines": ["clozapine", "olanzapine"], "days_without": 28}}
    switched = [("clozapine", day(-20), 28), ("olanzapine", day(10), 28), ("olanzapine", day(38), 60)]
    assert status(records_of(supplies=switched), own) == "none"
    assert status(records_of(supplies=switched), STOP) == "event"
