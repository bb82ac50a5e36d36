"""Shapley values of a booster, tabulated once: what each group of leaves adds to each feature, for every way its splits can fall.

The path-dependent value of a leaf depends only on which conditions of its path hold, so on one bit per split: at most 2^depth patterns. Leaves of a
subtree share their path, so a subtree is tabulated as one group as long as the splits above and inside it fit ``TABLE_BITS``; one look-up then
serves all its leaves. The tables are exact in double precision: nothing here is an approximation.

Source: Lundberg and others, "From local explanations to global understanding with explainable AI for trees", Nat Mach Intell 2020 (the value function
with cover as weights); tabulating patterns follows the observation behind Fast TreeSHAP v2 (Yang 2021) and Woodelf (2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from models.trees import Trees

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TABLE_BITS = 8
"""Splits a group's pattern may hold: one byte. A deeper tree has no table."""

COLUMN_CUTS = 255
"""Thresholds a column may hold, so that a binned value is one byte; a feature with more becomes several columns."""

TREES_AT_ONCE = 16
"""Trees whose patterns are held together, so that each feature's sum is read and written once for all of them."""

_SCRATCH = TABLE_BITS + 1
"""Slot 0 is all zeros; slot 1 + d holds the pattern of a path of d + 1 splits while its subtree is walked; the groups' own slots come after."""


@dataclass(frozen=True)
class Tables:
    """Everything the kernels read, as flat arrays.

    Columns: value to byte. A column is one (feature, kind of missing, default direction), with rising ``cuts[cut_start[c]:cut_start[c + 1]]``.
    Steps: ``slot[step_to] = slot[step_from] | (byte[step_column] <= step_cut) << step_bit``, in chunks of trees.
    Terms: within a chunk and feature (a run), add ``values[term_table + slot[term_slot]]``.
    Leaves: the margin of tree ``t`` is the sum over its groups of ``leaf_values[leaf_table + slot[leaf_slot]]``, of which one at most is not 0.
    """

    n_features: int
    expected_value: float
    slots: int
    column_feature: Ints
    column_missing: Ints
    column_left: Ints
    cut_start: Ints
    cuts: Floats
    chunk_step: Ints
    step_to: Ints
    step_from: Ints
    step_column: Ints
    step_cut: NDArray[np.uint8]
    step_bit: NDArray[np.uint8]
    chunk_run: Ints
    run_feature: Ints
    run_term: Ints
    term_slot: Ints
    term_table: Ints
    values: Floats
    chunk_tree: Ints
    tree_group: Ints
    group_slot: Ints
    leaf_table: Ints
    leaf_values: Floats
    constant: Floats

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))


@dataclass
class _Columns:
    """Thresholds of every (feature, missing, default direction), and where a node finds its own."""

    key_of: dict[tuple[int, int, int], tuple[int, Floats]] = field(default_factory=dict)
    features: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    cuts: list[Floats] = field(default_factory=list)

    @classmethod
    def of(cls, trees: Trees) -> tuple[_Columns, Ints, NDArray[np.uint8]]:
        """The columns, and for every node its column and its cut in it."""
        self = cls()
        keys = np.stack([trees.feature, trees.missing, trees.default_left], axis=1).astype(np.int64)
        node_column = np.zeros(len(keys), dtype=np.int64)
        node_cut = np.zeros(len(keys), dtype=np.uint8)
        kinds, kind_of = np.unique(keys, axis=0, return_inverse=True) if len(keys) else (keys, np.zeros(0, dtype=np.int64))
        for i, (feature, missing, left) in enumerate(kinds.tolist()):
            nodes = np.flatnonzero(kind_of == i)
            cuts = np.unique(trees.threshold[nodes])
            place = np.searchsorted(cuts, trees.threshold[nodes])
            node_column[nodes] = len(self.cuts) + place // COLUMN_CUTS
            node_cut[nodes] = (place % COLUMN_CUTS).astype(np.uint8)
            for first in range(0, len(cuts), COLUMN_CUTS):
                self.features.append(feature)
                self.missing.append(missing)
                self.left.append(left)
                self.cuts.append(cuts[first : first + COLUMN_CUTS])
        return self, node_column, node_cut


