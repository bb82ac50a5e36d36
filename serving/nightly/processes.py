"""Runs work in forked processes, which share loaded data and use several cores despite Python's lock.

A worker dies with its parent and never holds the parent's lock, so no process continues to write after a run is
killed.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from features.errors import UpstreamError

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux. On other systems a worker ends at its next report."""


class WorkerDied(UpstreamError, RuntimeError):
    """A worker process ended without an answer, for example because memory ran out; what it had finished is kept."""


def in_processes(
    work: Callable[[int], None],
    pieces: Sequence[int],
    processes: int,
    done: Callable[[int], None],
    *,
    close: int | None = None,
) -> None:
    """Calls ``work(piece)`` for every piece, ``processes`` at a time, and ``done(piece)`` in this process after each.

    ``close`` is a file number that workers close at once. An exception of a worker is raised here and stops all work.
    With one process, or one piece, everything runs in this process.
    """
    if processes == 1 or len(pieces) < 2:
        for piece in pieces:
            work(piece)
            done(piece)
        return
    context = multiprocessing.get_context("fork")
    parent = os.getpid()
    # Keeps shared pages shared: the collector would write to each object it scans.
    gc.collect()
    gc.freeze()
    running: dict[Connection, multiprocessing.process.BaseProcess] = {}
    process: multiprocessing.process.BaseProcess
    try:
        for number in range(min(processes, len(pieces))):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (work, pieces[number::processes], theirs, parent, close)
            process = context.Process(target=_worker, args=arguments, daemon=True)
            with warnings.catch_warnings():
                # Python warns about any thread; those of pyarrow and numpy are idle here and safe to fork.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            running[ours] = process
        _follow(running, done)
    finally:
        for process in running.values():
            process.kill()
            process.join()
        gc.unfreeze()


def _follow(running: dict[Connection, multiprocessing.process.BaseProcess], done: Callable[[int], None]) -> None:
    """Passes on the workers' reports until each has finished."""
    while running:
        for pipe in wait(list(running)):
            assert isinstance(pipe, Connection)
            try:
                found = pipe.recv()
            except EOFError:
                raise WorkerDied(
                    "a worker of the nightly run ended without an answer (killed, or out of memory); nothing was "
                    "published, "
                    "what was finished is kept: run again"
                ) from None
            if isinstance(found, BaseException):
                raise found
            if found is None:
                running.pop(pipe).join()
            else:
                done(found)


def _worker(
    work: Callable[[int], None], pieces: Sequence[int], report: Connection, parent: int, close: int | None
) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if close is not None:
        os.close(close)
    # Thousands of small values are made and kept until a shard is written; scanning them repeatedly took a fifth of
    # the time.
    gc.disable()
    try:
        for piece in pieces:
            work(piece)
            gc.collect()
            report.send(piece)
        report.send(None)
    except Exception as error:  # noqa: BLE001 - raised again by the parent
        report.send(error)
