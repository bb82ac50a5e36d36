"""Adds the time at which the explanations of an old run were deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("thinned_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("runs", "thinned_at")
