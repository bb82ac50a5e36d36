"""Shared helpers for OMOP tables: ids without a decimal point, days, and the columns of each table by version."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import date_of
from features.records.reading.dates import read_day

COLUMNS: dict[str, tuple[str, ...]] = {
    "person": (
        "person_id",
        "gender_concept_id",
        "year_of_birth",
        "month_of_birth",
        "day_of_birth",
        "birth_datetime",
        "race_concept_id",
    ),
    "death": ("person_id", "death_date", "death_datetime"),
    "observation_period": (
        "observation_period_id",
        "person_id",
        "observation_period_start_date",
        "observation_period_end_date",
        "period_type_concept_id",
    ),
    "care_site": ("care_site_id", "care_site_name"),
    "visit_occurrence": (
        "visit_occurrence_id",
        "person_id",
        "visit_concept_id",
        "visit_start_date",
        "visit_start_datetime",
        "visit_end_date",
        "visit_end_datetime",
        "care_site_id",
    ),
    "drug_exposure": (
        "drug_exposure_id",
        "person_id",
        "drug_concept_id",
        "drug_exposure_start_date",
        "drug_exposure_start_datetime",
        "drug_exposure_end_date",
        "drug_exposure_end_datetime",
        "drug_type_concept_id",
        "quantity",
        "days_supply",
        "route_concept_id",
        "stop_reason",
        "drug_source_concept_id",
    ),
    "measurement": (
        "measurement_id",
        "person_id",
        "measurement_concept_id",
        "measurement_date",
        "measurement_datetime",
        "value_as_number",
        "operator_concept_id",
        "value_source_value",
        "unit_concept_id",
        "unit_source_value",
        "measurement_source_concept_id",
    ),
    "observation": (
        "observation_id",
        "person_id",
        "observation_concept_id",
        "observation_date",
        "observation_datetime",
        "value_as_number",
        "unit_concept_id",
        "unit_source_value",
        "observation_source_concept_id",
    ),
    "condition_occurrence": (
        "condition_occurrence_id",
        "person_id",
        "condition_concept_id",
        "condition_start_date",
        "condition_start_datetime",
        "condition_source_concept_id",
    ),
}
"""Columns read. The names that differ between CDM 5.2, 5.3 and 5.4 (``admitting_source_concept_id`` and its like) are
not among them."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "person": ("person_id",),
    "death": ("person_id",),
    "observation_period": ("person_id", "observation_period_start_date", "observation_period_end_date"),
    "care_site": ("care_site_id",),
    "visit_occurrence": ("visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date"),
    "drug_exposure": ("person_id", "drug_concept_id", "drug_exposure_start_date"),
    "measurement": ("person_id", "measurement_concept_id", "measurement_date"),
    "observation": ("person_id", "observation_concept_id", "observation_date"),
    "condition_occurrence": ("person_id", "condition_concept_id", "condition_start_date"),
}

CONCEPT_COLUMNS = {
    "drug_exposure": ("drug_concept_id", "drug_source_concept_id"),
    "measurement": ("measurement_concept_id", "measurement_source_concept_id"),
    "observation": ("observation_concept_id", "observation_source_concept_id"),
    "condition_occurrence": ("condition_concept_id", "condition_source_concept_id"),
}
"""The standard and the source concept of an event, by table."""

START_DATES = {
    "observation_period": "observation_period_end_date",
    "visit_occurrence": "visit_start_date",
    "drug_exposure": "drug_exposure_start_date",
    "measurement": "measurement_date",
    "observation": "observation_date",
    "condition_occurrence": "condition_start_date",
}
"""The column that shows the last day of an extract (for an observation period, its end)."""


def tidy_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """Ids as whole numbers in text: some exports write 8507 as 8507.0."""
    out = frame.copy()
    for column in frame.columns:
        if str(column).endswith("_id"):
            out[column] = frame[column].str.replace(r"\.0+$", "", regex=True)
    return out


def day_text(frame: pd.DataFrame, name: str) -> pd.Series:
    """``<name>_date`` as YYYY-MM-DD, or the day of ``<name>_datetime`` where the date is missing. A value that is not
    a date stays as given, so that Records reports it and sets it aside.
    """
    spare = f"{name}_datetime"
    day = frame[f"{name}_date"]
    return _iso(day.fillna(frame[spare]) if spare in frame else day)


def _iso(text: pd.Series) -> pd.Series:
    """Dates and times of any shape that the records read, as YYYY-MM-DD."""
    meant = {one: _iso_of(str(one)) for one in text.dropna().unique()}
    return text.map(meant).astype("str") if meant else text


def _iso_of(text: str) -> str:
    day = read_day(text).day
    date = None if day is None else date_of(day)
    return text if date is None else date.isoformat()


def days(text: pd.Series) -> pd.Series:
    """Dates, missing where the text is not a date. Use them for arithmetic here only, never in the output."""
    return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")


def has_concept(ids: pd.Series) -> npt.NDArray[np.bool_]:
    """Rows with a concept: 0 is OMOP's "No matching concept"."""
    return (ids.notna() & (ids != "0")).to_numpy(dtype=bool)
