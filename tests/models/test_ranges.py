"""The range of each risk: its arithmetic, its place in the bundle, and bundles that have none."""

import dataclasses
import json
import shutil

import lightgbm
import numpy as np
import pytest

from models import BundleDamaged, BundleRefused, RiskModel
from models.bundle.manifest import verify
from models.publishing import write_bundle
from models.ranges import FittedRanges, OutcomeFactors, RangeFactor, RangesDocument, factors_at
from models.risk_model import stack_horizons
from tests.models.conftest import HORIZONS, NAMES, random_matrix

PLAIN = {"centre": -3.0, "lowest": -5.0, "highest": -1.0, "shift": 0.0, "shift_slope": 0.0}
SURE = {**PLAIN, "log_hidden": np.log(0.5), "log_hidden_slope": 0.0, "below": 1.0, "above": 1.0}


def factor(horizon=90, **changes):
    return RangeFactor(horizon=horizon, **{**SURE, **changes})


def ends_on_the_logit(entry, logit, spread):
    low, high = entry.range_of(np.array([logit]), np.log(np.array([spread])))
    return [np.round(np.log(end / (1 - end)), 6).tolist()[0] for end in (low, high)]


def entry(*factors, scale=1.0):
    return OutcomeFactors(booster="spread_admission.txt", scale=scale, factors=factors)


@pytest.mark.parametrize(
    "what, factors, scale, logit, spread, low, high",
    [
        ("what no record holds, alone", (factor(),), 1.0, [-3.0], [1e-9], [-3.5], [-2.5]),
        (
            "with the spread of refits: 0.3, 0.4, 0.5",
            (factor(log_hidden=np.log(0.3)),),
            1.0,
            [-3],
            [0.4],
            [-3.5],
            [-2.5],
        ),
        (
            "a model of more events: half the spread",
            (factor(log_hidden=np.log(0.3)),),
            0.5,
            [-3],
            [0.8],
            [-3.5],
            [-2.5],
        ),
        ("two widths below, three above", (factor(below=2, above=3),), 1.0, [-3.0], [1e-9], [-4.0], [-1.5]),
        ("true risks lie lower than the mean", (factor(shift=-0.2),), 1.0, [-3.0], [1e-9], [-3.7], [-2.7]),
        ("a range holds its own risk", (factor(shift=-2.0),), 1.0, [-3.0], [1e-9], [-5.5], [-3.0]),
        ("a shift by risk", (factor(shift_slope=0.1),), 1.0, [-2.0], [1e-9], [-2.4], [-1.4]),
        ("beyond what was learned, the nearest", (factor(shift_slope=0.1),), 1.0, [1.0], [1e-9], [0.7], [1.7]),
        (
            "28 days never more than 90",
            (factor(28, above=9), factor(90)),
            1.0,
            [-4, -3],
            [1e-9] * 2,
            [-4.5, -3.5],
            [-2.5, -2.5],
        ),
    ],
)
def test_a_range_is_the_risk_its_shift_and_its_widths(what, factors, scale, logit, spread, low, high):
    found = ends_on_the_logit(entry(*factors, scale=scale), logit, spread)
    assert found == [pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5)], what


def test_factors_between_prediction_windows_lie_between_and_beyond_them_are_the_nearest():
    learned = (factor(28, below=1.0), factor(112, below=2.0))
    found = factors_at(learned, (7, 56, 180))
    assert [(one.horizon, round(one.below, 6)) for one in found] == [(7, 1.0), (56, 1.5), (180, 2.0)]


def spread_booster(outcome, seed=4):
    rng = np.random.default_rng(seed)
    rows = stack_horizons(random_matrix(800, seed), HORIZONS[outcome])
    target = -1.0 + 0.3 * np.nan_to_num(rows[:, 0]) + 0.1 * rng.normal(size=len(rows))
    own = {"objective": "regression", "num_leaves": 8, "max_depth": 3, "verbose": -1, "num_threads": 1}
    return lightgbm.train(own, lightgbm.Dataset(rows, target), 15)


def ranges_of(*outcomes):
    entries = {
        name: OutcomeFactors(
            booster=f"spread_{name}.txt", scale=0.5, factors=tuple(factor(days, shift=-0.2) for days in HORIZONS[name])
        )
        for name in outcomes
    }
    document = RangesDocument(refits=20, learned={"people": 100, "on": "2026-01-05"}, outcomes=entries)
    return FittedRanges(document, {name: spread_booster(name) for name in outcomes})


