"""Models that describe the run behind an answer."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

STALE_DAYS = 2
"""For a nightly list. If it is older, a night or two failed, and every page says so."""


class RunInfo(BaseModel):
    """The published run behind an answer: which model, on which data, as of when."""

    run_id: str
    as_of: dt.date = Field(description="scores and gaps are as of 00:00 of this day")
    made_at: dt.datetime
    published_at: dt.datetime
    bundle_id: str
    model_version: str
    synthetic: bool = Field(description="true if the data or the model is synthetic")
    not_promoted: list[str] = Field(
        default_factory=list, description="gates that refused the model; only a demo shows such a model"
    )
    data_source: str
    newest_record_on: dt.date | None
    outcomes: dict[str, list[int]] = Field(description="horizons in days for each outcome")
    middles: dict[str, dict[str, float]] = Field(default_factory=dict, exclude=True)
    list_rules: dict[str, Any] | None = Field(default=None, exclude=True)

    @classmethod
    def of(cls, row: Row[Any]) -> RunInfo:
        return cls(
            run_id=row.run_id,
            as_of=row.as_of,
            made_at=row.finished_at,
            published_at=row.published_at,
            bundle_id=row.bundle_id,
            model_version=row.model_version,
            synthetic=row.synthetic,
            not_promoted=row.summary.get("not_promoted", []),
            data_source=row.data_source,
            newest_record_on=row.newest_record_on,
            outcomes=row.summary["outcomes"],
            middles=row.summary.get("middles", {}),
            list_rules=row.summary.get("list", {}).get("rules"),
        )

    def is_stale(self, today: dt.date) -> bool:
        """A list of real people is stale after two days. A synthetic list never is, because its calendar has no
        today.
        """
        return not self.synthetic and (today - self.as_of).days > STALE_DAYS

    def chosen(self, outcome: str | None, horizon: int | None) -> tuple[str, int] | None:
        """The requested outcome and horizon, or admission within 90 days, or the first one; None if the requested one
        does not exist.
        """
        outcome = outcome or ("admission" if "admission" in self.outcomes else next(iter(self.outcomes), None))
        horizons = self.outcomes.get(outcome or "", [])
        if not outcome or not horizons:
            return None
        if horizon is None:
            horizon = 90 if 90 in horizons else horizons[0]
        return (outcome, horizon) if horizon in horizons else None
