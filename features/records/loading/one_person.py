"""Keeps one row per person, the version known last, and decides when two rows are two people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY
from features.records.loading.checks import Finding, Mask
from features.records.problems import RecordsError, RecordsProblem
from features.records.table import distinct_numbers
from features.records.tables import TABLES

Int = npt.NDArray[np.int64]
TWO_BIRTHS = "two different dates of birth; neither is used"


@dataclass(frozen=True)
class OneRowEach:
    """Which rows stand for their person, and those whose birth date was taken out because another row contradicts
    it."""

    keep: Mask
    two_births: tuple[int, ...]


def latest_of_each(columns: dict[str, Any], rows: Int, moved: Mask) -> OneRowEach:
    """One row per person: the version known last (if equal, one with a death), with empty values filled from the
    version before. ``rows`` are in the order
    of ids, ``moved`` marks rows of an id that another replaces."""
    if len(rows) < 2:
        return OneRowEach(np.ones(len(rows), dtype=bool), ())
    codes = distinct_numbers(columns["patient_id"])[rows]
    again = np.flatnonzero(codes[1:] == codes[:-1])
    if not len(again):
        return OneRowEach(np.ones(len(rows), dtype=bool), ())
    known, died = columns["known_on"], columns["died_on"]
    texts = {name: values for name, values in columns.items() if not isinstance(values, np.ndarray)}
    keep, two_births = np.ones(len(rows), dtype=bool), []
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
        if end - start < 2:
            continue
        versions = sorted(
            range(start, end),
            key=lambda i: (
                not moved[rows[i]],  # the row of the current id, before one of an id it replaces
                -1 if known[rows[i]] == NO_DAY else int(known[rows[i]]),
                died[rows[i]] != NO_DAY,
                str([values[int(rows[i])] for values in columns.values()]),
            ),
        )
        last = int(rows[versions[-1]])
        for spec in TABLES["patients"].columns:
            values = columns[spec.name]
            if spec.name in ("patient_id", "died_on", "known_on") or spec.name in texts:
                continue
            for i in reversed(versions[:-1]):
                if _is_empty(values[last]):
                    values[last] = values[int(rows[i])]
        if _two_birth_dates(columns, [int(rows[i]) for i in versions], moved):
            two_births.append(last)
        for i in versions[:-1]:
            if moved[rows[i]] and died[last] == NO_DAY:
                died[last] = died[int(rows[i])]
        keep[start:end] = False
        keep[versions[-1]] = True
    return OneRowEach(keep, tuple(two_births))


def _two_birth_dates(columns: dict[str, Any], versions: list[int], moved: Mask) -> bool:
    """Takes out the birth date of the last of some rows of one id where another row that became known on the same day
    holds a different one, because nobody can say which is right. Returns whether it did.
    """
    born, known, last = columns["birth_date"], columns["known_on"], versions[-1]
    same = [row for row in versions if known[row] == known[last] and moved[row] == moved[last]]
    differ = len({int(born[row]) for row in same} - {NO_DAY}) > 1
    if differ:
        born[last] = NO_DAY
    return differ


def uncorrected(
    columns: dict[str, Any], stands: Int, place: npt.NDArray[np.int32], moved: Mask, finding: Finding
) -> Finding:
    """The rows of a finding that still count: those known as late as the row that ``stands`` for their person, and
    earlier ones where no row gives the person a value. ``place`` is the person of each row, -1 for none."""
    name, rows, reason = finding
    values, known = columns.get(name), columns["known_on"]
    if not isinstance(values, np.ndarray):
        return finding
    counts = np.zeros(len(rows), dtype=bool)
    for row in np.flatnonzero(rows & (place >= 0)).tolist():
        last = int(stands[place[row]])
        as_late = known[row] == known[last] and moved[row] == moved[last]
        if name == "died_on":  # a later row takes a death back; one of a replaced id stays
            counts[row] = (as_late or bool(moved[row])) and _is_empty(values[last])
        else:
            counts[row] = as_late or _is_empty(values[last])
    return name, counts, reason


def refuse_two_people_of_one_id(columns: dict[str, Any], given: Any, moved: Mask) -> None:
    """Ids that differ only in spelling belong to one person only if nothing contradicts it, so that rows of two
    people are never mixed. ``given`` are the ids as given."""
    ids, born = columns["patient_id"], columns["birth_date"]
    if len(ids) < 2:
        return
    codes = ids.dictionary_encode()
    if len(codes.dictionary) == len(ids) - ids.null_count:
        return
    spelled = pd.Series(given if isinstance(given, pd.Series) else list(given)).astype("str")
    frame = pd.DataFrame({"id": ids.to_pandas(), "spelled": spelled.to_numpy(), "born": born})
    frame = frame[~moved]
    frame = frame[frame["id"].notna() & frame["id"].duplicated(keep=False) & (frame["born"] != NO_DAY)]
    differ = frame.groupby("id").agg({"spelled": "nunique", "born": "nunique"})
    clash = int(((differ["spelled"] > 1) & (differ["born"] > 1)).sum())
    if clash:
        raise RecordsError(
            [
                RecordsProblem(
                    "patients",
                    f"{clash} ids differ only by spaces or invisible signs and have different dates of birth",
                    "one spelling for one person, and different ids for different people",
                    "correct the ids in the source",
                )
            ]
        )


def _is_empty(value: Any) -> bool:
    """True if a typed value is missing: a code or flag of -1, ``NO_DAY`` or NaN."""
    return bool(value != value or value in (-1, NO_DAY))
