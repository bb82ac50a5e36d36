"""The database goes away, fills up, is written by two at once, or loses its process: nothing half done is ever
shown."""

from __future__ import annotations

import concurrent.futures
import itertools
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event, func, select

from models import RiskModel
from serving.auditlog.log import verify_chain
from serving.nightly.run import score_store
from serving.runs.run_lock import AlreadyRunning
from serving.security.tokens import issue_token
from serving.start import StartError, serve
from serving.storage.database import Database, DatabaseUnavailable
from serving.storage.tables import publications, reviews, runs
from tests.conftest import free_port
from tests.faults.processes import served

REVIEW = {
    "actions": ["monitoring_arranged"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": True,
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.fault("database down at start", "the service does not start; one sentence says why and what to do")
def test_the_service_does_not_start_without_its_database(home, monkeypatch):
    pytest.importorskip("psycopg", reason="needs the extra [postgres]")
    nobody = f"postgresql+psycopg://somebody:hush@127.0.0.1:{free_port()}/none?connect_timeout=2"
    monkeypatch.setenv("UPSTREAM_DATABASE_URL", nobody)
    with pytest.raises(StartError, match="UPSTREAM_DATABASE_URL") as refused:
        serve(home, port=0)
    assert "hush" not in str(refused.value)


@pytest.mark.fault("database down mid-request", "503 with Retry-After, nothing shown; answers again by itself")
def test_a_database_that_fails_during_a_request_is_503(home, start, postgres, world):
    score_store(home / "store", home / "bundles", postgres.url, world.AS_OF, threads=1)
    headers = bearer(issue_token(postgres.url, "pharmacist", ["north"]))
    with start(home, database_url=postgres.url) as client:
        assert client.get("/v1/patients/N03", headers=headers).status_code == 200
        postgres.kill()
        answer = client.get("/v1/patients/N03", headers=headers)
        assert answer.status_code == 503 and "retry-after" in answer.headers
        assert answer.json()["type"].endswith("database-unavailable")
        assert client.get("/readyz").status_code == 503 and client.get("/livez").status_code == 200
        postgres.start()
        assert client.get("/v1/patients/N03", headers=headers).status_code == 200
        assert client.get("/readyz").status_code == 200


@pytest.mark.fault(
    "database down mid-nightly", "the old list stays published whole; running it again publishes the new one"
)
def test_a_database_that_fails_during_a_nightly_run_leaves_the_old_list(home, postgres, world):
    first = score_store(home / "store", home / "bundles", postgres.url, world.AS_OF, threads=1)
    newer = RiskModel.load(world.write_tiny_bundle(home / "newer", world.records(), seed=1, version="test-2"))

    def cut(stage: str, done: int, _total: int) -> None:
        if stage == "publishing" and not done:
            postgres.kill()

    with pytest.raises(DatabaseUnavailable):
        score_store(home / "store", newer, postgres.url, world.AS_OF, threads=1, progress=cut)
    postgres.start()
    opened = Database(postgres.url)
    assert published(opened) == first.run_id
    second = score_store(home / "store", newer, postgres.url, world.AS_OF, threads=1)
    assert not second.reused and published(opened) == second.run_id != first.run_id
    assert verify_chain(opened) == []
    opened.close()


def published(database: Database) -> str:
    with database.read() as connection:
        return connection.scalar(select(publications.c.run_id).order_by(publications.c.publication_id.desc()).limit(1))


@pytest.mark.fault(
    "disk full: audit log",
    "503, and nothing is shown without its audit event; the service answers again once there is room",
)
def test_disk_full_for_the_audit_log(home, start):
    headers = bearer(issue_token(home, "pharmacist", ["north"]))
    with start(home) as client:
        database = client.app.state.service.database
        full = [True]

        def limit(connection, _record):
            if full[0]:  # SQLite's own answer to a full disk: SQLITE_FULL on the first page beyond
                pages = connection.execute("PRAGMA page_count").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count={pages}")

        event.listen(database.engine, "connect", limit)
        database.engine.dispose()
        asked = (client.get("/v1/patients/N03", headers=headers) for _ in range(1_000))  # free pages are used up first
        refused = list(itertools.islice((answer for answer in asked if answer.status_code != 200), 5))
        assert refused and {answer.status_code for answer in refused} == {503}
        assert {answer.json()["type"].rpartition(":")[2] for answer in refused} == {"audit-unavailable"}
        assert not any("N03" in answer.text for answer in refused)
        full[0] = False
        database.engine.dispose()
        assert client.get("/v1/patients/N03", headers=headers).status_code == 200
        assert verify_chain(database) == []


@pytest.mark.fault("disk full: nightly run", "nothing is published; the old list stays whole")
def test_disk_full_in_the_nightly_run(home, world, database):
    first = published(database)
    newer = RiskModel.load(world.write_tiny_bundle(home / "newer", world.records(), seed=1, version="test-2"))

    @event.listens_for(database.engine, "connect")
    def limit(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    database.engine.dispose()
    with pytest.raises(DatabaseUnavailable):
        score_store(home / "store", newer, database, world.AS_OF, threads=1)
    assert published(database) == first
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(runs)) == 1


@pytest.mark.fault("disk full: publishing a bundle", "the pointer stays on the old bundle, which serves")
def test_disk_full_while_a_bundle_is_published(home, world):
    made = world.write_tiny_bundle(home / "newer", world.records(), seed=1, version="test-2")
    before = (home / "bundles" / "current").read_text()
    program = (
        "import resource, signal, sys; from models.publishing import publish\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "publish(sys.argv[1], sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home / "bundles"), str(made)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "Error" in done.stderr
    assert (home / "bundles" / "current").read_text() == before
    assert RiskModel.load(home / "bundles", self_test=True).manifest.bundle_id == before.strip()


@pytest.mark.fault(
    "two writers", "one list, one audit chain without a gap; a second nightly run stops and names the first"
)
def test_two_nightly_runs_and_reviewers_at_once(home, start, world):
    token = issue_token(home, "pharmacist", ["north"])
    made = RiskModel.load(world.write_tiny_bundle(home / "newer", world.records(), seed=1, version="test-2"))
    together = threading.Barrier(4)

    def nightly() -> str | None:
        together.wait()
        try:
            return score_store(home / "store", made, home, world.AS_OF, threads=1).run_id
        except AlreadyRunning:
            return None

    def reviewer(number: int) -> list[int]:
        together.wait()
        keys = [{**bearer(token), "Idempotency-Key": f"writer-{number}-{i}"} for i in range(10)]
        return [client.post("/v1/patients/N03/reviews", json=REVIEW, headers=key).status_code for key in keys]

    with start(home) as client, concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs_made = [pool.submit(nightly) for _ in range(2)]
        answers = [pool.submit(reviewer, number) for number in range(2)]
        (made_run,) = {run.result() for run in runs_made} - {None}
        assert {status for answer in answers for status in answer.result()} == {201}
        opened = client.app.state.service.database
        assert published(opened) == made_run and verify_chain(opened) == []


@pytest.mark.fault(
    "kill -9 in the middle of reviews", "each is stored once or not at all; every confirmed one is there"
)
def test_killed_in_the_middle_of_a_review(home: Path):
    token = issue_token(home, "pharmacist", ["north"])
    keys = [f"killed-{number:03d}" for number in range(60)]
    answered: list[str] = []

    def send(client: httpx.Client, key: str) -> None:
        headers = {**bearer(token), "Idempotency-Key": key}
        try:
            answer = client.post("/v1/patients/N03/reviews", json=REVIEW, headers=headers)
        except httpx.HTTPError:
            return
        assert answer.status_code in (200, 201)
        answered.append(key)

    with served(home) as (address, process), client_at(address) as client:

        def send_until_the_kill(key: str) -> None:
            send(client, key)
            if len(answered) >= 10:  # the other senders are in the middle of theirs
                process.send_signal(signal.SIGKILL)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(send_until_the_kill, keys))
        process.wait()
    stored = stored_keys(home)
    assert 10 <= len(answered) < len(keys)
    assert set(answered) <= set(stored) and len(stored) == len(set(stored))
    with served(home) as (address, _), client_at(address) as client:
        for key in keys:
            send(client, key)
    assert sorted(stored_keys(home)) == keys


def client_at(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=60)


def stored_keys(home: Path) -> list[str]:
    """Idempotency keys of the reviews stored, and the proof that each has its audit event."""
    opened = Database(f"sqlite:///{home / 'service.db'}")
    with opened.write() as connection:
        found = list(connection.scalars(select(reviews.c.idempotency_key)))
    assert verify_chain(opened) == []
    opened.close()
    return found
