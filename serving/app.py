"""The application and its start: routes, errors, the lifetime of model and database, and ``serve``."""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, compile_path
from starlette.staticfiles import StaticFiles

from features.records.memory import LARGE_LIBRARIES, forget_code
from features.records.reading.nhs_numbers import NhsKey
from models import RiskModel
from serving.access import GuardedRoute, Requires, RequiresSession, SignInNeeded
from serving.auditing.endpoints import router as auditing
from serving.auditlog.log import AuditUnavailable
from serving.cds.endpoints import router as cds
from serving.cds.schemas import NAMES as CDS_NAMES
from serving.drafts.sealing import Sealer
from serving.fhir.bundles import MEDIA_TYPE as FHIR_TYPE
from serving.fhir.bundles import outcome_of
from serving.fhir.endpoints import router as fhir
from serving.gap_statuses.endpoints import router as gap_statuses
from serving.http.cors import Cors
from serving.http.json_scan import listed_objects, scan
from serving.http.middleware import STATIC, Boundary
from serving.http.problems import (
    MEDIA_TYPE,
    Problem,
    ProblemDetails,
    answer,
    from_http,
    from_validation,
    request_id_of,
    unavailable,
)
from serving.http.thread_lanes import Lane, Turns
from serving.http.worker_processes import WorkerProcesses
from serving.identities.keys import IdentityKeyProblem, IdentityKeys
from serving.messages.endpoints import router as messages
from serving.messages.incoming.watch import watch_of
from serving.messages.providers.choice import messenger_of
from serving.messages.schemas import TextReceipt, TextReply
from serving.messages.templates import check_templates
from serving.model_loader import LiveModel
from serving.observability.metrics import Metrics
from serving.observability.tracing import tracing_to
from serving.operations.endpoints import router as operations
from serving.operations.service import own_version
from serving.people.endpoints import router as people
from serving.reviews.endpoints import router as reviews
from serving.reviews.schemas import ReviewIn
from serving.scoring.endpoints import BODIES, PlainScores
from serving.scoring.endpoints import router as scoring
from serving.scoring.schemas import EXAMPLE, ScoresRequest, known_names
from serving.scoring.service import answer_of
from serving.security.client_tokens import CdsClients
from serving.security.oidc import Issuers
from serving.settings import ServiceSettings
from serving.state import Rates, Service, address_of
from serving.storage import migrations
from serving.storage.database import Database, DatabaseUnavailable
from serving.teams.endpoints import router as teams
from serving.web.audit_pages import router as auditing_pages
from serving.web.endpoints import router as pages
from serving.web.forms.gap_status_form import router as gap_status_pages
from serving.web.help.pages import router as help_pages
from serving.web.identities.search_pages import router as search_pages
from serving.web.incidents.pages import router as incident_pages
from serving.web.interface.pages import router as interface_pages
from serving.web.launch.pages import router as launch
from serving.web.lists.joint_pages import router as joint_pages
from serving.web.lists.saved_pages import router as saved_filter_pages
from serving.web.monitoring.pages import router as monitoring_pages
from serving.web.oidc_sign_in import router as provider
from serving.web.proposals.pages import router as proposal_pages
from serving.web.ratings.pages import router as rating_pages
from serving.web.registers.pages import router as register_pages
from serving.web.rendering import STATIC_FOLDER, problem_page
from serving.web.review_pages import router as review_pages
from serving.web.review_pages import session_ended
from serving.web.sandbox.pages import router as sandbox
from serving.web.sheets.pages import router as sheet_pages
from serving.web.texts.pages import router as text_pages
from serving.web.work_pages import router as work_pages
from serving.work.endpoints import router as work
from serving.work.schemas import WorkIn
from serving.worklists.endpoints import pages as worklist_pages
from serving.worklists.endpoints import router as worklists

KNOWN_NAMES = known_names() | {
    "team_id",
    "outcome",
    "horizon",
    "ranking",
    "gap",
    "medicine",
    "reviewed",
    "limit",
    "offset",
    "choice",
    "contributions",
    "proof",
    "view",
    "header",
    "Idempotency-Key",
    "reason",
    "actor",
    "action",
    "before",
    "on",
    *ReviewIn.model_fields,
    *WorkIn.model_fields,
    "work",
    *CDS_NAMES,
    *TextReceipt.model_fields,
    *TextReply.model_fields,
}
SIGN_IN_ROUTES = ("/sign-in/with/{place}", "/sign-in/back", "/launch", "/launch/back")
OPEN_TO_ANYBODY = frozenset(
    {
        "/livez",
        "/readyz",
        "/version",
        "/openapi.json",
        "/docs",
        "/fhir/metadata",
        "/sign-in",
        *SIGN_IN_ROUTES,
        STATIC.rstrip("/"),
    }
)
"""Routes that answer without a caller. They hold nothing about people. Every other route must declare its roles, or
the service does not start.
"""
FHIR = "/fhir/"
JSON_PATHS = (
    "/v1/",
    "/messages/",
    "/cds-services",
    "/livez",
    "/readyz",
    "/version",
    "/openapi.json",
    "/metrics",
    STATIC,
)
SCHEMAS = "#/components/schemas/"
# The body by its name, not by its model: the framework would make a reader of it for every error of every route.
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}ProblemDetails"}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": _PROBLEM}
    for status, description in (
        (400, "the request could not be read, or asked for an unknown host"),
        (401, "no valid bearer token"),
        (403, "the role may not do this"),
        (404, "nothing here, or nothing that this caller may see"),
        (409, "it contradicts what is already recorded"),
        (408, "the body did not arrive in time"),
        (412, "data that this service asks for was not sent along"),
        (413, "the body is too large"),
        (415, "the body is not sent as JSON, or is compressed; see Content-Type and Content-Encoding"),
        (422, "the request does not match this description"),
        (429, "this client asks more than its share; see Retry-After"),
        (431, "the header lines are too long"),
        (500, "something went wrong here"),
        (503, "no model, database, audit log or free thread, or no answer in time; see Retry-After"),
    )
}


