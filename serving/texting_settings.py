"""Settings of texts (``UPSTREAM_TEXTING``): who carries them, the fixed texts, and who is alerted to words of
distress."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from serving.safe_addresses import is_loopback, over_a_safe_line

SHORTEST_RECEIVE_TOKEN = 32
GOVUK_NOTIFY_URL = "https://api.notifications.service.gov.uk"
NHS_NOTIFY_URL = "https://api.service.nhs.uk/comms"
NHS_TOKEN_URL = "https://api.service.nhs.uk/oauth2/token"


class TextTemplate(BaseModel):
    """One fixed text. The provider holds it under ``template_id``; ``text`` repeats it word for word, so that it can be
    checked here and compared before it is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    label: str = Field(min_length=1, max_length=80, description="what the page calls it")
    text: str = Field(min_length=1, max_length=459, description="three parts of a text message at most")
    template_id: str = Field(min_length=1, max_length=100, description="NHS Notify: the id of the routing plan")


class NhsNotifyAccount(BaseModel):
    """How Upstream proves itself to NHS Notify (a signed JWT), and how NHS Notify proves itself to Upstream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr = Field(description="the API key of the application, the issuer of its tokens")
    key_id: str = Field(min_length=1, max_length=100, description="the kid of its public key")
    private_key_file: Path = Field(description="its private key (PEM), which only the service may read")
    token_url: str = NHS_TOKEN_URL
    application_id: SecretStr = Field(description="with callback_api_key the secret of the signatures of callbacks")
    callback_api_key: SecretStr

    @field_validator("token_url")
    @classmethod
    def asked_over_a_safe_line(cls, url: str) -> str:
        return over_a_safe_line(url)

    @property
    def signs_with(self) -> bytes:
        """The secret of the signatures of callbacks."""
        return f"{self.application_id.get_secret_value()}.{self.callback_api_key.get_secret_value()}".encode()


class MailServer(BaseModel):
    """The trust's mail server. The line is TLS, except on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str = Field(min_length=3, max_length=254)
    user: str = ""
    password: SecretStr = SecretStr("")


class TeamAlert(BaseModel):
    """Where a team is alerted to words of distress. Neither an e-mail nor a call names a person or holds words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    teams: tuple[str, ...] | Literal["all"] = Field(
        default="all", description='"all" also hears of numbers that nobody here has'
    )
    webhook_url: str | None = Field(default=None, description="called with JSON: team, number of replies, page")
    webhook_token: SecretStr | None = None
    email_to: tuple[str, ...] = ()

    @field_validator("webhook_url")
    @classmethod
    def called_over_a_safe_line(cls, url: str | None) -> str | None:
        return over_a_safe_line(url) if url else None

    @model_validator(mode="after")
    def goes_somewhere(self) -> TeamAlert:
        if not self.webhook_url and not self.email_to:
            raise ValueError("an alert needs a webhook_url or an email_to")
        return self

    def reaches(self, team_id: str | None) -> bool:
        return self.teams == "all" or team_id in self.teams


class TextingSettings(BaseModel):
    """Who carries texts, and the fixed texts that may be sent. Off until a provider is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["none", "govuk_notify", "nhs_notify"] = "none"
    api_key: SecretStr | None = Field(default=None, description="of GOV.UK Notify")
    base_url: str = ""
    receive_token: SecretStr | None = Field(default=None, description="the bearer token of receipts and replies")
    nhs_notify: NhsNotifyAccount | None = None
    templates: tuple[TextTemplate, ...] = ()
    automatic: TextTemplate | None = Field(default=None, description="the answer that every reply gets")
    alerts: tuple[TeamAlert, ...] = Field(default=(), description="who hears of words of distress, beside the page")
    mail: MailServer | None = None
    keep_days: int = Field(default=365, ge=30, le=3_650, description="days after which texts and replies are deleted")

    @field_validator("base_url")
    @classmethod
    def texts_travel_safely(cls, url: str) -> str:
        return over_a_safe_line(url) if url else url

    @field_validator("receive_token")
    @classmethod
    def token_cannot_be_guessed(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < SHORTEST_RECEIVE_TOKEN:
            raise ValueError(
                f"must have {SHORTEST_RECEIVE_TOKEN} characters or more; make one with openssl rand -hex 32"
            )
        return token

    @model_validator(mode="after")
    def a_provider_has_what_it_needs(self) -> TextingSettings:
        if self.provider == "govuk_notify" and not all(
            (self.api_key, self.receive_token, self.templates, self.automatic)
        ):
            raise ValueError("GOV.UK Notify needs api_key, receive_token, templates and automatic")
        if self.provider == "nhs_notify" and not all((self.nhs_notify, self.templates)):
            raise ValueError("NHS Notify needs nhs_notify and templates")
        names = [one.name for one in self.templates]
        if len(set(names)) != len(names):
            raise ValueError("two templates have one name; give each its own")
        if any(alert.email_to for alert in self.alerts) and self.mail is None:
            raise ValueError("an alert by e-mail needs mail, the trust's mail server")
        return self

    @property
    def is_on(self) -> bool:
        return self.provider != "none"

    @property
    def hears_replies(self) -> bool:
        """Whether people can answer a text: NHS Notify carries texts one way."""
        return self.provider == "govuk_notify"

    @property
    def address(self) -> str:
        """Where the provider is asked."""
        usual = {"govuk_notify": GOVUK_NOTIFY_URL, "nhs_notify": NHS_NOTIFY_URL}
        return self.base_url or usual.get(self.provider, "")

    @property
    def is_imitated(self) -> bool:
        """Whether the provider is on this machine: an imitation, as in the demo."""
        return self.is_on and is_loopback(urlsplit(self.address).hostname or "")
