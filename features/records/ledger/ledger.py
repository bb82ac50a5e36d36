"""``Ledger``: every version of every record that an export brought, by the day of the export.

A folder with one Parquet file per export (only new, changed or deleted records), and a head: the latest digest of
each key. An export is compared only with the head, so the cost of a lookup does not grow with the number of exports.
Written files never change: the state before any day is read from the files of earlier days.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.records.days import NO_DAY, date_of, day_of
from features.records.ledger.chains import Days, Hashes, latest, seen_since
from features.records.problems import RecordsError, RecordsProblem

VERSION = 1
_HEAD = ("key", "check", "base", "late", "live")


@dataclass(frozen=True)
class Versions:
    """The content of one export, one entry per record. ``names`` are unique. ``base`` and ``late`` are hashes of
    the content: of the part that dates the row, and of the part that becomes known later (an outcome, an end).
    """

    names: Sequence[str]
    payloads: Sequence[bytes]
    base: Hashes
    late: Hashes


@dataclass(frozen=True)
class Appended:
    """The changes of one export."""

    new: int
    changed: int
    unchanged: int
    deleted: int
    not_sent: int = 0
    """Records of the ledger that the export does not name. The export may hold only changes, so they are kept."""

    def as_dict(self) -> dict[str, int]:
        return {"new": self.new, "changed": self.changed, "unchanged": self.unchanged, "deleted": self.deleted} | {
            "not_sent": self.not_sent
        }


@dataclass(frozen=True)
class State:
    """The records that were current before a day, sorted by name. ``base_seen`` and ``late_seen``: the day from which
    each part has its content; NO_DAY if the first export held it.
    """

    names: list[str]
    payloads: list[bytes]
    base_seen: Days
    late_seen: Days
    last_export: int


class Ledger:
    """The ledger in ``folder``; created if it does not exist."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "ledger.json"
        if self.folder.exists() and not path.exists() and any(self.folder.iterdir()):
            raise FileExistsError(f"{self.folder} holds other files; choose an empty folder for the ledger")
        self.about: dict[str, Any] = {"version": VERSION, "exports": []}
        if path.exists():
            self.about = json.loads(path.read_text(encoding="utf-8"))
        if self.about.get("version") != VERSION:
            raise RecordsError(
                [
                    _problem(
                        f"version {self.about.get('version')}", f"version {VERSION}", "use the program that wrote it"
                    )
                ]
            )

    @property
    def exports(self) -> list[dict[str, Any]]:
        return list(self.about["exports"])

    @property
    def last_export(self) -> int:
        """The day of the latest export, NO_DAY without one."""
        return day_of(self.exports[-1]["day"]) if self.exports else NO_DAY

    def append(self, day: int, versions: Versions, deleted: Sequence[str] = (), moment: str | None = None) -> Appended:
        """Adds the export of ``day``: new and changed records, and those that are gone. ``moment`` is its time in UTC,
        which orders exports of one day. Raises RecordsError for an export that is older than the latest one."""
        last = self.last_export
        before = str(self.exports[-1].get("moment") or "") if self.exports else ""
        if day == last and moment and moment < before:
            raise RecordsError(
                [
                    _problem(
                        f"an export of {moment} after one of {before}",
                        "exports in the order in which they were made",
                        "add both to a new ledger, in the order of their times",
                    )
                ]
            )
        if last not in (NO_DAY, day) and day < last:
            raise RecordsError(
                [
                    _problem(
                        f"an export of {date_of(day)} after one of {date_of(last)}",
                        "exports in the order in which they were made",
                        "add the missing export to a new ledger, with those after it",
                    )
                ]
            )
        key, check = _hashes(versions.names)
        head = self._head()
        place = _find(head, key, check)
        known = place >= 0
        at = np.maximum(place, 0)
        live = known & _taken(head["live"], at, False)
        same = live & (_taken(head["base"], at, 0) == versions.base) & (_taken(head["late"], at, 0) == versions.late)
        write = np.flatnonzero(~same)
        gone_key, gone_check = _hashes(deleted)
        gone_at = _find(head, gone_key, gone_check)
        gone = np.flatnonzero((gone_at >= 0) & _taken(head["live"], np.maximum(gone_at, 0), False))
        names = [versions.names[i] for i in write.tolist()] + [deleted[i] for i in gone.tolist()]
        segment = pa.table(
            {
                "name": pa.array(names, pa.string()),
                "payload": pa.array(
                    [versions.payloads[i] for i in write.tolist()] + [None] * len(gone), pa.large_binary()
                ),
                "base": np.concatenate([versions.base[write], np.zeros(len(gone), np.uint64)]),
                "late": np.concatenate([versions.late[write], np.zeros(len(gone), np.uint64)]),
            }
        )
        unsent = int(head["live"].sum()) - int(live.sum()) - len(gone)
        counts = Appended(int((~live).sum()), int((live & ~same).sum()), int(same.sum()), len(gone), unsent)
        self._write(day, moment, segment, counts, _moved(head, place, key, check, versions, gone_at[gone]))
        return counts

    def state(self, before: dt.date | int | None = None) -> State:
        """The records as they were before ``before`` (after all exports if it is None)."""
        limit = NO_DAY if before is None else before if isinstance(before, int) else day_of(before)
        exports = [e for e in self.exports if before is None or day_of(e["day"]) < limit]
        if not exports:
            first = self.exports[0]["day"] if self.exports else None
            raise RecordsError(
                [
                    _problem(
                        f"no export before {date_of(limit)}" if before is not None else "no export",
                        f"a day after {first}" if first else "an export",
                        "choose a later day",
                    )
                ]
            )
        tables = [pq.read_table(self.folder / e["file"]) for e in exports]
        days = np.repeat([day_of(e["day"]) for e in exports], [len(t) for t in tables]).astype(np.int32)
        first_export = np.repeat(np.arange(len(tables)) == 0, [len(t) for t in tables])
        whole = pa.concat_tables(tables).combine_chunks()
        names = whole["name"].combine_chunks()
        order = np.asarray(
            pa.compute.sort_indices(pa.table({"name": names, "n": np.arange(len(names))}),
                                    sort_keys=[("name", "ascending"), ("n", "ascending")]).to_numpy()
        )  # fmt: skip
        code = names.dictionary_encode().indices.to_numpy()[order]
        alive = np.asarray(whole["payload"].combine_chunks().is_valid().to_numpy(zero_copy_only=False))[order]
        seen = np.where(first_export, NO_DAY, days).astype(np.int32)[order]
        last = latest(code)
        kept = last & alive
        base = seen_since(code, whole["base"].to_numpy()[order], alive, seen)[kept]
        late = seen_since(code, whole["late"].to_numpy()[order], alive, seen)[kept]
        rows = pa.array(order[kept])
        return State(
            names.take(rows).to_pylist(),
            whole["payload"].combine_chunks().take(rows).to_pylist(),
            base,
            late,
            day_of(exports[-1]["day"]),
        )

    def _head(self) -> dict[str, npt.NDArray[Any]]:
        """The latest digest of each key, sorted by key."""
        if not self.exports:
            return {n: np.zeros(0, np.bool_ if n == "live" else np.uint64) for n in _HEAD}
        table = pq.read_table(self.folder / self.about["head"], memory_map=True)
        return {name: np.asarray(table[name].to_numpy()) for name in _HEAD}

    def _write(
        self, day: int, moment: str | None, segment: pa.Table, counts: Appended, head: dict[str, npt.NDArray[Any]]
    ) -> None:
        """Writes both files first, then the list that names them, so that an export is never half in the ledger."""
        number = len(self.exports) + 1
        self.folder.mkdir(parents=True, exist_ok=True)
        file, head_file = f"{number:05d}-{date_of(day)}.parquet", f"head-{number:05d}.parquet"
        pq.write_table(segment, self.folder / file, compression="zstd")
        pq.write_table(pa.table(head), self.folder / head_file, compression="zstd")
        entry = {"day": str(date_of(day)), "file": file, **({"moment": moment} if moment else {}), **counts.as_dict()}
        about = {**self.about, "head": head_file, "exports": [*self.exports, entry]}
        beside = self.folder / ".ledger.json"
        with beside.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(about, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(self.folder / "ledger.json")
        old = self.about.get("head")
        self.about = about
        if old:
            (self.folder / old).unlink(missing_ok=True)


def _hashes(names: Sequence[str]) -> tuple[Hashes, Hashes]:
    """Two 64-bit hashes of each name: one to find it, one to confirm it."""
    import hashlib

    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names)
    pairs = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def _find(head: dict[str, npt.NDArray[Any]], key: Hashes, check: Hashes) -> npt.NDArray[np.int64]:
    """Position of each key in the head; -1 if it is not there."""
    if not len(head["key"]):
        return np.full(len(key), -1, np.int64)
    place = np.minimum(np.searchsorted(head["key"], key), len(head["key"]) - 1)
    hit = head["key"][place] == key
    if (hit & (head["check"][place] != check)).any():
        raise RecordsError([_problem("two names with one hash", "different hashes", "report this to the maintainers")])
    return np.where(hit, place, -1)


