"""What sending and receiving need from the running service, as one value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from serving.http.problems import Problem
from serving.identities.keys import IdentityKeys
from serving.messages.messengers import Messenger, messenger_of
from serving.settings import TextingSettings, TextTemplate
from serving.state import Service
from serving.storage.database import Database

FIRST_HOUR, LAST_HOUR = 9, 19
"""Texts leave from 9:00 up to 19:00 in London."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class TextingDesk:
    """The provider, the fixed texts, the keys and the database of texts; ``now`` is a clock in UTC."""

    database: Database
    texting: TextingSettings
    keys: IdentityKeys
    messenger: Messenger
    now: Callable[[], dt.datetime] = _now

    def template(self, name: str) -> TextTemplate | None:
        return next((one for one in self.texting.templates if one.name == name), None)


def desk_of(service: Service) -> TextingDesk:
    """The desk of a running service. 409 where no provider is set."""
    if not service.settings.texting.is_on or service.identity_keys is None:
        raise Problem(409, "texting-off", "Texts are not set up here. Ask the Upstream administrator.")
    texting = service.settings.texting
    return TextingDesk(service.database, texting, service.identity_keys, messenger_of(texting))


def london(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(ZoneInfo("Europe/London"))


def may_send_at(moment: dt.datetime) -> bool:
    """Whether texts may leave at a moment: 9:00 up to 19:00 in London, in summer and in winter."""
    return FIRST_HOUR <= london(moment).hour < LAST_HOUR
