"""Commands that score and serve: ``score``, ``serve``, ``membership``, ``token`` and ``audit``. Each command imports
its packages when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, command_group, count_of, report
from serving.identity.callers import Role
from serving.worklists.ranking import Ranking

if TYPE_CHECKING:
    from serving.identities.keys import IdentityKeys

app = command_group("Score and serve.")
audit = command_group("The audit log.")
identities = command_group("Names and NHS numbers that pages show.")
keys = command_group("Keys that sign bundles and checkpoints of the audit log.")
person = command_group("What is held about one person: a copy of it, and its erasure.")
token = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def score(
    home: Home = DEFAULT_HOME,
    store: Annotated[Path | None, typer.Option(help="Store to score; the home's store by default.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Date to score, YYYY-MM-DD; by default the day after the newest event."),
    ] = None,
    ranking: Annotated[Ranking, typer.Option(help="Order of the published lists.")] = Ranking.RISK,
    explained_days: Annotated[
        int,
        typer.Option(
            min=1, help="Runs older than this many days keep risks, ranks and gaps, and lose their explanations."
        ),
    ] = 35,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Publish a refused list. Give --by and --why with it.")
    ] = False,
    by: Annotated[
        str, typer.Option(help="Who confirms that the refused list is right. Written to the audit log.")
    ] = "",
    why: Annotated[
        str, typer.Option(help="Why it is right, without details of any person. Written to the audit log.")
    ] = "",
    fhir: Annotated[
        Path | None, typer.Option(help="New folder for the published list as FHIR R4 NDJSON, for other systems.")
    ] = None,
    silent: Annotated[
        bool, typer.Option("--silent", help="Score and lock, and show nobody. Publishes no list.")
    ] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="With --silent: bundle to score with, for a challenger; the home's by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the nightly job: score everyone on a caseload and publish the worklists. It publishes all teams or none.

    The new records are compared with those behind the published list. If they differ by more than mlflow.yaml allows
    (arrival), nothing is published, the message says why, and the exit code is 1. --accept-change publishes them when
    a named person confirms them.

    Example: upstream score --home .upstream
    """
    from features.settings import NightlySettings, load_settings
    from serving.nightly.arrival import Acceptance
    from serving.nightly.run import score_store

    if (by or why) and not accept_change:
        raise CommandError("--by and --why need --accept-change; add it, or leave them out")
    settings = load_settings(NightlySettings)
    if silent:
        from serving.nightly.silent import score_silently

        kinds = settings.cohort.in_scope_team_kinds
        locked = score_silently(store or home / "store", bundle or home / "bundles", home, as_of, kinds)
        report(locked.as_dict(), as_json, locked.lines)
        return
    if bundle is not None:
        raise CommandError("--bundle needs --silent: the published list comes from the home's own bundle")
    summary = score_store(
        store or home / "store",
        home / "bundles",
        home,
        as_of,
        in_scope_kinds=settings.cohort.in_scope_team_kinds,
        ranking=ranking,
        explained_days=explained_days,
        tolerances=settings.arrival,
        lottery=settings.lottery,
        accept=Acceptance(by, why) if accept_change else None,
        progress=count_of,
    )
    exported: dict[str, object] = {}
    if fhir is not None:
        from serving.fhir.export import export_run

        exported = {"fhir": export_run(home, fhir)["output"]}
    report({**summary.as_dict(), **exported}, as_json, summary.lines)


