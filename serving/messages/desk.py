"""``Desk``: the parts of the running service that sending and receiving need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from serving.http.problems import Problem
from serving.identities.keys import IdentityKeys
from serving.messages.providers.choice import messenger_of
from serving.messages.providers.messengers import Messenger
from serving.settings import ServiceSettings
from serving.state import Service
from serving.storage.database import Database
from serving.texting_settings import TextingSettings, TextTemplate

FIRST_HOUR, LAST_HOUR = 9, 19
"""Texts are sent from 9:00 up to 19:00 in London."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class TextingDesk:
    """The provider, the fixed texts, the keys and the database of texts; ``now`` is a clock in UTC.

    ``any_hour`` is true only in the demo, because its texts stay on this machine. ``page`` is the outside address of
    pages. ``delivered`` holds the alerts that a channel accepted, so that they are not repeated when another channel
    fails.
    """

    database: Database
    texting: TextingSettings
    keys: IdentityKeys
    messenger: Messenger
    now: Callable[[], dt.datetime] = _now
    any_hour: bool = False
    page: str = ""
    delivered: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def may_send_now(self) -> bool:
        """True if texts may be sent now. In the demo always true, because its phones are not real."""
        return self.any_hour or may_send_at(self.now())

    def template(self, name: str) -> TextTemplate | None:
        return next((one for one in self.texting.templates if one.name == name), None)


def desk_of(service: Service) -> TextingDesk:
    """The desk of a running service. 409 where no provider is set."""
    if not service.settings.texting.is_on or service.identity_keys is None:
        raise Problem(409, "texting-off", "Texts are not set up here. Ask the Upstream administrator.")
    return desk_from(service.settings, service.database, service.identity_keys)


def desk_from(settings: ServiceSettings, database: Database, keys: IdentityKeys) -> TextingDesk:
    """The desk that the settings describe."""
    texting = settings.texting
    any_hour = settings.environment == "demo" and texting.is_imitated
    return TextingDesk(database, texting, keys, messenger_of(texting), any_hour=any_hour, page=settings.public_url)


def london(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(ZoneInfo("Europe/London"))


def may_send_at(moment: dt.datetime) -> bool:
    """True if texts may be sent at a moment: 9:00 up to 19:00 in London, in summer and in winter."""
    return FIRST_HOUR <= london(moment).hour < LAST_HOUR
