"""Adds statuses of care gaps, whether a page shows a gap without being asked, and what its rule could not check."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
_SEEN = f"SELECT 1 FROM people p WHERE p.patient_id = gap_statuses.patient_id AND p.run_id = {_PUBLISHED}"


def upgrade() -> None:
    op.add_column("gaps", sa.Column("shown", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("gaps", sa.Column("could_not_check", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "gap_statuses",
        sa.Column("status_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("why", sa.String(length=32), nullable=True),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("basis", sa.JSON(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.Column("set_by_name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("status_id", name=op.f("pk_gap_statuses")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_gap_statuses_run_id_runs")),
    )
    op.create_index("ix_gap_statuses_patient", "gap_statuses", ["patient_id", "code", "status_id"], unique=False)
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE gap_statuses ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE gap_statuses FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_teams ON gap_statuses USING ({_EVERYTHING} OR EXISTS ({_SEEN}))")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP POLICY own_teams ON gap_statuses")
        op.execute("ALTER TABLE gap_statuses NO FORCE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE gap_statuses DISABLE ROW LEVEL SECURITY")
    op.drop_index("ix_gap_statuses_patient", table_name="gap_statuses")
    op.drop_table("gap_statuses")
    with op.batch_alter_table("gaps") as batch:
        batch.drop_column("could_not_check")
        batch.drop_column("shown")
