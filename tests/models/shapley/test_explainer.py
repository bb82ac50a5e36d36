"""Exact contributions against four witnesses: arithmetic by hand, every subset, shap's own code, and LightGBM on
hundreds of models."""

import itertools
import math
import re
import warnings

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import FeatureMismatch, TreeShapley
from models.shapley.kernels import BLOCK, FEW
from models.shapley.trees import MISSING_NAN, MISSING_NONE, MISSING_ZERO, ZERO, read_trees
from tests.examples import examples
from tests.models.shapley.drawn_trees import END, HEADER, spelled, tree_shapes

NAN = float("nan")

ONE_SPLIT = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=a b
feature_infos=[0:9] [0:9]

Tree=0
num_leaves=2
num_cat=0
split_feature=1
threshold=5
decision_type=8
left_child=-1
right_child=-2
leaf_value=-1 3
leaf_count=75 25
internal_count=100
split_gain=1
leaf_weight=75 25
internal_value=0
internal_weight=100
is_linear=0
shrinkage=1


end of trees
"""


@pytest.mark.parametrize(
    ("row", "contributions"),
    [  # 75 of 100 people went left to -1 and 25 right to 3, so the mean is 0
        ([0.0, 4.0], [0.0, -1.0, 0.0]),
        ([0.0, 5.0], [0.0, -1.0, 0.0]),
        ([9.0, 5.1], [0.0, 3.0, 0.0]),
        ([9.0, NAN], [0.0, 3.0, 0.0]),
    ],
)
def test_one_split_by_hand(row, contributions):
    assert TreeShapley(ONE_SPLIT).contributions(np.array([row])).tolist() == [contributions]


def train(seed, rows=400, most_features=8, **parameters):
    """A small random model and rows that probe it: training rows, exact thresholds, zeros, tiny values, infinities and
    holes."""
    rng = np.random.default_rng(seed)
    features = int(rng.integers(1, most_features + 1))
    x = rng.normal(size=(rows, features)).round(int(rng.integers(0, 5)))
    x[rng.random(x.shape) < rng.choice([0.0, 0.2, 0.6])] = np.nan
    x[rng.random(x.shape) < rng.choice([0.0, 0.2])] = 0.0
    if features > 2:
        x[:, 1] = 7.0
    z = np.nan_to_num(x)
    y = z[:, 0] + z[:, -1] * z[:, features // 2] + rng.normal(size=rows) * 0.3
    chosen = {
        "objective": "regression",
        "num_leaves": int(rng.integers(2, 32)),
        "max_depth": int(rng.integers(1, 7)),
        "min_data_in_leaf": int(rng.choice([1, 5, 40])),
        "learning_rate": 0.3,
        "use_missing": bool(rng.random() < 0.8),
        "zero_as_missing": bool(rng.random() < 0.3),
        "min_gain_to_split": float(rng.choice([0.0, 1.0])),
        "verbose": -1,
        "num_threads": 1,
        "seed": seed,
    } | parameters
    booster = lightgbm.train(chosen, lightgbm.Dataset(x, y, params=chosen), int(rng.integers(1, 12)))
    cuts = read_trees(booster).threshold
    probes = np.vstack([x[:40], rng.normal(size=(40, features)) * 2])
    special = np.concatenate(
        [cuts, np.nextafter(cuts, np.inf), [0.0, -0.0, 1e-36, -1e-36, 1e-34, np.inf, -np.inf, np.nan]]
    )
    probes = np.where(rng.random(probes.shape) < 0.4, rng.choice(special, size=probes.shape), probes)
    return booster, np.vstack([probes, np.full((1, features), np.nan), np.zeros((1, features))])


def agree(booster, rows, tolerance=1e-9):
    ours = TreeShapley(booster)
    contributions = ours.contributions(rows)
    theirs = booster.predict(rows, pred_contrib=True, num_threads=1)
    margin = booster.predict(rows, raw_score=True, num_threads=1)
    np.testing.assert_allclose(contributions, theirs, rtol=0, atol=tolerance)
    np.testing.assert_allclose(contributions.sum(axis=1), margin, rtol=0, atol=tolerance)
    assert np.array_equal(ours.margins(rows), margin)
    return ours


def kinds_of(booster):
    """What is special about the trees of a model, so that a suite of random models can be asked what it held."""
    trees, found = read_trees(booster), set()
    found |= {f"missing {kind}" for kind in np.unique(trees.missing).tolist()}
    found |= {f"default {'left' if left else 'right'}" for left in np.unique(trees.default_left).tolist()}
    for t in range(len(trees)):
        nodes = trees.nodes(t)
        if nodes.start == nodes.stop:
            found.add("a tree of one leaf")
            continue
        waiting = [(0, ())]
        while waiting:
            node, above = waiting.pop()
            feature = int(trees.feature[nodes.start + node])
            if feature in above:
                found.add("a feature twice on a path")
            path = (*above, feature)
            found.add(f"depth {len(path)}")
            children = trees.left[nodes.start + node], trees.right[nodes.start + node]
            waiting += [(int(child), path) for child in children if child >= 0]
    if booster.num_feature() > len(set(trees.feature.tolist())):
        found.add("a feature without a split")
    return found


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_two_hundred_random_models_against_lightgbm(first):
    """Fifty at a time, each fifty with every kind of missing value, both defaults, depths 1 to 6, constant and
    repeated features."""
    kinds = set()
    for seed in range(first, first + 50):
        booster, rows = train(seed)
        agree(booster, rows)
        kinds |= kinds_of(booster)
    assert kinds >= {
        *(f"missing {kind}" for kind in (MISSING_NONE, MISSING_ZERO, MISSING_NAN)),
        *(f"depth {splits}" for splits in range(1, 7)),
        "default left",
        "default right",
        "a feature twice on a path",
        "a feature without a split",
    }


def test_a_model_that_found_no_split_is_its_mean():
    booster, rows = train(0, min_data_in_leaf=10_000)
    assert kinds_of(booster) >= {"a tree of one leaf"}
    ours = agree(booster, rows)
    assert not ours.contributions(rows)[:, :-1].any()


def brute_force(trees, row):
    """Shapley values from their definition, over all subsets of features, with the cover-weighted value function of
    one tree after another."""
    n = trees.n_features
    total = np.zeros(n + 1)

    def goes_left(node):
        x, missing = row[trees.feature[node]], trees.missing[node]
        x = 0.0 if np.isnan(x) and missing != MISSING_NAN else x
        if np.isnan(x) or (missing == MISSING_ZERO and abs(x) <= ZERO):
            return trees.default_left[node]
        x = 0.0 if abs(x) <= ZERO else x
        return x <= trees.threshold[node]

    def value(tree, known):
        first, leaf = trees.nodes(tree).start, trees.leaves(tree).start

        def below(child):
            if child < 0:
                return trees.leaf_value[leaf - 1 - child], trees.leaf_cover[leaf - 1 - child]
            node = first + child
            (a, left), (b, right) = below(trees.left[node]), below(trees.right[node])
            if trees.feature[node] in known:
                return (a if goes_left(node) else b), left + right
            return (a * left + b * right) / (left + right), left + right

        return below(0 if trees.nodes(tree).stop > first else -1)[0]

    for tree in range(len(trees)):
        worth = {known: value(tree, known) for size in range(n + 1) for known in itertools.combinations(range(n), size)}
        total[n] += worth[()]
        for feature in range(n):
            for known, v in worth.items():
                if feature not in known:
                    share = math.factorial(len(known)) * math.factorial(n - len(known) - 1) / math.factorial(n)
                    total[feature] += share * (worth[tuple(sorted((*known, feature)))] - v)
    return total


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 7, 8])
def test_every_subset_of_features(seed):
    booster, rows = train(seed, most_features=5, num_leaves=12, max_depth=5)
    trees = read_trees(booster)
    expected = np.array([brute_force(trees, row) for row in rows[-12:]])
    np.testing.assert_allclose(TreeShapley(booster).contributions(rows[-12:]), expected, rtol=0, atol=1e-10)


def test_against_shaps_own_code():
    shap = pytest.importorskip("shap", reason="shap is in the training extra")
    booster, rows = model_of_size(features=6)
    rows = np.nan_to_num(rows[:200].astype(np.float64), nan=0.3)  # shap's own code knows no missing values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        explainer.model.model_type = (
            "internal"  # shap hands LightGBM's models back to LightGBM; this keeps it to its own code
        )
        expected = explainer.shap_values(rows, check_additivity=False)
    np.testing.assert_allclose(TreeShapley(booster).contributions(rows)[:, :-1], expected, rtol=0, atol=1e-6)


def model_of_size(rows=3000, features=12, trees=20, **parameters):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    y = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1] * x[:, 2]) + np.sin(3 * np.nan_to_num(x[:, 3]))
    chosen = {
        "objective": "regression",
        "num_leaves": 31,
        "max_depth": 6,
        "min_data_in_leaf": 5,
        "verbose": -1,
        "num_threads": 1,
    } | parameters
    return lightgbm.train(chosen, lightgbm.Dataset(x, y, params=chosen), trees), x


def test_a_row_scores_the_same_alone_in_any_batch_and_on_any_number_of_threads():
    booster, x = model_of_size()
    ours = TreeShapley(booster)
    margins, contributions = ours.explain(x)
    for rows in (0, 1, FEW, FEW + 1, 64, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1):
        assert np.array_equal(ours.contributions(x[:rows]), contributions[:rows])
        assert np.array_equal(ours.margins(x[:rows]), margins[:rows])
    assert np.array_equal(ours.contributions(x, threads=2), contributions)
    assert np.array_equal(ours.contributions(x[::-1]), contributions[::-1])
    assert np.array_equal(ours.contributions(x.astype(np.float64)), contributions)


@pytest.mark.parametrize(
    ("depth", "leaves", "tabulated"), [(2, 4, True), (7, 60, True), (8, 120, True), (9, 200, False), (-1, 255, False)]
)
def test_deeper_trees_are_explained_more_slowly_but_exactly(depth, leaves, tabulated):
    booster, x = model_of_size(max_depth=depth, num_leaves=leaves, trees=3)
    assert agree(booster, x[:200]).tabulated is tabulated


def test_more_thresholds_than_a_byte_can_tell_apart():
    booster, x = model_of_size(features=4, trees=200, max_bin=2000)
    trees = read_trees(booster)
    assert max(len(np.unique(trees.threshold[trees.feature == f])) for f in range(4)) > 255
    assert agree(booster, x[:500]).tabulated


def test_single_precision_meets_double_thresholds():
    """0.1 as a float32 is a little more than 0.1: it goes right of a threshold of 0.1, as LightGBM sends it."""
    text = ONE_SPLIT.replace("threshold=5", "threshold=0.1")
    ours, theirs = TreeShapley(text), lightgbm.Booster(model_str=text)
    row = np.array([[0.0, 0.1]])
    for rows in (row, row.astype(np.float32)):
        assert ours.contributions(rows)[0, 1] == theirs.predict(rows, pred_contrib=True)[0, 1]
    assert ours.margins(row)[0] != ours.margins(row.astype(np.float32))[0]


def test_best_iteration_is_what_is_explained():
    booster, x = model_of_size(trees=20)
    booster.best_iteration = 7
    agree(booster, x[:100])


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 2)), np.zeros((3, 13)), np.zeros(12), np.zeros((3, 12), dtype=np.int64)]
)
def test_a_matrix_of_another_shape_is_refused(wrong):
    ours = TreeShapley(model_of_size(trees=1)[0])
    with pytest.raises(FeatureMismatch, match=r"expected float32 or float64 with shape \(rows, 12\)"):
        ours.contributions(wrong)


@settings(max_examples=examples(20), deadline=None)
@given(st.data())
def test_any_tree_and_any_row_by_every_subset(data):
    """Trees that no training would make: the definition over all subsets, and efficiency, on whatever Hypothesis
    draws."""
    shape = data.draw(tree_shapes())
    text = HEADER + spelled(0, shape) + END
    trees = read_trees(text)
    covers = np.array(
        data.draw(st.lists(st.integers(1, 50), min_size=len(trees.leaf_value), max_size=len(trees.leaf_value)))
    )
    text = with_covers(text, trees, covers)
    values = st.one_of(st.sampled_from([0.0, -0.0, 1e-36, NAN]), st.floats(allow_nan=True, allow_infinity=True))
    near = [float(t) for t in trees.threshold] or [0.0]
    row = np.array(data.draw(st.lists(st.one_of(values, st.sampled_from(near)), min_size=3, max_size=3)))
    found = TreeShapley(text).contributions(row[None, :])[0]
    np.testing.assert_allclose(found, brute_force(read_trees(text), row), rtol=0, atol=1e-9)
    assert found.sum() == pytest.approx(TreeShapley(text).margins(row[None, :])[0], abs=1e-9)


def with_covers(text, trees, leaf_cover):
    """The text of one tree with other numbers of training rows in its leaves, and their sums above."""
    node_cover = np.zeros(len(trees.left))

    def below(child):
        if child < 0:
            return int(leaf_cover[-1 - child])
        node_cover[child] = below(int(trees.left[child])) + below(int(trees.right[child]))
        return node_cover[child]

    if len(trees.left):
        below(0)
    join = lambda counts: " ".join(str(int(count)) for count in counts)  # noqa: E731
    text = re.sub(r"leaf_count=.*", f"leaf_count={join(leaf_cover)}", text)
    return re.sub(r"internal_count=.*", f"internal_count={join(node_cover)}", text)
