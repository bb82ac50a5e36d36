"""Membership of teams, emergency access, the exposure log; and on PostgreSQL row-level security behind the choke point.

The policies read two settings of the transaction, which ``serving.storage.database`` sets: ``upstream.everything``
('on' for our own jobs and for callers of every team) and ``upstream.teams`` (a JSON list). Neither set means no rows.
A superuser is not held by policies, so the service must not connect as one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_TEAMS = "coalesce(nullif(current_setting('upstream.teams', true), ''), '[]')::jsonb"
_OPENED = """EXISTS (SELECT 1 FROM emergency_access e WHERE e.patient_id = people.patient_id
    AND e.actor = current_setting('upstream.actor', true) AND e.expires_at > now())"""
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
_OF_PEOPLE = ("scores", "gaps", "reviews", "exposures")


def upgrade() -> None:
    op.create_table(
        "memberships",
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", "team_id", "from_on", name=op.f("pk_memberships")),
    )
    op.create_table(
        "emergency_access",
        sa.Column("grant_id", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_emergency_access")),
    )
    op.create_index("ix_emergency_access_actor", "emergency_access", ["actor", "patient_id"], unique=False)
    op.create_table(
        "exposures",
        sa.Column("audit_seq", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("team_id", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("horizon_days", sa.Integer(), nullable=False),
        sa.Column("ranking", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("audit_seq", "patient_id", name=op.f("pk_exposures")),
    )
    op.create_index("ix_exposures_run", "exposures", ["run_id", "patient_id"], unique=False)
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in ("people", *_OF_PEOPLE):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY own_teams ON people USING ({_EVERYTHING} OR jsonb_exists({_TEAMS}, team_id::text) OR {_OPENED})"
    )
    for table in _OF_PEOPLE:
        seen = f"SELECT 1 FROM people p WHERE p.patient_id = {table}.patient_id AND p.run_id = {_PUBLISHED}"
        op.execute(f"CREATE POLICY own_teams ON {table} USING ({_EVERYTHING} OR EXISTS ({seen}))")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in ("people", *_OF_PEOPLE):
            op.execute(f"DROP POLICY own_teams ON {table}")
            op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.drop_index("ix_exposures_run", table_name="exposures")
    op.drop_table("exposures")
    op.drop_index("ix_emergency_access_actor", table_name="emergency_access")
    op.drop_table("emergency_access")
    op.drop_table("memberships")
