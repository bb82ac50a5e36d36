"""What a request needs from the running service, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from serving.audit import Audit
from serving.database import Database
from serving.lanes import Lane
from serving.live import LiveModel
from serving.problems import request_id_of
from serving.security.callers import Caller
from serving.security.oidc import Issuers
from serving.settings import Settings


@dataclass(frozen=True)
class Service:
    """The running service. ``reads`` is the lane of database work, ``scoring`` the lane of model work."""

    settings: Settings
    database: Database
    live: LiveModel
    reads: Lane
    scoring: Lane
    issuers: Issuers

    def audit_for(self, caller: Caller, request: Request) -> Audit:
        return Audit.of(self.database, caller, request_id_of(request.scope))


def service_of(request: Request) -> Service:
    return request.app.state.service


Serving = Annotated[Service, Depends(service_of)]
