"""``export_run``: the published list as NDJSON with a Bulk Data manifest, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from features.errors import UpstreamError
from serving.auditlog.log import Audit, Look, append
from serving.fhir import repository
from serving.fhir.service import MAKES, assessed
from serving.identity.callers import Caller, Role
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.settings import database_url_of
from serving.storage import migrations
from serving.storage.database import Database

AT_ONCE = 200
"""People in memory at a time."""
EVERYBODY = Caller("fhir export", Role.CMHT_SYSTEM, None)


class ExportRefused(UpstreamError):
    """The folder cannot take the export; the message says what to do."""


def export_run(where: Path | str | Database, folder: Path) -> dict[str, Any]:
    """Writes the published list into ``folder``, which must be new or empty, and returns its manifest. Everybody on
    the list is in the audit log, team by team, before the files get their final names.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ExportRefused(f"{folder} holds other files; choose a new or empty folder for the export")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True, mode=0o700)
    try:
        with migrations.opened(where if isinstance(where, Database) else database_url_of(Path(where))) as database:
            manifest = _write(database, beside)
        (beside / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _write(database: Database, folder: Path) -> dict[str, Any]:
    counts = dict.fromkeys(MAKES, 0)
    files: dict[str, IO[str]] = {kind: (folder / f"{kind}.ndjson").open("w", encoding="utf-8") for kind in MAKES}
    looks = []
    try:
        with database.read(EVERYBODY) as connection:
            row = current_run(connection)
            if row is None:
                raise ExportRefused("no list has been published in this home; run `upstream score` first")
            run = RunInfo.of(row)
            for team_id, rows in groupby(repository.everybody(connection, EVERYBODY), key=lambda row: row.team_id):
                patients = [row.patient_id for row in rows]
                for start in range(0, len(patients), AT_ONCE):
                    for one in assessed(connection, EVERYBODY, run, team_id, patients[start : start + AT_ONCE]):
                        for kind, make in MAKES.items():
                            for resource in make(one):
                                files[kind].write(json.dumps(resource, separators=(",", ":")) + "\n")
                                counts[kind] += 1
                looks.append(Look("fhir.exported", tuple(patients), team_id, run.run_id, run.bundle_id))
    finally:
        for file in files.values():
            file.close()
    with database.write() as connection:
        for look in looks:
            append(connection, Audit(database, "command line", "operator", "none"), look)
    return {
        "transactionTime": run.published_at.isoformat(timespec="seconds"),
        "request": f"urn:upstream:run:{run.run_id}",
        "requiresAccessToken": False,
        "output": [{"type": kind, "url": f"{kind}.ndjson", "count": count} for kind, count in counts.items()],
        "error": [],
        "extension": {"urn:upstream:synthetic": run.synthetic, "urn:upstream:as-of": run.as_of.isoformat()},
    }
