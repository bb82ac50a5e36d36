"""Who is scored on a date: by both clocks, including people without recent contact."""

import datetime as dt

import pandas as pd
import pytest

from features import Records
from features.engine.caseload import ON_CASELOAD, REASONS, caseload
from features.settings import CohortSettings
from training.dataset import landmarks
from training.errors import NotEnoughData

_, NO_REFERRAL, OUT_OF_SCOPE, DIED, _, INPATIENT = REASONS


def records(referrals, stays=(), died=None, died_known=None, contacts=()):
    """One person; dates as text. referrals (team, opened, known, closed, closed_known); stays (admitted, known,
    discharged, known, ward)."""
    return Records.from_frames(
        {
            "patients": pd.DataFrame({"patient_id": ["p"], "died_on": [died], "known_on": [died_known]}),
            "teams": pd.DataFrame({"team_id": ["cmht", "eip", "liaison"], "kind": ["A06", "A14", "A11"]}),
            "referrals": pd.DataFrame(
                [("p", str(n), *row) for n, row in enumerate(referrals)],
                columns=[
                    "patient_id",
                    "referral_id",
                    "team_id",
                    "opened_on",
                    "known_on",
                    "closed_on",
                    "closed_known_on",
                ],
            ),
            "stays": pd.DataFrame(
                [("p", *row) for row in stays],
                columns=["patient_id", "admitted_on", "known_on", "discharged_on", "discharge_known_on", "ward"],
            ),
            "contacts": pd.DataFrame(
                [("p", str(n), day, "attended") for n, day in enumerate(contacts)],
                columns=["patient_id", "contact_id", "contact_on", "outcome"],
            ),
        },
        today=dt.date(2030, 1, 1),
    )


OPEN = ("cmht", "2024-01-10", "2024-01-12", None, None)
CASES = [
    # what happened                          as_of         outcome
    ("opened, not yet known", [OPEN], [], "2024-01-12", NO_REFERRAL),
    ("known the day before", [OPEN], [], "2024-01-13", ON_CASELOAD),
    ("never seen, five years on", [OPEN], [], "2029-01-13", ON_CASELOAD),
    ("known before it opens", [("cmht", "2024-01-10", "2024-01-01", None, None)], [], "2024-01-10", NO_REFERRAL),
    (
        "closed, not yet known",
        [("cmht", "2024-01-10", "2024-01-12", "2024-03-01", "2024-03-09")],
        [],
        "2024-03-09",
        ON_CASELOAD,
    ),
    (
        "closed and known",
        [("cmht", "2024-01-10", "2024-01-12", "2024-03-01", "2024-03-09")],
        [],
        "2024-03-10",
        NO_REFERRAL,
    ),
    ("liaison only", [("liaison", "2024-01-10", "2024-01-12", None, None)], [], "2024-02-01", OUT_OF_SCOPE),
    ("a team nobody describes", [("stranger", "2024-01-10", "2024-01-12", None, None)], [], "2024-02-01", OUT_OF_SCOPE),
    ("in hospital", [OPEN], [("2024-02-01", "2024-02-02", None, None, "acute")], "2024-02-03", INPATIENT),
    ("admitted, not yet known", [OPEN], [("2024-02-01", "2024-02-02", None, None, "acute")], "2024-02-02", ON_CASELOAD),
    (
        "discharged, not yet known",
        [OPEN],
        [("2024-02-01", "2024-02-02", "2024-02-10", "2024-02-14", "acute")],
        "2024-02-14",
        INPATIENT,
    ),
    (
        "discharged and known",
        [OPEN],
        [("2024-02-01", "2024-02-02", "2024-02-10", "2024-02-14", "acute")],
        "2024-02-15",
        ON_CASELOAD,
    ),
    (
        "discharged on the day itself",
        [OPEN],
        [("2024-02-01", "2024-02-02", "2024-02-10", "2024-02-10", "acute")],
        "2024-02-10",
        INPATIENT,
    ),
    (
        "a place of safety is not a ward",
        [OPEN],
        [("2024-02-01", "2024-02-01", None, None, "place_of_safety")],
        "2024-02-03",
        ON_CASELOAD,
    ),
]


@pytest.mark.parametrize(("what", "referrals", "stays", "as_of", "expected"), CASES, ids=[case[0] for case in CASES])
def test_who_is_scored(what, referrals, stays, as_of, expected):
    people = caseload(records(referrals, stays), as_of)
    assert REASONS[people.reason[0, 0]] == expected
    assert len(people.spine) == (expected == ON_CASELOAD)


@pytest.mark.parametrize(
    ("known", "as_of", "expected"),
    [
        (None, "2024-03-02", DIED),
        ("2024-03-05", "2024-03-05", ON_CASELOAD),
        ("2024-03-05", "2024-03-06", DIED),
        (None, "2024-03-01", ON_CASELOAD),
    ],
)
def test_the_dead_are_not_listed(known, as_of, expected):
    assert REASONS[caseload(records([OPEN], died="2024-03-01", died_known=known), as_of).reason[0, 0]] == expected


def test_the_team_is_that_of_the_referral_opened_last_among_those_open_and_in_scope():
    history = records(
        [
            OPEN,
            ("eip", "2024-02-01", "2024-02-02", "2024-06-01", "2024-06-03"),
            ("liaison", "2024-03-01", "2024-03-02", None, None),
        ]
    )
    spine = caseload(history, ["2024-01-20", "2024-04-01", "2024-06-04"]).spine
    assert spine["team_id"].tolist() == ["cmht", "eip", "cmht"]


def test_an_empty_list_of_kinds_puts_every_team_in_scope():
    history = records([("liaison", "2024-01-10", "2024-01-12", None, None)])
    assert len(caseload(history, "2024-02-01", in_scope_kinds=()).spine) == 1


def test_attrition_accounts_for_every_person_and_date():
    history = records([OPEN], [("2024-02-01", "2024-02-02", None, None, "acute")])
    people = landmarks.select(history, ["2024-01-01", "2024-01-20", "2024-03-01"])
    assert people.attrition.iloc[0].tolist() == ["people in the records, on each date", 0, 3]
    assert people.attrition.set_index("step")["removed"].loc[[NO_REFERRAL, INPATIENT]].tolist() == [1, 1]
    assert people.attrition["left"].iloc[-1] == len(people.spine) == 1
    assert caseload(history, ["2024-01-01", "2024-03-01"]).excluded()["reason"].tolist() == [NO_REFERRAL, INPATIENT]


def test_landmarks_begin_after_a_history_and_end_on_the_last_day():
    history = records([OPEN], contacts=["2024-01-01", "2024-12-31"])
    days = landmarks.landmarks(
        history, CohortSettings(history_days=30, landmark_every_days=28), last_day=19_783
    )  # 2024-03-01
    assert [str(day)[:10] for day in days] == ["2024-01-31", "2024-02-28"]
    with pytest.raises(NotEnoughData, match=r"lower it in mlflow\.yaml"):
        landmarks.landmarks(history, CohortSettings(history_days=3000), last_day=19_783)