@app.command()
def serve(
    home: Home = DEFAULT_HOME,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 picks a free one.")] = 8000,
    log: Annotated[Path | None, typer.Option(help="File for the log of requests; standard error by default.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Sign in by choosing a role, without a password. Synthetic homes only.")
    ] = False,
) -> None:
    """Serve scores, worklists and pages from the home's bundle and database.

    People sign in at the trust's identity provider and programs bring tokens. With --demo, a home made by
    ``upstream demo`` offers a sign-in for each role instead: on this machine only, and only while all its data is
    synthetic.

    Example: upstream serve --home .upstream --port 8000
    """
    from models.bundle.not_promoted import is_demo
    from serving.app import serve as run

    if demo and not is_demo(home):
        raise CommandError(f"{home} was not made by `upstream demo`; leave --demo out")
    if demo:
        os.environ["UPSTREAM_ENVIRONMENT"] = "demo"
    elif is_demo(home) and "UPSTREAM_ENVIRONMENT" not in os.environ:
        typer.echo("this home is a demo: add --demo to sign in by choosing a role, without a password", err=True)
    run(
        home,
        host,
        port,
        on_ready=lambda url: typer.echo(f"serving at {url}; stop with Ctrl-C", err=True),
        log_file=log,
    )


@app.command()
def digest(
    home: Home = DEFAULT_HOME,
    out: Annotated[Path | None, typer.Option(help="File to write it to; standard output by default.")] = None,
    as_json: Json = False,
) -> None:
    """The week of every team in counts, to send: how many people have overdue care, how many were reviewed.

    It names nobody. Run it once a week, after the nightly run.

    Example: upstream digest --home .upstream --out digest.txt
    """
    from serving.auditlog.log import Audit
    from serving.digest.service import EVERY_TEAM, weekly_digest
    from serving.storage import migrations

    with migrations.opened(home) as database:
        found = weekly_digest(database, EVERY_TEAM, Audit(database, "command line", "operator", "none"))
    text = found.model_dump_json(indent=2) if as_json else "\n".join(found.lines())
    if out is None:
        typer.echo(text)
        return
    out.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"written to {out}", err=True)


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


