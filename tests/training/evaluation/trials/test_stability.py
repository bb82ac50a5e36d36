"""Stability: an unchanged model is perfectly stable, a model that scores by chance is unstable, and the run's own
figures lie between."""

import numpy as np
import pytest

from models.calibration import Calibration
from training.dataset.prepare import prepare
from training.evaluation import decision_curves
from training.evaluation.trials import stability
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, codes


@pytest.fixture(scope="module")
def trial(made_up, small_settings):
    from training.fitting.boosters import fit

    ready = prepare(made_up, small_settings)
    fitted = fit(
        ready.matrix,
        ready.labels,
        ready.split.train,
        ready.split.calibration,
        small_settings.outcomes.horizons,
        small_settings.training,
    )
    test = np.flatnonzero(ready.split.test)
    values = ready.matrix.values[test]
    probabilities = fitted.probabilities(values)
    model = {f"{o}_{h}": probabilities[o][:, c] for o, days in fitted.horizons.items() for c, h in enumerate(days)}
    return ready, fitted, values, probabilities, model, test


def judged(trial, again):
    ready, fitted, values, _, model, test = trial
    team, day = codes(ready.spine["team_id"])[test], ready.follow_up.day[test]
    return stability.figures(fitted, again, model, values, fitted.names, team, day, explained=20)


def same(fitted, probabilities):
    calibration: dict[str, Calibration] = dict(fitted.calibration)
    return {o: [stability.Refit(b, calibration[o], probabilities[o])] for o, b in fitted.boosters.items()}


def test_the_same_model_again_is_perfectly_stable(trial):
    _, fitted, _, probabilities, _, _ = trial
    for found in judged(trial, same(fitted, probabilities)).values():
        assert found["median_jaccard_top25"]["value"] == 1
        assert found["mean_absolute_prediction_error"]["value"] == 0
        assert found["listing_flips"]["value"] == 0
        assert found["top_three_concepts_agree"]["value"] == 1


def test_a_model_that_ranks_by_chance_is_unstable(trial):
    _, fitted, values, probabilities, _, _ = trial
    chance = {o: np.random.default_rng(1).random(p.shape) for o, p in probabilities.items()}
    found = judged(trial, same(fitted, chance))["disengagement_180"]
    assert len(values) > 500
    assert found["median_jaccard_top25"]["value"] < 0.4
    assert found["mean_absolute_prediction_error"]["value"] > 0.3


def test_a_refit_draws_people_and_is_the_same_every_time(trial, small_settings):
    ready, fitted, _, _, _, test = trial

    def again():
        return stability.refits(
            fitted,
            ready.matrix.values,
            ready.labels,
            codes(ready.spine["patient_id"]),
            ready.split.train,
            ready.split.calibration,
            test[:50],
            small_settings.training,
            1,
        )

    one, other = again(), again()
    for outcome, model in fitted.boosters.items():
        assert one[outcome][0].booster.model_to_string() == other[outcome][0].booster.model_to_string()
        assert one[outcome][0].booster.model_to_string() != model.model_to_string()
        assert np.isfinite(one[outcome][0].probability).all()


def test_the_run_states_its_stability_and_how_many_refits_it_rests_on(trained, small_settings):
    for pair in trained[1].evaluation.pairs.values():
        found = pair.stability
        assert found.refits == small_settings.evaluation.stability_refits
        assert 0 < found.median_jaccard_top25.value < 1
        assert 0 < found.mean_absolute_prediction_error.value < 0.2


def labelled(rows=900, seed=0):
    """Risks, labels drawn from them, some rows without a label, and how many rows each stands for."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(1, 9, rows)
    label = (rng.random(rows) < risk).astype(float)
    label[rng.random(rows) < 0.2] = np.nan
    return risk, label, rng.integers(1, 4, rows).astype(float)


@pytest.mark.parametrize("weighted", [False, True], ids=["rows count once", "rows stand for several"])
def test_the_net_benefit_of_each_refit_is_that_of_the_decision_curve(weighted):
    risk, label, each = labelled()
    known = ~np.isnan(label)
    draws = Draws.of(np.arange(known.sum()), 0, 0).standing_for(each[known] if weighted else None)
    curve = decision_curves.curves({"model": Scored(label[known], risk[known])}, draws)
    worse = np.clip(risk + np.random.default_rng(1).normal(0, 0.05, len(risk)), 0, 1)
    theirs = decision_curves.curves({"model": Scored(label[known], worse[known])}, draws)
    found = stability.net_benefits(label, risk, np.array([worse]), each if weighted else None)
    assert found["thresholds"] == curve["thresholds"]
    assert found["model"] == pytest.approx([one["value"] for one in curve["net_benefit"]["model"]], abs=2e-6)
    for name in ("low", "middle", "high"):
        assert found[name] == pytest.approx([one["value"] for one in theirs["net_benefit"]["model"]], abs=2e-6)


REFITS = {
    # name: what each refit says of a risk, and the share of refits that beats both alternatives at 1 in 10
    "the model again": ([lambda risk: risk], 1.0),
    "everybody above any threshold: no better than reviewing everybody": ([np.ones_like], 0.0),
    "nobody: no better than reviewing nobody": ([np.zeros_like], 0.0),
    "the wrong way round": ([lambda risk: 0.6 - risk], 0.0),
    "three that know and one that does not": ([lambda risk: risk] * 3 + [np.zeros_like], 0.75),
}


@pytest.mark.parametrize(("refits", "share"), REFITS.values(), ids=REFITS.keys())
def test_the_share_of_refits_worth_acting_on(refits, share):
    risk, label, _ = labelled(4000)
    found = stability.net_benefits(label, risk, np.array([one(risk) for one in refits]))
    at = found["thresholds"].index(0.1)
    assert found["share_useful"][at] == share
    assert found["low"][at] <= found["middle"][at] <= found["high"][at]


@pytest.mark.parametrize(("number", "percentiles"), [(1, False), (39, False), (40, True), (200, True)])
def test_few_refits_give_the_lowest_and_highest_and_many_percentiles(number, percentiles):
    risk, label, _ = labelled()
    rng = np.random.default_rng(3)
    others = np.clip(risk + rng.normal(0, 0.08, (number, len(risk))), 0, 1)
    others[0] = 0.6 - risk  # one bad draw
    found = stability.net_benefits(label, risk, others)
    assert found["percentiles"] is percentiles
    at = found["thresholds"].index(0.1)
    alone = stability.net_benefits(label, risk, others[:1])["low"][at]
    assert (found["low"][at] == alone) is not percentiles


def test_without_a_refit_or_a_label_there_is_no_net_benefit():
    risk, label, _ = labelled()
    assert stability.net_benefits(label, risk, np.zeros((0, len(risk)))) is None
    assert stability.net_benefits(np.full(len(risk), np.nan), risk, np.array([risk])) is None


def test_the_run_states_the_net_benefit_of_its_refits_on_the_rows_of_the_decision_curve(trained):
    for pair in trained[1].evaluation.pairs.values():
        found, curve = pair.stability.net_benefit, pair.decision_curve
        assert found.thresholds == curve.thresholds
        assert found.model == pytest.approx([one.value for one in curve.net_benefit["model"]], abs=2e-6)
        assert not found.percentiles
        assert found.share_at(0.05) in (0, 0.5, 1)
        assert found.share_at(0.9) is None
