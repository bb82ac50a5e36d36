"""Rate limits: a number of requests per minute for each client, and as many at once. A client above it gets 429 and
the time to wait.

Each client has a token bucket in the memory of this process. The package ``limits`` was tried: its memory store
starts a thread on every request. A client is a caller, so two programs with one token are one client, and two
pharmacists behind one address are two. Unauthenticated requests count against their address, and only they are
refused, so nobody can lock out a colleague by guessing.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from serving.http.problems import Problem

MOST_CLIENTS = 10_000


class Rate:
    """``a_minute`` requests for each client. ``now`` is a monotonic clock in seconds."""

    def __init__(self, a_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._each, self._now = float(a_minute), a_minute / 60, now
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def spend(self, client: str) -> None:
        """Takes one request from the client's bucket. Raises a 429 ``Problem`` with Retry-After if it is empty."""
        with self._lock:
            now = self._now()
            left, since = self._left.get(client, (self._most, now))
            left = min(self._most, left + (now - since) * self._each)
            if left < 1:
                raise too_many(math.ceil((1 - left) / self._each))
            if len(self._left) >= MOST_CLIENTS and client not in self._left:
                self._forget(now)
            self._left[client] = (left - 1, now)

    def _forget(self, now: float) -> None:
        """Drops clients whose bucket is full again, because they are as good as new. If there are none, drops all
        clients, so that memory stays bounded.
        """
        self._left = {
            client: (left, since)
            for client, (left, since) in self._left.items()
            if left + (now - since) * self._each < self._most
        }
        if len(self._left) >= MOST_CLIENTS:
            self._left.clear()


def too_many(retry_after: int) -> Problem:
    return Problem(
        429,
        "too-many-requests",
        "This client sent too many requests; try again after the seconds in Retry-After.",
        headers={"Retry-After": str(retry_after)},
    )
