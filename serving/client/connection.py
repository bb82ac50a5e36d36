"""What every operation of the client shares: the address, the token, errors, and reading answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import httpx2

AT_ONCE = 100
"""People in one request of a stream."""


class Unreachable(Exception):
    """The service did not answer, or answered something that is not this interface. Trying again may help."""


class CallRefused(Exception):
    """The service refused a call. It changed nothing.

    ``status`` is the HTTP status, ``kind`` the last part of the problem's type (``not-signed-in``), ``fields`` what is
    wrong where (``people.0.tables``), and ``request_id`` what the service's log calls this request. No value that was
    sent is in it.
    """

    def __init__(self, status: int, problem: dict[str, Any], retry_after: int | None = None) -> None:
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition(":")[2]
        self.detail = str(problem.get("detail", ""))
        self.fields = {str(found["where"]): str(found["what"]) for found in problem.get("errors", [])}
        self.request_id = str(problem.get("request_id", ""))
        self.retry_after = retry_after
        wrong = "".join(f"\n  {where}: {what}" for where, what in self.fields.items())
        super().__init__(f"{status} {self.kind}: {self.detail}{wrong}")


class Connection:
    """A connection to one service.

    ``token`` is a token of ``upstream token``, or a function that makes one for the full address of each call (CDS
    Hooks asks for a new one each time). Use it in a ``with`` block, or close it.
    """

    def __init__(
        self,
        address: str,
        token: str | Callable[[str], str],
        *,
        timeout_s: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._token = token
        self._http = httpx2.Client(base_url=address, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _json(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str | None] | None = None,
    ) -> Any:
        """The answer as JSON; None where there is none. Raises ``CallRefused`` and ``Unreachable``."""
        content = None if body is None else json.dumps(body).encode()
        answer = self._answer(method, path, query, content, {"Content-Type": "application/json", **(headers or {})})
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise Unreachable(f"{path} answered no JSON; is this the address of Upstream?") from None

    def _text(self, method: str, path: str, query: dict[str, Any] | None = None) -> str:
        return self._answer(method, path, query, None, {}).text

    def _lines(
        self, method: str, path: str, query: dict[str, Any] | None, bodies: Iterable[Any]
    ) -> Iterator[dict[str, Any]]:
        """Answers one by one, while later ones are still computed. ``bodies`` are sent one a line, ``AT_ONCE`` in a
        request: the service stops reading where nobody takes its answers, and a client that only sends would wait
        forever."""
        waiting = iter(bodies)
        while some := list(itertools.islice(waiting, AT_ONCE)):
            sent = b"".join(json.dumps(body).encode() + b"\n" for body in some)
            headers = self._headers(path, {"Content-Type": "application/x-ndjson"})
            try:
                with self._http.stream(method, path, params=_given(query), content=sent, headers=headers) as answer:
                    if answer.status_code >= 300:
                        answer.read()
                        raise _refusal(answer)
                    for line in answer.iter_lines():
                        if line.strip():
                            yield json.loads(line)
            except httpx2.HTTPError as error:
                raise Unreachable(f"{path} broke off: {type(error).__name__}") from None

    def _answer(
        self, method: str, path: str, query: dict[str, Any] | None, content: bytes | None, headers: dict[str, Any]
    ) -> httpx2.Response:
        try:
            answer = self._http.request(
                method, path, params=_given(query), content=content, headers=self._headers(path, headers)
            )
        except httpx2.HTTPError as error:
            raise Unreachable(f"{path} did not answer: {type(error).__name__}") from None
        if answer.status_code >= 300:
            raise _refusal(answer)
        return answer

    def _headers(self, path: str, headers: dict[str, Any]) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token(str(self._http.base_url.join(path)))
        return {"Authorization": f"Bearer {token}", **_given(headers)}


def _given(values: dict[str, Any] | None) -> dict[str, Any]:
    """Those that have a value: what is None is left out, and the service's own default holds."""
    return {name: value for name, value in (values or {}).items() if value is not None}


def _refusal(answer: httpx2.Response) -> Exception:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return Unreachable(
            f"an answer with status {answer.status_code} that is not Upstream's; a proxy may have made it"
        )
    after = answer.headers.get("retry-after", "")
    return CallRefused(answer.status_code, problem, int(after) if after.isdecimal() else None)
