"""Silent scoring: scores are locked before the outcomes and not shown; a challenger runs beside the champion."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest

from models.errors import LockBroken
from models.locked_scores import FOLDER, read_locked
from serving.data_rights.service import erase_person, export_person
from serving.nightly.silent import locks_in_audit, score_silently
from serving.storage.tables import metadata
from tests.serving.conftest import client_of


def counts(home):
    with sqlite3.connect(home / "service.db") as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in metadata.tables}


def test_a_silent_run_locks_everybody_and_only_the_audit_log_grows(home, world):
    before = counts(home)
    run = score_silently(home / "store", home / "bundles", home, world.AS_OF)
    after = counts(home)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"audit_events"} and after["audit_events"] == before["audit_events"] + 1
    locked = read_locked(home / FOLDER / run.folder)
    assert locked.lock == run.lock and run.lock in locks_in_audit(home)
    assert set(locked.scores["patient_id"]) == set(world.TEAM_OF) and run.people == 13
    assert locked.about["days_since_newest"]["contacts"] >= 1


def test_the_scores_are_those_that_the_published_list_has(home, world):
    run = score_silently(home / "store", home / "bundles", home, world.AS_OF)
    scores = read_locked(home / FOLDER / run.folder).scores.set_index("patient_id")
    with sqlite3.connect(home / "service.db") as connection:
        published = connection.execute(
            "SELECT patient_id, probability FROM scores WHERE outcome = 'admission' AND horizon_days = 90"
        ).fetchall()
    assert {patient: pytest.approx(risk) for patient, risk in published} == scores["admission_90"].to_dict()


def test_the_same_day_and_model_are_locked_once_and_a_change_is_found(home, world):
    run = score_silently(home / "store", home / "bundles", home, world.AS_OF)
    with pytest.raises(LockBroken, match="made once"):
        score_silently(home / "store", home / "bundles", home, world.AS_OF)
    path = home / FOLDER / run.folder / "scores.parquet"
    pd.read_parquet(path).assign(admission_90=0.9).to_parquet(path, index=False)
    with pytest.raises(LockBroken, match="changed after it was locked"):
        read_locked(home / FOLDER / run.folder)


def test_a_challenger_is_locked_beside_the_champion(home, world, tmp_path):
    challenger = world.write_tiny_bundle(tmp_path / "other", world.records(), seed=3, version="test-2")
    one = score_silently(home / "store", home / "bundles", home, world.AS_OF)
    other = score_silently(home / "store", challenger, home, world.AS_OF)
    assert one.bundle_id != other.bundle_id and len(list((home / FOLDER).iterdir())) == 2


def test_no_page_and_no_route_knows_the_silent_scores(home, world):
    score_silently(home / "store", home / "bundles", home, world.AS_OF)
    with client_of(home) as client:
        paths = client.get("/openapi.json").json()["paths"] if client.get("/openapi.json").status_code == 200 else {}
    assert not [path for path in paths if "silent" in path]


def test_erasing_a_person_reaches_the_locked_scores_and_the_published_hash_stays(home, world):
    run = score_silently(home / "store", home / "bundles", home, world.AS_OF)
    folder = home / FOLDER / run.folder
    (home / FOLDER / "rating").mkdir()
    (home / FOLDER / "rating" / "rating.csv").write_text("case,patient_id\n1,N03\n2,N01\n")
    assert export_person(home, "N03")["held"]["silent"][0]["as_of"] == world.AS_OF.isoformat()
    done = erase_person(home, "N03", "Ada Example", "asked for")
    assert done.silent_rows == 1 and "locked silent scores: 1 rows" in "\n".join(done.lines())
    left = read_locked(folder)
    assert "N03" not in set(left.scores["patient_id"]) and len(left.scores) == run.people - 1
    assert left.lock == run.lock and left.erased_rows == 1 and left.lock_now != run.lock
    assert {left.lock, left.lock_now} <= set(locks_in_audit(home))
    assert (home / FOLDER / "rating" / "rating.csv").read_text().split() == ["case,patient_id", "2,N01"]
    assert not [path for path in home.rglob("*.parquet") if b"N03" in path.read_bytes()]
    erase_person(home, "N01", "Ada Example", "asked for")
    assert read_locked(folder).erased_rows == 2
    path = folder / "scores.parquet"
    pd.read_parquet(path).assign(admission_90=0.9).to_parquet(path, index=False)
    with pytest.raises(LockBroken, match="changed after it was locked"):
        read_locked(folder)
