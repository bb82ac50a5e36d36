"""A run as a whole: its row, its teams, and what its summary says of them."""

from __future__ import annotations

import datetime as dt
import statistics
from typing import Any

import pandas as pd

from features import Records
from models import RiskModel
from serving.nightly.arrival import newest_day
from serving.nightly.fitting_ids import LONGEST_ID, plain_text
from serving.nightly.lists import Lists
from serving.nightly.rows_of_run import RowsOfRun
from serving.nightly.summary import Summary
from serving.worklists.rules import PRESSING


def run_row(run_id: str, model: RiskModel, records: Records, day: dt.date, started: dt.datetime) -> dict[str, Any]:
    """The row of ``runs``, with an empty summary."""
    source = str(records.about.get("source") or ("simulated" if records.synthetic else "records store"))
    return {
        "run_id": run_id,
        "bundle_id": model.manifest.bundle_id,
        "model_version": model.manifest.model_version,
        "data_hash": records.data_hash,
        "data_source": source[:200],
        "synthetic": records.synthetic or model.manifest.synthetic,
        "as_of": day,
        "newest_record_on": newest_day(records, before=day),
        "started_at": started,
        "finished_at": dt.datetime.now(dt.UTC),
        "features": [{"name": f.name, "concept": f.concept, "unit": f.unit} for f in model.features],
        "summary": {},
    }


def team_rows(records: Records, with_people: frozenset[str], in_scope_kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of ``run_teams``: the teams with people on their list, and those of a kind in scope."""
    found = []
    for team in records["teams"].to_dict("records"):
        fits = len(str(team["team_id"])) <= LONGEST_ID and str(team["team_id"]).isprintable()
        if fits and (team["team_id"] in with_people or team["kind"] in in_scope_kinds):
            known = {str(key): None if pd.isna(value) else value for key, value in team.items()}
            found.append(
                {
                    "team_id": known["team_id"],
                    "name": plain_text(known["name"]) or known["team_id"],
                    "kind": plain_text(known["kind"]),
                    "weekly_reviews": None if known["weekly_reviews"] is None else int(known["weekly_reviews"]),
                }
            )
    return found


def told_of_run(model: RiskModel, written: RowsOfRun, lists: Lists) -> dict[str, Any]:
    """What the summary of a run says besides its report."""
    return {
        "people": sum(written.team_sizes().values()),
        "outcomes": {name: list(days) for name, days in model.outcomes.items()},
        "middles": middles(written),
        "not_promoted": list(model.manifest.not_promoted),
        "list": {"rules": lists.rules},
    }


def middles(written: RowsOfRun) -> dict[str, dict[str, float]]:
    """The median risk of each team, by outcome and horizon: ``{team: {"admission_90": 0.04}}``."""
    found: dict[str, dict[str, list[float]]] = {}
    for team, outcome, horizon, risk in written.risks():
        found.setdefault(team, {}).setdefault(f"{outcome}_{horizon}", []).append(risk)
    return {
        team: {name: float(statistics.median(risks)) for name, risks in sorted(named.items())}
        for team, named in sorted(found.items())
    }


def summary_of_run(
    run: dict[str, Any], teams: list[dict[str, Any]], written: RowsOfRun, lists: Lists, left_out: dict[str, int]
) -> Summary:
    """The report of a run, without what only the run itself knows (its seconds, what it resumed)."""
    sizes = written.team_sizes()
    found, with_safety = written.gap_counts(PRESSING)
    return Summary(
        run_id=run["run_id"],
        reused=False,
        as_of=run["as_of"].isoformat(),
        bundle_id=run["bundle_id"],
        data_hash=run["data_hash"],
        synthetic=run["synthetic"],
        people=sum(sizes.values()),
        people_with_safety_gap=with_safety,
        gaps=found,
        rows_set_aside=0,
        left_out=left_out,
        teams=[
            {
                "team_id": team["team_id"],
                "name": team["name"],
                "people": int(sizes.get(team["team_id"], 0)),
                "weekly_reviews": team["weekly_reviews"],
                **lists.teams[team["team_id"]],
            }
            for team in teams
        ],
        biggest_movers=lists.movers,
        lists=lists.rules,
    )
