"""Finds the submissions in a folder. Each is a folder (or the folder itself) of CSV files, one for each table, with
an MHS000Header.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import LAST_REAL_DAY, NO_DAY
from features.records.problems import RecordsError, RecordsProblem
from features.records.reading.dates import read_day

OWN = Path(__file__).parent / "mappings"
READ = (
    "MHS000Header", "MHS001MPI", "MHS003AccommStatus", "MHS004EmpStatus", "MHS005PatInd", "MHS006MHCareCoord",
    "MHS101Referral", "MHS102OtherServiceType", "MHS201CareContact", "MHS202CareActivity", "MHS401MHActPeriod",
    "MHS404CommTreatOrder", "MHS501HospProvSpell", "MHS502WardStay", "MHS604PrimDiag", "MHS605SecDiag",
    "MHS902ServiceTeamDetails",
)  # fmt: skip


@dataclass(frozen=True)
class Submissions:
    """Every table over all submissions, oldest first, as text. ``created``: the day each row's submission was made
    (DateTimeDatSetCreate); ``period_start``: the first day of its period."""

    tables: dict[str, pd.DataFrame]
    not_read: dict[str, int]
    count: int
    last_created: int


def rows_of(name: str) -> list[dict[str, str]]:
    """Rows of a mapping table."""
    with (OWN / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.DictReader(lines))


def open_submissions(folder: str | Path) -> Submissions:
    """Reads every submission below ``folder``. Raises RecordsError for a missing header, an unknown version or a
    missing required column.
    """
    path = Path(folder)
    headers = sorted(path.rglob("MHS000Header.csv"), key=str) if path.is_dir() else []
    if not headers:
        raise RecordsError([_problem(f"{path} holds no MHS000Header.csv", "check the path")])
    known = {row["version"] for row in rows_of("versions")}
    made: list[tuple[int, int, Path, str]] = []
    for header in headers:
        row = _read(header)
        version = str(row["DatSetVer"].iloc[0]) if "DatSetVer" in row and len(row) else "(none)"
        if version not in known:
            raise RecordsError(
                [
                    RecordsProblem(
                        "MHSDS",
                        f"{header.parent.name}: version {version} of the data set",
                        f"one of {', '.join(sorted(known))}",
                        "add the version's names to mhsds/mappings/versions.csv once somebody has checked them",
                    )
                ]
            )
        day = read_day(str(row["DateTimeDatSetCreate"].iloc[0])).day
        start = read_day(str(row["ReportingPeriodStartDate"].iloc[0])).day
        if day is None or start is None:
            raise RecordsError(
                [_problem(f"{header.parent.name}: the header's dates cannot be read", "correct the header")]
            )
        made.append((day, start, header.parent, version))
    made.sort(key=lambda one: (one[0], one[1]))
    parts: dict[str, list[tuple[pd.DataFrame, int, int]]] = {name: [] for name in READ}
    not_read: dict[str, int] = {}
    for day, start, place, version in made:
        renamed = {r["theirs"]: r["ours"] for r in rows_of("versions") if r["version"] == version}
        for file in sorted(place.glob("MHS*.csv")):
            table = _read(file)
            table.columns = [renamed.get(column, column) for column in table.columns]
            if file.stem not in parts:
                not_read[file.stem] = not_read.get(file.stem, 0) + len(table)
                continue
            parts[file.stem].append((table, day, start))
    tables = {name: _joined(found) for name, found in parts.items() if found}
    return Submissions(tables, not_read, len(made), max((one[0] for one in made), default=NO_DAY))


def _joined(found: list[tuple[pd.DataFrame, int, int]]) -> pd.DataFrame:
    """One table of all submissions, with the day of creation and the first day of the period of each row."""
    whole, rows = pd.concat([table for table, _, _ in found], ignore_index=True), [len(table) for table, _, _ in found]
    for name, days in (("created", [day for _, day, _ in found]), ("period_start", [start for _, _, start in found])):
        whole[name] = np.repeat(np.array(days, dtype=np.int32), rows)
    return whole


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError) as error:
        raise RecordsError(
            [_problem(f"{path.parent.name}/{path.name} cannot be read ({type(error).__name__})", "export it again")]
        ) from None
    return pd.DataFrame({name: column.str.strip() for name, column in frame.items()}, index=frame.index)


def _problem(what: str, do: str) -> RecordsProblem:
    return RecordsProblem("MHSDS", what, "a folder a submission, with one CSV a table (MHS001MPI.csv ...)", do)


def meaning_of(codes: dict[str, str], code: str) -> str | None:
    """What a code means, also in lower case and without the zero before it."""
    spellings = (code, code.upper(), code.zfill(2), code.lstrip("0"))
    return next((codes[one] for one in spellings if one in codes), None)


def days_of(values: pd.Series) -> npt.NDArray[np.int32]:
    """Days of a column of text; NO_DAY where there is none, one that stands for none, or none that can be read (the
    checks name those)."""
    read = {value: read_day(value).day for value in values.dropna().unique()}
    found = [read.get(value) if isinstance(value, str) else None for value in values]
    return np.array([NO_DAY if day is None or day > LAST_REAL_DAY else day for day in found], np.int32)
