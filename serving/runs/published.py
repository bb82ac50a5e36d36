"""What the doctor reports about the published worklists."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from features.console import CommandError
from serving.runs.repository import current_run, newest_refusal
from serving.runs.schemas import STALE_DAYS, RunInfo
from serving.storage import migrations


def published(home: Path) -> str:
    """The day of the published list. Raises CommandError if there is none, if it is old, or if a newer one was
    refused."""
    with migrations.opened(home) as database, database.read() as connection:
        run, refused = current_run(connection), newest_refusal(connection)
    problems = []
    if refused is not None:
        problems = [f"a newer list was refused on {refused.refused_at:%-d %B %Y}:", *refused.reasons]
    if run is None:
        problems.append("nothing is published yet")
    elif RunInfo.of(run).is_stale(dt.date.today()):
        problems.append(f"the published list is as of {run.as_of:%-d %B %Y}, more than {STALE_DAYS} days ago")
    if run is None or problems:
        raise CommandError("\n".join(problems))
    return f"run of {run.as_of}"
