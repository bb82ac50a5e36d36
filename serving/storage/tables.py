"""The service database as SQLAlchemy tables. Dates are dates, moments are UTC, contributions are packed float64.

A nightly run writes ``runs``, ``run_teams``, ``people``, ``scores``, ``gaps``, ``timelines``, ``person_groups``,
``summaries``, ``list_lines`` and ``list_exits`` once; later only ``repository.thin`` deletes the explanations of old
runs. Explanations, most of a run's bytes, are kept apart (``serving.storage.explanations``), so that several runs of
one day share those of a person who did not change.
``publications`` is the pointer: its newest row names the run that everybody sees. Tables in ``PERSON_TABLES`` hold
rows about people and may only be read through ``serving.storage.visible.visible_people``; the database session
enforces it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    true,
)

from serving.storage.packed import LongJSON, Numbers, compressed, without_zeros


class Moment(TypeDecorator[datetime]):
    """An instant in UTC. SQLite stores no zone, so it is added again when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


WHOLE_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""A primary key of 64 bits; SQLite finds a row by it without an index only where it is called an integer."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("bundle_id", String(128), nullable=False),
    Column("model_version", String(128), nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("data_source", String(200), nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("newest_record_on", Date),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("features", JSON, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("thinned_at", Moment),
)

publications = Table(
    "publications",
    metadata,
    Column("publication_id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("published_at", Moment, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("refusal_id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("refused_at", Moment, nullable=False),
)

run_teams = Table(
    "run_teams",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(200)),
    Column("weekly_reviews", Integer),
)

people = Table(
    "people",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    Column("last_seen_on", Date),
    Column("next_booked_on", Date),
    Column("history_days", Integer),
    Column("flags", JSON, nullable=False),
    Column("feature_values", Numbers(compressed), nullable=False),
    Column("feature_days", Numbers(compressed)),
    Column("behind", LongJSON),
    Column("what_if", LongJSON),
    Column("records_hash", LargeBinary),
    Column("explanation_id", BigInteger),
    Index("ix_people_team", "run_id", "team_id"),
)

scores = Table(
    "scores",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("outcome", String(64), primary_key=True),
    Column("horizon_days", Integer, primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("probability", Float(53), nullable=False),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("base", Float(53), nullable=False),
    Column("horizon_part", Float(53), nullable=False),
    Column("contributions", Numbers(without_zeros), nullable=False),
    Column("reasons", LongJSON, nullable=False),
    Column("raised_by", String(300), nullable=False, server_default=""),
    Column("explanation_id", BigInteger),
    Index("ix_scores_person", "run_id", "patient_id"),
)

person_explanations = Table(
    "person_explanations",
    metadata,
    Column("explanation_id", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("patient_id", String(200), nullable=False),
    Column("feature_values", Numbers(compressed), nullable=False),
    Column("feature_days", Numbers(compressed)),
    Column("behind", LongJSON),
    Column("what_if", LongJSON),
)

score_explanations = Table(
    "score_explanations",
    metadata,
    Column("explanation_id", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("patient_id", String(200), nullable=False),
    Column("contributions", Numbers(without_zeros), nullable=False),
    Column("reasons", LongJSON, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("code", String(64), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("safety", Boolean, nullable=False),
    Column("title", Text, nullable=False),
    Column("due_on", Date),
    Column("days_overdue", Float(53)),
    Column("value", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("action", Text, nullable=False),
    Column("standard", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("shown", Boolean, nullable=False, server_default=true()),
    Column("could_not_check", JSON, nullable=False, server_default="[]"),
)

timelines = Table(
    "timelines",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("medicines", Text, nullable=False),
    Column("adjustments", JSON, nullable=False),
    Column("events", LongJSON, nullable=False),
)

person_groups = Table(
    "person_groups",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("groups", JSON, nullable=False),
)

summaries = Table(
    "summaries",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("medicines", JSON, nullable=False),
    Column("about", JSON, nullable=False),
    Column("dues", JSON, nullable=False),
    Column("registers", JSON, nullable=False),
    Column("on_registers", String(200), nullable=False),
)

list_lines = Table(
    "list_lines",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("standing", String(16), nullable=False),
    Column("slot", String(16)),
    Column("joined", Boolean, nullable=False),
    Column("listed_since", Date),
    Column("last_listed_on", Date),
    Column("snoozed_until", Date),
    Column("risk", Float(53), nullable=False),
    Column("worst_gap", Integer, nullable=False),
)

list_exits = Table(
    "list_exits",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("reason", String(32), nullable=False),
    Column("listed_since", Date),
    Column("rank", Integer),
    Column("displaced_by", String(200)),
    Column("on_day", Date),
    Column("note", String(200), nullable=False),
)

list_draws = Table(
    "list_draws",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("drawn_on", Date, nullable=False),
    Column("propensity", Float(53), nullable=False),
    Column("drawn", Boolean, nullable=False),
    Column("risk", Float(53), nullable=False),
    Column("line_risk", Float(53), nullable=False),
    Index("ix_list_draws_day", "drawn_on"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", String(64), primary_key=True),
    Column("patient_id", String(200), nullable=False),
    Column("team_id", String(200), nullable=False),
    Column("run_id", ForeignKey("runs.run_id")),
    Column("reviewed_at", Moment, nullable=False),
    Column("reviewer", String(200), nullable=False),
    Column("actions", JSON, nullable=False),
    Column("listing_was", String(32)),
    Column("snooze_until", Date),
    Column("idempotency_key", String(128), nullable=False),
    Column("replaces", String(64)),
    Column("medicines_reconciled", Boolean, nullable=False, server_default=false()),
    Column("allergies_up_to_date", Boolean, nullable=False, server_default=false()),
    Column("side_effects_assessed", Boolean, nullable=False, server_default=false()),
    Column("reviewer_name", String(200), nullable=False, server_default=""),
    Column("undone", Boolean, nullable=False, server_default=false()),
    Column("written_at", Moment),
    Index("ix_reviews_replaces", "replaces", unique=True),
    UniqueConstraint("reviewer", "idempotency_key"),
    Index("ix_reviews_patient", "patient_id", "reviewed_at"),
)

gap_statuses = Table(
    "gap_statuses",
    metadata,
    Column("status_id", Integer, primary_key=True),
    Column("patient_id", String(200), nullable=False),
    Column("team_id", String(200), nullable=False),
    Column("run_id", ForeignKey("runs.run_id")),
    Column("code", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("until", Date),
    Column("why", String(32)),
    Column("severity", String(16), nullable=False),
    Column("basis", JSON, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", String(200), nullable=False),
    Column("set_by_name", String(200), nullable=False),
    Index("ix_gap_statuses_patient", "patient_id", "code", "status_id"),
)

identities = Table(
    "identities",
    metadata,
    Column("patient_id", String(200), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("given_at", Moment, nullable=False),
)

work_items = Table(
    "work_items",
    metadata,
    Column("item_id", Integer, primary_key=True),
    Column("patient_id", String(200), nullable=False),
    Column("team_id", String(200), nullable=False),
    Column("run_id", ForeignKey("runs.run_id")),
    Column("given_to", String(64)),
    Column("given_to_name", String(200), nullable=False),
    Column("this_week", Boolean, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", String(200), nullable=False),
    Column("set_by_name", String(200), nullable=False),
    Index("ix_work_items_patient", "patient_id", "team_id", "item_id"),
)

drafts = Table(
    "drafts",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("patient_id", String(200), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("saved_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

saved_filters = Table(
    "saved_filters",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("query", String(2_000), nullable=False),
    Column("saved_at", Moment, nullable=False),
)

text_numbers = Table(
    "text_numbers",
    metadata,
    Column("patient_id", String(200), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("number_hash", String(64), nullable=False),
    Column("consented", Boolean, nullable=False),
    Column("given_at", Moment, nullable=False),
    Index("ix_text_numbers_hash", "number_hash"),
)

texts = Table(
    "texts",
    metadata,
    Column("text_id", String(64), primary_key=True),
    Column("patient_id", String(200)),
    Column("team_id", String(200)),
    Column("number_hash", String(64), nullable=False),
    Column("template", String(32), nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("provider_id", String(100), unique=True),
    Column("status", String(32), nullable=False),
    Column("status_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("sent_by", String(200), nullable=False),
    Column("sent_by_name", String(200), nullable=False),
    Index("ix_texts_patient", "patient_id", "created_at"),
    Index("ix_texts_hash", "number_hash", "created_at"),
)

text_receipts = Table(
    "text_receipts",
    metadata,
    Column("provider_id", String(100), primary_key=True),
    Column("status", String(32), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
)

text_replies = Table(
    "text_replies",
    metadata,
    Column("reply_id", String(100), primary_key=True),
    Column("number_hash", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("sent_at", Moment, nullable=False),
    Column("stored_at", Moment, nullable=False),
    Column("handled_at", Moment),
    Column("patient_id", String(200)),
    Column("team_id", String(200)),
    Column("meaning", String(16)),
    Column("distress", Boolean, nullable=False, server_default=false()),
    Column("answered_at", Moment),
    Column("opened_at", Moment),
    Column("opened_by_name", String(200)),
    Column("taken_by", String(200)),
    Column("taken_by_name", String(200)),
    Column("taken_at", Moment),
    Column("done_at", Moment),
    Column("alerted_at", Moment),
    Column("withdrawn_at", Moment),
    Index("ix_text_replies_patient", "patient_id", "sent_at"),
    Index("ix_text_replies_handled", "handled_at"),
)

text_opt_outs = Table(
    "text_opt_outs",
    metadata,
    Column("number_hash", String(64), primary_key=True),
    Column("since", Moment, nullable=False),
    Column("source", String(16), nullable=False),
    Column("ended_at", Moment),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("role", String(32), nullable=False),
    Column("all_teams", Boolean, nullable=False),
    Column("label", String(200), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("lead", Boolean, nullable=False, server_default=false()),
    Column("issuer", String(300)),
    Column("subject", String(200)),
    Column("assigned", Boolean, nullable=False, server_default=false()),
    Column("last_used_at", Moment),
)

token_teams = Table(
    "token_teams",
    metadata,
    Column("token_id", String(32), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    ForeignKeyConstraint(["token_id"], ["tokens.token_id"], ondelete="CASCADE"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(200), primary_key=True),
    Column("team_id", String(200), primary_key=True),
    Column("from_on", Date, primary_key=True),
    Column("to_on", Date),
    Column("source", String(200), nullable=False),
    Column("lead", Boolean, nullable=False, server_default=false()),
)

role_assignments = Table(
    "role_assignments",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(200), primary_key=True),
    Column("role", String(32), primary_key=True),
    Column("from_on", Date, primary_key=True),
    Column("to_on", Date),
    Column("source", String(200), nullable=False),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("state_sha256", String(64), primary_key=True),
    Column("browser_sha256", String(64), nullable=False),
    Column("issuer", String(300), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("expires_at", Moment, nullable=False),
)

emergency_access = Table(
    "emergency_access",
    metadata,
    Column("grant_id", String(32), primary_key=True),
    Column("actor", String(64), nullable=False),
    Column("actor_name", String(200), nullable=False),
    Column("patient_id", String(200), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("granted_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("ix_emergency_access_actor", "actor", "patient_id"),
)

exposures = Table(
    "exposures",
    metadata,
    Column("audit_seq", Integer, primary_key=True, autoincrement=False),
    Column("patient_id", String(200), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("team_id", String(200), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("horizon_days", Integer, nullable=False),
    Column("ranking", String(32), nullable=False),
    Column("position", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("shown_at", Moment, nullable=False),
)

client_token_ids = Table(
    "client_token_ids",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("expires_at", Moment, nullable=False),
    Index("ix_client_token_ids_expires_at", "expires_at"),
)

cards = Table(
    "cards",
    metadata,
    Column("card_id", String(36), primary_key=True),
    Column("client", String(64), nullable=False),
    Column("service", String(64), nullable=False),
    Column("about", JSON, nullable=False),
    Column("patient_id", String(200)),
    Column("team_id", String(200)),
    Column("run_id", String(64)),
    Column("shown_at", Moment, nullable=False),
    Index("ix_cards_patient", "patient_id", "shown_at"),
)

card_feedback = Table(
    "card_feedback",
    metadata,
    Column("card_id", ForeignKey("cards.card_id"), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("outcome_at", Moment, primary_key=True),
    Column("reason", String(64)),
    Column("suggestions", Integer, nullable=False),
    Column("commented", Boolean, nullable=False),
    Column("received_at", Moment, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("action", String(64), nullable=False),
    Column("team_id", String(200)),
    Column("patient_ids", JSON, nullable=False),
    Column("run_id", String(64)),
    Column("bundle_id", String(128)),
    Column("request_id", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("head_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("person_sha256", String(64), primary_key=True),
    Column("erased_at", Moment, nullable=False),
)

PERSON_TABLES = frozenset(
    {
        people,
        scores,
        person_explanations,
        score_explanations,
        gaps,
        timelines,
        person_groups,
        summaries,
        list_lines,
        list_exits,
        list_draws,
        reviews,
        gap_statuses,
        identities,
        work_items,
        drafts,
        exposures,
        cards,
        text_numbers,
        texts,
        text_replies,
    }
)
