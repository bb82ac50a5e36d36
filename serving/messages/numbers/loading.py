"""Loads the trust's table of mobile numbers and consent: reads, checks and seals all of it, or changes nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import UpstreamError
from features.records.reading.nhs_numbers import NhsKey
from serving.auditlog.log import Audit, Look, append
from serving.identities.keys import IdentityKeys
from serving.identities.left_out import LeftOut, local_id
from serving.messages import repository
from serving.messages.numbers.mobile import hash_of, mobile, sealed_number
from serving.runs.repository import erased_key, erased_people
from serving.storage import migrations
from serving.storage.database import Database

COLUMNS = ("patient_id", "mobile", "consent")
YES, NO = frozenset(("yes", "true", "1", "y")), frozenset(("no", "false", "0", "n", ""))


class NumbersNotRead(UpstreamError):
    """The file cannot be read as a table of numbers; nothing was changed."""


@dataclass
class NumbersReport:
    """The rows read and left out. Rows are numbered from 1 after the header; no value is repeated."""

    people: int = 0
    consented: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def problems(self) -> dict[str, list[int]]:
        """Rows by reason."""
        return self.left_out.rows

    def as_dict(self) -> dict[str, Any]:
        return {"people": self.people, "consented": self.consented, "problems": self.problems}

    def lines(self) -> list[str]:
        counted = f"{self.people:,} people with a mobile number, {self.consented:,} of them agreed to texts"
        return [counted, *self.left_out.lines()]


def load_numbers(
    database: Path | str | Database, file: Path, keys: IdentityKeys, nhs_key: NhsKey | None = None
) -> NumbersReport:
    """Replaces the numbers with those of ``file`` (CSV with the columns ``COLUMNS``). People who opted out stay opted
    out. Raises ``NumbersNotRead``."""
    try:
        frame = pd.read_csv(file, dtype="string", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError):
        raise NumbersNotRead(f"{file.name} cannot be read as CSV (UTF-8)") from None
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise NumbersNotRead(f"{file.name} lacks {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    found, report = read_numbers(frame, nhs_key)
    if not found:
        raise NumbersNotRead(
            "\n".join([f"{file.name}: no row gives a number; nothing was changed", *report.lines()[1:]])
        )
    store_numbers(database, found, keys)
    return report


def read_numbers(
    frame: pd.DataFrame, nhs_key: NhsKey | None = None
) -> tuple[dict[str, tuple[str, bool]], NumbersReport]:
    """Number and consent by person. A word that is not understood counts as no consent."""
    report = NumbersReport()
    found: dict[str, tuple[str, bool]] = {}
    twice: set[str] = set()
    columns = (frame[name].fillna("").tolist() for name in COLUMNS)
    for row, (who, written, consent) in enumerate(zip(*columns, strict=True), 1):
        patient_id = local_id(who, nhs_key, row, report.left_out)
        if patient_id is None:
            continue
        number = mobile(written)
        if number is None:
            report.left_out.add("mobile is no UK mobile number", row)
        elif patient_id in found and found[patient_id][0] != number:
            report.left_out.add("two rows of one person differ; neither is used", row)
            twice.add(patient_id)
        else:
            word = consent.strip().casefold()
            if word not in YES | NO:
                report.left_out.add("consent is neither yes nor no; it counts as no", row)
            agreed = word in YES and found.get(patient_id, ("", True))[1]
            found[patient_id] = (number, agreed)
    kept = {who: one for who, one in found.items() if who not in twice}
    report.people, report.consented = len(kept), sum(agreed for _, agreed in kept.values())
    return kept, report


def store_numbers(database: Path | str | Database, found: dict[str, tuple[str, bool]], keys: IdentityKeys) -> None:
    """Seals and stores numbers, without those of people who were erased, and deletes all others. Audited, without a
    number."""
    now = dt.datetime.now(dt.UTC)
    with migrations.opened(database) as opened, opened.write() as connection:
        erased = erased_people(connection)
        found = {who: one for who, one in found.items() if not erased or erased_key(who) not in erased}
        rows = (
            {
                "patient_id": who,
                "key_id": keys.current,
                "sealed": sealed_number(keys, who, number),
                "number_hash": hash_of(number, keys),
                "consented": agreed,
                "given_at": now,
            }
            for who, (number, agreed) in found.items()
        )
        repository.replace_numbers(connection, rows)
        audit = Audit(opened, actor="texts", role="operator", request_id="command line")
        append(connection, audit, Look("text_numbers.loaded", detail={"people": len(found)}))