OPERATION_OUTCOME = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {"resourceType": {"const": "OperationOutcome"}},
}


def create_app(settings: ServiceSettings | None = None, processes: WorkerProcesses | None = None) -> FastAPI:
    """The service as an ASGI application. On start it migrates the database, loads the model and watches for a newer
    one. ``processes`` score requests once they have loaded the same model."""
    settings = settings or ServiceSettings()
    metrics, tracing = Metrics(), tracing_to(settings.otlp_endpoint)
    nhs_key = NhsKey.read(settings.nhs_key_file) if settings.nhs_key_file else None
    identity_keys = IdentityKeys.read(settings.identity_keys) if settings.identity_keys else None
    clients = CdsClients(settings.cds)
    check_templates(settings.texting)
    messenger_of(settings.texting)
    if settings.texting.is_on and identity_keys is None:
        raise IdentityKeyProblem(
            "texts need the key file that seals numbers and replies: set UPSTREAM_IDENTITY_KEY_FILE"
        )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.database)
        made_ready = warm if processes is None else partial(_warm_with, processes)
        live = LiveModel(settings.bundles, settings.poll_seconds, made_ready, demo=settings.environment == "demo")
        cores = os.cpu_count() or 1
        app.state.service = Service(
            settings,
            database,
            live,
            reads=Lane(8, 5.0, settings.read_deadline_seconds),
            scoring=Lane(max(2, cores, settings.scoring_processes), 5.0, settings.score_deadline_seconds),
            large=Turns(2, 10.0),
            issuers=Issuers(settings.oidc),
            metrics=metrics,
            rates=Rates.of(settings),
            sealer=Sealer.of_home(settings.home),
            cds_clients=clients,
            nhs_key=nhs_key,
            processes=processes,
            identity_keys=identity_keys,
        )
        database.check_is_held()
        migrations.upgrade(database)
        database.check_whole()
        live.start()
        app.state.texting_watch = watch = watch_of(settings, database, identity_keys)
        if watch is not None:
            watch.start()
        if app.state.alone:
            # Objects made at start live for good. If the garbage collector scanned them, a full pass would stop a
            # page for half a second.
            gc.collect()
            gc.freeze()
            # A list of 500 people makes some 20,000 objects that are all freed with the answer; scanning them finds
            # nothing.
            gc.set_threshold(50_000, 10, 10)
        try:
            yield
        finally:
            if watch is not None:
                watch.stop()
            live.stop()
            if processes is not None:
                processes.close()
            database.close()
            tracing.close()

    app = FastAPI(
        title="Upstream",
        version=own_version(),
        summary="Risk stratification and overdue or missing care for community mental health teams",
        redirect_slashes=False,  # behind TLS the framework would redirect to http, and send the form data in clear text
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        routes=_routes(),
        responses=ERRORS,
        telemetry={"tracing": False, "metrics": False},
    )
    app.state.alone = False
    app.state.texting_watch = None
    app.mount(STATIC.rstrip("/"), StaticFiles(directory=STATIC_FOLDER), name="static")
    app.add_middleware(
        Boundary,
        allowed_hosts=settings.hosts,
        max_body_bytes=settings.max_body_bytes,
        render=render,
        metrics=metrics,
        tracing=tracing,
        https=settings.is_https,
        address_of=lambda request: address_of(request, settings),
        cors=Cors("/cds-services", clients.origins),
    )
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    _handle_errors(app)
    check_access_declared(app)
    check_bodies_guarded(app)
    app.router.middleware_stack = PlainScores(app.router.middleware_stack)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """The routes of all domains. FastAPI reads the signature of each of their functions once more for each
    application, which was three quarters of the time that one takes to make; so they are put together once."""
    together = APIRouter(responses=ERRORS)
    for router in (
        scoring,
        worklists,
        teams,
        people,
        reviews,
        gap_statuses,
        auditing,
        operations,
        cds,
        fhir,
        messages,
        pages,
        provider,
        auditing_pages,
        gap_status_pages,
        proposal_pages,
        launch,
        sandbox,
        search_pages,
        register_pages,
        review_pages,
        work,
        work_pages,
        joint_pages,
        saved_filter_pages,
        sheet_pages,
        text_pages,
        help_pages,
        interface_pages,
        incident_pages,
        rating_pages,
        monitoring_pages,
        worklist_pages,
    ):
        together.include_router(router)
    return together.routes


