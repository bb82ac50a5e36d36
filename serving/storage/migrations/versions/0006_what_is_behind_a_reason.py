"""Adds the evidence for a person's reasons: the day of each feature's newest row, the source rows, and the what-ifs.
Null in older runs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("people", sa.Column("feature_days", sa.LargeBinary(), nullable=True))
    op.add_column("people", sa.Column("behind", sa.JSON(), nullable=True))
    op.add_column("people", sa.Column("what_if", sa.JSON(), nullable=True))


def downgrade() -> None:
    for name in ("what_if", "behind", "feature_days"):
        op.drop_column("people", name)
