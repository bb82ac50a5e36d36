"""People whose rows in an earlier run of the same day are still right, because nothing in their records changed.

What a run stores about a person follows from the model, the code, the day, the teams and the person's own records, so
a second run of one day (a late or corrected extract) scores only the people whose records differ and copies the rest:
the same bytes. On another day everybody is scored again, because every window and every age moves with the day.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from sqlalchemy import Connection

import features
from features import Records
from features.engine.caseload import Caseload
from features.errors import UpstreamError
from features.records.person_hashes import person_hashes
from features.sharded.partition import hash_files
from models import RiskModel
from serving.runs.repository import copy_people, hashes_of, whole_runs_of
from serving.storage.database import Database


class EarlierRunChanged(UpstreamError):
    """The run to copy from lost people or explanations while this run worked."""


PACKAGES = ("features", "models", "serving")


@dataclass(frozen=True)
class Unchanged:
    """``hashes`` has the hash of everybody's records and ``made_of`` that of everything else. ``people`` are those who
    are the same in the run ``run_id``; without such a run it is None and nobody."""

    made_of: str
    hashes: dict[str, bytes]
    run_id: str | None
    people: frozenset[str]

    def copy_into(self, connection: Connection, run_id: str) -> None:
        """Copies the rows of the unchanged people to the run ``run_id``, inside the caller's transaction. Raises
        ``EarlierRunChanged`` if one of them is no longer there as it was."""
        if self.run_id is None:
            return
        copy_people(connection, self.run_id, run_id, sorted(self.people))
        copied = {patient: found for (patient, _), found in hashes_of(connection, run_id).items()}
        if any(copied.get(patient) != self.hashes[patient] for patient in self.people):
            raise EarlierRunChanged(
                "the earlier run of this day, which this one copies from, was changed meanwhile; nothing was "
                "published. Start it again"
            )


def find_unchanged(
    database: Database,
    model: RiskModel,
    records: Records,
    day: dt.date,
    chosen: Caseload,
    *,
    score_all: bool,
    threads: int,
) -> Unchanged:
    """Compares the people of ``chosen`` with the newest whole run of that day that was made in the same way. With
    ``score_all`` nobody counts as unchanged."""
    ids = chosen.spine["patient_id"].astype("str").tolist()
    hashes = dict(zip(ids, person_hashes(records, records.positions(ids), threads), strict=True))
    made = _made_of(records)
    if score_all:
        return Unchanged(made, hashes, None, frozenset())
    now = {(patient, str(team)): hashes[patient] for patient, team in zip(ids, chosen.spine["team_id"], strict=True)}
    with database.write() as connection:  # the service's own job: rows of all teams
        for run in whole_runs_of(connection, model.manifest.bundle_id, day):
            if run.summary.get("made_of") == made:
                before = hashes_of(connection, run.run_id)
                same = frozenset(patient for (patient, team), one in now.items() if before.get((patient, team)) == one)
                return Unchanged(made, hashes, run.run_id, same)
    return Unchanged(made, hashes, None, frozenset())


def _made_of(records: Records) -> str:
    """SHA-256 of the teams and of the code that scores and stores, with the libraries that compute."""
    root = Path(features.__file__).resolve().parent.parent
    files = (path for name in PACKAGES for end in ("*.py", "*.csv") for path in (root / name).rglob(end))
    digest = hashlib.sha256(f"{np.__version__} {numba.__version__} {hash_files(root, sorted(files))}".encode())
    records.tables["teams"].update_hash(digest)
    return digest.hexdigest()
