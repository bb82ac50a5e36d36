"""Adds the time at which a team was alerted to words of distress, and marks replies written by somebody else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("text_replies") as table:
        table.add_column(sa.Column("alerted_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("text_replies") as table:
        table.drop_column("withdrawn_at")
        table.drop_column("alerted_at")
