"""Stability: an unchanged model is perfectly stable, a model that scores by chance is unstable, and the run's own
figures lie between."""

import numpy as np
import pytest

from models.calibration import Calibration
from training.dataset.prepare import prepare
from training.evaluation.trials import stability
from training.statistics.resampling import codes


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
