"""The drill of docs/operations.md: back up while people work, lose everything, restore, and find every review and
audit event again."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from serving.auditlog.log import verify_chain
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.storage.database import Database
from tests.faults.postgres import PROGRAMS

REVIEW = {
    "actions": ["monitoring_arranged"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": True,
}


def backup_sqlite(home: Path, into: Path) -> None:
    """As docs/operations.md says: the database by SQLite's own online backup, then the folders beside it."""
    into.mkdir()
    with sqlite3.connect(home / "service.db") as source, sqlite3.connect(into / "service.db") as target:
        source.backup(target)
    source.close()
    target.close()
    for folder in ("bundles", "store"):
        shutil.copytree(home / folder, into / folder)


@pytest.fixture
def keys(tmp_path):
    """A key pair of age, as a trust makes one: the server holds the recipient, the identity is kept elsewhere."""
    if shutil.which("age") is None:
        pytest.skip("Debian's age is not here")
    identity, recipient = tmp_path / "backup.key", tmp_path / "backup.pub"
    subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
    recipient.write_bytes(subprocess.run(["age-keygen", "-y", identity], check=True, capture_output=True).stdout)
    return recipient, identity


def review(client, token: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    assert client.post("/v1/patients/N03/reviews", json=REVIEW, headers=headers).status_code == 201


def shell(command: str) -> None:
    """A pipe, as the page writes it; it fails where any part fails."""
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, capture_output=True)


def looks(client, token: str) -> tuple[object, list[object]]:
    """What a pharmacist sees: the worklist and the reviews of one person."""
    headers = {"Authorization": f"Bearer {token}"}
    worklist = client.get("/v1/teams/north/worklist", headers=headers).json()
    return worklist, client.get("/v1/patients/N03/reviews", headers=headers).json()["items"]


@pytest.mark.fault(
    "the server is lost: SQLite", "restored from the backup: same list, reviews, model, sign-ins; chain holds"
)
def test_backup_and_restore(home, start, tmp_path, record_property, keys):
    recipient, identity = keys
    token = issue_token(home, "pharmacist", ["north"])
    with start(home) as client:
        review(client, token, "before-the-backup")
        before = looks(client, token)
        backup_sqlite(home, tmp_path / "backup")  # while the service runs
        sealed = tmp_path / "backup.tar.age"
        shell(f"tar -C {tmp_path}/backup -c . | age -R {recipient} -o {sealed}")
        shutil.rmtree(tmp_path / "backup")
        review(client, token, "after-the-backup")
    shutil.rmtree(home)

    began = time.perf_counter()
    home.mkdir()
    shell(f"age -d -i {identity} {sealed} | tar -C {home} -x")
    with start(home) as client:
        assert looks(client, token) == before
        assert client.get("/readyz").status_code == 200
        seconds = time.perf_counter() - began
        assert verify_chain(client.app.state.service.database) == []
        review(client, token, "after-the-backup")  # its key is free again: nothing of it was restored by halves
    record_property("restore_seconds", round(seconds, 2))
    print(f"restored and ready in {seconds:.2f} s")


@pytest.mark.fault("the server is lost: PostgreSQL", "pg_dump into an empty server: same list and reviews; chain holds")
def test_backup_and_restore_on_postgresql(home, start, postgres, world, tmp_path, record_property, keys):
    recipient, identity = keys
    score_store(home / "store", home / "bundles", postgres.url, world.AS_OF, threads=1)
    token = issue_token(postgres.url, "pharmacist", ["north"])
    with start(home, database_url=postgres.url) as client:
        review(client, token, "before-the-backup")
        before = looks(client, token)
        sealed, admin = tmp_path / "service.dump.age", " ".join(postgres.admin)
        shell(f"{PROGRAMS[-1]}/pg_dump {admin} --format=custom upstream | age -R {recipient} -o {sealed}")

    began = time.perf_counter()
    subprocess.run([PROGRAMS[-1] / "createdb", *postgres.admin, "--owner", "upstream", "restored"], check=True)
    shell(f"age -d -i {identity} {sealed} | {PROGRAMS[-1]}/pg_restore {admin} --exit-on-error -d restored")
    restored = postgres.url.replace("/upstream?", "/restored?")
    with start(home, database_url=restored) as client:
        assert looks(client, token) == before
        seconds = time.perf_counter() - began
    opened = Database(restored)
    assert verify_chain(opened) == []
    opened.close()
    record_property("restore_seconds", round(seconds, 2))
    print(f"restored and ready in {seconds:.2f} s")


def test_a_backup_cannot_be_read_without_its_key_and_a_changed_one_is_refused(home, tmp_path, keys):
    recipient, identity = keys
    sealed = tmp_path / "backup.tar.age"
    shell(f"tar -C {home} -c . | age -R {recipient} -o {sealed}")
    held = sealed.read_bytes()
    assert held.startswith(b"age-encryption.org/v1") and b"SQLite format" not in held and b"patient_id" not in held
    sealed.write_bytes(held[:-200] + bytes([held[-200] ^ 1]) + held[-199:])
    with pytest.raises(subprocess.CalledProcessError):
        shell(f"age -d -i {identity} {sealed} > {tmp_path}/opened")


def test_the_services_own_login_cannot_dump(home, postgres, world):
    """So that nobody plans backups with it: what it would write down is cut to the teams of nobody."""
    score_store(home / "store", home / "bundles", postgres.url, world.AS_OF, threads=1)
    own = ["-h", "127.0.0.1", "-p", str(postgres.port), "-U", "upstream"]
    done = subprocess.run([PROGRAMS[-1] / "pg_dump", *own, "upstream"], capture_output=True, text=True, check=False)
    assert done.returncode and "row-level security" in done.stderr
