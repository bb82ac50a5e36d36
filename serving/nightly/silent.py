"""Silent scoring: everybody is scored and the scores are locked in files of the home. No page and no API reads them.

A challenger runs silently beside the champion: give its bundle. The audit log keeps the hash of each lock, so that the
signed checkpoints hold it before the outcomes exist.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select

from features import Records
from features.engine.caseload import IN_SCOPE_TEAM_KINDS, ON_CASELOAD, caseload
from features.records import NO_DAY, TABLES, day_of
from models import RiskModel
from models.bundle.not_promoted import refuse_unless_demo
from models.bundle.signature import refuse_unsigned
from models.locked_scores import FOLDER, write_locked
from serving.auditlog.log import Audit, Look, append
from serving.nightly.fitting_ids import erased_among, without_erased
from serving.nightly.run import latest_as_of, list_rules
from serving.runs.run_lock import only_runner, staging_folder
from serving.scoring.record_coverage import HISTORY_TABLES
from serving.scoring.service import score_people
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import audit_events
from serving.worklists.ranking import Ranking
from serving.worklists.rules import NO_SAFETY_GAP, PRESSING

ACTION = "silent.locked"
AT_ONCE = 2_000


@dataclass(frozen=True)
class SilentRun:
    """The result of a silent run. It names nobody."""

    folder: str
    lock: str
    as_of: str
    bundle_id: str
    people: int
    left_out: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        return [
            f"silent run of {self.as_of}, {self.bundle_id}: {self.people:,} people locked, shown to nobody",
            f"lock {self.lock}: keep it on another machine",
        ]


def score_silently(
    store: Path,
    bundle: Path,
    home: Path,
    as_of: dt.date | str | None = None,
    in_scope_kinds: Sequence[str] = IN_SCOPE_TEAM_KINDS,
) -> SilentRun:
    """Scores everybody on the caseload and locks the scores. Raises LockBroken if that day and model are locked, and
    ``AlreadyRunning``."""
    model = RiskModel.load(bundle, self_test=True)
    refuse_unsigned(model.manifest, model.signature, home)
    records = Records.load(store)
    refuse_unless_demo(model.manifest, home, synthetic=records.synthetic)
    if isinstance(as_of, str):
        as_of = dt.date.fromisoformat(as_of)
    day = as_of or latest_as_of(records)
    with migrations.opened(home) as opened, only_runner(staging_folder(opened, store), "silent scoring"):
        return _score_and_lock(opened, model, records, day, home, in_scope_kinds)


def _score_and_lock(
    database: Database, model: RiskModel, records: Records, day: dt.date, home: Path, in_scope_kinds: Sequence[str]
) -> SilentRun:
    chosen = without_erased(database, caseload(records, day_of(day), in_scope_kinds))
    scores = _scores(model, records, day, chosen.spine)
    scores = _places(scores, records, model)
    excluded = chosen.excluded()
    left_out = excluded.loc[excluded["reason"] != ON_CASELOAD, ["patient_id", "reason"]].astype(str)
    with database.read() as connection:
        left_out = left_out[~erased_among(connection, left_out["patient_id"])]
    about = {
        "as_of": day.isoformat(),
        "bundle_id": model.manifest.bundle_id,
        "data_hash": records.data_hash,
        "synthetic": records.synthetic,
        "outcomes": {name: list(days) for name, days in model.outcomes.items()},
        "ranked_by": list(_ranked_by(model)),
        "days_since_newest": _lateness(records, day),
    }
    folder = home / FOLDER / f"{day.isoformat()}-{model.manifest.bundle_id}"
    lock = write_locked(folder, scores, left_out.reset_index(drop=True), about)
    with database.write() as connection:
        detail = {"lock": lock, "as_of": day.isoformat(), "people": len(scores)}
        look = Look(ACTION, bundle_id=model.manifest.bundle_id, detail=detail)
        append(connection, Audit(database, "nightly", "operator", lock[:16]), look)
    return SilentRun(folder.name, lock, day.isoformat(), model.manifest.bundle_id, len(scores), len(left_out))


def locks_in_audit(home: Path) -> dict[str, str]:
    """When each lock was written to the audit log, by lock; also the hashes that erasures left."""
    with migrations.opened(home) as database, database.write() as connection:
        query = select(audit_events.c.at, audit_events.c.detail).where(audit_events.c.action == ACTION)
        found = {row.detail["lock"]: row.at for row in connection.execute(query)}
        gone = select(audit_events.c.at, audit_events.c.detail).where(audit_events.c.action == "person.erased")
        for row in connection.execute(gone):
            found |= {one["lock_now"]: row.at for one in row.detail.get("silent", ())}
        return found


def _ranked_by(model: RiskModel) -> tuple[str, int]:
    rules = list_rules(model, Ranking.RISK)
    return rules.outcome, rules.horizon_days


def _scores(model: RiskModel, records: Records, day: dt.date, spine: pd.DataFrame) -> pd.DataFrame:
    """One row a person: team, worst pressing gap, and the risk of each outcome and horizon."""
    ids, teams = spine["patient_id"].astype(str).tolist(), spine["team_id"].astype(str).tolist()
    rows: list[dict[str, Any]] = []
    for first in range(0, len(ids), AT_ONCE):
        part = ids[first : first + AT_ONCE]
        found = score_people(model, records.select(part), day, part)
        for row, patient in enumerate(part):
            severities = [gap["severity"] for gap in found.gaps.get(patient, []) if gap["safety"]]
            worst = min((PRESSING.index(name) for name in severities if name in PRESSING), default=NO_SAFETY_GAP)
            risks = {
                f"{outcome}_{horizon}": float(found.scores[outcome].probability[row, column])
                for outcome, horizons in model.outcomes.items()
                for column, horizon in enumerate(horizons)
            }
            rows.append({"patient_id": patient, "team_id": teams[first + row], "worst_gap": worst, **risks})
    return pd.DataFrame(rows)


def _places(scores: pd.DataFrame, records: Records, model: RiskModel) -> pd.DataFrame:
    """The scores with the place of each person on the team's list by risk, and the team's places a week."""
    if scores.empty:
        return scores.assign(place=[], slots=[])
    column = "{}_{}".format(*_ranked_by(model))
    slots = records["teams"].set_index("team_id")["weekly_reviews"]
    ordered = scores.sort_values(["team_id", column, "patient_id"], ascending=[True, False, True])
    return ordered.assign(
        place=ordered.groupby("team_id").cumcount() + 1,
        slots=ordered["team_id"].map(slots).astype("float64"),
    ).reset_index(drop=True)


def _lateness(records: Records, day: dt.date) -> dict[str, int | None]:
    """Days between the newest row of each table and ``day``; None for an empty table."""
    today = day_of(day)
    found: dict[str, int | None] = {}
    planned = TABLES["contacts"].column("outcome").values.index("planned")
    for name in HISTORY_TABLES:
        columns = records.columns(name)
        days = np.asarray(columns[str(TABLES[name].event_day)])
        counted = days < today
        if name == "contacts":
            counted &= columns["outcome"] != planned
        newest = int(days[counted].max(initial=np.int32(-NO_DAY)))
        found[name] = None if newest == -NO_DAY else today - newest
    return found
