"""Turns raw tables into typed, checked, sorted tables. Rows that fail are set aside with a reason, and everything is
counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import NO_DAY, day_of
from features.records.loading.checks import Finding, ahead_and_over, check, sent_again, to_canonical_units
from features.records.loading.columns import ParsedTable, new_report, parse_table
from features.records.loading.defaults import mode_of_attended, settled_supplies
from features.records.loading.findings import (
    PERSON_KEPT,
    drops_row,
    except_rows,
    keep_person,
    keep_row,
    strangers,
    without_headers,
)
from features.records.loading.merged_people import MergedPeople, merged_people, renamed
from features.records.loading.not_understood import (
    UnreadRow,
    diagnoses_not_read,
    kinds_not_read,
    name_unknown_tests_and_units,
    name_unknown_words,
    uncertain_codes,
    unread_values,
)
from features.records.loading.one_person import TWO_BIRTHS, latest_of_each, refuse_two_people_of_one_id, uncorrected
from features.records.loading.open_stays import EveryStay, end_contradicted_stays
from features.records.loading.plain_rows.tables import nothing_in, plain_tables
from features.records.loading.quarantine import Quarantine
from features.records.loading.refusals import nhs_numbers_as_ids, problems_of_tables
from features.records.loading.second_clock import second_clock
from features.records.problems import LoadReport, RecordsError, RecordsProblem, TableReport
from features.records.reading.given import Given
from features.records.reading.nhs_numbers import without_numbers
from features.records.reading.results import with_second_numbers
from features.records.same_event.brand_rows import forms_not_recorded
from features.records.same_event.supply_rows import beside_a_reversal
from features.records.same_event.versions import VERSIONED, RowVersions, in_one_order, settled
from features.records.table import Table, empty_table, offsets_of, take
from features.records.tables import CIRCUMSTANCE_KINDS, TABLES, TableSpec

_NOT_READ = {"circumstances": kinds_not_read, "conditions": diagnoses_not_read}
"""What is kept by no rule and shown with the person."""
_NOBODY = pa.array([], pa.string())


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
        self.quarantine = Quarantine()
        self.unread: list[UnreadRow] = []
        self.merged = MergedPeople({}, [])
        self.versions: dict[str, RowVersions] = {}
        self.every_stay: EveryStay = ({}, np.zeros(0, np.int32))
        self.moved = np.zeros(0, bool)  # rows of patients whose id became another one
        self.ids = _NOBODY  # all people whose row could be read, in order
        self.only: str | None = None  # the id of the only one, where there is one

    def run(self) -> tuple[npt.NDArray[np.object_], dict[str, Table]]:
        """Patient ids (sorted) and every table; raises RecordsError with all problems together."""
        one, plain = plain_tables(self.given, self.today, self.delays)
        if len(plain) < len(self.given):
            _refuse(list(problems_of_tables(self.given)))
        parsed = {}
        for name, spec in TABLES.items():
            if name in plain:
                self.report.tables[name] = plain[name].report
            elif name in self.given:
                parsed[name] = self._parse(spec)
        _refuse(list(nhs_numbers_as_ids(parsed)))
        if one:
            people, patients = np.array([one], object), plain["patients"].table
        else:
            self._rename_merged(parsed)
            people, patients = self._patients(parsed["patients"])
        self.ids = pa.array(people, pa.string())
        self.only = people[0] if len(people) == 1 else None
        tables = {"patients": patients}
        for name, spec in TABLES.items():
            if name == "patients":
                continue
            if name in plain:
                tables[name] = plain[name].table
            elif name in parsed:
                tables[name] = self._finish(spec, parsed.pop(name))
            else:
                self.report.tables[name] = TableReport(present=False)
                tables[name] = nothing_in(name) if one else empty_table(spec, len(people))
        if "stays" in plain:
            self.every_stay = dict(tables["stays"].columns), tables["stays"].patient
        stays = self.report.tables["stays"]
        self.unread += end_contradicted_stays(tables, self.versions, self.every_stay, len(people), stays)
        self._notes(tables)
        for report in self.report.tables.values():
            report.notes = tuple(without_numbers(note) for note in report.notes)
        return people, tables

    def _parse(self, spec: TableSpec) -> ParsedTable:
        given = self.given[spec.name]
        self.report.tables[spec.name] = new_report(spec, given)
        return parse_table(spec, given, self.report.tables[spec.name])

    def _rename_merged(self, parsed: Mapping[str, ParsedTable]) -> None:
        """Gives the rows of replaced ids the id that replaces them, in every table."""
        patients = parsed["patients"]
        if patients.replaced_by is not None:
            self.merged = merged_people(
                patients.columns["patient_id"], patients.replaced_by, patients.columns["known_on"]
            )
        self.moved = np.zeros(len(patients.columns["patient_id"]), bool)
        if not self.merged.becomes:
            return
        for name, table in parsed.items():
            table.one_id = None
            if "patient_id" in table.columns:
                table.columns["patient_id"], moved = renamed(table.columns["patient_id"], self.merged.becomes)
                if name == "patients":
                    self.moved = moved
        self.report.tables["patients"].note(
            f"{len(self.merged.becomes):,} ids are replaced by another; their rows are now its rows"
        )

    def _patients(self, parsed: ParsedTable) -> tuple[npt.NDArray[np.object_], Table]:
        spec, columns, report = TABLES["patients"], parsed.columns, self.report.tables["patients"]
        findings = [keep_person(columns, *f) for f in check(spec, columns, parsed.unread, self.today)]
        findings = without_headers(spec, parsed.header, findings)
        name_unknown_words(spec, self.given[spec.name], findings, report)
        unfollowed = except_rows(parsed.header, self.merged.findings)
        findings += [(name, rows, f"{reason}{PERSON_KEPT}") for name, rows, reason in unfollowed]
        kept = self._set_aside(spec, findings)
        ids = np.asarray(columns["patient_id"].take(pa.array(kept)).to_pylist(), dtype=object)
        refuse_two_people_of_one_id(columns, self.given["patients"]["patient_id"], self.moved)
        order = np.argsort(ids, kind="stable") if len(ids) else np.zeros(0, dtype=np.int64)
        rows = kept[order]
        each = latest_of_each(columns, rows, self.moved)
        every, rows = rows, rows[each.keep]
        report.replaced = int((~each.keep).sum())
        report.kept -= report.replaced
        patient = np.arange(len(rows), dtype=np.int32)
        place = np.full(len(columns["patient_id"]), -1, np.int32)
        place[every] = np.cumsum(np.concatenate(([0], ids[order][1:] != ids[order][:-1]))) if len(every) else every
        order = order[each.keep]
        clockless = {**columns, "known_on": np.full(len(place), NO_DAY, np.int32)}
        counting = [uncorrected(columns, rows, place, self.moved, one) for one in findings]
        self._keep_unread(spec, clockless, place, counting)
        words = ("patients", "birth_date", "", "", TWO_BIRTHS)
        self.unread += [(int(place[row]), NO_DAY, NO_DAY, words) for row in each.two_births]
        if each.two_births:
            report.note(f"birth_date: {len(each.two_births):,} people with {TWO_BIRTHS}")
        typed = {name: take(values, rows) for name, values in columns.items() if name != "patient_id"}
        return ids[order], Table(spec, typed, patient, offsets_of(patient, len(rows)))

    def _finish(self, spec: TableSpec, parsed: ParsedTable) -> Table:
        """A table other than patients: checked, rows set aside, one row for each event, sorted by person and day."""
        columns, report, given = parsed.columns, self.report.tables[spec.name], self.given[spec.name]
        findings = [keep_row(spec, columns, *f) for f in check(spec, columns, parsed.unread, self.today)]
        findings = without_headers(spec, parsed.header, findings)
        if spec.name == "contacts":
            findings += ahead_and_over(columns, self.today)
            mode_of_attended(columns, report)
        if spec.name == "supplies":
            findings += forms_not_recorded(columns)
        if spec.name == "conditions":
            findings += uncertain_codes(columns)
        if spec.name == "results":
            units = columns["unit"]
            findings += list(to_canonical_units(columns))
            name_unknown_tests_and_units(given, units, findings, report)
        name_unknown_words(spec, given, findings, report)
        if not spec.per_patient:
            kept = self._set_aside(spec, findings)
            kept = kept[np.argsort(columns[spec.names[0]].take(pa.array(kept)).to_numpy(zero_copy_only=False))]
            nobody = np.zeros(0, dtype=np.int32)
            return Table(spec, {n: take(v, kept) for n, v in columns.items()}, nobody, offsets_of(nobody, 0))
        ids = columns["patient_id"]
        if parsed.one_id is not None and parsed.one_id == self.only:
            patient = np.zeros(len(ids), np.int32)
        else:
            found = pc.index_in(ids, self.ids)
            place = found.fill_null(-1) if found.null_count else found
            patient = place.to_numpy(zero_copy_only=False).astype(np.int32)
            if found.null_count > ids.null_count:
                stranger = (patient < 0) & ~np.asarray(ids.is_null().to_numpy(zero_copy_only=False), dtype=bool)
                findings += strangers(ids, self.ids, stranger if parsed.header is None else stranger & ~parsed.header)
        failing = [finding[1] for finding in findings if drops_row(finding)]
        good = ~np.logical_or.reduce(failing) if failing else np.ones(len(ids), dtype=bool)
        others = _NOT_READ[spec.name](columns) if spec.name in _NOT_READ else []
        self._keep_unread(spec, columns, patient, [*findings, *others])
        apart = beside_a_reversal(columns) if spec.name == "supplies" else None
        kept = self._set_aside(spec, [*findings, *sent_again(spec, columns, patient, good, apart)])
        typed = {name: values for name, values in columns.items() if name != "patient_id"}
        if len(kept) < len(ids):
            typed, patient = {name: take(values, kept) for name, values in typed.items()}, patient[kept]
        report.delays_applied = second_clock(spec, typed, self.delays.get(spec.name, 0))
        if spec.name == "supplies":
            typed, patient, unmatched = settled_supplies(typed, patient, report)
            self.unread += unmatched
        if spec.name == "results":
            typed, patient = with_second_numbers(typed, patient)
        if spec.name not in VERSIONED:
            return in_one_order(spec, typed, patient, len(self.ids), stored=self.stored)
        return self._one_row_each(spec, typed, patient)

    def _one_row_each(self, spec: TableSpec, typed: dict[str, Any], patient: npt.NDArray[np.int32]) -> Table:
        """One row for each contact, stay or referral; earlier versions of corrected rows are kept beside the table."""
        one = settled(spec, typed, patient, len(self.ids), stored=self.stored)
        report = self.report.tables[spec.name]
        report.replaced, report.merged = one.replaced, one.merged
        report.kept -= one.replaced + one.merged
        if one.versions is not None:
            self.versions[spec.name] = one.versions
        if spec.name == "stays":
            self.every_stay = typed, patient
        return one.table

    def _set_aside(self, spec: TableSpec, findings: list[Finding]) -> npt.NDArray[np.int64]:
        return self.quarantine.set_aside(spec, self.given[spec.name], findings, self.report)

    def _keep_unread(
        self, spec: TableSpec, columns: dict[str, Any], patient: npt.NDArray[np.int32], findings: list[Finding]
    ) -> None:
        if not findings:
            return
        delay = self.delays.get(spec.name, 0)
        self.unread += unread_values(spec, self.given[spec.name], columns, patient, findings, delay)

    def _notes(self, tables: dict[str, Table]) -> None:
        teams = set(tables["teams"].columns["team_id"].to_pylist())
        strange = set(tables["referrals"].columns["team_id"].to_pylist()) - teams
        if strange:
            self.report.tables["referrals"].note(
                f"{len(strange)} team ids are not in the teams table; their kind is unknown, so no caseload holds them"
            )
        kinds = set(tables["circumstances"].columns["kind"].to_pylist()) - set(CIRCUMSTANCE_KINDS)
        if kinds:
            self.report.tables["circumstances"].note(
                f"kinds kept but not read by any feature: {', '.join(sorted(kinds))}"
            )


def _refuse(problems: list[RecordsProblem]) -> None:
    if problems:
        raise RecordsError(problems)
