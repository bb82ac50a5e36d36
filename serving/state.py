"""What a request needs from the running service, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request

from features.records.reading.nhs_numbers import NhsKey
from serving.auditlog.log import Audit
from serving.drafts.sealing import Sealer
from serving.http.problems import request_id_of
from serving.http.rate_limit import Rate
from serving.http.thread_lanes import Lane, Turns
from serving.http.worker_processes import WorkerProcesses
from serving.identities.keys import IdentityKeys, new_keys
from serving.identities.service import sees_names
from serving.identity.callers import Caller, Role
from serving.model_loader import LiveModel
from serving.observability.metrics import Metrics
from serving.runs.schemas import RunInfo
from serving.security.client_tokens import CdsClients
from serving.security.oidc import Issuers
from serving.settings import ServiceSettings
from serving.storage.database import Database


@dataclass(frozen=True)
class Rates:
    """Rate limits for each kind of client: a person, a CMHT system, an unauthenticated address."""

    people: Rate
    systems: Rate
    strangers: Rate

    @classmethod
    def of(cls, settings: ServiceSettings) -> Rates:
        return cls(
            Rate(settings.rate_per_minute),
            Rate(settings.system_rate_per_minute),
            Rate(settings.stranger_rate_per_minute),
        )

    def spend(self, caller: Caller) -> None:
        """Counts one request of a caller. Raises 429."""
        (self.systems if caller.role is Role.CMHT_SYSTEM else self.people).spend(caller.token_id)


@dataclass
class Shown:
    """The published run that a page last showed."""

    run: RunInfo | None = None


@dataclass(frozen=True)
class Service:
    """The running service. ``reads`` is the lane for database work, ``scoring`` the lane for model work, ``large``
    the turns for large bodies, ``processes`` those that score requests, where there are any. ``identity_keys`` open
    names, ``searches`` seals what was typed to find somebody."""

    settings: ServiceSettings
    database: Database
    live: LiveModel
    reads: Lane
    scoring: Lane
    large: Turns
    issuers: Issuers
    metrics: Metrics
    rates: Rates
    sealer: Sealer
    cds_clients: CdsClients = field(default_factory=lambda: CdsClients(()))
    nhs_key: NhsKey | None = None
    processes: WorkerProcesses | None = None
    identity_keys: IdentityKeys | None = None
    searches: IdentityKeys = field(default_factory=new_keys)
    shown: Shown = field(default_factory=Shown)

    def audit_for(self, caller: Caller, request: Request) -> Audit:
        return Audit.of(self.database, caller, request_id_of(request.scope))

    def page_audit_for(self, caller: Caller, request: Request) -> Audit:
        """The log for a page view, which records whether names were shown."""
        named = {"names": True} if sees_names(caller, self.identity_keys) else {}
        return replace(self.audit_for(caller, request), always=named)


def address_of(request: Request, settings: ServiceSettings) -> str:
    """The source address of a request; behind our own proxy, the last address that the proxy wrote."""
    # A client may send such lines itself; a proxy appends to the last line, or adds one after it.
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")) if settings.behind_proxy else ""
    return forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "unknown")


def base_url_of(request: Request) -> str:
    """How this service is reached, without a slash at the end: the public address where the settings name one, else
    the host that was asked for, which is one that the service answers to."""
    public = service_of(request).settings.public_url
    return public or f"{request.url.scheme}://{request.url.netloc}"


def service_of(request: Request) -> Service:
    return request.app.state.service


async def _serving(request: Request) -> Service:
    # Async, because the framework would hand a plain function to a thread at every request.
    return service_of(request)


Serving = Annotated[Service, Depends(_serving)]
