"""Evaluates the public validation rules of MHSDS on a submission, and counts the rules that need data that is not
public.

A rule is a row of NHS England's list. The wording of its sentence decides the test: blank, blank although another item
is given, format of a date or time, before or after another item, equal to another item, an age, no valid record of
another table, more than one record of a key, a SNOMED CT code with a wrong check digit. The format and the national
code of an item are tested where mappings/codes.csv holds every value that was sent. A rule about the value of an item
that nobody sent cannot be broken. A rule that needs a whole national table, the submission portal or a length that the
list does not state is counted by name as not evaluable.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from features.records.sources.mhsds.folder import rows_of
from features.reference.snomed import has_check_digit

_ITEM = r"\[M\d+\] ?(?P<{}>\w+)"
_A, _B = _ITEM.format("item"), _ITEM.format("other")
_WARNING = re.compile(r"^(severity 1 )?warning - ", re.IGNORECASE)
_BLANK_BUT = re.compile(rf"{_A} is blank,? but {_B} is populated(?: with code (?P<codes>\d+(?: or code \d+)*))?")
_FILLED_BUT = re.compile(
    rf"{_A} is populated but (?:code (?P<code>\w+) has been submitted for {_B}"
    rf"|{_ITEM.format('third')} has been populated with '(?P<word>\w+)')"
)
_BLANK = re.compile(rf"{_A} is blank")
_FORMAT = re.compile(rf"{_A} has an incorrect data format")
_CODE = re.compile(rf"{_A} contains an invalid national code")
_AFTER = re.compile(
    rf"{_A} is (?P<way>before|after) the (?:associated )?{_B}(?P<plus> plus (?:1 day|24 hours))?(?:\.|$)"
)
_SAME = re.compile(rf"{_A} does not match {_B}(?:\.|$)")
_AGE = re.compile(rf"{_A} is populated with a date that indicates the person is outside of the 0-130 years age range")
_RULING = re.compile(rf"{_A} has incorrect value for current ruling data set")
_SNOMED = re.compile(rf"{_A} has failed SNOMED CT checks")
_NO_VALID = re.compile(rf"No valid \[MHS\d+\](?P<table>\w+) submitted for this {_A}(?:\.|$)")
_MORE = re.compile(r"More than one \[MHS\d+\]\w+ submitted for (?P<keys>this .+?)(?:\. \[|\.$|$)")
_WHERE_NULL = re.compile(rf"^(?P<keys>.+?) where (?:the )?{_A} is null$")
_NAME = re.compile(r"\[M\d+\] ?(\w+)")

EVALUATED, NOTHING_SENT = "evaluated", "the item was not sent"
_FORMAT_UNKNOWN = "a format that the list does not state"
_NATIONAL, _PORTAL, _OTHER = "a national table", "the submission portal", "a sentence of another shape"
_BY_SCHEME, _REFERENCE = "a format that depends on another item", "a reference table of assessments"
_OF_A_VALUE = (_FORMAT_UNKNOWN, _NATIONAL, _PORTAL, _BY_SCHEME, _REFERENCE)
"""Kinds of rule that speak of the value of an item: nothing sent, nothing wrong."""
_LISTS = {
    "Gender": "gender", "EthnicCategory": "ethnicity", "LDStatus": "three_way", "AutismStatus": "three_way",
    "AccommodationType": "accommodation", "EmployStatus": "employment", "ReferClosReason": "close",
    "CareContSubj": "subject", "ConsMechanismMH": "mode", "AttendStatus": "attend", "LegalStatusCode": "legal",
    "MethAdmMHHospProvSpell": "method", "MHAdmittedPatientClass": "ward", "DiagSchemeInUse": "scheme",
    "Procedure": "procedure",
}  # fmt: skip
"""The list of mappings/codes.csv that holds the national codes of an item."""


@dataclass(frozen=True)
class ValidationRule:
    """One rule: its code, table, item and sentence, and whether it rejects."""

    code: str
    table: str
    item: str
    text: str
    rejects: bool


@dataclass(frozen=True)
class Verdict:
    """The results of the rules: rows rejected and rows warned of by each rule, and the fate of every rule: evaluated,
    its item not sent, or the reason why it cannot be evaluated.
    """

    rejected: dict[str, int] = field(default_factory=dict)
    warned: dict[str, int] = field(default_factory=dict)
    fates: dict[str, str] = field(default_factory=dict)

    @property
    def evaluated(self) -> int:
        return sum(fate == EVALUATED for fate in self.fates.values())

    @property
    def not_sent(self) -> int:
        return sum(fate == NOTHING_SENT for fate in self.fates.values())

    @property
    def not_evaluable(self) -> dict[str, int]:
        return dict(Counter(fate for fate in self.fates.values() if fate not in (EVALUATED, NOTHING_SENT)))


def read_rules(path: Path) -> list[ValidationRule]:
    """The rules of NHS England's list."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            ValidationRule(
                row["Error Code"],
                row["Table"],
                row["XML ELEMENT NAME"],
                re.sub(r"^(record|group) rejected - ", "", row["Validation Text with Action"], flags=re.I),
                "reject" in row["Error Level"].lower(),
            )
            for row in csv.DictReader(file)
        ]


