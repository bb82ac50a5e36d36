"""A real server over an application, in a thread of the test's own process, on a free port of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp


def running(app: ASGIApp, **settings: Any) -> AbstractContextManager[str]:
    """The address of ``app`` while the block lasts; requests in flight are let finish. ``settings`` are uvicorn's."""
    return running_as(lambda address: app, **settings)


@contextmanager
def running_as(make: Callable[[str], ASGIApp], **settings: Any) -> Iterator[str]:
    """The same for an application that must know its own address to be made."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(make(address), log_level="error", access_log=False, **settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        assert server.started, "the service did not start"
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(timeout=30)
