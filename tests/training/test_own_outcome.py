"""An outcome of a trust's own, from the settings to the API; and a second one without events in the records."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from features import Records, build
from features.errors import SettingsError
from models import RiskModel
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from tests.serving.conftest import client_of
from tests.training.conftest import SMALL, made_up_frames, no_pictures, no_served_model
from training.outcome_settings import OutcomeSettings
from training.registry import promotion, tracking
from training.registry.promotion import promote
from training.registry.sync import sync
from training.settings import Settings
from training.train import train

pytestmark = pytest.mark.usefixtures("store_template")

MEANS = "first attended contact with the crisis team after four weeks without one"
OWN = {
    "crisis_contact": {"means": MEANS, "events": [{"table": "contacts", "where": {"kind": ["crisis"]}}]},
    "clozapine_stop": {"means": "four weeks without clozapine", "stop": {"medicines": ["clozapine"]}},
}
SETTINGS = {
    **SMALL,
    "outcomes": {
        **SMALL["outcomes"],
        "own": OWN,
        "horizons": {"crisis_contact": [28, 90], "clozapine_stop": [90], "disengagement": [180]},
    },
    "training": {**SMALL["training"], "trees": 10, "range_refits": 0, "refit_folds": 2},
    "evaluation": {"bootstrap_draws": 5, "stability_refits": 0, "capacity_weeks": 2, "planted_people": 0},
    "promotion": {
        **SMALL["promotion"],
        "stability_at_least": None,
        "headline": ["crisis_contact_90", "clozapine_stop_90", "disengagement_180"],
        "by_outcome": {"crisis_contact": {"calibration_slope": [0.1, 9.0]}},
    },
}


def frames_with_crises() -> dict[str, pd.DataFrame]:
    """The made-up trust, where people who miss appointments are seen by the crisis team now and then."""
    frames, rng = made_up_frames(people=150), np.random.default_rng(1)
    contacts = frames["contacts"]
    missed = contacts[contacts["outcome"] == "did_not_attend"].sample(frac=0.25, random_state=1)
    crises = missed.assign(
        contact_id=[f"x{n}" for n in range(len(missed))],
        contact_on=[day + dt.timedelta(days=int(rng.integers(1, 30))) for day in missed["contact_on"]],
        kind="crisis",
        outcome="attended",
    )
    # One supply and one result, because a nightly run refuses records that hold none.
    supplies = pd.DataFrame(
        {"patient_id": ["p0000"], "medicine": ["olanzapine"], "supplied_on": ["2024-10-01"], "days_supplied": [28]}
    )
    weight = {"test": ["weight"], "taken_on": ["2024-10-01"], "value": [70.0], "unit": ["kg"]}
    results = pd.DataFrame({"patient_id": ["p0000"], **weight})
    own = {"contacts": pd.concat([contacts, crises], ignore_index=True), "supplies": supplies, "results": results}
    return {**frames, **own}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(home, records, settings, TrainResult). The settings were read from a file, as a trust's own are."""
    home = tmp_path_factory.mktemp("own") / "home"
    home.mkdir()
    (home / "mlflow.yaml").write_text(yaml.safe_dump(SETTINGS))
    settings = Settings.load(home / "mlflow.yaml")
    about = {"synthetic": True, "source": "made up in a test"}
    records = Records.from_frames(frames_with_crises(), about=about, today=dt.date(2030, 1, 1))
    said: list[str] = []
    with no_pictures(), no_served_model():
        result = train(records, settings, home, progress=said.append)
    assert any(line.startswith("clozapine_stop is left out: 0 events to train on") for line in said)
    return home, records, settings, result


def test_the_evaluation_and_the_run_hold_both(made):
    home, _, settings, result = made
    assert list(result.evaluation.pairs) == ["crisis_contact_28", "crisis_contact_90", "disengagement_180"]
    assert result.evaluation.pairs["crisis_contact_90"].events > 10
    store = tracking.open_store(home, settings.tracking)
    logged = store.client.get_run(result.run_id)
    assert logged.data.tags["left_out.clozapine_stop"].startswith("clozapine_stop is left out: 0 events")
    with store.files_of(result.run_id, tracking.EVALUATION) as folder:
        page = (folder / "evaluation.html").read_text()
        assert "clozapine_stop" in json.loads((folder / "evaluation.json").read_text())["left_out"]
    assert "Outcomes that were not trained" in page and "clozapine stop is left out: 0 events" in page


