"""``upstream score``, ``serve`` and ``digest``: the nightly run and what it is shown by."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, count_of, report
from serving.cli.groups import app
from serving.worklists.ranking import Ranking

if TYPE_CHECKING:
    pass


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
    score_all: Annotated[
        bool, typer.Option("--score-all", help="Also score people whose records are those of a run of the same day.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the nightly job: score everyone on a caseload and publish the worklists. It publishes all teams or none.

    The new records are compared with those behind the published list. If they differ by more than mlflow.yaml allows
    (arrival), nothing is published, the message says why, and the exit code is 1. --accept-change publishes them when
    a named person confirms them.

    A second run of one day (a late or corrected extract) scores only the people whose records changed, and copies the
    others from the earlier run. The result is the same. On another day everybody is scored.

    Replies by text with a closed code become contacts of the store first, each known from the day it came in.

    Example: upstream score --home .upstream
    """
    from features.settings import NightlySettings, load_settings
    from serving.messages.reply_contacts import add_reply_contacts
    from serving.nightly.arrival import Acceptance
    from serving.nightly.priority import letting_others_first
    from serving.nightly.run import score_store

    if (by or why) and not accept_change:
        raise CommandError("--by and --why need --accept-change; add it, or leave them out")
    settings = load_settings(NightlySettings)
    if bundle is not None and not silent:
        raise CommandError("--bundle needs --silent: the published list comes from the home's own bundle")
    progress = letting_others_first(count_of)
    replies = add_reply_contacts(home, store or home / "store")
    for line in replies.lines():
        typer.echo(line, err=True)
    if silent:
        from serving.nightly.silent import score_silently

        kinds = settings.cohort.in_scope_team_kinds
        locked = score_silently(store or home / "store", bundle or home / "bundles", home, as_of, kinds)
        report(locked.as_dict(), as_json, locked.lines)
        return
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
        score_all=score_all,
        progress=progress,
    )
    exported: dict[str, object] = {}
    if fhir is not None:
        from serving.fhir.export import export_run

        exported = {"fhir": export_run(home, fhir)["output"]}
    report({**summary.as_dict(), "replies_by_text": replies.as_dict(), **exported}, as_json, summary.lines)


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
    from serving.messages.fake.demo import brings_to, phones_beside_the_demo
    from serving.start import serve as run

    if demo and not is_demo(home):
        raise CommandError(f"{home} was not made by `upstream demo`; leave --demo out")
    if demo:
        os.environ["UPSTREAM_ENVIRONMENT"] = "demo"
    elif is_demo(home) and "UPSTREAM_ENVIRONMENT" not in os.environ:
        typer.echo("this home is a demo: add --demo to sign in by choosing a role, without a password", err=True)
    with phones_beside_the_demo() if demo else nullcontext() as phones:

        def ready(url: str) -> None:
            if phones is not None:
                brings_to(phones, url)
                typer.echo(f"texts appear on simulated phones at {phones.address}", err=True)
            typer.echo(f"serving at {url}; stop with Ctrl-C", err=True)

        run(home, host, port, on_ready=ready, log_file=log)


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
