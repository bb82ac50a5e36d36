"""``ingest``: reads HES files (outpatients, admitted care) into a store, and accounts for every row.

Only mental health specialties (MAINSPEF) become contacts and stays. HES has no referrals, medicines or results. It
does not say when a row became known: it is published months after the event.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.records.days import NO_DAY, date_of
from features.records.problems import RecordsError, RecordsProblem, withdrawn_lines
from features.records.reading.dates import read_day
from features.records.records import Records
from features.records.sources.accounting import ASIDE, Account
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.fhir.resources import CodeableConcept, Coding
from features.records.withdrawn import replace_store

USUAL_DELAY_DAYS = 90
"""HES is published about three months after the month that it covers [J]."""
CANNOT_GIVE = (
    "referrals and teams: nobody enters a caseload from HES alone; add it to a store with --into",
    "medicines and results",
    "the day on which anything became known: 90 days after the event are assumed",
)
_PERSON = ("PSEUDO_HESID", "ENCRYPTED_HESID", "TOKEN_PERSON_ID")
_SENTINELS = ("1800-01-01", "1801-01-01", "1582-10-15")
_KINDS = {"APPTDATE": "outpatients", "ADMIDATE": "admitted care", "ARRIVALDATE": "emergency care"}
_ICD10 = "http://hl7.org/fhir/sid/icd-10"


def read_hes(folder: str | Path) -> tuple[dict[str, pd.DataFrame], Account]:
    """Returns our tables and the account of every row. Raises RecordsError if the folder holds no HES file."""
    files = sorted(Path(folder).glob("*.csv")) if Path(folder).is_dir() else []
    account, codes = Account(), _codes()
    people: list[pd.DataFrame] = []
    died: dict[str, str] = {}
    parts: dict[str, list[pd.DataFrame]] = {"contacts": [], "stays": [], "conditions": []}
    for file in files:
        table = _read(file)
        kind = next((name for column, name in _KINDS.items() if column in table), None)
        person = next((column for column in _PERSON if column in table), None)
        if kind is None or person is None:
            continue
        account.open(file.name, len(table))
        table = table.assign(patient_id=table[person])
        nobody = table["patient_id"].isna()
        account.mark(file.name, table.index[nobody], f"{ASIDE}no person")
        table = table[~nobody]
        if kind == "emergency care":
            account.mark(
                file.name, table.index, "left out: an emergency department is no contact of a mental health team"
            )
            continue
        died |= _deaths(table, codes)
        mental = table["MAINSPEF"].isin(list(codes["specialty"]))
        account.mark(file.name, table.index[~mental], "left out: not a mental health specialty")
        table = table[mental]
        people.append(_people(table, codes))
        if kind == "outpatients":
            parts["contacts"].append(_contacts(file.name, table, codes, account))
        else:
            parts["stays"].append(_stays(file.name, table, codes, account))
            parts["conditions"].append(_conditions(table))
    if not account.fates:
        raise RecordsError(
            [
                RecordsProblem(
                    "HES",
                    f"{folder} holds no outpatient or admitted care file",
                    "CSV files with PSEUDO_HESID and APPTDATE or ADMIDATE",
                    "check the path",
                )
            ]
        )
    patients = pd.concat(people, ignore_index=True)
    frames = {name: pd.concat(found, ignore_index=True) for name, found in parts.items() if found}
    patients = patients.groupby("patient_id", as_index=False).first()
    patients["died_on"] = patients["patient_id"].map(died).astype("str")
    return {"patients": patients, **frames}, account


def _people(table: pd.DataFrame, codes: dict[str, dict[str, str]]) -> pd.DataFrame:
    born = table["MYDOB"] if "MYDOB" in table else pd.Series(None, index=table.index, dtype="str")
    whole = born.str.fullmatch(r"\d{6}").fillna(False).astype(bool)
    return pd.DataFrame(
        {
            "patient_id": table["patient_id"],
            # Month and year of birth: the 15th of the month.
            "birth_date": (born.str.slice(2) + "-" + born.str.slice(0, 2) + "-15").where(whole),
            "sex": table["SEX"].map(codes["sex"]) if "SEX" in table else None,
            "ethnicity": table["ETHNOS"].map(codes["ethnicity"]) if "ETHNOS" in table else None,
        }
    )


def _deaths(table: pd.DataFrame, codes: dict[str, dict[str, str]]) -> dict[str, str]:
    """The day of discharge, as written, of each person who died in hospital, in whatever specialty; a word where the
    day is missing, which keeps the person off every list."""
    if "DISMETH" not in table:
        return {}
    dead = table[table["DISMETH"].map(codes["discharge"]) == "died"]
    days = [None if day == NO_DAY else date_of(int(day)) for day in _days(dead["DISDATE"])]
    return dict(zip(dead["patient_id"], [str(day or "died") for day in days], strict=True))


def _contacts(name: str, table: pd.DataFrame, codes: dict[str, dict[str, str]], account: Account) -> pd.DataFrame:
    outcome = table["ATTENDED"].map(codes["attended"])
    day = _days(table["APPTDATE"])
    account.mark(name, table.index[outcome.isna()], f"{ASIDE}ATTENDED missing or not known")
    account.mark(name, table.index[(day == NO_DAY) & outcome.notna()], f"{ASIDE}no day")
    good = outcome.notna().to_numpy() & (day != NO_DAY)
    account.came_from("contacts", name, table.index[good])
    known = [date_of(int(d) + USUAL_DELAY_DAYS) for d in day[good]]
    return pd.DataFrame(
        {
            "patient_id": table["patient_id"][good],
            "contact_id": "hes_" + table["ATTENDKEY"][good],
            "contact_on": [date_of(int(d)) for d in day[good]],
            "outcome": outcome[good],
            "outcome_known_on": known,
            "known_on": known,
        }
    )


def _stays(name: str, table: pd.DataFrame, codes: dict[str, dict[str, str]], account: Account) -> pd.DataFrame:
    """One stay for each spell. The episodes of one admission are joined."""
    admitted, discharged = _days(table["ADMIDATE"]), _days(table["DISDATE"])
    account.mark(name, table.index[admitted == NO_DAY], f"{ASIDE}no day")
    rows = table.assign(admitted=admitted, discharged=discharged)[admitted != NO_DAY]
    spell = rows.groupby(["patient_id", "admitted"])["discharged"].transform("min")
    first = ~rows.duplicated(["patient_id", "admitted"])
    account.mark(name, rows.index[~first], "merged into the first episode of its spell")
    account.came_from("stays", name, rows.index[first])
    rows, spell = rows[first], spell[first]
    out = [date_of(int(d)) for d in spell]
    return pd.DataFrame(
        {
            "patient_id": rows["patient_id"],
            "admitted_on": [date_of(int(d)) for d in rows["admitted"]],
            "discharged_on": out,
            "method": rows["ADMIMETH"].map(codes["method"]).fillna("unknown"),
            "ward": rows["MAINSPEF"].map(codes["specialty"]).fillna("unknown"),
            "legal_status": "unknown",
            "discharge_known_on": [None if d == NO_DAY else date_of(int(d) + USUAL_DELAY_DAYS) for d in spell],
            "known_on": [date_of(int(d) + USUAL_DELAY_DAYS) for d in rows["admitted"]],
        }
    )


def _conditions(table: pd.DataFrame) -> pd.DataFrame:
    """The diagnoses of an admission that clinical rules use. HES writes F20.0 as F200."""
    book = load_codebook()
    columns = [c for c in map(str, table) if c.startswith("DIAG_4_") and c[7:].isdecimal()]
    admitted = _days(table["ADMIDATE"])
    found = []
    for row, (who, day) in enumerate(zip(table["patient_id"], admitted.tolist(), strict=True)):
        for code in {c for c in table[columns].iloc[row].dropna() if day != NO_DAY}:
            dotted = f"{code[:3]}.{code[3:]}".rstrip(".-X")
            hit = book.diagnosis(CodeableConcept(coding=[Coding(system=_ICD10, code=dotted)]))
            if hit is not None and not isinstance(hit, str):
                recorded = date_of(day)
                known = date_of(day + USUAL_DELAY_DAYS)
                found.append((who, "diagnosis", hit.system, hit.code, hit.group, recorded, known))
    columns_out = ["patient_id", "category", "system", "code", "label", "recorded_on", "known_on"]
    return pd.DataFrame(found, columns=columns_out).drop_duplicates()


def _days(values: pd.Series) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Days of a column. NO_DAY for a placeholder date (1800-01-01, 1801-01-01) or a value that is not a date."""
    read = {
        value: NO_DAY if value[:10] in _SENTINELS else read_day(value).day
        for value in values.dropna().unique().tolist()
    }
    found = [read.get(value) if isinstance(value, str) else None for value in values]
    return np.array([NO_DAY if day is None else day for day in found], np.int32)


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=["", "&"], encoding="utf-8-sig")
    return table.apply(lambda column: column.str.strip().mask(lambda text: text.isin(["&", "-"])))


