"""Turns raw tables into typed, checked, sorted tables. Rows that fail are set aside with a reason, and everything is
counted."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import FIRST_DAY, NO_DAY, date_of, day_of
from features.records.kernels import any_outside
from features.records.loading.checks import (
    SECOND_OF_AN_ID,
    Finding,
    Mask,
    ahead_and_over,
    check,
    sent_again,
    to_canonical_units,
)
from features.records.loading.merged_people import COLUMN as REPLACED_BY
from features.records.loading.merged_people import MergedPeople, merged_people, renamed
from features.records.loading.one_person import TWO_BIRTHS, latest_of_each, refuse_two_people_of_one_id, uncorrected
from features.records.loading.second_clock import second_clock
from features.records.problems import LoadReport, RecordsError, RecordsProblem, SetAside, TableReport
from features.records.reading.files import TableFile
from features.records.reading.given import Given, as_json, given_rows, is_missing, rows_of, short
from features.records.reading.nhs_numbers import among, text_without_numbers, without_numbers
from features.records.reading.parsing import empty, parse, read_bound, read_date_column
from features.records.same_event.settled_supplies import settle
from features.records.same_event.supply_rows import USUAL_SUPPLY_DAYS, beside_a_reversal, read_supplies
from features.records.same_event.versions import VERSIONED, RowVersions, contradicted, in_one_order, kept, settled
from features.records.same_event.visits import Contradiction
from features.records.table import Table, empty_table, offsets_of, take, words_of
from features.records.tables import CIRCUMSTANCE_KINDS, COMPARATORS, MODES, TABLES, Column, TableSpec
from features.reference.words import UNKNOWN, circumstance_kind, circumstance_value

PERSON_KEPT = " (the value was set aside, the person kept)"
VALUE_ONLY = " (the value was set aside, the row kept)"
_WITH_THEIR_ROW = {("results", "value"), ("results", "unit"), ("circumstances", "value")}
_CODED = {("conditions", "system"), ("conditions", "code")}
"""Texts whose digits are codes."""
LAST_REAL_DAY = day_of("2098-12-31")
KIND_NOT_READ = "a kind of circumstance that Upstream does not read"
HEADER_AGAIN = "the header line again, within the table"
STRANGER = "the patient is not in the patients table"
REVERSES_NOTHING = "it matches no supply, so nothing was taken back"
LOST_ZEROS = f"{STRANGER}; an id with zeros before it is, so the zeros may have been lost"
_QUARANTINE = ("table", "row", "column", "reason", "values")


class Loading:
    """One load of an extract. It collects all problems and set-aside rows of all tables before it refuses anything."""

    def __init__(
        self,
        given: Mapping[str, Given],
        today: dt.date | None,
        usual_delays: Mapping[str, int] | None,
        stored: bool = False,
    ) -> None:
        self.given, self.stored = given, stored
        self.today = day_of(today or dt.date.today())
        self.delays = {name: spec.usual_delay_days for name, spec in TABLES.items()} | dict(usual_delays or {})
        self.report = LoadReport()
        self.problems: list[RecordsProblem] = []
        self.aside: list[SetAside] = []
        self.values: list[str | Mapping[str, Any]] = []
        self.unread: list[tuple[int, int, int, tuple[str, str, str, str, str]]] = []
        self.headers: dict[str, Mask] = {}
        self.merged = MergedPeople({}, [])
        self.versions: dict[str, RowVersions] = {}
        self.every_stay: tuple[dict[str, Any], npt.NDArray[np.int32]] = ({}, np.zeros(0, np.int32))
        self.moved = np.zeros(0, bool)  # rows of patients whose id became another one
        self.ids = pa.array([], pa.string())  # all people whose row could be read, in order

    def run(self) -> tuple[npt.NDArray[np.object_], dict[str, Table]]:
        """Patient ids (sorted) and every table; raises RecordsError with all problems together."""
        self._look_over()
        if self.problems:
            raise RecordsError(self.problems)
        parsed = {name: self._parse(TABLES[name]) for name in TABLES if name in self.given}
        self._refuse_nhs_numbers({name: columns for name, (columns, _) in parsed.items()})
        if self.problems:
            raise RecordsError(self.problems)
        self._rename_merged({name: columns for name, (columns, _) in parsed.items()})
        people, patients = self._patients(*parsed["patients"])
        self.ids = pa.array(people, pa.string())
        tables = {"patients": patients}
        for name, spec in TABLES.items():
            if name == "patients":
                continue
            if name not in parsed:
                self.report.tables[name] = TableReport(present=False)
                tables[name] = empty_table(spec, len(people))
                continue
            tables[name] = self._finish(spec, *parsed[name])
        self._end_contradicted_stays(tables)
        self._notes(tables)
        self.given = {}  # the quarantine lives as long as the records, so it holds its own copy of the rows set aside
        return people, tables

    def quarantine(self) -> pd.DataFrame:
        """Rows set aside: table, row position, column, reason, and the row as given (JSON), so that nothing is lost."""
        rows = [
            (s.table, s.row, s.column, s.reason, v if isinstance(v, str) else as_json(v))
            for s, v in zip(self.aside, self.values, strict=True)
        ]
        frame = pd.DataFrame(rows, columns=list(_QUARANTINE))
        return (
            frame.astype({"row": "int64"}) if rows else frame.astype({"row": "int64", "table": "str", "reason": "str"})
        )

    def _look_over(self) -> None:
        for name in self.given:
            if name not in TABLES:
                self.problems.append(
                    RecordsProblem(
                        str(name), "a table that is not known", f"one of {', '.join(TABLES)}", "rename or remove it"
                    )
                )
        if "patients" not in self.given:
            self.problems.append(
                RecordsProblem(
                    "patients", "the table is missing", "one row a person", "add it; every other table refers to it"
                )
            )
        for name, given in self.given.items():
            if name not in TABLES:
                continue
            spec = TABLES[name]
            gone = [c.name for c in spec.columns if c.required and c.name not in given]
            if gone:
                self.problems.append(
                    RecordsProblem(
                        name,
                        f"required column{'s' if len(gone) > 1 else ''} missing: {', '.join(gone)}",
                        f"columns {', '.join(spec.names)}",
                        "add or rename the column; leave a value that is not known empty",
                    )
                )
            if not isinstance(given, pd.DataFrame | TableFile) and len({len(given[column]) for column in given}) > 1:
                self.problems.append(
                    RecordsProblem(
                        name, "columns of different lengths", "one value a row in each column", "correct the extract"
                    )
                )

    def _refuse_nhs_numbers(self, parsed: Mapping[str, Mapping[str, Any]]) -> None:
        """No table may hold an NHS number as the id of a person, because it would be stored, logged and shown."""
        for name, columns in parsed.items():
            if "patient_id" in columns and (number := among(columns["patient_id"])):
                self.problems.append(
                    RecordsProblem(
                        name,
                        f"{number} ids are NHS numbers",
                        "local pseudonyms",
                        "name the key that turns them into pseudonyms (upstream ingest own --nhs-key-file), or write "
                        "local ids; a local id of ten digits that passes the check by chance needs a letter before it",
                    )
                )

    def _parse(self, spec: TableSpec) -> tuple[dict[str, Any], dict[str, Mask]]:
        """Typed columns, and where a column holds unreadable values; no mask for a column without any."""
        given = self.given[spec.name]
        rows = rows_of(given)
        self.report.tables[spec.name] = TableReport(
            read=rows,
            absent_columns=tuple(c.name for c in spec.columns if c.name not in given),
            unknown_columns=tuple(
                without_numbers(str(c))
                for c in given
                if c not in spec.names and (spec.name, c) != ("patients", REPLACED_BY)
            ),
        )
        columns: dict[str, Any] = {}
        unread: dict[str, Mask] = {}
        for column in spec.columns:
            if column.name not in given:
                columns[column.name] = empty(column, rows)
                continue
            if column.kind == "date":
                columns[column.name], bad, zoned = read_date_column(given[column.name])
                if zoned:
                    self._note(
                        spec.name,
                        f"{column.name}: {zoned:,} times with an offset; the day is the day in Europe/London",
                    )
            else:
                columns[column.name], bad = parse(column, given[column.name])
            if bad is not None and bad.any():
                unread[column.name] = bad
            if column.kind == "text" and (spec.name, column.name) not in _CODED:
                columns[column.name], numbers = text_without_numbers(columns[column.name])
                if numbers:
                    self._note(spec.name, f"{column.name}: NHS numbers blanked in {numbers:,} texts")
            if column.kind == "date" and not column.required and spec.name != "patients":
                self._drop_sentinels(spec.name, column.name, columns)
        if spec.name == "results" and "value" in unread:
            self._read_bounds(given["value"], columns, unread)
        if spec.name == "circumstances":
            unread |= self._read_words(columns)
        if spec.name == "supplies":
            read_supplies(given, columns, unread)
        if spec.name == "patients" and REPLACED_BY in given:
            replaced_by, _ = parse(Column(REPLACED_BY, "id"), given[REPLACED_BY])
            self.merged = merged_people(columns["patient_id"], replaced_by, columns["known_on"])
        key = _key_of(spec)
        if key and pc.any(pc.equal(columns[key], key)).as_py():
            self.headers[spec.name] = np.asarray(
                pc.equal(columns[key], key).fill_null(False).to_numpy(zero_copy_only=False)
            )
        if isinstance(given, TableFile):
            given.let_go()
        return columns, unread

    def _rename_merged(self, parsed: Mapping[str, dict[str, Any]]) -> None:
        """Gives the rows of replaced ids the id that replaces them, in every table."""
        self.moved = np.zeros(len(parsed["patients"]["patient_id"]), bool)
        if not self.merged.becomes:
            return
        for name, columns in parsed.items():
            if "patient_id" in columns:
                columns["patient_id"], moved = renamed(columns["patient_id"], self.merged.becomes)
                if name == "patients":
                    self.moved = moved
        self._note("patients", f"{len(self.merged.becomes):,} ids are replaced by another; their rows are now its rows")

    def _without_headers(self, spec: TableSpec, findings: list[Finding]) -> list[Finding]:
        """The problems of a table's rows; a repeated header line within the table counts as one problem."""
        header = self.headers.get(spec.name)
        if header is None:
            return findings
        own = [(name, rows & ~header, reason) for name, rows, reason in findings]
        return [(_key_of(spec), header, HEADER_AGAIN), *(one for one in own if one[1].any())]

    def _drop_sentinels(self, table: str, name: str, columns: dict[str, Any]) -> None:
        """Days that mean none (1800-01-01, 1900-01-01, 9999-12-31) are read as not given, and counted."""
        days = columns[name]
        if not any_outside(days, FIRST_DAY, LAST_REAL_DAY):
            return
        sentinel = (days != NO_DAY) & ((days < FIRST_DAY) | (days > LAST_REAL_DAY))
        columns[name] = np.where(sentinel, np.int32(NO_DAY), days)
        self._note(table, f"{name}: {int(sentinel.sum()):,} dates that stand for none (before 1900-01-02, from 2099)")

    def _read_bounds(self, given: Any, columns: dict[str, Any], unread: dict[str, Mask]) -> None:
        """Results such as ``<0.1`` keep their number as a bound, with the comparator."""
        rows = np.flatnonzero(unread["value"])
        told = given.iloc[rows].tolist() if isinstance(given, pd.Series) else [given[row] for row in rows.tolist()]
        found = [(row, bound) for row, one in zip(rows.tolist(), told, strict=True) if (bound := read_bound(one))]
        for row, (sign, number) in found:
            columns["value"][row] = number
            if sign:
                columns["comparator"][row] = COMPARATORS.index(sign)
            unread["value"][row] = False
        if bounds := sum(bool(sign) for _, (sign, _) in found):
            self._note("results", f"value: {bounds:,} results with < or > kept as bounds")
        if not unread["value"].any():
            del unread["value"]

    def _read_words(self, columns: dict[str, Any]) -> dict[str, Mask]:
        """Reads circumstances in the words of ``words.csv``; a value that is not understood, or means "not known", is
        unread.
        """
        kinds = _mapped(columns["kind"], circumstance_kind)
        kind_codes, kind_words = words_of(kinds)
        value_codes, value_words = words_of(columns["value"])
        columns["kind"] = kinds
        pair = kind_codes.astype(np.int64) * (len(value_words) + 1) + value_codes
        both = (kind_codes >= 0) & (value_codes >= 0)
        keys, place = np.unique(pair[both], return_inverse=True)
        meant = [
            circumstance_value(kind_words[key // (len(value_words) + 1)], value_words[key % (len(value_words) + 1)])
            for key in keys.tolist()
        ]
        lost = np.zeros(len(pair), dtype=bool)
        lost[both] = np.array([one is None or one == UNKNOWN for one in meant], bool)[place]
        if len(keys):
            spelled = np.full(len(pair), len(meant), np.int64)
            spelled[both] = place
            columns["value"] = pa.array([*meant, None], pa.string()).take(pa.array(spelled))
        return {"value": lost} if lost.any() else {}

    def _patients(self, columns: dict[str, Any], unread: dict[str, Mask]) -> tuple[npt.NDArray[np.object_], Table]:
        spec = TABLES["patients"]
        findings = [self._keep_person(columns, *f) for f in check(spec, columns, unread, self.today)]
        findings = self._without_headers(spec, findings)
        self._name_unknown_words(spec, findings)
        findings += [(name, rows, f"{reason}{PERSON_KEPT}") for name, rows, reason in self._unfollowed()]
        kept = self._set_aside(spec, findings)
        ids = np.asarray(columns["patient_id"].take(pa.array(kept)).to_pylist(), dtype=object)
        refuse_two_people_of_one_id(columns, self.given["patients"]["patient_id"], self.moved)
        order = np.argsort(ids, kind="stable") if len(ids) else np.zeros(0, dtype=np.int64)
        rows = kept[order]
        each = latest_of_each(columns, rows, self.moved)
        every, rows = rows, rows[each.keep]
        report = self.report.tables["patients"]
        report.replaced = int((~each.keep).sum())
        report.kept -= report.replaced
        patient = np.arange(len(rows), dtype=np.int32)
        place = np.full(len(columns["patient_id"]), -1, np.int32)
        place[every] = np.cumsum(np.r_[0, ids[order][1:] != ids[order][:-1]]) if len(every) else every
        order = order[each.keep]
        clockless = {**columns, "known_on": np.full(len(place), NO_DAY, np.int32)}
        counting = [uncorrected(columns, rows, place, self.moved, one) for one in findings]
        self._keep_unread(spec, clockless, place, counting)
        words = ("patients", "birth_date", "", "", TWO_BIRTHS)
        self.unread += [(int(place[row]), NO_DAY, NO_DAY, words) for row in each.two_births]
        if each.two_births:
            self._note("patients", f"birth_date: {len(each.two_births):,} people with {TWO_BIRTHS}")
        typed = {name: take(values, rows) for name, values in columns.items() if name != "patient_id"}
        return ids[order], Table(spec, typed, patient, offsets_of(patient, len(rows)))

    def _unfollowed(self) -> list[Finding]:
        header = self.headers.get("patients")
        found = [(name, rows if header is None else rows & ~header, why) for name, rows, why in self.merged.findings]
        return [one for one in found if one[1].any()]

    def _keep_person(self, columns: dict[str, Any], name: str, rows: Mask, reason: str) -> Finding:
        """Sets aside a value that cannot be right but keeps the person: nobody leaves the caseload because of a
        mistyped birth date.
        """
        if name == "patient_id":
            return name, rows, reason
        column = TABLES["patients"].column(name)
        columns[name] = np.where(rows, empty(column, len(rows)), columns[name])
        return name, rows, f"{reason}{PERSON_KEPT}"

    def _keep_row(self, spec: TableSpec, columns: dict[str, Any], name: str, rows: Mask, reason: str) -> Finding:
        """Sets aside an optional value that cannot be right but keeps its row: a mistyped closing date must not take
        a person off a list. A wrong required value, or the number of a result, sets the row aside; so does a status
        that is not understood, because nobody can say that the medicine was handed over."""
        column = spec.column(name)
        if column.required or column.kind in ("id", "text") or (spec.name, name) in _WITH_THEIR_ROW:
            return name, rows, reason
        if (spec.name, name) in (("stays", "discharged_on"), ("supplies", "status")) or (
            name == "days_supplied" and reason.startswith("below")
        ):
            return name, rows, reason
        if (spec.name, name) != ("supplies", "kind"):  # a kind that is not understood was read as the weakest
            columns[name] = np.where(rows, empty(column, len(rows)), columns[name])
        return name, rows, f"{reason}{VALUE_ONLY}"

    def _finish(
        self,
        spec: TableSpec,
        columns: dict[str, Any],
        unread: dict[str, Mask],
    ) -> Table:
        findings = [self._keep_row(spec, columns, *f) for f in check(spec, columns, unread, self.today)]
        findings = self._without_headers(spec, findings)
        if spec.name == "contacts":
            findings += ahead_and_over(columns, self.today)
            self._mode_of_attended(columns)
        if spec.name == "results":
            units = columns["unit"]
            findings += list(to_canonical_units(columns))
            self._name_unknown(
                "results", "test", [rows for name, rows, _ in findings if name == "test"], self.given["results"]
            )
            self._name_unknown(
                "results", "unit", [rows for name, rows, _ in findings if name == "unit"], {"unit": units}
            )
        self._name_unknown_words(spec, findings)
        if not spec.per_patient:
            kept = self._set_aside(spec, findings)
            kept = kept[np.argsort(columns[spec.names[0]].take(pa.array(kept)).to_numpy(zero_copy_only=False))]
            nobody = np.zeros(0, dtype=np.int32)
            return Table(spec, {n: take(v, kept) for n, v in columns.items()}, nobody, offsets_of(nobody, 0))
        ids = columns["patient_id"]
        found = pc.index_in(ids, self.ids)
        patient = (found.fill_null(-1) if found.null_count else found).to_numpy(zero_copy_only=False).astype(np.int32)
        if found.null_count > ids.null_count:
            stranger = (patient < 0) & ~np.asarray(ids.is_null().to_numpy(zero_copy_only=False), dtype=bool)
            header = self.headers.get(spec.name)
            findings += self._strangers(ids, stranger if header is None else stranger & ~header)
        failing = [rows for _, rows, reason in findings if not reason.endswith(VALUE_ONLY)]
        good = ~np.logical_or.reduce(failing) if failing else np.ones(len(ids), dtype=bool)
        self._keep_unread(spec, columns, patient, [*findings, *self._kinds_not_read(spec, columns)])
        apart = beside_a_reversal(columns) if spec.name == "supplies" else None
        kept = self._set_aside(spec, [*findings, *sent_again(spec, columns, good, apart)])
        typed = {name: values for name, values in columns.items() if name != "patient_id"}
        if len(kept) < len(ids):
            typed, patient = {name: take(values, kept) for name, values in typed.items()}, patient[kept]
        self.report.tables[spec.name].delays_applied = second_clock(spec, typed, self.delays.get(spec.name, 0))
        if spec.name == "supplies":
            typed, patient = self._settled_supplies(typed, patient)
        if spec.name not in VERSIONED:
            return in_one_order(spec, typed, patient, len(self.ids), stored=self.stored)
        one = settled(spec, typed, patient, len(self.ids), stored=self.stored)
        self.report.tables[spec.name].replaced, self.report.tables[spec.name].merged = one.replaced, one.merged
        self.report.tables[spec.name].kept -= one.replaced + one.merged
        if one.versions is not None:
            self.versions[spec.name] = one.versions
        if spec.name == "stays":
            self.every_stay = typed, patient
        return one.table

    def _settled_supplies(
        self, columns: dict[str, Any], patient: npt.NDArray[np.int32]
    ) -> tuple[dict[str, Any], npt.NDArray[np.int32]]:
        """Supplies with the days that quantity and dose give; what was worked out, assumed or undone is counted. A
        reversal that matches no supply is shown with the person."""
        settled = settle(columns, patient)
        medicines, statuses = (TABLES["supplies"].column(name).values for name in ("medicine", "status"))
        for row in settled.matched_nothing.tolist():
            days = int(columns["supplied_on"][row]), int(columns["known_on"][row])
            words = "supplies", "status", statuses[columns["status"][row]], medicines[columns["medicine"][row]]
            self.unread.append((int(patient[row]), *days, (*words, REVERSES_NOTHING)))
        report = self.report.tables["supplies"]
        if settled.days_from_quantity:
            self._note("supplies", f"days worked out from quantity and dose in {settled.days_from_quantity:,} rows")
        assumed = settled.days_assumed + settled.intervals_assumed
        if assumed:
            report.defaults["days_assumed"] = {"value": USUAL_SUPPLY_DAYS, "rows": assumed}
            self._note(
                "supplies",
                f"days_assumed: {assumed:,} rows do not say how long they last, by days, or by quantity and dose: "
                f"{settled.days_assumed:,} are read as {USUAL_SUPPLY_DAYS} days, {settled.intervals_assumed:,} "
                "injections as the product's usual interval; what rests on them says so",
            )
        if settled.reversed:
            self._note(
                "supplies",
                f"{settled.reversed:,} reversals undo a supply from the day that they became known; "
                f"{len(settled.matched_nothing):,} of them match no supply",
            )
        if settled.added:
            self._note(
                "supplies",
                f"{settled.added:,} returns of part of a supply: the supply is reversed, and what was left of it is a "
                "row of its own",
            )
        return settled.columns, settled.patient

    def _strangers(self, ids: pa.Array, stranger: Mask) -> list[Finding]:
        """Rows of ids that the patients table does not hold; ids that lost their leading zeros are recognised."""
        stripped = pc.utf8_ltrim(self.ids, "0").filter(pc.starts_with(self.ids, "0"))
        lost = stranger & np.asarray(pc.is_in(ids, stripped).to_numpy(zero_copy_only=False), bool)
        told = (("patient_id", lost, LOST_ZEROS), ("patient_id", stranger & ~lost, STRANGER))
        return [one for one in told if one[1].any()]

    def _mode_of_attended(self, columns: dict[str, Any]) -> None:
        """Reads an attended contact without a mode as a contact with the person, not as a text."""
        outcomes = TABLES["contacts"].column("outcome").values
        silent = (columns["mode"] < 0) & (columns["outcome"] == outcomes.index("attended"))
        if silent.any():
            columns["mode"] = np.where(silent, np.int16(MODES.index("not_recorded")), columns["mode"])
            self.report.tables["contacts"].defaults["mode"] = {"value": "not_recorded", "rows": int(silent.sum())}
            self._note(
                "contacts",
                f"mode missing in {int(silent.sum()):,} attended contacts; they count as contact with the person",
            )

    def _keep_unread(self, spec: TableSpec, columns: dict[str, Any], patient: Any, findings: list[Finding]) -> None:
        """Stores, for each person, values that were not understood, with the row's two clocks as far as they can be
        read.
        """
        about = {"results": "test", "supplies": "medicine", "circumstances": "kind", "conditions": "category"}.get(
            spec.name, ""
        )
        clocks = columns[spec.event_day or "known_on"], columns["known_on"]
        for name, rows, reason in findings:
            if name == "patient_id" or reason == SECOND_OF_AN_ID:
                continue
            places = np.flatnonzero(rows & (patient >= 0))
            told = given_rows(self.given[spec.name], places, [name, about] if about else [name])
            for row, values in zip(places.tolist(), told, strict=True):
                on, told_on = (int(days[row]) if FIRST_DAY <= days[row] <= LAST_REAL_DAY else NO_DAY for days in clocks)
                if told_on == NO_DAY and on != NO_DAY:
                    told_on = on + self.delays.get(spec.name, 0)
                words = (spec.name, name, short(values.get(name)), _concept(spec, columns, about, row, values), reason)
                self.unread.append((int(patient[row]), on, told_on, words))

    def _name_unknown_words(self, spec: TableSpec, findings: list[Finding]) -> None:
        """Names the words that no table knows and how often, most frequent first: words of a vocabulary (medicines,
        codes, circumstances), never a number, a date or an id."""
        for name, rows, reason in findings:
            vocabulary = spec.column(name).kind in ("code", "flag") or (spec.name, name) == ("circumstances", "value")
            if not vocabulary or spec.name == "results" or "missing" in reason:
                continue
            extra = ["kind"] if spec.name == "circumstances" else []
            told = given_rows(self.given[spec.name], np.flatnonzero(rows), [name, *extra])
            words = Counter(" ".join(short(one.get(column)) for column in [*extra, name]).strip() for one in told)
            del words[""]
            if words:
                named = ", ".join(f"{word} ({count:,} rows)" for word, count in words.most_common(20))
                self._note(spec.name, f"{name} not understood: {named}")

    def _end_contradicted_stays(self, tables: dict[str, Table]) -> None:
        """Ends stays that were never closed, because they would keep a person off every list: attended contacts since
        then end the stay, and the contradiction is stored with the person."""
        stays, every = contradicted(tables["stays"], tables["contacts"])
        self._keep_every_stay(stays, every)
        found = [one for one in every if one.until == NO_DAY]
        if not found:
            return
        for one in found:
            day = date_of(one.ended_on)
            reason = f"the stay was never closed; contacts attended since contradict it: read as ended on {day}"
            words = ("stays", "discharged_on", "", "stay", reason)
            self.unread.append((int(stays.patient[one.row]), one.ended_on, one.known_on, words))
        tables["stays"] = stays
        self.report.tables["stays"].contradicted = len(found)
        self._note(
            "stays",
            f"{len(found):,} were never closed and contacts attended since contradict them: the people stay on their "
            "lists, and each is shown with the person",
        )

    def _keep_every_stay(self, stays: Table, every: list[Contradiction]) -> None:
        """Keeps every row of the people whose stay read as ended for a while before its end was known, or was
        contradicted by contacts that have versions."""
        spans = [(int(stays.patient[one.row]), one.known_on, one.until) for one in every if one.until != NO_DAY]
        if (contacts := self.versions.get("contacts")) is not None:
            for who in {int(stays.patient[one.row]) for one in every}:
                mine = slice(*contacts.offsets[who : who + 2])
                days = zip(contacts.since[mine].tolist(), contacts.until[mine].tolist(), strict=True)
                spans += [(who, since, until) for since, until in days]
        if spans:
            columns, patient = self.every_stay
            before = self.versions.get("stays")
            if before is not None:
                owner = np.repeat(np.arange(len(self.ids)), np.diff(before.offsets))
                spans += zip(owner.tolist(), before.since.tolist(), before.until.tolist(), strict=True)
            made = kept(TABLES["stays"], columns, patient, len(self.ids), tuple(spans))
            if made is not None:
                self.versions["stays"] = made

    def _kinds_not_read(self, spec: TableSpec, columns: dict[str, Any]) -> list[Finding]:
        """Circumstances of a kind that nothing reads: they are kept, and shown with the person, because nobody can say
        that they mean nothing."""
        if spec.name != "circumstances":
            return []
        codes, words = words_of(columns["kind"])
        known = np.array([word in CIRCUMSTANCE_KINDS for word in words], bool)
        other = (codes >= 0) & ~known[codes] if len(words) else np.zeros(len(codes), bool)
        return [("value", other, KIND_NOT_READ)] if other.any() else []

    def _set_aside(self, spec: TableSpec, findings: list[Finding]) -> npt.NDArray[np.int64]:
        report = self.report.tables[spec.name]
        if not findings:
            report.kept = report.read
            return np.arange(report.read)
        dropped = np.zeros(report.read, dtype=bool)
        for column, rows, reason in findings:
            if column == "patient_id" or not reason.endswith((VALUE_ONLY, PERSON_KEPT)):
                dropped |= rows
            self.report.reasons.setdefault(spec.name, {})[f"{column}: {reason}"] = int(rows.sum())
            places = np.flatnonzero(rows)
            self.aside += [SetAside(spec.name, row, column, reason) for row in places.tolist()]
            self.values += self._as_given(spec.name, places)
        report.set_aside = int(dropped.sum())
        report.kept = report.read - report.set_aside
        return np.flatnonzero(~dropped)

    def _as_given(self, name: str, rows: npt.NDArray[np.int64]) -> list[str | Mapping[str, Any]]:
        """Rows as JSON; those of a request, whose quarantine nobody may ask for, as they came."""
        given = self.given[name]
        told = given_rows(given, rows, [str(column) for column in given])
        return list(told) if not isinstance(given, pd.DataFrame | TableFile) else [as_json(row) for row in told]

    def _name_unknown(self, table: str, column: str, failing: list[Mask], given: Any) -> None:
        """Names the tests and units that no reference table knows, most frequent first: words of a vocabulary, never a
        patient's value."""
        if column not in given or not failing:
            return
        rows = np.flatnonzero(np.logical_or.reduce(failing))
        values = given[column]
        if isinstance(values, pa.Array):
            words = values.take(pa.array(rows)).to_pylist()
        else:
            words = values.iloc[rows] if isinstance(values, pd.Series) else [values[row] for row in rows.tolist()]
        known = Counter(str(word)[:40] for word in words if not is_missing(word))
        if known:
            named = ", ".join(f"{word} ({count:,} rows)" for word, count in known.most_common(20))
            self._note(table, f"{column} not known: {named}; see features/reference/tests.csv")

    def _notes(self, tables: dict[str, Table]) -> None:
        teams = set(tables["teams"].columns["team_id"].to_pylist())
        strangers = set(tables["referrals"].columns["team_id"].to_pylist()) - teams
        if strangers:
            self._note(
                "referrals",
                f"{len(strangers)} team ids are not in the teams table; their kind is unknown, so no caseload holds "
                f"them",
            )
        kinds = set(tables["circumstances"].columns["kind"].to_pylist()) - set(CIRCUMSTANCE_KINDS)
        if kinds:
            self._note("circumstances", f"kinds kept but not read by any feature: {', '.join(sorted(kinds))}")

    def _note(self, name: str, note: str) -> None:
        self.report.tables[name].notes = (*self.report.tables[name].notes, without_numbers(note))


def _key_of(spec: TableSpec) -> str:
    """The id that marks a repeated header line within a table: its cell holds the column's own name."""
    names = spec.names
    return next((name for name in ("patient_id", "team_id") if name in names), "")


def _mapped(text: pa.Array, meaning: Callable[[str], str]) -> pa.Array:
    """Text with each word replaced by its meaning."""
    codes, words = words_of(text)
    meant = [meaning(word) for word in words]
    if meant == words:
        return text
    return pa.array([*meant, None], pa.string()).take(pa.array(np.where(codes < 0, len(words), codes)))


def _concept(spec: TableSpec, columns: Mapping[str, Any], about: str, row: int, given: Mapping[str, Any]) -> str:
    """What the row is about, in our words or, if those could not be read, in its own."""
    if not about:
        return ""
    value = columns[about][row]
    if spec.column(about).kind != "code":
        return str(value.as_py() or "")
    return spec.column(about).values[value] if value >= 0 else short(given.get(about))
