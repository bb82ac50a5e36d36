"""schemathesis over every operation of /openapi.json, signed in, with good and bad data: no 500, no undeclared status
or body."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving.app import access_of, create_app
from serving.identity.callers import SEES_PEOPLE, Role
from serving.security.tokens import issue_token
from serving.settings import CdsClient, ServiceSettings
from tests.conftest import ROOT
from tests.contract.signing import TOKENS_FILE
from tests.serving.cds import clients
from tests.serving.running import running

EXAMPLES = 6
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


@pytest.mark.slow
def test_every_operation_keeps_its_word(home: Path, tmp_path: Path) -> None:
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
    with running(app) as address:
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
            timeout=240,
            check=False,
        )
    print(done.stdout[done.stdout.find("SUMMARY") :])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(operations)}" in done.stdout
    assert "returned only 401/403" not in done.stdout, "an operation was called by nobody who may call it"
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 300
