"""Alerts a team of words of distress through its own channel: an e-mail, or a call with JSON. An alert holds no
person, no number and no words; a member sees them on the page.
"""

from __future__ import annotations

import datetime as dt
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

from features.errors import UpstreamError
from serving.safe_addresses import is_loopback, without_redirects
from serving.texting_settings import MailServer, TeamAlert, TextingSettings

SECONDS = 5
SUBJECT = "Upstream: a reply by text needs reading now"


class NotAlerted(UpstreamError):
    """A channel did not accept an alert. The message names no address."""


def alert(
    texting: TextingSettings,
    reply_id: str,
    team_id: str | None,
    page: str,
    at: dt.datetime,
    delivered: set[tuple[object, ...]],
) -> None:
    """Alerts every channel of a team to a reply, except channels in ``delivered``, and adds them to it.

    ``team_id`` is None for an unknown number; ``page`` is the address of pages. Every channel is tried.
    Raises ``NotAlerted`` if one failed.
    """
    failed = 0
    inbox = f"{page}/teams/{quote(team_id, safe='')}/texts" if team_id and page else ""
    for place, channel in enumerate(texting.alerts):
        if not channel.reaches(team_id) or (reply_id, place, team_id) in delivered:
            continue
        try:
            _tell(channel, texting.mail, team_id, inbox, at)
            delivered.add((reply_id, place, team_id))
        except (OSError, smtplib.SMTPException, ValueError):
            failed += 1
    if failed:
        raise NotAlerted(f"{failed} channels did not take the alert")


def _tell(channel: TeamAlert, mail: MailServer | None, team_id: str | None, page: str, at: dt.datetime) -> None:
    if channel.webhook_url:
        _call(channel, {"event": "text-distress", "team": team_id, "received_at": at.isoformat(), "page": page or None})
    if channel.email_to and mail is not None:
        _mail(mail, channel.email_to, team_id, page, at)


def _call(channel: TeamAlert, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    if channel.webhook_token is not None:
        headers["Authorization"] = f"Bearer {channel.webhook_token.get_secret_value()}"
    request = urllib.request.Request(channel.webhook_url or "", json.dumps(body).encode(), headers)
    try:
        without_redirects.open(request, timeout=SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _mail(server: MailServer, to: tuple[str, ...], team_id: str | None, page: str, at: dt.datetime) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = SUBJECT, server.sender, ", ".join(to)
    whose = f"A reply to team {team_id}" if team_id else "A reply from a number that nobody here has"
    where = f"Open it now: {page or 'the page Texts of the team, in Upstream'}."
    if not team_id:
        where = "No team can read it. Tell the Upstream administrator."
    message.set_content(
        f"{whose} may hold words of distress. It came at {at:%H:%M} UTC on {at:%d/%m/%Y}.\n{where}\n"
        "A computer marked it by a word list that is not verified: other replies may need help too.\n"
    )
    with smtplib.SMTP(server.host, server.port, timeout=SECONDS) as line:
        if not is_loopback(server.host):
            line.starttls(context=ssl.create_default_context())
        if server.user:
            line.login(server.user, server.password.get_secret_value())
        line.send_message(message)