@dataclass
class _Group:
    """Leaves tabulated together: ``leaves`` holds (leaf, conditions), a condition being (node, bit, goes left)."""

    tree: int
    slot: int
    bits: int
    leaves: list[tuple[int, list[tuple[int, int, int]]]]
    features: list[int]


@dataclass
class _Plan:
    trees: Trees
    node_column: Ints
    node_cut: NDArray[np.uint8]
    steps: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    groups: list[_Group] = field(default_factory=list)
    next_slot: int = 0
    slots: int = 0

    def tree(self, t: int) -> None:
        """Cut tree ``t`` into groups and write the steps that find their patterns."""
        if t % TREES_AT_ONCE == 0:
            self.next_slot = 1 + _SCRATCH
        nodes = self.trees.nodes(t)
        left, right = self.trees.left[nodes].tolist(), self.trees.right[nodes].tolist()
        if not left:
            return
        inside = _splits_below(left, right)

        def step(node: int, source: int, to: int, bit: int) -> None:
            at = nodes.start + node
            self.steps.append((to, source, int(self.node_column[at]), int(self.node_cut[at]), bit))

        def walk(node: int, slot: int, path: list[tuple[int, int, int]]) -> None:
            if node < 0 or len(path) + inside[node] <= TABLE_BITS:
                group(node, slot, path)
                return
            to = 1 + len(path)
            step(node, slot, to, len(path))
            walk(left[node], to, [*path, (node, len(path), 1)])
            walk(right[node], to, [*path, (node, len(path), 0)])

        def group(root: int, slot: int, path: list[tuple[int, int, int]]) -> None:
            leaves: list[tuple[int, list[tuple[int, int, int]]]] = []
            waiting, bit, found = [(root, path)], len(path), slot
            while waiting:
                node, conditions = waiting.pop()
                if node < 0:
                    leaves.append((-1 - node, conditions))
                    continue
                step(node, found, self.next_slot, bit)
                found = self.next_slot
                waiting += [(right[node], [*conditions, (node, bit, 0)]), (left[node], [*conditions, (node, bit, 1)])]
                bit += 1
            if found == slot:
                # A lone leaf has no split of its own: its pattern is its parent's, copied out of the scratch slots.
                node, at, _ = path[-1]
                step(node, slot, self.next_slot, at)
            used = {int(self.trees.feature[nodes.start + node]) for _, conditions in leaves for node, _, _ in conditions}
            self.groups.append(_Group(t, self.next_slot, bit, leaves, sorted(used)))
            self.next_slot += 1
            self.slots = max(self.slots, self.next_slot)

        walk(0, 0, [])


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
    """Whether every path fits a pattern and every split was reached in training (a cover of 0 gives no weights to divide by)."""
    return deepest_path(trees) <= TABLE_BITS and bool(np.all(trees.node_cover > 0) and np.all(trees.leaf_cover > 0))