@pytest.fixture(scope="module")
def with_ranges(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranged") / "bundle"
    return write_bundle(folder, **parts, ranges=ranges_of("admission", "disengagement"))


def test_a_bundle_with_ranges_gives_each_risk_its_range_and_changes_no_score(with_ranges, bundle):
    model, plain = RiskModel.load(with_ranges), RiskModel.load(bundle)
    matrix = random_matrix(300, seed=8)
    found, before = model.score(matrix, names=NAMES), plain.score(matrix, names=NAMES)
    for outcome in HORIZONS:
        one = found[outcome]
        assert np.array_equal(one.probability, before[outcome].probability)
        assert np.array_equal(one.contributions, before[outcome].contributions)
        assert (one.low <= one.probability).all() and (one.probability <= one.high).all()
        assert (np.diff(one.low, axis=1) >= 0).all() and (np.diff(one.high, axis=1) >= 0).all()
        assert one.low.min() > 0 and one.high.max() < 1
        assert len(np.unique(np.round(one.high[:, 0] - one.low[:, 0], 12))) > 50  # each person's own
        assert one.range_at(3, 1) == (one.low[3, 1], one.high[3, 1])


def test_the_spread_is_what_lightgbm_says_to_the_last_digit(with_ranges):
    model, matrix = RiskModel.load(with_ranges), random_matrix(50, seed=9)
    found = model.score(matrix, names=NAMES)["admission"]
    booster = lightgbm.Booster(model_str=(with_ranges / "spread_admission.txt").read_text())
    log_spread = booster.predict(stack_horizons(matrix, HORIZONS["admission"])).reshape(50, 3)
    logit = np.log(found.probability / (1 - found.probability))
    low, high = model.ranges.outcomes["admission"].range_of(logit, log_spread)
    assert np.allclose(found.low, low, rtol=1e-9) and np.allclose(found.high, high, rtol=1e-9)


def test_one_person_has_the_range_that_they_have_in_a_batch(with_ranges):
    model, matrix = RiskModel.load(with_ranges), random_matrix(40, seed=10)
    together = model.score(matrix, names=NAMES)["admission"]
    for row in range(5):
        alone = model.score(matrix[row : row + 1], names=NAMES)["admission"]
        assert alone.low[0].tolist() == together.low[row].tolist()
        assert alone.high[0].tolist() == together.high[row].tolist()


def test_a_bundle_without_ranges_serves_without_them(bundle):
    model = RiskModel.load(bundle)
    found = model.score(random_matrix(5), names=NAMES)["admission"]
    assert (found.low, found.high, found.range_at(0, 0), model.ranges) == (None, None, None, None)
    assert verify(bundle).format == 2


def test_an_outcome_without_factors_has_no_range_beside_one_that_has(parts, tmp_path):
    folder = write_bundle(tmp_path / "bundle", **parts, ranges=ranges_of("admission"))
    found = RiskModel.load(folder).score(random_matrix(5), names=NAMES)
    assert found["admission"].low is not None and found["disengagement"].low is None


def test_a_changed_range_or_spread_is_found_before_anything_is_read(with_ranges, tmp_path):
    for name in ("ranges.json", "spread_admission.txt"):
        folder = tmp_path / name.partition(".")[0] / with_ranges.name
        shutil.copytree(with_ranges, folder)
        damaged = bytearray((folder / name).read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (folder / name).write_bytes(bytes(damaged))
        with pytest.raises(BundleDamaged, match=name):
            RiskModel.load(folder)


def test_ranges_of_other_golden_rows_are_refused(with_ranges):
    model = RiskModel.load(with_ranges)
    model._golden["expected"]["admission"]["high"][0][0] += 1e-6
    with pytest.raises(BundleRefused, match="high end of the range"):
        model.self_test()


def test_ranges_at_other_prediction_windows_are_refused(parts, tmp_path):
    ranges = ranges_of("admission", "disengagement")
    entries = dict(ranges.document.outcomes)
    entries["disengagement"] = entries["disengagement"].model_copy(update={"factors": (factor(60), factor(180))})
    other = dataclasses.replace(ranges, document=ranges.document.model_copy(update={"outcomes": entries}))
    folder = write_bundle(tmp_path / "bundle", **parts, ranges=other)
    with pytest.raises(BundleRefused, match="other horizons of disengagement"):
        RiskModel.load(folder)


def test_the_manifest_lists_the_files_of_the_ranges(with_ranges):
    manifest = json.loads((with_ranges / "manifest.json").read_text())
    assert manifest["format"] == 3
    assert {"ranges.json", "spread_admission.txt", "spread_disengagement.txt"} <= set(manifest["files"])
