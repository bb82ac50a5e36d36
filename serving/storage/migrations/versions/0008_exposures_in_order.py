"""Removes the second index of the exposure log, so that rows are only added at its end. No query looks an exposure up
by run and person; later training reads the log from end to end. With that index every look at a list of 500 people
wrote to hundreds of its pages, which cost more than reading the list did.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_exposures_run", table_name="exposures")


def downgrade() -> None:
    op.create_index("ix_exposures_run", "exposures", ["run_id", "patient_id"], unique=False)
