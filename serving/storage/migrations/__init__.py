"""Database migrations, run from code in both directions: ``upgrade``, ``downgrade``, ``at_head``; and ``opened``, a
database made ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import column, inspect, select, table

from serving.settings import database_url_of
from serving.storage.database import Database, DatabaseUnavailable

HERE = Path(__file__).parent
REVISIONS = tuple(sorted(path.name[:4] for path in (HERE / "versions").glob("[0-9]*.py")))
"""Every migration of this version of the service, oldest first: a file's name begins with its revision."""


class NewerDatabase(DatabaseUnavailable):
    """A newer release migrated this database, and this one cannot read it; the message says what to do."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database up to ``revision``; creates it when it is new. Safe to call on every start. Raises
    ``NewerDatabase``."""
    if is_newer(database):
        raise NewerDatabase(
            "a newer release has migrated this database; start that release, or restore the backup made before the "
            "upgrade (docs/operations.md)"
        )
    if revision != "head" or not at_head(database):
        _run(database, "upgrade", revision)


def downgrade(database: Database, revision: str = "base") -> None:
    """Take the database down to ``revision``."""
    _run(database, "downgrade", revision)


def at_head(database: Database) -> bool:
    """True if every migration of this version of the service has been applied, and no other."""
    return _revision(database) == REVISIONS[-1]


def is_newer(database: Database) -> bool:
    """True if the database is at a revision that this version of the service does not know."""
    return _revision(database) not in {None, *REVISIONS}


def _revision(database: Database) -> str | None:
    """The database's revision, read without Alembic, which is loaded only if there is something to migrate."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(select(column("version_num")).select_from(table("alembic_version")))


@contextmanager
def opened(where: Path | str | Database) -> Iterator[Database]:
    """A migrated database: ``where`` is a home folder, a database URL, or a ``Database`` (which stays open
    afterwards)."""
    if isinstance(where, Database):
        upgrade(where)
        yield where
        return
    database = Database(where if isinstance(where, str) and "://" in where else database_url_of(Path(where)))
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def _run(database: Database, verb: str, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads options through ConfigParser, where a percent sign in a folder name would start an interpolation.
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        getattr(command, verb)(config, revision)
