"""True risks that are known only as a share of simulated futures: the noise of the share is taken out."""

import numpy as np
import pytest

from training.statistics.true_risks import below, distances


def drawn(rows, futures, hidden, shift=0.0, seed=0):
    """Estimated logits, and futures with the event, where true risks lie ``hidden`` about the estimate."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-2.5, 0.8, rows)
    true = 1 / (1 + np.exp(-(logit + shift + hidden * rng.normal(size=rows))))
    return logit, rng.binomial(futures, true).astype(float)


@pytest.mark.parametrize("futures", [40, 400])
def test_a_range_of_nine_in_ten_holds_nine_in_ten_however_few_the_futures(futures):
    logit, happened = drawn(3000, futures, hidden=0.8)
    posterior = distances(logit, happened, futures)
    width = np.full(len(logit), 1.645 * 0.8)
    assert (below(posterior, width) - below(posterior, -width)).mean() == pytest.approx(0.9, abs=0.03)


def test_counting_shares_alone_would_make_the_same_range_look_too_narrow():
    logit, happened = drawn(3000, 40, hidden=0.8)
    share = np.clip(happened / 40, 1e-9, 1 - 1e-9)
    away = np.abs(np.log(share / (1 - share)) - logit)
    assert (away <= 1.645 * 0.8).mean() < 0.8


def test_a_shift_of_all_true_risks_is_estimated():
    logit, happened = drawn(3000, 100, hidden=0.5, shift=-0.7)
    posterior = distances(logit, happened, 100)
    assert below(posterior, np.full(len(logit), -0.7)).mean() == pytest.approx(0.5, abs=0.05)


def test_a_row_that_stands_for_many_counts_as_many():
    logit, happened = drawn(600, 200, hidden=0.5)
    weight = np.where(happened / 200 > 1 / (1 + np.exp(-logit)), 1.0, 3.0)
    lower = np.zeros(len(logit))
    plain = below(distances(logit, happened, 200), lower)
    heavier = below(distances(logit, happened, 200, weight), lower)
    assert np.average(heavier, weights=weight) > plain.mean() + 0.1


def test_at_low_risks_few_futures_find_too_few_in_the_range_and_more_of_rows_without_an_event_mend_that():
    """Nobody sees from 80 futures how far a risk of one in a thousand lies below one in eighty."""
    rng = np.random.default_rng(5)
    logit = rng.normal(-5.2, 0.8, 1500)
    true = 1 / (1 + np.exp(-(logit + 1.1 * rng.normal(size=1500))))
    happened = rng.binomial(80, true).astype(float)
    more = np.where(happened == 0, 4000, 0)
    lower = np.full(1500, -1.645 * 1.1)
    few = below(distances(logit, happened, 80), lower).mean()
    enough = below(distances(logit, happened + rng.binomial(more, true), 80 + more), lower).mean()
    assert few > 0.09
    assert enough == pytest.approx(0.05, abs=0.015)
