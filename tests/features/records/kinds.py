"""Faults in incoming records by kind, with nine inputs each and the expected result.

``docs/records.md`` shows this table, and ``test_kinds.py`` holds both to what the code does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features import Records
from features.records.problems import RecordsError
from features.records.sources.merging import merge_into
from features.records.tables import TABLES
from tests.tables import TODAY


@dataclass(frozen=True)
class Given:
    """One row or several of one table, as CSV with its header, and the answer."""

    table: str
    csv: str
    answer: str
    encoding: str = "utf-8"

    def shown(self) -> str:
        """The input as one cell of a table."""
        signs = {"\u2009": "(thin space)", "\u202f": "(narrow space)", "\x00": "(NUL)"}
        return " / ".join("".join(signs.get(sign, sign) for sign in self.csv).splitlines())


KINDS: dict[str, tuple[str, tuple[Given, ...]]] = {
    "A": (
        "What cannot be read stays with the person",
        (
            Given(
                "results",
                "test,taken_on,value,unit\nlithium_level,2025-03-01,\u2265 2.0,mmol/L",
                "lithium_level >= 2 2025-03-01",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2025-03-01,trace,10^9/L",
                "not understood: anc value trace; 1 set aside",
            ),
            Given(
                "supplies",
                "medicine,supplied_on,days_supplied\nclozapine,2025-03-01,one month",
                "clozapine 2025-03-01; not understood: clozapine days_supplied one month; days_assumed by default: 28",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nlithium_level,2025-03-01,less than 0.2,mmol/L",
                "lithium_level < 0.2 2025-03-01",
            ),
            Given(
                "conditions",
                "category,recorded_on,label\nallergy,childhood,penicillin",
                "not understood: allergy recorded_on childhood; 1 set aside",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2025-03-01,1.2-1.4,10^9/L",
                "not understood: anc value 1.2-1.4; 1 set aside",
            ),
            Given("results", "test,taken_on,value,unit\nNeutrophils,2025-03-01,0.4 L,10^9/L", "anc 0.4 2025-03-01"),
            Given("results", "test,taken_on,value,unit\nanc,2025-03-01,400*,cells/mcL", "anc 0.4 2025-03-01"),
            Given(
                "circumstances",
                "kind,value,from_on\nPregnancy,Second trimester,2025-03-01",
                "pregnancy yes",
            ),
        ),
    ),
    "B": (
        "Rows of one event are one event",
        (
            Given(
                "contacts",
                "contact_id,contact_on,outcome\nc1,2025-03-01,DNA\nc1,2025-03-01,DNA\nc1,2025-03-01,DNA",
                "2025-03-01 did_not_attend; 2 replaced",
            ),
            Given(
                "stays",
                "admitted_on,discharged_on\n2025-03-01,2025-03-20\n2025-03-04,2025-03-09",
                "2025-03-01 2025-03-20; 1 merged",
            ),
            Given(
                "referrals",
                "referral_id,team_id,opened_on,closed_on\nr1,T1,2025-01-02,\nr1,T1,2025-01-02,2025-03-01",
                "2025-01-02 2025-03-01; 1 replaced",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2025-03-01,4.0,10^9/L\nanc,2025-03-01,4000,/uL",
                "anc 4 2025-03-01; 1 set aside",
            ),
            Given(
                "conditions",
                "category,code,recorded_on\nallergy,X,2025-03-01\nallergy,X,2025-03-01",
                "allergy; 1 set aside",
            ),
            Given(
                "circumstances",
                "kind,value,from_on\nsmoking,smoker,2025-03-01\nSmoking,Current smoker,2025-03-01",
                "smoking smoker; 1 set aside",
            ),
            Given(
                "supplies",
                "medicine,supplied_on,days_supplied,quantity,status,known_on\n"
                "clozapine,2025-03-01,28,84,,2025-03-01\nclozapine,2025-03-05,,42,Returned,2025-03-06",
                "clozapine 2025-03-01 28; clozapine 2025-03-01 14; clozapine 2025-03-01 28 reversed",
            ),
            Given(
                "supplies",
                "medicine,kind,supplied_on,days_supplied\nclozapine,dispensed,2025-03-01,28\n"
                "clozapine,dispensed,2025-03-29,28\nclozapine,Refused,2025-03-29,28",
                "clozapine 2025-03-01 28; clozapine 2025-03-29 28; clozapine 2025-03-29 28 reversed",
            ),
            Given(
                "contacts",
                "contact_id,contact_on,outcome,known_on\nc1,2025-03-01,planned,2025-02-01\n"
                "c1,2025-03-08,attended,2025-03-09\nc1,2025-03-08,attended,2025-03-09",
                "2025-03-08 not_recorded attended; 2 replaced; mode by default: not_recorded",
            ),
        ),
    ),
    "C": (
        "A default is no fact",
        (
            Given(
                "contacts",
                "contact_id,contact_on,outcome\nc1,2025-03-01,attended",
                "2025-03-01 not_recorded attended; mode by default: not_recorded",
            ),
            Given("results", "test,taken_on,value,unit\nanc,2025-06-30T23:30:00+00:00,4.0,10^9/L", "anc 4 2025-07-01"),
            Given(
                "supplies",
                "medicine,supplied_on\nclozapine,2025-03-01",
                "clozapine 2025-03-01; days_assumed by default: 28",
            ),
            Given("results", "test,taken_on,value\nanc,2025-03-01,4", "not understood: anc unit; 1 set aside"),
            Given("contacts", "contact_id,contact_on,outcome\nc1,2025-03-01,", "not understood: outcome; 1 set aside"),
            Given(
                "results",
                "test,taken_on,value,unit,known_on\nanc,2025-03-01,4,10^9/L,2025-13-01",
                "anc 4 2025-03-01; not understood: anc known_on 2025-13-01",
            ),
            Given(
                "supplies",
                "medicine,kind,supplied_on,interval_days\n"
                "zuclopenthixol_decanoate_injection,letter to GP,2025-03-01,14",
                "zuclopenthixol decanoate injection 2025-03-01; not understood: zuclopenthixol decanoate "
                "injection kind letter to GP",
            ),
            Given(
                "contacts",
                "contact_id,contact_on,outcome\nc1,2025-10-26T23:30:00-01:00,seen",
                "2025-10-27 not_recorded attended; mode by default: not_recorded",
            ),
            Given(
                "supplies",
                "medicine,supplied_on,quantity,units_a_day\nclozapine,2025-03-01,56 strips,2",
                "clozapine 2025-03-01; not understood: clozapine quantity 56 strips; days_assumed by default: 28",
            ),
        ),
    ),
    "D": (
        "A word that is not known is not no",
        (
            Given(
                "circumstances",
                "kind,value,from_on\nsmoking,only at weekends,2025-03-01",
                "not understood: smoking value only at weekends; 1 set aside",
            ),
            Given(
                "circumstances",
                "kind,value,from_on\nbenign_ethnic_neutropenia,query,2025-03-01",
                "not understood: benign_ethnic_neutropenia value query; 1 set aside",
            ),
            Given(
                "contacts",
                "contact_id,contact_on,outcome\nc1,2025-03-01,went well",
                "not understood: outcome went well; 1 set aside",
            ),
            Given(
                "circumstances",
                "kind,value,from_on\ninterpreter,No longer needed,2025-03-01",
                "not understood: interpreter value No longer needed; 1 set aside",
            ),
            Given(
                "contacts",
                "contact_id,contact_on,outcome,mode\nc1,2025-03-01,attended,Teams call",
                "2025-03-01 not_recorded attended; not understood: mode Teams call; mode by default: not_recorded",
            ),
            Given(
                "referrals",
                "referral_id,team_id,opened_on,closed_on,close_reason\nr1,T1,2025-01-02,2025-02-01,moved on",
                "2025-01-02 2025-02-01; not understood: close_reason moved on",
            ),
            Given(
                "supplies",
                "medicine,supplied_on,days_supplied,status\nclozapine,2025-03-01,28,owing",
                "not understood: clozapine status owing; 1 set aside",
            ),
            Given(
                "circumstances",
                "kind,value,from_on\ninterpreter,declined,2025-03-01",
                "not understood: interpreter value declined; 1 set aside",
            ),
            Given(
                "circumstances",
                "kind,value,from_on\nchildbearing_potential,yes - on coil,2025-03-01",
                "not understood: childbearing_potential value yes - on coil; 1 set aside",
            ),
        ),
    ),
    "E": (
        "Contradictions are not accepted",
        (
            Given(
                "referrals",
                "referral_id,team_id,opened_on,closed_on\nr1,T1,2025-03-01,2024-03-01",
                "2025-03-01; not understood: closed_on 2024-03-01",
            ),
            Given(
                "stays",
                "admitted_on,discharged_on\n2025-03-09,2025-03-01",
                "not understood: discharged_on 2025-03-01; 1 set aside",
            ),
            Given(
                "results",
                "test,taken_on,value,unit,known_on\nanc,2025-03-09,4.0,10^9/L,2025-03-01",
                "anc 4 2025-03-09; not understood: anc known_on 2025-03-01",
            ),
            Given(
                "contacts",
                "contact_id,contact_on,booked_on,outcome\nc1,2025-03-01,2025-03-09,DNA",
                "2025-03-01 did_not_attend; not understood: booked_on 2025-03-09",
            ),
            Given(
                "stays",
                "admitted_on,discharged_on,known_on\n2025-03-01,2025-03-09,2025-02-01",
                "2025-03-01 2025-03-09; not understood: known_on 2025-02-01",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2031-03-09,4,10^9/L",
                "not understood: anc taken_on 2031-03-09; 1 set aside",
            ),
            Given(
                "contacts",
                "contact_id,contact_on,outcome\nc1,2027-03-01,attended",
                "not understood: outcome attended; 1 set aside; mode by default: not_recorded",
            ),
            Given(
                "supplies",
                "medicine,supplied_on,days_supplied,status\nclozapine,2025-03-01,28,\n"
                "clozapine,2025-03-28,28,cancelled",
                "clozapine 2025-03-01 28; clozapine 2025-03-28 28 reversed; not understood: clozapine status reversed",
            ),
            Given(
                "supplies",
                "medicine,supplied_on,days_supplied,quantity,status\nclozapine,2025-03-01,28,84,\n"
                "clozapine,2025-03-02,,112,Returned",
                "clozapine 2025-03-01 28; clozapine 2025-03-02 reversed; not understood: clozapine status reversed",
            ),
        ),
    ),
    "F": (
        "NHS numbers are found however they are written",
        (
            Given("patients", "patient_id\n943\u2009476\u20095919", "refused: patients: 1 ids are NHS numbers"),
            Given(
                "results",
                "patient_id,test,taken_on,value,unit\n943-476-5919,anc,2025-03-01,4.0,10^9/L",
                "refused: results: 1 ids are NHS numbers",
            ),
            Given(
                "conditions",
                "patient_id,category,recorded_on\n9434765919.00,allergy,2025-03-01",
                "refused: conditions: 1 ids are NHS numbers",
            ),
            Given("patients", 'patient_id\n="9434765919"', "refused: patients: 1 ids are NHS numbers"),
            Given("patients", "patient_id\n9434765919/1", "refused: patients: 1 ids are NHS numbers"),
            Given("stays", "patient_id,admitted_on\n'9434765919,2025-03-01", "refused: stays: 1 ids are NHS numbers"),
            Given(
                "conditions",
                "category,recorded_on,label\nallergy,2025-03-01,penicillin (mother 943 476 5919)",
                "allergy penicillin (mother [NHS number])",
            ),
            Given(
                "circumstances",
                "kind,value,from_on\nwish,letters to 943\u202f476\u202f5919,2025-03-01",
                "wish letters to [NHS number]",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nNHS 9434765919,2025-03-01,4,10^9/L",
                "not understood: NHS [NHS number] test NHS [NHS number]; 1 set aside",
            ),
        ),
    ),
    "G": (
        "Files as they arrive",
        (
            Given("results", "test;taken_on;value;unit\nanc;2025-03-01;4,1;10^9/L", "anc 4.1 2025-03-01"),
            Given("results", "test,taken_on,value,unit\nanc,2025-03-01,4.2,10^9/L", "anc 4.2 2025-03-01", "utf-16"),
            Given(
                "results",
                "patient_id,test,taken_on,value,unit\nanna,anc,2025-03-01,4.3,10^9/L\n"
                "patient_id,test,taken_on,value,unit",
                "anc 4.3 2025-03-01; 1 set aside",
            ),
            Given(
                "results",
                "test|taken_on|value|unit\nanc|2025-03-01|4.1|10^9/L",
                "refused: results: required columns missing: test, taken_on",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2025-03-01,4.1,10^9/L\n(1 row affected)",
                "refused: results: results.csv: line 3 has 2 fields where the header has 5; "
                "quote a text that holds a comma",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2025-03-01,4.1,10^9/L\nTotal,,1,",
                "anc 4.1 2025-03-01; not understood: Total taken_on; not understood: Total test Total; 1 set aside",
            ),
            Given(
                "results",
                "patient_id,test,taken_on,value,unit\r\nanna,anc,2025-03-01,4.1,10^9/L\r\n\r\n",
                "anc 4.1 2025-03-01",
                "utf-8-sig",
            ),
            Given(
                "results",
                'patient_id,test,taken_on,value,unit\nanna,"anc","2025-03-01","4,1","10^9/L\x00"',
                "refused: results: results.csv: line 1 holds NUL bytes: UTF-16 without a mark, or no text; "
                "save it as CSV UTF-8",
            ),
            Given(
                "results",
                "test,taken_on,value,unit\nanc,2025-03-01,4.1,10^9/L\nlithium_level,2025-03-01,0.7,mmol/L,checked",
                "refused: results: results.csv: line 3 has 6 fields where the header has 5; "
                "quote a text that holds a comma",
            ),
        ),
    ),
}
_SHOWN = {
    "results": ("test", "comparator", "value", "taken_on"),
    "supplies": ("medicine", "supplied_on", "days_supplied", "status"),
    "contacts": ("contact_on", "mode", "outcome"),
    "stays": ("admitted_on", "discharged_on"),
    "referrals": ("opened_on", "closed_on"),
    "circumstances": ("kind", "value"),
    "conditions": ("category", "label"),
    "patients": (),
}


def answer(given: Given, folder: Path) -> str:
    """What becomes of an input, in words: the rows that stand, then what is kept as not understood or set aside."""
    try:
        return "; ".join(_parts(Records.load(written(given, folder), today=TODAY), given.table))
    except RecordsError as error:
        return f"refused: {error.problems[0].table}: {error.problems[0].what}"


def through(door: str, given: Given, folder: Path) -> str:
    """The same through another door, without the counts, which are those of the store where two come together."""
    try:
        records = _through(door, written(given, folder / "csv"), folder)
    except RecordsError as error:
        return f"refused: {error.problems[0].table}: {error.problems[0].what}"
    return "; ".join(_parts(records, given.table))


def _through(door: str, folder: Path, beside: Path) -> Records:
    frames = {
        name: pd.read_csv(folder / f"{name}.csv", dtype="str", keep_default_na=False).astype("object")
        for name in TABLES
    }
    if door == "frames":
        return Records.from_frames(frames, today=TODAY)
    if door == "request":
        return Records.from_columns({n: {c: list(f[c]) for c in f} for n, f in frames.items()}, today=TODAY)
    if door == "parquet":
        (beside / "parquet").mkdir()
        for name, frame in frames.items():
            frame.to_parquet(beside / "parquet" / f"{name}.parquet")
        return Records.load(beside / "parquet", today=TODAY)
    Records.load(folder, today=TODAY).save(beside / "added")
    before = beside.parent / "before"  # the same for all inputs of a kind
    if not before.exists():
        Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]})}, today=TODAY).save(before)
    shutil.copytree(before, beside / "store")
    merge_into(beside / "store", beside / "added", "added")
    return Records.load(beside / "store", today=TODAY)


def what_stands(said: str) -> str:
    """An answer without its counts."""
    parts = said.split("; ")
    return "; ".join(one for one in parts if not one[:1].isdigit() or one[:4].isdigit())


def written(given: Given, folder: Path) -> Path:
    """The input as a folder of CSV files, one a table."""
    folder.mkdir(exist_ok=True)
    for name, spec in TABLES.items():
        (folder / f"{name}.csv").write_text(",".join(spec.names) + "\n", encoding="utf-8")
    (folder / "patients.csv").write_text("patient_id\nanna\n", encoding="utf-8")
    text = given.csv
    if "patient_id" in TABLES[given.table].names and not text.startswith("patient_id"):
        mark = ";" if ";" in text.splitlines()[0] else ","
        head, *rows = text.splitlines()
        text = "\n".join([f"patient_id{mark}{head}", *(f"anna{mark}{row}" for row in rows)])
    (folder / f"{given.table}.csv").write_text(text + "\n", encoding=given.encoding)
    return folder


def _parts(records: Records, table: str) -> Iterator[str]:
    for row in records[table].to_dict("records"):
        cells = [_word(row[name]) for name in _SHOWN[table]]
        yield " ".join(cell for cell in cells if cell)
    for one in records.unread_of("anna"):
        yield f"not understood: {' '.join(filter(None, (one.concept, one.column, one.value)))}"
    report = records.report.tables[table]
    for name in ("set_aside", "replaced", "merged"):
        if count := getattr(report, name):
            yield f"{count} {name.replace('_', ' ')}"
    yield from (f"{name} by default: {one['value']}" for name, one in report.defaults.items())


def _word(value: object) -> str:
    if value is None or value != value or value is pd.NaT:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return f"{value:g}" if isinstance(value, float) else str(value)


def rows() -> list[str]:
    """The table of the page, line by line."""
    lines = ["| kind | given | answer |", "|---|---|---|"]
    for letter, (title, inputs) in KINDS.items():
        for place, given in enumerate(inputs):
            head = f"**{letter}** {title}" if place == 0 else ""
            shown = given.shown().replace("|", "\\|")
            lines.append(f"| {head} | {given.table}: `{shown}` | {given.answer.replace('<', '&lt;')} |")
    return lines
