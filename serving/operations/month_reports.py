"""The newest month's report of the served model, as ``upstream model report`` wrote it under ``reports`` of the home.

Training computes it and the service only shows it. It holds counts and no person.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

STALE_DAYS = 35
"""A report older than this is called old: it is made once a month."""


class _Part(BaseModel):
    """Keys that a later release adds are ignored; keys of this release must be there."""

    model_config = ConfigDict(frozen=True)


class Range(_Part):
    value: float
    low: float
    high: float


class Ratio(_Part):
    observed: int
    expected: float
    ratio: Range | None


class Month(Ratio):
    month: str
    rows: int
    slope: Range | None


class Step(_Part):
    """The step of repair that the change control plan names; ``intercept`` and ``slope`` where it has numbers."""

    step: str
    why: str
    intercept: float | None = None
    slope: float | None = None


class WatchedModel(_Part):
    """The sequential tests of one model: of events in sum, and of the calibration slope. ``alarm_of`` names those that
    alarmed (``sum``, ``slope``), and ``slope`` is the slope so far. ``began`` is None while no outcome of it is
    complete. Reports of an earlier release have no test of the slope.
    """

    bundle_id: str
    began: dt.date | None
    rows: int
    evidence: float
    alarm_on: dt.date | None
    label_delay_days: int
    rows_that_a_shift_of_half_needs: int | None
    repair: Step
    alarm_of: tuple[str, ...] = ()
    slope: Range | None = None
    rows_that_a_slope_of_1_25_needs: int | None = None


class Happened(_Part):
    """One outcome and prediction window; ``from_day`` is the day from which the answer is known."""

    outcome: str
    horizon: int
    scored: int
    followed_up: int
    answer: str
    from_day: dt.date | None = None
    everybody: Ratio | None = None
    not_reviewed: Ratio | None = None
    reviewed: Ratio | None = None
    capture: float | None = None
    by_month: tuple[Month, ...] = ()
    watch: WatchedModel | None = None
    watched_before: tuple[WatchedModel, ...] = ()


class Estimated(_Part):
    outcome: str
    horizon: int
    people: int
    expected_events: float
    expected_capture: float | None


class Feed(_Part):
    table: str
    newest: dt.date | None
    days_old: int | None
    arrived: int
    arrived_the_month_before: int


class ModelChange(_Part):
    """A change of the served model. ``step``, ``by``, ``at`` and ``why`` are None where training's register does not
    hold the decision.
    """

    first_list: dt.date
    before: str
    after: str
    version: str
    step: str | None = None
    by: str | None = None
    at: dt.datetime | None = None
    why: str | None = None


class Bounds(_Part):
    """What the change control plan allowed when the report was made: the largest intercept either way, the slope, and
    what a step needs.
    """

    intercept: float
    slope: tuple[float, float]
    fewest_events: int
    chance: float


class MonthReport(_Part):
    month: str
    synthetic: bool
    settled_until: dt.date
    happened: tuple[Happened, ...]
    estimated: tuple[Estimated, ...]
    feeds: tuple[Feed, ...]
    changes: tuple[ModelChange, ...]
    left_out: dict[str, int]
    bounds: Bounds | None = None

    @property
    def alarms(self) -> int:
        """Outcomes whose test of the serving model alarmed."""
        return sum(one.watch is not None and one.watch.alarm_on is not None for one in self.happened)


@dataclass(frozen=True)
class FoundReport:
    """The newest report and the day it was written; ``problem`` says why there is none."""

    report: MonthReport | None = None
    written_on: dt.date | None = None
    problem: str = ""

    def is_old(self, today: dt.date) -> bool:
        return self.written_on is not None and (today - self.written_on).days > STALE_DAYS


def newest_report(home: Path) -> FoundReport:
    """The report of the latest month. A file that cannot be read is a problem, never an older report in its place."""
    try:
        files = sorted((home / "reports").glob("month-????-??.json"))
        if not files:
            return FoundReport(problem="no report was made yet: run upstream model report once a month")
        text = files[-1].read_text(encoding="utf-8")
        written = dt.datetime.fromtimestamp(files[-1].stat().st_mtime, dt.UTC).date()
        return FoundReport(MonthReport.model_validate_json(text), written)
    except (OSError, UnicodeDecodeError, ValidationError):
        return FoundReport(problem="the newest report cannot be read: run upstream model report again")
