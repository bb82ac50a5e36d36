"""What the service is told from outside: environment variables that start with ``UPSTREAM_``.

=========================  ==============================================================================================
UPSTREAM_HOME              folder that holds everything a run made (store, bundles, service database)
UPSTREAM_DATABASE_URL      SQLAlchemy URL; without it, SQLite at ``<home>/service.db``
UPSTREAM_ENVIRONMENT       ``demo`` (sign-in page, loopback only) or ``production`` (no sign-in page yet: bearer tokens)
UPSTREAM_HOST              address to listen on
UPSTREAM_PORT              port to listen on
UPSTREAM_ALLOWED_HOSTS     JSON list of host names that requests may ask for; loopback names are always allowed
UPSTREAM_POLL_SECONDS      how often the bundle pointer is looked at
UPSTREAM_MAX_BODY_BYTES    largest request body accepted
=========================  ==============================================================================================
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


class Settings(BaseSettings):
    """Typed settings; unknown ``UPSTREAM_`` variables are ignored, wrong values stop the start with the field's name."""

    model_config = SettingsConfigDict(env_prefix="UPSTREAM_", frozen=True)

    home: Path = Path(".upstream")
    database_url: str = ""
    environment: Literal["demo", "production"] = "production"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    allowed_hosts: tuple[str, ...] = ()
    poll_seconds: float = Field(default=3.0, gt=0)
    max_body_bytes: int = Field(default=32_000_000, gt=0)

    @model_validator(mode="after")
    def demo_stays_on_this_machine(self) -> Settings:
        """The demo sign-in asks for no password, so a demo that others can reach is refused outright."""
        if self.environment == "demo" and not is_loopback(self.host):
            raise ValueError(
                "the demo environment listens on a loopback address only; "
                "use --host 127.0.0.1, or set UPSTREAM_ENVIRONMENT=production, which has no demo sign-in"
            )
        return self

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or database_url_of(self.home)

    @property
    def bundles(self) -> Path:
        return self.home / "bundles"


def database_url_of(home: Path) -> str:
    """The database of a home folder: UPSTREAM_DATABASE_URL where it is set, else SQLite inside the folder."""
    return os.environ.get("UPSTREAM_DATABASE_URL") or f"sqlite:///{(Path(home) / 'service.db').resolve()}"


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and the name localhost. A name that cannot be read as an address is not loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
