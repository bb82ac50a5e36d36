"""A store without events of one outcome: the other is trained, judged by its gates, promoted and served alone."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records
from models import RiskModel
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from tests.serving.conftest import client_of
from tests.training.conftest import SMALL, MadeUpTruth, made_up_frames, no_pictures, no_served_model
from training.registry.promotion import promote
from training.registry.sync import sync
from training.settings import Settings
from training.train import train

pytestmark = pytest.mark.usefixtures("store_template")

AS_OF = dt.date(2024, 11, 1)
HORIZONS = {"admission": [28, 90, 180], "disengagement": [180]}
SETTINGS = {
    **SMALL,
    "training": {**SMALL["training"], "trees": 10},
    "evaluation": {"bootstrap_draws": 5, "stability_refits": 0, "capacity_weeks": 2},
    "promotion": {**SMALL["promotion"], "stability_at_least": None, "headline": ["admission_90", "disengagement_180"]},
}


def frames_without(outcome: str) -> dict[str, pd.DataFrame]:
    """The made-up trust, in which nobody is admitted, or nobody misses two appointments in a row."""
    frames = made_up_frames(people=200)
    if outcome == "admission":
        frames["stays"] = frames["stays"].iloc[:0]
    else:
        contacts = frames["contacts"]
        missed = contacts["outcome"] == "did_not_attend"
        again = missed & missed.shift(fill_value=False)
        frames["contacts"] = contacts.assign(outcome=contacts["outcome"].mask(again, "attended"))
    # One supply and one result, because a nightly run refuses records that hold none.
    person = {"patient_id": ["p0000"]}
    supply = {"medicine": ["olanzapine"], "supplied_on": ["2024-10-01"], "days_supplied": [28]}
    weight = {"test": ["weight"], "taken_on": ["2024-10-01"], "value": [70.0], "unit": ["kg"]}
    return {**frames, "supplies": pd.DataFrame({**person, **supply}), "results": pd.DataFrame({**person, **weight})}


@pytest.mark.parametrize(("absent", "trained"), [("admission", "disengagement"), ("disengagement", "admission")])
def test_the_other_outcome_is_trained_judged_promoted_and_served_alone(absent, trained, tmp_path):
    settings, about = Settings(**SETTINGS), {"synthetic": True, "source": "made up in a test"}
    records = Records.from_frames(frames_without(absent), about=about, today=dt.date(2030, 1, 1))
    said: list[str] = []
    with no_pictures(), no_served_model():
        result = train(records, settings, tmp_path, truth=MadeUpTruth(), progress=said.append)
    assert any(line.startswith(f"{absent} is left out: 0 events to train on") for line in said)
    assert {pair.outcome for pair in result.evaluation.pairs.values()} == {trained}

    found = promote(tmp_path, settings, by="a test", why="its gates pass")
    assert found.promoted, found.reasons
    judged = {gate.name.partition("_")[0] for gate in found.gates if gate.judged}
    assert trained in judged and absent not in judged
    window = {"admission": 90, "disengagement": 180}
    left_out = next(gate for gate in found.gates if gate.name == f"{absent}_{window[absent]}.evaluated")
    assert left_out.passed and "0 events to train on" in left_out.found

    sync(tmp_path, settings)
    model = RiskModel.load(tmp_path / "bundles")
    assert model.outcomes == {trained: tuple(HORIZONS[trained])}
    assert list(model.ranges.outcomes) == [trained] and list(model.card["left_out"]) == [absent]

    records.save(tmp_path / "store")
    score_store(tmp_path / "store", tmp_path / "bundles", tmp_path, AS_OF, threads=1)
    headers = {"Authorization": f"Bearer {issue_token(tmp_path, 'cmht_system', None)}"}
    with client_of(tmp_path) as client:
        serving = client.get("/v1/model", headers=headers).json()
        assert serving["outcomes"] == {trained: HORIZONS[trained]} and list(serving["left_out"]) == [absent]
        listed = client.get("/v1/teams/t0/worklist", headers=headers).json()
        assert listed["outcome"] == trained and listed["total"] > 10
        refused = client.get("/v1/teams/t0/worklist", params={"outcome": absent}, headers=headers)
        assert refused.status_code == 422 and refused.headers["content-type"] == "application/problem+json"
        person = listed["items"][0]["patient_id"]
        risks = client.get(f"/v1/patients/{person}", headers=headers).json()["risks"]
        assert {risk["outcome"] for risk in risks} == {trained}
        client.post("/sign-in", data={"choice": "pharmacist"})
        for page in ("/", "/teams/t0", f"/patients/{person}", f"/patients/{person}/conversation", "/model"):
            assert client.get(page).status_code == 200, page
