"""``upstream audit safety-report``: counts from the logs over a period, for the clinical safety officer. It names
nobody.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from features.errors import UpstreamError
from serving.auditing.incidents import ACTION, HARMS, KINDS
from serving.auditlog.log import Audit, Look, append
from serving.storage import migrations
from serving.storage.tables import audit_events, card_feedback, emergency_access, gap_statuses, publications, refusals

LATE_AFTER = dt.timedelta(days=2)
"""A list is late if the one before it was published longer ago than this."""


class PeriodRefused(UpstreamError):
    """The period is not one; the message says what to write."""


@dataclass(frozen=True)
class SafetyReport:
    """What the logs hold from ``first`` to ``last``, both included."""

    first: str
    last: str
    incidents: dict[str, int]
    harms: dict[str, int]
    cards_overridden: dict[str, int]
    gaps_not_applicable: dict[str, int]
    runs_refused: int
    runs_accepted: int
    emergency_accesses: dict[str, int]
    late_lists: int
    longest_days_without_list: float
    lists: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The same for a terminal."""
        incidents = [f"  {KINDS.get(kind, kind)}: {count}" for kind, count in self.incidents.items()]
        harms = [f"  {HARMS.get(harm, harm)}: {count}" for harm, count in self.harms.items()]
        return [
            f"{self.first} to {self.last}",
            f"incidents reported: {sum(self.incidents.values())}",
            *incidents,
            *harms,
            _counted("cards overridden, by reason", self.cards_overridden),
            _counted("gaps marked not applicable, by reason", self.gaps_not_applicable),
            _counted("emergency accesses, by reason", self.emergency_accesses),
            f"lists published: {self.lists}; refused: {self.runs_refused}; "
            f"published after a refusal on a person's word: {self.runs_accepted}",
            f"late lists: {self.late_lists}; longest time between two lists: {self.longest_days_without_list:g} days",
        ]


def _counted(what: str, counts: dict[str, int]) -> str:
    each = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
    return f"{what}: {sum(counts.values())}" + (f" ({each})" if each else "")


def safety_report(home: Path | str, first: dt.date, last: dt.date) -> SafetyReport:
    """Counts over whole days in UTC. Raises PeriodRefused."""
    if last < first:
        raise PeriodRefused(f"the period ends on {last}, before it begins on {first}: write --from before --to")
    if last == dt.date.max:
        raise PeriodRefused(f"the period ends on {last}, and no day follows: write an earlier day for --to")
    begin = dt.datetime.combine(first, dt.time(), dt.UTC)
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), dt.UTC)
    with migrations.opened(home) as database, database.write() as connection:
        incidents = _events(connection, ACTION, begin, end)
        overridden = select(card_feedback.c.reason).where(
            card_feedback.c.outcome == "overridden",
            card_feedback.c.outcome_at >= begin,
            card_feedback.c.outcome_at < end,
        )
        not_applicable = select(gap_statuses.c.why).where(
            gap_statuses.c.status == "not_applicable", gap_statuses.c.set_at >= begin, gap_statuses.c.set_at < end
        )
        opened = select(emergency_access.c.reason).where(
            emergency_access.c.granted_at >= begin, emergency_access.c.granted_at < end
        )
        refused = select(func.count()).where(refusals.c.refused_at >= begin, refusals.c.refused_at < end)
        waits, lists = _waits(connection, begin, end)
        found = SafetyReport(
            first.isoformat(),
            last.isoformat(),
            _count(one["kind"] for one in incidents),
            _count(one["harm"] for one in incidents),
            _count(connection.scalars(overridden)),
            _count(connection.scalars(not_applicable)),
            connection.scalar(refused) or 0,
            len(_events(connection, "run.accepted", begin, end)),
            _count(connection.scalars(opened)),
            sum(wait > LATE_AFTER for wait in waits),
            round(max(waits, default=dt.timedelta()) / dt.timedelta(days=1), 1),
            lists,
        )
        look = Look("safety.reported", detail={"from": found.first, "to": found.last})
        append(connection, Audit(database, "command line", "operator", "none"), look)
    return found


def _count(values: Any) -> dict[str, int]:
    return dict(Counter(str(value or "no reason given") for value in values).most_common())


def _events(connection: Connection, action: str, begin: dt.datetime, end: dt.datetime) -> list[dict[str, Any]]:
    query = select(audit_events.c.detail).where(
        audit_events.c.action == action,
        audit_events.c.at >= begin.isoformat(timespec="microseconds"),
        audit_events.c.at < end.isoformat(timespec="microseconds"),
    )
    return list(connection.scalars(query))


def _waits(connection: Connection, begin: dt.datetime, end: dt.datetime) -> tuple[list[dt.timedelta], int]:
    """The time before each list of the period since the list before it, and how many lists there were. A list that has
    not come by the end of the period, or by now, counts as a wait too.
    """
    query = select(publications.c.published_at).where(publications.c.published_at < end)
    days = sorted(connection.scalars(query))
    inside = [at for at in days if at >= begin]
    if not days:
        return [], 0
    now = min(end, dt.datetime.now(dt.UTC))
    waits = [
        later - earlier for earlier, later in zip(days, [*days[1:], max(now, days[-1])], strict=True) if later >= begin
    ]
    return waits, len(inside)