def tabulate(trees: Trees) -> Tables:
    """Build the tables. ``can_tabulate(trees)`` must hold."""
    columns, node_column, node_cut = _Columns.of(trees)
    plan = _Plan(trees, node_column, node_cut)
    chunk_step, chunk_group, tree_group, chunk_tree = [0], [0], [0], [0]
    for t in range(len(trees)):
        plan.tree(t)
        tree_group.append(len(plan.groups))
        if (t + 1) % TREES_AT_ONCE == 0 or t + 1 == len(trees):
            chunk_step.append(len(plan.steps))
            chunk_group.append(len(plan.groups))
            chunk_tree.append(t + 1)
    table_start = _running([len(g.features) << g.bits for g in plan.groups])
    leaf_table = _running([1 << g.bits for g in plan.groups])
    values, leaf_values = np.zeros(table_start[-1]), np.zeros(leaf_table[-1])
    _fill(values, leaf_values, table_start, leaf_table, *_conditions(plan))
    steps = np.array(plan.steps, dtype=np.int64).reshape(-1, 5)
    return Tables(
        n_features=trees.n_features,
        expected_value=_expected_value(trees),
        slots=max(plan.slots, 1),
        column_feature=_ints(columns.features),
        column_missing=_ints(columns.missing),
        column_left=_ints(columns.left),
        cut_start=_running([len(cuts) for cuts in columns.cuts]),
        cuts=np.concatenate([*columns.cuts, np.empty(0)]),
        chunk_step=_ints(chunk_step),
        step_to=steps[:, 0].copy(),
        step_from=steps[:, 1].copy(),
        step_column=steps[:, 2].copy(),
        step_cut=steps[:, 3].astype(np.uint8),
        step_bit=steps[:, 4].astype(np.uint8),
        **_runs(plan, chunk_group, table_start),
        values=values,
        chunk_tree=_ints(chunk_tree),
        tree_group=_ints(tree_group),
        group_slot=_ints([g.slot for g in plan.groups]),
        leaf_table=leaf_table[:-1].copy(),
        leaf_values=leaf_values,
        constant=np.array([_constant(trees, t) for t in range(len(trees))]),
    )


def _runs(plan: _Plan, chunk_group: list[int], table_start: Ints) -> dict[str, Any]:
    chunk_run, run_feature, run_term, term_slot, term_table = [0], [], [0], [], []
    for first, last in zip(chunk_group, chunk_group[1:], strict=False):
        terms: dict[int, list[tuple[int, int]]] = {}
        for g in range(first, last):
            group = plan.groups[g]
            for j, feature in enumerate(group.features):
                terms.setdefault(feature, []).append((group.slot, int(table_start[g]) + (j << group.bits)))
        for feature in sorted(terms):
            run_feature.append(feature)
            term_slot += [slot for slot, _ in terms[feature]]
            term_table += [table for _, table in terms[feature]]
            run_term.append(len(term_slot))
        chunk_run.append(len(run_feature))
    return {
        "chunk_run": _ints(chunk_run),
        "run_feature": _ints(run_feature),
        "run_term": _ints(run_term),
        "term_slot": _ints(term_slot),
        "term_table": _ints(term_table),
    }


def _conditions(plan: _Plan) -> tuple[Any, ...]:
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
                cover = trees.node_cover[nodes.start + child] if child >= 0 else trees.leaf_cover[leaves.start - 1 - child]
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
    """The value of a tree of one leaf; 0 for any other."""
    nodes, leaves = trees.nodes(t), trees.leaves(t)
    return float(trees.leaf_value[leaves.start]) if nodes.stop == nodes.start else 0.0


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _running(lengths: list[int]) -> Ints:
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64)


@numba.njit(cache=True, error_model="numpy")
def _fill(values, leaf_values, table_start, leaf_table, bits, group_leaf, leaf_condition, value, position, bit, want, ratio):  # type: ignore[no-untyped-def]
    """Fill the tables of all groups: feature by feature, pattern by pattern."""
    held = np.empty(16, np.float64)
    weights = np.empty(16, np.float64)
    feature = np.empty(16, np.int64)
    mask = np.empty(16, np.int64)
    wanted = np.empty(16, np.int64)
    share = np.empty(16, np.float64)
    part = np.empty((1 << 8, 8), np.float64)
    for g in range(len(bits)):
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
                for u in range(n):
                    values[table_start[g] + (feature[u] << bits[g]) + pattern] += part[hold, u]
                if hold == (1 << n) - 1:
                    leaf_values[leaf_table[g] + pattern] = value[leaf]


@numba.njit(cache=True, error_model="numpy")
def _shapley(hold, u, n, share, held, weights):  # type: ignore[no-untyped-def]
    """Shapley value of player ``u`` in the game whose worth is the product over players of (holds if in the coalition, else its share of cover).

    Only coalitions of players that hold have worth beyond the shares, so: a polynomial over those, by size of the coalition.
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
