"""``upstream membership`` and ``token``: who may see whose people, and until when."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, report
from serving.cli.groups import app, token
from serving.identity.callers import Role

if TYPE_CHECKING:
    pass


@app.command()
def membership(
    issuer: Annotated[str, typer.Option(help="The identity provider, as named in its tokens (iss).")],
    subject: Annotated[str, typer.Option(help="The person, as named in the provider's tokens (sub).")],
    source: Annotated[str, typer.Option(help="On whose word.")],
    team: Annotated[str | None, typer.Option(help="A team whose people they may see.")] = None,
    lead: Annotated[bool, typer.Option("--lead", help="They lead the team and may download its list as CSV.")] = False,
    role: Annotated[Role | None, typer.Option(help="Their role, if the provider gives none.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First day on which they are no longer a member.")] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Put somebody in a team or give them a role (--from), or end either (--to alone). Written to the audit log.

    Example: upstream membership --issuer https://id.example --subject sam --team T01 --from 2026-01-05 --source rota
    """
    from serving.security import memberships

    if (team is None) == (role is None):
        raise typer.BadParameter("give either a --team or a --role, not both")
    first, last = _day("--from", begin), _day("--to", end)
    if first is not None and team:
        memberships.join_team(home, issuer, subject, team, first, last, source, lead)
    elif first is not None and role:
        memberships.assign_role(home, issuer, subject, role, first, last, source)
    elif last is None:
        raise CommandError("give the day it begins (--from) or ends (--to)")
    elif team and not memberships.leave_team(home, issuer, subject, team, last, source):
        raise CommandError(f"that person is not in team {team} now")
    elif role and not memberships.withdraw_role(home, issuer, subject, role, last, source):
        raise CommandError(f"that person does not hold the role {role} now")
    typer.echo(f"{team or role}: {f'from {first}' if first else f'ends {last}'}")


def _day(option: str, text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"{option} is not a date; write YYYY-MM-DD") from None


@token.callback(invoke_without_command=True)
def token_make(
    context: typer.Context,
    role: Annotated[Role | None, typer.Option(help="Role of the token's holder.")] = None,
    home: Home = DEFAULT_HOME,
    team: Annotated[list[str] | None, typer.Option("--team", help="A team the token may see; repeat for more.")] = None,
    label: Annotated[str, typer.Option(help="A name for it in the access log.")] = "",
    days: Annotated[float, typer.Option(help="How long it is valid.")] = 90,
    lead: Annotated[bool, typer.Option("--lead", help="The holder is a pharmacist who leads these teams.")] = False,
) -> None:
    """Make a bearer token. It is shown once, alone on the last line.

    ``list`` shows live tokens and sessions; ``revoke`` ends them.

    Example: upstream token --home .upstream --role pharmacist --team T01
    """
    from serving.security.tokens import issue_token

    if context.invoked_subcommand is not None:
        return
    if role is None:
        raise typer.BadParameter("give a role, or one of the commands list and revoke", param_hint="--role")

    made = issue_token(home, role, team, label, days, lead=lead)
    typer.echo(
        f"A {role} token for {', '.join(team) if team else 'all teams it may see'}, valid for {days:g} days. "
        "Copy it now: it is not stored.",
        err=True,
    )
    typer.echo(made)


@token.command("list")
def token_list(
    home: Home = DEFAULT_HOME,
    ended: Annotated[bool, typer.Option("--ended", help="Also show expired and revoked ones.")] = False,
    as_json: Json = False,
) -> None:
    """List live tokens and sessions: holder, teams and expiry, never the secret.

    Example: upstream token list --home .upstream
    """
    from dataclasses import asdict

    from serving.security.tokens import issued

    found = issued(home, ended=ended)
    report(
        {"tokens": [asdict(one) for one in found]},
        as_json,
        lambda: [one.line() for one in found] or ["there are no live tokens or sessions"],
    )


@token.command("revoke")
def token_revoke(
    source: Annotated[str, typer.Option(help="Who asked for this, or why. Written to the audit log.")],
    token_id: Annotated[
        str | None, typer.Option("--id", help="Id of a token or session, from `upstream token list`.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="A person, as named in the provider's tokens (sub). Ends all their sessions.")
    ] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """End a token or a session at once, or all sessions of a person. Written to the audit log.

    Example: upstream token revoke --home .upstream --id 3f1c0a52b7e94d68 --source "lost laptop"
    """
    from serving.security.tokens import end_access

    ended = end_access(home, source, token_id=token_id, subject=subject)
    if not ended:
        raise CommandError("no live token or session has that id; `upstream token list` shows them")
    typer.echo(f"ended: {', '.join(ended)}")
