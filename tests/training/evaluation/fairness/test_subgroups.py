"""Which levels are suppressed, and that suppressed numbers cannot be computed from what is shown."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from tests.examples import examples
from training.evaluation.fairness.groups import UNKNOWN, Partition, partitions
from training.evaluation.fairness.subgroups import FEWEST, Rows, by_level, suppressed, unequal_calibration, worst_group
from training.statistics.resampling import Draws


def rows_of(people_per_level, events_per_level, listed_events, seed=0):
    """One row a person; in each level the first of them have an event, and lists held so many of those."""
    label, listed, level = [], [], []
    for n, (people, events, held) in enumerate(zip(people_per_level, events_per_level, listed_events, strict=True)):
        label += [1.0] * events + [0.0] * (people - events)
        listed += [True] * held + [False] * (people - held)
        level += [f"level {n}"] * people
    label, listed = np.array(label), np.array(listed)
    event = np.where(label == 1, np.cumsum(label == 1) - 1, -1)
    risk = np.random.default_rng(seed).uniform(0.05, 0.3, len(label))
    rows = Rows(label, risk, listed, event, Draws.of(np.arange(len(label)), 50, seed=1))
    return rows, Partition("p", "P", np.array(level, dtype=object))


@pytest.mark.parametrize(
    ("people", "events", "hidden"),
    [
        ([100, 90, 80], [40, 30, 20], [False, False, False]),
        ([100, 90, 8], [40, 30, 8], [False, True, True]),  # one small level: the next smallest goes too
        ([100, 90, 80], [40, 30, 9], [False, True, True]),  # few events alone hide a level
        (
            [100, 90, 9, 9],
            [40, 30, 6, 6],
            [False, False, True, True],
        ),  # two small ones of 12 events together hide each other
        ([100, 90, 4, 3], [40, 30, 2, 1], [False, True, True, True]),  # two whose sum is still small do not
        ([8], [8], [True]),
    ],
)
def test_a_small_level_is_hidden_and_so_is_what_would_give_it_away(people, events, hidden):
    assert suppressed(people, events).tolist() == hidden


def test_one_small_cell_hides_a_whole_intersection_because_its_margins_are_published():
    assert suppressed([100, 90, 80, 9], [40, 30, 20, 9], all_of_them=True).all()
    assert not suppressed([100, 90, 80, 70], [40, 30, 20, 19], all_of_them=True).any()


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), min_size=2, max_size=8))
def test_subtracting_shown_numbers_from_the_total_never_reveals_a_small_number(levels):
    people, events = [max(p, e) for p, e in levels], [e for _, e in levels]
    hidden = suppressed(people, events)
    for numbers in (people, events):
        assert all(number >= FEWEST for number, hide in zip(numbers, hidden, strict=True) if not hide)
        if hidden.any() and not hidden.all():
            assert sum(n for n, hide in zip(numbers, hidden, strict=True) if hide) >= FEWEST
            assert hidden.sum() > 1


def test_a_hidden_level_carries_no_figure_at_all():
    found = by_level(*rows_of([100, 80, 9], [40, 30, 3], [20, 10, 1]), enough=30)
    assert [level for level in found["levels"] if level["suppressed"]] == [
        {"level": "level 1", "suppressed": True},
        {"level": "level 2", "suppressed": True},
    ]
    assert found["levels"][0]["events"] == 40


def test_the_worst_group_is_the_one_whose_events_are_listed_least_among_those_with_events_enough():
    found = by_level(*rows_of([100, 100, 100], [40, 35, 12], [30, 7, 0]), enough=30)
    worst = worst_group([found])
    assert (worst["level"], worst["events"], worst["levels_judged"]) == ("level 1", 35, 2)
    assert worst["captured_at_slots"]["value"] == pytest.approx(7 / 35)
    assert worst["captured_at_slots"]["low"] < 0.2 < worst["captured_at_slots"]["high"]
    assert found["levels"][2]["captured_at_slots"]["value"] == 0  # shown, but marked: twelve events judge nobody
    assert not found["levels"][2]["enough_events"]
    gap = found["sensitivity_gap"]
    assert (gap["best"], gap["worst"], gap["within_tolerance"]) == ("level 0", "level 1", False)
    assert gap["value"] == pytest.approx(30 / 40 - 7 / 35)


def test_a_group_with_underestimated_risk_is_named():
    rows, partition = rows_of([200, 200], [40, 40], [20, 20])
    low = Rows(rows.label, np.where(partition.level == "level 0", 0.2, 0.05), rows.listed, rows.event, rows.draws)
    named = unequal_calibration([by_level(low, partition, enough=30)])
    assert [(row["level"], row["value"]) for row in named] == [("level 1", pytest.approx(40 / (200 * 0.05)))]


def day(text):
    return dt.date.fromisoformat(text)


def test_groups_are_what_was_known_on_the_day():
    people = ["a", "b", "c"]
    records = Records.from_frames(
        {
            "patients": pd.DataFrame(
                {
                    "patient_id": people,
                    "birth_date": [day("1960-05-01"), day("2003-01-01"), None],
                    "sex": ["female", "male", None],
                    "ethnicity": ["white_british", "black", None],
                    "deprivation_decile": [1, 9, None],
                    "autism": ["no", "confirmed", None],
                    "learning_disability": ["no", "no", None],
                    "known_on": [day("2019-01-01")] * 3,
                }
            ),
            "teams": pd.DataFrame({"team_id": ["t", "e"], "kind": ["A06", "A14"]}),
            "circumstances": pd.DataFrame(
                [
                    ("a", "housing", "rough_sleeping", day("2020-01-01"), day("2020-01-02")),
                    ("a", "housing", "settled", day("2020-06-01"), day("2020-06-02")),
                    ("b", "interpreter", "required", day("2020-01-01"), day("2021-03-01")),  # known later
                    ("b", "housing", "settled", day("2020-01-01"), day("2020-01-02")),
                ],
                columns=["patient_id", "kind", "value", "from_on", "known_on"],
            ),
            "conditions": pd.DataFrame(
                [
                    ("a", "diagnosis", "icd10", "F20.0", "schizophrenia", day("2019-01-01"), day("2019-01-02")),
                    ("a", "diagnosis", "icd10", "E11.9", "type 2 diabetes", day("2019-01-01"), day("2019-01-02")),
                    ("a", "diagnosis", "icd10", "I10", "hypertension", day("2019-01-01"), day("2019-01-02")),
                    ("b", "diagnosis", "icd10", "F31.9", "bipolar", day("2019-01-01"), day("2019-01-02")),
                ],
                columns=["patient_id", "category", "system", "code", "label", "recorded_on", "known_on"],
            ),
        },
        about={"synthetic": True},
        today=day("2024-01-01"),
    )  # fmt: skip
    spine = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b", "b", "c"],
            "as_of": pd.to_datetime(["2021-01-01", "2022-01-01", "2021-01-01", "2022-01-01", "2022-01-01"]),
            "team_id": ["t", "t", "e", "e", "t"],
        }
    )
    found = {part.name: part.level.tolist() for part in partitions(records, spine)}
    assert found["housing"] == ["no settled home", "settled", "settled", "settled", UNKNOWN]
    assert found["language"] == [UNKNOWN, UNKNOWN, UNKNOWN, "interpreter or other language", UNKNOWN]
    assert found["age"] == ["45 to 64", "45 to 64", "under 25", "under 25", UNKNOWN]
    assert found["deprivation"] == ["fifth 1 (most deprived)"] * 2 + ["fifth 5"] * 2 + [UNKNOWN]
    assert found["multimorbidity"] == ["two or more"] * 2 + ["none recorded"] * 2 + [UNKNOWN]
    assert found["diagnosis"] == ["schizophrenia"] * 2 + ["bipolar"] * 2 + ["other or none recorded"]
    assert found["team_kind"] == ["community team"] * 2 + ["early intervention"] * 2 + ["community team"]
    assert found["neurodivergence_by_sex"][2] == "autistic or with a learning disability, male"
    assert found["ethnicity_by_deprivation"] == ["white British, most deprived fifth"] * 2 + [
        "all other ethnicities, other fifths"
    ] * 2 + [UNKNOWN]
    assert found["autism"][-1] == found["sex"][-1] == found["ethnicity"][-1] == UNKNOWN