def _taken(values: npt.NDArray[Any], at: npt.NDArray[np.int64], nothing: Any) -> npt.NDArray[Any]:
    return values[at] if len(values) else np.full(len(at), nothing, values.dtype)


def _moved(
    head: dict[str, npt.NDArray[Any]],
    place: npt.NDArray[np.int64],
    key: Hashes,
    check: Hashes,
    versions: Versions,
    gone: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[Any]]:
    """The head after an export: known keys updated, new ones inserted."""
    base, late, live = head["base"].copy(), head["late"].copy(), head["live"].copy()
    known = place >= 0
    base[place[known]], late[place[known]], live[place[known]] = versions.base[known], versions.late[known], True
    live[gone] = False
    fresh = ~known
    out = {
        "key": np.concatenate([head["key"], key[fresh]]),
        "check": np.concatenate([head["check"], check[fresh]]),
        "base": np.concatenate([base, versions.base[fresh]]),
        "late": np.concatenate([late, versions.late[fresh]]),
        "live": np.concatenate([live, np.ones(int(fresh.sum()), np.bool_)]),
    }
    order = np.argsort(out["key"], kind="stable")
    return {name: values[order] for name, values in out.items()}


def _problem(what: str, expected: str, do: str) -> RecordsProblem:
    return RecordsProblem("ledger", what, expected, do)
