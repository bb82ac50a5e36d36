"""Processes that do work which would hold the interpreter's lock, with what they need in memory that they share.

A host process is forked before the service has a thread. It prepares what the work needs (a model) and forks workers
from itself, so that all of them read one copy. The service keeps all state: a worker sees the bytes of one task and
gives bytes back, over a socket that nobody else has. When the service ends, however it ends, its sockets close, and
host and workers end with them. Linux and macOS.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

from serving.observability.logs import logger

Head = dict[str, Any]
Handle = Callable[[Head, bytes], Iterator[tuple[Head, bytes]]]
"""Answers one task in one or more parts, each a small head and some bytes."""
Prepare = Callable[[str], Handle]
"""Makes the handle for one name, in the host."""
PREPARE_SECONDS = 300.0
"""How long the host may take to prepare: kernels are compiled on the first start."""
KEPT = 2
"""For how many names workers are kept: the newest, and the one before it for tasks that have begun."""
REPLACING = "worker-replaced"
"""Name of the thread that puts another worker in the place of one that ended."""
_LENGTHS = struct.Struct("!II")
log = logger()


class WorkerEnded(ConnectionError):
    """The process at the other end has ended."""


class Channel:
    """One end of a socket between two processes."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def send(self, head: Head, body: bytes = b"") -> None:
        """Raises ``WorkerEnded``."""
        words = json.dumps(head).encode()
        try:
            self.end.sendall(_LENGTHS.pack(len(words), len(body)) + words)
            self.end.sendall(body)
        except OSError:
            raise WorkerEnded from None

    def receive(self) -> tuple[Head, bytes]:
        """The next message. Raises ``WorkerEnded``."""
        words, body = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        found: Head = json.loads(self._exactly(words))
        return found, self._exactly(body)

    def _exactly(self, size: int) -> bytes:
        found = bytearray(size)
        view, at = memoryview(found), 0
        while at < size:
            try:
                got = self.end.recv_into(view[at:])
            except OSError:
                got = 0
            if not got:
                raise WorkerEnded
            at += got
        return bytes(found)

    def close(self) -> None:
        self.end.close()


@dataclass
class _Workers:
    """The workers of one name that have nothing to do; ``closed`` once they are not wanted any more. They take turns,
    so that one that ended while it had nothing to do is found soon."""

    idle: SimpleQueue[Channel] = field(default_factory=SimpleQueue)
    closed: bool = False

    def give_back(self, worker: Channel) -> None:
        self.idle.put(worker)
        if self.closed:
            self.close()

    def close(self) -> None:
        self.closed = True
        with suppress(Empty):
            while True:
                self.idle.get_nowait().close()


class WorkerProcesses:
    """``width`` workers for each name that is loaded. Make it before the process has threads."""

    def __init__(self, width: int, prepare: Prepare) -> None:
        self.width = width
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            _host(Channel(theirs), prepare)
        theirs.close()
        self._host, self._asking = Channel(ours), threading.Lock()
        self._host.end.settimeout(PREPARE_SECONDS)
        self._workers: dict[str, _Workers] = {}

    def load(self, name: str) -> bool:
        """Has the host prepare ``name`` and forks workers for it. False where that failed: then nothing changes."""
        workers = self._forked(name, self.width)
        if not workers:
            log.error("worker processes were not started", bundle=name)
            return False
        self._workers[name] = _Workers()
        for worker in workers:
            self._workers[name].give_back(worker)
        for old in list(self._workers)[:-KEPT]:
            self._workers.pop(old).close()
        return True

    @contextmanager
    def worker(self, name: str) -> Iterator[Channel | None]:
        """A worker for one task; None where none is free or the name is not loaded. A block that raises ends the
        worker, and another takes its place."""
        workers = self._workers.get(name)
        try:
            found = workers.idle.get_nowait() if workers is not None else None
        except Empty:
            found = None
        if workers is None or found is None:
            yield None
            return
        try:
            yield found
        except BaseException:
            found.close()
            threading.Thread(target=self._replace, args=(name, workers), name=REPLACING, daemon=True).start()
            raise
        workers.give_back(found)

    def close(self) -> None:
        for workers in self._workers.values():
            workers.close()
        self._host.close()
        # It ends once it is not preparing; nobody need wait for that, but somebody must take note of it.
        threading.Thread(target=os.waitpid, args=(self._pid, 0), daemon=True).start()

    def _replace(self, name: str, workers: _Workers) -> None:
        for worker in self._forked(name, 1):
            workers.give_back(worker)

    def _forked(self, name: str, count: int) -> list[Channel]:
        """New workers; none where the host could not prepare, or has ended."""
        with self._asking:
            try:
                self._host.send({"name": name, "count": count})
                head, _ = self._host.receive()
                if not head["count"]:
                    return []
                _, ends, _, _ = socket.recv_fds(self._host.end, 1, head["count"])
            except OSError:
                return []
        return [Channel(socket.socket(fileno=end)) for end in ends]


def _host(service: Channel, prepare: Prepare) -> NoReturn:
    """Runs until the service closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the service ends in order, and this with it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a worker that ended
    known, handle = "", None
    with suppress(WorkerEnded):
        while True:
            asked, _ = service.receive()
            if asked["name"] != known:
                known, handle = "", None
                try:
                    known, handle = asked["name"], prepare(asked["name"])
                except Exception as error:  # noqa: BLE001 - the service continues without workers
                    log.error("a worker process could not prepare", error=type(error).__name__)
                # What is here is shared with every worker; a collection that touched it would copy it.
                gc.collect()
                gc.freeze()
            if handle is None:
                known = ""
                service.send({"count": 0})
                continue
            ends = [_worker(handle, service) for _ in range(asked["count"])]
            service.send({"count": len(ends)})
            socket.send_fds(service.end, [b"."], [end.fileno() for end in ends])
            for end in ends:
                end.close()
    os._exit(0)


_OPEN: list[socket.socket] = []
"""Ends of workers forked just now: a later one inherits them and must let go of them."""


def _worker(handle: Handle, service: Channel) -> socket.socket:
    """The service's end of a new worker's socket."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        service.close()
        ours.close()
        for other in _OPEN:
            other.close()
        _work(Channel(theirs), handle)
    theirs.close()
    _OPEN[:] = [one for one in _OPEN if one.fileno() >= 0]
    _OPEN.append(ours)
    return ours


def _work(service: Channel, handle: Handle) -> NoReturn:
    """Answers tasks until the service closes its end."""
    with suppress(WorkerEnded):
        while True:
            head, body = service.receive()
            try:
                for answer in handle(head, body):
                    service.send(*answer)
            except Exception as error:  # noqa: BLE001 - the service does the task itself, and logs what is wrong
                service.send({"failed": type(error).__name__})
    os._exit(0)
