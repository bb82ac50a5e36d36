"""The proof: for random people on random dates, delete the future, then replace it with another, and compare
everything.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from features.catalogue import CATALOGUE
from features.engine.build import Values, build_values
from features.errors import UpstreamError
from features.gaps import CODES, Gap, gaps_of
from features.leakage.future import EVENT_TABLES, Variant, deleted
from features.leakage.garbling import garbled
from features.leakage.statement import Difference, Statement, version
from features.records import Records
from features.records.days import NO_DAY, date_of

Int = npt.NDArray[np.int64]
Told = list[dict[str, list[tuple[object, ...]]]]
"""The gaps of each person by code, with evidence rows numbered as in the original records."""

PEOPLE_AT_ONCE = 1000
WAYS = ("deleted", "garbled")
ORDER = "order of the gaps"


class NothingToProve(UpstreamError, ValueError):
    """No rows were asked for, or the records hold no people or no events."""


def prove(
    records: Records,
    rows: int,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
    *,
    threads: int | None = None,
) -> Statement:
    """Checks ``rows`` random (person, date) pairs, all different, dates spread evenly over the extract.

    One check deletes, and separately garbles, everything of the person with an event day or ``known_on`` at or after
    the date, late parts of rows included, and compares every feature and every gap. ``progress`` receives the number
    of checks done and in total. Fewer checks are made if the extract holds fewer pairs. Raises
    NothingToProve for no rows or no people.
    """
    if rows < 1 or not len(records):
        raise NothingToProve("nothing to check: ask for at least one row, of records that hold at least one person")
    batches = list(_drawn(records, rows, seed))
    total, done = sum(len(people) for _, people, _ in batches), 0
    found = ProofCounts()
    workers = max(1, threads or os.cpu_count() or 1)

    def run(batch: tuple[int, Int, np.random.Generator]) -> ProofCounts:
        return check(records, *batch)

    with ThreadPoolExecutor(workers) as pool:
        for one, (_, people, _) in zip(pool.map(run, batches), batches, strict=True):
            found.add(one)
            done += len(people)
            progress(done, total)
    days = [day for day, _, _ in batches]
    return Statement(
        checks=total,
        people=len(np.unique(np.concatenate([people for _, people, _ in batches]))),
        dates=len(days),
        first_date=str(date_of(min(days))),
        last_date=str(date_of(max(days))),
        seed=seed,
        features=len(CATALOGUE),
        gap_codes=len(CODES),
        gaps_compared=found.gaps,
        rows_deleted=found.rows["deleted"],
        rows_garbled=found.rows["garbled"],
        late_parts_deleted=found.parts["deleted"],
        late_parts_garbled=found.parts["garbled"],
        differences=tuple(sorted(found.differences.values(), key=lambda d: (-d.checks, d.name, d.way))),
        catalogue_hash=catalogue_hash(),
        data_hash=records.data_hash,
        synthetic=records.synthetic,
        version=version(),
    )


@dataclass
class ProofCounts:
    """Results of some checks: gaps compared, rows and parts changed (by way, then table), differences by (name,
    way).
    """

    gaps: int = 0
    rows: dict[str, dict[str, int]] = field(default_factory=lambda: {way: {} for way in WAYS})
    parts: dict[str, dict[str, int]] = field(default_factory=lambda: {way: {} for way in WAYS})
    differences: dict[tuple[str, str], Difference] = field(default_factory=dict)

    def add(self, other: ProofCounts) -> None:
        self.gaps += other.gaps
        for way in WAYS:
            _sum(self.rows[way], other.rows[way])
            _sum(self.parts[way], other.parts[way])
        for difference in other.differences.values():
            self.differs(difference)

    def differs(self, one: Difference) -> None:
        before = self.differences.get((one.name, one.way))
        self.differences[one.name, one.way] = before.plus(one.checks) if before else one


def _sum(into: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


def check(records: Records, as_of: int, people: Int, random: np.random.Generator) -> ProofCounts:
    """All features and gaps of the people (ascending ``people``) on one day: with their future, without it, and with
    another.
    """
    ours = records.at(people)
    values, told = _all(ours, as_of, None)
    found = ProofCounts(gaps=sum(len(rows) for person in told for rows in person.values()))
    for way in WAYS:
        other = deleted(ours, as_of) if way == "deleted" else garbled(ours, as_of, random)
        _sum(found.rows[way], other.rows)
        _sum(found.parts[way], other.parts)
        values_now, told_now = _all(other.records, as_of, other)
        for difference in _compare(values, values_now, told, told_now, way, as_of):
            found.differs(difference)
    return found


def _all(records: Records, as_of: int, variant: Variant | None) -> tuple[Values, Told]:
    places = np.arange(len(records), dtype=np.int64)
    days = np.full(len(places), as_of, np.int32)
    values = build_values(records, places, days, tuple(CATALOGUE), threads=1)
    origin = {name: rows.tolist() for name, rows in variant.origin.items()} if variant else {}
    corrected = [name for name, one in records.versions.items() if one.read_on(places, days).any()]
    origin |= {name: () for name in corrected}
    return values, [_by_code(gaps, origin) for gaps in gaps_of(records, places, as_of)]


def _by_code(gaps: list[Gap], origin: Mapping[str, Sequence[int]]) -> dict[str, list[tuple[object, ...]]]:
    told: dict[str, list[tuple[object, ...]]] = {}
    for gap in gaps:
        rows = tuple((row.table, _origin(origin.get(row.table), row.row), row.on, row.what) for row in gap.evidence)
        said = (
            gap.severity,
            gap.value,
            gap.action,
            gap.title,
            gap.safety,
            gap.source,
            gap.verified,
            gap.due,
            gap.overdue,
            rows,
        )
        told.setdefault(gap.code.code, []).append(said)
    return told


def _origin(rows: Sequence[int] | None, row: int) -> int | None:
    """The row that a row was at first. None in a table of which earlier versions are read, because its rows are put
    together anew for the day; and None for a row that should not be there, which then differs from any other."""
    return row if rows is None else rows[row] if row < len(rows) else None


def _compare(before: Values, after: Values, told: Told, told_now: Told, way: str, as_of: int) -> Iterator[Difference]:
    """One Difference for each feature and each gap code that is not the same for everyone."""
    date = str(date_of(as_of))
    if not np.array_equal(before, after, equal_nan=True):
        unequal = ((before != after) & ~(np.isnan(before) & np.isnan(after))).sum(axis=0)
        for column in np.flatnonzero(unequal).tolist():
            feature = CATALOGUE[column]
            yield Difference(feature.name, "feature", way, int(unequal[column]), date, feature.table)
    for person, now in zip(told, told_now, strict=True):
        if person == now and list(person) == list(now):
            continue
        codes = [code for code in {**person, **now} if person.get(code) != now.get(code)]
        for code in codes or [ORDER]:
            yield Difference(code, "gap", way, 1, date, _tables(person.get(code, []), now.get(code, [])))


def _tables(*sides: list[tuple[object, ...]]) -> str:
    """Tables of the evidence on either side."""
    rows = [rows for side in sides for *_, rows in side if isinstance(rows, tuple)]
    return ", ".join(sorted({str(row[0]) for evidence in rows for row in evidence}))


def _drawn(records: Records, rows: int, seed: int) -> Iterator[tuple[int, Int, np.random.Generator]]:
    """(day, people, random numbers) of each batch. Days are drawn one from each equal part of the extract, people
    without repetition.
    """
    first, last = span(records)
    days, people = last - first + 1, len(records)
    size = min(people, max(PEOPLE_AT_ONCE, -(-rows // days)))
    batches = min(days, -(-rows // size))
    draw = np.random.default_rng(seed)
    edges = first + (np.arange(batches + 1) * days) // batches
    for number, child in enumerate(draw.spawn(batches)):
        day = int(child.integers(edges[number], edges[number + 1]))
        here = min(size, rows - number * size)
        yield day, np.sort(child.choice(people, here, replace=False)).astype(np.int64), child


def span(records: Records) -> tuple[int, int]:
    """First and last day to check: from the day by which a tenth of all events had happened to the day after the last
    known event.
    """
    days = [records.columns(name)[records.tables[name].spec.event_day or ""] for name in EVENT_TABLES]
    every = np.concatenate(days)
    every = every[every != NO_DAY]
    if not len(every):
        raise NothingToProve("nothing to check: the records hold people and no events")
    last = records.last_day_known() + 1
    return min(int(np.quantile(every, 0.1)), last), last


def catalogue_hash() -> str:
    """SHA-256 of every feature's definition and every gap code."""
    features = [asdict(feature) for feature in CATALOGUE]
    codes = [asdict(code) for code in CODES.values()]
    return hashlib.sha256(json.dumps([features, codes], sort_keys=True).encode()).hexdigest()
