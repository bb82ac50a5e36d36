"""Adds undone reviews, the time at which a version was written, sealed drafts, and the assignment of people to team
members, also for this week.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
TABLES = ("work_items", "drafts")


def _seen(table: str) -> str:
    return f"SELECT 1 FROM people p WHERE p.patient_id = {table}.patient_id AND p.run_id = {_PUBLISHED}"


def upgrade() -> None:
    op.add_column("reviews", sa.Column("undone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("reviews", sa.Column("written_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "work_items",
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("given_to", sa.String(length=64), nullable=True),
        sa.Column("given_to_name", sa.String(length=200), nullable=False),
        sa.Column("this_week", sa.Boolean(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.Column("set_by_name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_work_items")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_work_items_run_id_runs")),
    )
    op.create_index("ix_work_items_patient", "work_items", ["patient_id", "team_id", "item_id"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "patient_id", name=op.f("pk_drafts")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_teams ON {table} USING ({_EVERYTHING} OR EXISTS ({_seen(table)}))")


def downgrade() -> None:
    for table in TABLES:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP POLICY own_teams ON {table}")
            op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.drop_table("drafts")
    op.drop_index("ix_work_items_patient", table_name="work_items")
    op.drop_table("work_items")
    with op.batch_alter_table("reviews") as batch:
        batch.drop_column("written_at")
        batch.drop_column("undone")
