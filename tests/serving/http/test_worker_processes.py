"""Work in processes of its own: answers in parts, a worker that ends is replaced, and all end with the service."""

from __future__ import annotations

import os
import select
import signal
import threading

import pytest

from serving.http.worker_processes import REPLACING, WorkerEnded, WorkerProcesses


def prepare(name):
    if name == "broken":
        raise ValueError("cannot be prepared")

    def handle(head, body):
        if head.get("do") == "die":
            os._exit(1)
        if head.get("do") == "raise":
            raise KeyError("not this")
        yield {"name": name, "pid": os.getpid()}, b""
        yield {"more": len(body)}, body.upper()

    return handle


@pytest.fixture
def processes():
    made = WorkerProcesses(2, prepare)
    yield made
    made.close()


def answer(processes, name, body=b"abc", **head):
    with processes.worker(name) as worker:
        worker.send(head, body)
        return worker.receive(), worker.receive()


def pid_of(processes, name):
    return answer(processes, name)[0][0]["pid"]


def ends(pid):
    """Whether a process ends within a minute."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 60)[0])
    finally:
        os.close(watched)


def replaced():
    for thread in threading.enumerate():
        if thread.name == REPLACING:
            thread.join()


def test_a_task_is_answered_in_parts_by_another_process(processes):
    assert processes.load("one")
    first, second = answer(processes, "one", b"x" * 1_000_000)
    assert first[0]["name"] == "one" and first[0]["pid"] != os.getpid()
    assert second == ({"more": 1_000_000}, b"X" * 1_000_000)


def test_as_many_tasks_at_once_as_there_are_workers_and_no_more(processes):
    processes.load("one")
    with processes.worker("one") as first, processes.worker("one") as second, processes.worker("one") as third:
        assert third is None
        pids = set()
        for worker in (first, second):
            worker.send({}, b"")
        for worker in (second, first):
            pids.add(worker.receive()[0]["pid"])
            worker.receive()
    assert len(pids) == 2


def test_what_is_not_loaded_has_no_worker(processes):
    with processes.worker("one") as worker:
        assert worker is None


def test_a_worker_that_ends_is_replaced(processes):
    processes.load("one")
    for _ in range(3):
        with pytest.raises(WorkerEnded):
            answer(processes, "one", do="die")
        replaced()
    with processes.worker("one") as first, processes.worker("one") as second:
        assert first is not None and second is not None
    assert answer(processes, "one")[1] == ({"more": 3}, b"ABC")


def test_a_worker_that_ended_while_it_had_nothing_to_do_is_found(processes):
    processes.load("one")
    pid = pid_of(processes, "one")
    os.kill(pid, signal.SIGKILL)
    assert ends(pid)
    pids = set()
    for _ in range(4):
        try:
            pids.add(pid_of(processes, "one"))
        except WorkerEnded:
            replaced()
    assert len(pids) == 2 and pid not in pids


def test_an_error_of_a_task_is_named_by_its_class_alone_and_the_worker_goes_on(processes):
    processes.load("one")
    with processes.worker("one") as worker:
        worker.send({"do": "raise"}, b"")
        assert worker.receive() == ({"failed": "KeyError"}, b"")
        worker.send({}, b"abc")
        assert worker.receive()[0]["name"] == "one"
        worker.receive()


def test_what_cannot_be_prepared_changes_nothing(processes):
    processes.load("one")
    assert not processes.load("broken")
    assert answer(processes, "one")[1] == ({"more": 3}, b"ABC")
    assert processes.load("two")


def test_the_newest_and_the_one_before_are_kept(processes):
    processes.load("one")
    first = pid_of(processes, "one")
    processes.load("two")
    assert pid_of(processes, "one") and pid_of(processes, "two")
    processes.load("three")
    with processes.worker("one") as worker:
        assert worker is None
    assert ends(first)
    assert pid_of(processes, "two") and pid_of(processes, "three")


def test_a_task_under_way_in_workers_that_are_closed_is_finished(processes):
    processes.load("one")
    with processes.worker("one") as worker:
        processes.load("two")
        processes.load("three")
        worker.send({}, b"abc")
        pid = worker.receive()[0]["pid"]
        assert worker.receive() == ({"more": 3}, b"ABC")
    assert ends(pid)


def test_all_end_when_the_service_closes_its_sockets():
    made = WorkerProcesses(2, prepare)
    made.load("one")
    with made.worker("one") as first, made.worker("one") as second:
        pids = []
        for worker in (first, second):
            worker.send({}, b"")
            pids.append(worker.receive()[0]["pid"])
            worker.receive()
    made.close()
    assert all(map(ends, pids))
    assert not made.load("two")
