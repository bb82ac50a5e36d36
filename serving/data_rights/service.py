"""``upstream person`` and ``upstream retention``: a copy of what is held about a person, erasure, and retention.

What erasure keeps, and why. The audit log stays: it is the evidence of who saw whom, the law requires it, and a chain
with gaps proves nothing (UK GDPR article 17(3)(b) and (e)). It names the person by the local id alone. Reviews and
emergency accesses stay: they are records of care and of who opened them, kept as long as the trust's records policy
says. The exposure log stays: it shows who was listed when. Models stay: they hold no rows of people. Erasure cannot
reach backups, the extract and the version ledger of the trust; the answer says so.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features import Records
from features.errors import UpstreamError
from features.records.reading.ids import clean_id
from features.records.reading.nhs_key_rotation import Rotation, rotated, write_known
from features.records.reading.nhs_numbers import NhsKey
from features.settings import RetentionSettings
from models.locked_scores import erase_locked, locked_rows
from serving.auditlog.log import Audit, Look, append, wait_for_writers
from serving.data_rights import repository
from serving.runs.repository import erased_key
from serving.runs.run_lock import only_runner, remove_staged, staging_folder
from serving.storage import migrations
from serving.storage.database import Database

KEPT_BECAUSE = {
    "audit_events": "evidence of who saw whom; a chain with holes proves nothing. It names the local id alone",
    "reviews": "records of care, kept as long as the trust's records policy says",
    "emergency_access": "evidence of who opened the record in an emergency, and why",
    "exposures": "evidence of who was listed when; the audit chain holds it",
}
ELSEWHERE = (
    "backups until they expire, the extracts and the version ledger of the trust, and the record system itself: "
    "erase there too"
)


class PersonUnknown(UpstreamError):
    """Nothing is held about the person; the message repeats no id."""


class NumbersMissing(UpstreamError):
    """The file of NHS numbers cannot be read, or somebody's number is not in it; the message holds no number."""


class ErasureIncomplete(UpstreamError):
    """An erasure without a name or a reason."""


