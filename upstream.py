"""The command line: one verb per job. Each verb imports its package only when it runs, so that ``--help`` is quick.

Exit codes: 0 done; 1 it could not be done, and standard error says why and what to do; 2 the command was not
understood.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")

app = typer.Typer(
    help="Risk stratification and certain care gaps for community mental health teams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ingest_app = typer.Typer(help="Turn an outside extract into a store of records.", no_args_is_help=True)
features_app = typer.Typer(help="What the features are, and building them.", no_args_is_help=True)
app.add_typer(ingest_app, name="ingest")
audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)
app.add_typer(features_app, name="features")
app.add_typer(audit_app, name="audit")

Home = Annotated[Path, typer.Option("--home", help="The folder that holds everything a run made.")]
Json = Annotated[bool, typer.Option("--json", help="Report as one JSON object on standard output.")]
DEFAULT_HOME = Path(".upstream")
SEED = 20260105
YEARS = 4
TEAMS = 8
PEOPLE_A_TEAM = 375
DEMO_PEOPLE = 9_000
"""As many as it takes to tell a lead of 0.03 over the best simple rule from luck (docs/evaluation.md, "The gates")."""
EARLIER_LISTS = 3


class Refused(Exception):
    """Something the person at the keyboard can put right."""


@contextmanager
def told() -> Iterator[None]:
    """Turns every error we name into its message on standard error and exit code 1. Anything else is a bug and keeps
    its traceback."""
    from features import RecordsError, SpineError
    from models.errors import ModelError

    named: tuple[type[Exception], ...] = (Refused, RecordsError, SpineError, ModelError, FileExistsError)
    try:
        yield
    except named as error:
        _fail(error)
    except Exception as error:
        if type(error).__module__.startswith(("training.", "serving.")):
            _fail(error)
        raise


def _fail(error: Exception) -> None:
    typer.echo(str(error), err=True)
    raise typer.Exit(1)


def _report(result: dict[str, Any], as_json: bool, lines: Callable[[], list[str]]) -> None:
    typer.echo(json.dumps(result, indent=2, default=str) if as_json else "\n".join(lines()))


def _settings() -> Any:
    from training.settings import Settings

    return Settings.load()


class Steps:
    """A numbered progress display on standard error: what is happening, and how long each step took."""

    def __init__(self, total: int) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.total, self.number, self.began = total, 0, time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """One step; call what it yields with the step's outcome. On a terminal a spinner turns while it runs."""
        self.number += 1
        head = f"[{self.number}/{self.total}] {name}"
        outcome: list[str] = []
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(head):
                yield outcome.append
        else:
            self.console.print(f"{head} ...", markup=False)
            yield outcome.append
        said = f": {outcome[-1]}" if outcome else ""
        self.console.print(f"{head}{said} ({time.monotonic() - began:.1f} s)", markup=False)

    def note(self, words: str) -> None:
        self.console.print(f"      {words}", markup=False)

    def end(self, words: str) -> None:
        self.console.print(f"{words} ({time.monotonic() - self.began:.0f} s in all)", markup=False)


