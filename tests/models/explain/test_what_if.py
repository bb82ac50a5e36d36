"""What-ifs: a closed table of what a team can do next, equal to scoring the changed inputs, and never about the past
or a protected characteristic."""

from dataclasses import replace

import numpy as np
import pytest

from features import CATALOGUE
from features.spec import PROTECTED, PROTECTED_CIRCUMSTANCES
from models import RiskModel
from models.explain.protected import PROTECTED_WORDS
from models.explain.what_if import ACTIONS, NOTE, find_offers
from models.publishing import write_bundle

NAN = np.nan
FORWARD = {
    "days_since_last",
    "days_past_due",
    "tests_overdue",
    "depot_days_past_due",
    "supply_gap_days",
    "never_recorded",
}
"""Verbs of what stands open today and is reset by doing something; every other verb tells of the past."""


def names_of(action):
    due = {name for pair in action.due for name in pair if name}
    return {*action.offered, *action.since, *action.fewer, *action.ended, *action.unless, *due}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.code)
def test_every_input_is_in_the_catalogue_looks_forward_and_is_not_protected(action):
    for name in names_of(action):
        feature = CATALOGUE[name]
        assert feature.verb in FORWARD, name
        assert feature.direction >= 0, "doing what is due never makes an input say more risk where medicine is sure"
        words = {*name.split("_"), *feature.concept.split("_")}
        assert not words & (PROTECTED_WORDS | PROTECTED | PROTECTED_CIRCUMSTANCES)
        assert feature.concept not in ("admissions", "crisis", "missed_contacts", "discharge_recency", "substance_use")
    assert set(action.offered) & names_of(replace(action, offered=())), "what makes it due is what doing it changes"


def test_the_table_is_closed_and_says_nothing_of_effects():
    assert [action.code for action in ACTIONS] == [
        "blood_count",
        "lithium_level",
        "physical_checks",
        "side_effects",
        "medicines_review",
        "injection",
        "supply",
        "seen",
    ]
    for text in (NOTE, *(action.label for action in ACTIONS)):
        assert not {"because", "prevent", "prevents", "reduce", "reduces", "low", "safe"} & set(text.lower().split())
    assert "not the effect" in NOTE


def done(**values):
    """Codes offered for one row of named inputs, and the named inputs of each with the action done."""
    names = tuple(values)
    offers = find_offers(np.array([list(values.values())], dtype=np.float32), names)
    return {offer.action.code: dict(zip(names, offer.inputs[0].tolist(), strict=True)) for offer in offers}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # 12 days past due, last done 40 days ago: the interval is 28 days, so the next is due in 28
        (
            {"clozapine_fbc_days_past_due": 12, "days_since_fbc": 40, "clozapine_tests_overdue": 2},
            {"blood_count": {"clozapine_fbc_days_past_due": -28, "days_since_fbc": 0, "clozapine_tests_overdue": 1}},
        ),
        # never done: no interval is known, so it is no longer late and no more than that
        (
            {"clozapine_fbc_days_past_due": 12, "days_since_fbc": NAN},
            {"blood_count": {"clozapine_fbc_days_past_due": 0, "days_since_fbc": 0}},
        ),
        # not due, or does not apply: nothing is offered
        ({"clozapine_fbc_days_past_due": -3, "days_since_fbc": 25}, {}),
        ({"clozapine_fbc_days_past_due": NAN, "days_since_fbc": 25}, {}),
        # what is not recorded of another schedule stays not recorded
        (
            {"depot_days_past_due": 9, "days_since_any_supply": 39, "lithium_level_days_past_due": NAN},
            {"injection": {"depot_days_past_due": 0, "days_since_any_supply": 0, "lithium_level_days_past_due": NAN}},
        ),
        ({"antipsychotic_gap_days": 20}, {"supply": {"antipsychotic_gap_days": 0}}),
        # clozapine after a gap is started again by a clinician, not by collecting it
        ({"antipsychotic_gap_days": 20, "clozapine_gap_days": 20}, {}),
        ({"days_since_attended": 29}, {"seen": {"days_since_attended": 0}}),
        ({"days_since_attended": 28}, {}),
        ({"shoe_size": 1}, {}),
    ],
)
def test_what_is_offered_and_what_it_changes(before, after):
    found = done(**before)
    assert list(found) == list(after)
    for code, inputs in after.items():
        assert found[code] == pytest.approx(inputs, nan_ok=True)


@pytest.fixture(scope="module")
def model(parts, tmp_path_factory):
    """The small model with its features under names that two actions know."""
    names = ("days_since_fbc", "clozapine_fbc_days_past_due", "missed_share", "days_since_attended", "always_the_same")
    features = tuple(replace(f, name=name) for f, name in zip(parts["features"], names, strict=True))
    return RiskModel.load(write_bundle(tmp_path_factory.mktemp("what") / "bundle", **(parts | {"features": features})))


def test_a_what_if_is_the_score_of_the_changed_inputs(model):
    rng = np.random.default_rng(3)
    rows = (rng.normal(size=(200, 5)) * 40).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = NAN
    scores = model.score(rows, names=model.feature_names)
    some = 0
    for row, found in enumerate(model.what_ifs(scores)):
        for what in found:
            changed = rows[row : row + 1].copy()
            for change in what.changes:
                place = model.feature_names.index(change.name)
                old = changed[0, place]
                assert (change.value is None) == np.isnan(old) and (change.value is None or change.value == old)
                assert change.changed_to != change.value
                changed[0, place] = change.changed_to
            again = model.score(changed, names=model.feature_names)
            for risk in what.risks:
                column = again[risk["outcome"]].column(risk["horizon_days"])
                after = again[risk["outcome"]].probability[0, column]
                assert risk["probability"] == after
                assert risk["difference"] == after - scores[risk["outcome"]].probability[row, column]
            for outcome in model.outcomes:
                over_time = [risk["probability"] for risk in what.risks if risk["outcome"] == outcome]
                assert over_time == sorted(over_time), "a what-if keeps the order of horizons"
            some += 1
    assert some > 100


def test_no_what_if_is_offered_where_nothing_is_due(model):
    rows = np.full((2, 5), NAN, dtype=np.float32)
    assert model.what_ifs(model.score(rows, names=model.feature_names)) == [[], []]
