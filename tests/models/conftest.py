"""One small trained model for the tests of scores and bundles. Synthetic numbers, no person behind them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from models import fit_calibration
from models.bundle.manifest import sha256
from models.publishing import write_bundle
from models.risk_model import stack_horizons

HORIZONS = {"admission": (28, 90, 180), "disengagement": (90, 180)}


@dataclass(frozen=True)
class FeatureDouble:
    """Stands in for ``features.spec.Feature``: only what a bundle reads of it."""

    name: str
    concept: str
    unit: str = "days"
    low: float = 0.0
    high: float = 3650.0
    direction: int = 0
    missing: str = "unknown"
    why: str = "Made up for a test."


FEATURES = (
    FeatureDouble("supply_gap_days", "supply_gap", direction=1),
    FeatureDouble("longest_gap_days", "supply_gap"),
    FeatureDouble("missed_share", "missed_contacts", unit="share"),
    FeatureDouble("lithium_overdue_days", "lithium_monitoring"),
    FeatureDouble("always_the_same", "data_freshness"),
)
NAMES = tuple(feature.name for feature in FEATURES)
CONCEPTS = {
    "supply_gap": {"label": "Gap in supply", "raises": "a gap in supply", "lowers": "supply in hand"},
    "missed_contacts": {
        "label": "Missed appointments",
        "raises": "recent missed appointments",
        "lowers": "few missed appointments",
    },
    "lithium_monitoring": {
        "label": "Lithium monitoring",
        "raises": "lithium checks overdue",
        "lowers": "lithium checks up to date",
    },
}


def random_matrix(rows, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, len(NAMES))).astype(np.float32)
    matrix[:, 4] = 1.0
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    return matrix


def train_parts(trees=40, seed=0):
    """Keyword arguments of ``write_bundle``."""
    rng = np.random.default_rng(seed)
    matrix = random_matrix(3000, seed)
    boosters, calibration = {}, {}
    for outcome, horizons in HORIZONS.items():
        x = stack_horizons(matrix, horizons)
        z = np.nan_to_num(x)
        y = (rng.random(len(x)) < 1 / (1 + np.exp(2.5 - z[:, 0] - z[:, 2] * z[:, 1] - x[:, -1] / 180))).astype(float)
        parameters = {
            "objective": "binary",
            "num_leaves": 15,
            "max_depth": 6,
            "monotone_constraints": [1, 0, 0, 0, 0, 1],
        }
        boosters[outcome] = lightgbm.train(
            parameters | {"verbose": -1, "num_threads": 1}, lightgbm.Dataset(x, y), trees
        )
        later = stack_horizons(random_matrix(2000, seed + 1), horizons)
        z = np.nan_to_num(later)
        y = (rng.random(len(later)) < 1 / (1 + np.exp(2.5 - z[:, 0] - z[:, 2] * z[:, 1] - later[:, -1] / 180))).astype(
            float
        )
        calibration[outcome] = fit_calibration(boosters[outcome].predict(later, raw_score=True), y, later[:, -1])
    return {
        "boosters": boosters,
        "calibration": calibration,
        "horizons": HORIZONS,
        "features": FEATURES,
        "reference_matrix": matrix,
        "card": {"name": "test", "intended_use": "none"},
        "provenance": {"synthetic": True, "run_id": "Run 7", "data_hash": "d" * 64, "seed": 3},
        "concepts": CONCEPTS,
    }


@pytest.fixture(scope="session")
def parts():
    return train_parts()


@pytest.fixture(scope="session")
def bundle(parts, tmp_path_factory):
    """A whole bundle; tests that damage one copy it first."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "bundle", **parts)


@pytest.fixture(scope="session")
def next_bundle(tmp_path_factory):
    """Another model, to publish after the first."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "next", **train_parts(trees=10, seed=9))


FILES = (
    "manifest.json",
    "booster_admission.txt",
    "booster_disengagement.txt",
    "calibration.json",
    "features.json",
    "reference.json",
    "card.json",
    "golden.json",
)


@pytest.fixture
def copy(bundle, tmp_path):
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def rewrite(folder, name, change):
    """Change a file and make the manifest agree, as someone would who knows the format."""
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document))
    manifest = read_manifest(folder)
    data = (folder / name).read_bytes()
    manifest["files"][name] = {"sha256": sha256(data), "bytes": len(data)}
    seal(folder, manifest)


def read_manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def seal(folder, manifest):
    body = {key: value for key, value in manifest.items() if key not in ("digest", "bundle_id")}
    digest = sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())
    manifest |= {"digest": digest, "bundle_id": f"forged-{digest[:12]}"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
