"""Database migrations, run from code in both directions: ``upgrade``, ``downgrade``, ``at_head``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from serving.database import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database up to ``revision``; creates it when it is new. Safe to call on every start."""
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str = "base") -> None:
    """Take the database down to ``revision``."""
    _run(database, command.downgrade, revision)


def at_head(database: Database) -> bool:
    """True if every migration of this version of the service has been applied."""
    with database.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory.from_config(_config()).get_current_head()


def _run(database: Database, verb: object, revision: str) -> None:
    config = _config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        verb(config, revision)  # type: ignore[operator]


def _config() -> Config:
    config = Config()
    # Alembic reads options through ConfigParser, where a percent sign in a folder name would start an interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
