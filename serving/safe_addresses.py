"""Addresses that secrets and people's data may travel to: https, or http on this machine."""

from __future__ import annotations

import urllib.request
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: where a secret goes is written in the settings."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


without_redirects = urllib.request.build_opener(NoRedirect)


def over_a_safe_line(url: str) -> str:
    """The address, if it is https or on this machine. Raises ``ValueError``."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("must be an https address, or http on this machine")
    return url


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and the name localhost. A name that cannot be read as an address is not loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
