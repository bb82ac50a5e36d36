"""The form that invites people by text, on a team's worklist and on its page of texts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from serving.messages.desk import FIRST_HOUR, LAST_HOUR, desk_from
from serving.messages.sending import MOST_AT_ONCE
from serving.state import Service
from serving.texting_settings import TextTemplate


@dataclass(frozen=True)
class InviteForm:
    """The fixed texts that may be sent, and whether now is an hour in which they leave. ``key`` is one press."""

    templates: tuple[TextTemplate, ...]
    open_now: bool
    any_hour: bool
    key: str
    most: int = MOST_AT_ONCE
    hours: tuple[int, int] = (FIRST_HOUR, LAST_HOUR)


def invite_form(service: Service) -> InviteForm | None:
    """The form of a running service; None where texts are not set up."""
    if not service.settings.texting.is_on or service.identity_keys is None:
        return None
    desk = desk_from(service.settings, service.database, service.identity_keys)
    return InviteForm(desk.texting.templates, desk.may_send_now, desk.any_hour, secrets.token_hex(16))
