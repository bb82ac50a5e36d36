"""The command line: the verbs of every package, ``demo`` and ``doctor``.

Verbs live beside what they run: ``features/cli.py``, ``training/cli.py``, ``serving/cli.py``. Each imports its package
only when it runs, so that ``--help`` is quick. Exit codes: ``features/console.py``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from features.console import DEFAULT_HOME, CommandError, Commands, DoctorFinding, Home, Json, Steps, looked_at, report

if TYPE_CHECKING:
    from features import Records
    from training.settings import Settings

PEOPLE_A_TEAM = 375
DEMO_PEOPLE = 9_000
"""Enough people to tell a lead of 0.03 over the best simple rule from chance (docs/evaluation.md, "The gates")."""
EARLIER_LISTS = 3
DEMO_NOTE = "demo.json"

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
app.add_typer(serving.cli.app)
app.add_typer(serving.cli.audit, name="audit")
app.add_typer(serving.cli.identities, name="identities")
app.add_typer(serving.cli.keys, name="keys")
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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None: ...


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
    yield looked_at("worklists", lambda: _published(home), "upstream score")


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


def _champion(home: Path) -> str:
    from training.registry import tracking
    from training.settings import Settings

    if shown := _shown_unpromoted(home):
        return f"none: a demo shows {shown}, which was not promoted"
    return f"version {tracking.open_store(home, Settings.load().tracking).version(tracking.CHAMPION).version}"


def _published(home: Path) -> str:
    from serving.runs.repository import current_run, newest_refusal
    from serving.runs.schemas import STALE_DAYS, RunInfo
    from serving.storage import migrations

    with migrations.opened(home) as database, database.read() as connection:
        run, refused = current_run(connection), newest_refusal(connection)
    problems = []
    if refused is not None:
        problems = [f"a newer list was refused on {refused.refused_at:%-d %B %Y}:", *refused.reasons]
    if run is None:
        problems.append("nothing is published yet")
    elif RunInfo.of(run).is_stale(dt.date.today()):
        problems.append(f"the published list is as of {run.as_of:%-d %B %Y}, more than {STALE_DAYS} days ago")
    if run is None or problems:
        raise CommandError("\n".join(problems))
    return f"run of {run.as_of}"


@app.command()
def demo(
    home: Home = DEFAULT_HOME,
    patients: Annotated[int, typer.Option(min=200, help="People in the simulated trust.")] = DEMO_PEOPLE,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Do everything except serve.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete what an earlier demo left and start again.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 picks a free one.")] = 8000,
) -> None:
    """Build a simulated trust and show its worklists in a browser. Everything in it is synthetic.

    Example: upstream demo --no-serve --patients 600 --home demo
    """
    from training.settings import Settings

    _begin_demo(home, patients, fresh)
    steps, settings = Steps(8), Settings.load()
    # A demo of any size ends with a page. A small demo calibrates on few events and reports how few events its gates
    # could judge.
    few = settings.training.model_copy(update={"fewest_calibration_events": 1})
    settings = settings.model_copy(update={"training": few})
    records = _demo_records(steps, home, patients)
    _demo_model(steps, home, settings, records)
    _demo_lists(steps, home, settings, records)
    _demo_names(steps, home, records)
    if no_serve:
        steps.end(f"The demo is ready in {home}.")
    else:
        os.environ.setdefault("UPSTREAM_ENVIRONMENT", "demo")
        from serving.app import serve

        def ready(url: str) -> None:
            steps.end(f"Open {url} and choose a role to sign in. Stop with Ctrl-C. Requests are logged in {log}.")

        log = home / "service.log"
        serve(home, "127.0.0.1", port, on_ready=ready, log_file=log)


def _teams(patients: int) -> int:
    return max(training.cli.TEAMS, patients // PEOPLE_A_TEAM)


def _begin_demo(home: Path, patients: int, fresh: bool) -> None:
    """Notes what the demo is made of. Raises CommandError if the folder holds any other files."""
    wanted = {
        "patients": patients,
        "years": training.cli.YEARS,
        "teams": _teams(patients),
        "seed": training.cli.SEED,
    }
    note = home / DEMO_NOTE
    made = json.loads(note.read_text(encoding="utf-8")) if note.exists() else None
    if home.exists() and any(home.iterdir()) and made is None:
        raise CommandError(f"{home} holds other files; choose an empty folder with --home")
    if made is not None and (fresh or made != wanted):
        if not fresh:
            raise CommandError(
                f"{home} holds a demo of {made['patients']:,} people; add --fresh to start again, "
                "or choose another --home"
            )
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted), encoding="utf-8")


def _demo_records(steps: Steps, home: Path, patients: int) -> Records:
    from features import Records
    from training.simulator import simulate

    with steps.step(f"simulate a trust of {patients:,} people (synthetic)") as say:
        if (home / "store").exists():
            say("there already, reused")
        else:
            trust = simulate(
                patients=patients, years=training.cli.YEARS, seed=training.cli.SEED, teams=_teams(patients)
            )
            trust.truth.save(home / "truth")
            trust.records.save(home / "extract")
            say(f"{sum(len(t) for t in trust.records.tables.values()):,} rows")
    with steps.step("ingest the extract into a store") as say:
        if (home / "store").exists():
            say("there already, reused")
        else:
            Records.load(home / "extract").save(home / "store")
            shutil.rmtree(home / "extract")
            say("both clocks checked")
        return Records.load(home / "store")


def _demo_model(steps: Steps, home: Path, settings: Settings, records: Records) -> None:
    from models.signing import demo_key
    from training.errors import NoRun, StoreAbsent
    from training.registry import tracking
    from training.registry.promotion import promote
    from training.registry.sync import sync, sync_refused
    from training.simulator import Truth
    from training.train import train

    with steps.step("build features, train and evaluate both outcomes") as say:
        try:
            found = tracking.open_store(home, settings.tracking).version(tracking.CHALLENGER)
            say(f"version {found.version} exists already, reused")
        except (StoreAbsent, NoRun):
            result = train(records, settings, home, truth=Truth.load(home / "truth"), progress=steps.note)
            say(f"version {result.version}")
    refused = None
    with steps.step("promote the challenger through the gates") as say:
        shown = _shown_unpromoted(home)
        try:
            champion = tracking.open_store(home, settings.tracking).version(tracking.CHAMPION)
            say(f"version {champion.version} is champion already, reused")
        except NoRun:
            if shown:
                say("refused before, reused")
            else:
                key = demo_key(home)
                promotion = promote(home, settings, by="demo", why="first model of the demo", signing_key=key)
                say(promotion.summary if promotion.promoted else "not promoted, these gates refused")
                refused = None if promotion.promoted else promotion
    for reason in refused.reasons if refused else ():
        steps.note(reason)
    if refused:
        steps.note(
            "A demo shows the model nevertheless, marked on every page as not promoted. No other home does this."
        )
    with steps.step("publish the model's bundle") as say:
        if shown:
            say(f"bundle {shown} is served already, reused")
        else:
            state = sync_refused(home, settings, refused) if refused else sync(home, settings)
            say(f"bundle {state['bundle_id']}{'' if state['changed'] else ' serves already, reused'}")


def _shown_unpromoted(home: Path) -> str:
    """The id of the bundle that a demo shows although the gates refused it; empty if there is none."""
    from models.bundle.not_promoted import is_demo
    from models.errors import BundleError
    from models.publishing import current_bundle, verify

    try:
        manifest = verify(current_bundle(home / "bundles"))
    except BundleError:
        return ""
    return manifest.bundle_id if manifest.not_promoted and is_demo(home) else ""


def _demo_lists(steps: Steps, home: Path, settings: Settings, records: Records) -> None:
    from serving.nightly.run import latest_as_of, score_store

    with steps.step("score everyone and publish worklists") as say:
        # Publish lists of earlier weeks first, so that pages can show trends and people who joined or left.
        weeks = 0 if (home / "service.db").exists() else EARLIER_LISTS
        for week in range(weeks, -1, -1):
            as_of = latest_as_of(records) - dt.timedelta(days=7 * week)
            summary = score_store(
                home / "store", home / "bundles", home, as_of, in_scope_kinds=settings.cohort.in_scope_team_kinds
            )
        say(f"{summary.people:,} people{', published already, reused' if summary.reused else ''}")
    with steps.step("check what was made") as say:
        bad = [line for finding in _findings(home) if not finding.ok for line in finding.lines()]
        if bad:
            raise CommandError("\n".join(bad))
        say("bundle, worklists and store are whole")


def _demo_names(steps: Steps, home: Path, records: Records) -> None:
    from features.records import date_of
    from serving.identities.invented import invented
    from serving.identities.keys import IdentityKeys, write_new_key
    from serving.identities.loading import held, store_identities
    from serving.settings import IDENTITY_KEY

    with steps.step("invent a name for everyone") as say:
        if held(home):
            say("there already, reused")
            return
        write_new_key(home / IDENTITY_KEY)
        born = [date_of(day) for day in records.columns("patients")["birth_date"].tolist()]
        people = invented(zip(records.patient_ids.tolist(), born, strict=True))
        store_identities(home, people, IdentityKeys.read(home / IDENTITY_KEY))
        say(f"{len(people):,} invented names, sealed; NHS numbers from the test range 999")


def main() -> None:
    os.umask(0o077)  # The home holds data about people, so only the account that made it may read it.
    app()


if __name__ == "__main__":
    main()
