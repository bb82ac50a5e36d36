"""Explanations in tables of their own, which several runs of one day share. Rows of before keep theirs in place."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from serving.storage.packed import LongJSON

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_EVERYTHING = "coalesce(current_setting('upstream.everything', true), '') = 'on'"
_PUBLISHED = "(SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1)"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PERSON = ("feature_values", "feature_days", "behind", "what_if")
_SCORE = ("contributions", "reasons")


def upgrade() -> None:
    _create(
        "person_explanations",
        sa.Column("feature_values", sa.LargeBinary(), nullable=False),
        sa.Column("feature_days", sa.LargeBinary(), nullable=True),
        sa.Column("behind", LongJSON(), nullable=True),
        sa.Column("what_if", LongJSON(), nullable=True),
    )
    _create(
        "score_explanations",
        sa.Column("contributions", sa.LargeBinary(), nullable=False),
        sa.Column("reasons", LongJSON(), nullable=False),
    )
    for table in ("people", "scores"):
        op.add_column(table, sa.Column("explanation_id", sa.BigInteger(), nullable=True))


def _create(table: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        table,
        sa.Column("explanation_id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.String(length=200), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("explanation_id", name=op.f(f"pk_{table}")),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    seen = f"SELECT 1 FROM people p WHERE p.patient_id = {table}.patient_id AND p.run_id = {_PUBLISHED}"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_teams ON {table} USING ({_EVERYTHING} OR EXISTS ({seen}))")


def downgrade() -> None:
    for table, apart, names in (
        ("people", "person_explanations", _PERSON),
        ("scores", "score_explanations", _SCORE),
    ):
        one = f"FROM {apart} e WHERE e.explanation_id = {table}.explanation_id"
        back = ", ".join(f"{name} = (SELECT e.{name} {one})" for name in names)
        op.execute(f"UPDATE {table} SET {back} WHERE explanation_id IS NOT NULL")
        op.drop_column(table, "explanation_id")
        op.drop_table(apart)
