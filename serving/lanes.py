"""Threads for work that would hold up the event loop, with limits of our own instead of the framework's shared forty.

When a lane is full for longer than its patience, the caller gets 503 with Retry-After: waiting longer would only make everyone late.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from serving.problems import unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """At most ``width`` pieces of work at once; a piece waits at most ``patience`` seconds for its turn. Make it inside the event loop."""

    def __init__(self, width: int, patience: float) -> None:
        self._turns = CapacityLimiter(width)
        self._threads = CapacityLimiter(width)
        self._patience = patience

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``work(*args, **kwargs)`` in a thread. Raises a 503 ``Problem`` when no turn came in time."""
        turn = object()
        try:
            with anyio.fail_after(self._patience):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            raise unavailable("busy", "The service is busy; try again after the seconds in Retry-After.", 2) from None
        try:
            return await to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._threads)
        finally:
            self._turns.release_on_behalf_of(turn)