@audit.command("verify")
def audit_verify(
    home: Home = DEFAULT_HOME,
    against: Annotated[
        str | None, typer.Option(help="A head that an earlier run printed, kept on another machine.")
    ] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(help="A file that `upstream audit checkpoint` wrote: each must be in the chain.")
    ] = None,
    trusted: Annotated[
        Path | None, typer.Option(help="Public key, or folder of them, of the checkpoints; the home's by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the audit chain from its first event. Finds events that were changed, removed, reordered or cut off. Exit
    code 1 if there are any.

    Somebody who can write the database can rewrite the chain as a whole. Only a head or a signed checkpoint that was
    kept on another machine shows that.

    Example: upstream audit verify --home .upstream --checkpoints /mnt/audit/checkpoints.jsonl
    """
    from models.signing import TrustedKeys
    from serving.auditlog.home import verify_home

    found = verify_home(home, against, checkpoints, None if trusted is None else TrustedKeys.load(trusted))
    report(found.as_dict(), as_json, found.lines)
    if found.broken:
        raise typer.Exit(1)


KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="Key file; UPSTREAM_IDENTITY_KEY_FILE by default. Keep it off the database."),
]


@identities.command("load")
def identities_load(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: patient_id, name, birth_date, nhs_number.")],
    home: Home = DEFAULT_HOME,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Give pages the names of people, sealed by a key that is not in the database. Replaces the table as a whole.

    Pharmacists then see who somebody is, of their own teams only, and find people by name or NHS number. What a row
    says wrongly is left out and counted, by row number. Ids that are NHS numbers need UPSTREAM_NHS_KEY_FILE.

    Example: upstream identities load names.csv --home .upstream --key identity.key
    """
    from features.records.nhs_numbers import NhsKey
    from serving.identities.loading import load_identities

    number_key = os.environ.get("UPSTREAM_NHS_KEY_FILE")
    found = load_identities(
        home, file, _identity_keys(home, key), NhsKey.read(Path(number_key)) if number_key else None
    )
    report(found.as_dict(), as_json, found.lines)


@identities.command("rotate")
def identities_rotate(home: Home = DEFAULT_HOME, key: KeyFile = None) -> None:
    """Seal every name by the first key of the key file. Put a new key on top first; remove the old one afterwards.

    Example: upstream identities rotate --home .upstream --key identity.key
    """
    from serving.identities.loading import rotate

    again = rotate(home, _identity_keys(home, key))
    typer.echo(f"{again:,} identities sealed by the current key; restart the service, then remove the old key")


def _identity_keys(home: Path, given: Path | None) -> IdentityKeys:
    from serving.identities.keys import IdentityKeys
    from serving.settings import IDENTITY_KEY

    path = given or Path(os.environ.get("UPSTREAM_IDENTITY_KEY_FILE") or home / IDENTITY_KEY)
    return IdentityKeys.read(path)


@audit.command("checkpoint")
def audit_checkpoint(
    to: Annotated[
        Path, typer.Option(help="File to append to, best on another machine.", envvar="UPSTREAM_CHECKPOINTS")
    ],
    key: Annotated[
        Path, typer.Option(help="Private key that signs (`upstream keys new`).", envvar="UPSTREAM_AUDIT_KEY")
    ],
    home: Home = DEFAULT_HOME,
    by: Annotated[str, typer.Option(help="Who or what signs.")] = "nightly job",
    as_json: Json = False,
) -> None:
    """Sign the newest event of the audit log into a file. Run it after each nightly run, and keep the file elsewhere.

    Example: upstream audit checkpoint --home .upstream --key audit.key --to /mnt/audit/checkpoints.jsonl
    """
    from models.signing import SigningKey
    from serving.auditlog.home import checkpoint_home

    made = checkpoint_home(home, SigningKey.load(key), to, by)
    report(made.model_dump(mode="json"), as_json, lambda: [f"event {made.seq} signed into {to}"])


@keys.command("new")
def keys_new(
    name: Annotated[Path, typer.Argument(help="Path without suffix: NAME.key (secret) and NAME.pub are written.")],
) -> None:
    """Make an Ed25519 key pair. Keep NAME.key away from the database and the home; put NAME.pub into the folder
    `trusted_keys` of each home that shall ask for its signature.

    Example: upstream keys new /etc/upstream/promotion
    """
    from models.signing import new_key

    private, public = name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")
    typer.echo(f"key {new_key(private, public)}: {private} (secret) and {public}")


PersonOption = Annotated[str, typer.Option("--id", help="The person's local id, as the records have it.")]


@person.command("export")
def person_export(
    patient_id: PersonOption,
    out: Annotated[Path, typer.Option(help="New file for the copy (JSON). Only you can read it.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Write everything that is held about a person into a file, for subject access. Written to the audit log.

    Example: upstream person export --home .upstream --id p1 --out copy.json
    """
    import json

    from serving.data_rights.service import export_person

    if out.exists():
        raise CommandError(f"{out} exists already; choose another file with --out")
    found = export_person(home, patient_id)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=2, ensure_ascii=False)
    typer.echo(f"written to {out}", err=True)


@person.command("erase")
def person_erase(
    patient_id: PersonOption,
    by: Annotated[str, typer.Option(help="Who decided it. Written to the audit log.")],
    why: Annotated[str, typer.Option(help="Why, without details of the person. Written to the audit log.")],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Erase a person from the service database and the home's store. A later extract does not bring them back.

    The audit log, reviews, emergency accesses and the log of who was shown stay; the answer says why.

    Example: upstream person erase --home .upstream --id p1 --by "Sam Ward" --why "request 2026/14"
    """
    from serving.data_rights.service import erase_person

    done = erase_person(home, patient_id, by, why)
    report(done.as_dict(), as_json, done.lines)


@app.command()
def retention(
    home: Home = DEFAULT_HOME,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, and delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is older than mlflow.yaml keeps (retention). Written to the audit log. Run it once a week.

    Example: upstream retention --home .upstream --dry-run
    """
    from features.settings import NightlySettings, load_settings
    from serving.data_rights.service import apply_retention

    found = apply_retention(home, load_settings(NightlySettings).retention, dry_run=dry_run)
    lines = [f"{'would go' if dry_run else 'deleted'}: {count:,} {name}" for name, count in found.items()]
    report({"deleted": found, "dry_run": dry_run}, as_json, lambda: lines)


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
