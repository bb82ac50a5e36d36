"""Who had a place on the published lists and who was reviewed, for training on days after a list went live.

Only the command line reads this, in its own transaction and never for a caller; the audit log says that it did.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, func, select

from serving.auditlog.log import Audit, Look, append
from serving.nightly.rows.impact_rows import published_runs
from serving.settings import database_url_of
from serving.storage import migrations
from serving.storage.tables import exposures, list_draws, list_lines, reviews
from serving.storage.visible import review_counts

LISTS_APART = dt.timedelta(days=7)
"""Lists closer than this are one list: a nightly list changes little from one day to the next."""
COLUMNS = ["patient_id", "as_of", "risk", "placed", "exposed", "propensity"]


def exposure_rows(home: Path | str) -> dict[str, Any] | None:
    """``live_from``, ``lines`` and ``unlogged`` (``training.impact.exposure``); None if no list was shown and nobody
    was reviewed.
    """
    url = database_url_of(Path(home))
    if url.startswith("sqlite") and not (Path(home) / "service.db").exists():
        return None
    with migrations.opened(home) as database, database.write() as connection:
        shown = connection.scalar(select(func.min(exposures.c.shown_at)))
        done = connection.scalar(select(func.min(reviews.c.reviewed_at)).where(review_counts()))
        if shown is None and done is None:
            return None
        lines, unlogged = lines_of_lists(connection)
        look = Look("exposure.read", detail={"lines": len(lines), "unlogged": round(unlogged, 4)})
        append(connection, Audit(database, "command line", "operator", "none"), look)
    first = min(at.date() for at in (shown, done) if at is not None)
    live_from = min([first, *(row["as_of"] for row in lines[:1])])
    return {"live_from": live_from, "lines": pd.DataFrame(lines, columns=COLUMNS), "unlogged": unlogged}


def _days_by_person(connection: Connection, query: Select[Any]) -> dict[str, list[dt.date]]:
    found: dict[str, list[dt.date]] = defaultdict(list)
    for patient, at in connection.execute(query):
        found[patient].append(at.date())
    return {patient: sorted(days) for patient, days in found.items()}


def lines_of_lists(connection: Connection, apart: dt.timedelta = LISTS_APART) -> tuple[list[dict[str, Any]], float]:
    """Everybody on each list (lists at least ``apart``), and the share of reviewed people with a place who are missing
    from the exposure log.
    """
    shown = _days_by_person(connection, select(exposures.c.patient_id, exposures.c.shown_at))
    done = _days_by_person(connection, select(reviews.c.patient_id, reviews.c.reviewed_at).where(review_counts()))
    days: list[Any] = []
    for run in published_runs(connection):
        if not days or run.as_of - days[-1].as_of >= apart:
            days.append(run)
    chances = {
        (row.run_id, row.patient_id): row.propensity
        for row in connection.execute(select(list_draws.c.run_id, list_draws.c.patient_id, list_draws.c.propensity))
    }
    found: list[dict[str, Any]] = []
    reviewed = lacking = 0
    for run, later in zip(days, [*days[1:], None], strict=True):
        until = later.as_of if later is not None else run.as_of + apart
        for line in connection.execute(select(list_lines).where(list_lines.c.run_id == run.run_id)):
            exposed = _between(done.get(line.patient_id, []), run.as_of, until)
            placed = line.slot is not None
            if exposed and placed:
                reviewed += 1
                lacking += not _between(shown.get(line.patient_id, []), run.as_of, until)
            found.append(
                {
                    "run_id": run.run_id,
                    "team_id": line.team_id,
                    "patient_id": line.patient_id,
                    "as_of": run.as_of,
                    "risk": line.risk,
                    "placed": placed,
                    "exposed": exposed,
                    "propensity": chances.get((run.run_id, line.patient_id)),
                }
            )
    return found, lacking / reviewed if reviewed else 0.0


def _between(days: list[dt.date], first: dt.date, until: dt.date) -> bool:
    place = bisect_left(days, first)
    return place < len(days) and days[place] < until
