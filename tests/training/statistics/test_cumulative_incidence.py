"""Cumulative incidence by hand, by a slow oracle that follows the definition row by row, by laws, and by lifelines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.training.peers import ask
from training.statistics.cumulative_incidence import FirstCause, incidence
from training.statistics.resampling import Draws

ASK = """
import json, sys
import numpy, pandas
from lifelines import AalenJohansenFitter, KaplanMeierFitter
told = json.load(sys.stdin)
time, cause, weight = (numpy.array(told[name]) for name in ("time", "cause", "weight"))
at = range(told["days"] + 1)
def on(curve):
    return curve.iloc[:, 0].reindex(at, method="ffill").tolist()
answer = {}
for one in (1, 2, 3):
    fit = AalenJohansenFitter(calculate_variance=False).fit(time, cause, event_of_interest=one, weights=weight)
    answer[str(one)] = on(fit.cumulative_density_)
alone = KaplanMeierFitter().fit(time, cause == 1, weights=weight)
answer["alone"] = on(1 - alone.survival_function_)
print(json.dumps(answer))
"""


def first(*rows):
    """``(day, cause)`` of each row."""
    days, causes = zip(*rows, strict=True)
    return FirstCause(np.array(days, dtype=np.int64), np.array(causes, dtype=np.int64))


def draws_of(rows, weights=None, each=None):
    """Every row is a person of its own."""
    drawn = np.ones((1, rows)) if weights is None else np.vstack([np.ones(rows), weights])
    return Draws(np.arange(rows), drawn, each)


def slow(found, causes, days, weight):
    """Row by row, from the definition."""
    free, alone_free = 1.0, 1.0
    curves = [[0.0] for _ in range(causes)]
    none, alone = [1.0], [0.0]
    for day in range(days):
        there, happened = 0.0, [0.0] * causes
        for at, cause, counts in zip(found.day, found.cause, weight, strict=True):
            if at > day or (at == day and cause):
                there += counts
            if at == day and cause:
                happened[cause - 1] += counts
        if there == 0:
            free, alone_free = (share if share == 0 else float("nan") for share in (free, alone_free))
        rates = [one / there if there else 0.0 for one in happened]
        for cause, rate in enumerate(rates):
            curves[cause].append(curves[cause][-1] + free * rate if free == free else float("nan"))
        free *= 1 - sum(rates)
        alone_free *= 1 - rates[0]
        free, alone_free = (0.0 if share < 1e-12 else share for share in (free, alone_free))
        none.append(free)
        alone.append(1 - alone_free)
    return curves, none, alone


TABLE = {
    # name: rows of (day, cause), then what is known after 1, 2, 3 and 4 days: first cause, second, none, first alone
    "no censoring: plain shares of four rows": (
        [(0, 1), (1, 2), (2, 1), (9, 0)],
        [0.25, 0.25, 0.50, 0.50],
        [0.00, 0.25, 0.25, 0.25],
        [0.75, 0.50, 0.25, 0.25],
        [0.25, 0.25, 0.625, 0.625],
    ),
    "two causes of one day: both count, and the first alone sees the other still there": (
        [(1, 1), (1, 2), (9, 0), (9, 0)],
        [0.00, 0.25, 0.25, 0.25],
        [0.00, 0.25, 0.25, 0.25],
        [1.00, 0.50, 0.50, 0.50],
        [0.00, 0.25, 0.25, 0.25],
    ),
    "censored after one day: at risk on day 0 alone": (
        [(1, 0), (1, 0), (1, 1), (9, 0)],
        [0.00, 0.50, 0.50, 0.50],
        [0.00, 0.00, 0.00, 0.00],
        [1.00, 0.50, 0.50, 0.50],
        [0.00, 0.50, 0.50, 0.50],
    ),
    "censored after two days: still there on the day of the event": (
        [(2, 0), (2, 0), (1, 1), (9, 0)],
        [0.00, 0.25, 0.25, 0.25],
        [0.00, 0.00, 0.00, 0.00],
        [1.00, 0.75, 0.75, 0.75],
        [0.00, 0.25, 0.25, 0.25],
    ),
    "an event on the last day counts, one on the day after does not": (
        [(3, 1), (4, 1), (4, 2), (9, 0)],
        [0.00, 0.00, 0.00, 0.25],
        [0.00, 0.00, 0.00, 0.00],
        [1.00, 1.00, 1.00, 0.75],
        [0.00, 0.00, 0.00, 0.25],
    ),
    "nobody is left to see after two days": (
        [(0, 1), (2, 0), (2, 0), (2, 0)],
        [0.25, 0.25, None, None],
        [0.00, 0.00, None, None],
        [0.75, 0.75, None, None],
        [0.25, 0.25, None, None],
    ),
    "something happened to everybody: nothing is unknown afterwards": (
        [(0, 1), (0, 2), (1, 1), (1, 1)],
        [0.25, 0.75, 0.75, 0.75],
        [0.25, 0.25, 0.25, 0.25],
        [0.50, 0.00, 0.00, 0.00],
        [0.25, 1.00, 1.00, 1.00],
    ),
    "the other cause took everybody: the first alone is not known afterwards": (
        [(0, 1), (0, 2), (1, 2), (1, 2)],
        [0.25, 0.25, 0.25, 0.25],
        [0.25, 0.75, 0.75, 0.75],
        [0.50, 0.00, 0.00, 0.00],
        [0.25, 0.25, None, None],
    ),
}


@pytest.mark.parametrize(("rows", "one", "other", "none", "alone"), TABLE.values(), ids=TABLE.keys())
def test_curves_done_by_hand(rows, one, other, none, alone):
    found = incidence(first(*rows), 2, 4, draws_of(len(rows)))
    for ours, wanted in (
        (found.by_cause[0, 0], one),
        (found.by_cause[0, 1], other),
        (found.none[0], none),
        (found.alone[0], alone),
    ):
        np.testing.assert_allclose(ours[1:], [np.nan if x is None else x for x in wanted], atol=1e-12)
    assert found.by_cause[0, :, 0].tolist() == [0, 0]
    assert (found.none[0, 0], found.alone[0, 0]) == (1, 0)


def test_of_those_who_stayed_is_the_share_among_rows_with_an_answer():
    """One row in four left: of the three who stayed, one had the event."""
    found = incidence(first((0, 1), (1, 2), (9, 0), (9, 0)), 2, 4, draws_of(4))
    assert found.of_those_who_stayed[0].tolist() == pytest.approx([0, 1 / 4, 1 / 3, 1 / 3, 1 / 3])


@st.composite
def histories(draw):
    rows = draw(st.integers(1, 25))
    day = draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows))
    cause = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    each = draw(st.lists(st.sampled_from([1.0, 1.5, 3.0]), min_size=rows, max_size=rows))
    drawn = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    return first(*zip(day, cause, strict=True)), np.array(each), np.array(drawn, dtype=float)


@settings(max_examples=examples(60), deadline=None)
@given(histories())
def test_the_fast_curves_are_the_slow_ones_in_every_draw(made):
    found, each, drawn = made
    fast = incidence(found, 3, 8, draws_of(len(each), drawn, each))
    for row, weight in enumerate((each, each * drawn)):
        curves, none, alone = slow(found, 3, 8, weight)
        np.testing.assert_allclose(fast.by_cause[row], curves, atol=1e-9)
        np.testing.assert_allclose(fast.none[row], none, atol=1e-9)
        np.testing.assert_allclose(fast.alone[row], alone, atol=1e-9)


@settings(max_examples=examples(60), deadline=None)
@given(histories())
def test_causes_and_none_add_up_and_one_cause_alone_is_kaplan_meier(made):
    found, each, drawn = made
    draws = draws_of(len(each), drawn, each)
    curves = incidence(found, 3, 8, draws)
    known = ~np.isnan(curves.none)
    np.testing.assert_allclose((curves.by_cause.sum(axis=1) + curves.none)[known], 1, atol=1e-9)
    assert np.isnan(curves.by_cause.sum(axis=1)[~known]).all()
    both = ~np.isnan(curves.alone) & ~np.isnan(curves.of_those_who_stayed)
    assert (curves.alone >= curves.by_cause[:, 0] - 1e-9)[both].all(), "nobody leaving can only add events"
    assert (curves.of_those_who_stayed >= curves.alone - 1e-9)[both].all(), "leaving out who left adds more"
    only = FirstCause(found.day, np.minimum(found.cause, 1))
    single = incidence(only, 1, 8, draws)
    np.testing.assert_allclose(single.by_cause[:, 0], single.alone, atol=1e-9)


def test_a_weight_is_as_many_rows_and_a_draw_as_many_people():
    rng = np.random.default_rng(0)
    found = FirstCause(rng.integers(0, 20, 60), rng.integers(0, 3, 60))
    times = rng.integers(0, 4, 60)
    copied = FirstCause(np.repeat(found.day, times), np.repeat(found.cause, times))
    wanted = incidence(copied, 2, 15, draws_of(len(copied.day)))
    drawn = incidence(found, 2, 15, draws_of(60, times.astype(float)))
    weighted = incidence(found, 2, 15, draws_of(60, None, times.astype(float)))
    np.testing.assert_allclose(drawn.by_cause[1], wanted.by_cause[0], atol=1e-12)
    np.testing.assert_allclose(weighted.alone[0], wanted.alone[0], atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True], ids=["rows count once", "rows stand for several"])
def test_the_curves_equal_those_of_lifelines(weighted):
    """lifelines shakes days that hold two causes, so each day here has one cause; censoring falls on any day."""
    rng = np.random.default_rng(4)
    rows, days = 3000, 60
    day = rng.integers(0, 90, rows)
    cause = np.where(rng.random(rows) < 0.5, 0, 1 + day % 3)
    each = rng.integers(1, 5, rows) if weighted else np.ones(rows, dtype=np.int64)
    found = incidence(FirstCause(day, cause), 3, days, draws_of(rows, None, each.astype(float)))
    # Their time is the number of days that a row was watched.
    time = (day + (cause > 0)).tolist()
    peer = ask("dcurves", ASK, {"time": time, "cause": cause.tolist(), "weight": each.tolist(), "days": days})
    for number in (1, 2, 3):
        np.testing.assert_allclose(found.by_cause[0, number - 1], peer[str(number)], atol=1e-9)
    np.testing.assert_allclose(found.alone[0], peer["alone"], atol=1e-9)
    assert found.by_cause[0, 0, -1] > 0.1
