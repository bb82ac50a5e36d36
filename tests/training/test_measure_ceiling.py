"""The ceiling of a planted world: three causes, of which the records hold two and the model reads one. What each part
of the distance must be is computed from every row's risk; the command finds it from a few rows."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training import measure_ceiling
from training.evaluation.ceiling import Ceiling, expected_split
from training.measure_ceiling import drawn_by_risk, main
from training.settings import Settings
from training.simulator.ceiling import HIDDEN
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws

PEOPLE, NAME = 20_000, "disengagement_180"


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(4)
    read, unread, hidden = 0.7 * rng.normal(size=(3, PEOPLE))
    oracle, ceiling, model = (1 / (1 + np.exp(4 - z)) for z in (read + unread + hidden, read + unread, read))
    label = (rng.random(PEOPLE) < oracle).astype(float)
    return SimpleNamespace(oracle=oracle, ceiling=ceiling, model=model, label=label)


def auroc(risk, score):
    """The chance that an event scores above a non-event, over everything that could happen."""
    order = np.argsort(score)
    return float((risk[order] * np.cumsum(1 - risk[order])).sum() / (risk.sum() * (1 - risk).sum()))


@pytest.fixture(scope="module")
def asked(world):
    return drawn_by_risk(np.arange(PEOPLE), {NAME: world.model}, 1500, np.random.default_rng(0))


def test_rows_are_drawn_by_known_chances_more_often_where_the_risk_is_high(world, asked):
    at, weight = asked
    assert len(at) == pytest.approx(1500, rel=0.1)
    assert weight.sum() == pytest.approx(PEOPLE, rel=0.05)
    assert (weight * world.oracle[at]).sum() == pytest.approx(world.oracle.sum(), rel=0.1)
    assert world.model[at].mean() > 1.2 * world.model.mean()


def test_rare_events_leave_less_chance_where_rows_count_by_their_risk(world, asked):
    at, weight = asked
    draws = Draws.of(np.arange(len(at)), 200, 0).standing_for(weight)
    scores = {"oracle": world.oracle[at], "ceiling": world.ceiling[at], "model": world.model[at]}
    found = expected_split(world.oracle[at], scores, draws)
    for who, risk in (("oracle", world.oracle), ("ceiling", world.ceiling), ("model", world.model)):
        figure = found[f"{who}_auroc"]
        assert figure["low"] < auroc(world.oracle, risk) < figure["high"]
    counted = [Scored(world.label[at], scores[who]).ranking(draws)["auroc"] for who in ("ceiling", "model")]
    by_events = np.std((counted[0] - counted[1])[1:])
    assert (found["model_short"]["high"] - found["model_short"]["low"]) / 3.92 < 0.7 * by_events


def test_the_command_finds_each_part_of_the_distance(world, tmp_path, monkeypatch):
    ids = np.array([f"S{number:06d}" for number in range(PEOPLE)])
    spine = pd.DataFrame({"patient_id": ids, "as_of": np.datetime64("2025-01-06")})
    everybody = np.ones(PEOPLE, dtype=bool)
    ready = SimpleNamespace(
        spine=spine,
        labels=pd.DataFrame({NAME: world.label}),
        split=SimpleNamespace(train=everybody, test=everybody),
        matrix=SimpleNamespace(names=("one", "two")),
    )
    truth = SimpleNamespace(patients=PEOPLE, seed=4)
    worse = 1 / (1 + np.exp(-np.random.default_rng(5).normal(size=PEOPLE)))

    def risks(truth, spine, horizons, futures, seed):
        return {NAME: world.oracle[[int(name[1:]) for name in spine["patient_id"]]]}

    def ceiling(truth, spine, at, horizons, particles, futures, seed):
        return Ceiling({NAME: world.ceiling[at]}, np.zeros((len(at), len(HIDDEN))))

    monkeypatch.setattr(measure_ceiling, "prepare", lambda *_: ready)
    monkeypatch.setattr(measure_ceiling.Records, "load", lambda _: None)
    monkeypatch.setattr(measure_ceiling.Truth, "load", lambda _: truth)
    monkeypatch.setattr(measure_ceiling.Settings, "load", lambda: Settings())
    monkeypatch.setattr(measure_ceiling, "true_risks", risks)
    monkeypatch.setattr(measure_ceiling, "ceiling_risks", ceiling)
    by_part = {1: world.model, 3: (world.model + 0.01 * worse), 9: worse}
    monkeypatch.setattr(measure_ceiling, "_models", lambda a, b, c, part, times: [{NAME: by_part[part]}] * times)
    out = tmp_path / "ceiling.json"
    main(["--home", str(tmp_path), "--rows", "1500", "--outcomes", "disengagement", "--out", str(out)])
    pair = json.loads(out.read_text(encoding="utf-8"))["pairs"][NAME]
    short = auroc(world.oracle, world.ceiling) - auroc(world.oracle, world.model)
    hidden = auroc(world.oracle, world.oracle) - auroc(world.oracle, world.ceiling)
    assert pair["model_short"]["low"] < short < pair["model_short"]["high"]
    assert pair["model_short"]["low"] > 0
    assert pair["not_in_records"]["low"] < hidden < pair["not_in_records"]["high"]
    parts = pair["split"]
    whole = pair["oracle_auroc"]["value"] - pair["model_auroc"]["value"]
    assert sum(parts.values()) == pytest.approx(whole, abs=1e-5)
    assert pair["filter"]["mean_true_risk"] == pytest.approx(world.oracle.mean(), rel=0.1)
    assert pair["explained"]["model"] < pair["explained"]["ceiling"] < 0.8
    assert pair["explained"]["model and ceiling"] >= pair["explained"]["ceiling"]
    # The model knows nothing that this ceiling does not, so together they rank no better.
    assert pair["together_auroc"]["value"] == pytest.approx(pair["ceiling_auroc"]["value"], abs=0.005)
    assert pair["share_to_together"]["value"] == pytest.approx(pair["share"]["value"], abs=0.02)


def test_a_ceiling_that_lacks_what_the_model_knows_is_raised(world):
    """A filter that sees one of the two causes in the records, beside a model that reads the other."""
    logit = np.log(world.ceiling / (1 - world.ceiling))
    only_unread = 1 / (1 + np.exp(4 - (logit - np.log(world.model / (1 - world.model)))))
    everybody = np.ones(PEOPLE)
    together = measure_ceiling._together(world.oracle, only_unread, world.model, everybody)
    assert auroc(world.oracle, only_unread) < auroc(world.oracle, world.ceiling) - 0.02
    assert auroc(world.oracle, together) == pytest.approx(auroc(world.oracle, world.ceiling), abs=0.002)
