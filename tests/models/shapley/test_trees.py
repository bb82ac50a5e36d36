"""Reading LightGBM's text: what it says, what is refused, and that damage never passes as a model."""

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import TreesError
from models.shapley.trees import MISSING_NAN, MISSING_NONE, MISSING_ZERO, read_trees
from tests.examples import examples
from tests.models.shapley.drawn_trees import END, HEADER, spelled, tree_shapes

#           x0 <= 1.5 (missing: right)
#          /          \
#   x2 <= 0           leaf 1 = 3
#  (zero is missing, left)
#   /      \
# leaf 0    leaf 2
#  = -1      = 2
TWO_SPLITS = """
Tree=0
num_leaves=3
num_cat=0
split_feature=0 2
split_gain=2 1
threshold=1.5 0
decision_type=8 6
left_child=1 -1
right_child=-2 -3
leaf_value=-1 3 2
leaf_weight=1 1 1
leaf_count=10 60 30
internal_value=0 0
internal_weight=0 0
internal_count=100 40
is_linear=0
shrinkage=1


"""
CONSTANT = (
    "\nTree=1\nnum_leaves=1\nnum_cat=0\nsplit_feature=\nthreshold=\nleaf_value=0.25\n"
    "leaf_count=\nis_linear=0\nshrinkage=1\n\n"
)


def test_features_thresholds_and_leaves_are_read_from_the_text_of_a_booster():
    trees = read_trees(HEADER + TWO_SPLITS + CONSTANT + END)
    assert (len(trees), trees.n_features) == (2, 3)
    assert trees.feature.tolist() == [0, 2]
    assert trees.threshold.tolist() == [1.5, 0.0]
    assert trees.missing.tolist() == [MISSING_NAN, MISSING_ZERO]
    assert trees.default_left.tolist() == [False, True]
    assert (trees.left.tolist(), trees.right.tolist()) == ([1, -1], [-2, -3])
    assert trees.leaf_value.tolist() == [-1.0, 3.0, 2.0, 0.25]
    assert trees.node_cover.tolist() == [100.0, 40.0]
    assert (trees.nodes(1), trees.leaves(1)) == (slice(2, 2), slice(3, 4))


def test_a_split_between_missing_and_everything_else_has_an_infinite_threshold():
    assert read_trees(HEADER + TWO_SPLITS.replace("threshold=1.5 0", "threshold=inf 0") + END).threshold[0] == np.inf


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("version=v4", "version=v9"), "expected v3 or v4"),
        (("num_class=1", "num_class=3"), "one booster per outcome"),
        (("num_class=1", "num_class=1\naverage_output"), "random forest"),
        (("max_feature_idx=2", "max_feature_idx=1"), "beyond the 2"),
        (("num_cat=0", "num_cat=1"), "categorical"),
        (("decision_type=8 6", "decision_type=8 1"), "categorical"),
        (("decision_type=8 6", "decision_type=8 14"), "kind of missing"),
        (("is_linear=0", "is_linear=1"), "linear"),
        (("num_leaves=3", "num_leaves=4"), "expected 3"),
        (("num_leaves=3", "num_leaves=-3"), "whole number"),
        (("left_child=1 -1", "left_child=0 -1"), "do not form a tree"),
        (("left_child=1 -1\nright_child=-2 -3", "left_child=-1 1\nright_child=-2 -3"), "cannot be reached"),
        (("leaf_value=-1 3 2", "leaf_value=-1 nan 2"), "not finite"),
        (("leaf_value=-1 3 2", "leaf_value=-1 x 2"), "not a number"),
        (("threshold=1.5 0\n", ""), "does not state threshold"),
        (("split_feature=0 2", "split_feature=0.5 2"), "not whole"),
        (("Tree=0", "Tree=4"), "without a gap"),
        (("end of trees", ""), "not the whole text"),
    ],
)
def test_a_text_that_cannot_be_explained_exactly_is_refused_with_the_reason(change, says):
    text = HEADER + TWO_SPLITS + END
    assert change[0] in text
    with pytest.raises(TreesError, match=says):
        read_trees(text.replace(*change))


@pytest.mark.parametrize(
    ("parameters", "dataset", "says"),
    [
        ({}, {"categorical_feature": [0]}, "categorical"),
        ({"linear_tree": True}, {}, "linear"),
        ({"objective": "multiclass", "num_class": 3}, {}, "one booster per outcome"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, {}, "random forest"),
    ],
)
def test_lightgbm_models_that_exact_contributions_do_not_cover(parameters, dataset, says):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, size=(400, 2)).astype(float)
    y = (x[:, 0] % 3).astype(int) if "num_class" in parameters else (x[:, 0] % 2)
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5} | parameters,
        lightgbm.Dataset(x, y, params={"verbose": -1} | parameters, **dataset),
        3,
    )
    with pytest.raises(TreesError, match=says):
        read_trees(booster)


@pytest.mark.parametrize("part", ["leaf_count=0 60 30", "leaf_count=10 0 30"])
def test_a_leaf_that_no_training_row_reached_is_refused(part):
    """A contribution divides by the rows under a node: with none it would be NaN, shown as a reason to nobody."""
    text = HEADER + TWO_SPLITS.replace("leaf_count=10 60 30", part) + END
    with pytest.raises(TreesError, match="cover below 1"):
        read_trees(text)


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(tree_shapes(), min_size=1, max_size=4))
def test_every_tree_reads_back_as_it_was_written(shapes):
    trees = read_trees(HEADER + "".join(spelled(i, shape) for i, shape in enumerate(shapes)) + END)
    for t, (splits, left, right, values) in enumerate(shapes):
        assert trees.feature[trees.nodes(t)].tolist() == [s[0] for s in splits]
        assert trees.threshold[trees.nodes(t)].tolist() == [s[1] for s in splits]
        assert trees.left[trees.nodes(t)].tolist() == left
        assert trees.right[trees.nodes(t)].tolist() == right
        assert trees.leaf_value[trees.leaves(t)].tolist() == values
        kinds = [(MISSING_NONE, MISSING_ZERO, MISSING_NAN)[s[2] >> 2] for s in splits]
        assert trees.missing[trees.nodes(t)].tolist() == kinds


@settings(max_examples=examples(50), deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.text("0123456789-.= \nTreeinfax", max_size=12))
def test_a_damaged_text_gives_whole_trees_or_a_trees_error(start, length, put):
    """Whatever is cut out of the text and put in, the reader gives whole trees or a TreesError, and always ends."""
    text = HEADER + TWO_SPLITS + CONSTANT + END
    start %= len(text)
    try:
        trees = read_trees(text[:start] + put + text[start + length :])
    except TreesError:
        return
    assert np.isfinite(trees.leaf_value).all()
    assert len(trees.leaf_value) == len(trees.feature) + len(trees)
