"""The command line: the verbs of every package, ``demo`` and ``doctor``.

Verbs live beside what they run: ``features/cli.py``, ``training/cli/``, ``serving/cli/``. Each imports its package
only when it runs, so that ``--help`` is quick. Exit codes: ``features/console.py``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

# Each library gets one thread, because the commands start their own processes and threads. This must be set before
# any library loads. It overrides the shell, because figures and running times were measured this way.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

import typer

import features.cli
import serving.cli
import training.cli
from features.console import (
    DEFAULT_HOME,
    CommandError,
    Commands,
    DoctorFinding,
    Home,
    Json,
    Steps,
    looked_at,
    report,
)
from serving.cli import rows

DEMO_PEOPLE = 9_000
"""Enough people to tell a lead of 0.03 over the best simple rule from chance (docs/evaluation.md, "The gates")."""

app = typer.Typer(
    cls=Commands,
    help="Risk stratification and overdue or missing care for community mental health teams.",
    epilog="Exit codes: 0 done; 1 not done, or a check found something, and standard error says what to do; "
    "2 the command line was not understood.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(features.cli.ingest, name="ingest")
app.add_typer(features.cli.export, name="export")
app.add_typer(features.cli.features, name="features")
app.add_typer(training.cli.app)
app.add_typer(training.cli.impact, name="impact")
app.add_typer(training.cli.model, name="model")
app.add_typer(training.cli.silent, name="silent")
app.add_typer(serving.cli.app)
app.add_typer(serving.cli.audit, name="audit")
app.add_typer(serving.cli.identities, name="identities")
app.add_typer(serving.cli.keys, name="keys")
app.add_typer(serving.cli.person, name="person")
app.add_typer(serving.cli.texting, name="texting")
app.add_typer(serving.cli.token, name="token")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"upstream {version('upstream')}")
        except PackageNotFoundError:
            typer.echo("upstream, not installed as a package")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    context.obj = training.cli.ServiceRows(rows.impact, rows.locks, rows.month, rows.exposure, rows.ratings)


@app.command()
def doctor(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Find what is wrong with an installation and a home, and say what to do. Exit code 1 if anything is.

    Example: upstream doctor --home .upstream
    """
    findings = list(_findings(home))
    ok = all(finding.ok for finding in findings)
    report(
        {"ok": ok, "checks": [finding.as_dict() for finding in findings]},
        as_json,
        lambda: [line for finding in findings for line in finding.lines()],
    )
    if not ok:
        raise typer.Exit(1)


def _findings(home: Path) -> Iterator[DoctorFinding]:
    from importlib.util import find_spec

    from features import Records
    from features.settings import NightlySettings, load_settings, settings_path
    from models import RiskModel
    from serving.runs.published import published

    def settings() -> str:
        load_settings(NightlySettings)
        return str(settings_path())

    missing = [name for name in ("mlflow", "sklearn", "shap") if find_spec(name) is None]
    yield DoctorFinding("Python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield looked_at("settings", settings, "correct the file named above, or set UPSTREAM_SETTINGS to another file")
    yield DoctorFinding("training extra", True, "installed" if not missing else "not installed; only training needs it")
    yield looked_at(
        "store", lambda: f"{len(Records.load(home / 'store')):,} people", "run upstream ingest, or upstream demo"
    )
    if missing:
        yield DoctorFinding("champion", True, "not checked: this needs the training extra")
    else:
        yield looked_at("champion", lambda: _champion(home), "run upstream train, then upstream promote")
    yield looked_at(
        "bundle", lambda: RiskModel.load(home / "bundles", self_test=True).manifest.bundle_id, "upstream sync"
    )
    yield looked_at("signatures", lambda: _signatures(home), "see docs/security.md, Which model serves")
    yield looked_at("worklists", lambda: published(home), "upstream score")


def _champion(home: Path) -> str:
    from training.demo import champion

    return champion(home)


def _signatures(home: Path) -> str:
    from models import RiskModel
    from models.bundle.signature import refuse_unsigned
    from models.signing import TrustedKeys

    trusted = TrustedKeys.of_home(home)
    if trusted is None:
        return "not asked for: no trusted keys, so any bundle with sound hashes is served"
    model = RiskModel.load(home / "bundles", self_test=False)
    refuse_unsigned(model.manifest, model.signature, home)
    return f"{len(trusted.keys)} trusted keys; " + (
        f"signed by {model.signature.signed_by}" if model.signature else "a demo's model, not promoted and not signed"
    )


@app.command("demo")
def make_demo(
    home: Home = DEFAULT_HOME,
    patients: Annotated[int, typer.Option(min=200, help="People in the simulated trust.")] = DEMO_PEOPLE,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Do everything except serve.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete what an earlier demo left and start again.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 picks a free one.")] = 8000,
) -> None:
    """Build a simulated trust and show its worklists in a browser. Everything in it is synthetic.

    Example: upstream demo --no-serve --patients 600 --home demo
    """
    from serving.nightly.demo import invent_names, publish_lists
    from training import demo

    demo.begin(home, patients, fresh)
    steps, settings = Steps(9), demo.demo_settings()
    records = demo.simulated(steps, home, patients)
    demo.served_model(steps, home, settings, records)
    publish_lists(steps, home, settings.cohort.in_scope_team_kinds, records)
    with steps.step("check what was made") as say:
        bad = [line for finding in _findings(home) if not finding.ok for line in finding.lines()]
        if bad:
            raise CommandError("\n".join(bad))
        say("bundle, worklists and store are whole")
    invent_names(steps, home, records)
    with steps.step("invent mobile numbers") as say:
        from serving.messages.fake.demo import brings_to, invent_numbers, phones_beside_the_demo

        say(f"{invent_numbers(home):,} people have a number of the range for drama; most agreed to texts")
    if no_serve:
        steps.end(f"The demo is ready in {home}.")
    else:
        os.environ.setdefault("UPSTREAM_ENVIRONMENT", "demo")
        from serving.start import serve

        log = home / "service.log"
        with phones_beside_the_demo() as phones:

            def ready(url: str) -> None:
                if phones is not None:
                    brings_to(phones, url)
                    steps.note(f"Texts appear on simulated phones at {phones.address}, where you can answer them.")
                steps.end(f"Open {url} and choose a role to sign in. Stop with Ctrl-C. Requests are logged in {log}.")

            serve(home, "127.0.0.1", port, on_ready=ready, log_file=log)


def main() -> None:
    os.umask(0o077)  # The home holds data about people, so only the account that made it may read it.
    serving.cli.read_secret_files()
    app()


if __name__ == "__main__":
    main()
