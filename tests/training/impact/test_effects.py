"""Effects from the lottery's weights: small tables with the answer by hand, then many simulated ones."""

from __future__ import annotations

import numpy as np
import pytest

from training.errors import ShapeError
from training.impact.checks import balance, draws_are_fair
from training.impact.effects import DrawRows, listing_effect
from training.impact.small_trusts import SmallTrust, many, play


def table(text: str) -> tuple[DrawRows, np.ndarray]:
    """drawn, propensity, person, reviewed, outcome."""
    columns = np.array([[float(cell) for cell in line.split()] for line in text.strip().splitlines()]).T
    rows = DrawRows(columns[0] == 1, columns[1], columns[2].astype(int), columns[3] == 1)
    return rows, columns[4]


def test_unequal_chances_are_weighted_by_one_over_the_propensity():
    rows, outcome = table("""
        1  0.25  0  1  1
        1  0.75  1  1  0
        0  0.25  2  0  0
        0  0.75  3  0  1
    """)
    found = listing_effect(rows, outcome)
    assert found.listed == pytest.approx(4 / (4 + 4 / 3))  # weights 4 and 4/3
    assert found.not_listed == pytest.approx(4 / (4 + 4 / 3))
    assert found.difference.value == pytest.approx(0)


def test_the_interval_of_two_equal_arms_is_that_of_two_proportions():
    drawn = np.arange(400) < 200
    outcome = np.where(drawn, np.arange(400) % 10 == 0, np.arange(400) % 5 == 0).astype(int)
    found = listing_effect(DrawRows(drawn, np.full(400, 0.5), np.arange(400), drawn), outcome)
    error = np.sqrt(0.1 * 0.9 / 200 + 0.2 * 0.8 / 200)
    assert found.difference.value == pytest.approx(-0.1)
    assert found.difference.high - found.difference.value == pytest.approx(1.96 * error, rel=0.01)
    assert found.relative.value == pytest.approx(-0.5)
    assert found.per_review is not None and found.per_review.value == pytest.approx(-0.1)


def test_rows_of_one_person_count_once_for_the_interval():
    rng = np.random.default_rng(1)
    drawn, outcome = np.arange(300) < 150, (rng.random(300) < 0.3).astype(int)
    once = listing_effect(DrawRows(drawn, np.full(300, 0.5), np.arange(300), drawn), outcome)
    four = np.repeat(np.arange(300), 4)
    often = listing_effect(DrawRows(drawn[four], np.full(1200, 0.5), four, drawn[four]), outcome[four])
    assert often.difference.value == pytest.approx(once.difference.value)
    assert often.difference.high == pytest.approx(once.difference.high)


def test_an_effect_of_reviews_is_not_given_where_listing_did_not_change_reviews():
    rows = DrawRows(np.arange(100) < 50, np.full(100, 0.5), np.arange(100), np.ones(100, bool))
    assert listing_effect(rows, np.arange(100) % 3 == 0).per_review is None


def test_a_chance_of_one_is_refused():
    with pytest.raises(ShapeError, match="between 0 and 1"):
        DrawRows(np.ones(2, bool), np.array([1.0, 0.5]), np.arange(2), np.ones(2, bool))


def test_an_effect_needs_both_arms():
    with pytest.raises(ShapeError, match="both kinds"):
        listing_effect(DrawRows(np.ones(2, bool), np.array([0.5, 0.5]), np.arange(2), np.ones(2, bool)), np.ones(2))


def test_planted_effects_are_found_in_small_trusts():
    """Forty trusts; the bench command plays 500. Bounds allow for the chance of forty."""
    found = many(SmallTrust(), 40, seed=1)
    assert abs(found["found_on_average"] + 0.25) < 0.05 + 2 * found["error_of_average"]
    assert found["coverage"] >= 0.85
    assert found["capture_lost_most"] <= 0.01  # measured with the true risks


def test_partial_reviewing_is_put_right_by_the_effect_per_review():
    trust = SmallTrust(reviewed=0.6, reviewed_anyway=0.1, effect=-0.8, blocks=30)
    played = play(trust, 3)
    found = listing_effect(played.rows, played.event)
    baseline = found.not_listed / (1 + trust.effect * trust.reviewed_anyway)
    assert found.per_review is not None and found.per_review.holds(trust.effect * baseline)
    assert not found.difference.holds(trust.effect * baseline)  # listing alone does less than a review


def test_blood_counts_done_because_of_reviews_are_found():
    played = play(SmallTrust(blocks=20), 4)
    found = listing_effect(played.rows, played.count_done)
    assert found.difference.holds(0.7 - 0.3) and not found.difference.holds(0.0)


def test_nobody_with_a_safety_gap_was_drawn_in_a_trust():
    assert play(SmallTrust(safety_gap=0.5), 5).pressing_drawn == 0


def test_a_fair_draw_is_balanced_and_a_tampered_one_is_found():
    played = play(SmallTrust(blocks=20), 6)
    fair = played.rows
    assert balance(fair, {"risk": played.risk}).ok
    rng = np.random.default_rng(1)
    favoured = (played.risk > np.median(played.risk)) ^ (rng.random(len(played.risk)) < 0.35)
    assert not balance(DrawRows(favoured, fair.propensity, fair.person, fair.reviewed), {"risk": played.risk}).ok
    assert draws_are_fair(fair) > 0.01
    more = fair.drawn | (rng.random(len(fair.drawn)) < 0.2)
    assert draws_are_fair(DrawRows(more, fair.propensity, fair.person, fair.reviewed)) < 0.01
