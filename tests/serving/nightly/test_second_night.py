"""A second run of one day scores only the people whose records changed: the same bytes as scoring everybody."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import serving.nightly.run as run_module
import serving.nightly.unchanged as unchanged_module
from features import Records
from serving.data_rights.repository import end_runs
from serving.nightly.run import score_store
from serving.nightly.unchanged import EarlierRunChanged
from serving.runs.repository import ABOUT_PEOPLE, thin
from serving.storage.database import Database
from serving.storage.explanations import KEPT_APART
from tests.serving import world
from tests.serving.nightly.stored_rows import stored_rows

EVERYTHING = [table.name for table in ABOUT_PEOPLE]
MORE = {
    "contacts": {"contact_id": "new", "team_id": "north", "contact_on": dt.date(2025, 12, 20), "mode": "telephone",
                 "kind": "routine", "outcome": "attended"},
    "supplies": {"medicine": "lithium", "route": "oral", "kind": "dispensed", "supplied_on": dt.date(2025, 12, 20),
                 "days_supplied": 28.0, "daily_dose_mg": 400.0},
    "results": {"test": "anc", "taken_on": dt.date(2025, 12, 20), "value": 0.4, "unit": "10*9/L"},
    "stays": {"admitted_on": dt.date(2025, 12, 1), "discharged_on": dt.date(2025, 12, 20), "method": "emergency"},
    "conditions": {"category": "allergy", "system": "snomed", "code": "91936005", "label": "Allergy to penicillin",
                   "recorded_on": dt.date(2025, 12, 20)},
}  # fmt: skip


def rewritten(store: Path, change: Callable[[dict[str, pd.DataFrame]], None]) -> None:
    """The store with its tables changed, as a later extract would bring them."""
    records = Records.load(store)
    frames = {name: records[name] for name in records.tables}
    change(frames)
    about = {key: value for key, value in records.about.items() if key != "data_hash"}
    changed = Records.from_frames(frames, about=about)
    assert all("counted once" in row.reason for row in changed.set_aside), changed.quarantine.to_string()
    changed.remember(records)
    shutil.rmtree(store)
    changed.save(store)


def with_rows(store: Path, rows: dict[str, list[str]]) -> None:
    """The store with one more row of each table for the people named."""

    def more(frames):
        for table, people in rows.items():
            new = [{**MORE[table], "patient_id": one} for one in people]
            if table == "contacts":
                new = [{**row, "contact_id": f"new {row['patient_id']}"} for row in new]
            frames[table] = pd.concat([frames[table], pd.DataFrame(new)], ignore_index=True)

    rewritten(store, more)


def rows_of(home: Path, run_id: str) -> dict[str, list[tuple]]:
    with sqlite3.connect(home / "service.db") as connection:
        return {table: stored_rows(connection, table, run_id) for table in EVERYTHING}


def run(home: Path, as_of: dt.date = world.AS_OF, **changes):
    return score_store(home / "store", home / "bundles", home, as_of, threads=1, **changes)


def both_ways(home: Path, rows: dict[str, list[str]]):
    """The run of the changed store as it is made, and with everybody scored, each on a copy of ``home``."""
    found = []
    for score_all in (False, True):
        copy = Path(shutil.copytree(home, home.with_name(f"score all {score_all}")))
        try:
            with_rows(copy / "store", rows)
            summary = run(copy, score_all=score_all)
            found.append((summary, rows_of(copy, summary.run_id)))
        finally:
            shutil.rmtree(copy)
    return found


@settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.generate,),  # an example is two runs: a smaller one is not worth minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.sampled_from(sorted(MORE)),
        st.lists(st.sampled_from(sorted(world.TEAM_OF)), unique=True, min_size=1),
        min_size=1,
    )
)
def test_the_law_of_the_second_night(home, rows):
    (copied, found), (scored, expected) = both_ways(home, rows)
    changed = {person for people in rows.values() for person in people}
    assert found == expected
    assert copied.unchanged == scored.people - len(changed)
    assert scored.unchanged == 0 and copied.gaps == scored.gaps and copied.teams == scored.teams


def test_only_the_people_whose_records_changed_are_scored(home, monkeypatch):
    with_rows(home / "store", {"results": ["N02"], "stays": ["S03"]})
    asked = set()

    def watched(model, records, as_of, people, score=run_module.score_people, **others):
        asked.update(people)
        return score(model, records, as_of, people, **others)

    monkeypatch.setattr(run_module, "score_people", watched)
    summary = run(home)
    assert asked == {"N02", "S03"}
    assert f"2 scored; {summary.people - 2} copied from an earlier run" in "\n".join(summary.lines())


def test_a_store_of_the_same_people_and_another_hash_scores_nobody(home):
    """Only a person of no team has changed: everybody on a list is copied."""

    def somebody_else(frames):
        frames["patients"] = pd.concat([frames["patients"], pd.DataFrame([{"patient_id": "of no team"}])])

    rewritten(home / "store", somebody_else)
    summary = run(home)
    assert not summary.reused and summary.unchanged == summary.people == len(world.TEAM_OF)


def explanations_of(home: Path) -> dict[str, set[int]]:
    with sqlite3.connect(home / "service.db") as connection:
        return {
            apart.name: {number for (number,) in connection.execute(f"SELECT explanation_id FROM {apart.name}")}
            for apart in KEPT_APART.values()
        }


def named_by(home: Path, run_id: str) -> dict[str, set[int]]:
    with sqlite3.connect(home / "service.db") as connection:
        return {
            apart.name: {
                number
                for (number,) in connection.execute(
                    f"SELECT explanation_id FROM {table.name} WHERE run_id = ?", (run_id,)
                )
            }
            for table, apart in KEPT_APART.items()
        }


@pytest.mark.parametrize("end", ["thin", "delete", "keep"])
def test_explanations_are_stored_once_and_stay_while_a_run_names_them(home, end):
    with sqlite3.connect(home / "service.db") as connection:
        ((first, people),) = connection.execute("SELECT run_id, count(*) FROM people GROUP BY run_id")
        ((each,),) = connection.execute("SELECT count(*) / count(DISTINCT patient_id) FROM scores")
    before = explanations_of(home)
    assert before == named_by(home, first) and len(before["score_explanations"]) == people * each
    with_rows(home / "store", {"results": ["N02"]})
    second = run(home).run_id
    more = {name: explanations_of(home)[name] - before[name] for name in before}
    assert {name: len(one) for name, one in more.items()} == {"person_explanations": 1, "score_explanations": each}
    with sqlite3.connect(home / "service.db") as connection:
        rows = {table: stored_rows(connection, table, second) for table in EVERYTHING}
        long_ago = "2020-01-01 00:00:00" if end != "keep" else "2999-01-01 00:00:00"
        connection.execute("UPDATE runs SET finished_at = ? WHERE run_id = ?", (long_ago, first))
    database = Database(f"sqlite:///{home / 'service.db'}")
    when = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    with database.write() as connection:
        ended = end_runs(connection, when) if end == "delete" else thin(connection, when, when)
    database.close()
    assert ended == (end != "keep")
    with sqlite3.connect(home / "service.db") as connection:
        assert {table: stored_rows(connection, table, second) for table in EVERYTHING} == rows
    if ended:
        assert explanations_of(home) == named_by(home, second)


def shuffled(frames):
    for name, frame in frames.items():
        frames[name] = frame.sample(frac=1, random_state=1)


def sent_twice(frames):
    for name in ("contacts", "supplies", "results"):
        frames[name] = pd.concat([frames[name], frames[name]], ignore_index=True)


@pytest.mark.parametrize("change", [shuffled, sent_twice])
def test_an_extract_that_says_the_same_in_other_words_changes_nobody(home, change):
    rewritten(home / "store", change)
    assert run(home).reused, "the same records give the same run"
    with_rows(home / "store", {"results": ["N02"]})
    summary = run(home)
    assert summary.people - summary.unchanged == 1


def another_day(home, monkeypatch):
    return {"as_of": world.AS_OF + dt.timedelta(days=1)}


def other_code(home, monkeypatch):
    monkeypatch.setattr(unchanged_module, "PACKAGES", ("features", "models"))
    return {}


def other_teams(home, monkeypatch):
    def renamed(frames):
        frames["teams"].loc[0, "name"] = "Another name"

    rewritten(home / "store", renamed)
    return {}


def an_older_program_wrote_it(home, monkeypatch):
    with sqlite3.connect(home / "service.db") as connection:
        connection.execute("UPDATE people SET records_hash = NULL")
    return {}


def without_explanations(home, monkeypatch):
    with sqlite3.connect(home / "service.db") as connection:
        connection.execute("UPDATE runs SET thinned_at = '2026-01-01 00:00:00'")
    return {}


@pytest.mark.parametrize(
    "what", [another_day, other_code, other_teams, an_older_program_wrote_it, without_explanations]
)
def test_everybody_is_scored_where_the_earlier_run_does_not_say_the_same(what, home, monkeypatch):
    with_rows(home / "store", {"results": ["N02"]})
    summary = run(home, **what(home, monkeypatch))
    assert summary.people == len(world.TEAM_OF) and summary.unchanged == 0


@pytest.mark.parametrize(
    "change", ["DELETE FROM people WHERE patient_id = 'S00'", "UPDATE people SET records_hash = NULL"]
)
def test_an_earlier_run_that_changes_meanwhile_is_not_copied(home, monkeypatch, change):
    """Another machine erases somebody, or thins the run, between the comparison and the copy."""
    with_rows(home / "store", {"results": ["N02"]})

    def and_then(*found, find=run_module.find_unchanged, **others):
        same = find(*found, **others)
        with sqlite3.connect(home / "service.db") as connection:
            connection.execute(change)
        return same

    monkeypatch.setattr(run_module, "find_unchanged", and_then)
    with sqlite3.connect(home / "service.db") as connection:
        before = connection.execute("SELECT run_id FROM publications").fetchall()
    with pytest.raises(EarlierRunChanged, match="Start it again"):
        run(home)
    with sqlite3.connect(home / "service.db") as connection:
        assert connection.execute("SELECT run_id FROM publications").fetchall() == before
