"""``simulate``: makes a whole synthetic trust, with realistic records and the truth that no real trust has."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from features.errors import UpstreamError
from features.records import Records
from training.simulator.care.formulary import formulary_rows
from training.simulator.observation import Recording, frames_of
from training.simulator.oracle import FIRST_DAY, VERSION, Truth
from training.simulator.parameters import World
from training.simulator.person_day import run_people
from training.simulator.random import hashed
from training.simulator.state import EVENT, PERSON
from training.simulator.teams import draw_teams

SHARD = 1000
ROWS_PER_PERSON_YEAR = 110
TABLES = 7


class SimulationError(UpstreamError, ValueError):
    """Sizes with which no trust can be made."""


@dataclass(frozen=True)
class SimulatedTrust:
    """``frames`` are the nine tables as pandas; ``records`` the same, checked and typed; ``truth`` answers what only
    a simulator knows."""

    frames: dict[str, pd.DataFrame]
    truth: Truth
    about: dict[str, object]

    @cached_property
    def records(self) -> Records:
        last = dt.date(1970, 1, 1) + dt.timedelta(days=self.truth.last_day)
        return Records.from_frames(self.frames, about=self.about, today=last)


def simulate(
    patients: int,
    years: float,
    seed: int,
    teams: int = 8,
    *,
    world: World | None = None,
    threads: int = 2,
    reviews: pd.DataFrame | None = None,
) -> SimulatedTrust:
    """A trust of ``patients`` people (first day's caseload and arrivals) over ``years`` from 2022-01-03, all of it
    synthetic.

    The same arguments give the same bytes; ``threads`` changes only the time. A person depends on (seed,
    number, years, teams, world, own reviews) only. ``reviews`` (patient_id, reviewed_on) are those that a list
    brought about: each helps as the world's ``review_effect`` says, and gets a blood count done that is due. Before a
    person's first one their days are the same as without. Raises SimulationError for sizes below one person, one team
    or a tenth of a year.
    """
    if patients < 1 or teams < 1 or years < 0.1:
        raise SimulationError(
            f"patients={patients}, years={years}, teams={teams}: at least 1 person, 0.1 years and 1 team are needed."
        )
    truth = Truth(int(seed), int(patients), float(years), int(teams), world or World())
    if reviews is not None:
        index, day = truth._places(reviews.rename(columns={"reviewed_on": "as_of"}))
        truth = replace(truth, reviews=tuple(sorted({*zip(index.tolist(), day.tolist(), strict=True)})))
    team_rows, team_table = draw_teams(truth.teams, truth.seed)
    people, died_on, tables = _run(truth, team_rows, threads)
    extract = Recording(
        seed=truth.seed,
        last_day=truth.last_day,
        team_ids=team_table["team_id"].to_numpy(dtype=object),
        patient_ids=np.array([f"S{i + 1:06d}" for i in range(patients)], dtype=object),
        died_on=died_on,
        world=truth.world,
        lateness=0.6 + 1.2 * hashed(truth.seed, 950, np.arange(teams)),
    )
    about: dict[str, object] = {
        "synthetic": True,
        "source": "upstream simulator",
        "seed": truth.seed,
        "version": VERSION,
        "patients": truth.patients,
        "years": truth.years,
        "teams": truth.teams,
        "first_day": str(np.datetime64(FIRST_DAY, "D")),
        "last_day": str(np.datetime64(truth.last_day, "D")),
    }
    return SimulatedTrust(frames_of(tables, people, team_table, extract), truth, about)


def _run(truth: Truth, teams: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Traits, deaths and event rows by table, people in order. Shards are independent and run in parallel."""
    people = np.zeros(truth.patients, dtype=PERSON)
    died_on = np.zeros(truth.patients, dtype=np.int64)
    world, medicines, reviews = truth.world.to_record(), formulary_rows(), truth.review_rows()

    def shard(first: int) -> list[np.ndarray]:
        part = slice(first, min(first + SHARD, truth.patients))
        room = int((part.stop - first) * (truth.years + 1.5) * ROWS_PER_PERSON_YEAR) + 2000
        while True:
            events = np.zeros(room, dtype=EVENT)
            rows = run_people(
                people[part],
                died_on[part],
                first,
                truth.seed,
                truth.years,
                world,
                medicines,
                teams,
                FIRST_DAY,
                truth.last_day,
                reviews,
                events,
            )
            if rows <= room:
                written = events[:rows]
                return [written[written["table"] == table] for table in range(TABLES)]
            room = int(rows * 1.05)

    with ThreadPoolExecutor(threads) as pool:
        shards = list(pool.map(shard, range(0, truth.patients, SHARD)))
    return people, died_on, [np.concatenate([part[table] for part in shards]) for table in range(TABLES)]
