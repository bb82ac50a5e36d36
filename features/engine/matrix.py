"""The spine (which rows to compute) and the resulting matrix."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.errors import UpstreamError
from features.records import Records
from features.records.days import day_of, from_datetimes


class SpineError(UpstreamError, ValueError):
    """The spine cannot be computed. The message gives the rows by position and what to do, never whose they are."""


@dataclass(frozen=True)
class FeatureMatrix:
    """``values`` (float32, rows x features; NaN is missing), ``names``, and the ``spine`` in its given order."""

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]
    spine: pd.DataFrame

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, names: str | list[str]) -> npt.NDArray[np.float32] | FeatureMatrix:
        """``matrix["name"]`` is one feature's values; ``matrix[["a", "b"]]`` a matrix of those features."""
        if isinstance(names, str):
            return self.column(names)
        columns = [self.column(name) for name in names]
        values = np.stack(columns, axis=1) if columns else self.values[:, :0]
        return FeatureMatrix(values, tuple(names), self.spine)

    def __repr__(self) -> str:
        return f"FeatureMatrix: {len(self.values):,} rows, {len(self.names)} features"

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """One feature's values. Raises KeyError for a feature that was not built."""
        try:
            return self.values[:, self.names.index(name)]
        except ValueError:
            raise KeyError(f"{name} was not built; built were {', '.join(self.names[:5])}, ...") from None

    def to_pandas(self) -> pd.DataFrame:
        """The spine's columns followed by one float32 column per feature."""
        features = pd.DataFrame(self.values, columns=list(self.names), index=self.spine.index)
        return pd.concat([self.spine, features], axis=1)


def read_spine(records: Records, spine: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Position of each row's person in ``records`` and its day. Raises SpineError naming row positions for anything
    that cannot be computed."""
    gone = [column for column in ("patient_id", "as_of") if column not in spine]
    if gone:
        raise SpineError(f"the spine lacks {' and '.join(gone)}; it needs patient_id and as_of, one row a score")
    ids, dates = spine["patient_id"], spine["as_of"]
    person = records.positions(pa.array(ids if isinstance(ids.dtype, pd.StringDtype) else ids.astype("str")))
    try:
        dates = dates if pd.api.types.is_datetime64_any_dtype(dates.dtype) else pd.to_datetime(dates)
    except (ValueError, TypeError):
        raise SpineError("as_of holds values that are not dates; write YYYY-MM-DD") from None
    day, missing = from_datetimes(dates)
    _refuse(missing, "as_of is missing", "give each row a date")
    check_rows(records, person, day)
    return person, day


def check_rows(records: Records, person: npt.NDArray[np.int64], day: npt.NDArray[np.int32]) -> None:
    """Raises SpineError for rows (position of the person, or -1, and day number) that cannot be computed."""
    _refuse(
        person < 0, "the patient is not in the records", "add the person to the patients table, even with no other row"
    )
    today = day_of(dt.date.today())
    if (day > today + 1).any():  # only then does it matter how far the records reach
        last = max(today, records.last_day_known()) + 1
        _refuse(day > last, "as_of lies in the future", "ask for today or earlier; features read the past")
    if not in_order(person, day):
        twice = pd.DataFrame({"person": person, "day": day}).duplicated().to_numpy()
        _refuse(twice, "the same patient and date stand in an earlier row", "keep one of them")


def in_order(person: npt.NDArray[np.int64], day: npt.NDArray[np.int32]) -> bool:
    """True if rows ascend by person and then by day, each (person, day) once: the usual spine, which needs no
    sorting.
    """
    later = person[1:] > person[:-1]
    return bool((later | ((person[1:] == person[:-1]) & (day[1:] > day[:-1]))).all())


def _refuse(rows: npt.NDArray[np.bool_], what: str, do: str) -> None:
    if rows.any():
        places = np.flatnonzero(rows)
        named = ", ".join(str(place) for place in places[:5]) + (", ..." if len(places) > 5 else "")
        raise SpineError(f"{len(places)} rows of the spine ({named}): {what}; {do}")
