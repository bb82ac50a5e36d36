"""A bundle that exists, calibrated on other records: its trees stay, its slope and offsets are fitted again.

Where records are too few to train on, trees of another trust may still rank people well, and only their risks be too
high or too low. The calibration slice gives the new slope and offsets, and later time judges them as in any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm

from models.bundle.manifest import Manifest, locate, read_verified
from models.calibration import Calibration
from models.ranges import FittedRanges
from models.risk_model import RiskModel, describe_mismatch
from training.dataset.prepare import Prepared
from training.errors import SeenBefore, ShapeError
from training.fitting.boosters import Fitted, calibrate, described
from training.settings import Settings


@dataclass(frozen=True)
class GivenBundle:
    """The verified parts of a bundle that are taken over."""

    manifest: Manifest
    names: tuple[str, ...]
    outcomes: dict[str, tuple[int, ...]]
    boosters: dict[str, lightgbm.Booster]
    slopes: dict[str, float]
    ranges: FittedRanges | None


def open_bundle(path: Path | str) -> GivenBundle:
    """The trees, names and ranges of a bundle, after its self-test. Raises a ``BundleError``."""
    folder = locate(path)
    manifest, contents = read_verified(folder)
    model = RiskModel.load(folder)

    def booster(name: str) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=contents[name].decode())

    ranges = None
    if model.ranges is not None:
        spreads = {outcome: booster(entry.booster) for outcome, entry in model.ranges.outcomes.items()}
        ranges = FittedRanges(model.ranges, spreads)
    return GivenBundle(
        manifest,
        model.feature_names,
        model.outcomes,
        {outcome: booster(entry.booster) for outcome, entry in manifest.outcomes.items()},
        {outcome: model.calibration(outcome).slope for outcome in model.outcomes},
        ranges,
    )


def check_fits(given: GivenBundle, data_hash: str, names: Sequence[str], settings: Settings) -> None:
    """Raises SeenBefore for records that the bundle learned from, and ShapeError for other inputs, outcomes or
    horizons than those of these records and settings."""
    if given.manifest.data_hash == data_hash:
        raise SeenBefore(
            f"{given.manifest.bundle_id} was trained on these records: calibrating it on them again would flatter it. "
            f"Give the store of another time or trust."
        )
    if tuple(names) != given.names:
        raise ShapeError(f"{given.manifest.bundle_id}: {describe_mismatch(names, given.names)}")
    asked = {outcome: tuple(days) for outcome, days in settings.outcomes.horizons.items()}
    if unknown := [outcome for outcome, days in asked.items() if given.outcomes.get(outcome) != days]:
        raise ShapeError(
            f"{given.manifest.bundle_id} predicts {given.outcomes}; outcomes.horizons in mlflow.yaml asks for other "
            f"days of {', '.join(unknown)}: write the same there."
        )


def recalibrate(given: GivenBundle, ready: Prepared, settings: Settings) -> Fitted:
    """The trees of ``given`` with a slope and offsets fitted on the calibration slice. Raises NotEnoughData where that
    holds too few events."""
    horizons = {outcome: tuple(days) for outcome, days in settings.outcomes.horizons.items()}
    boosters = {outcome: given.boosters[outcome] for outcome in horizons}
    calibrations: dict[str, Calibration] = calibrate(
        boosters, ready.matrix.values, ready.labels, ready.split.calibration, horizons, settings.training, ready.weights
    )
    return Fitted(
        boosters, calibrations, horizons, described(ready.matrix), settings.training.threads, given.manifest.bundle_id
    )


def carried_ranges(given: GivenBundle, fitted: Fitted) -> FittedRanges | None:
    """The ranges of ``given`` for the new calibration: a spread on the logit grows and falls with the slope."""
    if given.ranges is None:
        return None
    entries = {}
    for outcome, entry in given.ranges.document.outcomes.items():
        if outcome in fitted.boosters:
            scale = entry.scale * fitted.calibration[outcome].slope / given.slopes[outcome]
            entries[outcome] = entry.model_copy(update={"scale": scale})
    if not entries:
        return None
    return FittedRanges(given.ranges.document.model_copy(update={"outcomes": entries}), given.ranges.boosters)
