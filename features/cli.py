"""Commands that read records and build features: ``ingest`` and ``features``. Each command imports its packages when
it runs, so that ``--help`` is quick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from features.console import CommandError, Json, Steps, command_group, count_of, report
from features.sharded.engines import ShardEngine

ingest = command_group("Turn an outside extract into a store of records.")
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the store.")]
Into = Annotated[
    Path | None,
    typer.Option("--into", help="An existing store of the same people to add this source to. Use instead of --out."),
]
export = command_group("Write a store of records in a format that other systems read.")
features = command_group("List the features, build them, and prove that none reads the future.")


@ingest.command("own")
def ingest_own(
    folder: Annotated[Path, typer.Argument(help="Folder with one CSV or Parquet file per table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the store.")],
    nhs_key_file: Annotated[
        Path | None,
        typer.Option(help="File with one line <key id>:<hex>. Its key turns NHS numbers used as ids into pseudonyms."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a folder with one CSV or Parquet file per table, and write it as a store.

    NHS numbers as ids are refused without --nhs-key-file, and never stored.

    Example: upstream ingest own extracts/2026-01 --out .upstream/store
    """
    from features import Records
    from features.records.reading.nhs_numbers import NhsKey
    from features.records.withdrawn import replace_store

    key = NhsKey.read(nhs_key_file) if nhs_key_file else None
    records = Records.load(folder, nhs_key=key)
    replace_store(records, out)
    wrong = records.about.get("rows_with_a_wrong_nhs_number", {})
    result = {**records.report.as_dict(), "store": str(out), "people": len(records), "data_hash": records.data_hash}
    slips = [
        f"{name}: {rows:,} rows set aside because the check digit of their NHS number is wrong"
        for name, rows in wrong.items()
    ]
    report(result, as_json, lambda: [*records.report.lines(), *slips, f"store: {out} ({len(records):,} people)"])
    _stop_where_all_was_set_aside(
        [name for name, table in records.report.tables.items() if table.read and table.set_aside == table.read]
    )


