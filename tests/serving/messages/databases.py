"""An empty database of each kind, and the small trust of the tests of texts in it."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import create_engine, make_url, text

from serving.storage import migrations
from serving.storage.database import Database
from tests.serving.messages.test_stop import fill_small_trust
from tests.serving.storage import postgres


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL of this test run, or a skip that says what is missing."""
    pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")
    try:
        with postgres.running() as running:
            admin = create_engine(running, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.execute(text("CREATE ROLE upstream LOGIN NOSUPERUSER NOBYPASSRLS"))
            yield admin
            admin.dispose()
    except postgres.Absent as why:
        pytest.skip(str(why))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    admin = request.getfixturevalue("postgresql")
    name = f"texts_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} OWNER upstream"))
    return make_url(admin.url).set(username="upstream", database=name).render_as_string(hide_password=False)


def small_trust_at(url: str) -> Database:
    """A database with a published list of two people, and nothing else."""
    database = Database(url)
    migrations.upgrade(database)
    fill_small_trust(database)
    return database
