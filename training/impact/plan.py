"""The plan of the analysis, written and hashed before the first draw. A later change to the plan is found."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import SettingsError


class ImpactPlan(BaseModel):
    """The question of the analysis and how it will be answered. ``detect`` is the relative effect worth finding
    (-0.25: a quarter fewer). ``approved_by`` names who agreed to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    written_on: dt.date
    approved_by: str = Field(min_length=3)
    question: str = "Does being listed reduce unplanned admissions within 90 days?"
    primary: str = "admission"
    horizon_days: int = Field(default=90, gt=0)
    secondary: tuple[str, ...] = ("disengagement", "gaps_closed", "reviewed")
    detect: float = Field(default=-0.25, gt=-1, lt=1)
    event_rate: float = Field(default=0.1, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    power: float = Field(default=0.8, gt=0.5, lt=1)
    bandwidth: float | None = Field(default=None, gt=0)
    method: str = (
        "Difference of means of drawn and not drawn, weighted by one over the logged propensity, intervals clustered "
        "by person; each person's first draw in a block counts. The discontinuity at the line is shown beside it, of "
        "lists without a band. The answer is read once, when enough people are followed up."
    )

    @property
    def hash(self) -> str:
        """SHA-256 of the plan's content, in one form whatever the file's layout."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def save(self, path: Path) -> str:
        """Writes the plan with its hash and returns the hash. A plan is never overwritten."""
        if path.exists():
            raise SettingsError(f"{path} exists: a plan is not changed after it was written; give another file name")
        path.write_text(json.dumps({"plan": json.loads(self.model_dump_json()), "sha256": self.hash}, indent=2) + "\n")
        return self.hash

    @classmethod
    def load(cls, path: Path) -> ImpactPlan:
        """The plan in ``path``. Raises SettingsError if it is missing, not a plan, or does not match its hash."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            plan = cls(**found["plan"])
        except FileNotFoundError:
            raise SettingsError(f"there is no plan at {path}; write one with upstream impact plan") from None
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise SettingsError(
                f"{path} is not a plan: {type(error).__name__}; write one with upstream impact plan"
            ) from error
        if plan.hash != found.get("sha256"):
            raise SettingsError(
                f"{path} was changed after it was written: its hash does not match. Restore the original"
            )
        return plan

    def written_before(self, first_draw: dt.date | None) -> bool:
        """Whether the plan was written before the first draw."""
        return first_draw is None or self.written_on <= first_draw