@ingest.command("omop")
def ingest_omop(
    folder: Annotated[Path, typer.Argument(help="Folder with the OMOP tables.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the store.")],
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Mark the records as synthetic, everywhere they go.")
    ] = False,
    mappings: Annotated[
        Path | None, typer.Option(help="Folder with mapping tables to use instead of the built-in ones.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn an OMOP CDM 5.x extract into a store, accounting for every row.

    Example: upstream ingest omop ../shared/data/omop_synpuf50 --synthetic --out trust/store
    """
    from features.records.sources import omop

    result = omop.ingest(folder, out, mappings=mappings, about={"synthetic": True} if synthetic else None)
    report(result, as_json, lambda: omop.lines(result, out))
    _stop_where_all_was_set_aside(
        [name for name, table in result["tables"].items() if table["rows"] and table["set_aside"] == table["rows"]]
    )


def _stop_where_all_was_set_aside(tables: list[str]) -> None:
    """Exits with code 1 if a table of the extract lost every row: that would look like care that stopped."""
    if tables:
        typer.echo(
            f"every row of {', '.join(tables)} was set aside; the reasons are above and in the store's quarantine.csv. "
            "Correct the extract and ingest it again before scoring.",
            err=True,
        )
        raise typer.Exit(1)


@ingest.command("fhir")
def ingest_fhir(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder with NDJSON, a Bulk Data export, or Bundles. Leave it out with --replay."),
    ] = None,
    out: Out = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Mark the records as synthetic, everywhere they go.")
    ] = False,
    mappings: Annotated[
        Path | None, typer.Option(help="Folder with mapping tables to use instead of the built-in ones.")
    ] = None,
    dmd: Annotated[Path | None, typer.Option(help="Folder with a dm+d release, or code lists with BNF codes.")] = None,
    nhs_key_file: Annotated[
        Path | None,
        typer.Option(help="File with one line <key id>:<hex>. Its key turns NHS numbers into the ids of people."),
    ] = None,
    exported: Annotated[
        str | None, typer.Option(help="Day of the export, YYYY-MM-DD, if no manifest gives it.")
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(help="Folder of the version ledger, which keeps the day each version was first seen."),
    ] = None,
    replay: Annotated[
        str | None, typer.Option(help="YYYY-MM-DD: rebuild the store as it was before this day, from the ledger alone.")
    ] = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Turn an extract of FHIR R4 (UK Core) into a store, accounting for every resource.

    Example: upstream ingest fhir exports/2026-01-05 --ledger .upstream/ledger --out .upstream/store
    """
    from features.records.reading.nhs_numbers import NhsKey
    from features.records.sources import fhir

    options: dict[str, Any] = {
        "mappings": mappings,
        "dmd": dmd,
        "about": {"synthetic": True} if synthetic else None,
        "nhs_key": NhsKey.read(nhs_key_file) if nhs_key_file else None,
    }
    with _destination(out, into, "fhir") as target:
        if replay is not None:
            if ledger is None or folder is not None:
                raise CommandError("--replay reads a ledger and no folder; give the ledger with --ledger")
            result = fhir.replay(_day(replay, "--replay"), target.folder, ledger, **options)
        elif folder is None:
            raise CommandError("give the folder of the extract, or a day with --replay")
        else:
            options["exported"] = _day(exported, "--exported") if exported else None
            options["progress"] = lambda done, total: count_of("read (kB)", done // 1024, total // 1024)
            if ledger is not None:
                result = fhir.ingest_with_ledger(folder, target.folder, ledger, **options)
            else:
                result = fhir.ingest(folder, target.folder, **options)
    report(target.report(result), as_json, lambda: target.lines(fhir.lines(result, target.shown)))


@ingest.command("mhsds")
def ingest_mhsds(
    folder: Annotated[Path, typer.Argument(help="Folder with one folder per submission and one CSV per table.")],
    out: Out = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Mark the records as synthetic, everywhere they go.")
    ] = False,
    nhs_key_file: Annotated[
        Path | None,
        typer.Option(help="File with one line <key id>:<hex>. Its key turns NHS numbers into the ids of people."),
    ] = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Turn MHSDS submissions into a store, accounting for every row. MHSDS has no bookings and no medicines.

    Example: upstream ingest mhsds submissions --nhs-key-file key.txt --into .upstream/store
    """
    from features.records.reading.nhs_numbers import NhsKey
    from features.records.sources import mhsds

    key = NhsKey.read(nhs_key_file) if nhs_key_file else None
    with _destination(out, into, "mhsds") as target:
        about = {"synthetic": True} if synthetic else None
        result = mhsds.ingest(folder, target.folder, nhs_key=key, about=about)
    report(target.report(result), as_json, lambda: target.lines(mhsds.lines(result, target.shown)))


@ingest.command("hes")
def ingest_hes(
    folder: Annotated[Path, typer.Argument(help="Folder with the HES files as CSV.")],
    out: Out = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Mark the records as synthetic, everywhere they go.")
    ] = False,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Turn HES outpatients and admitted care of mental health specialties into a store, accounting for every row.

    Example: upstream ingest hes extracts/hes --out hes/store
    """
    from features.records.sources import hes

    with _destination(out, into, "hes") as target:
        result = hes.ingest(folder, target.folder, about={"synthetic": True} if synthetic else None)
    report(target.report(result), as_json, lambda: target.lines(hes.lines(result, target.shown)))


class _Destination:
    """Where an ingest writes: its own folder, or a temporary folder that is then merged into a store."""

    def __init__(self, folder: Path, store: Path | None) -> None:
        self.folder, self.shown = folder, store or folder
        self.merged: dict[str, Any] | None = None

    def report(self, result: dict[str, Any]) -> dict[str, Any]:
        return result if self.merged is None else {**result, "merged": self.merged}

    def lines(self, lines: list[str]) -> list[str]:
        from features.records.sources import merging

        return lines if self.merged is None else [*lines, *merging.lines(self.merged)]


@contextmanager
def _destination(out: Path | None, into: Path | None, name: str) -> Iterator[_Destination]:
    """The folder to write to. On leaving, its contents are merged into the store of ``--into``."""
    from features.records.sources import merging

    if (out is None) == (into is None):
        raise CommandError("give --out for a new store, or --into for an existing store to add this source to")
    if out is not None:
        yield _Destination(out, None)
        return
    assert into is not None
    with TemporaryDirectory(prefix=f".{into.name}-", dir=into.resolve().parent) as beside:
        target = _Destination(Path(beside) / "added", into)
        yield target
        target.merged = merging.merge_into(into, target.folder, name)


@export.command("fhir")
def export_fhir(
    store: Annotated[Path, typer.Option("--store", help="A store of records.")],
    out: Annotated[Path, typer.Option("--out", help="An empty folder for the NDJSON and its manifest.")],
    as_json: Json = False,
) -> None:
    """Write a store as UK Core NDJSON, for tests and for handing data on.

    Example: upstream export fhir --store .upstream/store --out exports/fhir
    """
    from features import Records
    from features.records.sources import fhir

    result = fhir.export(Records.load(store), out)
    written = [f"{kind}: {count:,}" for kind, count in result["resources"].items() if count]
    lost = [f"not written: {what} ({count:,})" for what, count in result["left_out"].items() if count]
    report(result, as_json, lambda: [*written, *lost, f"export: {out}"])


@export.command("mhsds")
def export_mhsds(
    store: Annotated[Path, typer.Option("--store", help="A store of records.")],
    out: Annotated[Path, typer.Option("--out", help="An empty folder for the submissions.")],
    months: Annotated[
        int | None, typer.Option(min=1, help="Write only this many of the latest months; all by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a store as monthly MHSDS submissions, for tests and for handing data on.

    Example: upstream export mhsds --store .upstream/store --out exports/mhsds --months 12
    """
    from features import Records
    from features.records.sources import mhsds

    result = mhsds.export(Records.load(store), out, months=months)
    written = [f"{table}: {count:,}" for table, count in result["rows"].items() if count]
    lost = [f"not written: {what} ({count:,})" for what, count in result["left_out"].items() if count]
    report(result, as_json, lambda: [*written, *lost, f"submissions: {out}"])


def _day(text: str, option: str) -> dt.date:
    """Parses a date option of the command line."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option} is not a date; write YYYY-MM-DD") from None


@features.command("list")
def features_list(as_json: Json = False) -> None:
    """Every feature of the catalogue: what it is, its unit, its window and why it belongs.

    Example: upstream features list --json
    """
    from features import CATALOGUE

    rows = [feature.as_dict() for feature in CATALOGUE]
    report({"features": rows}, as_json, lambda: [f"{r['name']:<42}{r['unit']:<22}{r['why']}" for r in rows])


@features.command("build")
def features_build(
    store: Annotated[Path, typer.Option("--store", help="A store of records, or a partition of one.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the parts and manifest.json.")],
    spine: Annotated[
        Path | None, typer.Option("--spine", help="Parquet or CSV: patient_id, as_of and columns of your own.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Build everybody on this day instead of a spine.")
    ] = None,
    engine: Annotated[
        ShardEngine, typer.Option(help="Build shards one after another (local) or as Spark tasks.")
    ] = ShardEngine.LOCAL,
    master: Annotated[str, typer.Option(help="Spark master; spark-submit's setting takes precedence.")] = "local[2]",
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="N or A-B/N",
            help="Number of shards; by default about 5,000 people per shard. In a job array: the shards of this job, "
            "counted from 0, as 0-99/400.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build every feature of a spine, shard by shard, in bounded memory. If it is interrupted, run the same command
    again.

    Example: upstream features build --store .upstream/store --spine spine.parquet --out built
    """
    from features import CATALOGUE
    from features.sharded.command import build_features

    steps = Steps(1)
    with steps.step("build features") as say:
        made = build_features(store, out, tuple(CATALOGUE), spine, as_of, engine, master, shards, progress=steps.note)
        done = (
            f"{made['built_now']} parts built, {made['left']} of {made['shards']} not there yet: other jobs build them"
            if made.get("left")
            else f"{made['rows']:,} rows, {len(made['columns'])} features, {made['shards']} parts"
        )
        say(f"{done} in {out}")
    report(made, as_json, lambda: [f"{done}: {out}"])


@features.command("prove")
def features_prove(
    store: Annotated[Path | None, typer.Option("--store", help="A store of records.")] = None,
    home: Annotated[Path | None, typer.Option("--home", help="A home whose store to use.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Number of checks, each of one person on one date.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same people and dates.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for leakage.json and leakage.txt.")] = None,
    as_json: Json = False,
) -> None:
    """Delete and garble the future of random people on random dates: no feature and no care gap may change.

    Exit code 1 if one changed.

    Example: upstream features prove --home .upstream --rows 100000 --out evidence
    """
    from features import Records
    from features.leakage import prove

    if (store is None) == (home is None):
        raise CommandError("say which records to check: --store FOLDER or --home DIR")
    statement = prove(Records.load(store or Path(home or "") / "store"), rows, seed)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        statement.write(out)
    report(statement.as_dict(), as_json, statement.lines)
    if not statement.holds:
        raise typer.Exit(1)


@features.command("gaps")
def features_gaps(
    store: Annotated[Path | None, typer.Option("--store", help="A store of records.")] = None,
    home: Annotated[Path | None, typer.Option("--home", help="A home whose store to use.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Day to check; by default the last day in the records.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How often each care gap fires on the caseload, beside its budget. Exit code 1 if one is over budget.

    Example: upstream features gaps --home .upstream
    """
    from features import Records
    from features.gaps.prevalence import prevalence
    from features.records import day_of

    if (store is None) == (home is None):
        raise CommandError("say which records to check: --store FOLDER or --home DIR")
    records = Records.load(store or Path(home or "") / "store")
    day = records.last_day_known() + 1 if as_of is None else day_of(_day(as_of, "--as-of"))
    found = prevalence(records, day)
    report(found.as_dict(), as_json, found.lines)
    if not found.within:
        raise typer.Exit(1)
