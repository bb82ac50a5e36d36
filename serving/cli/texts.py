"""``upstream texting``: numbers and consent, replies after an outage, retention, and one person's texts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, report
from serving.cli.groups import settings_of, texting
from serving.cli.people import KeyFile, identity_keys


@texting.command("numbers")
def texting_numbers(
    file: Annotated[Path, typer.Argument(help="CSV (UTF-8): patient_id, mobile, consent (yes or no).")],
    home: Home = DEFAULT_HOME,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Load mobile numbers and consent, sealed by a key that is not in the database. Replaces the table as a whole.

    What a row says wrongly is left out and counted, by row number. A word of consent that is neither yes nor no counts
    as no. People who texted STOP stay out, whatever the file says. Ids that are NHS numbers need UPSTREAM_NHS_KEY_FILE.

    Example: upstream texting numbers numbers.csv --home .upstream --key identity.key
    """
    from features.records.reading.nhs_numbers import NhsKey
    from serving.messages.numbers.loading import load_numbers

    number_key = os.environ.get("UPSTREAM_NHS_KEY_FILE")
    found = load_numbers(home, file, identity_keys(home, key), NhsKey.read(Path(number_key)) if number_key else None)
    report(found.as_dict(), as_json, found.lines)


@texting.command("replay")
def texting_replay(home: Home = DEFAULT_HOME, key: KeyFile = None, as_json: Json = False) -> None:
    """Fetch the replies of the last seven days from the provider, and store those that never arrived. Run it after an
    outage; the service also does it when it starts. Run twice, it stores nothing twice.

    Example: upstream texting replay --home .upstream --key identity.key
    """
    from serving.messages.desk import desk_from
    from serving.messages.incoming.inbound import replay
    from serving.storage import migrations

    settings = settings_of(home)
    if not settings.texting.is_on:
        raise CommandError("no provider of texts is set; set UPSTREAM_TEXTING as the service has it")
    keys = identity_keys(home, key)
    with migrations.opened(home) as database:
        fresh = replay(desk_from(settings, database, keys))
    report({"stored": fresh}, as_json, lambda: [f"{fresh:,} replies were missing and are stored now"])


@texting.command("retention")
def texting_retention(
    home: Home = DEFAULT_HOME,
    days: Annotated[
        int | None, typer.Option(min=30, help="Keep so many days; keep_days of UPSTREAM_TEXTING by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Delete texts, receipts and replies that are older than the settings keep. Run it weekly.

    People who texted STOP stay out. A reply that nobody has finished with stays. Of a reply by a closed code the day
    stays for three years, as a contact of the record; its words and its number go.

    Written to the audit log.

    Example: upstream texting retention --home .upstream --days 365
    """
    from serving.messages.retention import delete_old_texts

    deleted = delete_old_texts(home, days or settings_of(home).texting.keep_days)
    lines = [f"deleted: {count:,} {name.replace('_', ' ')}" for name, count in deleted.items()]
    report({"deleted": deleted}, as_json, lambda: lines)


@texting.command("export")
def texting_export(
    patient_id: Annotated[str, typer.Option("--id", help="The person's local id, as the records have it.")],
    out: Annotated[Path, typer.Option(help="New file for the copy (JSON). Only you can read it.")],
    home: Home = DEFAULT_HOME,
    key: KeyFile = None,
) -> None:
    """Write one person's texts and replies, opened, into a file, for subject access. Written to the audit log.

    Example: upstream texting export --home .upstream --id p1 --out texts.json
    """
    import json

    from features.records.reading.ids import clean_id
    from serving.messages.retention import export_texts

    if out.exists():
        raise CommandError(f"{out} exists already; choose another file with --out")
    found = export_texts(home, clean_id(patient_id), identity_keys(home, key))
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=2, ensure_ascii=False)
    typer.echo(f"written to {out}", err=True)


@texting.command("erase")
def texting_erase(
    patient_id: Annotated[str, typer.Option("--id", help="The person's local id, as the records have it.")],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Erase one person's number, texts and replies, and nothing else of them. Written to the audit log.

    A STOP stays as a keyed hash that names nobody. The next nightly run takes the contacts out of the store. To erase
    everything that is held about a person, use upstream person erase.

    Example: upstream texting erase --home .upstream --id p1
    """
    from features.records.reading.ids import clean_id
    from serving.messages.retention import erase_texts

    erased = erase_texts(home, clean_id(patient_id))
    lines = [f"erased: {count:,} {name.replace('_', ' ')}" for name, count in erased.items()]
    report({"erased": erased}, as_json, lambda: lines)
