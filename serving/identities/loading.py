"""Loads the trust's table of identities: reads, checks and seals it, whole or not at all. Also changes the key.

Wrong values are left out and counted by row number, never shown. If two rows could give a person another's name or
number, neither is used.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from features.errors import UpstreamError
from features.records.reading.nhs_numbers import NhsKey, NotAnNhsNumber, checked
from serving.auditlog.log import Audit, Look, append
from serving.identities import repository
from serving.identities.keys import IdentityKeys
from serving.identities.left_out import LONGEST, LeftOut, local_id
from serving.identities.repository import Sealed
from serving.identities.schemas import Identity
from serving.runs.repository import erased_key, erased_people
from serving.storage import migrations
from serving.storage.database import Database

COLUMNS = ("patient_id", "name", "birth_date", "nhs_number")
OLDEST = dt.date(1880, 1, 1)


class IdentitiesNotRead(UpstreamError):
    """The file cannot be read as a table of identities; nothing was changed."""


@dataclass
class IdentitiesReport:
    """What was read and what was left out. Rows are numbered from 1 after the heading; no value is repeated."""

    people: int = 0
    with_nhs_number: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def problems(self) -> dict[str, list[int]]:
        """Rows by reason."""
        return self.left_out.rows

    def as_dict(self) -> dict[str, Any]:
        return {"people": self.people, "with_nhs_number": self.with_nhs_number, "problems": self.problems}

    def lines(self) -> list[str]:
        named = f"{self.people:,} people named, {self.with_nhs_number:,} of them with an NHS number"
        return [named, *self.left_out.lines()]


def load_identities(
    database: Path | str | Database, file: Path, keys: IdentityKeys, nhs_key: NhsKey | None = None
) -> IdentitiesReport:
    """Replaces the identities with those of ``file`` (CSV or Parquet; columns ``COLUMNS``, all but the id may be
    empty).

    Ids that are NHS numbers become pseudonyms by ``nhs_key``, as ``upstream ingest`` made them. Raises
    ``IdentitiesNotRead``.
    """
    frame = read_table(file)
    people, report = read_identities(frame, nhs_key)
    if not people:
        raise IdentitiesNotRead(
            "\n".join([f"{file.name}: no row names a person; nothing was changed", *report.lines()[1:]])
        )
    store_identities(database, people, keys)
    return report


def store_identities(database: Path | str | Database, people: dict[str, Identity], keys: IdentityKeys) -> None:
    """Seals and stores ``people``, without those who were erased, and deletes all other identities. Audited, without a
    name.
    """
    now = dt.datetime.now(dt.UTC)
    with migrations.opened(database) as opened, opened.write() as connection:
        erased = erased_people(connection)
        people = {who: one for who, one in people.items() if not erased or erased_key(who) not in erased}
        rows = (Sealed(who, keys.current, keys.seal(one.as_json(), who)) for who, one in people.items())
        repository.replace_all(connection, rows, now)
        append(connection, _operator(opened), Look("identities.loaded", detail={"people": len(people)}))


def held(database: Path | str | Database) -> int:
    """How many people have a sealed identity."""
    with migrations.opened(database) as opened, opened.write() as connection:
        return sum(repository.keys_used(connection).values())


def rotate(database: Path | str | Database, keys: IdentityKeys) -> int:
    """Seals every identity with the current key; returns how many were sealed with another. Raises ``NotOpened`` and
    then changes nothing.
    """
    with migrations.opened(database) as opened, opened.write() as connection:
        old = [row for row in repository.all_sealed(connection) if row.key_id != keys.current]
        again = [
            Sealed(
                row.patient_id,
                keys.current,
                keys.seal(keys.open(row.sealed, row.patient_id, row.key_id), row.patient_id),
            )
            for row in old
        ]
        repository.seal_again(connection, again)
        if again:
            append(connection, _operator(opened), Look("identities.sealed_again", detail={"people": len(again)}))
    return len(again)


def _operator(database: Database) -> Audit:
    return Audit(database, actor="identities", role="operator", request_id="command line")


def read_table(file: Path) -> pd.DataFrame:
    """The file as text columns. Raises ``IdentitiesNotRead`` if it is not such a table."""
    try:
        if file.suffix == ".parquet":
            frame = pyarrow.parquet.read_table(file).to_pandas().astype("string").fillna("")
        else:
            frame = pd.read_csv(file, dtype="string", keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise IdentitiesNotRead(f"{file} does not exist") from None
    except (OSError, ValueError):
        # pandas quotes the line that it could not read, so its message is not passed on
        raise IdentitiesNotRead(f"{file.name} cannot be read as CSV (UTF-8) or Parquet") from None
    if "patient_id" not in frame:
        raise IdentitiesNotRead(f"{file.name} has no column patient_id; it needs patient_id and any of {COLUMNS[1:]}")
    if not set(COLUMNS[1:]) & set(frame.columns):
        raise IdentitiesNotRead(f"{file.name} holds none of the columns {', '.join(COLUMNS[1:])}")
    return frame


def read_identities(frame: pd.DataFrame, nhs_key: NhsKey | None = None) -> tuple[dict[str, Identity], IdentitiesReport]:
    """People by id, and what was left out."""
    report = IdentitiesReport()
    rows = list(_rows(frame, nhs_key, report))
    said: dict[str, set[Identity]] = {}
    for _, who, one in rows:
        said.setdefault(who, set()).add(one)
    numbers = Counter(number for ones in said.values() for number in {one.nhs_number for one in ones if one.nhs_number})
    found: dict[str, Identity] = {}
    for place, who, one in rows:
        if len(said[who]) > 1:
            report.left_out.add("two rows of one person differ; neither is used", place)
            continue
        if one.nhs_number and numbers[one.nhs_number] > 1:
            report.left_out.add("another person has the same NHS number; it is left out", place)
            one = Identity(one.name, one.birth_date)
        if one != Identity():
            found[who] = one
    report.people = len(found)
    report.with_nhs_number = sum(bool(one.nhs_number) for one in found.values())
    return found, report


def _rows(frame: pd.DataFrame, nhs_key: NhsKey | None, report: IdentitiesReport) -> Iterator[tuple[int, str, Identity]]:
    columns = {name: frame[name].fillna("").tolist() if name in frame else [""] * len(frame) for name in COLUMNS}
    for place, (who, name, born, number) in enumerate(zip(*columns.values(), strict=True), 1):
        patient_id = local_id(who, nhs_key, place, report.left_out)
        if patient_id is None:
            continue
        plain = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
        if len(plain) > LONGEST:
            report.left_out.add(f"the name is longer than {LONGEST} characters; it is left out", place)
            plain = ""
        yield place, patient_id, Identity(plain, _birth_date(born, place, report), _number(number, place, report))


def _birth_date(text: str, place: int, report: IdentitiesReport) -> dt.date | None:
    if not text.strip():
        return None
    try:
        born = dt.date.fromisoformat(text.strip()[:10])
    except ValueError:
        born = OLDEST
    if OLDEST < born <= dt.date.today():
        return born
    report.left_out.add("birth_date is not a past date as YYYY-MM-DD; it is left out", place)
    return None


def _number(text: str, place: int, report: IdentitiesReport) -> str:
    if not text.strip():
        return ""
    try:
        return checked(text)
    except NotAnNhsNumber:
        report.left_out.add("nhs_number is not a valid NHS number; it is left out", place)
        return ""
