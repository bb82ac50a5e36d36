"""uvicorn's HTTP/1.1 protocol with limits on the size and duration of the head of a request, which lets go of a body
that nobody reads.

uvicorn's parser takes header lines, trailers and chunk extensions of any length and waits for ever for the first
request of a connection. One client without a token could take all memory or all connections. And what was received of
a body stays with a request that was refused, up to 320 kB, for as long as the circle of objects around its exception
is not collected: 1,000 refused requests left 70 MB.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.http.bodies import HEADERS

HEAD_BYTES = 2 * HEADERS
"""Largest size of the address, header lines and line ends of one request."""
HEAD_SECONDS = 20.0
"""How long a client may take to send the head of a request, from the connection or from its first byte."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection that sends ``HEAD_BYTES`` without reaching a body, or no whole head within
    ``HEAD_SECONDS``.
    """

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._beside_bodies = 0
        self._under_way: list[RequestResponseCycle] = []
        self._patience: TimerHandle | None = None
        self._wait_for_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)
        self._let_go()

    def data_received(self, data: bytes) -> None:
        self._beside_bodies += len(data)
        super().data_received(data)
        if self._beside_bodies > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_a_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._beside_bodies = 0
        super().on_headers_complete()
        self._under_way.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._beside_bodies = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_bodies = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._let_go()
        super().on_response_complete()

    def _let_go(self) -> None:
        """Drops what was received for requests that are answered, or whose client left: nobody can read it now."""
        for cycle in self._under_way:
            if cycle.response_complete or cycle.disconnected:
                cycle.body = bytearray()
        self._under_way = [one for one in self._under_way if not (one.response_complete or one.disconnected)]

    def _wait_for_a_head(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
