"""The filter that sees only the records: honest about the true risk, better than the model, below the oracle, and the
oracle's equal in a world where nothing is hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.fitting.boosters import fit
from training.simulator import World, simulate
from training.simulator.ceiling import HIDDEN, filtered_risk

pytestmark = pytest.mark.slow

ASKED = {"admission": (90,), "new_disengagement": (180,)}
PEOPLE, SOME, PARTICLES, FUTURES = 110, 30, 300, 150
LONGEST = np.timedelta64(500, "D")
"""Since the first referral. A filter lives through every day of it with every particle, so people who have been with
the trust for years take four times as long, and say nothing else.
"""

NOTHING_HIDDEN = World(
    severity_spread=0.0,
    severity_noise=0.0,
    relapse_hazard=0.0,
    life_event_hazard=0.0,
    substance_start=0.0,
    adherence_level=9.0,
    adherence_spread=0.0,
    adherence_noise=0.0,
    adherence_insight=0.0,
    adherence_side_effects=0.0,
    stop_hazard=0.0,
    engagement_spread=0.0,
    engagement_noise=0.0,
    engagement_side_effects=0.0,
    withdrawal_hazard=0.0,
    admission_base=-7.5,
)
"""Everybody has the same traits, given what is recorded, and what happens to them is written down."""


@pytest.fixture(scope="module")
def rows(trust, ready):
    """One later row of each of some people who came lately."""
    came = trust.frames["referrals"].groupby("patient_id")["opened_on"].min()
    known_for = ready.spine["as_of"] - ready.spine["patient_id"].map(came)
    late = ready.split.test & known_for.le(LONGEST).to_numpy()
    at = np.random.default_rng(2).permutation(np.flatnonzero(late))
    at = at[~ready.spine["patient_id"].iloc[at].duplicated().to_numpy()]
    return np.sort(at[:PEOPLE])


@pytest.fixture(scope="module")
def asked(ready, rows):
    return ready.spine.iloc[rows].reset_index(drop=True)


@pytest.fixture(scope="module")
def found(trust, asked):
    return filtered_risk(trust.truth, asked, ASKED, PARTICLES, FUTURES)


def risk(table, outcome):
    return table.risks.loc[table.risks["outcome"] == outcome, "probability"].to_numpy()


@pytest.fixture(scope="module")
def true(trust, asked):
    """The true risks, with the filter's own futures."""
    return filtered_risk(trust.truth, asked, ASKED, 1, FUTURES, known=True)


def test_the_filter_is_calibrated_against_the_true_risk(found, true):
    seen, known = risk(found, "admission"), risk(true, "admission")
    off = known - seen
    assert abs(off.mean()) < 3 * off.std() / np.sqrt(len(off))
    assert np.polyfit(seen, known, 1)[0] == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize("outcome", ["admission"])
def test_the_filter_ranks_between_the_oracle_and_the_model(outcome, found, true, ready, rows, oracle_settings):
    """Of new disengagement three hundred particles know too little to tell (docs/evaluation.md)."""
    horizons = oracle_settings.outcomes.horizons
    fitted = fit(
        ready.matrix, ready.labels, ready.split.train, ready.split.calibration, horizons, oracle_settings.training
    )
    name = f"{outcome.removeprefix('new_')}_{ASKED[outcome][0]}"
    model = fitted.by_pair(np.ascontiguousarray(ready.matrix.values[rows]))[name]
    known = pd.Series(risk(true, outcome))
    by_filter, by_model = (known.corr(pd.Series(one), method="spearman") for one in (risk(found, outcome), model))
    assert by_model < by_filter < 0.95


def test_the_filters_ranges_of_the_hidden_state_hold_the_truth(found):
    """Nine in ten within 1.645 standard deviations would be perfect. Three hundred particles know less than they
    believe, most of all of engagement.
    """
    mean, spread, truth = found.hidden.transpose(1, 0, 2)
    within = np.abs(truth - mean) < 1.645 * spread
    shares = dict(zip(HIDDEN, within.mean(axis=0), strict=True))
    for name, least in (("severity", 0.6), ("engagement", 0.45), ("adherence", 0.7)):
        assert shares[name] > least, shares


def test_twice_the_particles_and_other_random_numbers_keep_most_of_the_order(trust, asked, found):
    """Three hundred particles are enough for people who came lately: 0.96."""
    some = asked.iloc[:SOME]
    more = risk(filtered_risk(trust.truth, some, ASKED, 2 * PARTICLES, FUTURES, seed=1), "admission")
    fewer = risk(found, "admission")[:SOME]
    assert pd.Series(more).corr(pd.Series(fewer), method="spearman") > 0.85


def test_the_filter_equals_the_oracle_where_nothing_is_hidden():
    truth = simulate(patients=150, years=2, seed=5, world=NOTHING_HIDDEN).truth
    people = [f"S{number:06d}" for number in range(1, 151)]
    spine = pd.DataFrame({"patient_id": people, "as_of": np.datetime64("2023-03-01")})
    seen = risk(filtered_risk(truth, spine, {"admission": (90,)}, 50, 200), "admission")
    known = risk(filtered_risk(truth, spine, {"admission": (90,)}, 1, 200, known=True), "admission")
    there = ~np.isnan(known)
    assert there.sum() > 80
    assert np.corrcoef(seen[there], known[there])[0, 1] > 0.9  # each is a mean of 200 futures
    assert seen[there].mean() == pytest.approx(known[there].mean(), rel=0.05)
