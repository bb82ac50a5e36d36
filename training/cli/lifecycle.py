"""Commands that simulate, train and promote: ``simulate`` to ``sync``. Each command imports its packages when it
runs, so that ``--help`` is quick.
"""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, Steps, command_group, report

if TYPE_CHECKING:
    from training.settings import Settings
    from training.simulator import Truth

SEED = 20260105
YEARS = 4
TEAMS = 8


class SplitChoice(StrEnum):
    """How rows are split. The last two are studies: they fit once for each team or origin and register no model."""

    TEMPORAL = "temporal"
    PATIENTS = "patients"
    LEAVE_ONE_TEAM_OUT = "leave-one-team-out"
    ROLLING = "rolling"


STUDIES = (SplitChoice.LEAVE_ONE_TEAM_OUT, SplitChoice.ROLLING)

app = command_group("Simulate, train, evaluate and promote.")


@app.command()
def simulate(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the store; the hidden truth goes to a folder beside it.")
    ] = None,
    patients: Annotated[int, typer.Option(min=1, help="People in the trust.")] = 3000,
    years: Annotated[float, typer.Option(min=0.5, help="Years of history.")] = YEARS,
    teams: Annotated[int, typer.Option(min=1, help="Number of teams.")] = TEAMS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same trust.")] = SEED,
    check: Annotated[bool, typer.Option("--check", help="Compare the simulated trust with published rates.")] = False,
    as_json: Json = False,
) -> None:
    """Simulate a synthetic trust, so that true risks are known.

    With --check it writes nothing and prints about 80 quantities with their targets and ranges. Exit code 1 if fewer
    than 36, or less than 85 percent of them, are within range.

    Example: upstream simulate --patients 500 --out trust/store
    """
    from training.simulator import simulate as run

    if check:
        from training.simulator.rates.targets import check_lines, check_rates

        checked = check_rates(patients, years, seed, teams)
        report(checked, as_json, lambda: check_lines(checked))
        raise typer.Exit(0 if checked["within"] >= checked["needed"] else 1)
    if out is None:
        raise typer.BadParameter("give the folder for the store, or --check", param_hint="--out")
    trust = run(patients=patients, years=years, seed=seed, teams=teams)
    truth, records = trust.truth, trust.records
    del trust  # the frames are as large as the records, so free them
    records.save(out)
    truth.save(out.parent / "truth")
    result = {
        "synthetic": True,
        "store": str(out),
        "truth": str(out.parent / "truth"),
        **records.report.as_dict(),
    }
    report(
        result,
        as_json,
        lambda: ["Synthetic records. None of these people exist.", *records.report.lines(), f"store: {out}"],
    )


