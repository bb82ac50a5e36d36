"""A small made-up trust and a tiny model, for the tests of the service: two teams, thirteen people, a year of
records."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

from features import CATALOGUE, Records, build
from models import Calibration
from models.publishing import publish, write_bundle
from models.ranges import FittedRanges, OutcomeFactors, RangeFactor, RangesDocument

AS_OF = dt.date(2026, 1, 5)
HORIZONS = {"admission": (28, 90, 180), "disengagement": (90, 180)}
TEAM_OF = {f"N{i:02d}": "north" for i in range(8)} | {f"S{i:02d}": "south" for i in range(5)}
NORTH, SOUTH = "N03", "S02"
NORTH_CAPACITY = 3


def records() -> Records:
    """Thirteen people: N00 takes clozapine with no blood count for months, N01 has no record beside the referral, S01
    is new."""
    rng = np.random.default_rng(5)
    rows: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("referrals", "contacts", "supplies", "results", "stays")
    }
    for number, (person, team) in enumerate(TEAM_OF.items()):
        opened = AS_OF - dt.timedelta(days=20 if person == "S01" else 400)
        rows["referrals"].append(
            {"patient_id": person, "referral_id": f"R{number}", "team_id": team, "opened_on": opened}
        )
        if person in ("N01", "S01"):
            continue
        for i, day in enumerate(range(-360, 40, int(rng.integers(14, 40)))):
            on = AS_OF + dt.timedelta(days=day)
            outcome = (
                "planned"
                if day >= 0
                else str(rng.choice(["attended", "attended", "did_not_attend", "cancelled_by_patient"]))
            )
            rows["contacts"].append(
                {
                    "patient_id": person,
                    "contact_id": f"C{number}-{i}",
                    "team_id": team,
                    "contact_on": on,
                    "booked_on": on - dt.timedelta(days=30),
                    "mode": "face_to_face",
                    "kind": "routine",
                    "outcome": outcome,
                }
            )
        medicine = "clozapine" if person == "N00" else "olanzapine"
        for day in range(-350, -int(rng.integers(1, 90)), 28):
            on = AS_OF + dt.timedelta(days=day)
            rows["supplies"].append(
                {
                    "patient_id": person,
                    "medicine": medicine,
                    "route": "oral",
                    "kind": "dispensed",
                    "supplied_on": on,
                    "days_supplied": 28.0,
                    "daily_dose_mg": 10.0,
                }
            )
        for day in (-330, -200):
            on = AS_OF + dt.timedelta(days=day)
            rows["results"] += [
                {"patient_id": person, "test": test, "taken_on": on, "value": 5.0, "unit": "10*9/L"}
                for test in ("wbc", "anc")
            ]
        if number % 4 == 2:
            on = AS_OF - dt.timedelta(days=150)
            rows["stays"].append(
                {
                    "patient_id": person,
                    "admitted_on": on,
                    "discharged_on": on + dt.timedelta(days=12),
                    "method": "emergency",
                    "ward": "acute",
                }
            )
    rows["supplies"].append(
        {"patient_id": "N02", "medicine": "newmab", "kind": "dispensed", "supplied_on": AS_OF - dt.timedelta(days=40)}
    )
    for test, value, days in (("anc", "haemolysed", 50), ("crp", "<0.5", 60)):
        on, unit = AS_OF - dt.timedelta(days=days), {"anc": "10*9/L", "crp": "mg/L"}[test]
        rows["results"].append({"patient_id": "N02", "test": test, "taken_on": on, "value": value, "unit": unit})
    frames = {name: pd.DataFrame(found) for name, found in rows.items()}
    frames["patients"] = pd.DataFrame({"patient_id": list(TEAM_OF)})
    frames["teams"] = pd.DataFrame(
        {
            "team_id": ["north", "south"],
            "name": ["North team", "South team"],
            "kind": ["A06", "A06"],
            "weekly_reviews": [NORTH_CAPACITY, np.nan],
        }
    )
    return Records.from_frames(frames, about={"synthetic": True, "source": "made up for tests"})


def write_tiny_bundle(
    folder: Path, world: Records, *, seed: int = 0, version: str = "test-1", ranges: bool = False
) -> Path:
    """A bundle over the real catalogue, from boosters fitted to chance: enough trees that every part is there. With
    ``ranges`` the first outcome has them, with a booster of another seed for its spread."""
    names = tuple(CATALOGUE.names)
    spine = pd.DataFrame({"patient_id": list(world.patient_ids), "as_of": pd.Timestamp(AS_OF)})
    real = np.repeat(np.asarray(build(world, spine, threads=1).values, dtype=np.float64), 24, axis=0)
    rng = np.random.default_rng(seed)
    noisy = real * rng.uniform(0.5, 1.5, real.shape)
    noisy[rng.random(real.shape) < 0.1] = np.nan
    boosters, calibration = {}, {}
    for outcome, horizons in HORIZONS.items():
        stacked = np.vstack([np.column_stack([noisy, np.full(len(noisy), days)]) for days in horizons])
        chance = 0.05 + 0.15 * (np.nan_to_num(stacked[:, 0]) > 20) + 0.1 * stacked[:, -1] / 180
        labels = (rng.random(len(stacked)) < chance).astype(int)
        data = lightgbm.Dataset(stacked, labels, feature_name=[*names, "horizon_days"], free_raw_data=False)
        settings = {
            "objective": "binary",
            "num_leaves": 6,
            "max_depth": 4,
            "min_data_in_leaf": 5,
            "verbose": -1,
            "num_threads": 1,
            "seed": seed,
        }
        settings["monotone_constraints"] = [0] * len(names) + [1]
        boosters[outcome] = lightgbm.train(settings, data, num_boost_round=20)
        offsets = tuple(0.1 * i for i in range(len(horizons)))
        calibration[outcome] = Calibration(horizons, 0.9, offsets)
    first = next(iter(HORIZONS))
    factors = {"centre": -2.0, "lowest": -5.0, "highest": 1.0, "shift": -0.3, "shift_slope": 0.0}
    factors |= {"log_hidden": -0.5, "log_hidden_slope": 0.0, "below": 1.7, "above": 1.6}
    entry = OutcomeFactors(
        booster=f"spread_{first}.txt",
        scale=0.5,
        factors=tuple(RangeFactor(horizon=days, **factors) for days in HORIZONS[first]),
    )
    made = RangesDocument(refits=20, learned={"people": 100, "on": "2026-01-05"}, outcomes={first: entry})
    return write_bundle(
        folder,
        ranges=FittedRanges(made, {first: boosters[first]}) if ranges else None,
        boosters=boosters,
        calibration=calibration,
        horizons=HORIZONS,
        features=list(CATALOGUE),
        reference_matrix=noisy.astype(np.float32),
        card={"what": "a tiny model for tests", "synthetic": True},
        provenance={
            "synthetic": True,
            "model_version": version,
            "run_id": "test",
            "data_hash": world.data_hash,
            "code_commit": "none",
        },
    )


def make_home(home: Path) -> Path:
    """A home folder with a store, a published bundle and a published run."""
    from serving.nightly.run import score_store

    world = records()
    world.save(home / "store")
    publish(home / "bundles", write_tiny_bundle(home / "made", world))
    score_store(home / "store", home / "bundles", home, AS_OF, threads=1)
    return home


def person_tables(world: Records, person: str) -> dict[str, list[dict[str, object]]]:
    """One person's rows as the JSON of ``POST /v1/scores``."""
    tables = {}
    for name in ("patients", "circumstances", "referrals", "contacts", "supplies", "results", "stays", "conditions"):
        frame = world[name]
        rows = frame[frame["patient_id"] == person].drop(columns="patient_id")
        tables[name] = [{key: _plain(value) for key, value in row.items()} for row in rows.to_dict("records")]
    return tables


def _plain(value: object) -> object:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else value
