"""Weekly lists, drawn as small tables: what is listed, what counts, when a person was first listed, and whether that
was news."""

import numpy as np
import pytest

from training.evaluation import capacity
from training.evaluation.capacity import Weekly
from training.evaluation.fairness.groups import Partition
from training.statistics import kernels
from training.statistics.resampling import Draws


def weekly(rows):
    """rows: (person, team, day, known, event, lead, news)."""
    person, team, day, known, event, lead, news = (np.array(column) for column in zip(*rows, strict=True))
    return Weekly(person, team, day, known, event, lead, news, Draws.of(person, 20, seed=0))


#        person team day known event lead  news
TABLE = [
    (0, 0, 0, True, 0, 20, False),  # one event, seen from three weeks
    (0, 0, 7, True, 0, 13, True),
    (0, 0, 14, True, 0, 6, True),
    (1, 0, 0, True, -1, 0, True),
    (1, 0, 7, True, -1, 0, True),
    (1, 0, 14, True, -1, 0, True),
    (2, 0, 0, False, -1, 0, True),  # left later: no outcome can be known
    (2, 0, 7, True, 1, 3, True),
    (3, 1, 0, True, -1, 0, True),
]  # fmt: skip


def listed(*rows):
    mask = np.zeros(len(TABLE), dtype=bool)
    mask[list(rows)] = True
    return mask


def value(found, name):
    return found[name]["value"]


def test_an_event_counts_once_and_at_its_first_listing():
    found = capacity._of_list(weekly(TABLE), listed(1, 2, 3, 6))
    assert value(found, "precision") == pytest.approx(2 / 3)  # three slots with a known outcome, two before the event
    assert value(found, "number_needed_to_review") == pytest.approx(1.5)
    assert value(found, "captured") == 0.5  # of two events, one: once, though it was listed twice
    assert value(found, "slots_without_outcome") == 0.25
    assert value(found, "flagged_a_week_before") == 0.5  # first listed 13 days before
    assert value(found, "new_information") == 1


def test_the_first_listing_records_prior_knowledge_and_a_late_flag_does_not_count():
    first = capacity._of_list(weekly(TABLE), listed(0, 1))
    assert value(first, "new_information") == 0
    late = capacity._of_list(weekly(TABLE), listed(2, 7))
    assert (value(late, "captured"), value(late, "flagged_a_week_before")) == (1, 0)
    assert late["flagged_at_least"][:4] == [[0, 1.0], [1, 1.0], [3, 1.0], [7, 0.0]]


def test_turnover_is_the_share_of_the_list_that_was_not_on_it_the_week_before():
    # Week 2: person 0 again, person 1 new. Week 3: person 1 again.
    assert value(capacity._of_list(weekly(TABLE), listed(0, 1, 4, 5)), "turnover") == pytest.approx(1 / 3)


def test_each_team_lists_its_slots_and_a_cool_off_leaves_off_who_was_just_reviewed():
    rows, score = weekly(TABLE), np.array([9, 9, 9, 5, 5, 5, 1, 1, 2.0])
    order = capacity._by_week(rows, score)

    def lists(slots, cool_off):
        return np.flatnonzero(kernels.weekly_lists(order, rows.day, rows.team, rows.person, slots, cool_off)).tolist()

    assert lists(1, 0) == [0, 1, 2, 8]
    assert lists(1, 14) == [0, 2, 4, 8]  # person 0, then person 1, then person 0 again after 14 days
    assert lists(1, 28) == [0, 4, 8]  # nobody is left in week 3
    assert lists(2, 0) == [0, 1, 2, 3, 4, 5, 8]


def test_with_a_cool_off_a_random_ranking_captures_what_chance_gives():
    """With a cool-off a random ranking captures as much as chance gives, and a ranking that knows the events captures
    more."""
    rng = np.random.default_rng(0)
    people, weeks = 200, 8
    person, day = np.tile(np.arange(people), weeks), np.repeat(np.arange(weeks) * 7, people)
    happens = np.where(rng.random(people) < 0.2, rng.integers(1, 56, people), -1)
    ahead = happens[person] - day
    true = (happens[person] >= 0) & (ahead >= 0) & (ahead < 28)
    event = np.where(true, person, -1)
    rows = Weekly(
        person,
        np.zeros_like(person),
        day,
        np.ones(len(person), bool),
        event,
        np.where(true, ahead, 0),
        np.ones(len(person), bool),
        Draws.of(person, 50, 0),
    )
    scores = {"model": true + 0.01 * rng.random(len(person)), "lot": rng.random(len(person))}
    sex = Partition("sex", "Sex", np.where(person % 2 == 0, "a", "b").astype(object))
    found = capacity.figures(rows, scores, ["lot"], [sex], ["t"], enough=5)["slots"]
    for one in found.values():
        assert one["best_rule"] == "lot"
        assert value(one["contenders"]["lot"], "captured_with_cool_off") <= value(
            one["contenders"]["model"], "captured_with_cool_off"
        )
    assert value(found["5"], "captured_over_best_rule") > 0.2
    assert found["5"]["captured_over_best_rule"]["low"] > 0
    assert found["25"]["worst_group"]["level"] in ("a", "b")
    precision = value(found["10"]["with_cool_off"], "precision")
    assert value(found["10"]["averted_per_100_reviews_if"], "0.1") == pytest.approx(10 * precision, abs=1e-4)


def test_the_run_reports_every_number_of_slots_on_lists_that_nothing_trained_on(trained):
    evaluation = trained[1].evaluation
    for pair in evaluation.pairs.values():
        assert list(pair.capacity.slots) == ["5", "10", "15", "25"]
        for found in pair.capacity.slots.values():
            assert found.contenders.keys() == pair.contenders.keys()
    more = [s.with_cool_off.captured.value for s in evaluation.pairs["disengagement_180"].capacity.slots.values()]
    assert more == sorted(more)
