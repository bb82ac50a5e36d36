"""Trees that no training would make, drawn by Hypothesis and spelled as LightGBM spells them."""

from hypothesis import strategies as st

HEADER = (
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\nobjective=binary "
    "sigmoid:1\n"
)
END = "\nend of trees\n\nfeature_importances:\n"


@st.composite
def tree_shapes(draw):
    """A tree grown leaf by leaf as LightGBM grows it: (splits, left, right), each split with feature, threshold and
    decision."""
    left, right, splits = [], [], []
    leaves = [(None, None)]  # (parent, side) of each leaf
    for node in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(leaves) - 1))
        parent, side = leaves[at]
        if parent is not None:
            side[parent] = node
        left.append(-1 - at)
        right.append(-1 - len(leaves))
        leaves[at] = (node, left)
        leaves.append((node, right))
        threshold = draw(st.floats(allow_nan=False))
        splits.append((draw(st.integers(0, 2)), threshold, draw(st.sampled_from([0, 2, 4, 6, 8, 10]))))
    values = draw(st.lists(st.floats(-5, 5), min_size=len(leaves), max_size=len(leaves)))
    return splits, left, right, values


def spelled(tree, shape):
    splits, left, right, values = shape
    join = lambda items: " ".join(f"{item!r}" for item in items)  # noqa: E731
    return (
        f"\nTree={tree}\nnum_leaves={len(values)}\nnum_cat=0\n"
        f"split_feature={join([s[0] for s in splits])}\nthreshold={join([s[1] for s in splits])}\n"
        f"decision_type={join([s[2] for s in splits])}\n"
        f"left_child={join(left)}\nright_child={join(right)}\nleaf_value={join(values)}\n"
        f"leaf_count={join([1] * len(values))}\ninternal_count={join([1] * len(splits))}\nis_linear=0\nshrinkage=1\n\n"
    )