def check(tables: Mapping[str, pd.DataFrame], rules: list[ValidationRule]) -> Verdict:
    """Evaluates every rule that can be evaluated on one submission."""
    verdict = Verdict()
    short = {re.sub(r"^MHS\d+", "", name): table for name, table in tables.items()}
    for rule in rules:
        table = tables.get(rule.table, pd.DataFrame())
        found, reason = _test(rule, table)
        if found is None:
            sent = rule.item in table and table[rule.item].notna().any()
            verdict.fates[rule.code] = reason if sent or reason not in _OF_A_VALUE else NOTHING_SENT
            continue
        verdict.fates[rule.code] = EVALUATED
        failing = int(found(table, {**tables, **short}).sum()) if len(table) else 0
        if failing:
            (verdict.rejected if rule.rejects else verdict.warned)[rule.code] = failing
    return verdict


def check_all(submissions: Iterable[Mapping[str, pd.DataFrame]], rules: list[ValidationRule]) -> Verdict:
    """Evaluates the rules on every submission. A rule that cannot be evaluated on one of them is not evaluable; one
    whose item is in none of them was not sent.
    """
    rejected: Counter[str] = Counter()
    warned: Counter[str] = Counter()
    fates: dict[str, str] = {}
    for tables in submissions:
        one = check(tables, rules)
        rejected.update(one.rejected)
        warned.update(one.warned)
        for code, fate in one.fates.items():
            before = fates.get(code, NOTHING_SENT)
            fates[code] = fate if before == NOTHING_SENT or (before == EVALUATED and fate != NOTHING_SENT) else before
    return Verdict(dict(rejected), dict(warned), fates)


def submissions_in(folder: Path) -> Iterable[dict[str, pd.DataFrame]]:
    """The tables of each submission below a folder, as text."""
    for header in sorted(folder.rglob("MHS000Header.csv")):
        yield {
            file.stem: pd.read_csv(file, dtype="str", keep_default_na=False).replace("", None)
            for file in sorted(header.parent.glob("*.csv"))
        }


Test = Callable[[pd.DataFrame, Mapping[str, pd.DataFrame]], pd.Series]


def _test(rule: ValidationRule, table: pd.DataFrame) -> tuple[Test | None, str]:
    """The test of a rule, or why there is none."""
    text = _WARNING.sub("", rule.text.rstrip())
    test = _of_other_items(text) or _of_a_value(text, table) or _of_records(text)
    if test is not None:
        return test, ""
    if _FORMAT.match(text):
        return None, _FORMAT_UNKNOWN
    if "format does not match" in text:
        return None, _BY_SCHEME
    if "associated reference table" in text or "invalid person score" in text:
        return None, _REFERENCE
    if "national" in text.lower():
        return None, _NATIONAL
    if "portal" in text.lower():
        return None, _PORTAL
    return None, _OTHER


def _of_other_items(text: str) -> Test | None:
    """Tests that compare an item with another one, or ask whether it is there."""
    if found := _BLANK_BUT.match(text):
        return _blank_but(found["item"], found["other"], tuple(re.findall(r"\d+", found["codes"] or "")))
    if found := _FILLED_BUT.match(text):
        return _filled_but(found["item"], found["other"] or found["third"], found["code"] or found["word"])
    if found := _BLANK.match(text):
        return _blank(found["item"])
    if found := _AFTER.match(text):
        return _ordered(found["item"], found["way"], found["other"], 1 if found["plus"] else 0)
    if found := _SAME.match(text):
        return _different(found["item"], found["other"])
    if found := _AGE.match(text):
        return _aged(found["item"])
    return None


