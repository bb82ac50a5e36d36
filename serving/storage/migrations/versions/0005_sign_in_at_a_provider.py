"""Sign-in at an identity provider: unfinished sign-ins, sessions of a person, roles of our own, and team leads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("state_sha256", sa.String(length=64), nullable=False),
        sa.Column("browser_sha256", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name=op.f("pk_sign_ins")),
    )
    op.create_table(
        "role_assignments",
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", "role", "from_on", name=op.f("pk_role_assignments")),
    )
    op.add_column("memberships", sa.Column("lead", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("tokens", sa.Column("lead", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("tokens", sa.Column("issuer", sa.String(length=300), nullable=True))
    op.add_column("tokens", sa.Column("subject", sa.String(length=200), nullable=True))
    op.add_column("tokens", sa.Column("assigned", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("tokens") as batch:
        for name in ("assigned", "subject", "issuer", "lead"):
            batch.drop_column(name)
    with op.batch_alter_table("memberships") as batch:
        batch.drop_column("lead")
    op.drop_table("role_assignments")
    op.drop_table("sign_ins")
