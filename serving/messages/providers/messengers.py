"""``Messenger``, the protocol of text providers: none (the default), and GOV.UK Notify through its official client.
NHS Notify has its own module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from features.errors import UpstreamError
from serving.texting_settings import TextTemplate

SECONDS = 5
"""Time limit for the provider in seconds. A page waits for it."""


class NotSent(UpstreamError):
    """The provider did not accept a text. ``certain`` is False if it may have accepted it after all."""

    def __init__(self, why: str, *, certain: bool) -> None:
        self.certain = certain
        super().__init__(why)


class TextingMissing(UpstreamError):
    """A provider is configured but its client is not installed."""


class Messenger(Protocol):
    """A provider of texts. Nothing it raises holds a number or words."""

    by_nhs_number: bool
    """True if the provider finds the phone by the NHS number, and needs no mobile number."""

    def send(self, number: str, template: TextTemplate, reference: str) -> str:
        """Sends a fixed text and returns the provider's id of it. Raises ``NotSent``."""
        ...

    def text_of(self, template: TextTemplate) -> str | None:
        """The words that the provider holds for a template; None if it has no way to read them. Raises ``NotSent``."""
        ...

    def received(self) -> Iterator[dict[str, Any]]:
        """Replies of the last days as the provider sends them, newest first. Raises ``NotSent``."""
        ...


class NoMessenger:
    """Sends nothing: the default."""

    by_nhs_number = False

    def send(self, number: str, template: TextTemplate, reference: str) -> str:
        raise NotSent("no provider of texts is set", certain=True)

    def text_of(self, template: TextTemplate) -> str:
        raise NotSent("no provider of texts is set", certain=True)

    def received(self) -> Iterator[dict[str, Any]]:
        return iter(())


class GovUkNotify:
    """GOV.UK Notify through ``notifications-python-client``. One client a call: the client is not thread-safe."""

    by_nhs_number = False

    def __init__(self, api_key: str, base_url: str) -> None:
        try:
            from notifications_python_client.notifications import NotificationsAPIClient
        except ImportError:
            raise TextingMissing("GOV.UK Notify needs its client: pip install 'upstream[texting]'") from None
        made: Callable[..., Any] = NotificationsAPIClient
        self._made: Callable[[], Any] = lambda: made(api_key, base_url=base_url, timeout=SECONDS)

    def send(self, number: str, template: TextTemplate, reference: str) -> str:
        answer = self._asked("send_sms_notification", number, template.template_id, reference=reference)
        return str(answer["id"])

    def text_of(self, template: TextTemplate) -> str:
        return str(self._asked("get_template", template.template_id)["body"])

    def received(self) -> Iterator[dict[str, Any]]:
        older: str | None = None
        while batch := self._asked("get_received_texts", older_than=older).get("received_text_messages"):
            yield from batch
            older = str(batch[-1]["id"])

    def _asked(self, call: str, *words: str, **named: Any) -> dict[str, Any]:
        client: Any = self._made()
        from notifications_python_client.errors import HTTPError, InvalidResponse

        ask: Callable[..., dict[str, Any]] = getattr(client, call)
        try:
            answer = ask(*words, **named)
        except HTTPError as error:
            # The error's text may quote the number.
            refused = 400 <= error.status_code < 500 and error.status_code != 408
            raise NotSent(f"the provider answered {error.status_code}", certain=refused) from None
        except InvalidResponse:
            raise NotSent("the provider's answer cannot be read", certain=False) from None
        return answer
