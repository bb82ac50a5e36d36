"""The imitation itself: what it holds, and its answers. Shapes as in Notify's own OpenAPI; the token of a call is
checked as Notify does, where the imitation was given a key.

Numbers behave like the real service's test numbers: 07700900003 fails temporarily, 07700900002 permanently, others
arrive.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Form
from jinja2 import Environment, PackageLoader
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from serving.messages.numbers.mobile import mobile
from serving.texting_settings import TextTemplate

FAILS_FOR_A_WHILE, FAILS_FOR_GOOD = "+447700900003", "+447700900002"
OUR_NUMBER = "07860000000"
PAGE = 250
_NOT_OF_A_TEXT = dict.fromkeys(
    (
        *("email_address", *(f"line_{n}" for n in range(1, 7)), "postcode", "postage", "subject"),
        *("created_by_name", "scheduled_for", "one_click_unsubscribe_url"),
    )
)
"""What Notify gives of letters and e-mails, empty for a text. It costs nothing here."""
_PAGES = Environment(loader=PackageLoader("serving", "messages/fake/templates"), autoescape=True, trim_blocks=True)
Callback = Callable[[str, dict[str, Any]], None]


@dataclass
class Phones:
    """What the imitation holds: texts by id, replies newest first. ``call`` delivers receipts and replies to the
    service. A failed call is dropped, as in an outage, and the reply can still be fetched. ``api_key`` is what
    callers sign with, ``token`` what the service asks of callbacks, ``address`` where the imitation listens.
    """

    templates: dict[str, TextTemplate]
    call: Callback = lambda path, body: None
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    api_key: str = ""
    token: str = ""
    address: str = ""

    def send(self, number: str, template: TextTemplate, reference: str | None) -> dict[str, Any]:
        """Takes a text and brings its receipt."""
        now, plain = _now(), mobile(number) or number
        status = {FAILS_FOR_A_WHILE: "temporary-failure", FAILS_FOR_GOOD: "permanent-failure"}.get(plain, "delivered")
        one: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "reference": reference,
            "phone_number": plain,
            "type": "sms",
            "status": status,
            "body": template.text,
            "template": {"id": template.template_id, "version": 1, "uri": f"/v2/template/{template.template_id}"},
            "created_at": now,
            "sent_at": now,
            "completed_at": now,
            **_NOT_OF_A_TEXT,
            "is_cost_data_ready": True,
            "cost_in_pounds": 0.0,
            "cost_details": {
                "billable_sms_fragments": 1 + len(template.text) // 161,
                "international_rate_multiplier": 1,
                "sms_rate": 0.0,
            },
        }
        with self.lock:
            self.sent[one["id"]] = one
        receipt: dict[str, Any] = {
            name: one[name] for name in ("id", "reference", "status", "created_at", "completed_at", "sent_at")
        }
        receipt |= {"to": plain, "notification_type": "sms", "template_id": template.template_id, "template_version": 1}
        threading.Thread(target=self.call, args=("/messages/receipts", receipt), daemon=True).start()
        return one

    def answer(self, number: str, message: str) -> dict[str, Any]:
        """Adds a reply from a phone and delivers it to the service."""
        plain = (mobile(number) or number).lstrip("+")
        one: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "user_number": plain,
            "notify_number": OUR_NUMBER,
            "content": message,
        }
        one |= {"created_at": _now(), "service_id": str(uuid.UUID(int=1))}
        with self.lock:
            self.replies.insert(0, one)
        self.call("/messages/replies", brought(one))
        return one

    def thread(self, number: str) -> list[tuple[str, bool, str]]:
        """The texts of a phone, oldest first: (moment, whether the person wrote it, words)."""
        with self.lock:
            theirs = [(one["created_at"], False, one["body"]) for one in self.sent.values() if _is(one, number)]
            own = [(one["created_at"], True, one["content"]) for one in self.replies if _from(one, number)]
        return sorted([*theirs, *own])

    @property
    def numbers(self) -> list[str]:
        with self.lock:
            return sorted({one["phone_number"] for one in self.sent.values()})


def brought(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply as Notify's callback writes it."""
    return {
        "id": reply["id"],
        "source_number": reply["user_number"],
        "destination_number": reply["notify_number"],
        "message": reply["content"],
        "date_received": reply["created_at"],
    }


