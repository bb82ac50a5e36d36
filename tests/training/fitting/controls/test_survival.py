"""The survival control: proportional hazards with a piecewise-constant baseline, against lifelines, a slow reading of
the same likelihood, and planted hazards."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.training.peers import ask
from training.dataset.labels import AT_RISK, Followed, FollowUp
from training.dataset.prepare import prepare
from training.dataset.spells import FOREVER
from training.fitting.controls.standardised import Standardised
from training.fitting.controls.survival import (
    FEWEST_EVENTS,
    Hazard,
    TimeAtRisk,
    drawn_rows,
    fit_hazard,
    fit_survival,
    piece_ends,
    time_at_risk,
)
from training.settings import ControlSettings

ASK = """
import json, sys
import pandas
from lifelines import CoxPHFitter
told = json.load(sys.stdin)
fitter = CoxPHFitter(baseline_estimation_method="piecewise", breakpoints=told["breaks"])
fitter.fit(pandas.DataFrame(told["rows"]), duration_col="days", event_col="event")
print(json.dumps({" ".join(name): value for name, value in fitter.params_.items()}))
"""
HORIZONS = {"x": (28, 90, 180)}
RATES = np.array([0.0005, 0.002, 0.001])
ENDS = np.array([28.0, 90.0, 180.0])
TRUE = np.array([0.8, -0.5])


def planted(rows=4000, seed=0, leave=0.002):
    """Days to an event whose hazard is known, cut at 180 days or where a person leaves."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(rows, 2))
    wanted = rng.exponential(size=rows) / np.exp(columns @ TRUE)
    starts = np.concatenate([[0.0], ENDS])
    reached = np.concatenate([[0.0], np.cumsum(RATES * np.diff(starts))])
    days = np.interp(wanted, reached, starts, right=np.inf)
    left = np.minimum(rng.exponential(1 / leave, rows), 180)
    return columns, TimeAtRisk(np.minimum(days, left), days < left)


def followed(event, leaves, **changes):
    rows = len(event)
    words = np.full(rows, AT_RISK, dtype=object)
    one = Followed(np.asarray(event), np.asarray(leaves), words, words, np.ones(rows, dtype=bool))
    return replace(one, **changes)


def follow_up(one, day, last_day=10_000):
    spine = pd.DataFrame({"patient_id": [f"p{n}" for n in range(len(day))]})
    return FollowUp(spine, np.asarray(day, dtype=np.int64), last_day, {"x": one})


def as_followed(time, day=1000):
    """The follow-up in whole days of rows that all begin on one day; people leave where their time ends early."""
    whole = day + np.floor(time.days).astype(np.int64)
    leaves = np.where(~time.event & (time.days < 180), whole, FOREVER)
    return follow_up(followed(np.where(time.event, whole, FOREVER), leaves), np.full(len(whole), day))


def everything(rows):
    return np.ones(rows, dtype=bool)


def test_a_row_counts_until_its_event_its_exit_or_the_longest_horizon():
    day = [100] * 7
    event = [110, FOREVER, 300, 120, 130, FOREVER, 279]
    leaves = [FOREVER, 150, FOREVER, 120, 125, 100, FOREVER]
    found = time_at_risk(follow_up(followed(event, leaves), day), "x", 180)
    # An event; an exit; an event after the horizon; both on one day; an exit before the event; gone on the first day;
    # an event on the last day.
    assert found.days.tolist() == [10.5, 50.5, 180, 20.5, 25.5, 0.5, 179.5]
    assert found.event.tolist() == [True, False, False, True, False, False, True]


def test_rows_not_at_risk_have_no_time_and_the_end_of_the_records_cuts_it():
    words = np.array([AT_RISK, "died before", AT_RISK, AT_RISK], dtype=object)
    one = followed([FOREVER, 120, 131, FOREVER], [FOREVER] * 4, not_at_risk=words)
    found = time_at_risk(follow_up(one, [100, 100, 100, 140], last_day=130), "x", 180)
    assert found.days.tolist() == [31, 0, 31, 0]
    assert not found.event.any()


def test_a_silence_under_way_ends_the_time_as_an_exit_does():
    one = followed([120, 120], [FOREVER] * 2, new=np.array([True, False]))
    found = time_at_risk(follow_up(one, [100, 100]).new_only(), "x", 180)
    assert found.days.tolist() == [20.5, 20.5]
    assert found.event.tolist() == [True, False]


