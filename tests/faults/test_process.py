"""Models swapped and damaged under load, the process asked to stop, wrong clocks, one bad record among many."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import http.client
import json
import os
import signal
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from select import POLLIN, poll
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import func, select

from models.publishing import publish
from serving.app import create_app
from serving.auditlog.log import Audit, Look, verify_chain
from serving.nightly.run import latest_as_of
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings, database_url_of
from serving.storage.database import Database
from serving.storage.tables import audit_events
from tests.benchmarks.measure import children_of
from tests.faults.processes import served
from tests.serving.running import running
from tests.serving.world import AS_OF, NORTH, person_tables, records


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def body_for(*people: str) -> dict[str, object]:
    tables = person_tables(records(), NORTH)
    return {"as_of": AS_OF.isoformat(), "people": [{"patient_id": person, "tables": tables} for person in people]}


@pytest.mark.fault("bundle swapped under load", "no request is dropped, and no answer mixes two models")
def test_swapped_under_load(home, world):
    token = issue_token(home, "cmht_system", None)
    bundles = [world.write_tiny_bundle(home / f"new{i}", world.records(), seed=i, version=f"swap-{i}") for i in (1, 2)]
    app = create_app(ServiceSettings(home=home, poll_seconds=60, rate_per_minute=10**7, system_rate_per_minute=10**7))
    stop = threading.Event()
    seen: dict[str, set[str]] = {}

    def load(address: str) -> int:
        count = 0
        with httpx.Client(base_url=address, headers=bearer(token), timeout=60) as client:
            while not stop.is_set():
                answer = client.post("/v1/scores", json=body_for("A"))
                assert answer.status_code == 200, answer.text
                found = answer.json()
                for person in found["people"]:
                    for risk in person["risks"]:
                        parts = (
                            risk["base"] + risk["horizon_part"] + sum(c["contribution"] for c in risk["contributions"])
                        )
                        assert abs(parts - risk["logit"]) < 1e-6
                    seen.setdefault(found["model"]["bundle_id"], set()).add(json.dumps(person["risks"]))
                count += 1
        return count

    with running(app) as address, concurrent.futures.ThreadPoolExecutor(3) as pool:
        loading = [pool.submit(load, address) for _ in range(3)]
        try:
            for number in range(6):
                name = publish(home / "bundles", bundles[number % 2]).name
                app.state.service.live.check()
                while name not in seen and not any(one.done() for one in loading):
                    stop.wait(0.05)
        finally:
            stop.set()
        assert all(one.result() for one in loading)
    assert len(seen) >= 2 and all(len(answers) == 1 for answers in seen.values())
    assert len({next(iter(answers)) for answers in seen.values()}) == len(seen)


@pytest.mark.fault(
    "bundle corrupted on disk while serving",
    "the loaded model keeps serving; /readyz says what is wrong; a start refuses the bundle",
)
def test_corrupted_while_serving(home, start):
    bundles = home / "bundles"
    folder = bundles / (bundles / "current").read_text().strip()
    headers = bearer(issue_token(home, "cmht_system", None))
    with start(home, poll_seconds=60) as client:
        before = client.post("/v1/scores", json=body_for("A"), headers=headers).json()["people"]
        for file in folder.glob("*.txt"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        (bundles / "current").write_text(folder.name)  # the pointer is touched, as by a copy tool
        client.app.state.service.live.check()
        assert client.post("/v1/scores", json=body_for("A"), headers=headers).json()["people"] == before
        assert "refused" in client.get("/readyz").json()["checks"][0]["detail"]
    with start(home) as client:
        assert client.post("/v1/scores", json=body_for("A"), headers=headers).status_code == 503
        assert client.get("/readyz").status_code == 503


@pytest.mark.fault("SIGTERM under load", "requests in progress are answered and audited; exit code 0")
def test_sigterm_under_load(home):
    token = issue_token(home, "cmht_system", None)
    sent = json.dumps(body_for("A", "B", "C")).encode()
    with served(home) as (address, process), ExitStack() as opened:
        where = urlsplit(address).netloc
        begun = [opened.enter_context(closing(http.client.HTTPConnection(where, timeout=60))) for _ in range(6)]
        for connection in begun:
            connection.putrequest("POST", "/v1/scores")
            for name, value in {
                **bearer(token),
                "Content-Type": "application/json",
                "Content-Length": str(len(sent)),
            }.items():
                connection.putheader(name, value)
            connection.endheaders(sent[:100])
        # Answered by the same event loop after those six heads arrived, so all six have begun.
        assert httpx.get(f"{address}/readyz", timeout=60).status_code == 200
        process.terminate()
        for connection in begun:
            connection.send(sent[100:])
        answers = [connection.getresponse() for connection in begun]
        assert [(answer.status, len(json.loads(answer.read())["people"])) for answer in answers] == [(200, 3)] * 6
        assert process.wait(timeout=120) == 0
        process.stderr.seek(0)
        lines = [json.loads(line) for line in process.stderr]
        assert {line["level"] for line in lines} == {"info"}
        assert sum(line["event"] == "answered" for line in lines) == 6
    assert events(home, "scores.requested") == 6


def events(home, action: str) -> int:
    """How many audit events of an action there are, in a chain that holds."""
    opened = Database(f"sqlite:///{home / 'service.db'}")
    assert verify_chain(opened) == []
    with opened.read() as connection:
        found = connection.scalar(select(func.count()).where(audit_events.c.action == action))
    opened.close()
    return found


@pytest.mark.fault(
    "poisoned record in a request of 500", "set aside and named; the other 499 get the same scores as without it"
)
def test_a_poisoned_record_among_500(client_and_token):
    client, headers = client_and_token
    alone = body_for("P")
    supplies = alone["people"][0]["tables"]["supplies"][:3]
    alone["people"] = [{"patient_id": "P", "tables": {"supplies": supplies}}]
    clean = client.post("/v1/scores", json=alone, headers=headers).json()["people"][0]
    poison = {
        "supplied_on": "9999-99-99",
        "medicine": "\u202e'; DROP TABLE people;--",
        "days_supplied": -1e308,
        "route": "\x00",
    }
    rows = {number: [*supplies, poison] if number == 250 else supplies for number in range(500)}
    people = [{"patient_id": f"P{number}", "tables": {"supplies": rows[number]}} for number in rows]
    answer = client.post("/v1/scores", json={**alone, "people": people}, headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["not_scored"] == [] and [person["patient_id"] for person in found["people"]] == [f"P{n}" for n in rows]
    assert all(person["risks"] == clean["risks"] for person in found["people"])
    aside = {
        person["patient_id"]: person["flags"]["set_aside"] for person in found["people"] if person["flags"]["set_aside"]
    }
    assert {(row["table"], row["row"]) for row in aside.pop("P250")} == {("supplies", 3)} and not aside


@pytest.fixture
def client_and_token(home, start):
    headers = bearer(issue_token(home, "cmht_system", None))
    with start(home) as client:
        yield client, headers


def clock(offset: dt.timedelta) -> type[dt.datetime]:
    """A ``datetime`` whose clock is wrong by ``offset``."""

    class Wrong(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return dt.datetime.now(tz) + offset

    return Wrong


@pytest.mark.fault(
    "clock skew", "the audit chain holds its order; tokens end by the clock; no row of the future is scored"
)
def test_the_audit_chain_and_tokens_survive_clock_changes(home, start, database, monkeypatch):
    by = Audit(database, actor="test", role="operator", request_id="1")
    for hours in (0, -3, 5, -1):
        monkeypatch.setattr("serving.auditlog.log.datetime", clock(dt.timedelta(hours=hours)))
        by.record(Look("skewed"))
    assert verify_chain(database) == []
    token = issue_token(database, "pharmacist", ["north"], days=1)
    with start(home) as client:
        for hours, status in ((0, 200), (-3, 200), (23, 200), (25, 401)):
            monkeypatch.setattr("serving.security.tokens.datetime", clock(dt.timedelta(hours=hours)))
            assert client.get("/v1/teams", headers=bearer(token)).status_code == status
    # A record system whose clock runs ahead: its newest rows lie after today here.
    ahead = records()
    monkeypatch.setattr("serving.nightly.run.dt", _Dates)
    assert latest_as_of(ahead) == _Dates.date.today()


class _Dates:
    """The module ``datetime`` with today a hundred days before the newest record."""

    timedelta = dt.timedelta

    class date(dt.date):
        @classmethod
        def today(cls):
            return AS_OF - dt.timedelta(days=100)


def workers_of(service: int) -> list[int]:
    """The scoring processes of a service: the children of its only child."""
    hosts = children_of(service)
    return children_of(hosts[0]) if hosts else []


def nanoseconds(pids: list[int]) -> int:
    """How long some processes have run."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.fault(
    "a scoring process is killed",
    "its request is answered all the same, another takes its place; none outlives the service",
)
def test_scoring_processes(home):
    headers = bearer(issue_token(home, "cmht_system", None)) | {"Content-Type": "application/json"}
    whole = json.dumps(body_for("A", "B")).encode()
    twice = b'{"people": [{"patient_id": "a", "tables": {}, "tables": {}}]}'

    def answers(client: httpx.Client) -> list[tuple[int, object]]:
        found = [client.post("/v1/scores", content=content, headers=headers) for content in (whole, twice)]
        return [(one.status_code, one.json() | {"request_id": ""}) for one in found]

    with served(home) as (address, _), httpx.Client(base_url=address, timeout=60) as client:
        alone = answers(client)
    with served(home, UPSTREAM_SCORING_PROCESSES="2") as (address, process):
        with httpx.Client(base_url=address, timeout=60) as client:
            while len(workers := workers_of(process.pid)) < 2:
                assert client.get("/livez").status_code == 200  # until they have loaded the model
            before = nanoseconds(workers)
            while nanoseconds(workers) == before:  # its own, until the service knows of them
                assert answers(client) == alone
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            assert answers(client) == alone and answers(client) == alone
            while len(again := set(workers_of(process.pid)) - set(workers)) < 2:
                assert answers(client) == alone
        left = [os.pidfd_open(pid) for pid in (*again, *children_of(process.pid))]
        process.kill()
        for one in left:
            ended = poll()
            ended.register(one, POLLIN)
            assert ended.poll(60_000)
            os.close(one)
    database = Database(database_url_of(home))
    assert verify_chain(database) == []
    database.close()
