"""Adds the last year of each person for the pages, the groups that the equality view counts, and the main reasons
that a list is filtered by.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
_TABLES: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "timelines": {"medicines": sa.Text(), "adjustments": sa.JSON(), "events": sa.JSON()},
    "person_groups": {"groups": sa.JSON()},
}


def upgrade() -> None:
    op.add_column("scores", sa.Column("raised_by", sa.String(length=300), nullable=False, server_default=""))
    for table, columns in _TABLES.items():
        op.create_table(
            table,
            sa.Column("run_id", sa.String(length=64), nullable=False),
            sa.Column("patient_id", sa.String(length=200), nullable=False),
            *(sa.Column(name, kind, nullable=False) for name, kind in columns.items()),
            sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f(f"fk_{table}_run_id"), ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("run_id", "patient_id", name=op.f(f"pk_{table}")),
        )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        seen = f"SELECT 1 FROM people p WHERE p.patient_id = {table}.patient_id AND p.run_id = {_PUBLISHED}"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_teams ON {table} USING ({_EVERYTHING} OR EXISTS ({seen}))")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    with op.batch_alter_table("scores") as batch:
        batch.drop_column("raised_by")