def test_the_time_agrees_with_the_labels_of_a_trust(made_up, small_settings):
    """A row that its label knows has the event within the horizon or is followed to its end; and no row reads a day
    that the next slice begins on."""
    ready = prepare(made_up, small_settings)
    for outcome, horizons in small_settings.outcomes.horizons.items():
        time = time_at_risk(ready.follow_up, outcome, max(horizons))
        for horizon in horizons:
            label = ready.labels[f"{outcome}_{horizon}"].to_numpy()
            np.testing.assert_array_equal((time.event & (time.days < horizon))[label == 1], True)
            assert (time.days[label == 0] >= horizon).all()
            assert (label == 1).any() and (label == 0).any()
        train, later = ready.split.train, ready.split.calibration
        day = ready.follow_up.day
        assert time.days[train].max() <= ready.split.embargo_days
        assert (day + np.ceil(time.days))[train].max() <= day[later].min()


def test_what_happens_after_the_longest_horizon_or_to_other_rows_changes_nothing():
    columns, time = planted()
    known = as_followed(time)
    train = np.arange(len(columns)) < 2500
    matrix = SimpleNamespace(values=columns.astype(np.float32), names=("a", "b"))
    features = Standardised.of(matrix.values[train])
    one = known.outcomes["x"]
    rng = np.random.default_rng(1)
    event, leaves = (
        np.where(days >= 1180, 1180 + rng.integers(0, 900, len(days)), days) for days in (one.event_day, one.exit_day)
    )
    event[~train], leaves[~train] = 1000 + rng.integers(0, 300, 1500), FOREVER
    garbled = replace(known, outcomes={"x": replace(one, event_day=event, exit_day=leaves)})
    first, second = (
        fit_survival(matrix, told, train, HORIZONS, ControlSettings(survival_penalty=1), features).probabilities(
            matrix.values
        )["x_180"]
        for told in (known, garbled)
    )
    np.testing.assert_array_equal(first, second)


def slow_fit(columns, time, ends, penalty):
    """One Poisson count for each row and piece, as Holford writes it, by a general optimiser."""
    rows = []
    for features, days, event in zip(columns, time.days, time.event, strict=True):
        start = 0.0
        for piece, end in enumerate(ends):
            if days > start:
                rows.append((*features, piece, min(days, end) - start, float(event and days <= end)))
            start = end
    table = np.array(rows)
    x, piece, spent, count = table[:, :-3], table[:, -3].astype(int), table[:, -2], table[:, -1]

    def loss(told):
        log_rate, slopes = told[: len(ends)], told[len(ends) :]
        score = log_rate[piece] + x @ slopes
        mean = spent * np.exp(score)
        off = mean - count
        slope = np.concatenate([np.bincount(piece, off, len(ends)), x.T @ off + penalty * slopes])
        return (mean - count * score).sum() + penalty / 2 * slopes @ slopes, slope

    begin = np.concatenate([np.full(len(ends), np.log(count.sum() / spent.sum())), np.zeros(x.shape[1])])
    found = minimize(loss, begin, jac=True, method="BFGS", options={"gtol": 1e-6}).x
    return np.exp(found[: len(ends)]), found[len(ends) :]


@pytest.mark.parametrize("penalty", [0.001, 50.0])
def test_the_fit_equals_a_poisson_regression_of_every_row_and_piece(penalty):
    columns, time = planted(700)
    found = fit_hazard(columns, time, np.ones(700), ENDS, penalty, closeness=1e-8)
    rates, slopes = slow_fit(columns, time, ENDS, penalty)
    np.testing.assert_allclose(found.coefficients, slopes, atol=1e-4)
    np.testing.assert_allclose(found.rates, rates, rtol=1e-4)


def test_without_a_penalty_the_coefficients_are_those_of_lifelines():
    columns, time = planted(600)
    found = fit_hazard(columns, time, np.ones(600), ENDS, 1e-9, closeness=1e-8)
    rows = {"a": columns[:, 0], "b": columns[:, 1], "days": time.days, "event": time.event.astype(float)}
    asked = {"rows": {name: value.tolist() for name, value in rows.items()}, "breaks": ENDS[:-1].tolist()}
    peer = ask("dcurves", ASK, asked)
    assert [peer["beta_ a"], peer["beta_ b"]] == pytest.approx(found.coefficients.tolist(), abs=2e-3)


