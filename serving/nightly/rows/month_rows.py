"""Reads the data of the monthly model report from the service's tables: published risks, runs, refusals, drift.

Only the command line reads this, in its own transaction and never for a caller; the audit log says that it did.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from models import RiskModel
from models.errors import BundleError
from serving.auditlog.log import Audit, Look, append
from serving.nightly.rows.exposure_rows import lines_of_lists
from serving.nightly.rows.impact_rows import published_runs
from serving.operations.drift import FEWEST_PEOPLE, drifted
from serving.storage import migrations
from serving.storage.explanations import of_row, whole
from serving.storage.tables import audit_events, people, person_explanations, refusals, runs, scores

LISTS_APART = dt.timedelta(days=28)
"""Lists closer than this are not read twice: a person counts at most once a prediction window anyway."""
COLUMNS = ["patient_id", "team_id", "as_of", "bundle_id", "outcome", "horizon", "risk", "placed", "exposed"]


def month_rows(home: Path | str) -> dict[str, Any]:
    """``scores`` (one row a person, list, outcome and horizon), ``runs``, ``refused``, ``accepted`` and ``drifted``."""
    with migrations.opened(home) as database, database.write() as connection:
        published = published_runs(connection)
        about = {row.run_id: row for row in connection.execute(select(runs))}
        found = {
            "scores": _scores(connection, about),
            "runs": [_run(about[run.run_id]) for run in published],
            "refused": [
                {"as_of": row.as_of, "at": row.refused_at, "reasons": list(row.reasons)}
                for row in connection.execute(select(refusals).order_by(refusals.c.refusal_id))
            ],
            "accepted": [
                {"at": row.at, "by": row.detail.get("by", ""), "why": row.detail.get("why", "")}
                for row in connection.execute(
                    select(audit_events.c.at, audit_events.c.detail).where(audit_events.c.action == "run.accepted")
                )
            ],
            **_drift(connection, Path(home), about[published[-1].run_id] if published else None),
        }
        append(
            connection,
            Audit(database, "command line", "operator", "none"),
            Look("month.read", detail={"scores": len(found["scores"]), "runs": len(found["runs"])}),
        )
    return found


def _run(row: Any) -> dict[str, Any]:
    kept = ("as_of", "bundle_id", "model_version", "synthetic", "newest_record_on", "finished_at")
    return {**{name: getattr(row, name) for name in kept}, "left_out": row.summary.get("left_out", {})}


def _scores(connection: Connection, about: dict[str, Any]) -> pd.DataFrame:
    """The risks of everybody on each list, and whether they had a place and were reviewed while the list was
    current."""
    lines, _ = lines_of_lists(connection, LISTS_APART)
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    listed = pd.DataFrame(lines)
    risks = pd.DataFrame(
        [
            (row.run_id, row.patient_id, row.outcome, row.horizon_days, row.probability)
            for run_id in listed["run_id"].unique()
            for row in connection.execute(
                select(
                    scores.c.run_id, scores.c.patient_id, scores.c.outcome, scores.c.horizon_days, scores.c.probability
                ).where(scores.c.run_id == run_id)
            )
        ],
        columns=["run_id", "patient_id", "outcome", "horizon", "risk"],
    )
    whole = listed.drop(columns=["risk", "propensity"]).merge(risks, on=["run_id", "patient_id"])
    return whole.assign(bundle_id=whole["run_id"].map(lambda run_id: about[run_id].bundle_id))[COLUMNS]


def _drift(connection: Connection, home: Path, run: Any) -> dict[str, Any]:
    """``drifted``: the inputs of the newest list that left those of training, with their index; None if it cannot be
    known, and ``drift_note`` says why. ``trained_until`` comes from the model's card.
    """
    if run is None:
        return {"drifted": None, "drift_note": "no list was published", "trained_until": {}}
    try:
        model = RiskModel.load(home / "bundles", self_test=False)
    except BundleError:
        return {"drifted": None, "drift_note": "no model is loaded that could be compared", "trained_until": {}}
    until = dict(model.card.get("trained_until", {}))
    if model.manifest.bundle_id != run.bundle_id:
        note = "the newest list was made by another model than the one in service"
        return {"drifted": None, "drift_note": note, "trained_until": until}
    query = select(*whole(people, "feature_values")).outerjoin(person_explanations, of_row(people))
    query = query.where(people.c.run_id == run.run_id)
    values = [np.frombuffer(one, dtype="<f8") for one in connection.scalars(query)]
    if len(values) < FEWEST_PEOPLE:
        note = f"{len(values)} people on the list; below {FEWEST_PEOPLE} chance alone moves an input"
        return {"drifted": None, "drift_note": note, "trained_until": until}
    names = [feature["name"] for feature in run.features]
    return {"drifted": drifted(np.vstack(values), names, model.reference), "drift_note": "", "trained_until": until}
