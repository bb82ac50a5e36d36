"""Every route by every role, for the own team and for another, asked of a service that runs: ``python -m
tests.serving.matrix`` prints the table."""

from __future__ import annotations

import re
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from serving.security.tokens import issue_token

ROLES = ("pharmacist", "cmht_system", "data_scientist", "auditor", "operator")
SEE_PEOPLE = ("pharmacist", "cmht_system")
CHOICES = ("pharmacist:north", "data_scientist", "auditor", "operator")


def measured(
    rows: list[tuple[str, str, str | None]],
    pages: list[tuple[str, str | None]],
    bodies: dict[str, object],
    client: TestClient,
    headers_of: Callable[[str], dict[str, str]],
) -> dict[tuple[str, str], str]:
    """What each route really answered to each role: ``{(route, role): "200 / 404"}``, the own team and another."""
    found: dict[tuple[str, str], str] = {}
    client.cookies.clear()
    for method, path, other in rows:
        for role in ROLES:
            codes = []
            for address in (path, other):
                if address is not None:
                    headers = headers_of(role) | {"Idempotency-Key": secrets.token_hex(8)}
                    body = bodies[address] if method == "POST" else None
                    codes.append(client.request(method, address, headers=headers, json=body).status_code)
            found[f"{method} {path}", role] = " / ".join(map(str, dict.fromkeys(codes)))
    for choice in CHOICES:
        client.cookies.clear()
        assert client.post("/sign-in", data={"choice": choice}).status_code == 303
        for path, other in pages:
            codes = [client.get(address).status_code for address in (path, other) if address is not None]
            found[f"GET {path} (page)", re.split(":", choice)[0]] = " / ".join(map(str, dict.fromkeys(codes)))
    client.cookies.clear()
    return found


def lines(found: dict[tuple[str, str], str]) -> list[str]:
    """The table, one line a route; a dash where a role has no way to ask."""
    routes = list(dict.fromkeys(route for route, _ in found))
    head = ["| route | " + " | ".join(ROLES) + " |", "| --- |" + " --- |" * len(ROLES)]
    return [
        *head,
        *(f"| {route} | " + " | ".join(found.get((route, role), "-") for role in ROLES) + " |" for route in routes),
    ]


def main() -> None:
    from tests.serving import conftest, world
    from tests.serving.security import test_who_may_see_what

    with tempfile.TemporaryDirectory() as folder:
        home = world.make_home(Path(folder))
        teams = {"pharmacist": ["north"], "cmht_system": ["north"]}
        tokens = {role: issue_token(home, role, teams.get(role), "matrix", lead=role == "pharmacist") for role in ROLES}
        with conftest.client_of(home) as client:
            rows, pages, bodies = test_who_may_see_what.asked()
            found = measured(rows, pages, bodies, client, lambda role: {"Authorization": f"Bearer {tokens[role]}"})
    sys.stdout.write(
        "own team / another team; 404 is the answer for another team's people\n\n" + "\n".join(lines(found)) + "\n"
    )


if __name__ == "__main__":
    main()
