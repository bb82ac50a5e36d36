"""Breaking the made-up trust's service. ``@pytest.mark.fault(what breaks, what happens)`` makes a test a row of the
fault table.

``python -m tests.faults`` prints the table with each row's outcome; docs/operations.md holds the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.postgres import Cluster, cluster
from tests.serving.conftest import database, home, made_home, start, world  # noqa: F401

ROWS: dict[tuple[str, str], list[str]] = {}
SECONDS: dict[str, float] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    mark = item.get_closest_marker("fault")
    if mark and (report.when == "call" or report.outcome != "passed"):
        ROWS.setdefault(mark.args, []).append(report.outcome)
        for name, value in item.user_properties:
            if name == "restore_seconds":
                SECONDS[mark.args[0]] = value
    return report


def pytest_terminal_summary(terminalreporter):
    if not ROWS:
        return
    terminalreporter.section("fault table")
    for (what, outcome), found in sorted(ROWS.items()):
        shown = "held" if set(found) == {"passed"} else ", ".join(sorted(set(found)))
        terminalreporter.write_line(f"{what:<46} {outcome:<84} {shown}")
    for what, seconds in sorted(SECONDS.items()):
        terminalreporter.write_line(f"{what}: restored and ready in {seconds} s")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of the tests' own on a free port of this machine."""
    with cluster() as opened:
        yield opened
