"""Answers that contradict each other in one review, and the boxes under each of a person's gaps."""

from __future__ import annotations

import pytest

from features.gaps import CODES
from serving.reviews.rules import SUGGESTED, BoxGroup, contradictions, grouped
from serving.reviews.schemas import ReviewAction as A


@pytest.mark.parametrize(
    ("actions", "side_effects", "fields"),
    [
        (["no_change_needed", "medicine_changed"], True, ["actions"]),
        (["no_change_needed", "dose_changed", "gp_informed"], False, ["actions"]),
        (["no_change_needed", "monitoring_arranged", "gp_informed"], True, []),
        (["not_reached", "adherence_discussed"], False, ["actions"]),
        (["not_reached"], True, ["side_effects_assessed"]),
        (["not_reached", "contact_arranged", "supply_secured"], False, []),
        (["no_change_needed", "medicine_changed", "not_reached"], True, ["actions", "side_effects_assessed"]),
        ([], None, []),
    ],
)
def test_what_contradicts_itself_is_named_by_its_place(actions, side_effects, fields):
    found = contradictions(actions, side_effects_assessed=side_effects)
    assert [one.field for one in found] == fields


def test_a_contradiction_names_both_answers_in_the_words_of_the_form():
    (one,) = contradictions(["no_change_needed", "medicine_changed"], side_effects_assessed=False)
    assert "Reviewed, no change needed" in one.words and "Medicine started, stopped or switched" in one.words


def test_every_kind_of_gap_suggests_something():
    assert set(CODES) - set(SUGGESTED) == set()
    assert all(SUGGESTED.values())


def test_every_box_stands_once_under_the_first_gap_that_suggests_it_and_the_rest_last():
    groups = grouped([("CLZ_FBC_OVERDUE", "Blood count"), ("MONITORING_NEVER_DONE", "Annual check"), ("NEW", "New")])
    assert groups[0] == BoxGroup(("Blood count", "Annual check"), (A.MONITORING_ARRANGED, A.SUPPLY_SECURED))
    assert groups[-1].titles == () and A.NO_CHANGE_NEEDED in groups[-1].actions
    every = [action for group in groups for action in group.actions]
    assert sorted(every) == sorted(A), "each once, none lost"


def test_without_gaps_there_is_one_group_of_all():
    assert grouped([]) == [BoxGroup((), tuple(A))]
