"""``weekly_digest``: what the page shows and the verb writes."""

from __future__ import annotations

import datetime as dt

from serving.auditlog.log import Audit, Look
from serving.digest import repository
from serving.digest.schemas import Digest, KindCount, TeamDigest
from serving.gap_wording import kind_title
from serving.identity.callers import Caller, Role
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.storage.database import Database
from serving.worklists import repository as worklists
from serving.worklists.changes import repository as changes

SHOWN_KINDS = 5
MOST_TEAMS = 500
MOST_CHANGES = 100_000
WEEK = dt.timedelta(days=7)
EVERY_TEAM = Caller("command line", Role.CMHT_SYSTEM, None, "weekly digest")
"""Who the verb counts for: every team. It hands out counts alone."""


def weekly_digest(database: Database, caller: Caller, audit: Audit, now: dt.datetime | None = None) -> Digest:
    """The last seven days of the caller's teams, in counts. Audited as one look, which names nobody."""
    now = now or dt.datetime.now(dt.UTC)
    with database.read(caller) as connection:
        run = current_run(connection)
        info = RunInfo.of(run) if run is not None else None
        teams = worklists.teams(connection, caller, MOST_TEAMS, 0)[0] if run is not None else []
        critical, shared = repository.critical(connection, caller), repository.shared_out(connection, caller)
        found = []
        for team in teams:
            since = (now - WEEK).date()
            mine = shared.get(team.team_id)
            kinds = worklists.gap_choices(connection, caller, [team.team_id])[:SHOWN_KINDS]
            found.append(
                TeamDigest(
                    name=team.name,
                    people=team.people,
                    critical=critical.get(team.team_id, 0),
                    pressing=team.people_with_safety_gap,
                    capacity=team.weekly_reviews,
                    reviewed=worklists.reviewed_since(connection, caller, [team.team_id], now - WEEK),
                    joined=len(changes.joined_since(connection, caller, team.team_id, since, MOST_CHANGES)),
                    left=len(changes.left_since(connection, caller, team.team_id, since, MOST_CHANGES)),
                    given=mine.given if mine else 0,
                    this_week=mine.this_week if mine else 0,
                    kinds=[KindCount(title=kind_title(kind.code, kind.title), people=kind.people) for kind in kinds],
                )
            )
    audit.record(Look("digest.seen", run_id=info.run_id if info else None, detail={"teams": len(found)}))
    return Digest(
        made_on=now.date(),
        as_of=info.as_of if info else None,
        synthetic=bool(info and info.synthetic),
        stale=bool(info and info.is_stale(now.date())),
        teams=found,
    )
