"""Planted causes and planted faults, on a small simulated trust: the truth recovers itself, a constant recovers
nothing, and an unspoilt record moves no risk."""

import numpy as np
import pytest

from training.evaluation.trials import planted
from training.simulator import simulate


@pytest.fixture(scope="module")
def trust():
    return simulate(patients=60, years=1.5, seed=4, teams=2)


@pytest.fixture(scope="module")
def spine(trust):
    from training.dataset import landmarks

    return landmarks.select(trust.records, [np.datetime64("2023-03-06")]).spine.reset_index(drop=True)


def test_the_true_risk_recovers_every_planted_effect_and_a_constant_none(trust, spine):
    told = trust.truth.risk(spine, {"admission": (90,), "disengagement": (90,)}, draws=60, seed=0)
    true = {o: told[told["outcome"] == o]["probability"].to_numpy() for o in ("admission", "disengagement")}
    itself = planted.effects(trust.truth, spine, true, true, 50, 0)
    nothing = planted.effects(trust.truth, spine, true, {o: np.full(len(spine), 0.1) for o in true}, 50, 0)
    assert len(itself) >= 5
    assert all(row["share_recovered"]["value"] == pytest.approx(1) for row in itself)
    assert all(row["share_recovered"]["value"] == pytest.approx(0) for row in nothing)
    severity = next(row for row in itself if row["concept"] == "severity of illness")
    assert severity["true_effect"]["low"] > 0  # who is more unwell is admitted more often, in the truth itself


def test_causes_of_an_outcome_that_was_not_trained_are_left_out(trust, spine):
    risk = {"disengagement": np.linspace(0.1, 0.9, len(spine))}
    found = planted.effects(trust.truth, spine, risk, risk, 10, 0)
    assert {row["outcome"] for row in found} == {"disengagement"}


def reads_contacts(matrix):
    seen = np.nan_to_num(matrix.column("attended_180d").astype(float))
    return {"admission_90": 1 / (2 + seen), "disengagement_90": 1 / (3 + seen)}


def test_a_fault_moves_only_risks_that_read_the_faulty_records(trust, spine):
    label = (np.arange(len(spine)) % 3 == 0).astype(float)
    found = planted.faults(trust.records, spine, {"admission_90": label}, reads_contacts, 20, 0)
    by_fault = {row["fault"]: row for row in found}
    assert len(by_fault) == 6
    for fault, row in by_fault.items():
        # A contact sent twice, under another id, is one contact once records are loaded.
        if "contact" in fault and fault != "one contact in ten sent twice":
            assert row["largest_change"] > 0, fault
        else:
            assert row["largest_change"] == 0, fault
            assert row["top_shared"] == 1


def test_a_sample_holds_one_row_a_person():
    people = np.repeat(np.arange(50), 4)
    at = planted.sample(people, np.arange(200), 30, seed=0)
    assert len(at) == len(set(people[at])) == 30
    assert (at == planted.sample(people, np.arange(200), 30, seed=0)).all()
