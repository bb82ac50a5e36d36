"""Settings of the service: environment variables that start with ``UPSTREAM_``.

=========================  ============================================================================================
UPSTREAM_HOME              folder for everything that a run makes (store, bundles, service database)
UPSTREAM_DATABASE_URL      SQLAlchemy URL; without it, SQLite at ``<home>/service.db``
UPSTREAM_ENVIRONMENT       ``demo`` (choose a role, no password, loopback only) or ``production`` (sign-in)
UPSTREAM_HOST              address to listen on
UPSTREAM_PORT              port to listen on
UPSTREAM_ALLOWED_HOSTS     JSON list of host names that requests may ask for; loopback names are always allowed
UPSTREAM_POLL_SECONDS      how often the bundle pointer is checked
UPSTREAM_MAX_BODY_BYTES    largest request body accepted
UPSTREAM_PUBLIC_URL        how browsers reach the pages (``https://upstream.example.nhs.uk``); sign-in needs it
UPSTREAM_BEHIND_PROXY      ``true`` where our reverse proxy writes X-Forwarded-For: its last address is the client's
UPSTREAM_RATE_PER_MINUTE   requests a minute of one person's session or token; more is 429
UPSTREAM_SYSTEM_RATE_PER_MINUTE    the same for a CMHT system
UPSTREAM_STRANGER_RATE_PER_MINUTE  sign-ins and requests that prove nothing, of one address
UPSTREAM_EMERGENCIES_PER_HOUR      people of other teams that one person may open in an hour
UPSTREAM_SESSION_IDLE_MINUTES      how long an unused session of the pages lives; eight hours at most
UPSTREAM_READ_DEADLINE_SECONDS     how long a page or a read may take before it is 503
UPSTREAM_SCORE_DEADLINE_SECONDS    the same for scoring
UPSTREAM_SCORING_PROCESSES processes that score requests beside the service, with one model in memory that they share
UPSTREAM_NHS_KEY_FILE      file of one line ``<key id>:<hex>``: POST /v1/scores then takes NHS numbers as pseudonyms
UPSTREAM_IDENTITY_KEY_FILE keys that open names and NHS numbers (``upstream identities``); pages then show them
UPSTREAM_RECORD_LINK       address of a person in the trust's record system, with {nhs_number} or {patient_id} in it
UPSTREAM_SUPPORT_CONTACT   whom people ask for help, as the pages say it: a name, an e-mail address, a telephone number
UPSTREAM_OTLP_ENDPOINT     where OpenTelemetry spans go (extra ``otel``); none are made without it
UPSTREAM_DMD_FOLDER        dm+d release or code lists by which order-select knows products; without it by VTM and BNF
UPSTREAM_CDS               JSON list of systems that may ask for decision support (fields: ``CdsClient``)
UPSTREAM_SMART             JSON list of records systems that Upstream is opened from (fields: ``SmartRecord``)
UPSTREAM_TEXTING           JSON of the texting provider (fields: ``TextingSettings``); without it nothing is sent
UPSTREAM_OIDC              JSON list of trusted identity providers (fields: ``OidcIssuer``; pages: its ``sign_in``)
=========================  ============================================================================================
"""

from __future__ import annotations

import os
from pathlib import Path
from string import Formatter
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from features.errors import UpstreamError
from serving.identity.callers import Role
from serving.safe_addresses import is_loopback, over_a_safe_line
from serving.texting_settings import TextingSettings

IDENTITY_KEY = "identity.key"
"""The key file that a demo makes in its home."""
RECORD_LINK_FIELDS = frozenset(("nhs_number", "patient_id"))
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


