"""The demo sign-in: choose a role, no password. It exists in the demo environment and for this machine only;
production has none."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select
from starlette.requests import Request

from serving.http.problems import Problem, not_found
from serving.identity.callers import Role
from serving.safe_addresses import is_loopback
from serving.security.tokens import SESSION_HOURS, holds_real_people, issue_token
from serving.settings import LOOPBACK_NAMES
from serving.state import Service, service_of
from serving.storage.database import Database
from serving.storage.tables import run_teams
from serving.storage.visible import published_run

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
ALL_TEAMS = "pharmacist"


@dataclass(frozen=True)
class DemoSignIn:
    """One way to sign in to the demo. ``value`` is what the form sends."""

    value: str
    label: str
    role: Role
    team_ids: tuple[str, ...]


def is_open(request: Request) -> bool:
    """True in the demo environment, for a browser on this machine that asked for a loopback name, without a proxy
    between."""
    client = request.client.host if request.client else ""
    return (
        service_of(request).settings.environment == "demo"
        and is_loopback(client)
        and request.url.hostname in LOOPBACK_NAMES
        and not any(name in request.headers for name in FORWARDED)
        # A proxy as it comes writes none of these, and speaks HTTP/1.0; the browser still says where it thinks it is.
        and request.scope.get("http_version") != "1.0"
        and all(_is_here(request.headers.get(name)) for name in ("origin", "referer"))
    )


def _is_here(address: str | None) -> bool:
    return address in (None, "null") or (urlsplit(address).hostname or "") in LOOPBACK_NAMES


def shows_real_people(database: Database) -> bool:
    """True if the published list is of real people: then nobody signs in without a password, whatever the home says."""
    with database.read() as connection:
        return holds_real_people(connection)


def choices(database: Database) -> list[DemoSignIn]:
    """Every role of the demo; a pharmacist of each team of the published run, and one of all of them."""
    query = (
        select(run_teams.c.team_id, run_teams.c.name)
        .where(run_teams.c.run_id == published_run().scalar_subquery())
        .order_by(run_teams.c.name, run_teams.c.team_id)
    )
    with database.read() as connection:
        teams = [(row.team_id, row.name) for row in connection.execute(query)]
    found = [DemoSignIn(f"{ALL_TEAMS}:{team}", f"Pharmacist, {name}", Role.PHARMACIST, (team,)) for team, name in teams]
    if len(teams) > 1:
        every = tuple(team for team, _ in teams)
        found.insert(0, DemoSignIn(ALL_TEAMS, "Pharmacist, every team of the demo", Role.PHARMACIST, every))
    found += [
        DemoSignIn(Role.DATA_SCIENTIST, "Data scientist (sees no people)", Role.DATA_SCIENTIST, ()),
        DemoSignIn(Role.AUDITOR, "Auditor (sees no people)", Role.AUDITOR, ()),
        DemoSignIn(Role.OPERATOR, "Operator (sees no people)", Role.OPERATOR, ()),
    ]
    return found


def demo_pharmacists(service: Service) -> dict[str, list[str]]:
    """The names of a demo's pharmacists by team, whether they are signed in or not; none outside the demo."""
    if service.settings.environment != "demo":
        return {}
    found: dict[str, list[str]] = {}
    for choice in choices(service.database):
        for team in choice.team_ids:
            found.setdefault(team, []).append(choice.label)
    return found


def open_session(service: Service, value: str) -> str:
    """A session for one of ``choices``; the secret goes into the cookie. 422 for anything else."""
    if shows_real_people(service.database):
        raise not_found()
    chosen = next((choice for choice in choices(service.database) if choice.value == value), None)
    if chosen is None:
        raise Problem(422, "invalid-request", "Choose one of the roles listed.")
    return issue_token(
        service.database,
        chosen.role,
        list(chosen.team_ids),
        chosen.label,
        days=SESSION_HOURS / 24,
        kind="session",
        lead=len(chosen.team_ids) == 1,
    )


def require_open(request: Request) -> None:
    if not is_open(request):
        raise not_found()
