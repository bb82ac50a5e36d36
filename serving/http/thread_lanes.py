"""Threads for work that would block the event loop, with our own limits instead of the framework's shared forty
threads.

If a lane is full for longer than its patience, or work misses its deadline, the caller gets 503 with Retry-After,
because longer queues would make everyone late. A thread cannot be stopped, so work past its deadline keeps its turn
until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import ParamSpec, TypeVar, cast

import anyio
from anyio import CapacityLimiter

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
        # Our own threads: the framework's way to one passes the event loop four times, which took longer than the
        # lookup of a token.
        self._threads = ThreadPoolExecutor(width, thread_name_prefix="lane")
        self._patience, self._deadline = patience, deadline

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``work(*args, **kwargs)`` in a thread. Raises a 503 ``Problem`` when no turn came in time, or no answer."""
        turn, loop = object(), asyncio.get_running_loop()
        await _turn(self._turns, turn, self._patience)
        ended, refused = loop.create_future(), False
        came: list[tuple[T, None] | tuple[None, BaseException]] = []
        """What the work came to. Not the result of ``ended``, which would keep an exception and all that it holds."""

        def wake() -> None:
            if not ended.done():
                ended.set_result(None)

        def end() -> None:
            self._turns.release_on_behalf_of(turn)
            wake()

        def worked() -> None:
            if refused:
                return
            if not ended.done():  # else the client left before the work began
                try:
                    came.append((work(*args, **kwargs), None))
                except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
                    came.append((None, error))
            with suppress(RuntimeError):  # during shutdown there may be no loop left
                loop.call_soon_threadsafe(end)

        try:
            self._threads.submit(worked)
        except RuntimeError:
            # The system gives no further thread, or no memory for its stack. The pool still holds the work.
            refused = True
            self._turns.release_on_behalf_of(turn)
            raise unavailable("busy", BUSY, 2) from None
        late = loop.call_later(self._deadline, wake)
        try:
            await ended
        finally:
            late.cancel()
        if not came:
            raise unavailable("too-slow", "This took too long; try again with less data, or later.", 10)
        found, error = came.pop()
        if error is None:
            return cast(T, found)
        try:
            raise error
        finally:
            del error  # it refers to this frame
