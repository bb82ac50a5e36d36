"""The table of planted effects and the code agree: nothing acts on a group that the table does not name, and every
name of it is a number of the world."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import training.simulator as package
from training.simulator import World
from training.simulator.planted import PLANTED

FOLDER = Path(package.__file__).parent
DRAWN = ("hidden_state", "traits", "person_day")
MECHANISM = tuple(FOLDER / f"{name}.py" for name in DRAWN) + tuple(sorted((FOLDER / "care").glob("*.py")))
"""Modules that act on a person; all of ``care``, so that a new one is read without being named here."""
TRAITS = frozenset(
    [
        "deprivation",
        "ethnicity",
        "sex",
        "young",
        "living_alone",
        "has_carer",
        "interpreter",
        "interpreter_met",
        "autism",
        "learning_disability",
        "adjustment_met",
        "homeless",
        "employed",
    ]
)
DESCRIBES = frozenset(("deprived", "draw_demography", "draw_team", "describe", "clear", "take_ecg"))
"""Functions that draw or write down who somebody is, or (``take_ecg``) read sex as physiology: no effect on care or
outcome."""
NO_EFFECT = frozenset((("referrals.community_day", "has_carer"), ("traits.draw_illness", "living_alone")))
"""Carers are telephoned, which changes nothing in the person; and only who does not live alone has a carer."""


def statements(function: ast.FunctionDef):
    """The smallest statements of a function, and the tests of its branches with what they guard."""
    for node in ast.walk(function):
        if isinstance(node, ast.If) or (
            isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.For, ast.While))
        ):
            yield node


def reads(node: ast.AST) -> set[str]:
    """Traits that a statement reads; of a branch only what its test reads. ``deprived(p)`` reads deprivation."""
    looked = node.test if isinstance(node, ast.If) else node
    found = {n.attr for n in ast.walk(looked) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    called = {n.func.id for n in ast.walk(looked) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return (found & TRAITS) | ({"deprivation"} if "deprived" in called else set())


def group_effects() -> list[tuple[str, int, set[str], set[str]]]:
    """(where, line, traits read, numbers of the world used) of every statement of the mechanism that reads a trait of
    a group."""
    numbers = {field.name for field in fields(World)}
    found = []
    for path in MECHANISM:
        name, tree = path.stem, ast.parse(path.read_text(encoding="utf-8"))
        for function in (n for n in tree.body if isinstance(n, ast.FunctionDef)):
            if function.name in DESCRIBES:
                continue
            for node in statements(function):
                if traits := reads(node):
                    used = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} & numbers
                    found.append((f"{name}.{function.name}", node.lineno, traits, used))
    return found


def test_nothing_acts_on_a_group_that_the_table_does_not_name():
    named = {p.field for p in PLANTED if p.group}
    unnamed = [(where, line, traits) for where, line, traits, used in group_effects() if not used & named]
    assert [u for u in unnamed if not all((u[0], trait) in NO_EFFECT for trait in u[2])] == []


def test_every_group_effect_of_the_table_is_read_by_the_mechanism_beside_a_trait():
    used = set().union(*(used for *_, used in group_effects()))
    assert {p.field for p in PLANTED if p.group} <= used


def test_every_effect_is_named_once_has_a_size_and_every_number_of_the_world_is_used():
    names = [p.field for p in PLANTED]
    assert len(names) == len(set(names))
    assert all(p.size(World()) != 0 for p in PLANTED)
    code = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    assert not [field.name for field in fields(World) if code.count(field.name) < 2]
    assert len({p.group for p in PLANTED if p.group}) >= 8