def fake_notify(phones: Phones) -> FastAPI:
    """The imitation as an ASGI application: the addresses that the official client calls, and a page of phones."""
    app = FastAPI(title="Imitation of GOV.UK Notify", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "testserver"])
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")

    @app.middleware("http")
    async def signed(request: Request, following: RequestResponseEndpoint) -> Response:
        """403 for a call of the interface that is not signed with the key. The page of phones needs no key."""
        if request.url.path.startswith("/v2/") and phones.api_key and not _is_signed(request, phones.api_key):
            error = {"error": "AuthError", "message": "Invalid token: API key not found"}
            return JSONResponse({"status_code": 403, "errors": [error]}, 403)
        return await following(request)

    @app.post("/v2/notifications/sms", status_code=201)
    async def send(request: Request) -> Response:
        given = await request.json()
        template = phones.templates.get(str(given.get("template_id")))
        if template is None or mobile(str(given.get("phone_number"))) is None:
            error = {"error": "BadRequestError", "message": "Template not found, or not a UK mobile number"}
            return JSONResponse({"status_code": 400, "errors": [error]}, 400)
        one = phones.send(str(given["phone_number"]), template, given.get("reference"))
        content = {"body": one["body"], "from_number": OUR_NUMBER}
        uri = f"/v2/notifications/{one['id']}"
        kept = {"id": one["id"], "reference": one["reference"], "content": content, "uri": uri}
        return JSONResponse({**kept, "template": one["template"], "scheduled_for": None}, 201)

    @app.get("/v2/notifications/{notification_id}")
    async def notification(notification_id: str) -> Response:
        one = phones.sent.get(notification_id)
        return JSONResponse(one) if one else _missing()

    @app.get("/v2/template/{template_id}")
    async def template_of(template_id: str) -> Response:
        one = phones.templates.get(template_id)
        if one is None:
            return _missing()
        kept = {"id": template_id, "type": "sms", "name": one.label, "version": 1, "created_at": _now()}
        return JSONResponse(
            {**kept, "updated_at": None, "created_by": "demo", "body": one.text, "subject": None, "personalisation": {}}
        )

    @app.get("/v2/received-text-messages")
    async def received(older_than: str | None = None) -> Response:
        with phones.lock:
            held = list(phones.replies)
        places = [place for place, one in enumerate(held) if one["id"] == older_than]
        found = held[places[0] + 1 :] if places else [] if older_than else held
        here = f"{phones.address}/v2/received-text-messages"
        shown = found[:PAGE]
        # As Notify does: the page after the last is empty, and the client stops there.
        links = {"current": here} | ({"next": f"{here}?older_than={shown[-1]['id']}"} if shown else {})
        return JSONResponse({"received_text_messages": shown, "links": links})

    @app.get("/")
    async def page(number: str = "") -> Response:
        numbers = phones.numbers
        chosen = number if number in numbers else (numbers[0] if numbers else "")
        values = {"numbers": numbers, "number": chosen, "thread": phones.thread(chosen) if chosen else []}
        return HTMLResponse(_PAGES.get_template("phone.html").render(values))

    @app.post("/answer")
    def answer(
        request: Request, number: Annotated[str, Form()], message: Annotated[str, Form(max_length=900)]
    ) -> Response:
        if (
            request.headers.get("origin") not in (None, f"http://{request.headers.get('host')}")
            or number not in phones.numbers
        ):
            return HTMLResponse("<p>Answer from the page of phones.</p>", 403)
        phones.answer(number, message)
        return RedirectResponse(f"/?number={number.replace('+', '%2B')}", 303)

    return app


def calls_to(service: str, token: str) -> Callback:
    """Brings receipts and replies to a service by its bearer token. A service that does not answer is skipped."""

    def call(path: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(service + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10):
                pass
        except OSError:
            return

    return call


def _is_signed(request: Request, api_key: str) -> bool:
    """Whether a call carries the token that the official client makes: HS256 by the secret at the key's end, naming the
    service before it."""
    service, secret = api_key[-73:-37], api_key[-36:]
    try:
        found = jwt.decode(
            request.headers.get("authorization", "").removeprefix("Bearer "), OctKey.import_key(secret), ["HS256"]
        )
    except (JoseError, ValueError):
        return False
    return bool(found.claims.get("iss") == service and abs(time.time() - float(found.claims.get("iat", 0))) < 60)


def _missing() -> Response:
    return JSONResponse({"status_code": 404, "errors": [{"error": "NoResultFound", "message": "No result found"}]}, 404)


def _is(one: dict[str, Any], number: str) -> bool:
    return bool(one["phone_number"] == number)


def _from(one: dict[str, Any], number: str) -> bool:
    return bool("+" + one["user_number"] == number)


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
