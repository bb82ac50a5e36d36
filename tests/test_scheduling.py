"""The order of a run with workers names files that are there, and groups that files belong to."""

from __future__ import annotations

import pytest

from tests.scheduling import DEMO, FIXTURES, FOLDERS, LONG_FILES, ROOT, SLOWEST_FIRST, group_of, place_of

FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py"))


def test_every_group_of_the_order_holds_a_file():
    assert set(SLOWEST_FIRST) <= {group_of(file) for file in FILES}
    assert len(set(SLOWEST_FIRST)) == len(SLOWEST_FIRST)


@pytest.mark.parametrize("file", [DEMO, *LONG_FILES])
def test_a_long_file_begins_before_all_that_are_not_named(file):
    assert place_of(file) < max(place_of(other) for other in FILES)


def test_files_that_share_a_costly_fixture_run_together():
    for name in (*FIXTURES, *FOLDERS):
        assert len([file for file in FILES if group_of(file) == name]) > 1