def _of_a_value(text: str, table: pd.DataFrame) -> Test | None:
    """Tests of the shape or the code of an item."""
    if found := _FORMAT.match(text):
        name = found["item"]
        if "Date" in name or "Timestamp" in name:
            return _shaped(name, r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?", of_a_day=True)
        if "Time" in name:
            return _shaped(name, r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d")
        return _coded(name, table)
    if found := _CODE.match(text):
        return _coded(found["item"], table)
    if found := _SNOMED.match(text):
        return _checked(found["item"])
    if found := _RULING.match(text):
        return _one_of(found["item"], _versions())
    return None


def _of_records(text: str) -> Test | None:
    """Tests of other records: none of another table, or more than one of a key."""
    if found := _NO_VALID.match(text):
        return _unmatched(found["table"], found["item"])
    if found := _MORE.match(text):
        keys, null = found["keys"], None
        if where := _WHERE_NULL.match(keys):
            keys, null = where["keys"], where["item"]
        return _repeated(tuple(_NAME.findall(keys)), null)
    return None


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series(None, index=table.index, dtype="str")


def _moments(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, errors="coerce", format="ISO8601")


def _blank(name: str) -> Test:
    return lambda table, _: _column(table, name).isna()


def _blank_but(name: str, other: str, codes: tuple[str, ...]) -> Test:
    def test(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.Series:
        given = _column(table, other)
        return _column(table, name).isna() & (given.isin(codes) if codes else given.notna())

    return test


def _filled_but(name: str, other: str, code: str) -> Test:
    return lambda table, _: _column(table, name).notna() & (_column(table, other) == code)


def _shaped(name: str, shape: str, *, of_a_day: bool = False) -> Test:
    def test(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.Series:
        values = _column(table, name)
        good = values.str.fullmatch(shape).fillna(False).astype(bool)
        return values.notna() & ~(good & _moments(values).notna() if of_a_day else good)

    return test


def _coded(name: str, table: pd.DataFrame) -> Test | None:
    """The test of a national code, None where a value is in none of our lists: it may be a code that they lack."""
    if name not in table or name not in _LISTS:
        return None
    codes, values = _codes_of(_LISTS[name]), table[name].dropna()
    return _one_of(name, codes) if len(values) and values.isin(codes).all() else None


@cache
def _codes_of(kind: str) -> frozenset[str]:
    """The national codes of one list, read once: four hundred rules ask for them on every submission."""
    return frozenset(row["code"] for row in rows_of("codes") if row["list"] == kind)


@cache
def _versions() -> frozenset[str]:
    return frozenset(row["version"] for row in rows_of("versions"))


def _one_of(name: str, allowed: frozenset[str]) -> Test:
    def test(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.Series:
        values = _column(table, name)
        return values.notna() & ~values.isin(allowed)

    return test


def _checked(name: str) -> Test:
    def test(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.Series:
        values = _column(table, name)
        return values.notna() & ~values.map(lambda code: has_check_digit(str(code))).astype(bool)

    return test


def _different(name: str, other: str) -> Test:
    def test(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
        header = tables.get("MHS000Header", pd.DataFrame())
        wanted = table[other] if other in table else header[other].iloc[0] if other in header else None
        values = _column(table, name)
        return values.notna() & (values != wanted)

    return test


def _aged(name: str) -> Test:
    """A birth after the period, or more than 130 years before its end."""

    def test(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
        end = _other(table, "ReportingPeriodEndDate", tables)
        born = _moments(_column(table, name)).dt.normalize()
        return (born > end) | (born <= end - pd.DateOffset(years=131))

    return test


def _ordered(name: str, way: str, other: str, plus: int) -> Test:
    def test(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
        left = _moments(_column(table, name)).dt.normalize()
        right = _other(table, other, tables) + pd.Timedelta(days=plus)
        return (left < right) if way == "before" else (left > right)

    return test


def _other(table: pd.DataFrame, name: str, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """An item of the same record, of the header, or of the record of another table that shares a key."""
    if name in table:
        return _moments(table[name]).dt.normalize()
    header = tables.get("MHS000Header", pd.DataFrame())
    if name in header:
        return pd.Series(pd.Timestamp(header[name].iloc[0]).normalize(), index=table.index)
    for there in tables.values():
        shared = [c for c in ("HospProvSpellID", "ServiceRequestID", "LocalPatientID") if c in there and c in table]
        if name in there and shared:
            first = there.drop_duplicates(shared[0]).set_index(shared[0])[name]
            return _moments(table[shared[0]].map(first)).dt.normalize()
    return pd.Series(pd.NaT, index=table.index)


def _unmatched(other: str, name: str) -> Test:
    def test(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
        there = tables.get(other, pd.DataFrame())
        known = set(there[name].dropna()) if name in there else set()
        values = _column(table, name)
        return values.notna() & ~values.isin(known)

    return test


def _repeated(keys: tuple[str, ...], null: str | None) -> Test:
    def test(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.Series:
        if not keys:
            return pd.Series(len(table) > 1, index=table.index)
        rows = table if null is None else table[_column(table, null).isna()]
        named = pd.DataFrame({key: _column(rows, key) for key in keys})
        twice = named.duplicated(keep=False) & named.iloc[:, 0].notna()
        return twice.reindex(table.index, fill_value=False)

    return test