@app.command()
def train(
    context: typer.Context,
    home: Home = DEFAULT_HOME,
    split: Annotated[
        SplitChoice | None,
        typer.Option(help="How rows are split; mlflow.yaml sets the default. The last two are studies."),
    ] = None,
    tune: Annotated[
        int | None, typer.Option(min=0, help="Parameter search: trials per outcome; 0 for no search.")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Model to compare with on the same rows: champion, another alias, or a version.")
    ] = None,
    recalibrate: Annotated[
        Path | None,
        typer.Option(
            help="A bundle, or a folder of bundles, of other records: keep its trees, fit only its calibration."
        ),
    ] = None,
    refits: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Models trained again on other draws of people, to see how stable this one is; 200 for a release.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train both outcomes on the home's store, evaluate on later time, and register the result as challenger.

    A study (--split leave-one-team-out, --split rolling) fits once for each team or origin, reports each, and
    registers nothing. With --recalibrate the trees of a bundle from elsewhere are kept and only its probabilities are
    fitted to the home's records; the result is a challenger of its own, with its own gates and record.

    Example: upstream train --home .upstream --tune 20 --compare champion
    Example: upstream train --home .upstream --refits 200
    Example: upstream train --home here --recalibrate .upstream/bundles
    """
    from features import Records
    from training.cli.service_rows import rows_of
    from training.cross_validation import study
    from training.evaluation.report import lines
    from training.impact.exposure import Exposure
    from training.registry import comparison
    from training.train import train as run

    settings = _settings().with_options(split=None if split in STUDIES else split, trials=tune, refits=refits)
    records = Records.load(home / "store")
    steps = Steps(1)
    if split is not None and split in STUDIES:
        if any(asked is not None for asked in (compare, tune, recalibrate, refits)):
            raise CommandError(
                f"--split {split} is a study and registers no model: leave --compare, --tune, --recalibrate and "
                f"--refits out"
            )
        with steps.step(f"study: {split}"):
            found = study(records, settings, home, split, progress=steps.note)
        report(found.as_dict(), as_json, found.lines)
        return
    if recalibrate is not None and tune:
        raise CommandError("--recalibrate grows no trees, so there is nothing to tune: leave --tune out")
    with steps.step("recalibrate" if recalibrate else "train") as say:
        exposure = Exposure.of(rows_of(context).exposure(home))
        result = run(records, settings, home, _truth(home), steps.note, compare, exposure, recalibrate)
        say(f"version {result.version} is the challenger")
    beside = comparison.lines(result.comparison) if result.comparison is not None else []
    report(result.as_dict(), as_json, lambda: [*lines(result.evaluation), *beside])


def _settings() -> Settings:
    from training.settings import Settings

    return Settings.load()


def _truth(home: Path) -> Truth | None:
    from training.simulator import Truth

    return Truth.load(home / "truth") if (home / "truth").exists() else None


@app.command()
def evaluate(
    home: Home = DEFAULT_HOME,
    run: Annotated[str | None, typer.Option(help="MLflow run; the challenger's by default.")] = None,
    version: Annotated[str | None, typer.Option(help="Registered version or alias; the challenger by default.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle, or a folder of bundles, to judge on the records of --on.")
    ] = None,
    on: Annotated[Path | None, typer.Option("--on", help="Store that had no part in making --bundle.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; reports/ in the home by default.")] = None,
    as_json: Json = False,
) -> None:
    """Print the figures of a trained model, and write the whole report as one HTML page and as JSON.

    With --bundle and --on it judges a bundle that exists on other records (external validation), and fits nothing.

    Example: upstream evaluate --home .upstream --version champion
    Example: upstream evaluate --bundle .upstream/bundles --on other/store --out external
    """
    if bundle is not None or on is not None:
        if bundle is None or on is None or run or version:
            raise CommandError("give --bundle and --on together, without --run and --version")
        _external(bundle, on, out or home / "reports" / "external", as_json)
        return
    from training.evaluation.report import lines
    from training.registry import tracking
    from training.registry.find_report import find

    if run and version:
        raise CommandError("give either --run or --version, not both")
    store = tracking.open_store(home, _settings().tracking)
    found = find(
        store,
        out or home / "reports" / (run or f"version-{version or tracking.CHALLENGER}"),
        run=run,
        version=version,
    )
    report(found.evaluation.as_json(), as_json, lambda: [*lines(found.evaluation), f"report: {found.page}"])


def _external(bundle: Path, on: Path, out: Path, as_json: bool) -> None:
    from features import Records
    from models.risk_model import RiskModel
    from training.dataset.prepare import Clock
    from training.evaluation import page
    from training.evaluation.plots import draw
    from training.evaluation.validation import external

    steps = Steps(1)
    with steps.step("judge the bundle on other records") as say:
        found = external.validate(RiskModel.load(bundle), Records.load(on), _settings(), Clock(steps.note))
        page.write(found, out, draw.as_html(draw.draw(found, {})))
        say(f"{len(found.pairs)} outcomes and prediction windows")
    report(found.as_json(), as_json, lambda: [*external.lines(found), f"report: {out / page.PAGE_NAME}"])


@app.command()
def evidence(
    home: Home = DEFAULT_HOME,
    out: Annotated[Path, typer.Option("--out", help="Folder for the evidence file.")] = Path("evidence"),
    version: Annotated[str | None, typer.Option(help="Registered version or alias; the challenger by default.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; report what was changed by hand.")] = False,
    as_json: Json = False,
) -> None:
    """Write the evidence file of a model: model card, TRIPOD+AI, PROBAST+AI, transparency record, hazard log. Every
    number is looked up from its run.

    Example: upstream evidence --home .upstream --out evidence
    """
    from training.evidence.build import build, sources_of
    from training.registry import tracking

    store = tracking.open_store(home, _settings().tracking)
    found = store.find(version) if version and version.isdecimal() else store.version(version or tracking.CHALLENGER)
    made = build(sources_of(store, found.run_id, {**found.tags, "version": found.version}))
    if check and (changed := made.differences(out)):
        raise CommandError("\n".join([f"{out} differs from run {found.run_id}:", *changed]))
    if not check:
        made.write(out)
    result = {
        "out": str(out),
        "version": found.version,
        "documents": len(made.files) - 1,
        "numbers": made.numbers,
        "open": list(made.open),
    }
    did = "as the run says" if check else f"{made.numbers} references looked up"
    report(
        result,
        as_json,
        lambda: [f"evidence of version {found.version}: {out}/evidence.html, {did}, {len(made.open)} questions open"],
    )


@app.command()
def promote(
    home: Home = DEFAULT_HOME,
    by: Annotated[str, typer.Option(help="Who promotes.")] = "unnamed",
    why: Annotated[str, typer.Option(help="Why.")] = "gates met",
    version: Annotated[str | None, typer.Option(help="Registered version; the challenger by default.")] = None,
    sign_with: Annotated[
        Path | None,
        typer.Option(envvar="UPSTREAM_SIGNING_KEY", help="Private key that signs the bundle (`upstream keys new`)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the challenger champion, if it passes the gates of mlflow.yaml. Exit code 1 if a gate refuses it.

    Example: upstream promote --home .upstream --by "A. Analyst" --why "better calibrated"
    """
    from models.signing import SigningKey
    from training.registry.promotion import promote as run

    key = None if sign_with is None else SigningKey.load(sign_with)
    result = run(home, _settings(), by=by, why=why, version=version, signing_key=key)
    report(asdict(result), as_json, result.lines)
    if not result.promoted:
        raise typer.Exit(1)


@app.command()
def rollback(
    home: Home = DEFAULT_HOME,
    by: Annotated[str, typer.Option(help="Who rolls back.")] = "unnamed",
    why: Annotated[str, typer.Option(help="Why.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Bring back a version that a rollback withdrew.")] = False,
) -> None:
    """Make the previous champion the champion again. Run sync afterwards.

    Example: upstream rollback --home .upstream --by "A. Analyst" --why "alert rate doubled"
    """
    from training.registry.promotion import rollback as run

    now, was = run(home, _settings(), by=by, why=why, again=again)
    typer.echo(f"champion was version {was}, is version {now}; run upstream sync to serve it")


@app.command()
def sync(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Fetch the champion's bundle from MLflow, verify it, put it into service, and report what changed.

    Example: upstream sync --home .upstream
    """
    from training.registry.sync import lines
    from training.registry.sync import sync as run

    state = run(home, _settings())
    report(state, as_json, lambda: lines(state))
