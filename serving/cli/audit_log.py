"""``upstream audit`` and ``keys``: the log of who saw and changed what, and the keys that sign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import DEFAULT_HOME, Home, Json, report
from serving.cli.groups import audit, keys

if TYPE_CHECKING:
    pass


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


@audit.command("safety-report")
def audit_safety_report(
    first: Annotated[str, typer.Option("--from", help="First day, as 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day, as 2026-03-31.")],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Count what the logs hold about safety in a period: incidents, overridden cards, gaps marked not applicable,
    refused runs, emergency accesses, late lists. It names nobody.

    Example: upstream audit safety-report --home .upstream --from 2026-01-01 --to 2026-03-31
    """
    import datetime as dt

    from serving.auditing.safety_report import PeriodRefused, safety_report

    try:
        begin, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        raise PeriodRefused("--from and --to: write a day as year, month and day, for example 2026-01-05") from None
    found = safety_report(home, begin, end)
    report(found.as_dict(), as_json, found.lines)


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
