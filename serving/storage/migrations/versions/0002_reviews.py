"""Reviews: the three answers that every review ends with, the reviewer's name, and one successor for each version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ANSWERS = ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed")


def upgrade() -> None:
    for name in ANSWERS:
        op.add_column("reviews", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("reviews", sa.Column("reviewer_name", sa.String(length=200), nullable=False, server_default=""))
    op.create_index("ix_reviews_replaces", "reviews", ["replaces"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_reviews_replaces", table_name="reviews")
    with op.batch_alter_table("reviews") as batch:
        for name in ("reviewer_name", *ANSWERS):
            batch.drop_column(name)
