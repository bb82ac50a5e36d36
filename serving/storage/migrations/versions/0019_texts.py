"""Adds texts: sealed numbers with consent, sent texts, receipts, sealed replies, and opt-outs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
OF_PEOPLE = ("text_numbers", "texts", "text_replies")


def _seen(table: str) -> str:
    return f"SELECT 1 FROM people p WHERE p.patient_id = {table}.patient_id AND p.run_id = {_PUBLISHED}"


def _moment(name: str, *, empty: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=empty)


def upgrade() -> None:
    op.create_table(
        "text_numbers",
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("number_hash", sa.String(length=64), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        _moment("given_at"),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_text_numbers")),
    )
    op.create_index("ix_text_numbers_hash", "text_numbers", ["number_hash"], unique=False)
    op.create_table(
        "texts",
        sa.Column("text_id", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=True),
        sa.Column("team_id", sa.String(length=200), nullable=True),
        sa.Column("number_hash", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("provider_id", sa.String(length=100), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        _moment("status_at"),
        _moment("created_at"),
        sa.Column("sent_by", sa.String(length=200), nullable=False),
        sa.Column("sent_by_name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("text_id", name=op.f("pk_texts")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_texts_provider_id")),
    )
    op.create_index("ix_texts_patient", "texts", ["patient_id", "created_at"], unique=False)
    op.create_index("ix_texts_hash", "texts", ["number_hash", "created_at"], unique=False)
    op.create_table(
        "text_receipts",
        sa.Column("provider_id", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        _moment("at"),
        _moment("received_at"),
        sa.PrimaryKeyConstraint("provider_id", "status", name=op.f("pk_text_receipts")),
    )
    op.create_table(
        "text_replies",
        sa.Column("reply_id", sa.String(length=100), nullable=False),
        sa.Column("number_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _moment("sent_at"),
        _moment("stored_at"),
        _moment("handled_at", empty=True),
        sa.Column("patient_id", sa.String(length=200), nullable=True),
        sa.Column("team_id", sa.String(length=200), nullable=True),
        sa.Column("meaning", sa.String(length=16), nullable=True),
        sa.Column("distress", sa.Boolean(), nullable=False, server_default=sa.false()),
        _moment("answered_at", empty=True),
        _moment("opened_at", empty=True),
        sa.Column("opened_by_name", sa.String(length=200), nullable=True),
        sa.Column("taken_by", sa.String(length=200), nullable=True),
        sa.Column("taken_by_name", sa.String(length=200), nullable=True),
        _moment("taken_at", empty=True),
        _moment("done_at", empty=True),
        sa.PrimaryKeyConstraint("reply_id", name=op.f("pk_text_replies")),
    )
    op.create_index("ix_text_replies_patient", "text_replies", ["patient_id", "sent_at"], unique=False)
    op.create_index("ix_text_replies_handled", "text_replies", ["handled_at"], unique=False)
    op.create_table(
        "text_opt_outs",
        sa.Column("number_hash", sa.String(length=64), nullable=False),
        _moment("since"),
        sa.Column("source", sa.String(length=16), nullable=False),
        _moment("ended_at", empty=True),
        sa.PrimaryKeyConstraint("number_hash", name=op.f("pk_text_opt_outs")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in OF_PEOPLE:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_teams ON {table} USING ({_EVERYTHING} OR EXISTS ({_seen(table)}))")


def downgrade() -> None:
    for table in ("text_opt_outs", "text_replies", "text_receipts", "texts", "text_numbers"):
        op.drop_table(table)
