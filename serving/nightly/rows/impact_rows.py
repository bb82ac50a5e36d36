"""Reads the data of the impact report from the service's tables: draws, reviews, and distances from the line.

Only the command line reads this, in its own transaction and never for a caller; the audit log says that it did.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, select

from serving.auditlog.log import Audit, Look, append
from serving.storage import migrations
from serving.storage.tables import gaps, list_draws, list_lines, publications, reviews, run_teams, runs
from serving.storage.visible import review_counts
from serving.worklists.rules import Slot, Standing

CLOSED_AFTER = dt.timedelta(days=28)
DRAWS = ["run_id", "team_id", "patient_id", "drawn_on", "propensity", "drawn", "risk", "line_risk", "gaps_closed"]
ANSWERS = ["patient_id", "reviewer", "medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"]
LINES = ["patient_id", "team_id", "as_of", "distance", "listed"]


def impact_rows(home: Path | str) -> dict[str, pd.DataFrame]:
    """``draws``, ``reviews`` and ``lines`` of a home, each with its columns, even if it is empty."""
    with migrations.opened(home) as database, database.write() as connection:
        draws = _draws(connection)
        done = connection.execute(select(reviews).where(review_counts()).order_by(reviews.c.reviewed_at)).all()
        lines = _distances(connection, {(row["run_id"], row["team_id"]) for row in draws})
        look = Look("impact.read", detail={"draws": len(draws), "reviews": len(done)})
        append(connection, Audit(database, "command line", "operator", "none"), look)
    answers = [
        {"reviewed_on": row.reviewed_at.date(), **{name: getattr(row, name) for name in ANSWERS}} for row in done
    ]
    return {
        "draws": pd.DataFrame(draws, columns=DRAWS),
        "reviews": pd.DataFrame(answers, columns=["reviewed_on", *ANSWERS]),
        "lines": pd.DataFrame(lines, columns=LINES),
    }


def published_runs(connection: Connection) -> list[Row[Any, Any]]:
    """The run that counted on each day: the one published last for it, in order of days."""
    query = (
        select(runs.c.run_id, runs.c.as_of)
        .join(publications, publications.c.run_id == runs.c.run_id)
        .order_by(publications.c.publication_id)
    )
    newest = {row.as_of: row for row in connection.execute(query)}
    return [newest[day] for day in sorted(newest)]


def _draws(connection: Connection) -> list[dict[str, Any]]:
    """Published draws, each with the share of the person's gaps that were gone four weeks later."""
    days = published_runs(connection)
    chosen = {row.run_id for row in days}
    found = [
        dict(row)
        for row in connection.execute(select(list_draws).order_by(list_draws.c.drawn_on)).mappings()
        if row["run_id"] in chosen
    ]
    for row in found:
        row["gaps_closed"] = None
        then = _codes(connection, row["run_id"], row["patient_id"])
        later = next((run.run_id for run in days if run.as_of >= row["drawn_on"] + CLOSED_AFTER), None)
        if then and later is not None:
            row["gaps_closed"] = len(then - _codes(connection, later, row["patient_id"])) / len(then)
    return found


def _codes(connection: Connection, run_id: str, patient_id: str) -> set[str]:
    query = select(gaps.c.code).where(gaps.c.run_id == run_id, gaps.c.patient_id == patient_id)
    return set(connection.scalars(query))


def _distances(connection: Connection, with_band: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """How far each person's risk was from the line, once a week and team, where the team had a line and no draw.

    The line lies between the lowest risk that has a place by the order and the highest that waits. People with a place
    for another reason, and snoozed or recently reviewed people, are not compared.
    """
    found: list[dict[str, Any]] = []
    last: dict[str, dt.date] = {}
    for run in published_runs(connection):
        stated = select(run_teams.c.team_id).where(
            run_teams.c.run_id == run.run_id, run_teams.c.weekly_reviews.is_not(None)
        )
        teams = set(connection.scalars(stated))
        by_team: dict[str, list[Row[Any]]] = defaultdict(list)
        for line in connection.execute(select(list_lines).where(list_lines.c.run_id == run.run_id)):
            by_team[line.team_id].append(line)
        for team, lines in by_team.items():
            if (run.run_id, team) in with_band or team not in teams:
                continue
            if team in last and (run.as_of - last[team]).days < 7:
                continue
            last[team] = run.as_of
            found += _of_team(lines, run.as_of)
    return found


def _of_team(lines: list[Row[Any]], as_of: dt.date) -> list[dict[str, Any]]:
    by_order = {Slot.ORDER.value, Slot.KEPT.value}
    counted = [x for x in lines if x.slot in by_order or (x.slot is None and x.standing == Standing.WAITING.value)]
    places = sum(x.slot in by_order for x in counted)
    risks = sorted((x.risk for x in counted), reverse=True)
    if not 0 < places < len(risks):
        return []
    line = (risks[places - 1] + risks[places]) / 2
    return [
        {
            "patient_id": x.patient_id,
            "team_id": x.team_id,
            "as_of": as_of,
            "distance": x.risk - line,
            "listed": x.slot in by_order,
        }
        for x in counted
    ]
