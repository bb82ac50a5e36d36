"""The lead over the best simple rule at the same slots: small lists drawn by hand, and which rule it is held
against."""

import numpy as np
import pytest

from training.evaluation.lead_over_rule import Place, over_best_rule


def place(*rows):
    """Rows of (team, day, event); event -1 is none."""
    team, day, event = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Place(np.arange(len(rows)), team, day, event)


# One team, two landmarks of three people; the first person's event (0) is seen from both, the second's (1) from the
# later one only.
TWO_LISTS = place((0, 1, 0), (0, 1, -1), (0, 1, -1), (0, 2, 0), (0, 2, 1), (0, 2, -1))


def test_an_event_is_found_by_a_list_length_where_any_list_before_it_held_the_person():
    score = np.array(
        [0.1, 0.9, 0.5, 0.9, 0.1, 0.5]
    )  # first person: third on day 1, first on day 2; second person: third on day 2
    np.testing.assert_array_equal(TWO_LISTS.found(score, (1, 2, 3)), [[1, 1, 1], [0, 0, 1]])


def test_the_team_of_an_event_is_the_one_at_the_last_landmark_before_it():
    moved = place((0, 1, 0), (3, 2, 0), (1, 2, 1), (1, 1, -1))
    assert moved.team_of_event.tolist() == [3, 1]


def test_the_rule_is_the_best_where_it_is_chosen_and_not_where_it_is_tested():
    right, wrong = np.array([3.0, 2, 1, 3, 2, 1]), np.array([1.0, 2, 3, 1, 2, 3])
    found = over_best_rule(
        TWO_LISTS, right, {"lucky": right, "steady": wrong}, TWO_LISTS, {"lucky": wrong, "steady": right}, {}, (1,)
    )
    assert found["rule"] == "steady"  # although "lucky" would have found everything in the test slice
    assert found["rule_found_there"]["value"] == 0.5
    assert (found["model"]["value"], found["rule_found"]["value"]) == (0.5, 0.0)
    assert found["difference"]["value"] == 0.5
    assert (found["events"], found["teams"]) == (2, 1)


def test_the_interval_draws_whole_teams_and_is_paired():
    """Nine teams in which the model finds the one event and the rule does not, one in which it is the other way: 0.8,
    and teams decide how sure that is."""
    rows = [(team, 1, team if person == 0 else -1) for team in range(10) for person in range(2)]
    tested = place(*rows)
    model = np.array([1.0 if (person == 0) == (team < 9) else 0.0 for team in range(10) for person in range(2)])
    found = over_best_rule(tested, model, {"rule": -model}, tested, {"rule": -model}, {}, (1,))
    gap = found["difference"]
    assert gap["value"] == pytest.approx(0.8)
    assert 0.2 <= gap["low"] < 0.8 < gap["high"] <= 1.0
    same = over_best_rule(tested, model, {"rule": model}, tested, {"rule": model}, {}, (1,))
    assert same["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_slice_without_events_gives_no_lead():
    nobody = place((0, 1, -1), (0, 1, -1))
    assert over_best_rule(nobody, np.zeros(2), {"r": np.zeros(2)}, TWO_LISTS, {"r": np.zeros(6)}, {}, (1,)) is None
    assert over_best_rule(TWO_LISTS, np.zeros(6), {"r": np.zeros(6)}, nobody, {"r": np.zeros(2)}, {}, (1,)) is None
