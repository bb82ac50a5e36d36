"""One simulated trust, its labels and the oracle's risks, shared by the tests that hold the truth against what
happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.dataset.prepare import Prepared, prepare
from training.settings import Settings
from training.simulator import SimulatedTrust, simulate

HORIZONS = {"admission": (90,), "disengagement": (180,)}


@pytest.fixture(scope="session")
def trust() -> SimulatedTrust:
    return simulate(patients=1200, years=3, seed=11)


@pytest.fixture(scope="session")
def oracle_settings() -> Settings:
    return Settings(
        cohort={"landmark_every_days": 70, "history_days": 120},
        outcomes={"horizons": HORIZONS},
        splits={"train_share": 0.45, "calibration_share": 0.2},
        controls={"boosting_rows": 4000, "boosting_rounds": 40},
        training={"trees": 60, "learning_rate": 0.06, "min_rows_in_leaf": 100, "threads": 2},
    )


@pytest.fixture(scope="session")
def ready(trust: SimulatedTrust, oracle_settings: Settings) -> Prepared:
    """Cohort, features and split of the trust, as training makes them; its labels count silences under way too."""
    made = prepare(trust.records, oracle_settings)
    return replace(made, follow_up=made.with_under_way, labels=made.with_under_way.labels(HORIZONS))


@pytest.fixture(scope="session")
def happened(ready: Prepared) -> dict[str, np.ndarray]:
    """1 event, 0 none or an exit before one (as the oracle counts), NaN not at risk."""

    def answer(outcome: str, horizon: int) -> np.ndarray:
        status = np.asarray(ready.follow_up.status(outcome, horizon), dtype=str)
        quiet = (status == "none") | np.char.startswith(status, "exit")
        return np.select([status == "event", quiet], [1.0, 0.0], np.nan)

    return {f"{o}_{h}": answer(o, h) for o, horizons in HORIZONS.items() for h in horizons}
