"""Compares tonight's records with the records of the published list, and gives reasons not to publish.

A feed that was cut off, an empty table or a wrong clock can be found only by comparing nights. No reason names a
person.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from features import Records
from features.errors import UpstreamError
from features.records import NO_DAY, TABLES, date_of, day_of
from features.records.attendance import own_replies
from features.settings import ArrivalSettings
from serving.scoring.record_coverage import EXPECTED_SOURCES, HISTORY_TABLES

FEWEST_LOST = 5
"""Rows of a small table that must be missing before its fall by half is a reason: an erasure may take a few."""


@dataclass(frozen=True)
class Acceptance:
    """The person who decided to publish a refused list, and the reason."""

    by: str
    why: str

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.why.strip():
            raise AcceptanceIncomplete("to publish a refused list, name who decides (--by) and the reason (--why)")


class AcceptanceIncomplete(UpstreamError):
    """Raised for publishing a refused list without a name or a reason."""


class ListRefused(UpstreamError):
    """The records do not fit the published list. The message says how, and how to publish anyway."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__(
            "\n".join(
                [
                    "the list was NOT published; the one before stands:",
                    *(f"  - {reason}" for reason in reasons),
                    "Look at the extract first. If it is right, a named person can publish it: "
                    "upstream score --accept-change --by NAME --why REASON",
                ]
            )
        )


@dataclass(frozen=True)
class Arrived:
    """The size and age of a run's records. Kept in the run's summary; nobody is named."""

    as_of: str
    synthetic: bool
    people: int
    listed: int
    rows: dict[str, int]
    newest: dict[str, str]
    teams: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> Arrived | None:
        """The figures that an earlier run kept; None for a run of a release that kept nothing."""
        return cls(**kept) if kept else None


def arrived(records: Records, day: dt.date, synthetic: bool, teams: Mapping[str, int]) -> Arrived:
    """The figures of ``records``. ``teams`` holds the number of people on each team's list."""
    rows = {name: len(records.columns(name)["known_on"]) for name, table in TABLES.items() if table.per_patient}
    rows["contacts"] -= int(own_replies(records.columns("contacts")).sum())
    newest = {name: str(on) for name, on in newest_days(records, day).items()}
    return Arrived(day.isoformat(), synthetic, len(records), sum(teams.values()), rows, newest, dict(teams))


def newest_days(records: Records, before: dt.date | None = None) -> dict[str, dt.date]:
    """The newest event of each table of history, without planned contacts and replies to our own texts. With
    ``before`` only events before that day.
    """
    limit = NO_DAY if before is None else day_of(before)
    planned = TABLES["contacts"].column("outcome").values.index("planned")
    found: dict[str, dt.date] = {}
    for name in HISTORY_TABLES:
        columns = records.columns(name)
        days = columns[str(TABLES[name].event_day)]
        counted = days < limit
        if name == "contacts":
            counted &= (columns["outcome"] != planned) & ~own_replies(columns)
        newest = date_of(int(days[counted].max(initial=-NO_DAY))) if counted.any() else None
        if newest is not None:
            found[name] = newest
    return found


def newest_day(records: Records, before: dt.date | None = None) -> dt.date | None:
    """The newest event of any table of history; None if there is none."""
    return max(newest_days(records, before).values(), default=None)


def refusals(now: Arrived, before: Arrived | None, published: dt.date | None, allowed: ArrivalSettings) -> list[str]:
    """Every reason not to publish; empty if there is none. ``published`` is the day of the published list."""
    found = []
    as_of = dt.date.fromisoformat(now.as_of)
    if as_of > dt.date.today() and not now.synthetic:
        found.append(f"the list would be as of {as_of:%-d %B %Y}, which is in the future: check the clock")
    if published is not None and as_of < published:
        found.append(
            f"the list would be as of {as_of:%-d %B %Y}, and the published one is as of {published:%-d %B %Y}: "
            "check the clock and the date of the extract"
        )
    if before is None:
        return found + _never_so_empty(now, allowed)
    if before.synthetic and not now.synthetic:
        return found  # the first list of real people after a demo has nothing to compare with
    return [*found, *_sizes(now, before, allowed), *_days(now, before, allowed), *_gaps(now, before, allowed)]


def _never_so_empty(now: Arrived, allowed: ArrivalSettings) -> list[str]:
    """The first list has nothing to compare with, but an extract without a single contact for a whole caseload is
    wrong.
    """
    if now.listed < allowed.fewest:
        return []
    return [f"{name} holds no rows" for name in EXPECTED_SOURCES if not now.rows.get(name)]


def _sizes(now: Arrived, before: Arrived, allowed: ArrivalSettings) -> list[str]:
    found = []
    for name, then in before.rows.items():
        count = now.rows.get(name, 0)
        found += _changed(f"{name}: rows", then, count, allowed.rows_fall, allowed.rows_grow, allowed)
        # A history grows, so half of few rows lost is a cut feed too, and no chance.
        if max(then, count) < allowed.fewest and then - count >= FEWEST_LOST and 2 * count <= then:
            found.append(f"{name}: rows fell from {then} to {count}, by half or more")
    found += _changed("people in the records", before.people, now.people, allowed.rows_fall, allowed.rows_grow, allowed)
    found += _changed("people on the lists", before.listed, now.listed, allowed.list_falls, allowed.list_grows, allowed)
    for team, then in before.teams.items():
        found += _changed(
            f"people on the list of team {team}",
            then,
            now.teams.get(team, 0),
            allowed.team_falls,
            allowed.team_grows,
            allowed,
        )
    return found


def _changed(what: str, then: int, now: int, falls: float, grows: float, allowed: ArrivalSettings) -> list[str]:
    if max(then, now) < allowed.fewest:
        return []
    if now < then * (1 - falls):
        return [f"{what} fell from {then:,} to {now:,}; a fall of {falls:.0%} is allowed"]
    if then and now > then * (1 + grows):
        return [f"{what} grew from {then:,} to {now:,}; a rise of {grows:.0%} is allowed"]
    return []


def _days(now: Arrived, before: Arrived, allowed: ArrivalSettings) -> list[str]:
    found = []
    for name, text in before.newest.items():
        if before.rows.get(name, 0) < allowed.fewest:
            continue
        then, newest = dt.date.fromisoformat(text), now.newest.get(name)
        if newest is None:
            found.append(f"{name}: no row has a date, and the newest was of {then:%-d %B %Y}")
        elif (then - dt.date.fromisoformat(newest)).days > allowed.newest_back_days:
            found.append(
                f"{name}: the newest row is of {dt.date.fromisoformat(newest):%-d %B %Y}, "
                f"and was of {then:%-d %B %Y} before: this extract is older"
            )
    latest = max(before.newest.values(), default=""), max(now.newest.values(), default="")
    if latest[1] < latest[0] and not found:
        found.append(f"the newest record of all is of {latest[1] or 'no day'}, and was of {latest[0]} before")
    return found


def _gaps(now: Arrived, before: Arrived, allowed: ArrivalSettings) -> list[str]:
    if now.gaps is None or before.gaps is None:
        return []
    found = []
    for code in sorted({*before.gaps, *now.gaps}):
        then, count = before.gaps.get(code, 0), now.gaps.get(code, 0)
        if max(then, count) < allowed.fewest:
            continue
        share = abs(count - then) / max(now.listed, 1)
        if share > allowed.gap_share_moves and not then / allowed.gap_times <= count <= then * allowed.gap_times:
            found.append(f"people with {code}: {then:,} before and {count:,} now")
    return found
