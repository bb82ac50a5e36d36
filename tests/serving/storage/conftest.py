"""An empty database of each kind, and one with a published run."""

from __future__ import annotations

import pytest

from serving.storage import migrations
from serving.storage.database import Database
from tests.serving.storage.published import NOW, publish


@pytest.fixture
def empty(empty_url):
    opened = Database(empty_url)
    yield opened
    opened.close()


@pytest.fixture
def two_teams(empty):
    """Two teams with two people each, one published run."""
    migrations.upgrade(empty)
    publish(empty, "run-1", {"N1": "north", "N2": "north", "S1": "south", "S2": "south"}, NOW)
    return empty
