"""Commands for a list that is live: ``impact``, ``silent`` and ``model``. Rows of the service come through
``ServiceRows``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, command_group, report
from training.cli.service_rows import rows_of

impact = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@impact.callback(invoke_without_command=True)
def impact_read(context: typer.Context, home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Show whether the list helps, in hours, admissions, bed days and people, or how long until it can be known.

    It reads the lottery band (mlflow.yaml, lottery) by the plan that was written before the first draw.

    Example: upstream impact --home .upstream
    """
    if context.invoked_subcommand is not None:
        return
    from features import Records
    from training.impact.plan import ImpactPlan
    from training.impact.readout import ImpactData, read_out
    from training.settings import Settings

    settings = Settings.load()
    plan = ImpactPlan.load(home / settings.impact.plan)
    found = read_out(
        ImpactData(**rows_of(context).impact(home)),
        plan,
        Records.load(home / "store"),
        settings.impact,
        settings.outcomes,
    )
    report(found.as_dict(), as_json, lambda: found.text)


@impact.command("plan")
def impact_plan(
    approved_by: Annotated[str, typer.Option(help="Name and role of who agreed to the plan.")],
    home: Home = DEFAULT_HOME,
    event_rate: Annotated[float, typer.Option(help="Share of people near the line with the event.")] = 0.1,
    detect: Annotated[float, typer.Option(help="Relative effect worth finding; -0.25 is a quarter fewer.")] = -0.25,
) -> None:
    """Write the plan of the analysis before the first draw, and print its hash. Keep the hash elsewhere.

    Example: upstream impact plan --home .upstream --approved-by "Ada Example, chief pharmacist"
    """
    import datetime as dt

    from training.impact.plan import ImpactPlan
    from training.settings import Settings

    plan = ImpactPlan(written_on=dt.date.today(), approved_by=approved_by, event_rate=event_rate, detect=detect)
    path = home / Settings.load().impact.plan
    typer.echo(f"{path}: {plan.save(path)}")


@impact.command("try")
def impact_try(
    trusts: Annotated[int, typer.Option(min=2, help="Simulated trusts.")] = 500,
    effect: Annotated[float, typer.Option(help="Planted relative effect of a review; 0 for none.")] = -0.25,
    seed: Annotated[int, typer.Option(help="The same seed gives the same trusts.")] = 1,
    as_json: Json = False,
) -> None:
    """Check the read-out on small simulated trusts in which the effect of a review is known.

    Example: upstream impact try --trusts 500 --effect -0.25
    """
    from training.impact.small_trusts import SmallTrust, many

    found = many(SmallTrust(effect=effect), trusts, seed)
    report(found, as_json, lambda: [f"{name.replace('_', ' ')}: {value}" for name, value in found.items()])


@impact.command("retrain")
def impact_retrain(
    trusts: Annotated[int, typer.Option(min=2, help="Simulated trusts; about 4 seconds each.")] = 40,
    effect: Annotated[float, typer.Option(min=-1, max=0, help="Planted relative effect of a review.")] = -0.9,
    reviewed: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="Share of the listed who are reviewed; 0.8, or 0.6.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=12, help="Rounds of retraining; 4, or 2 with --records.")
    ] = None,
    people: Annotated[int | None, typer.Option(min=300, help="People a trust; 2,500, or 2,000 with --records.")] = None,
    records: Annotated[bool, typer.Option("--records", help="Whole simulated records, in which reviews act.")] = False,
    review_effect: Annotated[
        float, typer.Option(min=0, max=5, help="With --records: what a review adds to adherence, in log-odds.")
    ] = 2.5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same trusts.")] = 1,
    as_json: Json = False,
) -> None:
    """Show on simulated trusts what retraining makes of a list that works, with the exposure log and without.

    With --records a review acts through adherence for months, so its effect is --review-effect and not --effect.

    Example: upstream impact retrain --trusts 40
    """
    from training.impact.retraining.rounds import FeedbackTrust, retrain_lines, retrain_many

    if records:
        from training.impact.retraining.whole_records import LiveTrust, live_in_many

        live = LiveTrust(
            patients=people or 2000, rounds=rounds or 2, reviewed=_or(reviewed, 0.6), review_effect=review_effect
        )
        whole = live_in_many(live, trusts, seed)
        report(whole, as_json, lambda: retrain_lines(whole))
        return

    found = retrain_many(
        FeedbackTrust(people=people or 2500, effect=effect, reviewed=_or(reviewed, 0.8), rounds=rounds or 4),
        trusts,
        seed,
    )
    report(found, as_json, lambda: retrain_lines(found))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


