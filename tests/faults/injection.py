"""SQL injection, tried with sqlmap on loopback: ``python -m tests.faults.injection``. Needs the extra ``bench``; a few
minutes.

Each kind of address, query, header and body of the interface that takes text is attacked on the service as it runs, by
a role that may call it; and so is a little service that is wrong on purpose, to show that the attack would find one.
Exit code 1 if anything but that one was found. ``SQLMAP`` in the environment names the program, if it is elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from serving.app import create_app
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings, database_url_of
from tests.serving.running import running

SQLMAP = Path(os.environ.get("SQLMAP", Path(sys.executable).parent / "sqlmap"))
FOUND = ("is vulnerable", "identified the following injection point")
SECONDS = 240
EVERYTHING_ANSWERED = "all tested parameters do not appear to be injectable"


@dataclass(frozen=True)
class Target:
    """One request; ``*`` marks each place that is attacked."""

    role: str
    path: str
    body: str = ""
    headers: tuple[str, ...] = field(default=())


TARGETS = (
    Target("pharmacist", "/v1/patients/N03*"),
    Target("pharmacist", "/v1/teams/north*/worklist"),
    Target("pharmacist", "/v1/teams/north/worklist?outcome=admission*&horizon=90*&ranking=risk*"),
    Target("pharmacist", "/v1/teams/north/worklist?gap=x*&reason=x*&medicine=x*"),
    Target("pharmacist", "/v1/teams/north*/overview"),
    Target("pharmacist", "/v1/patients/N03*/gap-statuses"),
    Target("pharmacist", "/v1/patients/N03/gaps/x*/status", '{"status": "open"}'),
    Target("pharmacist", "/v1/patients/N03/work", '{"given_to": "x*"}'),
    Target("cmht_system", "/fhir/RiskAssessment?patient=x*&subject=x*"),
    Target("cmht_system", "/fhir/DetectedIssue/CLZ-FBC-OVERDUE.N00*"),
    Target("auditor", "/v1/audit/events?actor=x*&action=x*&patient_id=x*"),
    Target("cmht_system", "/v1/scores", '{"people": [{"patient_id": "X*", "tables": {}}]}'),
    Target(
        "pharmacist",
        "/v1/patients/N03/reviews",
        '{"actions": ["gp_informed"], "replaces": "x*"}',
        ("Idempotency-Key: key*",),
    ),
)


def attack(address: str, target: Target, token: str) -> tuple[bool, bool]:
    """Whether sqlmap found a way in, and whether it came to an end."""
    words = [
        str(SQLMAP),
        "-u",
        address + target.path,
        "--batch",
        "--flush-session",
        "--level=1",
        "--risk=1",
        "--technique=BEU",
    ]
    words += [
        "--disable-coloring",
        "--ignore-code=*",
        "--threads=2",
        "--timeout=20",
        "--retries=0",
        "--header",
        f"Authorization: Bearer {token}",
    ]
    for header in target.headers:
        words += ["--header", header]
    if target.body:
        words += ["--data", target.body, "--header", "Content-Type: application/json"]
    with tempfile.TemporaryDirectory() as folder:
        words += ["--output-dir", folder]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return False, False
    said = (done.stdout + done.stderr).lower()
    found = any(words in said for words in FOUND)
    return found, found or EVERYTHING_ANSWERED in said


def wrong_on_purpose(url: str) -> FastAPI:
    """A service that pastes what it is sent into its SQL."""
    app = FastAPI(docs_url=None, redoc_url=None)
    engine = create_engine(url)

    @app.get("/people")
    def people(name: str) -> list[str]:
        try:
            with engine.connect() as connection:
                query = f"SELECT action FROM audit_events WHERE 'x' = '{name}'".replace(":", r"\:")
                return list(connection.scalars(text(query)))
        except SQLAlchemyError:
            return []

    return app


def outcomes() -> Iterator[tuple[str, str, bool]]:
    """``(what, outcome, as it should be)`` for each target, the one that is wrong on purpose last."""
    from tests.serving import world

    with tempfile.TemporaryDirectory() as folder:
        home = world.make_home(Path(folder))
        teams = {"pharmacist": ["north"]}
        tokens = {
            role: issue_token(home, role, teams.get(role), "sqlmap")
            for role in ("pharmacist", "auditor", "cmht_system")
        }
        shares = dict.fromkeys(("rate_per_minute", "system_rate_per_minute", "stranger_rate_per_minute"), 10**7)
        with running(create_app(ServiceSettings(home=home, **shares))) as address:
            for target in TARGETS:
                found, ended = attack(address, target, tokens[target.role])
                said = "A WAY IN" if found else "nothing found" if ended else f"not finished in {SECONDS} s"
                yield f"{'POST' if target.body else 'GET'} {target.path}", said, ended and not found
        with running(wrong_on_purpose(database_url_of(home))) as address:
            found, _ = attack(address, Target("", "/people?name=x*"), "none")
            yield "GET /people?name= (wrong on purpose)", "a way in, as it should" if found else "NOT FOUND", found


def main() -> int:
    if not SQLMAP.exists():
        sys.stderr.write("sqlmap is not installed; pip install -e '.[bench]'\n")
        return 2
    good = True
    for what, said, as_it_should in outcomes():
        sys.stdout.write(f"{what:<90} {said}\n")
        sys.stdout.flush()
        good &= as_it_should
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
