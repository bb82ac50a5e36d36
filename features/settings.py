"""Reads the settings file, mlflow.yaml, and defines the section that the nightly run shares with training.

A checkout keeps the file at the top of the repository; the wheel carries a copy inside this package (setup.py).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from features.errors import SettingsError

FILE_NAME = "mlflow.yaml"
INSTALLED = Path(__file__).resolve().parent / FILE_NAME
CHECKED_OUT = Path(__file__).resolve().parent.parent / FILE_NAME
ENV_PREFIX = "UPSTREAM_MLFLOW_"
Days = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A part of mlflow.yaml. It is frozen, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CohortSettings(Section):
    """Who is scored, and on which days training looks at them."""

    in_scope_team_kinds: tuple[str, ...] = ("A05", "A06", "A08", "A09", "A12", "A13", "A14", "A16", "C10", "care_site")
    landmark_every_days: Days = 28
    score_every_days: Days = 7
    history_days: int = Field(default=182, ge=0)


Share = Annotated[float, Field(ge=0)]


class ArrivalSettings(Section):
    """How much tonight's records may differ from those behind the published list before a person must confirm them.
    Shares are relative to the earlier number.
    """

    fewest: int = Field(default=20, ge=1, description="numbers below this are not compared: chance alone moves them")
    rows_fall: Share = 0.2
    rows_grow: Share = 1.0
    list_falls: Share = 0.2
    list_grows: Share = 0.5
    team_falls: Share = 0.5
    team_grows: Share = 1.0
    newest_back_days: int = Field(default=3, ge=0, description="the newest row of one table may be this much older")
    gap_times: float = Field(default=3.0, gt=1, description="people with one kind of gap may be this many times more")
    gap_share_moves: Share = 0.05


class LotterySettings(Section):
    """The lottery band of the lists. It is off unless a named person approved it for this trust."""

    enabled: bool = False
    approved_by: str = Field(default="", max_length=200, description="name and role of who approved it for this trust")
    approved_on: dt.date | None = None
    seed: int = Field(default=0, description="of the draws; set your own, so that nobody can tell who will be drawn")
    each_side: int = Field(default=3, ge=1, le=10, description="people on each side of the line who may take part")
    margin: float = Field(
        default=0.25, gt=0, le=0.5, description="largest distance from the line, as share of its risk"
    )
    most_capture_cost: float = Field(default=0.01, gt=0, le=0.01, description="share of expected events given up")

    @model_validator(mode="after")
    def _somebody_approved_it(self) -> LotterySettings:
        if self.enabled and (len(self.approved_by.split()) < 2 or self.approved_on is None or not self.seed):
            raise ValueError(
                "lottery.enabled needs approved_by (first and last name, with the role), approved_on (YYYY-MM-DD) and "
                "a seed other than 0; add them, or write enabled: false"
            )
        return self


class RetentionSettings(Section):
    """How many days the service database keeps what may be deleted (``upstream retention``)."""

    runs_days: Days = 730
    ended_access_days: Days = 90
    cards_days: Days = 365
    workflow_days: Days = 730
    refused_lists_days: Days = 365


class FileSettings(BaseSettings):
    """Base of every model of mlflow.yaml: environment variables (UPSTREAM_MLFLOW_COHORT__HISTORY_DAYS) win over the
    file."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


class NightlySettings(FileSettings):
    """What the nightly run reads from mlflow.yaml. It lists the sections of training by name without reading them, so
    that a misspelt ``cohort`` is still refused.
    """

    cohort: CohortSettings = CohortSettings()
    arrival: ArrivalSettings = ArrivalSettings()
    lottery: LotterySettings = LotterySettings()
    retention: RetentionSettings = RetentionSettings()
    tracking: Mapping[str, Any] = {}
    outcomes: Mapping[str, Any] = {}
    splits: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}
    tuning: Mapping[str, Any] = {}
    controls: Mapping[str, Any] = {}
    evaluation: Mapping[str, Any] = {}
    promotion: Mapping[str, Any] = {}
    impact: Mapping[str, Any] = {}
    watching: Mapping[str, Any] = {}


Model = TypeVar("Model", bound=FileSettings)


def settings_path() -> Path:
    """The file that UPSTREAM_SETTINGS names, else the installed copy, else the checkout's."""
    named = os.environ.get("UPSTREAM_SETTINGS")
    if named:
        return Path(named)
    return INSTALLED if INSTALLED.exists() else CHECKED_OUT


def load_settings(model: type[Model], path: str | Path | None = None) -> Model:
    """``model`` filled from `path`, by default from ``settings_path()``. Raises SettingsError, which lists every
    wrong value."""
    path = Path(path) if path else settings_path()
    try:
        return model(**(yaml.safe_load(path.read_text(encoding="utf-8")) or {}))
    except FileNotFoundError as error:
        raise SettingsError(
            f"No settings file at {path}. Copy {FILE_NAME} of the repository there, or unset UPSTREAM_SETTINGS."
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not YAML: {error}") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise SettingsError(f"{path.name} has {len(lines)} problem(s):\n" + "\n".join(lines)) from error
