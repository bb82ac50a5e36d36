"""schemathesis over every operation of /openapi.json, signed in, with good and bad data: no 500, no undeclared status
or body."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from serving.app import access_of, create_app
from serving.identity.callers import SEES_PEOPLE, Role
from serving.security.tokens import issue_token
from serving.settings import CdsClient, ServiceSettings
from tests.conftest import ROOT
from tests.contract.signing import TOKENS_FILE
from tests.examples import examples
from tests.serving.cds import clients
from tests.serving.cds.test_order_select import body as order_select_body
from tests.serving.cds.test_order_select import request as medication_request
from tests.serving.running import running

EXAMPLES = examples(3)
"""Invented requests per operation, beyond the boundary values that schemathesis always tries."""
KNOWN = {
    "service_id": ["upstream-patient-view", "upstream-order-select"],
    "team_id": ["north", "south"],
    "patient_id": ["N03", "N00", "S02"],
    "resource_id": ["admission.N03", "CLZ-FBC-OVERDUE.N00"],
}
"""Values that exist in the made-up trust, so that requests get past 404 some of the time."""
NOT_ASKED = {
    # A run holds some pairs of outcome and horizon, and a row must be of its own person; a schema cannot say either.
    "positive_data_acceptance",
}


def configuration() -> str:
    """A schemathesis.toml; who calls what stands in tests/contract/signing.py."""
    lines = ["[generation]", 'mode = "all"', f"max-examples = {EXAMPLES}"]
    for name, values in KNOWN.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines += ["[parameters]"]
    lines += [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.5 }}' for name in KNOWN]
    for check in sorted(NOT_ASKED):
        lines += [f"[checks.{check}]", "enabled = false"]
    return "\n".join(lines)


ORDER = order_select_body([medication_request("r1", "clozapine", mg=25)])


class Answered:
    """The application, and every status that each of its routes answered with, as ``METHOD path``."""

    def __init__(self, app: FastAPI) -> None:
        self.app, self.statuses = app, defaultdict(set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", None)
                self.statuses[f"{scope['method']} {path}"].add(message["status"])
            await send(message)

        await self.app(scope, receive, noted)

    def reached(self, route: str) -> bool:
        """True if the route answered with 2xx at least once."""
        return any(200 <= status < 300 for status in self.statuses[route])


def ask_what_no_schema_can_say(address: str, tokens: dict[str, str]) -> None:
    """One sound request of each operation that invented data does not get past: it names a person and a gap that
    belong together, a person of another team, or an order with what it needs.
    """

    def ask(route: str, **sent: Any) -> httpx.Response:
        method, path = route.split(" ")
        named = {"patient_id": "N00", "code": "CLZ_FBC_OVERDUE", **sent.pop("named", {})}
        headers = {"Authorization": f"Bearer {tokens[route]}"}
        return httpx.request(method, address + path.format(**named), headers=headers, timeout=60, **sent)

    soon = (dt.date.today() + dt.timedelta(days=7)).isoformat()
    ask("POST /v1/patients/{patient_id}/gaps/{code}/status", json={"status": "booked", "until": soon})
    other = {"patient_id": "S00"}
    ask("POST /v1/patients/{patient_id}/emergency-access", named=other, json={"reason": "crisis_call"})
    for kind in ("RiskAssessment", "DetectedIssue", "Task", "ServiceRequest"):
        found = ask(f"GET /fhir/{kind}", params={"patient": "N00"}).json()
        if found.get("entry"):
            ask(f"GET /fhir/{kind}/{{resource_id}}", named={"resource_id": found["entry"][0]["resource"]["id"]})
    path = "/cds-services/upstream-order-select"
    signed = {"Authorization": f"Bearer {clients.token(path, aud=address + path)}"}
    httpx.post(address + path, headers=signed, json=ORDER, timeout=60)


@pytest.mark.slow
def test_every_operation_answers_as_its_schema_says(home: Path, tmp_path: Path) -> None:
    tokens = {
        role: issue_token(home, role, ["north"] if role in SEES_PEOPLE else None, lead=role is Role.PHARMACIST)
        for role in Role
    }
    trusted = CdsClient(**clients.settings(tmp_path))
    app = create_app(
        ServiceSettings(
            home=home, environment="demo", rate_per_minute=10**7, system_rate_per_minute=10**7, cds=(trusted,)
        )
    )
    described = app.openapi()["paths"]
    operations = {
        route: roles or frozenset() for route, roles in access_of(app).items() if route.split(" ", 1)[1] in described
    }
    (tmp_path / "schemathesis.toml").write_text(configuration())
    given = {route: tokens[sorted(roles)[0]] for route, roles in operations.items() if roles}
    signing = {"key": clients.KEY.as_dict(private=True), "tokens": given}
    (tmp_path / "tokens.json").write_text(json.dumps(signing))
    answered = Answered(app)
    with running(answered) as address:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", "schemathesis.toml"),
                *("run", f"{address}/openapi.json", "--seed", "1", "--no-color", "--continue-on-failure"),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "COLUMNS": "120",
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.contract.signing",
                TOKENS_FILE: str(tmp_path / "tokens.json"),
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        ask_what_no_schema_can_say(address, given)
    print(done.stdout[done.stdout.find("SUMMARY") :])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(operations)}" in done.stdout
    assert re.search(r"✅ +Stateful", done.stdout), "no operation was called with what another one had answered"
    # The provider's two routes answer once texting is set up, which tests/serving/messages does.
    asked = [route for route in operations if " /messages/" not in route]
    never = {route: sorted(answered.statuses[route]) for route in asked if not answered.reached(route)}
    assert not never, f"operations that never answered with 2xx, and what they answered: {never}"
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 300
