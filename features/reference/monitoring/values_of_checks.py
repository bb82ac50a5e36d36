"""What a value means that stands beside a check without a number of its own (``values_of_checks.csv``): a blood
pressure of ``185/112`` is a systolic and a diastolic one."""

from __future__ import annotations

from functools import cache

from features.reference.files import ReferenceTableError, read_rows
from features.reference.monitoring.clinical_tests import TESTS


@cache
def _load() -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for row in read_rows("values_of_checks"):
        check, tests = row["check"], tuple(row["tests"].split(";"))
        if check not in TESTS or TESTS[check].unit or not 1 <= len(tests) <= 2:
            raise ReferenceTableError(f"values_of_checks.csv: {check}: a check without a unit, and one or two tests")
        if wrong := [test for test in tests if test not in TESTS or TESTS[test].satisfies != check]:
            raise ReferenceTableError(f"values_of_checks.csv: {check}: {wrong[0]} is no part of it")
        found[check] = (*found.get(check, ()), tests)
    return found


def test_in_unit(check: str, unit: str) -> str | None:
    """The one test that a single number in ``unit`` beside ``check`` is a result of."""
    fit = [tests[0] for tests in _load().get(check, ()) if len(tests) == 1 and TESTS[tests[0]].conversion(unit)]
    return fit[0] if len(fit) == 1 else None


def tests_of_pair(check: str) -> tuple[str, str] | None:
    """The tests of the two numbers that are written as one value beside ``check``."""
    return next(((tests[0], tests[1]) for tests in _load().get(check, ()) if len(tests) == 2), None)


@cache
def second_of(first: str) -> str:
    """The test of the second number of a pair whose first number is a result of ``first``."""
    return next(tests[1] for pairs in _load().values() for tests in pairs if len(tests) == 2 and tests[0] == first)
