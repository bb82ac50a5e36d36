"""Adds cards shown in other systems (CDS Hooks), feedback about them, and used tokens of those systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_TEAMS = "coalesce(nullif(current_setting('upstream.teams', true), ''), '[]')::jsonb"
_NOBODY = "patient_id IS NULL"
_OWN = f"jsonb_exists({_TEAMS}, team_id::text)"


def upgrade() -> None:
    op.create_table(
        "client_token_ids",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_client_token_ids")),
    )
    op.create_index("ix_client_token_ids_expires_at", "client_token_ids", ["expires_at"], unique=False)
    op.create_table(
        "cards",
        sa.Column("card_id", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=True),
        sa.Column("team_id", sa.String(length=200), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_cards")),
    )
    op.create_index("ix_cards_patient", "cards", ["patient_id", "shown_at"], unique=False)
    op.create_table(
        "card_feedback",
        sa.Column("card_id", sa.String(length=36), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("suggestions", sa.Integer(), nullable=False),
        sa.Column("commented", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.card_id"], name=op.f("fk_card_feedback_card_id_cards")),
        sa.PrimaryKeyConstraint("card_id", "outcome", "outcome_at", name=op.f("pk_card_feedback")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE cards ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE cards FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_teams ON cards USING ({_EVERYTHING} OR {_NOBODY} OR {_OWN})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP POLICY own_teams ON cards")
        op.execute("ALTER TABLE cards NO FORCE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE cards DISABLE ROW LEVEL SECURITY")
    op.drop_table("card_feedback")
    op.drop_index("ix_cards_patient", table_name="cards")
    op.drop_table("cards")
    op.drop_index("ix_client_token_ids_expires_at", table_name="client_token_ids")
    op.drop_table("client_token_ids")
