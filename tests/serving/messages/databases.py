"""The small trust of the tests of texts in a database of either kind."""

from __future__ import annotations

from serving.storage import migrations
from serving.storage.database import Database
from tests.serving.messages.test_stop import fill_small_trust


def small_trust_at(url: str) -> Database:
    """A database with a published list of two people, and nothing else."""
    database = Database(url)
    migrations.upgrade(database)
    fill_small_trust(database)
    return database
