"""How much one client may ask: so many requests a minute, with as many at once; whoever asks for more hears 429 and
how long to wait.

A bucket of tokens for each client, in the memory of this process. The package ``limits`` was tried: its memory store
starts a thread on every request. A client is a caller, so that a token shared by two programs is one client and two
pharmacists behind one address are two. Requests that prove nothing count against their address instead, and only they
are refused: nobody can lock a colleague out by guessing.
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
        """Take one request from the client's bucket. Raises a 429 ``Problem`` with Retry-After where it is empty."""
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
        """Drop clients whose bucket is full again: they are as good as new. Where none is, all: better that than to
        grow without end."""
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
        "This client asks more than its share; try again after the seconds in Retry-After.",
        headers={"Retry-After": str(retry_after)},
    )
