"""One sound call of every operation, in an order in which each finds what it needs, for any generated client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.app import access_of, create_app
from serving.client import Upstream
from serving.identities.keys import write_new_key
from serving.identity.callers import SEES_PEOPLE, Role
from serving.scoring.schemas import EXAMPLE
from serving.security.tokens import issue_token
from serving.settings import CdsClient, ServiceSettings
from tests.serving.cds import clients
from tests.serving.cds.test_order_select import body as order_select_body
from tests.serving.cds.test_order_select import request as medication_request
from tests.serving.messages.desks import TEXTING
from tests.serving.running import running

SOON = (dt.date.today() + dt.timedelta(days=7)).isoformat()
REVIEW = {
    "actions": ["adherence_discussed"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": False,
    "listing_was": "useful",
}


SIGNED_BY_ITS_SENDER = {"nhs_notify_messages_nhs_notify_post"}
"""Operations whose body is signed byte by byte, which no generated client can do; tests/serving/messages calls them."""


@dataclass(frozen=True)
class Call:
    """One call: ``path`` values, ``query``, ``headers``, ``body``, by the names of the interface."""

    operation: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


Ask = Callable[[Call], Any]
"""Makes a call and gives the answer as JSON (a list of lines for a stream, text where it is no JSON)."""


def converse(ask: Ask) -> dict[str, Any]:
    """Asks for everything once; answers by operation."""
    answers: dict[str, Any] = {}

    def get(operation: str, body: Any = None, *, query: Any = None, headers: Any = None, **path: str) -> Any:
        answers[operation] = ask(Call(operation, path, query or {}, headers or {}, body))
        return answers[operation]

    for plain in ("livez_livez_get", "readyz_readyz_get", "version_version_get", "metrics_metrics_get"):
        get(plain)
    get("model_v1_model_get")
    get("card_v1_model_card_get")
    get("score_v1_scores_post", EXAMPLE, query={"contributions": "concepts"})
    get("stream_v1_scores_stream_post", EXAMPLE["people"], query={"as_of": "2026-01-05"})
    get("teams_v1_teams_get", query={"limit": 5})
    get("overview_v1_teams__team_id__overview_get", team_id="north")
    get("worklist_v1_teams__team_id__worklist_get", team_id="north", query={"limit": 2})
    get("worklist_csv_v1_teams__team_id__worklist_csv_get", team_id="north")
    get("person_v1_patients__patient_id__get", patient_id="N00")
    status = {"status": "booked", "until": SOON}
    get("change_v1_patients__patient_id__gaps__code__status_post", status, patient_id="N00", code="CLZ_FBC_OVERDUE")
    get("history_v1_patients__patient_id__gap_statuses_get", patient_id="N00")
    key = {"Idempotency-Key": "a-key-of-our-own"}
    review = get("record_v1_patients__patient_id__reviews_post", REVIEW, patient_id="N03", headers=key)
    undo = "undo_v1_patients__patient_id__reviews__review_id__undo_post"
    get(undo, patient_id="N03", review_id=review["review_id"])
    get("history_v1_patients__patient_id__reviews_get", patient_id="N03")
    get("change_v1_patients__patient_id__work_post", {"this_week": True, "notes": []}, patient_id="N03")
    get("work_v1_patients__patient_id__work_get", patient_id="N03")
    get("emergency_v1_patients__patient_id__emergency_access_post", {"reason": "crisis_call"}, patient_id="S00")
    get("emergencies_v1_audit_emergency_access_get", query={"limit": 5})
    get("events_v1_audit_events_get", query={"action": "person.read", "limit": 5})
    for kind in ("RiskAssessment", "DetectedIssue", "Task", "ServiceRequest"):
        search, read = f"search_{kind.lower()}_fhir_{kind}_get", f"read_{kind.lower()}_fhir_{kind}__resource_id__get"
        bundle = get(search, query={"patient": "N00"})
        get(read, resource_id=bundle["entry"][0]["resource"]["id"])
    get("metadata_fhir_metadata_get")
    get("discovery_cds_services_get")
    cards = get("view_cds_services_upstream_patient_view_post", clients.hook("patient-view", "N00"))["cards"]
    order = order_select_body([medication_request("r1", "clozapine", mg=25)])
    get("select_cds_services_upstream_order_select_post", order)
    entry = {"card": cards[0]["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-01-05T09:00:00Z"}
    get("feedback_cds_services__service_id__feedback_post", {"feedback": [entry]}, service_id="upstream-patient-view")
    get("receipt_messages_receipts_post", {"id": "p1", "status": "delivered"})
    number = {"source_number": "447700900999", "message": "1", "date_received": "2026-01-05T09:00:00Z"}
    get("reply_messages_replies_post", {"id": "r1", **number})
    return answers


@dataclass(frozen=True)
class Talking:
    """A running service over the made-up trust. ``token_of`` gives a token that may make the call."""

    address: str
    document: dict[str, Any]
    tokens: dict[str, str]

    def route(self, operation: str) -> tuple[str, str]:
        """The verb and the path of an operation."""
        for path, verbs in self.document["paths"].items():
            for verb, found in verbs.items():
                if found["operationId"] == operation:
                    return verb.upper(), path
        raise KeyError(operation)

    def token_of(self, call: Call) -> str:
        verb, path = self.route(call.operation)
        if path.startswith("/cds-services"):
            full = path.format(**call.path)
            return clients.token(full, aud=self.address + full)
        if path.startswith("/messages/"):
            return TEXTING.receive_token.get_secret_value()
        return self.tokens[f"{verb} {path}"]


@contextmanager
def talking(home: Path, folder: Path) -> Iterator[Talking]:
    """A service in which every operation can be called."""
    tokens = {
        role: issue_token(home, role, ["north"] if role in SEES_PEOPLE else None, lead=role is Role.PHARMACIST)
        for role in Role
    }
    key = folder / "identities.json"
    write_new_key(key)
    app = create_app(
        ServiceSettings(
            home=home,
            environment="demo",
            rate_per_minute=10**7,
            system_rate_per_minute=10**7,
            cds=(CdsClient(**clients.settings(folder)),),
            identity_key_file=key,
            texting=TEXTING,
        )
    )
    given = {
        route: tokens[sorted(roles or Role)[0]] for route, roles in access_of(app).items() if not route.endswith("/")
    }
    document = app.openapi()
    with running(app) as address:
        yield Talking(address, document, given)


def by_python(service: Talking, call: Call) -> Any:
    """The call by our own client."""
    from serving.write_client import NAMES

    words = {name.replace("-", "_").lower(): value for name, value in (call.query | call.headers).items()}
    sent = [] if call.body is None else [call.body]
    with Upstream(service.address, service.token_of(call)) as upstream:
        answer = getattr(upstream, NAMES[call.operation])(*call.path.values(), *sent, **words)
        return list(answer) if call.operation.startswith("stream") else answer
