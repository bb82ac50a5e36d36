"""``upstream identities``, ``person`` and ``retention``: what the service holds about people, and for how long."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import DEFAULT_HOME, CommandError, Home, Json, report
from serving.cli.groups import app, identities, keys, person, settings_of

if TYPE_CHECKING:
    from serving.identities.keys import IdentityKeys


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
    from features.records.reading.nhs_numbers import NhsKey
    from serving.identities.loading import load_identities

    number_key = os.environ.get("UPSTREAM_NHS_KEY_FILE")
    found = load_identities(home, file, identity_keys(home, key), NhsKey.read(Path(number_key)) if number_key else None)
    report(found.as_dict(), as_json, found.lines)


@identities.command("rotate")
def identities_rotate(home: Home = DEFAULT_HOME, key: KeyFile = None) -> None:
    """Seal every name by the first key of the key file. Put a new key on top first; remove the old one afterwards.

    Example: upstream identities rotate --home .upstream --key identity.key
    """
    from serving.identities.loading import rotate

    again = rotate(home, identity_keys(home, key))
    typer.echo(f"{again:,} identities sealed by the current key; restart the service, then remove the old key")


def identity_keys(home: Path, given: Path | None) -> IdentityKeys:
    """The keys that ``--key`` names, else those of the settings, else those of a demo's home."""
    from serving.identities.keys import IdentityKeys
    from serving.settings import IDENTITY_KEY

    path = given or Path(os.environ.get("UPSTREAM_IDENTITY_KEY_FILE") or home / IDENTITY_KEY)
    return IdentityKeys.read(path)


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


@keys.command("rotate-nhs")
def keys_rotate_nhs(
    numbers: Annotated[Path, typer.Argument(help="CSV with a column nhs_number: everybody whose id is a pseudonym.")],
    old_key_file: Annotated[Path, typer.Option(help="The key that made the ids.")],
    key_file: Annotated[Path, typer.Option(help="The new key. The ids from before it are written beside it.")],
    home: Home = DEFAULT_HOME,
    leave: Annotated[bool, typer.Option("--leave", help="Go on without people who are not in the file.")] = False,
    as_json: Json = False,
) -> None:
    """Replace the NHS number key without ingesting everything again: people keep their ids.

    Then set UPSTREAM_NHS_KEY_FILE to the new key and restart the service. For a key that somebody else may know, ingest
    everything again instead.

    Example: upstream keys rotate-nhs names.csv --old-key-file nhs.key --key-file nhs2.key --home .upstream
    """
    from serving.data_rights.service import rotate_nhs_key

    done = rotate_nhs_key(home, old_key_file, key_file, numbers, leave=leave)
    words = (
        f"{done.people:,} people keep their ids under the key {done.new_key}; {done.not_found:,} were not in the file"
    )
    report(done.as_dict(), as_json, lambda: [words])


@app.command()
def retention(
    home: Home = DEFAULT_HOME,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, and delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is older than mlflow.yaml keeps (retention), and texts older than UPSTREAM_TEXTING keeps.

    Written to the audit log. Run it once a week.

    Example: upstream retention --home .upstream --dry-run
    """
    from features.settings import NightlySettings, load_settings
    from serving.data_rights.service import apply_retention
    from serving.messages.retention import delete_old_texts

    found = apply_retention(home, load_settings(NightlySettings).retention, dry_run=dry_run)
    found |= delete_old_texts(home, settings_of(home).texting.keep_days, dry_run=dry_run)
    lines = [f"{'would go' if dry_run else 'deleted'}: {count:,} {name}" for name, count in found.items()]
    report({"deleted": found, "dry_run": dry_run}, as_json, lambda: lines)