@app.command()
def simulate(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the store; the truth goes to a folder beside it.")
    ] = None,
    patients: Annotated[int, typer.Option(min=1)] = 3000,
    years: Annotated[float, typer.Option(min=0.5)] = YEARS,
    teams: Annotated[int, typer.Option(min=1)] = TEAMS,
    seed: int = SEED,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what the trust turned out like with published rates.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate a synthetic trust whose truth is known.

    With --check nothing is written: about 80 quantities, each beside its target and range, and exit code 1 when
    fewer than 36, or less than 85 percent of them, are within.

    Example: upstream simulate --patients 500 --out trust/store
    """
    from training.simulator import simulate as run

    if check:
        from training.simulator.targets import check_lines, check_rates

        with told():
            checked = check_rates(patients, years, seed, teams)
        _report(checked, as_json, lambda: check_lines(checked))
        raise typer.Exit(0 if checked["within"] >= checked["needed"] else 1)
    if out is None:
        raise typer.BadParameter("give the folder for the store, or --check", param_hint="--out")
    with told():
        trust = run(patients=patients, years=years, seed=seed, teams=teams)
        truth, records = trust.truth, trust.records
        del trust  # the frames are as large as the records
        records.save(out)
        truth.save(out.parent / "truth")
    report = {
        "synthetic": True,
        "store": str(out),
        "truth": str(out.parent / "truth"),
        **records.report.as_dict(),
    }
    _report(
        report,
        as_json,
        lambda: ["Synthetic records. None of these people exist.", *records.report.lines(), f"store: {out}"],
    )


@ingest_app.command("own")
def ingest_own(
    folder: Path,
    out: Annotated[Path, typer.Option("--out")],
    nhs_key_file: Annotated[
        Path | None, typer.Option(help="File of one line <key id>:<hex>; turns NHS numbers as ids into pseudonyms.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a folder with one CSV or Parquet file a table, and write it as a store.

    NHS numbers as ids are refused without --nhs-key-file, and never stored.

    Example: upstream ingest own extracts/2026-01 --out .upstream/store
    """
    from features import Records
    from features.records.nhs_numbers import KeyProblem, NhsKey

    with told():
        try:
            key = NhsKey.read(nhs_key_file) if nhs_key_file else None
        except KeyProblem as error:
            raise Refused(str(error)) from None
        records = Records.load(folder, nhs_key=key)
        records.save(out)
    wrong = records.about.get("rows_with_a_wrong_nhs_number", {})
    report = {**records.report.as_dict(), "store": str(out), "people": len(records), "data_hash": records.data_hash}
    slips = [f"{name}: {rows:,} rows set aside, their NHS number fails its check" for name, rows in wrong.items()]
    _report(report, as_json, lambda: [*records.report.lines(), *slips, f"store: {out} ({len(records):,} people)"])


@ingest_app.command("omop")
def ingest_omop(
    folder: Path,
    out: Annotated[Path, typer.Option("--out")],
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Mark the records as synthetic, everywhere they go.")
    ] = False,
    mappings: Annotated[Path | None, typer.Option(help="Folder with mapping tables that replace ours.")] = None,
    as_json: Json = False,
) -> None:
    """Turn an OMOP CDM 5.x extract into a store, accounting for every row.

    Example: upstream ingest omop ../shared/data/omop_synpuf50 --synthetic --out trust/store
    """
    from features.records.sources import omop

    with told():
        report = omop.ingest(folder, out, mappings=mappings, about={"synthetic": True} if synthetic else None)
    _report(report, as_json, lambda: omop.lines(report, out))


@features_app.command("list")
def features_list(as_json: Json = False) -> None:
    """Every feature of the catalogue: what it is, its unit, its window and why it belongs.

    Example: upstream features list --json
    """
    from features import CATALOGUE

    rows = [f.as_dict() for f in CATALOGUE]
    _report({"features": rows}, as_json, lambda: [f"{r['name']:<42}{r['unit']:<22}{r['why']}" for r in rows])


