"""Handles replies in a thread of the service: at once when one comes in, and every 15 seconds, so that nothing is
left unfinished after a crash or an outage. At start it also fetches replies that the provider still holds.
"""

from __future__ import annotations

import threading

from features.errors import UpstreamError
from serving.identities.keys import IdentityKeys
from serving.messages.desk import TextingDesk, desk_from
from serving.messages.incoming.inbound import replay
from serving.messages.incoming.reaching_out import deal_with_waiting
from serving.observability.logs import logger
from serving.settings import ServiceSettings
from serving.storage.database import Database

EVERY_SECONDS = 15.0
log = logger()


class TextingWatch:
    """A thread of the service that lives as long as the service."""

    def __init__(self, desk: TextingDesk, every: float = EVERY_SECONDS) -> None:
        self._desk, self._every = desk, every
        self._woken, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream-texts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Wakes the thread to handle a new reply now."""
        self._woken.set()

    def stop(self) -> None:
        self._ended.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)

    def _run(self) -> None:
        self._once(replaying=True)
        while not self._ended.is_set():
            self._woken.wait(self._every)
            self._woken.clear()
            if not self._ended.is_set():
                self._once()

    def _once(self, *, replaying: bool = False) -> None:
        try:
            if replaying:
                replay(self._desk)
        except UpstreamError as error:
            log.warning("replies were not fetched", error=type(error).__name__, problem="text-replay")
        except Exception as error:  # noqa: BLE001 - the thread must live: replies come in until the service ends
            log.error("replies were not fetched", error=type(error).__name__, problem="text-replay")
        try:
            deal_with_waiting(self._desk)
        except Exception as error:  # noqa: BLE001 - as above
            log.error("replies were not dealt with", error=type(error).__name__, problem="text-watch")


def watch_of(settings: ServiceSettings, database: Database, keys: IdentityKeys | None) -> TextingWatch | None:
    """The thread that handles replies; None if no provider is set."""
    if not settings.texting.is_on or keys is None:
        return None
    return TextingWatch(desk_from(settings, database, keys))
