"""What must not matter: the day the store was read, other people, where the calendar begins, how people are split."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features import CATALOGUE, Records, build, find_gaps
from features.engine.build import build_values
from features.gaps import gaps_of
from features.leakage.future import deleted
from features.records.days import NO_DAY, date_of, day_of
from features.records.table import Table

FEATURES = tuple(CATALOGUE)


def everyone(records: Records, as_of: int, threads: int = 2) -> np.ndarray:
    places = np.arange(len(records), dtype=np.int64)
    return build_values(records, places, np.full(len(places), as_of, np.int32), FEATURES, threads=threads)


def told(records: Records, as_of: int) -> list[list[tuple[Any, ...]]]:
    """Gaps without the positions of their rows."""
    places = np.arange(len(records), dtype=np.int64)
    return [
        [(*_plain(gap), tuple((row.table, row.on, row.what) for row in gap.evidence)) for gap in gaps]
        for gaps in gaps_of(records, places, as_of)
    ]


def _plain(gap: Any) -> tuple[Any, ...]:
    return gap.code.code, gap.severity, gap.value, gap.source, gap.verified, gap.due, gap.overdue


# --- what would the list have been that Monday
# ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("monday", ["2023-03-06", "2024-03-04"])
def test_todays_store_gives_the_list_of_that_monday(trust_300: Records, tmp_path: Path, monday: str):
    """Two stores on disk: as it stood that morning, and as it stands now, with rows that came late in between."""
    as_of = day_of(monday)
    then = deleted(trust_300, as_of)
    stands = deleted(trust_300, trust_300.last_day_known() + 400)
    assert sum(then.rows.values()) > sum(stands.rows.values()) and sum(then.parts.values()) > 0
    assert any(_came_late(trust_300, name, as_of) for name in ("contacts", "results", "supplies"))
    was = Records.load(then.records.save(tmp_path / "then"))
    now = Records.load(trust_300.save(tmp_path / "now"))
    assert len(was.tables["contacts"]) < len(now.tables["contacts"])
    spine = pd.DataFrame({"patient_id": now.patient_ids, "as_of": pd.Timestamp(monday)})
    assert build(now, spine).values.tobytes() == build(was, spine).values.tobytes()
    ours, theirs = find_gaps(now, monday), find_gaps(was, monday)
    for found in (ours, theirs):
        found["evidence"] = [[(e["table"], e["on"], e["what"]) for e in rows] for rows in found["evidence"]]
    pd.testing.assert_frame_equal(ours, theirs)


def _came_late(records: Records, name: str, as_of: int) -> bool:
    day, known = records.tables[name].spec.event_day or "", records.columns(name)["known_on"]
    return bool(((records.columns(name)[day] < as_of) & (known >= as_of)).any())


# --- laws
# ----------------------------------------------------------------------------------------------------------------------


def test_a_person_does_not_depend_on_other_people(trust_300: Records):
    as_of = trust_300.last_day_known() - 90
    kept = np.delete(np.arange(300), np.arange(0, 300, 7))
    fewer = trust_300.at(kept)
    np.testing.assert_array_equal(everyone(trust_300, as_of)[kept], everyone(fewer, as_of))
    both = told(trust_300, as_of)
    assert [both[place] for place in kept] == told(fewer, as_of)


def test_a_person_alone_is_the_person_in_a_crowd(trust_300: Records):
    as_of = trust_300.last_day_known() - 90
    values, gaps = everyone(trust_300, as_of), told(trust_300, as_of)
    for place in range(0, 300, 23):
        alone = trust_300.at(np.array([place]))
        np.testing.assert_array_equal(everyone(alone, as_of)[0], values[place])
        assert told(alone, as_of) == [gaps[place]]


def test_a_date_among_many_is_the_date_alone(trust_300: Records):
    """Walks carry what they read from date to date of a person, which lie a day or years apart."""
    days = trust_300.last_day_known() - np.array([1500, 900, 400, 370, 365, 31, 30, 8, 7, 1, 0], np.int32)
    person = np.repeat(np.arange(len(trust_300), dtype=np.int64), len(days))
    together = build_values(trust_300, person, np.tile(days, len(trust_300)).astype(np.int32), FEATURES, threads=2)
    for place, day in enumerate(days.tolist()):
        assert everyone(trust_300, day).tobytes() == together[place :: len(days)].tobytes()


def test_sharding_and_threads_do_not_change_the_features(trust_300: Records):
    as_of = trust_300.last_day_known() - 30
    whole = everyone(trust_300, as_of, threads=1)
    np.testing.assert_array_equal(whole, everyone(trust_300, as_of, threads=2))
    odd, even = (trust_300.select(trust_300.patient_ids[start::2]) for start in (1, 0))
    np.testing.assert_array_equal(whole[1::2], everyone(odd, as_of))
    np.testing.assert_array_equal(whole[0::2], everyone(even, as_of))
    gaps = told(trust_300, as_of)
    assert (gaps[1::2], gaps[0::2]) == (told(odd, as_of), told(even, as_of))


def test_preparing_people_block_by_block_changes_nothing(trust_300: Records, monkeypatch):
    """A spine of very many rows is prepared for some people at a time; here for about 40 at a time, in order and out
    of order."""
    person = np.repeat(np.arange(300), 2)
    last = trust_300.last_day_known()
    day = np.tile(np.array([last - 60, last - 20], np.int32), 300)
    whole = build_values(trust_300, person, day, tuple(CATALOGUE), threads=2)
    monkeypatch.setattr(sys.modules[build_values.__module__], "MAX_BLOCK", 80)
    np.testing.assert_array_equal(whole, build_values(trust_300, person, day, tuple(CATALOGUE), threads=2))
    mixed = np.random.default_rng(0).permutation(600)
    np.testing.assert_array_equal(
        whole[mixed], build_values(trust_300, person[mixed], day[mixed], tuple(CATALOGUE), threads=2)
    )


def shifted(records: Records, days: int) -> Records:
    """Every date of every table moved, the missing ones left missing."""
    tables = {}
    for name, table in records.tables.items():
        dates = {column.name for column in table.spec.columns if column.kind == "date"}
        columns = {
            column: np.where(values == NO_DAY, values, values + days).astype(np.int32) if column in dates else values
            for column, values in table.columns.items()
        }
        tables[name] = Table(table.spec, columns, table.patient, table.offsets)
    return Records(records.patient_ids, tables, records.about)


AFTER_EVERY_CALENDAR_RULE = 3653
"""Two specialists must agree to a course of valproate started since 2024-01-01: the one rule tied to the calendar. Ten
years on, all have."""


@pytest.mark.parametrize("days", [1, 7, 29, 365, 1461])
def test_moving_all_dates_moves_the_results_by_as_many_days(trust_300: Records, days: int):
    base = shifted(trust_300, AFTER_EVERY_CALENDAR_RULE)
    as_of = trust_300.last_day_known() - 60 + AFTER_EVERY_CALENDAR_RULE
    moved = shifted(base, days)
    np.testing.assert_array_equal(everyone(base, as_of), everyone(moved, as_of + days))
    expected = [[_moved(gap, days) for gap in gaps] for gaps in told(base, as_of)]
    assert expected == told(moved, as_of + days)


def _moved(gap: tuple[Any, ...], days: int) -> tuple[Any, ...]:
    code, severity, value, source, verified, due, overdue, rows = gap

    def later(text: str) -> str:
        return re.sub(r"(?<!checked on )\d{4}-\d\d-\d\d", lambda found: str(date_of(day_of(found[0]) + days)), text)

    value = later(value)
    rows = tuple((table, on if on == NO_DAY else on + days, later(what)) for table, on, what in rows)
    return code, severity, value, source, verified, due if due == NO_DAY else due + days, overdue, rows
