"""Our side of a comparison, through the public door: ``Records.from_frames`` and ``build`` in memory, or
``Records.load`` of a store that was checked once and ``build``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features import Feature, Records, build
from features.engine import stream
from tests.benchmarks.peers import CORES, WINDOWS

WEIGHED = stream("results", test="weight")


def _feature(verb: Any, window: int) -> Feature:
    name, value = f"{verb}_{window}", "value" if verb == "total" else ""
    why = "A benchmark."
    return Feature(name, "physical_health", verb, WEIGHED, window, "zero", "any", 0, 1e9, 0, why, value=value)


FEATURES = tuple(_feature(verb, window) for verb in ("count", "total") for window in WINDOWS)


def load(folder: Path) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    events = pd.read_parquet(folder / "events.parquet", columns=["patient_id", "day", "value"])
    events = events.rename(columns={"day": "taken_on"}).assign(test="weight", unit="kg", known_on=events["day"])
    spine = pd.read_parquet(folder / "spine.parquet", columns=["patient_id", "as_of"])
    return {"patients": spine[["patient_id"]].drop_duplicates(ignore_index=True), "results": events}, spine


def prepare(folder: Path) -> None:
    """The store as ``upstream ingest`` leaves it, read once: what happens before anybody asks for features."""
    records, _ = from_frames(load(folder))
    Records.load(records.save(folder / "store"))


def open_store(folder: Path) -> tuple[Records, pd.DataFrame]:
    return Records.load(folder / "store"), pd.read_parquet(folder / "spine.parquet", columns=["patient_id", "as_of"])


def from_frames(given: tuple[dict[str, pd.DataFrame], pd.DataFrame]) -> tuple[Records, pd.DataFrame]:
    frames, spine = given
    return Records.from_frames(frames), spine


def window_features(given: tuple[Records, pd.DataFrame]) -> np.ndarray:
    return build(*given, FEATURES, threads=CORES).values


STAGES = (("from_frames", from_frames), ("build", window_features))
FROM_FILE = (open_store, window_features)


def in_order(values: np.ndarray) -> np.ndarray:
    return values.astype(float)