def test_planted_hazards_are_recovered_though_many_leave():
    columns, time = planted(40_000, leave=0.005)
    assert (~time.event & (time.days < 180)).mean() > 0.4  # their label of 180 days is missing
    found = fit_hazard(columns, time, np.ones(len(columns)), ENDS, 1.0)
    np.testing.assert_allclose(found.coefficients, TRUE, atol=0.05)
    np.testing.assert_allclose(found.rates, RATES, rtol=0.1)


def test_half_of_the_rows_without_an_event_say_the_same():
    """Drawn rows stand for those left out: rates and coefficients stay near to those of all rows."""
    columns, time = planted(20_000)
    everybody = fit_hazard(columns, time, np.ones(len(columns)), ENDS, 100.0)
    rows, weights = drawn_rows(everything(len(columns)), time, 11_000, 0)
    assert len(rows) == 11_000
    assert weights.sum() == pytest.approx(len(columns))
    assert (weights[time.event[rows]] == 1).all()
    drawn = fit_hazard(columns[rows], time.at(rows), weights, ENDS, 100.0)
    np.testing.assert_allclose(drawn.coefficients, everybody.coefficients, atol=0.03)
    np.testing.assert_allclose(drawn.rates, everybody.rates, rtol=0.06)


@pytest.mark.parametrize(("events", "others", "most"), [(10, 20, 100), (300, 900, 100), (900, 30, 100), (20, 900, 100)])
def test_no_more_rows_are_drawn_than_may_be_and_none_twice(events, others, most):
    event = np.arange(events + others) < events
    time = TimeAtRisk(np.full(len(event), 5.0), event)
    rows, weights = drawn_rows(everything(len(event)), time, most, 3)
    assert len(rows) == len(set(rows.tolist())) == min(most, len(event))
    for kind in (event, ~event):
        assert weights[kind[rows]].sum() == pytest.approx(kind.sum())
    later = np.arange(len(event)) % 2 == 0
    time.days[1] = 0
    kept, _ = drawn_rows(later | (np.arange(len(event)) == 1), time, most, 3)
    assert later[kept].all()


@given(
    rates=st.lists(st.floats(0, 0.1), min_size=3, max_size=3),
    slopes=st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    seed=st.integers(0, 5),
)
def test_risks_rise_with_the_horizon_and_stay_within_0_and_1(rates, slopes, seed):
    hazard = Hazard(ENDS, np.array(rates), np.array(slopes))
    columns = np.random.default_rng(seed).normal(size=(20, 2))
    risks = np.array([hazard.risk(columns, days) for days in (7, 28, 60, 90, 180)])
    assert ((risks >= 0) & (risks <= 1)).all()
    assert (np.diff(risks, axis=0) >= 0).all()


@pytest.mark.parametrize("horizons", [(7,), (28, 90, 180), (180, 28), (365,)])
def test_pieces_end_at_each_horizon_and_are_at_most_30_days_long(horizons):
    ends = piece_ends(horizons)
    assert set(horizons) <= set(ends.tolist())
    assert np.diff(ends, prepend=0).max() <= 30
    assert np.diff(ends, prepend=0).min() > 0
    assert ends[-1] == max(horizons)


def test_a_piece_without_events_has_no_rate_and_a_horizon_before_the_first_event_no_risk():
    columns, time = planted(3000, leave=0.0001)
    late = TimeAtRisk(np.where(time.event, 90 + time.days / 2, 180.0), time.event)
    matrix = SimpleNamespace(values=columns.astype(np.float32), names=("a", "b"))
    train = everything(3000)
    fitted = fit_survival(matrix, as_followed(late), train, HORIZONS, ControlSettings(), Standardised.of(matrix.values))
    found = fitted.probabilities(matrix.values)
    assert set(found) == {"x_180"}
    assert found["x_180"].mean() == pytest.approx(time.event.mean(), rel=0.05)


def test_an_outcome_with_too_few_events_is_left_out_and_the_others_are_not():
    columns, time = planted(3000)
    known = as_followed(time)
    nth = np.cumsum(known.outcomes["x"].event_day < FOREVER)
    few = replace(known.outcomes["x"], event_day=np.where(nth < FEWEST_EVENTS, known.outcomes["x"].event_day, FOREVER))
    both = replace(known, outcomes={**known.outcomes, "few": few})
    matrix = SimpleNamespace(values=columns.astype(np.float32), names=("a", "b"))
    fitted = fit_survival(
        matrix,
        both,
        everything(3000),
        {**HORIZONS, "few": HORIZONS["x"]},
        ControlSettings(),
        Standardised.of(matrix.values),
    )
    assert set(fitted.probabilities(matrix.values)) == {"x_28", "x_90", "x_180"}
