"""Adds the draws of the lottery band: who took part, the chance of a place, and who got a place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_TEAMS = "coalesce(nullif(current_setting('upstream.teams', true), ''), '[]')::jsonb"


def upgrade() -> None:
    op.create_table(
        "list_draws",
        *(
            sa.Column(name, sa.String(length=length), nullable=False)
            for name, length in (("run_id", 64), ("team_id", 200), ("patient_id", 200))
        ),
        sa.Column("drawn_on", sa.Date(), nullable=False),
        sa.Column("propensity", sa.Float(precision=53), nullable=False),
        sa.Column("drawn", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Float(precision=53), nullable=False) for name in ("risk", "line_risk")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.run_id"], name=op.f("fk_list_draws_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "team_id", "patient_id", name=op.f("pk_list_draws")),
    )
    op.create_index("ix_list_draws_day", "list_draws", ["drawn_on"])
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE list_draws ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE list_draws FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_teams ON list_draws USING ({_EVERYTHING} OR jsonb_exists({_TEAMS}, team_id::text))")


def downgrade() -> None:
    op.drop_table("list_draws")
