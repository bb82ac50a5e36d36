"""How much one client may ask, how long an answer may take, how much a request may hold: each refused with when to
come back."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from contextlib import suppress

import anyio
import pytest

from serving.http import rate_limit
from serving.http.problems import Problem
from serving.http.rate_limit import Rate
from serving.http.thread_lanes import Lane
from serving.security.tokens import issue_token


def asks(rate, client="a"):
    """0 for an allowed request, else the seconds to wait."""
    try:
        rate.spend(client)
    except Problem as problem:
        assert problem.status == 429
        return int(problem.headers["Retry-After"])
    return 0


def test_a_minutes_share_can_be_spent_at_once_and_comes_back_evenly():
    now = [0.0]
    rate = Rate(60, lambda: now[0])
    assert [asks(rate) for _ in range(61)] == [0] * 60 + [1]
    now[0] += 1
    assert (asks(rate), asks(rate)) == (0, 1)
    now[0] += 3_600
    assert sum(asks(rate) == 0 for _ in range(100)) == 60


def test_retry_after_is_when_it_works_again():
    now = [0.0]
    rate = Rate(2, lambda: now[0])
    asks(rate), asks(rate)
    wait = asks(rate)
    now[0] += wait - 0.01
    assert asks(rate)
    now[0] += 0.01
    assert not asks(rate)


def test_one_client_does_not_spend_anothers_share():
    rate = Rate(1, lambda: 0.0)
    assert (asks(rate, "a"), asks(rate, "b")) == (0, 0)
    assert asks(rate, "a") and asks(rate, "b")


def test_clients_that_come_and_go_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 10)
    now = [0.0]
    rate = Rate(60, lambda: now[0])
    for number in range(100):
        asks(rate, str(number))
        now[0] += 1
    assert len(rate._left) <= 10
    stopped = Rate(60, lambda: 0.0)
    for number in range(100):
        asks(stopped, str(number))
    assert len(stopped._left) <= 10


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_client_over_its_share_gets_429_and_others_do_not(home, start):
    mine, other = (issue_token(home, "pharmacist", ["north"]) for _ in range(2))
    system = issue_token(home, "cmht_system", None)
    with start(home, rate_per_minute=2, system_rate_per_minute=5) as client:
        answers = [client.get("/v1/teams", headers=bearer(mine)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["type"].endswith("too-many-requests") and answers[-1].headers["retry-after"] == "30"
        assert client.get("/v1/teams", headers=bearer(other)).status_code == 200
        assert [client.get("/v1/teams", headers=bearer(system)).status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_client_that_guesses_tokens_is_rate_limited_and_valid_tokens_still_work(home, start):
    good = issue_token(home, "pharmacist", ["north"])
    with start(home, stranger_rate_per_minute=2) as client:
        guesses = [client.get("/v1/teams", headers=bearer(f"upstream_{n}")).status_code for n in range(3)]
        assert guesses == [401, 401, 429]
        assert client.get("/v1/teams", headers=bearer(good)).status_code == 200
        assert client.post("/sign-in", data={"choice": "auditor"}).status_code == 429


def test_behind_a_proxy_of_ours_each_address_has_its_own_share(home, start):
    def guess(client, forwarded):
        headers = bearer("upstream_x") | {"X-Forwarded-For": forwarded}
        return client.get("/v1/teams", headers=headers).status_code

    with start(home, stranger_rate_per_minute=1, behind_proxy=True, environment="production") as client:
        assert [guess(client, "198.51.100.7") for _ in range(2)] == [401, 429]
        # Only what our own proxy wrote counts: the last one.
        assert guess(client, "198.51.100.9, 198.51.100.7") == 429
        assert guess(client, "198.51.100.7, 198.51.100.8") == 401
    with start(home, stranger_rate_per_minute=1, environment="production") as client:
        assert [guess(client, "1.1.1.1"), guess(client, "2.2.2.2")] == [401, 429]


# A deadline for work that is running


def run(lane_of, *works):
    """What each piece of work came to, started together in one lane."""
    found = []

    async def one(lane, work):
        try:
            found.append(await lane.run(work))
        except Problem as problem:
            found.append((problem.status, problem.kind, problem.headers["Retry-After"]))

    async def everything():
        lane = lane_of()
        async with anyio.create_task_group() as group:
            for work in works:
                group.start_soon(one, lane, work)

    anyio.run(everything)
    return found


def test_work_past_its_deadline_is_503_and_keeps_its_turn_until_it_ends():
    ended = threading.Event()

    def slow():
        ended.wait(60)

    async def story():
        lane = Lane(1, 0.05, 0.1)
        with pytest.raises(Problem) as late:
            await lane.run(slow)
        with pytest.raises(Problem) as busy:  # the one thread is still taken
            await lane.run(lambda: "in")
        ended.set()
        while True:  # a moment passes until the turn is given back
            with suppress(Problem):
                return late.value, busy.value, await lane.run(lambda: "in")

    late, busy, after = anyio.run(story)
    assert (late.status, late.kind, late.headers) == (503, "too-slow", {"Retry-After": "10"})
    assert (busy.status, busy.kind) == (503, "busy")
    assert after == "in"


def test_work_in_time_is_answered_with_its_own_errors():
    def fails():
        raise KeyError("x")

    async def story():
        lane = Lane(2, 1, 5)
        assert await lane.run(lambda: 1) == 1
        with pytest.raises(KeyError):
            await lane.run(fails)
        for _ in range(10):
            await lane.run(lambda: 1)

    anyio.run(story)


def test_a_client_that_leaves_keeps_its_turn_until_the_work_ends():
    ended = threading.Event()

    async def story():
        lane = Lane(1, 0.05, 5)
        with anyio.move_on_after(0.05) as left:
            await lane.run(ended.wait, 60)
        assert left.cancelled_caught
        with pytest.raises(Problem) as busy:
            await lane.run(lambda: "in")
        ended.set()
        while True:
            with suppress(Problem):
                return busy.value.kind, await lane.run(lambda: "in")

    assert anyio.run(story) == ("busy", "in")


def test_an_error_of_the_work_keeps_nothing_in_memory():
    class Body:
        """Stands for a large body that the failing work held."""

    def fails(body):
        raise KeyError("x")

    async def story():
        body = Body()
        held = weakref.ref(body)
        with suppress(KeyError):
            await Lane(1, 1, 5).run(fails, body)
        del body
        await anyio.sleep(0.05)
        return held()

    gc.disable()
    try:
        assert anyio.run(story) is None
    finally:
        gc.enable()


def test_more_work_than_threads_waits_its_turn():
    assert run(lambda: Lane(1, 5, 5), *[lambda: time.sleep(0.01) or "done"] * 4) == ["done"] * 4


def test_a_thread_that_cannot_start_is_503_and_gives_its_turn_back(monkeypatch):
    """What Python says where a limit of memory leaves no room for the stack of a thread."""

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    async def ask() -> list[object]:
        lane, found = Lane(width=1, patience=5, deadline=5), []
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refuse)
            for _ in range(2):
                with pytest.raises(Problem) as refused:
                    await lane.run(int)
                found.append(refused.value.status)
        return [*found, await lane.run(lambda: "answered")]

    assert anyio.run(ask) == [503, 503, "answered"]


def test_a_request_past_the_deadline_is_503_over_http(home, start, monkeypatch):
    import serving.worklists.endpoints as module

    monkeypatch.setattr(module, "list_teams", lambda *_: time.sleep(0.6))
    token = issue_token(home, "cmht_system", None)
    with start(home, read_deadline_seconds=0.2) as client:
        answer = client.get("/v1/teams", headers=bearer(token))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["type"].endswith("too-slow")


def test_a_full_table_of_clients_drops_only_those_with_their_whole_share_left(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 2)
    rate = rate_limit.Rate(a_minute=2, now=lambda: clock[0])
    rate.spend("rested")
    clock[0] = 60.0
    rate.spend("busy")
    rate.spend("busy")
    rate.spend("new")  # no room: the rested client goes, the busy one stays
    with pytest.raises(Problem) as refused:
        rate.spend("busy")
    assert refused.value.status == 429