def _codes() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    with (Path(__file__).parent / "mappings" / "codes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader([line for line in file if not line.startswith("#")]):
            found.setdefault(row["list"], {})[row["code"]] = row["meaning"]
    return found


def ingest(folder: str | Path, out: str | Path, *, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Reads HES files, writes the store ``out`` and ``out/ingest.json``, and returns what that holds."""
    frames, account = read_hes(folder)
    empty = {
        "teams": ["team_id"],
        "referrals": ["patient_id", "referral_id", "team_id", "opened_on"],
        "supplies": ["patient_id", "medicine", "supplied_on"],
        "results": ["patient_id", "test", "taken_on"],
        "circumstances": ["patient_id", "kind", "value", "from_on"],
        "contacts": ["patient_id", "contact_id", "contact_on", "outcome"],
        "stays": ["patient_id", "admitted_on"],
        "conditions": ["patient_id", "category", "recorded_on"],
    }
    frames = {n: pd.DataFrame({c: pd.Series(dtype="str") for c in columns}) for n, columns in empty.items()} | frames
    records = Records.from_frames(
        frames, about={"source": "HES", "extract": Path(folder).resolve().name, **(about or {})}
    )
    account.settle(records.set_aside)
    replace_store(records, out)
    report = {
        "source": "HES",
        "synthetic": records.synthetic,
        "tables": account.report(),
        "records": {name: len(records.tables[name]) for name in frames},
        "people_kept": len(records),
        "cannot_give": list(CANNOT_GIVE),
        "checks": records.report.lines(),
        "account": account.lines(),
        "withdrawn": records.report.withdrawn,
    }
    (Path(out) / "ingest.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def lines(report: dict[str, Any], out: Path) -> list[str]:
    """The account as a table for a terminal."""
    return [
        *report["account"],
        *withdrawn_lines(report["withdrawn"]),
        *(f"cannot give {what}" for what in report["cannot_give"]),
        f"{report['people_kept']:,} people",
        f"store: {out}; the whole account: {Path(out) / 'ingest.json'}",
    ]
