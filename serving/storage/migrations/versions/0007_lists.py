"""The list of each run: everybody's place and state, and why a person left the list. On PostgreSQL both are limited
to the caller's teams like every table of people. A person who left a caseload is in no later run, so the policy reads
the row's own team.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_TEAMS = "coalesce(nullif(current_setting('upstream.teams', true), ''), '[]')::jsonb"
_TABLES = ("list_lines", "list_exits")


def upgrade() -> None:
    op.create_table(
        "list_lines",
        *_person_of_a_run(),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.String(length=16), nullable=True),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("listed_since", sa.Date(), nullable=True),
        sa.Column("last_listed_on", sa.Date(), nullable=True),
        sa.Column("snoozed_until", sa.Date(), nullable=True),
        sa.Column("risk", sa.Float(precision=53), nullable=False),
        sa.Column("worst_gap", sa.Integer(), nullable=False),
        *_keys("list_lines"),
    )
    op.create_table(
        "list_exits",
        *_person_of_a_run(),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("listed_since", sa.Date(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("displaced_by", sa.String(length=200), nullable=True),
        sa.Column("on_day", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        *_keys("list_exits"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY own_teams ON {table} USING ({_EVERYTHING} OR jsonb_exists({_TEAMS}, team_id::text))"
            )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)


def _person_of_a_run() -> list[sa.Column[Any]]:
    return [
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
    ]


def _keys(table: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f(f"fk_{table}_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "team_id", "patient_id", name=op.f(f"pk_{table}")),
    ]