@impact.command("watch")
def impact_watch(
    trusts: Annotated[int, typer.Option(min=2, help="Simulated trusts for each planted misfit.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same trusts.")] = 1,
    as_json: Json = False,
) -> None:
    """Check the watch on small simulated trusts whose risks are wrong: how soon it alarms, and which step repairs them.

    Example: upstream impact watch --trusts 300
    """
    from training.impact.watching.shifted_trusts import ShiftedTrust, watch_lines, watch_many
    from training.settings import Settings

    found = watch_many(ShiftedTrust(), trusts, seed, Settings.load().watching)
    report(found, as_json, lambda: watch_lines(found))


silent = command_group("The silent trial: scores that were locked and shown to nobody (upstream score --silent).")


@silent.command("report")
def silent_show(context: typer.Context, home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Report what the silent scores were worth: events found at the places, calibration, feeds, people left out, staff.

    Each model is reported apart, so a challenger stands beside the champion. Run it once the horizon has passed.

    Example: upstream silent report --home .upstream
    """
    from features import Records
    from models.blind_rating import rating_folder
    from models.locked_scores import locked_folders, read_locked
    from training.impact.blind_rating import read_rating
    from training.impact.silent_report import silent_lines, silent_report
    from training.settings import Settings

    settings = Settings.load()
    folders = locked_folders(home)
    if not folders:
        raise CommandError(f"no silent scores in {home}; run upstream score --silent first")
    found = silent_report(
        [read_locked(folder) for folder in folders],
        Records.load(home / "store"),
        rows_of(context).impact(home)["reviews"],
        rows_of(context).locks(home),
        settings.outcomes,
        settings.watching,
    )
    found["blind_rating"] = read_rating(rating_folder(home), rows_of(context).ratings(home))
    report(found, as_json, lambda: silent_lines(found))


@silent.command("rating")
def silent_rating(
    home: Home = DEFAULT_HOME, seed: Annotated[int, typer.Option(help="Of the random choice and order.")] = 1
) -> None:
    """Write 30 cases for a blind rating, half listed and half at random, and the key in a second file.

    Pharmacists rate the cases of their teams at /rating, which shows neither. Or give a rater the first file alone.
    The report reads both.

    Example: upstream silent rating --home .upstream
    """
    from models.blind_rating import rating_folder
    from models.locked_scores import locked_folders, read_locked
    from training.impact.blind_rating import write_rating

    folders = locked_folders(home)
    if not folders:
        raise CommandError(f"no silent scores in {home}; run upstream score --silent first")
    for path in write_rating(read_locked(folders[-1]), rating_folder(home), seed):
        typer.echo(str(path))


model = command_group("The model that serves: how it does, for the team that owns it.")


@model.command("report")
def model_report(
    context: typer.Context,
    home: Home = DEFAULT_HOME,
    month: Annotated[
        str | None, typer.Option(help="Year and month, as 2026-01; the month of the newest list by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the page; reports/ in the home by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write one page a month on the served model: events against expected ones, drift, feeds, refusals, and what to do.

    It reads published risks once their prediction window has passed. What cannot be known yet says until when.

    Example: upstream model report --home .upstream --month 2026-01
    """
    from features import Records
    from training.impact.month_report import month_lines, month_of, month_report, write_month
    from training.registry.decisions import decisions
    from training.settings import Settings

    settings = Settings.load()
    rows = rows_of(context).month(home)
    if not rows["runs"]:
        raise CommandError(f"no list was published from {home}; run upstream score first")
    records, chosen = Records.load(home / "store"), month_of(rows, month)
    decided = decisions(home, settings.tracking, (str(run["model_version"]) for run in rows["runs"]))
    found = month_report(records, rows, chosen, settings.outcomes, settings.watching, decided)
    page = write_month(found, out or home / "reports")
    report(found, as_json, lambda: [*month_lines(found), f"page: {page}"])