def test_each_outcome_has_its_own_gates_and_the_whole_reaches_the_api(made):
    home, records, settings, _ = made
    found = promote(home, settings, by="a test", why="its gates pass")
    gates = {gate.name: gate for gate in found.gates}
    assert gates["crisis_contact_90.calibration_slope"].needed == "0.1 to 9"
    assert gates["disengagement_180.calibration_slope"].needed == "0.2 to 5"
    absent = gates["clozapine_stop_90.evaluated"]
    assert absent.passed and not absent.judged and "0 events to train on" in absent.found
    assert found.promoted, found.reasons

    sync(home, settings)
    model = RiskModel.load(home / "bundles")
    assert model.outcomes == {"crisis_contact": (28, 90), "disengagement": (180,)}
    assert model.card["outcomes"]["crisis_contact"] == MEANS
    assert list(model.card["left_out"]) == ["clozapine_stop"]
    as_of = dt.date(2024, 11, 1)
    spine = pd.DataFrame({"patient_id": records.patient_ids[:50], "as_of": [pd.Timestamp(as_of)] * 50})
    risk = model.score(build(records, spine))["crisis_contact"].probability
    assert (np.diff(risk, axis=1) >= 0).all() and (risk > 0).all()

    records.save(home / "store")
    score_store(home / "store", home / "bundles", home, as_of, threads=1)
    headers = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None)}"}
    with client_of(home) as client:
        serving = client.get("/v1/model", headers=headers).json()
        assert serving["outcomes"] == {"crisis_contact": [28, 90], "disengagement": [180]}
        assert serving["definitions"]["crisis_contact"] == MEANS
        assert serving["left_out"]["clozapine_stop"].startswith("clozapine_stop is left out: 0 events")
        asked = {"outcome": "crisis_contact", "horizon": 90}
        listed = client.get("/v1/teams/t0/worklist", params=asked, headers=headers).json()
        assert listed["outcome"] == "crisis_contact" and listed["total"] > 10
        client.post("/sign-in", data={"choice": "pharmacist"})
        page = client.get("/model").text
        assert "Crisis contact" in page and "Not predicted: the records had too few events" in page


def test_a_model_that_would_drop_an_outcome_of_the_champion_is_refused(made, monkeypatch):
    """The records of a later training may hold no event of an outcome that the champion predicts."""
    home, _, settings, result = made
    store = tracking.open_store(home, settings.tracking)
    candidate = store.find(result.version)
    champion = replace(candidate, version="99")
    why = {"crisis_contact": "crisis_contact is left out: 3 events to train on"}
    pairs = {name: pair for name, pair in result.evaluation.pairs.items() if pair.outcome != "crisis_contact"}
    narrowed = result.evaluation.model_copy(update={"pairs": pairs, "left_out": why})
    evaluations = {candidate.version: narrowed, champion.version: result.evaluation}
    monkeypatch.setattr(promotion, "evaluation_of", lambda store, version: evaluations[version.version])

    def gate(champion):
        gates = promotion.check(store, candidate, settings.promotion, champion)
        return next(gate for gate in gates if gate.name == "crisis_contact_90.evaluated")

    assert not gate(champion).passed and gate(champion).found.startswith("the champion predicts it. crisis_contact is")
    assert gate(None).passed and not gate(None).judged


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ({"own": {"admission": OWN["crisis_contact"]}}, "own names admission, which is defined already"),
        ({"own": {"Crisis": OWN["crisis_contact"]}}, "String should match pattern"),
        ({"own": {"crisis_contact": OWN["crisis_contact"]}}, "horizons names no prediction window for it"),
        ({"own": {"x": {"means": "neither of the two"}}}, "name either events .* or stop"),
        (
            {"own": {"x": {"means": "an odd kind", "events": [{"table": "contacts", "where": {"kind": ["odd"]}}]}}},
            "odd",
        ),
        ({"own": {"x": {"means": "no such column", "events": [{"table": "stays", "where": {"kind": ["a"]}}]}}}, "kind"),
        ({"own": {"x": {"means": "no such medicine", "stop": {"medicines": ["snake_oil"]}}}}, "snake_oil"),
        (
            {"own": {"x": OWN["clozapine_stop"]}, "horizons": {"x": [28, 90]}},
            "horizons of x hold 28 days: a new stop cannot begin and last days_without",
        ),
    ],
)
def test_a_definition_that_cannot_be_used_is_refused_by_name(outcomes, words):
    with pytest.raises(ValueError, match=words):
        OutcomeSettings(**outcomes)


def test_an_outcome_without_a_gate_is_refused(tmp_path):
    path = tmp_path / "mlflow.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "promotion": {"headline": ["disengagement_180"]}}))
    with pytest.raises(SettingsError, match="clozapine_stop, crisis_contact: it would be served without a gate"):
        Settings.load(path)
