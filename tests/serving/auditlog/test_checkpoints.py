"""Tampering by somebody who can write the whole database: shown by signed checkpoints that were kept elsewhere, and by
rows that no event holds."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

import upstream
from models.signing import SigningKey, TrustedKeys, new_key
from serving.auditlog.checkpoints import CheckpointsUnusable
from serving.auditlog.home import checkpoint_home, verify_home
from serving.auditlog.linked import REVIEW_CONTENT
from serving.auditlog.log import Audit, Look
from serving.reviews.schemas import ReviewIn
from serving.security.tokens import issue_token
from serving.settings import database_url_of
from serving.storage.database import Database

SHOWN = {
    "patient_id": "N03",
    "outcome": "admission",
    "horizon_days": 90,
    "ranking": "risk",
    "position": 1,
    "rank": 1,
}


@pytest.fixture
def key(tmp_path):
    new_key(tmp_path / "audit.key", tmp_path / "audit.pub")
    return SigningKey.load(tmp_path / "audit.key")


@pytest.fixture
def kept(home, database: Database, tmp_path, key):
    """Two checkpoints, kept on another machine."""
    file = tmp_path / "elsewhere" / "checkpoints.jsonl"
    by = Audit(database, "tester", "auditor", "r")
    for patient in ("A", "B"):
        by.record(Look("person.seen", (patient,)))
        checkpoint_home(home, key, file, "nightly job")
    return file


def change(home, *statements):
    engine = create_engine(database_url_of(home))
    with engine.begin() as connection:
        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def reasons(home, file, tmp_path):
    return [one.reason for one in verify_home(home, None, file, TrustedKeys.load(tmp_path / "audit.pub")).broken]


def test_checkpoints_hold_while_the_log_grows(home, database, kept, tmp_path):
    Audit(database, "tester", "auditor", "r").record(Look("person.seen", ("C",)))
    assert reasons(home, kept, tmp_path) == []


def test_a_log_that_was_cut_and_resealed_is_found(home, kept, tmp_path):
    change(
        home,
        "DELETE FROM audit_events WHERE seq = (SELECT max(seq) FROM audit_events)",
        "UPDATE audit_head SET seq = (SELECT max(seq) FROM audit_events),"
        " hash = (SELECT hash FROM audit_events ORDER BY seq DESC LIMIT 1)",
    )
    assert verify_home(home).broken == [], "alone, it looks whole"
    (found,) = reasons(home, kept, tmp_path)
    assert "rewritten or cut" in found


def test_a_log_that_was_wiped_is_found(home, kept, tmp_path):
    change(home, "DELETE FROM audit_events", f"UPDATE audit_head SET seq = 0, hash = '{'0' * 64}'")
    assert len(reasons(home, kept, tmp_path)) == 2


def swap_lines(lines):
    return lines[::-1]


def drop_the_first(lines):
    return lines[1:]


def another_head(lines):
    return [lines[0].replace('"head":"', '"head":"0')[:-1], lines[1]]


def raised_number(lines):
    return [lines[0].replace('"seq":', '"seq":1'), lines[1]]


@pytest.mark.parametrize("tampering", [swap_lines, drop_the_first, another_head, raised_number])
def test_checkpoints_that_were_changed_are_found(home, kept, tmp_path, tampering):
    kept.write_text("\n".join(tampering(kept.read_text().splitlines())) + "\n")
    assert reasons(home, kept, tmp_path)


def test_a_signature_by_an_untrusted_key_is_found(home, kept, tmp_path):
    new_key(tmp_path / "stranger.key", tmp_path / "stranger.pub")
    checkpoint_home(home, SigningKey.load(tmp_path / "stranger.key"), kept, "somebody")
    (found,) = reasons(home, kept, tmp_path)
    assert "checkpoint 3" in found and "not among the trusted keys" in found


@pytest.mark.parametrize("content", [None, ""], ids=["absent", "empty"])
def test_a_file_without_checkpoints_is_an_error_and_not_a_pass(home, tmp_path, content):
    file = tmp_path / "checkpoints.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CheckpointsUnusable):
        verify_home(home, None, file, TrustedKeys({}))


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ("UPDATE reviews SET medicines_reconciled = 0", "the review that it recorded was changed"),
        ("UPDATE reviews SET snooze_until = '2030-01-01'", "the review that it recorded was changed"),
        ("UPDATE reviews SET undone = 1", "the review that it recorded was changed"),
        ("UPDATE reviews SET patient_id = 'N04'", "the review that it recorded was changed"),
        ("DELETE FROM reviews", "the review that it recorded is gone"),
        ("UPDATE reviews SET review_id = 'other'", "added to the table directly"),
        ("UPDATE exposures SET position = 7", "was changed in the exposure log"),
        ("DELETE FROM exposures", "is gone from the exposure log"),
    ],
)
def test_a_change_to_stored_care_data_breaks_the_audit_chain(home, database, start, tampering, said):
    review = {
        "actions": ["gp_informed"],
        "medicines_reconciled": True,
        "allergies_up_to_date": True,
        "side_effects_assessed": False,
    }
    headers = {"Authorization": f"Bearer {issue_token(home, 'pharmacist', ['north'])}", "Idempotency-Key": "key-0001"}
    with start(home) as client:
        assert client.post("/v1/patients/N03/reviews", json=review, headers=headers).status_code == 201
        assert client.get("/v1/teams/north/worklist", headers=headers).status_code == 200
    assert verify_home(home).broken == []
    change(home, tampering)
    assert any(said in one.reason for one in verify_home(home).broken)


def test_every_field_of_a_review_is_in_the_audit_chain():
    assert set(ReviewIn.model_fields) <= set(REVIEW_CONTENT)


def test_an_emergency_access_that_was_slipped_in_is_found(home, database):
    change(
        home,
        "INSERT INTO emergency_access (grant_id, actor, actor_name, patient_id, reason, granted_at, expires_at)"
        " VALUES ('x', 'me', 'me', 'S02', 'crisis', '2026-01-01 00:00:00', '2026-01-01 01:00:00')",
    )
    (found,) = verify_home(home).broken
    assert "1 emergency accesses have no event" in found.reason


def test_the_verbs_make_a_key_sign_and_verify(home, database, tmp_path):
    def run(*words):
        return CliRunner().invoke(upstream.app, list(words))

    name, file = tmp_path / "keys" / "audit", tmp_path / "away" / "checkpoints.jsonl"
    assert run("keys", "new", str(name)).exit_code == 0
    Audit(database, "tester", "auditor", "r").record(
        Look("person.seen", ("A",), shown=(SHOWN,), run_id="r", team_id="t")
    )
    made = run("audit", "checkpoint", "--home", str(home), "--key", f"{name}.key", "--to", str(file))
    assert made.exit_code == 0 and "signed into" in made.stdout
    verify = ["audit", "verify", "--home", str(home), "--checkpoints", str(file), "--trusted"]
    assert run(*verify, f"{name}.pub").exit_code == 0
    change(home, "DELETE FROM audit_events", f"UPDATE audit_head SET seq = 0, hash = '{'0' * 64}'")
    found = run(*verify, f"{name}.pub")
    assert found.exit_code == 1 and "rewritten or cut" in found.stdout