class OidcSignIn(BaseModel):
    """How people sign in to the pages at a provider: the authorisation-code flow with PKCE. Addresses are pinned, not
    discovered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, max_length=80, description="what the button says, as in NHS CIS2")
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretStr | None = None
    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ("openid", "profile")

    @field_validator("authorize_url", "token_url")
    @classmethod
    def the_way_there_is_safe(cls, url: str) -> str:
        return over_a_safe_line(url)


class OidcIssuer(BaseModel):
    """A trusted identity provider, with everything about its tokens that is pinned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, max_length=300)
    audience: str = Field(min_length=1)
    jwks_url: str
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512"], ...] = Field(
        default=("RS256",), min_length=1
    )
    role_claim: str = "role"
    roles: dict[str, Role] = Field(description="our role for each value of the role claim; other values give no role")
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    longest_hours: int = Field(
        default=24, ge=1, le=168, description="a token that lives longer than this from now is refused"
    )
    sign_in: OidcSignIn | None = Field(default=None, description="people sign in to the pages here too")

    @field_validator("jwks_url")
    @classmethod
    def keys_come_over_a_safe_line(cls, url: str) -> str:
        return over_a_safe_line(url)


class CdsClient(BaseModel):
    """One system that may ask for decision support (CDS Hooks), and everything about its tokens that is pinned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, max_length=300, description="the iss of its tokens")
    jwks_url: str | None = Field(default=None, description="where its public keys are; a token's jku must equal it")
    jwks_file: Path | None = Field(default=None, description="its public keys as a file, where it publishes none")
    algorithms: tuple[Literal["ES384", "RS384", "ES256", "PS384", "ES512"], ...] = Field(
        default=("ES384", "RS384"), min_length=1
    )
    teams: tuple[str, ...] | Literal["all"] = Field(description="whose people it may ask about")
    patients: Literal["id", "nhs_number"] = Field(
        default="id", description="how it names people: by our local id, or by an NHS number in the Patient it sends"
    )
    tenants: tuple[str, ...] = Field(default=(), description="allowed values of the claim tenant; none: it is not read")
    origins: tuple[str, ...] = Field(default=(), description="origins of browser-based clients, for CORS")
    leeway_seconds: int = Field(default=30, ge=0, le=60)

    @model_validator(mode="after")
    def keys_come_from_one_place(self) -> CdsClient:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("name exactly one of jwks_url and jwks_file")
        if self.jwks_url is not None:
            over_a_safe_line(self.jwks_url)
        if not self.teams:
            raise ValueError('teams must name at least one team, or be "all"')
        return self

    @field_validator("origins")
    @classmethod
    def origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(over_a_safe_line(origin))
            if origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError("an origin is a scheme and a host alone, as https://epr.example.nhs.uk")
        return origins


class SmartRecord(BaseModel):
    """One records system that people open Upstream from (SMART App Launch), and who vouches for them there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iss: str = Field(min_length=1, max_length=250, description="its FHIR address, exactly as it sends it")
    label: str = Field(min_length=1, max_length=80)
    issuer: str = Field(description="the provider of UPSTREAM_OIDC that signs its ID tokens")
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretStr | None = None
    patients: Literal["id", "nhs_number"] = Field(
        default="id", description="how a launch names people: by our local id, or by the NHS number of its Patient"
    )

    @field_validator("iss")
    @classmethod
    def asked_over_a_safe_line(cls, url: str) -> str:
        return over_a_safe_line(url).rstrip("/")


