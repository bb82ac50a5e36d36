"""A copy of a demo in which things went wrong the way they do in life, for the picture of the status page."""

from __future__ import annotations

import datetime as dt
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from features import Records
from features.records import NO_DAY, day_of
from serving.model_loader import LAST_GOOD, POINTER
from serving.nightly.arrival import ListRefused
from serving.nightly.run import score_store
from serving.runs.repository import current_run
from serving.settings import database_url_of
from serving.storage.database import Database
from tests.serving.states import vouched

STOPPED_FOR_DAYS = 60
"""How long before the list's day the laboratory sent its last result."""


def faulty_home(made: Path, folder: Path) -> tuple[Path, str]:
    """The copy, and a session of a pharmacist of its first team. The feed of results stopped, so the nightly run
    refused to publish; the published list is old; and a newer model was damaged on its way.

    The list is marked as one of real people, because a simulated list is never old. The people are simulated all the
    same, and each page says so, because the model was trained on simulated people.
    """
    home = Path(shutil.copytree(made, folder / "home", ignore=shutil.ignore_patterns("mlruns", "mlartifacts")))
    with closing(Database(database_url_of(home))) as database:
        with database.read() as connection:
            run = current_run(connection)
        assert run is not None
        _stop_results(home, run.as_of - dt.timedelta(days=STOPPED_FOR_DAYS))
        with pytest.raises(ListRefused):
            score_store(home / "store", home / "bundles", home, run.as_of + dt.timedelta(days=1), threads=1)
        with database.write() as connection:
            connection.execute(text("UPDATE runs SET synthetic = false"))
            team = connection.scalars(text("SELECT team_id FROM run_teams ORDER BY team_id")).first()
    _damage_a_newer_model(home / "bundles")
    (home / "demo.json").unlink(missing_ok=True)
    return home, vouched(home, str(team))


def _stop_results(home: Path, last: dt.date) -> None:
    """The store as it would be had no result come after ``last``."""
    records = Records.load(home / "store")
    frames = {name: records[name] for name in records.tables}
    known = records.columns("results")["known_on"]
    frames["results"] = frames["results"][(known <= day_of(last)) & (known != NO_DAY)]
    Records.from_frames(frames, about=records.about).save(home / "store")


def _damage_a_newer_model(bundles: Path) -> None:
    """A newer model is published, and a bit of one of its files flips."""
    name = (bundles / POINTER).read_text(encoding="utf-8").strip()
    newer = Path(shutil.copytree(bundles / name, bundles / f"{name}-newer"))
    file = newer / "calibration.json"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    (bundles / LAST_GOOD).write_text(f"{name}\n", encoding="utf-8")
    (bundles / POINTER).write_text(f"{newer.name}\n", encoding="utf-8")
