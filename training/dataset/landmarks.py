"""The rows of training and evaluation: the caseload at landmark dates, with an attrition table.

``features.engine.caseload`` decides for every runner who is scored on a date; this module adds the dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.engine.caseload import Caseload, as_days, caseload
from features.records import Records
from features.records.days import to_datetime64
from features.records.tables import OUTCOMES
from features.settings import CohortSettings
from training.errors import NotEnoughData


@dataclass(frozen=True)
class Cohort:
    """``spine``: patient_id, as_of, team_id, by person then date. ``attrition``: step, removed, left, in
    person-dates."""

    spine: pd.DataFrame
    attrition: pd.DataFrame


def select(
    records: Records, as_of_dates: Sequence[object] | npt.NDArray[np.datetime64], settings: CohortSettings | None = None
) -> Cohort:
    """The caseload on each of ``as_of_dates``."""
    settings = settings or CohortSettings()
    people: Caseload = caseload(records, as_of_dates, settings.in_scope_team_kinds)  # type: ignore[arg-type]
    return Cohort(people.spine, people.attrition)


def landmarks(
    records: Records, settings: CohortSettings, last_day: int, every_days: int | None = None
) -> npt.NDArray[np.datetime64]:
    """Dates from ``history_days`` after the first contact of the extract up to ``last_day`` (a day number, included).

    Raises NotEnoughData if the extract is shorter than the history asked for.
    """
    contacts = records.columns("contacts")
    happened = contacts["contact_on"][contacts["outcome"] != OUTCOMES.index("planned")]
    if not len(happened):
        raise NotEnoughData("The contacts table is empty: landmarks start where contacts do. Check the extract.")
    first = int(happened.min()) + settings.history_days
    days = np.arange(first, last_day + 1, every_days or settings.landmark_every_days, dtype=np.int32)
    if not len(days):
        raise NotEnoughData(
            f"The extract covers {last_day - int(happened.min())} days and cohort.history_days asks for "
            f"{settings.history_days} before "
            "the first landmark: bring a longer extract or lower it in mlflow.yaml."
        )
    return to_datetime64(days)


__all__ = ["Cohort", "as_days", "landmarks", "select"]