class ServiceSettings(BaseSettings):
    """Typed settings; unknown ``UPSTREAM_`` variables are ignored, wrong values stop the start and are named."""

    model_config = SettingsConfigDict(env_prefix="UPSTREAM_", frozen=True)

    home: Path = Path(".upstream")
    database_url: str = ""
    environment: Literal["demo", "production"] = "production"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    allowed_hosts: tuple[str, ...] = ()
    poll_seconds: float = Field(default=3.0, gt=0)
    max_body_bytes: int = Field(default=32_000_000, gt=0)
    behind_proxy: bool = False
    rate_per_minute: int = Field(default=600, ge=1)
    system_rate_per_minute: int = Field(default=3_000, ge=1)
    stranger_rate_per_minute: int = Field(default=300, ge=1)
    emergencies_per_hour: int = Field(default=10, ge=1)
    session_idle_minutes: float = Field(default=30.0, gt=0)
    read_deadline_seconds: float = Field(default=20.0, gt=0)
    score_deadline_seconds: float = Field(default=50.0, gt=0)
    scoring_processes: int = Field(default=0, ge=0, le=64)
    security_log: Path | None = Field(default=None, description="file for security events; the log, if not given")
    nhs_key_file: Path | None = None
    identity_key_file: Path | None = None
    record_link: str = ""
    otlp_endpoint: str = ""
    public_url: str = ""
    support_contact: str = Field(default="", max_length=300)
    oidc: tuple[OidcIssuer, ...] = ()
    cds: tuple[CdsClient, ...] = ()
    dmd_folder: Path | None = None
    smart: tuple[SmartRecord, ...] = ()
    texting: TextingSettings = TextingSettings()

    @field_validator("public_url")
    @classmethod
    def pages_are_reached_safely(cls, url: str) -> str:
        if not url:
            return url
        parts = urlsplit(over_a_safe_line(url))
        if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            # Every link of a page begins at the root and would break below a path.
            raise ValueError(
                "must be a scheme and a host alone, as https://upstream.example.nhs.uk: "
                "give Upstream a host name of its own, not a path of another's"
            )
        return url.rstrip("/")

    @field_validator("record_link")
    @classmethod
    def a_record_is_reached_safely(cls, url: str) -> str:
        if not url:
            return url
        names = [name for _, name, *_ in Formatter().parse(url) if name is not None]
        if not names or not set(names) <= RECORD_LINK_FIELDS or any(field in urlsplit(url).netloc for field in "{}"):
            raise ValueError(
                "must hold {nhs_number} or {patient_id} after the host, and no other field, "
                "as https://records.example.nhs.uk/open?nhs={nhs_number}"
            )
        return over_a_safe_line(url)

    @model_validator(mode="after")
    def a_provider_knows_the_way_back(self) -> ServiceSettings:
        if not self.public_url and any(issuer.sign_in for issuer in self.oidc):
            raise ValueError("sign-in at a provider needs UPSTREAM_PUBLIC_URL, where it sends people back to")
        return self

    @model_validator(mode="after")
    def a_launch_comes_back_and_is_vouched_for(self) -> ServiceSettings:
        if self.smart and not self.public_url:
            raise ValueError("a SMART launch needs UPSTREAM_PUBLIC_URL, where the records system sends people back to")
        if {record.issuer for record in self.smart} - {issuer.issuer for issuer in self.oidc}:
            raise ValueError("every issuer of UPSTREAM_SMART must be one of UPSTREAM_OIDC, with its keys and roles")
        return self

    @model_validator(mode="after")
    def demo_stays_on_this_machine(self) -> ServiceSettings:
        """The demo sign-in asks for no password, so a demo that others can reach is refused."""
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
    def identity_keys(self) -> Path | None:
        """The file of the keys that open identities: the configured one, or the one that a demo made."""
        own = self.home / IDENTITY_KEY
        return self.identity_key_file or (own if self.environment == "demo" and own.exists() else None)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names, besides loopback, that a request may be addressed to."""
        public = urlsplit(self.public_url).hostname
        return (*self.allowed_hosts, *([public] if public else []))

    @property
    def is_https(self) -> bool:
        """True if browsers reach the pages over https, whatever the reverse proxy uses."""
        return self.public_url.startswith("https:")

    @property
    def bundles(self) -> Path:
        return self.home / "bundles"


class HomeName(UpstreamError, ValueError):
    """A home folder whose path cannot stand in the address of a database."""


def database_url_of(home: Path) -> str:
    """The database of a home folder: UPSTREAM_DATABASE_URL if set, else SQLite inside the folder. Raises HomeName for
    a path with ``?``, ``%`` or ``#``: in an address these mean something else, and two homes would share a database."""
    if given := os.environ.get("UPSTREAM_DATABASE_URL"):
        return given
    path = str((Path(home) / "service.db").resolve())
    if signs := sorted({"?", "%", "#"} & set(path)):
        raise HomeName(
            f"the path of the home holds {' and '.join(signs)}: rename the folder, or set UPSTREAM_DATABASE_URL"
        )
    return f"sqlite:///{path}"
