"""Threads for work that would block the event loop, with our own limits instead of the framework's shared forty
threads.

If a lane is full for longer than its patience, or work misses its deadline, the caller gets 503 with Retry-After,
because longer queues would make everyone late. A thread cannot be stopped, so work past its deadline keeps its turn
until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from serving.http.problems import unavailable

BUSY = "The service is busy; try again after the seconds in Retry-After."
P = ParamSpec("P")
T = TypeVar("T")


class Turns:
    """At most ``width`` concurrent uses of something that takes much memory; each waits at most ``patience`` seconds.
    Create it inside the event loop."""

    def __init__(self, width: int, patience: float) -> None:
        self._turns, self._patience = CapacityLimiter(width), patience

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Holds a turn. Raises a 503 ``Problem`` if none came in time."""
        turn = object()
        await _turn(self._turns, turn, self._patience)
        try:
            yield
        finally:
            self._turns.release_on_behalf_of(turn)


async def _turn(turns: CapacityLimiter, turn: object, patience: float) -> None:
    with suppress(anyio.WouldBlock):  # mostly a turn is free, and waiting costs a round of the event loop
        turns.acquire_on_behalf_of_nowait(turn)
        return
    try:
        with anyio.fail_after(patience):
            await turns.acquire_on_behalf_of(turn)
    except TimeoutError:
        raise unavailable("busy", BUSY, 2) from None


class Lane:
    """At most ``width`` pieces of work at once. Each waits at most ``patience`` seconds for its turn and then has
    ``deadline`` seconds.

    Create it inside the event loop.
    """

    def __init__(self, width: int, patience: float, deadline: float) -> None:
        self._turns = CapacityLimiter(width)
        self._threads = CapacityLimiter(width)
        self._patience, self._deadline = patience, deadline

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``work(*args, **kwargs)`` in a thread. Raises a 503 ``Problem`` when no turn came in time, or no answer."""
        turn = object()
        await _turn(self._turns, turn, self._patience)
        begun, loop = False, asyncio.get_running_loop()

        def worked() -> T:
            nonlocal begun
            begun = True
            try:
                return work(*args, **kwargs)
            finally:
                # Fire and forget: waiting for the loop would delay the answer. During shutdown there may be no loop
                # left.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._turns.release_on_behalf_of, turn)

        try:
            with anyio.move_on_after(self._deadline) as in_time:
                return await to_thread.run_sync(worked, limiter=self._threads, abandon_on_cancel=True)
        except RuntimeError:
            if begun:
                raise
            # The system gives no further thread, or no memory for its stack.
            raise unavailable("busy", BUSY, 2) from None
        finally:
            if not begun:
                self._turns.release_on_behalf_of(turn)
        assert in_time.cancelled_caught
        raise unavailable("too-slow", "This took too long; try again with less data, or later.", 10)
