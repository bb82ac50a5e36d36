"""The range of each risk; null where the model that scored has none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("scores") as table:
        table.add_column(sa.Column("low", sa.Float(53), nullable=True))
        table.add_column(sa.Column("high", sa.Float(53), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("scores") as table:
        table.drop_column("high")
        table.drop_column("low")