@dataclass(frozen=True)
class Erased:
    """The result of an erasure: rows removed, rows that stay and why, and where else to erase."""

    removed: dict[str, int]
    store_rows: int
    kept: dict[str, int]
    why_kept: dict[str, str] = field(default_factory=lambda: dict(KEPT_BECAUSE))
    elsewhere: str = ELSEWHERE
    silent_rows: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The result as text for a terminal."""
        removed = [f"  {name}: {count:,} rows" for name, count in self.removed.items()]
        kept = [f"  {name}: {self.kept.get(name, 0):,} rows; {why}" for name, why in self.why_kept.items()]
        files = [f"  store: {self.store_rows:,} rows", f"  locked silent scores: {self.silent_rows:,} rows"]
        return ["removed:", *removed, *files, "kept:", *kept, f"also in {self.elsewhere}"]


def export_person(home: Path, patient_id: str) -> dict[str, Any]:
    """All data held about a person, as JSON values: tables of the database, and rows of the home's store. The export
    is in the audit log before it is returned. Raises ``PersonUnknown``.
    """
    person = clean_id(patient_id)
    with migrations.opened(home) as database:
        with database.write() as connection:  # our own job: row policies show it every team
            held = repository.rows_about(connection, person)
        records = _store_rows(home / "store", person)
        if silent := locked_rows(home, person):
            held["silent"] = silent
        if not held and not records:
            raise PersonUnknown("nothing is held about that person; check the id")
        counts = {name: len(rows) for name, rows in held.items()}
        _audit(database).record(Look("person.exported", (person,), detail={"rows": counts}))
    whole = {"patient_id": person, "held": held, "records": records}
    return dict(json.loads(json.dumps(whole, default=_plain)))


def erase_person(home: Path, patient_id: str, by: str, why: str) -> Erased:
    """Erases a person from the database, unfinished runs, the locked silent scores and the home's store. A later
    extract does not bring them back. Raises ``PersonUnknown``, ``ErasureIncomplete``, or ``AlreadyRunning`` while a
    nightly run works on this home; then nothing is erased.
    """
    by, why = by.strip(), why.strip()
    if not by or not why:
        raise ErasureIncomplete("give --by and --why: both are written to the audit log")
    person, store = clean_id(patient_id), home / "store"
    with (
        migrations.opened(home) as database,
        only_runner(folder := staging_folder(database, store), "erasure"),
    ):
        in_store = sum(map(len, _store_rows(store, person).values()))
        with database.write() as connection:
            if not in_store and not repository.rows_about(connection, person) and not locked_rows(home, person):
                raise PersonUnknown("nothing is held about that person; check the id")
            remove_staged(folder)
            wait_for_writers(connection)
            removed = repository.erase(connection, person, dt.datetime.now(dt.UTC))
            kept = {**repository.kept_of(connection, person), "audit_events": _looks(connection, person)}
            silent = erase_locked(home, person)
            detail = {
                "person_sha256": erased_key(person),
                "by": by[:200],
                "why": why[:500],
                "removed": removed,
                "silent": [asdict(one) for one in silent],
            }
            append(connection, _audit(database), Look("person.erased", detail=detail))
        if in_store:
            _erase_from_store(store, person)
    return Erased(removed, in_store, kept, silent_rows=sum(one.rows for one in silent))


def rotate_nhs_key(home: Path, old_key: Path, new_key: Path, numbers: Path, *, leave: bool = False) -> Rotation:
    """Lets a new NHS number key find everybody whom the old one found, by the NHS numbers in a column of a CSV file.
    Writes the ids beside the new key, and an audit event. Raises ``NumbersMissing`` if somebody's number is not in the
    file, unless ``leave``; then nothing is written.
    """
    old, new = NhsKey.read(old_key), NhsKey.read(new_key)
    try:
        rows = pd.read_csv(numbers, dtype="string", keep_default_na=False, encoding="utf-8-sig")["nhs_number"]
    except (OSError, ValueError, KeyError):
        raise NumbersMissing(f"{numbers.name} cannot be read as CSV (UTF-8) with a column nhs_number") from None
    store = home / "store"
    with migrations.opened(home) as database, only_runner(staging_folder(database, store), "change of keys"):
        held = set(Records.load(store).patient_ids.tolist()) if store.is_dir() else set()
        with database.write() as connection:
            ids, done = rotated(old, new, rows, held | repository.people_held(connection))
            if done.not_found and not leave:
                raise NumbersMissing(
                    f"{done.not_found:,} people have an id of the key {done.old_key} and no row in {numbers.name}: a "
                    f"later extract would make new people of them. Add their numbers, or leave them with --leave"
                )
            write_known(new_key, new.key_id, ids)
            append(connection, _audit(database), Look("nhs_key.rotated", detail=done.as_dict()))
    return done


def apply_retention(home: Path, settings: RetentionSettings, *, dry_run: bool = False) -> dict[str, int]:
    """Deletes what is older than the settings keep, in one transaction with its event. Returns how many of each kind.

    ``dry_run`` counts and deletes nothing. Reviews, exposures, emergency accesses and the audit log are never deleted.
    """
    now = dt.datetime.now(dt.UTC)

    def before(days: int) -> dt.datetime:
        return now - dt.timedelta(days=days)

    with (
        migrations.opened(home) as database,
        database.could_write() if dry_run else database.write() as connection,
    ):
        found = {
            "runs": repository.end_runs(connection, before(settings.runs_days)),
            "tokens and sessions": repository.end_access(connection, before(settings.ended_access_days)),
            "cards": repository.end_cards(connection, before(settings.cards_days)),
            "statuses and work": repository.end_workflow(connection, before(settings.workflow_days)),
            "refused lists": repository.end_refusals(connection, before(settings.refused_lists_days)),
            "drafts": repository.end_drafts(connection, now),
        }
        if not dry_run:
            detail = {"removed": found, "settings": settings.model_dump()}
            append(connection, _audit(database), Look("retention.applied", detail=detail))
    return found


def _looks(connection: Any, person: str) -> int:
    return len(repository.rows_about(connection, person).get("audit_events", ()))


def _audit(database: Database) -> Audit:
    return Audit(database, "command line", "operator", "none")


def _store_rows(store: Path, person: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of the store about a person, by table; none without a store."""
    if not store.is_dir():
        return {}
    records = Records.load(store)
    (place,) = records.positions([person])
    if place < 0:
        return {}
    own = records.at(np.array([place]))
    found: dict[str, list[dict[str, Any]]] = {}
    for name in own.tables:
        rows = [{str(column): value for column, value in row.items()} for row in own[name].to_dict("records")]
        if rows and name != "teams":
            found[name] = rows
    return found


def _erase_from_store(store: Path, person: str) -> None:
    records = Records.load(store)
    (place,) = records.positions([person])
    rest = records.at(np.delete(np.arange(len(records)), place))
    # Rows that were set aside hold values as given; rows that name the person are removed.
    aside = records.quarantine
    rest.quarantine = aside[~aside["values"].astype("str").str.contains(person, regex=False)] if len(aside) else aside
    rest.save(store)


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case dt.date() | dt.datetime():
            return None if str(value) == "NaT" else value.isoformat()
        case np.generic():
            return value.item()
    return str(value) if str(value) not in ("<NA>", "NaT") else None
