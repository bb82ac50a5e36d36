"""Real shortfalls of a group, and shortfalls by chance: the arithmetic of the gates ``worst_group`` and
``worst_team``, against exact and simulated answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from training.evaluation.fairness.group_shortfall import chance_of_so_few, levels_of
from training.evaluation.fairness.groups import UNKNOWN
from training.evaluation.schema.scores import Figure, Levels, ShownLevel

LEAST, FAR_BELOW = 0.8, 0.5
EVERYONE, EVENTS = 0.44, 500


def judge(*found, everyone=EVERYONE, reach=1.96, enough=True):
    """``levels_of`` groups of (events, found), where everyone's interval is that of independent events, or as many
    times wider as ``reach`` is above 1.96."""
    error = reach * np.sqrt(everyone * (1 - everyone) / EVENTS)
    levels = [
        ShownLevel.model_construct(
            level=f"g{n}", enough_events=enough, events=events, captured_at_slots=Figure(value=share)
        )
        for n, (events, share) in enumerate(found)
    ]
    whole = Figure(value=everyone, low=everyone - error, high=everyone + error)
    part = Levels.model_construct(label="Group", levels=levels)
    return levels_of([part], whole, EVENTS, "captured_at_slots", UNKNOWN)


def refused(*found, **how):
    return [one.name for one in judge(*found, **how) if one.left_behind(LEAST, FAR_BELOW)]


@given(st.integers(1, 200), st.integers(0, 200), st.floats(0.02, 0.98))
def test_the_chance_of_so_few_is_the_binomial_tail(events, found, everyone):
    found = min(found, events)
    assert chance_of_so_few(found / events, events, everyone) == pytest.approx(
        binom.cdf(found, events, everyone), rel=1e-6, abs=1e-12
    )


def test_a_group_that_is_found_less_than_half_as_often_is_refused_among_thirty():
    """0.184 of 38 events against 0.438 of everyone's passed a gate on the upper end of the interval: 7 of 38 is 1 in
    1,000 by luck."""
    thirty = [(100, EVERYONE)] * 29
    assert refused((38, 0.184), *thirty, everyone=0.438) == ["Group g0"]
    assert judge((38, 0.184), *thirty, everyone=0.438)[0].alone == pytest.approx(binom.cdf(7, 38, 0.438), rel=0.05)


@pytest.mark.parametrize(
    ("events", "share", "behind"),
    [
        (300, 0.77, True),  # a large group, a quarter less often: no luck does that
        (300, 0.85, False),  # within four fifths
        (60, 0.75, False),  # the same shortfall on sixty events may be luck in one of thirty groups
        (30, 0.45, True),  # less than half as often: its own interval suffices
        (30, 0.55, False),
    ],
)
def test_the_gate_depends_on_the_shortfall_and_the_number_of_events(events, share, behind):
    assert bool(refused((events, share * EVERYONE), *[(100, EVERYONE)] * 29)) is behind


def test_groups_with_too_few_events_and_unknown_groups_are_not_judged():
    assert judge((40, 0.1), enough=False) == []
    assert levels_of([], Figure(value=None), 0, "captured_at_slots", UNKNOWN) == []


def test_events_that_are_found_together_count_for_less():
    """Everyone's interval twice as wide as independent events would give: a quarter as many events behind each
    level."""
    assert judge((40, 0.2), reach=2 * 1.96)[0].alone == pytest.approx(judge((10, 0.2))[0].alone, rel=0.01)


def test_fair_lists_are_refused_seldom_and_unfair_ones_nearly_always():
    """Thirty groups of 30 to 200 events, all found equally often, 400 times; then one of 80 events that is found half
    as often as everyone."""
    rng = np.random.default_rng(0)
    fair = unfair = 0
    for _ in range(400):
        sizes = rng.integers(30, 200, size=30)
        shares = rng.binomial(sizes, EVERYONE) / sizes
        fair += bool(refused(*zip(sizes.tolist(), shares.tolist(), strict=True)))
        one = (80, rng.binomial(80, EVERYONE / 2) / 80)
        unfair += "Group g0" in refused(one, *zip(sizes[1:].tolist(), shares[1:].tolist(), strict=True))
    assert fair / 400 < 0.1
    assert unfair / 400 > 0.8
