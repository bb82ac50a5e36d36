"""An empty database of each kind. tests/serving/conftest.py shows these fixtures to every test of the service, so that
a worker starts one PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from tests.serving.storage import postgres


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Engine]:
    """The superuser of a PostgreSQL of this test run, or a skip that says what is missing."""
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
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    admin = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} OWNER upstream"))
    return make_url(admin.url).set(username="upstream", database=name).render_as_string(hide_password=False)