def warm(model: RiskModel) -> None:
    """Answers the example of the schema once, so that every compiled kernel is ready before the first request, and
    the code that is no longer needed can be freed.
    """
    body, today = ScoresRequest.model_validate(EXAMPLE), dt.date.today()
    answer_of(model, body, body.as_of or today, today)
    scan(b"{}")
    listed_objects(b"{}", 1)
    forget_code(*LARGE_LIBRARIES)
    # What was loaded stays for good, so the collector need not scan it during a request.
    gc.collect()
    gc.freeze()


def _warm_with(processes: WorkerProcesses, model: RiskModel) -> None:
    """The same, and has the processes load the model meanwhile; until they have it, the service scores alone."""
    threading.Thread(target=processes.load, args=(model.manifest.bundle_id,), daemon=True).start()
    warm(model)


def render(request: Request, problem: Problem) -> Response:
    """A problem as JSON for programs and as a page for people."""
    request.scope.setdefault("state", {})["problem"] = problem.kind
    if request.url.path.startswith(FHIR):
        body = json.dumps(outcome_of(problem, request_id_of(request.scope)))
        return Response(body, problem.status, headers=problem.headers, media_type=FHIR_TYPE)
    if request.url.path.startswith(JSON_PATHS):
        return answer(request, problem)
    return problem_page(request, problem)


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with errors under the media type they are sent with."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        problem = ProblemDetails.model_json_schema(ref_template=f"{SCHEMAS}{{model}}", mode="serialization")
        document["components"]["schemas"] |= BODIES | problem.pop("$defs") | {"ProblemDetails": problem}
        document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
        for address, path in document["paths"].items():
            for operation in path.values() if address.startswith(FHIR) else ():
                for described in operation["responses"].values():
                    if MEDIA_TYPE in described.get("content", {}):
                        described["content"] = {FHIR_TYPE: {"schema": OPERATION_OUTCOME}}
        app.openapi_schema = document
    return app.openapi_schema


def _handle_errors(app: FastAPI) -> None:
    async def problem(request: Request, error: Exception) -> Response:
        found = as_problem(error)
        if found.status == 405:
            found.headers["Allow"] = ", ".join(methods_of(app, request.url.path))
        return render(request, found)

    async def sign_in(request: Request, error: Exception) -> Response:
        return await session_ended(request)

    for kind in (Problem, HTTPException, RequestValidationError, AuditUnavailable, DatabaseUnavailable):
        app.add_exception_handler(kind, problem)
    app.add_exception_handler(SignInNeeded, sign_in)


def as_problem(error: Exception) -> Problem:
    """Turns any error of a request into a problem that repeats nothing of the request."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return from_validation(error, KNOWN_NAMES)
        case AuditUnavailable():
            return unavailable(
                "audit-unavailable", "The audit log cannot be written, so nothing is shown. Try again soon."
            )
        case DatabaseUnavailable():
            return unavailable("database-unavailable", "The service database does not answer. Try again soon.")
        case HTTPException():
            return from_http(error)
    raise error


def check_access_declared(app: FastAPI) -> None:
    """Refuses to start with a route that does not declare who may call it."""
    undeclared = [path for path, roles in access_of(app).items() if roles is None]
    if undeclared:
        raise RuntimeError(
            f"routes without a declared role: {', '.join(undeclared)}; add a caller from security.requests"
        )


def access_of(app: FastAPI) -> dict[str, frozenset[str] | None]:
    """Who may call each route, as ``METHOD path``: its roles, an empty set for anybody, None if nothing is declared."""
    found: dict[str, frozenset[str] | None] = {}
    for context in iter_route_contexts(app.routes):
        path, methods = str(context.path), sorted(getattr(context.original_route, "methods", None) or ["GET"])
        roles = _declared(getattr(context.original_route, "dependant", None))
        if roles is None and path in OPEN_TO_ANYBODY:
            roles = frozenset()
        for method in methods:
            if method != "HEAD":
                found[f"{method} {path}"] = roles
    return found


def check_bodies_guarded(app: FastAPI) -> None:
    """Refuses to start with a route that reads a body before it knows the caller."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        asks = _declared(getattr(route, "dependant", None)) is not None
        if asks and getattr(route, "body_field", None) is not None and not isinstance(route, GuardedRoute):
            raise RuntimeError(
                f"{context.path} reads a body before its caller; use APIRouter(route_class=GuardedRoute)"
            )


def methods_of(app: FastAPI, path: str) -> list[str]:
    """Every method that an address takes. The framework names only those of the first route; RFC 9110 requires all."""
    return sorted(
        method
        for context in iter_route_contexts(app.routes)
        if compile_path(str(context.path))[0].match(path)
        for method in getattr(context.original_route, "methods", None) or ()
    )


def _declared(dependant: Any) -> frozenset[str] | None:
    for dependency in getattr(dependant, "dependencies", ()):
        if isinstance(dependency.call, (Requires, RequiresSession)):
            return frozenset(dependency.call.roles)
    return None
