"""NHS Notify: messages by NHS number, to the NHS App first and then by text. It works one way: people cannot reply.

A message is taken by ``POST /v1/messages``. Callbacks are signed (``x-hmac-sha256-signature``), may come twice, late
and in any order, and are sent again for two hours.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import UpstreamError
from serving.messages.providers.messengers import SECONDS, NotSent
from serving.safe_addresses import without_redirects
from serving.texting_settings import NhsNotifyAccount, TextTemplate

MEDIA_TYPE = "application/vnd.api+json"
GRANT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
STATUSES = {"delivered": "delivered", "failed": "permanent-failure"}
"""NHS Notify's final statuses as receipt statuses. Any other status means that NHS Notify has the message."""
_ASKED_AGAIN_BEFORE = 60.0
"""Seconds before its end at which an access token is fetched again."""


class KeyNotRead(UpstreamError):
    """The private key for NHS Notify cannot be read; the message says what to do."""


@dataclass(frozen=True)
class _AccessToken:
    value: str
    until: float


class NhsNotify:
    """NHS Notify by its API, version 1. One access token serves all threads until it ends."""

    by_nhs_number = True

    def __init__(self, account: NhsNotifyAccount, base_url: str) -> None:
        self._account, self._base = account, base_url.rstrip("/")
        self._lock = threading.Lock()
        self._token: _AccessToken | None = None
        try:
            self._key = RSAKey.import_key(account.private_key_file.read_bytes())
        except (OSError, ValueError, JoseError):
            raise KeyNotRead(
                "the private key for NHS Notify cannot be read as an RSA key in PEM: check private_key_file"
            ) from None

    def send(self, number: str, template: TextTemplate, reference: str) -> str:
        """Sends to an NHS number. NHS Notify does not send a known reference again."""
        recipient = {"nhsNumber": number}
        attributes = {"routingPlanId": template.template_id, "messageReference": reference, "recipient": recipient}
        body = json.dumps({"data": {"type": "Message", "attributes": attributes}}).encode()
        headers = {"Authorization": f"Bearer {self._access_token()}", "Content-Type": MEDIA_TYPE}
        answer = _asked(f"{self._base}/v1/messages", body, {**headers, "X-Correlation-Id": str(uuid.uuid4())})
        try:
            return str(answer["data"]["id"])
        except (KeyError, TypeError):
            raise NotSent("the provider's answer cannot be read", certain=False) from None

    def text_of(self, template: TextTemplate) -> None:
        """NHS Notify keeps the words in a routing plan and has no way to read them."""
        return

    def received(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def _access_token(self) -> str:
        with self._lock:
            if self._token is None or self._token.until < time.monotonic() + _ASKED_AGAIN_BEFORE:
                self._token = self._fetched()
            return self._token.value

    def _fetched(self) -> _AccessToken:
        account, now = self._account, int(time.time())
        issuer = account.api_key.get_secret_value()
        claims = {"iss": issuer, "sub": issuer, "aud": account.token_url, "jti": str(uuid.uuid4()), "exp": now + 240}
        signed = jwt.encode({"alg": "RS512", "kid": account.key_id}, claims, self._key, algorithms=["RS512"])
        form = {"grant_type": "client_credentials", "client_assertion_type": GRANT, "client_assertion": signed}
        try:
            answer = _asked(account.token_url, urllib.parse.urlencode(form).encode(), {})
            return _AccessToken(str(answer["access_token"]), time.monotonic() + float(answer.get("expires_in", 0)))
        except NotSent as error:
            raise NotSent(f"no access token: {error}", certain=True) from None
        except (KeyError, TypeError, ValueError):
            raise NotSent("the access token cannot be read", certain=True) from None


class _Attributes(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    message_id: str = Field(alias="messageId", min_length=1, max_length=100)
    status: str = Field(alias="messageStatus", min_length=1, max_length=32)
    at: dt.datetime | None = Field(default=None, alias="timestamp")


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: Literal["MessageStatus"]
    attributes: _Attributes


class _Other(BaseModel):
    """A callback that Upstream does not use, such as the status of one channel."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(max_length=64)


class _Callback(BaseModel):
    model_config = ConfigDict(extra="ignore")

    data: list[_Item | _Other] = Field(min_length=1, max_length=1_000)


@dataclass(frozen=True)
class MessageStatus:
    """The outcome of a text as a receipt status."""

    message_id: str
    status: str
    at: str | None


def is_signed(account: NhsNotifyAccount, body: bytes, signature: str) -> bool:
    """Whether NHS Notify wrote a callback: HMAC-SHA256 of its body by the agreed secret, in hexadecimal digits."""
    expected = hmac.new(account.signs_with, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())


def statuses_in(body: bytes) -> list[MessageStatus]:
    """The statuses of whole messages in a callback. Raises ``ValueError``, which repeats nothing of it."""
    try:
        found = _Callback.model_validate_json(body)
    except ValidationError:
        raise ValueError("the callback does not match the specification of NHS Notify") from None
    items = [item.attributes for item in found.data if isinstance(item, _Item)]
    return [
        MessageStatus(one.message_id, STATUSES.get(one.status, "created"), one.at.isoformat() if one.at else None)
        for one in items
    ]


def _asked(url: str, body: bytes, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, body, {"Accept": MEDIA_TYPE if headers else "application/json", **headers})
    try:
        with without_redirects.open(request, timeout=SECONDS) as answer:
            return json.loads(answer.read(1_000_000))
    except urllib.error.HTTPError as error:
        error.close()
        # 422 says that the reference is known: it was taken before. 408, 425 and 5xx say nothing.
        refused = 400 <= error.code < 500 and error.code not in (408, 422, 425)
        raise NotSent(f"the provider answered {error.code}", certain=refused) from None
    except (OSError, ValueError):
        raise NotSent("the provider does not answer", certain=False) from None
