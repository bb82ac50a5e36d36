"""Tables of Shapley values of a booster: what each group of leaves adds to each feature, for every outcome of its
splits.

The path-dependent value of a leaf depends only on which conditions of its path hold, so on one bit per split: at most
2^depth patterns. Leaves of a subtree share their path, so a subtree is tabulated as one group as long as the splits
above and inside it fit ``GROUP_SPLITS``; one look-up then serves all its leaves. The tables are exact in double
precision: nothing here is an approximation.

Source: Lundberg and others, "From local explanations to global understanding with explainable AI for trees", Nat Mach
Intell 2020 (the value function with cover as weights); tabulating patterns follows the observation behind Fast
TreeSHAP v2 (Yang 2021) and Woodelf (2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.jit import jit
from features.parts import part
from models.shapley.kernels import MOST_SPLITS, SLOTS
from models.shapley.trees import Trees

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GROUP_SPLITS = 7
"""Largest number of splits in a group of several leaves. Measured: 8 is no faster (1.07 times the time) and takes a
fifth more memory; 6 takes 1.3 times the time, and a table for every leaf 2.5 times the time and twice the memory.
Single-precision tables were no faster on batches. ``tests/benchmarks/shapley_variants.py`` times all of them.
"""

COLUMN_CUTS = 255
"""Largest number of thresholds per column, so that a binned value is one byte. A feature with more becomes several
columns.
"""


@dataclass(frozen=True)
class Tables:
    """All arrays that the kernels read, flat.

    Columns: value to byte. A column is one feature with one kind of missing value and rising
    ``cuts[cut_start[c]:cut_start[c + 1]]``. It gives two rows of bytes: ``2 * c`` puts missing values above all cuts
    (they go right), ``2 * c + 1`` below all cuts (they go left). Steps: ``slot[step_to] = slot[step_from] |
    (byte[step_row] <=
    step_cut) << step_bit``. Groups: group ``g`` of tree ``t`` (``tree_group[t] <= g < tree_group[t + 1]``) first takes
    its steps, then adds to its ``features`` (from ``feature_start[g]`` on) the row ``slot[last]`` of its table, which
    starts at ``table_start[g]`` in ``values``. A row ends with the value of the leaf that the row reaches, or 0 where
    that is in another group. ``flat_to`` and ``flat_from`` are the same steps with a slot of its own (``SLOTS + g``)
    for every group, so that all steps can be taken before any table is read; ``term_group`` is the group of each of
    ``features``.
    """

    n_features: int
    expected_value: float
    column_feature: Ints
    column_missing: Ints
    cut_start: Ints
    cuts: Floats
    tree_group: Ints
    constant: Floats
    group_step: Ints
    step_to: NDArray[np.uint8]
    step_from: NDArray[np.uint8]
    flat_to: NDArray[np.uint32]
    flat_from: NDArray[np.uint32]
    step_row: NDArray[np.uint32]
    step_cut: NDArray[np.uint8]
    step_bit: NDArray[np.uint8]
    feature_start: Ints
    features: NDArray[np.uint32]
    term_group: NDArray[np.uint32]
    table_start: Ints
    values: Floats

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))


@dataclass
class _TableColumns:
    """Thresholds of every (feature, kind of missing), and the position of each node's threshold."""

    features: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    cuts: list[Floats] = field(default_factory=list)

    @classmethod
    def of(cls, trees: Trees) -> tuple[_TableColumns, Ints, NDArray[np.uint8]]:
        """The columns, and for every node its row of bytes and its cut."""
        self = cls()
        keys = trees.feature.astype(np.int64) * 4 + trees.missing
        node_row = np.zeros(len(keys), dtype=np.int64)
        node_cut = np.zeros(len(keys), dtype=np.uint8)
        for key in np.unique(keys).tolist():
            nodes = np.flatnonzero(keys == key)
            cuts = np.unique(trees.threshold[nodes])
            place = np.searchsorted(cuts, trees.threshold[nodes])
            node_row[nodes] = 2 * (len(self.cuts) + place // COLUMN_CUTS) + trees.default_left[nodes]
            node_cut[nodes] = (place % COLUMN_CUTS).astype(np.uint8)
            for first in range(0, len(cuts), COLUMN_CUTS):
                self.features.append(key // 4)
                self.missing.append(key % 4)
                self.cuts.append(cuts[first : first + COLUMN_CUTS])
        return self, node_row, node_cut


Path = list[tuple[int, int, int]]
"""Conditions (node, bit, goes left) from the first split down."""


@dataclass
class _Group:
    """Leaves tabulated together, each with the conditions that lead to it. ``steps_end`` is the number of the plan's
    steps up to and including this group's.
    """

    tree: int
    bits: int
    leaves: list[tuple[int, Path]]
    features: list[int]
    steps_end: int


@dataclass
class _TreePlan:
    trees: Trees
    node_row: Ints
    node_cut: NDArray[np.uint8]
    steps: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    groups: list[_Group] = field(default_factory=list)

    def tree(self, t: int) -> None:
        """Cuts tree ``t`` into groups and writes the steps that find their patterns, in the order of the groups."""
        nodes = self.trees.nodes(t)
        left, right = self.trees.left[nodes].tolist(), self.trees.right[nodes].tolist()
        if not left:
            return
        inside = _splits_below(left, right)

        def walk(node: int, path: Path) -> None:
            if node < 0 or len(path) + inside[node] <= GROUP_SPLITS:
                self._group(t, node, path, left, right)
                return
            self._step(nodes.start + node, len(path), len(path) + 1, len(path))
            walk(left[node], [*path, (node, len(path), 1)])
            walk(right[node], [*path, (node, len(path), 0)])

        walk(0, [])

    def _step(self, node: int, source: int, to: int, bit: int) -> None:
        self.steps.append((to, source, int(self.node_row[node]), int(self.node_cut[node]), bit))

    def _group(self, t: int, root: int, path: Path, left: list[int], right: list[int]) -> None:
        first, bit = self.trees.nodes(t).start, len(path)
        leaves: list[tuple[int, Path]] = []
        waiting = [(root, path)]
        while waiting:
            node, conditions = waiting.pop()
            if node < 0:
                leaves.append((-1 - node, conditions))
                continue
            self._step(first + node, SLOTS - 1 if bit > len(path) else len(path), SLOTS - 1, bit)
            waiting += [(right[node], [*conditions, (node, bit, 0)]), (left[node], [*conditions, (node, bit, 1)])]
            bit += 1
        if root < 0:
            # A lone leaf has no split of its own: its pattern is its parent's, so the parent's last step is repeated
            # into the last slot.
            node, at, _ = path[-1]
            self._step(first + node, len(path), SLOTS - 1, at)
        used = {int(self.trees.feature[first + node]) for _, conditions in leaves for node, _, _ in conditions}
        self.groups.append(_Group(t, bit, leaves, sorted(used), len(self.steps)))


def _splits_below(left: list[int], right: list[int]) -> list[int]:
    """Number of splits in the subtree of each node, itself included."""
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += [child for child in (left[node], right[node]) if child >= 0]
    below = [1] * len(left)
    for node in reversed(order):
        below[node] += sum(below[child] for child in (left[node], right[node]) if child >= 0)
    return below


def deepest_path(trees: Trees) -> int:
    """The largest number of splits above a leaf, over all trees."""
    deepest = 0
    for t in range(len(trees)):
        nodes = trees.nodes(t)
        left, right = trees.left[nodes].tolist(), trees.right[nodes].tolist()
        waiting = [(0, 1)] if left else []
        while waiting:
            node, depth = waiting.pop()
            deepest = max(deepest, depth)
            waiting += [(child, depth + 1) for child in (left[node], right[node]) if child >= 0]
    return deepest


def can_tabulate(trees: Trees) -> bool:
    """True if every path fits a pattern and every split was reached in training (a cover of 0 gives no weights to
    divide by).
    """
    return deepest_path(trees) <= MOST_SPLITS and bool(np.all(trees.node_cover > 0) and np.all(trees.leaf_cover > 0))


def tabulate(trees: Trees) -> Tables:
    """Builds the tables. Requires ``can_tabulate(trees)``."""
    columns, node_row, node_cut = _TableColumns.of(trees)
    plan = _TreePlan(trees, node_row, node_cut)
    tree_group = [0]
    for t in range(len(trees)):
        plan.tree(t)
        tree_group.append(len(plan.groups))
    groups = plan.groups
    table_start = _running([(len(g.features) + 1) << g.bits for g in groups])
    feature_start = _running([len(g.features) for g in groups])
    values = np.zeros(table_start[-1])
    _fill(values, table_start, feature_start, *_conditions(plan))
    steps = np.array(plan.steps, dtype=np.int64).reshape(-1, 5)
    group_step = _ints([0, *(g.steps_end for g in groups)])
    own_slot = SLOTS + np.repeat(np.arange(len(groups)), np.diff(group_step))
    return Tables(
        n_features=trees.n_features,
        expected_value=_expected_value(trees),
        column_feature=_ints(columns.features),
        column_missing=_ints(columns.missing),
        cut_start=_running([len(cuts) for cuts in columns.cuts]),
        cuts=np.concatenate([*columns.cuts, np.empty(0)]),
        tree_group=_ints(tree_group),
        constant=np.array([_constant(trees, t) for t in range(len(trees))]),
        group_step=group_step,
        step_to=steps[:, 0].astype(np.uint8),
        step_from=steps[:, 1].astype(np.uint8),
        flat_to=np.where(steps[:, 0] == SLOTS - 1, own_slot, steps[:, 0]).astype(np.uint32),
        flat_from=np.where(steps[:, 1] == SLOTS - 1, own_slot, steps[:, 1]).astype(np.uint32),
        step_row=steps[:, 2].astype(np.uint32),
        step_cut=steps[:, 3].astype(np.uint8),
        step_bit=steps[:, 4].astype(np.uint8),
        feature_start=feature_start,
        features=np.array([f for g in groups for f in g.features], dtype=np.uint32),
        term_group=np.repeat(np.arange(len(groups)), np.diff(feature_start)).astype(np.uint32),
        table_start=table_start,
        values=values,
    )


def _conditions(plan: _TreePlan) -> tuple[Any, ...]:
    """Groups, leaves and conditions as flat arrays for ``_fill``."""
    trees = plan.trees
    bits, group_leaf, leaf_condition, value = [], [0], [0], []
    position, bit, want, ratio = [], [], [], []
    for group in plan.groups:
        nodes, leaves = trees.nodes(group.tree), trees.leaves(group.tree)
        place = {feature: j for j, feature in enumerate(group.features)}
        bits.append(group.bits)
        for leaf, conditions in group.leaves:
            for node, at, goes_left in conditions:
                child = int((trees.left if goes_left else trees.right)[nodes.start + node])
                cover = (
                    trees.node_cover[nodes.start + child] if child >= 0 else trees.leaf_cover[leaves.start - 1 - child]
                )
                position.append(place[int(trees.feature[nodes.start + node])])
                bit.append(at)
                want.append(goes_left)
                ratio.append(float(cover / trees.node_cover[nodes.start + node]))
            leaf_condition.append(len(position))
            value.append(float(trees.leaf_value[leaves.start + leaf]))
        group_leaf.append(len(value))
    return (
        *(_ints(a) for a in (bits, group_leaf, leaf_condition)),
        np.array(value, dtype=np.float64),
        *(_ints(a) for a in (position, bit, want)),
        np.array(ratio, dtype=np.float64),
    )


def _expected_value(trees: Trees) -> float:
    total = 0.0
    for t in range(len(trees)):
        leaves, nodes = trees.leaves(t), trees.nodes(t)
        if nodes.stop == nodes.start:
            total += float(trees.leaf_value[leaves][0])
        else:
            total += float(np.sum(trees.leaf_cover[leaves] / trees.node_cover[nodes.start] * trees.leaf_value[leaves]))
    return total


def _constant(trees: Trees, t: int) -> float:
    """The value of a tree with one leaf; 0 for any other tree."""
    nodes, leaves = trees.nodes(t), trees.leaves(t)
    return float(trees.leaf_value[leaves.start]) if nodes.stop == nodes.start else 0.0


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _running(lengths: list[int]) -> Ints:
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64)


@jit(error_model="numpy")
def _fill(values, table_start, feature_start, bits, group_leaf, leaf_condition, value, position, bit, want, ratio):  # type: ignore[no-untyped-def]
    """Fills the tables of all groups, leaf by leaf, pattern by pattern."""
    held = np.empty(16, np.float64)
    weights = np.empty(16, np.float64)
    feature = np.empty(16, np.int64)
    mask = np.empty(16, np.int64)
    wanted = np.empty(16, np.int64)
    share = np.empty(16, np.float64)
    part = np.empty((1 << 8, 8), np.float64)
    for g in range(len(bits)):
        width = feature_start[g + 1] - feature_start[g] + 1
        for leaf in range(group_leaf[g], group_leaf[g + 1]):
            n = 0
            for c in range(leaf_condition[leaf], leaf_condition[leaf + 1]):
                u = 0
                while u < n and feature[u] != position[c]:
                    u += 1
                if u == n:
                    feature[u], mask[u], wanted[u], share[u] = position[c], 0, 0, 1.0
                    n += 1
                mask[u] |= 1 << bit[c]
                wanted[u] |= want[c] << bit[c]
                share[u] *= ratio[c]
            for hold in range(1 << n):
                for u in range(n):
                    part[hold, u] = value[leaf] * _shapley(hold, u, n, share, held, weights)
            for pattern in range(1 << bits[g]):
                hold = 0
                for u in range(n):
                    if pattern & mask[u] == wanted[u]:
                        hold |= 1 << u
                row = table_start[g] + pattern * width
                for u in range(n):
                    values[row + feature[u]] += part[hold, u]
                if hold == (1 << n) - 1:
                    values[row + width - 1] = value[leaf]


@part(error_model="numpy", _nrt=True)
def _shapley(hold, u, n, share, held, weights):  # type: ignore[no-untyped-def]
    """Shapley value of player ``u`` in the game whose worth is the product over players of (holds if in the coalition,
    else its share of cover).

    Only coalitions of players that hold have worth beyond the shares, so the value is a polynomial over those, by
    size of the coalition.
    """
    outside = 1.0
    size = 0
    held[0] = 1.0
    for v in range(n):
        if v == u:
            continue
        if hold >> v & 1:
            held[size + 1] = held[size]
            for s in range(size, 0, -1):
                held[s] = held[s] * share[v] + held[s - 1]
            held[0] *= share[v]
            size += 1
        else:
            outside *= share[v]
    weight = 1.0 / n
    total = 0.0
    for s in range(size + 1):
        total += weight * held[s]
        weight *= (s + 1.0) / (n - 1.0 - s) if s < n - 1 else 0.0
    return total * outside * ((hold >> u & 1) - share[u])
