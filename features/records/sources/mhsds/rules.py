"""Evaluates the public validation rules of MHSDS on a submission, and counts the rules that need data that is not
public.

A rule is a row of NHS England's list. The wording of its sentence decides the test: blank, format of a date, before
or after another item, no valid record of another table, more than one record of a key. A rule that needs a national
table, the submission portal or a length that the list does not state is counted by name as not evaluable.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

_ITEM = r"\[M\d+\] ?(?P<{}>\w+)"
_BLANK = re.compile(rf"{_ITEM.format('item')} is blank")
_FORMAT = re.compile(rf"{_ITEM.format('item')} has an incorrect data format")
_AFTER = re.compile(
    rf"{_ITEM.format('item')} is (?P<way>before|after) the (?:associated )?"
    rf"{_ITEM.format('other')}(?P<plus> plus 1 day)?(?:\.|$)"
)
_NO_VALID = re.compile(rf"No valid \[MHS\d+\](?P<table>\w+) submitted for this {_ITEM.format('item')}(?:\.|$)")
_MORE = re.compile(r"More than one \[MHS\d+\]\w+ submitted for (?P<keys>this .+?)(?:\. \[|\.$|$)")
_WHERE_NULL = re.compile(rf"^(?P<keys>.+?) where (?:the )?{_ITEM.format('item')} is null$")
_NAME = re.compile(r"\[M\d+\] ?(\w+)")


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
    """The results of the rules: rows rejected by each rule, the number of rules evaluated, and why the others were
    not.
    """

    rejected: dict[str, int]
    evaluated: int
    not_evaluable: dict[str, int]


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
    rejected: dict[str, int] = {}
    reasons: dict[str, int] = {}
    evaluated = 0
    short = {re.sub(r"^MHS\d+", "", name): table for name, table in tables.items()}
    for rule in rules:
        test, reason = _test(rule)
        if test is None:
            reasons[reason] = reasons.get(reason, 0) + 1
            continue
        evaluated += 1
        table = tables.get(rule.table)
        if table is None or not len(table):
            continue
        failing = int(test(table, {**tables, **short}).sum())
        if failing and rule.rejects:
            rejected[rule.code] = failing
    return Verdict(rejected, evaluated, reasons)


Test = Callable[[pd.DataFrame, Mapping[str, pd.DataFrame]], pd.Series]


def _test(rule: ValidationRule) -> tuple[Test | None, str]:
    """The test of a rule, or why there is none."""
    text = rule.text.rstrip()
    if found := _BLANK.match(text):
        return _blank(found["item"]), ""
    if found := _FORMAT.match(text):
        name = found["item"]
        if "Date" in name or "Timestamp" in name:
            return _dated(name), ""
        return None, "a format that the list does not state"
    if found := _AFTER.match(text):
        return _ordered(found["item"], found["way"], found["other"], 1 if found["plus"] else 0), ""
    if found := _NO_VALID.match(text):
        return _unmatched(found["table"], found["item"]), ""
    if found := _MORE.match(text):
        keys, null = found["keys"], None
        if where := _WHERE_NULL.match(keys):
            keys, null = where["keys"], where["item"]
        return _repeated(tuple(_NAME.findall(keys)), null), ""
    if "national" in text.lower():
        return None, "a national table"
    if "portal" in text.lower():
        return None, "the submission portal"
    return None, "a sentence of another shape"


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series(None, index=table.index, dtype="str")


def _moments(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, errors="coerce", format="ISO8601")


def _blank(name: str) -> Test:
    return lambda table, _: _column(table, name).isna()


def _dated(name: str) -> Test:
    def test(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.Series:
        values = _column(table, name)
        shape = values.str.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?")
        return values.notna() & ~(shape.fillna(False).astype(bool) & _moments(values).notna())

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
