"""Two teams with two people each, and a run that is published: what tests of storage look at."""

from __future__ import annotations

import datetime as dt

from serving.auditlog.log import Audit
from serving.identity.callers import Caller, Role
from serving.reviews.schemas import ReviewIn
from serving.runs import repository as run_queries
from serving.storage.tables import gaps, people, person_groups, scores, timelines

NORTH = Caller("north-1", Role.PHARMACIST, frozenset({"north"}), "Noor")
NOW = dt.datetime(2026, 1, 6, 9, tzinfo=dt.UTC)
REVIEW = ReviewIn.model_validate(
    {
        "actions": ["supply_secured"],
        "medicines_reconciled": True,
        "allergies_up_to_date": True,
        "side_effects_assessed": True,
    }
)


def publish(database, run_id, team_of, at):
    run = {
        "run_id": run_id,
        "bundle_id": "bundle",
        "model_version": "1",
        "data_hash": "h",
        "data_source": "made up",
        "synthetic": True,
        "as_of": at.date(),
        "newest_record_on": None,
        "started_at": at,
        "finished_at": at,
        "features": [],
        "summary": {"outcomes": {"admission": [90]}},
    }
    score = {"outcome": "admission", "horizon_days": 90, "base": 0.0, "horizon_part": 0.0, "reasons": []}
    flags = {"history_days": 400, "short_history": False, "missing_sources": []}
    gap = {"position": 0, "code": "LAI_OVERDUE", "severity": "high", "safety": True, "title": "Depot overdue"}
    gap |= {"due_on": None, "days_overdue": 3.0, "value": "", "evidence": [], "action": "", "standard": ""}
    gap |= {"source": "", "verified": True}
    teams = [{"team_id": t, "name": t, "kind": None, "weekly_reviews": 1} for t in sorted(set(team_of.values()))]
    found = {
        people: [
            {"patient_id": p, "team_id": t, "flags": flags, "feature_values": b"", "history_days": 400}
            for p, t in team_of.items()
        ],
        scores: [
            score | {"patient_id": p, "probability": 0.1 * n, "contributions": b""}
            for n, p in enumerate(team_of, start=1)
        ],
        gaps: [gap | {"patient_id": p} for p in team_of if p.endswith("2")],
        timelines: [{"patient_id": p, "medicines": ",lithium,", "adjustments": [], "events": {}} for p in team_of],
        person_groups: [{"patient_id": p, "groups": {"sex": "female"}} for p in team_of],
    }
    with database.write() as connection:
        run_queries.begin_run(connection, run, teams)
        for table, rows in found.items():
            run_queries.insert_rows(connection, table, ({"run_id": run_id, **row} for row in rows))
        run_queries.publish(connection, run_id, at)


def audit(database, caller):
    return Audit.of(database, caller, "request")
