"""A booster's trees as flat arrays, read from LightGBM's text.

It reads only what exact contributions cover: one output, numeric splits, constant leaves. It refuses everything else
with a ``TreesError`` that names it. The text counts as untrusted input: every length, every child and every cover is
checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.errors import TreesError

if TYPE_CHECKING:
    import lightgbm

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2
ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: a value this near to 0 counts as 0 if zero means missing."""

_CATEGORICAL, _DEFAULT_LEFT = 1, 2


@dataclass(frozen=True)
class Trees:
    """All trees of one booster, end to end.

    Tree ``t`` owns the nodes ``node_start[t]:node_start[t + 1]`` and the leaves ``leaf_start[t]:leaf_start[t + 1]``; a
    tree of one leaf has no node. In ``left`` and ``right`` a child at or above 0 is a node of the same tree, counted
    from its first, and ``-1 - i`` is its leaf ``i``. ``cover`` is the number of training rows that reached a node or
    leaf. A value goes left if ``value <= threshold``; a missing value (``missing``: none, zero or NaN, per node) goes
    left if ``default_left``.
    """

    n_features: int
    node_start: Ints
    leaf_start: Ints
    feature: Ints
    threshold: Floats
    missing: NDArray[np.uint8]
    default_left: NDArray[np.bool_]
    left: Ints
    right: Ints
    node_cover: Floats
    leaf_cover: Floats
    leaf_value: Floats

    def __len__(self) -> int:
        return len(self.leaf_start) - 1

    def nodes(self, tree: int) -> slice:
        return slice(int(self.node_start[tree]), int(self.node_start[tree + 1]))

    def leaves(self, tree: int) -> slice:
        return slice(int(self.leaf_start[tree]), int(self.leaf_start[tree + 1]))


def read_trees(booster: lightgbm.Booster | str) -> Trees:
    """Reads a booster, or the text that ``model_to_string`` returns. Raises ``TreesError``."""
    text = booster if isinstance(booster, str) else booster.model_to_string()
    body, end, _ = text.partition("\nend of trees")
    if not text.startswith("tree\n") or not end:
        raise TreesError(
            "this is not the whole text of a LightGBM model: expected it to open with `tree` and to hold `end of trees`"
        )
    header_text, *blocks = body.split("\nTree=")
    header = _fields(header_text, "the header")
    n_features = _header(header)
    trees = [_tree(block, i, n_features) for i, block in enumerate(blocks)]
    if not trees:
        raise TreesError("the model has no trees: train it for at least one round")
    decision = _join(trees, "decision_type").astype(np.int32)
    return Trees(
        n_features=n_features,
        node_start=_starts([len(tree["split_feature"]) for tree in trees]),
        leaf_start=_starts([len(tree["leaf_value"]) for tree in trees]),
        feature=_join(trees, "split_feature").astype(np.int32),
        threshold=_join(trees, "threshold"),
        missing=((decision >> 2) & 3).astype(np.uint8),
        default_left=(decision & _DEFAULT_LEFT) > 0,
        left=_join(trees, "left_child").astype(np.int32),
        right=_join(trees, "right_child").astype(np.int32),
        node_cover=_join(trees, "internal_count"),
        leaf_cover=_join(trees, "leaf_count"),
        leaf_value=_join(trees, "leaf_value"),
    )


def _header(header: dict[str, str]) -> int:
    if header.get("version") not in ("v3", "v4"):
        raise TreesError(
            f"model text of version {header.get('version')}: expected v3 or v4; write it with LightGBM 3 or 4"
        )
    if header.get("num_class") != "1" or header.get("num_tree_per_iteration") != "1":
        raise TreesError(
            f"a model of {header.get('num_class')} classes: expected one output; train one booster per outcome"
        )
    if "average_output" in header:
        raise TreesError("a random forest averages its trees: expected boosting=gbdt, whose trees add up")
    try:
        return int(header["max_feature_idx"]) + 1
    except (KeyError, ValueError):
        raise TreesError("the header does not state max_feature_idx: the text is damaged") from None


_PER_NODE = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "internal_count")
_PER_LEAF = ("leaf_value", "leaf_count")
_WHOLE = ("split_feature", "decision_type", "left_child", "right_child", "internal_count", "leaf_count")