@features_app.command("build")
def features_build(
    store: Annotated[Path, typer.Option("--store", help="A store of records, or a partition of one.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the parts and manifest.json.")],
    spine: Annotated[
        Path | None, typer.Option("--spine", help="Parquet or CSV: patient_id, as_of and columns of your own.")
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Instead of a spine: everybody on this day.")] = None,
    engine: Annotated[str, typer.Option(help="local (shards in turn) or spark (shards as Spark tasks).")] = "local",
    master: Annotated[str, typer.Option(help="Spark master; spark-submit's own wins.")] = "local[2]",
    shards: Annotated[int | None, typer.Option(min=1, help="About 5,000 people a shard by default.")] = None,
    as_json: Json = False,
) -> None:
    """Build every feature of a spine, shard by shard, in bounded memory. Killed? Run the same line again.

    Example: upstream features build --store .upstream/store --spine spine.parquet --out built
    """
    from features import CATALOGUE
    from features.sharded.command import build_features

    with told():
        steps = Steps(1)
        with steps.step("build features") as say:
            try:
                made = build_features(
                    store, out, tuple(CATALOGUE), spine, as_of, engine, master, shards, progress=steps.note
                )
            except ValueError as error:
                raise Refused(str(error)) from None
            say(f"{made['rows']:,} rows, {len(made['columns'])} features, {made['shards']} parts in {out}")
    _report(made, as_json, lambda: [f"{made['rows']:,} rows, {len(made['columns'])} features: {out}"])


@features_app.command("prove")
def features_prove(
    store: Annotated[Path | None, typer.Option("--store", help="A store of records.")] = None,
    home: Annotated[Path | None, typer.Option("--home", help="A home; its store is taken.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Checks of one person on one date.")] = 10_000,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for leakage.json and leakage.txt.")] = None,
    as_json: Json = False,
) -> None:
    """Delete and garble the future of random people on random dates: no feature and no care gap may change.

    Example: upstream features prove --home .upstream --rows 100000 --out evidence
    """
    from features import Records
    from features.leakage import prove

    with told():
        if (store is None) == (home is None):
            raise Refused("say which records to check: --store FOLDER or --home DIR")
        try:
            statement = prove(Records.load(store or Path(home or "") / "store"), rows, seed)
        except ValueError as error:
            raise Refused(str(error)) from None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        statement.write(out)
    _report(statement.as_dict(), as_json, statement.lines)
    if not statement.holds:
        raise typer.Exit(1)


@app.command()
def train(
    home: Home = DEFAULT_HOME,
    split: Annotated[
        str, typer.Option(help="temporal, patients (nobody in two slices), or a study: leave-one-team-out, rolling.")
    ] = "",
    tune: Annotated[int | None, typer.Option(min=0, help="Parameter search: trials an outcome; 0 is none.")] = None,
    compare: Annotated[
        str | None, typer.Option(help="champion, another alias, or a version: beside the challenger on the same rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train both outcomes on the home's store, evaluate on later time, and register the result as challenger.

    A study (--split leave-one-team-out, --split rolling) fits once for each team or origin, reports each, and
    registers nothing.

    Example: upstream train --home .upstream --tune 20 --compare champion
    """
    from features import Records
    from training.cross_validation import KINDS, study
    from training.evaluation.report import lines
    from training.registry import comparison
    from training.train import train as run

    with told():
        settings = _settings().with_options(split=None if split in KINDS else split or None, trials=tune)
        records = Records.load(home / "store")
        steps = Steps(1)
        if split in KINDS:
            if compare is not None or tune is not None:
                raise Refused(f"--split {split} is a study and registers no model: leave --compare and --tune out")
            with steps.step(f"study: {split}"):
                found = study(records, settings, home, split, progress=steps.note)
            _report(found.as_dict(), as_json, found.lines)
            return
        with steps.step("train") as say:
            result = run(records, settings, home, truth=_truth(home), progress=steps.note, compare=compare)
            say(f"version {result.version} is the challenger")
    beside = comparison.lines(result.comparison) if result.comparison is not None else []
    _report(asdict(result), as_json, lambda: [*lines(result.evaluation), *beside])


def _truth(home: Path) -> Any:
    from training.simulator import Truth

    return Truth.load(home / "truth") if (home / "truth").exists() else None


@app.command()
def evaluate(
    home: Home = DEFAULT_HOME,
    run: Annotated[str | None, typer.Option(help="MLflow run; the challenger's by default.")] = None,
    version: Annotated[str | None, typer.Option(help="Registered version or alias; the challenger by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; reports/ in the home by default.")] = None,
    as_json: Json = False,
) -> None:
    """The evaluation that a model was trained with: its figures here, and the whole report as one HTML page beside the
    JSON.

    Example: upstream evaluate --home .upstream --version champion
    """
    from training.evaluation.report import lines
    from training.registry import tracking
    from training.registry.find_report import find

    with told():
        if run and version:
            raise Refused("say which model once: --run or --version")
        store = tracking.open_store(home, _settings().tracking)
        found = find(
            store,
            out or home / "reports" / (run or f"version-{version or tracking.CHALLENGER}"),
            run=run,
            version=version,
        )
    _report(found.evaluation, as_json, lambda: [*lines(found.evaluation), f"report: {found.page}"])


@app.command()
def evidence(
    home: Home = DEFAULT_HOME,
    out: Annotated[Path, typer.Option("--out", help="Folder for the evidence file.")] = Path("evidence"),
    version: Annotated[str | None, typer.Option(help="Registered version or alias; the challenger by default.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say what was changed by hand.")] = False,
    as_json: Json = False,
) -> None:
    """The evidence file of a model: model card, TRIPOD+AI, PROBAST+AI, transparency record, hazard log. Every number
    is looked up from its run.

    Example: upstream evidence --home .upstream --out evidence
    """
    from training.evidence.build import build, sources_of
    from training.registry import tracking

    with told():
        store = tracking.open_store(home, _settings().tracking)
        found = (
            store.find(version) if version and version.isdecimal() else store.version(version or tracking.CHALLENGER)
        )
        made = build(sources_of(store, found.run_id, {**found.tags, "version": found.version}))
        if check and (changed := made.differences(out)):
            raise Refused("\n".join([f"{out} is not what run {found.run_id} says:", *changed]))
        if not check:
            made.write(out)
    report = {
        "out": str(out),
        "version": found.version,
        "documents": len(made.files) - 1,
        "numbers": made.numbers,
        "open": list(made.open),
    }
    did = "as the run says" if check else f"{made.numbers} references looked up"
    _report(
        report,
        as_json,
        lambda: [f"evidence of version {found.version}: {out}/evidence.html, {did}, {len(made.open)} questions open"],
    )


@app.command()
def promote(
    home: Home = DEFAULT_HOME,
    by: Annotated[str, typer.Option(help="Who promotes.")] = "unnamed",
    why: Annotated[str, typer.Option(help="Why.")] = "gates met",
    version: Annotated[str | None, typer.Option(help="Registered version; the challenger by default.")] = None,
    as_json: Json = False,
) -> None:
    """Make the challenger champion, if it passes the gates of mlflow.yaml.

    Example: upstream promote --home .upstream --by "A. Analyst" --why "better calibrated"
    """
    from training.registry.promotion import promote as run

    with told():
        result = run(home, _settings(), by=by, why=why, version=version)
    _report(asdict(result), as_json, result.lines)
    if not result.promoted:
        raise typer.Exit(1)


@app.command()
def rollback(home: Home = DEFAULT_HOME, by: str = "unnamed", why: str = "") -> None:
    """Make the champion before this one champion again. Run sync afterwards.

    Example: upstream rollback --home .upstream --by "A. Analyst" --why "alert rate doubled"
    """
    from training.registry.promotion import rollback as run

    with told():
        now, was = run(home, _settings(), by=by, why=why)
    typer.echo(f"champion was version {was}, is version {now}; run upstream sync to serve it")


@app.command()
def sync(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Fetch the champion's bundle from MLflow, verify it, make it the one that serves, and say what changed.

    Example: upstream sync --home .upstream
    """
    from training.registry.sync import lines
    from training.registry.sync import sync as run

    with told():
        state = run(home, _settings())
    _report(state, as_json, lambda: lines(state))


@app.command()
def score(
    home: Home = DEFAULT_HOME,
    store: Annotated[Path | None, typer.Option(help="Store to score; the home's own by default.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="YYYY-MM-DD; the day after the newest event by default.")
    ] = None,
    ranking: Annotated[str, typer.Option(help="Order of the published lists: risk, gaps or blended.")] = "risk",
    explained_days: Annotated[
        int, typer.Option(min=1, help="Runs older than this keep risks, places and gaps, and lose what explained them.")
    ] = 35,
    as_json: Json = False,
) -> None:
    """The nightly run: score everyone on a caseload and publish the worklists, whole or not at all.

    Example: upstream score --home .upstream
    """
    from serving.nightly.run import score_store
    from serving.worklists.rules import Ranking

    with told():
        if ranking not in tuple(Ranking):
            raise Refused(f"--ranking is one of {', '.join(Ranking)}")
        summary = score_store(
            store or home / "store",
            home / "bundles",
            home,
            as_of,
            in_scope_kinds=_settings().cohort.in_scope_team_kinds,
            ranking=Ranking(ranking),
            explained_days=explained_days,
            progress=_stage_of_run,
        )
    _report(summary.as_dict(), as_json, summary.lines)


def _stage_of_run(stage: str, done: int, total: int) -> None:
    """One line that is written over on a terminal; a line a stage where nobody looks on."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{stage}: {done:,} of {total:,}", err=True, nl=done == total)
    elif done in (0, total):
        typer.echo(f"{stage}: {done:,} of {total:,}", err=True)


@app.command()
def serve(home: Home = DEFAULT_HOME, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve scores, worklists and pages from the home's bundle and database.

    A home made by ``upstream demo`` offers a sign-in for each role, on this machine only. Any other home asks for
    tokens (UPSTREAM_ENVIRONMENT=production is the default).

    Example: upstream serve --home .upstream --port 8000
    """
    from serving.app import serve as run

    if (home / "demo.json").exists():
        os.environ.setdefault("UPSTREAM_ENVIRONMENT", "demo")
    with told():
        run(home, host, port, on_ready=lambda url: typer.echo(f"serving at {url}; stop with Ctrl-C", err=True))


@app.command()
def membership(
    issuer: Annotated[str, typer.Option(help="The identity provider, as its tokens name it.")],
    subject: Annotated[str, typer.Option(help="The person, as the provider's tokens name them (sub).")],
    source: Annotated[str, typer.Option(help="On whose word.")],
    team: Annotated[str | None, typer.Option(help="The team whose people they may see.")] = None,
    lead: Annotated[
        bool, typer.Option("--lead", help="They lead the team: they may take its list away as CSV.")
    ] = False,
    role: Annotated[str | None, typer.Option(help="The role they hold here, if the provider names none.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="The day from which they are no longer in it.")] = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Put somebody in a team or give them a role (--from), or end it (--to alone). Written to the audit log.

    Example: upstream membership --issuer https://id.example --subject sam --team T01 --from 2026-01-05 --source rota
    """
    import datetime as dt

    from serving.security import memberships as rules

    if (team is None) == (role is None):
        raise typer.BadParameter("name a --team or a --role, one at a time")
    with told():
        try:
            first, last = (dt.date.fromisoformat(day) if day else None for day in (begin, end))
        except ValueError:
            raise Refused("--from and --to are days as YYYY-MM-DD") from None
        if first is None and last is None:
            raise Refused("say when it begins (--from) or ends (--to)")
        try:
            if first is None:
                ended = (
                    rules.leave_team(home, issuer, subject, team, last, source)
                    if team
                    else rules.withdraw_role(home, issuer, subject, role, last, source)
                )
                if not ended:
                    raise Refused("that person does not hold it now")
            elif team:
                rules.join_team(home, issuer, subject, team, first, last, source, lead)
            else:
                rules.assign_role(home, issuer, subject, role, first, last, source)
        except ValueError as error:
            raise Refused(str(error)) from None
    typer.echo(f"{team or role}: {'from ' + str(first) if first else 'ends ' + str(last)}")


@audit_app.command("verify")
def audit_verify(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Walk the audit chain from its first event: finds any that was changed, removed, reordered or cut off. Exit code
    1 if one was.

    Keep the head it prints somewhere else: a chain rewritten as a whole is found only by a head that left this machine.

    Example: upstream audit verify --home .upstream
    """
    from serving.auditlog.log import verify_home

    with told():
        found = verify_home(home)
    _report(found.as_dict(), as_json, found.lines)
    if found.broken:
        raise typer.Exit(1)


@app.command()
def token(
    role: Annotated[str, typer.Option(help="pharmacist, cmht_system, data_scientist, auditor or operator.")],
    home: Home = DEFAULT_HOME,
    team: Annotated[list[str] | None, typer.Option("--team", help="A team the token may see; repeat for more.")] = None,
    label: str = "",
    days: float = 90,
    lead: Annotated[bool, typer.Option("--lead", help="A pharmacist who leads these teams.")] = False,
) -> None:
    """Make a bearer token. It is shown once, alone on the last line.

    Example: upstream token --home .upstream --role pharmacist --team T01
    """
    from serving.security.tokens import issue_token

    with told():
        try:
            made = issue_token(home, role, team, label, days, lead=lead)
        except ValueError as error:
            raise Refused(str(error)) from None
    typer.echo(
        f"A {role} token for {', '.join(team) if team else 'all teams it may see'}, {days:g} days. It is not kept; "
        f"copy it now.",
        err=True,
    )
    typer.echo(made)


@app.command()
def doctor(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Say what is wrong with an installation and a home, and what to do about it.

    Example: upstream doctor --home .upstream
    """
    checks = list(_checks(home))
    report = {"ok": all(c["ok"] for c in checks), "checks": checks}
    _report(report, as_json, lambda: [f"{'ok  ' if c['ok'] else 'MEND'} {c['what']}: {c['found']}" for c in checks])
    if not report["ok"]:
        raise typer.Exit(1)


def _checks(home: Path) -> Iterator[dict[str, Any]]:
    """Each check: what was looked at, whether it is as it should be, and what was found or is to be done."""
    from importlib.util import find_spec

    from features import Records
    from models import RiskModel
    from training.registry import tracking

    def check(what: str, look: Callable[[], str], do: str) -> dict[str, Any]:
        try:
            return {"what": what, "ok": True, "found": look()}
        except Exception as error:  # noqa: BLE001 - a doctor reports whatever is wrong
            return {"what": what, "ok": False, "found": f"{str(error).splitlines()[0]} | do: {do}"}

    yield {"what": "Python", "ok": sys.version_info >= (3, 11), "found": sys.version.split()[0]}
    threads = os.environ.get("OMP_NUM_THREADS", "")
    yield {
        "what": "OMP_NUM_THREADS",
        "ok": threads == "1",
        "found": threads or "not set | do: set it to 1 where the service runs",
    }
    missing = [name for name in ("mlflow", "sklearn", "shap") if find_spec(name) is None]
    yield {
        "what": "training extra",
        "ok": not missing,
        "found": "installed" if not missing else f"{', '.join(missing)} missing | do: pip install -e .[training]",
    }
    yield check("store", lambda: f"{len(Records.load(home / 'store')):,} people", "upstream ingest, or upstream demo")
    yield check(
        "champion",
        lambda: f"version {tracking.open_store(home, _settings().tracking).version(tracking.CHAMPION).version}",
        "upstream train, then upstream promote",
    )
    yield check("bundle", lambda: RiskModel.load(home / "bundles", self_test=True).manifest.bundle_id, "upstream sync")
    yield check("worklists", lambda: _published(home), "upstream score")


def _published(home: Path) -> str:
    from serving.runs.repository import current_run
    from serving.storage import migrations

    with migrations.opened(home) as database, database.read() as connection:
        run = current_run(connection)
    if run is None:
        raise Refused("nothing is published yet")
    return f"run of {run.as_of}"


@app.command()
def demo(
    home: Home = DEFAULT_HOME,
    patients: Annotated[int, typer.Option(min=200, help="People in the simulated trust.")] = DEMO_PEOPLE,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Do everything but serve.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start again from nothing.")] = False,
    port: int = 8000,
) -> None:
    """A simulated trust from nothing to worklists in a browser. Everything in it is synthetic.

    Example: upstream demo --no-serve --patients 600 --home demo
    """
    with told():
        _demo(home, patients, fresh)
        if no_serve:
            return
        os.environ.setdefault("UPSTREAM_ENVIRONMENT", "demo")
        from serving.app import serve as run

        run(
            home,
            "127.0.0.1",
            port,
            on_ready=lambda url: typer.echo(f"Open {url} and choose a role to sign in. Stop with Ctrl-C.", err=True),
        )


def _demo(home: Path, patients: int, fresh: bool) -> None:
    """Seven steps, each of which is skipped where its result is there already."""
    import shutil

    steps = Steps(7)
    teams = max(TEAMS, patients // PEOPLE_A_TEAM)
    wanted = {"patients": patients, "years": YEARS, "teams": teams, "seed": SEED}
    note = home / "demo.json"
    made = json.loads(note.read_text(encoding="utf-8")) if note.exists() else None
    if home.exists() and any(home.iterdir()) and made is None:
        raise Refused(f"{home} holds other files; choose an empty folder with --home")
    if made is not None and (fresh or made != wanted):
        if not fresh:
            raise Refused(
                f"{home} holds a demo of {made['patients']:,} people; add --fresh to start again, or choose another "
                f"--home"
            )
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted), encoding="utf-8")

    from features import Records
    from serving.nightly.run import latest_as_of, score_store
    from training.errors import TrainingError
    from training.registry import tracking
    from training.registry.promotion import promote as promoting
    from training.registry.sync import sync as syncing
    from training.simulator import simulate as simulating
    from training.train import train as training

    settings = _settings()
    with steps.step(f"simulate a trust of {patients:,} people (synthetic)") as say:
        if (home / "store").exists():
            say("there already, reused")
        else:
            trust = simulating(patients=patients, years=YEARS, seed=SEED, teams=teams)
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
        records = Records.load(home / "store")
    with steps.step("build features, train and evaluate both outcomes") as say:
        try:
            found = tracking.open_store(home, settings.tracking).version(tracking.CHALLENGER)
            say(f"version {found.version} is there already, reused")
        except TrainingError:
            result = training(records, settings, home, truth=_truth(home), progress=steps.note)
            say(f"version {result.version}")
    with steps.step("promote the challenger through the gates") as say:
        try:
            champion = tracking.open_store(home, settings.tracking).version(tracking.CHAMPION)
            say(f"version {champion.version} is champion already, reused")
        except TrainingError:
            promotion = promoting(home, settings, by="demo", why="first model of the demo")
            if not promotion.promoted:
                raise Refused("\n".join(["the challenger did not pass the gates:", *promotion.lines()])) from None
            say(promotion.summary)
    with steps.step("sync the champion's bundle") as say:
        state = syncing(home, settings)
        say(f"bundle {state['bundle_id']}{'' if state['changed'] else ' serves already, reused'}")
    with steps.step("score everyone and publish worklists") as say:
        # Lists of the weeks before come first, so that pages have trends to draw and people who joined and left.
        weeks = 0 if (home / "service.db").exists() else EARLIER_LISTS
        for week in range(weeks, -1, -1):
            as_of = latest_as_of(records) - dt.timedelta(days=7 * week)
            summary = score_store(
                home / "store", home / "bundles", home, as_of, in_scope_kinds=settings.cohort.in_scope_team_kinds
            )
        say(f"{summary.people:,} people{', published already, reused' if summary.reused else ''}")
    with steps.step("check what was made") as say:
        bad = [c for c in _checks(home) if not c["ok"]]
        if bad:
            raise Refused("\n".join(f"{c['what']}: {c['found']}" for c in bad))
        say("bundle, worklists and store are whole")
    steps.end(f"The demo is ready in {home}.")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
