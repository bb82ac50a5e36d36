"""Who was reviewed while a list stood, and what the month's report reads, from the tables of a home."""

from __future__ import annotations

import datetime as dt
import sqlite3

from serving.nightly.rows.exposure_rows import exposure_rows
from serving.nightly.rows.month_rows import month_rows


def reviewed(home, patient: str, team: str, at: dt.datetime) -> None:
    with sqlite3.connect(home / "service.db") as connection:
        connection.execute(
            "INSERT INTO reviews (review_id, patient_id, team_id, reviewed_at, reviewer, actions, idempotency_key) "
            "VALUES (?, ?, ?, ?, 'x', '[]', ?)",
            (f"r-{patient}", patient, team, at.isoformat(sep=" "), f"k-{patient}"),
        )


def shown(home, patient: str, at: dt.datetime) -> None:
    with sqlite3.connect(home / "service.db") as connection:
        connection.execute(
            "INSERT INTO exposures (audit_seq, patient_id, run_id, team_id, outcome, horizon_days, ranking, position, "
            "rank, shown_at) SELECT 1, ?, run_id, 'north', 'admission', 90, 'risk', 1, 1, ? FROM runs",
            (patient, at.isoformat(sep=" ")),
        )


def placed_people(home) -> list[str]:
    with sqlite3.connect(home / "service.db") as connection:
        query = "SELECT patient_id FROM list_lines WHERE slot IS NOT NULL AND team_id = 'north' ORDER BY place"
        return [row[0] for row in connection.execute(query)]


def test_without_a_viewed_list_or_a_database_there_is_no_exposure(home, tmp_path):
    assert exposure_rows(home) is None
    assert exposure_rows(tmp_path) is None and not (tmp_path / "service.db").exists()


def test_a_review_during_a_list_is_an_exposure_and_counts_as_unlogged_if_the_person_was_not_shown(home, world):
    one, other = placed_people(home)[:2]
    soon = dt.datetime.combine(world.AS_OF, dt.time(9)) + dt.timedelta(days=1)
    for patient in (one, other):
        reviewed(home, patient, "north", soon)
    shown(home, one, soon)
    found = exposure_rows(home)
    lines = found["lines"].set_index("patient_id")
    assert lines.loc[[one, other], "exposed"].all() and lines["exposed"].sum() == 2
    assert lines.loc[one, "placed"] and found["unlogged"] == 0.5
    assert found["live_from"] == world.AS_OF


def test_a_review_after_the_list_was_replaced_does_not_count_for_it(home, world):
    person = placed_people(home)[0]
    reviewed(home, person, "north", dt.datetime.combine(world.AS_OF, dt.time(9)) + dt.timedelta(days=8))
    assert not exposure_rows(home)["lines"]["exposed"].any()


def test_the_month_reads_every_published_risk_and_says_why_it_cannot_tell_drift(home, world):
    found = month_rows(home)
    assert set(found["scores"]["patient_id"]) == set(world.TEAM_OF)
    assert {(90, "admission")} <= set(zip(found["scores"]["horizon"], found["scores"]["outcome"], strict=True))
    assert found["drifted"] is None and "below 200" in found["drift_note"]
    assert found["runs"][0]["as_of"] == world.AS_OF and found["refused"] == []
    with sqlite3.connect(home / "service.db") as connection:
        (action,) = connection.execute("SELECT action FROM audit_events ORDER BY seq DESC LIMIT 1").fetchone()
    assert action == "month.read"
