"""Adds the summary of a person for the pages: medicines with doses, facts, due dates, registers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
_SEEN = f"SELECT 1 FROM people p WHERE p.patient_id = summaries.patient_id AND p.run_id = {_PUBLISHED}"


def upgrade() -> None:
    op.create_table(
        "summaries",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("medicines", "about", "dues", "registers")),
        sa.Column("on_registers", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_summaries_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "patient_id", name=op.f("pk_summaries")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE summaries ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE summaries FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_teams ON summaries USING ({_EVERYTHING} OR EXISTS ({_SEEN}))")


def downgrade() -> None:
    op.drop_table("summaries")
