"""One simulated trust for every proof here: 300 people, among them many who take clozapine or lithium or have been in
hospital."""

from __future__ import annotations

import numpy as np
import pytest

from features import Records
from features.reference import MEDICINES
from training.simulator import simulate


def small_trust() -> Records:
    trust = simulate(patients=1000, years=3, seed=41).records
    names = list(MEDICINES)
    rare = [place for place, name in enumerate(names) if MEDICINES[name].base in ("clozapine", "lithium")]
    supplies, stays = trust.tables["supplies"], trust.tables["stays"]
    of_interest = np.unique(supplies.patient[np.isin(supplies.columns["medicine"], rare)])[:110]
    in_hospital = np.setdiff1d(np.unique(stays.patient), of_interest)[:90]
    chosen = np.union1d(of_interest, in_hospital)
    others = np.setdiff1d(np.arange(len(trust)), chosen)[: 300 - len(chosen)]
    return trust.at(np.union1d(chosen, others).astype(np.int64))


@pytest.fixture(scope="session")
def trust_300() -> Records:
    return small_trust()
