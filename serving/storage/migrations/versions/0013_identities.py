"""Adds sealed identities: names, dates of birth and NHS numbers, if a trust gives them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
_SEEN = f"SELECT 1 FROM people p WHERE p.patient_id = identities.patient_id AND p.run_id = {_PUBLISHED}"


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_identities")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE identities ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE identities FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_teams ON identities USING ({_EVERYTHING} OR EXISTS ({_SEEN}))")


def downgrade() -> None:
    op.drop_table("identities")
