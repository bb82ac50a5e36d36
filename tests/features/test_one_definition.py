"""What is defined once stays defined once: a second definition anywhere in the packages is named by its file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import get_args

from features.catalogue import CATALOGUE
from features.engine import operations
from features.gaps.gap import Code, Gap, Severity, gap_order
from features.kernels import regimen
from features.monitoring import schedule_features
from features.spec import Verb
from tests.conftest import ROOT

PACKAGES = ("features", "models", "training", "serving")


def literals() -> Iterator[tuple[str, set[str]]]:
    """Every tuple, list or set of words written out in a package, with its file."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Tuple | ast.List | ast.Set):
                    words = {one.value for one in node.elts if isinstance(one, ast.Constant)}
                    yield str(path.relative_to(ROOT)), {word for word in words if isinstance(word, str)}


def test_the_modes_of_an_attended_contact_are_listed_once():
    """The list of all modes holds them too; the simulator's world has modes of its own."""
    found = [path for path, words in literals() if {"face_to_face", "video", "telephone", "not_recorded"} <= words]
    assert found == ["features/records/attendance.py", "features/records/tables.py"]


def test_severities_are_listed_once():
    found = [path for path, words in literals() if words == {"critical", "high", "medium", "low"}]
    assert found == ["features/gaps/gap.py", "features/gaps/gap.py"], "the type, and the order"


def test_every_verb_of_the_vocabulary_is_computed_by_one_walk_and_no_other_verb_is():
    walks = (
        operations.WINDOW_OPS,
        operations.COVERAGE_OPS,
        operations.DEPOT_OPS,
        operations.SPELL_OPS,
        operations.BOOKING_OPS,
        operations.PLANNED_GAP_OPS,
        schedule_features.VERBS,
        ("regimen",),
    )
    computed = [verb for verbs in walks for verb in verbs]
    assert sorted(computed) == sorted(get_args(Verb))
    assert set(operations.NEEDS) <= set(operations.WINDOW_OPS)
    assert {feature.verb for feature in CATALOGUE} <= set(computed)


def test_each_field_of_the_regimen_has_the_place_of_its_name():
    assert regimen.AT._fields == regimen.FIELDS
    assert [getattr(regimen.AT, name) for name in regimen.FIELDS] == list(range(len(regimen.FIELDS)))


def gap(severity: Severity, safety: bool = False, overdue: int | None = None, code: str = "A") -> Gap:
    return Gap(Code(code, "", safety, "", ""), severity, "", "", True, overdue=overdue, safety=safety)


def test_gaps_are_in_one_order_safety_severity_longest_overdue_code():
    ordered = [
        gap("medium", safety=True),
        gap("critical"),
        gap("high", overdue=20),
        gap("high", overdue=3, code="A"),
        gap("high", overdue=3, code="B"),
        gap("high"),
        gap("low", overdue=400),
    ]
    assert sorted(reversed(ordered), key=gap_order) == ordered
