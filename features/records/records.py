"""``Records``: the tables of many people, with the day on which each row became known."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.coded_words import coded_words
from features.records.days import day_of
from features.records.loading.kept_columns import Loaded, keep, key_of, opened
from features.records.loading.loading import Loading
from features.records.loading.quarantine import Quarantine
from features.records.memory import give_back
from features.records.problems import LoadReport, RecordsError, RecordsProblem, SetAside
from features.records.reading.column_table import Frame
from features.records.reading.files import (
    joined_quarantine,
    read_folder,
    read_quarantine,
    read_unread,
    versions_file,
    write_folder,
)
from features.records.reading.nhs_numbers import NhsKey, pseudonymised
from features.records.same_event.versions import VERSIONED, RowVersions, tables_as_known
from features.records.table import Table, offsets_of, words_of
from features.records.tables import TABLES
from features.records.unread import Unread, UnreadValue, from_table, to_table

T = TypeVar("T")
KEPT_PEOPLE = 2_500
FEW_PEOPLE = 500
"""A request's people are found faster in a dictionary than through arrays."""


class Records:
    """Typed columnar tables over a set of people, sorted by patient and event day. Immutable; made by the class
    methods.

    ``records[name]`` is a table as a pandas DataFrame. ``patient_ids`` is sorted. ``about`` says where the records
    come from and whether they are synthetic. ``report`` and ``quarantine`` say what was read, and which rows were set
    aside and why; ``set_aside`` is the same without the rows themselves. ``unread`` holds, for each person, what was
    recorded and not understood. ``versions`` holds what rows said before they were corrected: to read as of a day,
    use :meth:`as_known`.
    """

    def __init__(
        self,
        patient_ids: npt.NDArray[np.object_],
        tables: Mapping[str, Table],
        about: Mapping[str, Any] | None = None,
        report: LoadReport | None = None,
        quarantine: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
        set_aside: Sequence[SetAside] = (),
        unread: Unread | None = None,
        versions: Mapping[str, RowVersions] | None = None,
    ) -> None:
        self.patient_ids = patient_ids
        self.tables = dict(tables)
        self.about = {"synthetic": False, **(about or {})}
        self.report = report or LoadReport()
        self._quarantine = quarantine
        self.set_aside = tuple(set_aside)
        self.unread = unread if unread is not None else Unread.none()
        self.versions = dict(versions or {})
        self._kept: dict[Any, Any] = {}
        self._keeps = len(patient_ids) <= KEPT_PEOPLE

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """Rows set aside: table, row, column, reason and the row as given. Built on first use, because a request
        seldom has any.
        """
        if callable(self._quarantine):
            return self._quarantine()
        return pd.DataFrame() if self._quarantine is None else self._quarantine

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of ``make``, cached as long as these records live if they are few (a request, a shard) or a part
        that lives as long as one build (:meth:`between`); for many others it would take too much memory.

        ``key`` names everything that ``make`` depends on besides the records. A cached result must not be changed.
        """
        if not self._keeps:
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    @classmethod
    def from_frames(
        cls,
        frames: Mapping[str, Frame],
        *,
        about: Mapping[str, Any] | None = None,
        today: dt.date | None = None,
        usual_delays: Mapping[str, int] | None = None,
    ) -> Records:
        """Records from pandas tables, or tables read by column, named as in ``features/records/tables.py``. A table not
        given is empty, and the report says so.

        ``usual_delays`` ({table: days}) replaces the declared delay where ``known_on`` is missing. Rows that fail a
        check are set aside in ``quarantine``. Raises RecordsError, with every problem, for a missing ``patients``
        table, missing required columns and unknown tables.
        """
        return cls._load(frames, about, today, usual_delays)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Mapping[str, Sequence[Any]]],
        *,
        about: Mapping[str, Any] | None = None,
        today: dt.date | None = None,
    ) -> Records:
        """The same from plain lists ({table: {column: values}}), without pandas: the way a request comes in."""
        return cls._load(columns, about, today, None)

    @classmethod
    def _load(cls, given: Mapping[str, Any], about: Any, today: dt.date | None, usual_delays: Any) -> Records:
        loading = Loading(given, today, usual_delays, stored="data_hash" in (about or {}))
        people, tables = loading.run()
        unread = Unread.of(loading.unread)
        records = cls(
            people,
            tables,
            about,
            loading.report,
            loading.quarantine.frame,
            loading.quarantine.rows,
            unread,
            loading.versions,
        )
        records._ids = loading.ids
        return records

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        today: dt.date | None = None,
        usual_delays: Mapping[str, int] | None = None,
        nhs_key: NhsKey | None = None,
        keep_columns: bool = True,
    ) -> Records:
        """Records from a folder with one CSV or Parquet file a table, and an ``about.json`` where there is one.

        Every table of ``features/records/tables.py`` must be there: a lost feed would look like care that stopped.
        An empty file with its header says that there are no rows. NHS numbers as ids are turned into pseudonyms
        with ``nhs_key`` before anything else reads them, and refused without one.

        A store that ``upstream ingest`` wrote is read and checked once: its columns are kept beside it and mapped the
        next time (:mod:`features.records.loading.kept_columns`). ``keep_columns=False`` writes none.
        """
        folder, on = Path(folder), day_of(today or dt.date.today())
        as_usual = nhs_key is None and usual_delays is None
        if as_usual and (known := opened(folder, on)) is not None:
            return cls._of(folder, known)
        key = key_of(folder)
        files, about = read_folder(folder)
        absent = [name for name in TABLES if name not in files]
        if absent:
            raise RecordsError(
                [
                    RecordsProblem(
                        name,
                        f"no {name}.csv or {name}.parquet in the folder",
                        f"columns {', '.join(TABLES[name].names)}",
                        "add the file; a file with only its header says that there are no rows",
                    )
                    for name in absent
                ]
            )
        given: Mapping[str, Any] = files
        if nhs_key is not None:
            given, wrong = pseudonymised({name: table.frame() for name, table in files.items()}, nhs_key)
            about = {**about, "nhs_key_id": nhs_key.key_id, "rows_with_a_wrong_nhs_number": wrong}
        records = cls._load(given, about, today, usual_delays or about.get("usual_delays"))
        nothing_aside = not records.set_aside
        records._remember(folder)
        del files, given
        if as_usual and keep_columns and nothing_aside:
            parts = records.patient_ids, records.tables, records.about, records.report, records.unread
            keep(folder, Loaded(*parts, records.versions), on, key)
        give_back()
        return records

    @classmethod
    def _of(cls, folder: Path, known: Loaded) -> Records:
        """Records of a store whose columns were kept."""
        parts = known.patient_ids, known.tables, known.about, known.report
        records = cls(*parts, Quarantine().frame, unread=known.unread, versions=known.versions)
        records._remember_quarantine(folder)
        give_back()  # the compiler's code, which opening the kernels read
        return records

    def save(self, folder: str | Path, format: Literal["parquet", "csv"] = "parquet") -> Path:
        """Writes one file a table, ``about.json``, ``report.json`` and, where rows were set aside,
        ``quarantine.csv``."""
        tables = ((name, self.tables[name].slices(self.patient_ids)) for name in TABLES)
        versions = ((versions_file(name), one.table.slices(self.patient_ids)) for name, one in self.versions.items())
        frames = itertools.chain(tables, versions)
        about = {**self.about, "data_hash": self.data_hash}
        unread = to_table(self.unread, self.patient_ids)
        return write_folder(Path(folder), frames, about, self.report.as_dict(), self.quarantine, unread, format)

    def as_known(self, day: int, tables: Iterable[str] = VERSIONED) -> Records:
        """The records with the rows of ``tables`` that were corrected later as they were known at 00:00 of ``day`` (a
        day number): for readers of that day alone. Returns these records if nothing differs on that day."""
        if not self.versions:
            return self
        return self.once(("as known", day, tuple(tables)), lambda: self._as_known(day, tables))

    def _as_known(self, day: int, tables: Iterable[str]) -> Records:
        found = tables_as_known(self.tables, self.versions, day, tables)
        if not found:
            return self
        then = {**self.tables, **found}
        return Records(
            self.patient_ids, then, self.about, self.report, self._quarantine, self.set_aside, unread=self.unread
        )

    def read_otherwise(self, person: npt.NDArray[np.int64], day: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """The (place of a person, day number) pairs for which an earlier version of a row must be read."""
        found = np.zeros(len(person), bool)
        for one in self.versions.values():
            found |= one.read_on(person, day)
        return found

    def with_versions(self, name: str) -> pd.DataFrame:
        """A table with every version of its rows, as it would have to be given again."""
        one = self.versions.get(name)
        if one is None:
            return self[name]
        table = self.tables[name]
        others = np.flatnonzero(~np.isin(table.patient, one.table.patient))
        return pd.concat(
            [
                table.take(others, table.patient[others], len(self)).to_pandas(self.patient_ids),
                one.table.to_pandas(self.patient_ids),
            ],
            ignore_index=True,
        )

    def _remember(self, folder: Path) -> None:
        """Keeps what was set aside and not understood when this store was written, for the next run."""
        stored = read_unread(folder)
        if stored is not None and stored.num_rows:
            places = {patient: place for place, patient in enumerate(self.patient_ids.tolist())}
            self.unread = self.unread.merged(from_table(stored, places))
        self._remember_quarantine(folder)

    def _remember_quarantine(self, folder: Path) -> None:
        earlier, now = folder / "quarantine.csv", self._quarantine
        if (folder / "about.json").exists() and earlier.exists():
            frame = read_quarantine(earlier)
            self._quarantine = lambda: joined_quarantine(frame, now() if callable(now) else now)

    def remember(self, *stores: Records) -> None:
        """Takes over what the stores that these records were put together from set aside and did not understand."""
        for store in stores:
            place = self.positions(store.patient_ids).tolist()
            rows = [(place[who], on, known, words) for who, on, known, words in store.unread.rows() if place[who] >= 0]
            self.unread = self.unread.merged(Unread.of(rows))
            earlier, now = store.quarantine, self.quarantine
            if len(earlier):
                self._quarantine = joined_quarantine(earlier, now)
                del self.quarantine  # made again of both when it is asked for

    def unread_of(self, patient_id: str, as_of: dt.date | None = None) -> list[UnreadValue]:
        """What is recorded of a person and was not understood; with ``as_of`` only what was known before that day."""
        (place,) = self.positions([patient_id])
        return [] if place < 0 else self.unread.of_person(int(place), None if as_of is None else day_of(as_of))

    @property
    def rows_set_aside(self) -> int:
        """How many rows of the extract were set aside, wholly or in one of their values, now or when the store was
        written."""
        aside = self.quarantine
        return 0 if not len(aside) else len(aside[["table", "row"]].drop_duplicates())

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name].to_pandas(self.patient_ids)

    def __len__(self) -> int:
        return len(self.patient_ids)

    def columns(self, name: str) -> Mapping[str, Any]:
        """Typed arrays of a table (:mod:`features.records.reading.parsing`), in the order of its rows."""
        return self.tables[name].columns

    def offsets(self, name: str) -> npt.NDArray[np.int64]:
        """Shape (people + 1): rows of person ``i`` are ``offsets[i]:offsets[i + 1]``."""
        return self.tables[name].offsets

    def words(self, name: str, column: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """A column of ids or text as places in a list of its words; -1 where nothing is recorded."""
        return self.once(("words", name, column), lambda: words_of(self.tables[name].columns[column]))

    def coded(self, name: str, column: str) -> tuple[npt.NDArray[np.int64], list[str | None]]:
        """The same for readers of nulls: (code of each row, words by code); code -1 reads the last word, None."""
        return self.once(("coded", name, column), lambda: coded_words(self.tables[name].columns[column]))

    @property
    def synthetic(self) -> bool:
        return bool(self.about.get("synthetic"))

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 of the content: the same records give the same hash, however they were stored."""
        digest = hashlib.sha256()
        digest.update(json.dumps(self.patient_ids.tolist()).encode())
        for name in TABLES:
            self.tables[name].update_hash(digest)
        for name, one in sorted(self.versions.items()):
            digest.update(name.encode())
            one.table.update_hash(digest)
        if len(self.unread):
            digest.update(json.dumps(self.unread.rows()).encode())
        return digest.hexdigest()

    def positions(self, patient_ids: Iterable[str] | pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Position of each id in ``patient_ids``; -1 for an id that is not there."""
        wanted: Any = patient_ids
        if not isinstance(wanted, (pa.Array, pa.ChunkedArray)):
            if len(self) <= FEW_PEOPLE:
                known = self.once("place", lambda: {id_: i for i, id_ in enumerate(self.patient_ids.tolist())})
                return np.array([known.get(id_, -1) for id_ in wanted], dtype=np.int64)
            wanted = pa.array(list(wanted), pa.string())
        if not len(wanted):
            return np.zeros(0, dtype=np.int64)
        # A spine names a person on many dates in a row: each run of one id is looked up once.
        runs = pc.run_end_encode(wanted.combine_chunks() if isinstance(wanted, pa.ChunkedArray) else wanted)
        heads, ends = runs.values, np.asarray(runs.run_ends)
        ids = self._ids.cast(heads.type)
        if heads.equals(ids):
            place = np.arange(len(heads))  # everybody, in order: nothing to look up
        else:
            found = pc.fill_null(pc.index_in(heads, value_set=ids), -1)
            place = np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)
        return place if len(place) == len(wanted) else np.repeat(place, np.diff(ends, prepend=0))

    @cached_property
    def _ids(self) -> pa.Array:
        return pa.array(self.patient_ids, pa.string())

    def select(self, patient_ids: Iterable[str]) -> Records:
        """The records of some people only (a shard). All teams are kept."""
        places = np.unique(self.positions(patient_ids))
        return self.at(places[places >= 0])

    def at(self, places: npt.NDArray[np.int64]) -> Records:
        """The records of the people at ascending ``places``."""
        tables = {}
        for name, table in self.tables.items():
            if not table.spec.per_patient:
                tables[name] = table
                continue
            starts, ends = table.offsets[places], table.offsets[places + 1]
            counts = ends - starts
            patient = np.repeat(np.arange(len(places), dtype=np.int32), counts)
            begins = np.cumsum(counts) - counts
            rows = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(starts - begins, counts)
            tables[name] = table.take(rows, patient, len(places))
        versions = {name: found for name, one in self.versions.items() if (found := one.at(places)) is not None}
        unread = self.unread.at(places)
        return Records(self.patient_ids[places], tables, self.about, self.report, unread=unread, versions=versions)

    def between(self, first: int, last: int) -> Records:
        """The records of the people at ``first`` up to ``last``, as views of these, for as long as one build: they keep
        all that is worked out once (:meth:`once`)."""
        tables = {n: t.between(first, last) if t.spec.per_patient else t for n, t in self.tables.items()}
        unread, places = self.unread.between(first, last), np.arange(first, last)
        versions = {name: found for name, one in self.versions.items() if (found := one.at(places)) is not None}
        part = Records(self.patient_ids[first:last], tables, self.about, self.report, unread=unread, versions=versions)
        part._keeps = True
        return part

    def __repr__(self) -> str:
        """The number of people and of rows of each table, and whether they are synthetic. Holds no patient's value."""
        rows = ", ".join(f"{len(t):,} {name}" for name, t in self.tables.items() if name != "patients" and len(t))
        return f"Records{' (synthetic)' if self.about['synthetic'] else ''}: {len(self):,} people; {rows or 'no rows'}"

    def last_day_known(self) -> int:
        """The latest event day of what has happened (bookings ahead left out), as a day number; the horizon of the
        extract."""
        latest = -(2**30)
        for name, table in self.tables.items():
            if not table.spec.per_patient or not table.spec.event_day or not len(table):
                continue
            days = table.columns[table.spec.event_day]
            if name == "contacts":
                days = days[table.columns["outcome"] != table.spec.column("outcome").values.index("planned")]
            if len(days):
                latest = max(latest, int(days.max()))
        return latest


__all__ = ["Records", "offsets_of"]
