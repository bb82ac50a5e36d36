"""What came first, the event or leaving: row by row, against the labels of the same rows, and beside a model's risk."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from training.dataset.labels import DIED, NOT_SUBMITTED, REVIEWED, UNDER_WAY, Followed, FollowUp
from training.dataset.spells import FOREVER
from training.evaluation import competing_risks
from training.evaluation.competing_risks import CAUSES, watched
from training.statistics.cumulative_incidence import FirstCause, incidence
from training.statistics.resampling import Draws

DAY = 19_000
MOVED, DISCHARGED = "exit: moved_away", "exit: planned_discharge"


def followed(rows, settled=365, new_only=True):
    """Rows of (event after days, exit after days, reason of the exit, why not at risk); None where there is none.
    ``settled`` days after scoring are known."""
    event, left, reason, out = zip(*rows, strict=True)

    def days(values):
        return np.array([FOREVER if value is None else DAY + value for value in values], dtype=np.int64)

    one = Followed(
        days(event),
        days(left),
        np.array(reason, dtype=object),
        np.array(out, dtype=object),
        np.ones(len(rows), dtype=bool),
    )
    spine = pd.DataFrame({"patient_id": [f"p{n}" for n in range(len(rows))], "as_of": pd.Timestamp("2022-01-08")})
    day = np.full(len(rows), DAY, dtype=np.int64)
    return FollowUp(spine, day, DAY + settled - 1, {"admission": one})


def everybody(rows):
    return np.ones(len(rows), dtype=bool)


TABLE = {
    # what happened to the row: what came first, and after how many days
    "an event": ((5, None, "", ""), ("event", 5)),
    "an event on the day of scoring": ((0, None, "", ""), ("event", 0)),
    "an event and a death on one day: the event counts": ((5, 5, DIED, ""), ("event", 5)),
    "an event after a death": ((9, 5, DIED, ""), ("died", 5)),
    "a death": ((None, 5, DIED, ""), ("died", 5)),
    "moved away": ((None, 7, MOVED, ""), ("left", 7)),
    "a planned discharge": ((None, 7, DISCHARGED, ""), ("left", 7)),
    "a reason that nobody coded": ((None, 7, "exit: other", ""), ("left", 7)),
    "a silence that had begun before": ((None, 30, UNDER_WAY, ""), ("under_way", 30)),
    "contacts were not submitted: no more is known": ((None, 30, NOT_SUBMITTED, ""), ("censored", 30)),
    "nothing to the end of the records": ((None, None, "", ""), ("censored", 100)),
    "an event on the last settled day": ((99, None, "", ""), ("event", 99)),
    "an event after the last settled day may be incomplete": ((100, None, "", ""), ("censored", 100)),
    "a death after the last settled day": ((None, 140, DIED, ""), ("censored", 100)),
    "in hospital: not at risk": ((5, None, "", "in hospital, not yet known"), None),
    "reviewed from the list in the window: others stand for the row": ((None, 40, REVIEWED, ""), None),
    "reviewed from the list after the window": ((None, 95, REVIEWED, ""), ("censored", 95)),
    "an event before a review from the list": ((5, 40, REVIEWED, ""), ("event", 5)),
    "an event after a review from the list": ((60, 40, REVIEWED, ""), None),
}


@pytest.mark.parametrize(("row", "came"), TABLE.values(), ids=TABLE.keys())
def test_what_came_first_to_each_row(row, came):
    at, first = watched(followed([row], settled=100), "admission", everybody([row]), 90)
    names = ("censored", *CAUSES)
    found = [(names[cause], int(day)) for cause, day in zip(first.cause, first.day, strict=True)]
    assert found == ([] if came is None else [came])
    assert at.tolist() == ([] if came is None else [0])


@st.composite
def courses(draw):
    day = st.one_of(st.none(), st.integers(0, 60))
    reasons = st.sampled_from([DIED, MOVED, DISCHARGED, UNDER_WAY])
    rows = []
    for _ in range(draw(st.integers(1, 30))):
        left = draw(day)
        rows.append((draw(day), left, "" if left is None else draw(reasons), draw(st.sampled_from(["", "", "gone"]))))
    return rows


@settings(max_examples=examples(60), deadline=None)
@given(courses(), st.sampled_from([7, 28, 50]))
def test_with_complete_windows_the_incidence_is_the_share_of_each_label(rows, horizon):
    """The labels and the curves are made apart, and must count the same rows in the same way."""
    follow_up = followed(rows)
    status = follow_up.status("admission", horizon)
    at_risk = status[[row[3] == "" for row in rows]]
    at, first = watched(follow_up, "admission", everybody(rows), horizon)
    assert len(at) == len(at_risk)
    if not len(at):
        return
    curves = incidence(first, len(CAUSES), horizon, Draws.of(np.arange(len(at)), 0, 0))
    shares = {
        "event": np.mean(at_risk == "event"),
        "died": np.mean(at_risk == DIED),
        "left": np.mean((at_risk == MOVED) | (at_risk == DISCHARGED)),
        "under_way": np.mean(at_risk == UNDER_WAY),
    }
    for place, cause in enumerate(CAUSES):
        assert curves.by_cause[0, place, -1] == pytest.approx(shares[cause], abs=1e-12), cause
    labels = follow_up.labels({"admission": (horizon,)})[f"admission_{horizon}"]
    if labels.notna().any():
        assert curves.of_those_who_stayed[0, -1] == pytest.approx(labels.mean(), abs=1e-12)


def world(people=20_000, seed=2):
    """Two causes with constant hazards: events of a risk that varies, and leaving for one row in five."""
    rng = np.random.default_rng(seed)
    hazard = rng.gamma(2, 0.0006, people)
    event = np.floor(rng.exponential(1 / hazard)).astype(np.int64)
    left = np.floor(rng.exponential(1 / 0.0025, people)).astype(np.int64)
    day, cause = np.minimum(event, left), np.where(event <= left, 1, 3)
    stays = hazard / (hazard + 0.0025) * (1 - np.exp(-90 * (hazard + 0.0025)))
    return FirstCause(day, cause), stays, 1 - np.exp(-90 * hazard)


def test_a_model_of_each_meaning_is_right_by_its_own_measure():
    first, all_scored, nobody_left = world()
    draws = Draws.of(np.arange(len(all_scored)), 60, 0)

    def over(risk, figure):
        return getattr(competing_risks.figures(first, risk, draws, 90, False), figure)

    for risk, figure in ((all_scored, "observed_to_expected"), (nobody_left, "observed_to_expected_if_nobody_left")):
        found = over(risk, figure)
        assert found.low < 1 < found.high, figure
        assert found.high - found.low < 0.15
    wrong = over(nobody_left, "observed_to_expected")
    assert wrong.high < 0.97, "leaving takes events away, which the model does not know of"


def test_the_longest_horizon_has_the_curve_and_the_fifths():
    first, risk, _ = world()
    draws = Draws.of(np.arange(len(risk)), 20, 0)
    short, whole = (competing_risks.figures(first, risk, draws, 90, asked) for asked in (False, True))
    assert (short.curve, short.fifths) == (None, None)
    assert short.event == whole.event
    assert whole.curve.days == list(range(91))
    assert whole.curve.event[-1] == pytest.approx(whole.event.value, abs=1e-6)
    assert whole.curve.left == sorted(whole.curve.left)
    assert sum(one.rows for one in whole.fifths) == len(risk)
    means = [one.mean_risk.value for one in whole.fifths]
    assert means == sorted(means)
    assert means[-1] > 2 * means[0]
    for one in whole.fifths:
        assert one.event.low - 0.01 < one.mean_risk.value < one.event.high + 0.01
        assert one.of_those_who_stayed.value > one.event.value


def test_a_row_that_stands_for_three_counts_three_times():
    first, risk, _ = world(people=400)
    each = 1.0 + np.arange(400) % 3
    copied = np.repeat(np.arange(400), each.astype(int))
    weighted = competing_risks.figures(first, risk, Draws.of(np.arange(400), 0, 0).standing_for(each), 90, True)
    whole = competing_risks.figures(
        FirstCause(first.day[copied], first.cause[copied]), risk[copied], Draws.of(copied, 0, 0), 90, True
    )
    for figure in ("event", "left", "if_nobody_left", "of_those_who_stayed", "mean_risk", "observed_to_expected"):
        assert getattr(weighted, figure).value == pytest.approx(getattr(whole, figure).value, abs=2e-6), figure
    assert weighted.curve.event == pytest.approx(whole.curve.event, abs=2e-6)


def test_the_run_has_it_for_every_pair_over_all_rows_at_risk(trained):
    evaluation = trained[1].evaluation
    for pair in evaluation.pairs.values():
        found = pair.cumulative_incidence
        assert found.rows >= pair.rows, "rows without a label count too"
        assert found.event.value <= found.if_nobody_left.value <= found.of_those_who_stayed.value
        longest = max(other.horizon for other in evaluation.pairs.values() if other.outcome == pair.outcome)
        assert (found.curve is not None) == (found.fifths is not None) == (pair.horizon == longest)


def test_no_row_at_risk_gives_figures_that_are_not_defined():
    nothing = FirstCause(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    found = competing_risks.figures(nothing, np.zeros(0), Draws.of(np.zeros(0, dtype=np.int64), 20, 0), 28, True)
    assert (found.rows, found.event.value, found.observed_to_expected.value) == (0, None, None)
    assert {one.rows for one in found.fifths} == {0}
