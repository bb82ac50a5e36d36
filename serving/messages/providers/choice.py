"""The provider of texts that the settings name."""

from __future__ import annotations

from functools import lru_cache

from serving.messages.providers.messengers import GovUkNotify, Messenger, NoMessenger
from serving.messages.providers.nhs_notify import NhsNotify
from serving.texting_settings import TextingSettings


@lru_cache(maxsize=8)
def messenger_of(texting: TextingSettings) -> Messenger:
    """The messenger that the settings name; nobody by default. One serves all threads. Raises
    ``TextingMissing`` or ``KeyNotRead``."""
    if texting.provider == "govuk_notify" and texting.api_key is not None:
        return GovUkNotify(texting.api_key.get_secret_value(), texting.address)
    if texting.provider == "nhs_notify" and texting.nhs_notify is not None:
        return NhsNotify(texting.nhs_notify, texting.address)
    return NoMessenger()