def _tree(block: str, tree: int, n_features: int) -> dict[str, Floats]:
    where = f"tree {tree}"
    number, _, rest = block.partition("\n")
    if number.strip() != str(tree):
        raise TreesError(f"{where}: found Tree={number.strip()[:20]}; trees are numbered from 0 without a gap")
    fields = _fields(rest, where)
    if fields.get("num_cat", "0") != "0":
        raise TreesError(
            f"{where} splits a categorical feature: expected numeric splits only; encode the feature as numbers "
            f"before training"
        )
    if fields.get("is_linear", "0") != "0":
        raise TreesError(
            f"{where} has linear leaves: LightGBM itself gives no contributions for them; train with linear_tree=false"
        )
    leaves = fields.get("num_leaves", "")
    if not leaves.isdecimal() or not 1 <= int(leaves) <= 1_000_000:
        raise TreesError(f"{where}: num_leaves is {leaves[:20]!r}, expected a whole number of at least 1")
    n = int(leaves)
    if n == 1:
        return {name: np.empty(0) for name in _PER_NODE} | {
            "leaf_value": _numbers(fields, "leaf_value", 1, where),
            "leaf_count": np.ones(1),
        }
    found = {name: _numbers(fields, name, n - 1, where) for name in _PER_NODE} | {
        name: _numbers(fields, name, n, where) for name in _PER_LEAF
    }
    _check(found, n_features, where)
    return found


def _check(found: dict[str, Floats], n_features: int, where: str) -> None:
    for name in _WHOLE:
        if np.any(found[name] != np.round(found[name])) or np.any(np.abs(found[name]) > 2**31 - 1):
            raise TreesError(f"{where}: {name} holds a number that is not whole: the text is damaged")
    for name in ("internal_count", "leaf_count"):
        if np.any(found[name] < 1):
            raise TreesError(
                f"{where}: {name} holds a cover below 1: contributions would be divided by it, and LightGBM's own "
                f"reader stops the process; write the text again with the trainer that made it"
            )
    if np.any((found["split_feature"] < 0) | (found["split_feature"] >= n_features)):
        raise TreesError(
            f"{where} splits a feature beyond the {n_features} that the header states: the text is damaged"
        )
    if np.any((found["decision_type"] < 0) | (found["decision_type"] > 11)):
        raise TreesError(
            f"{where}: decision_type holds a kind of missing value that LightGBM does not have: the text is damaged"
        )
    if np.any(found["decision_type"].astype(np.int64) & _CATEGORICAL):
        raise TreesError(
            f"{where} splits a categorical feature: expected numeric splits only; encode the feature as numbers "
            f"before training"
        )
    if np.any(found["internal_count"] <= 0) or np.any(found["leaf_count"] <= 0):
        raise TreesError(
            f"{where}: a node or leaf has a cover of 0, so contributions are not defined: use "
            f"the text that LightGBM wrote after training"
        )
    left, right = found["left_child"].astype(np.int64), found["right_child"].astype(np.int64)
    n = len(left)
    if not np.array_equal(np.sort(np.concatenate((left, right))), np.r_[-n - 1 : 0, 1:n]):
        raise TreesError(f"{where}: its children do not form a tree: the text is damaged")
    seen, waiting = 0, [0]
    while waiting:
        node = waiting.pop()
        seen += 1
        waiting.extend(int(child) for child in (left[node], right[node]) if child >= 0)
    if seen != n:
        raise TreesError(f"{where}: some nodes cannot be reached from the first: the text is damaged")


def _fields(text: str, where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        if name in fields and name:
            raise TreesError(f"{where} states {name[:40]} twice: the text is damaged")
        fields[name] = value
    return fields


def _numbers(fields: dict[str, str], name: str, length: int, where: str) -> Floats:
    try:
        values = np.array([float(word) for word in fields[name].split()], dtype=np.float64)
    except KeyError:
        raise TreesError(f"{where} does not state {name}: the text is damaged") from None
    except ValueError:
        raise TreesError(f"{where}: {name} holds something that is not a number: the text is damaged") from None
    if len(values) != length:
        raise TreesError(f"{where}: {name} has {len(values)} numbers, expected {length}: the text is damaged")
    # A split between missing and everything else has the threshold "inf".
    if np.isnan(values).any() or (name != "threshold" and np.isinf(values).any()):
        raise TreesError(
            f"{where}: {name} holds a number that is not finite: train again on finite labels and features"
        )
    return values


def _starts(lengths: list[int]) -> Ints:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)


def _join(trees: list[dict[str, Floats]], name: str) -> Floats:
    return np.concatenate([tree[name] for tree in trees])
