"""Promotion, rollback and sync: through the gates, never around them."""

import json
import shutil

import pytest

from models import RiskModel
from models.errors import BundleDamaged, SignatureInvalid
from models.publishing import current_bundle
from models.signing import TRUSTED_KEYS, SigningKey, new_key
from training.errors import ArtefactAbsent, NoChallenger, NoChampion, NoRun, StoreAbsent, Withdrawn
from training.evaluation.schema.scores import ShownLevel
from training.impact.exposure import ExposureNote
from training.registry import history, tracking
from training.registry.decisions import decisions
from training.registry.promotion import promote, rollback
from training.registry.sync import sync


@pytest.fixture
def home(trained, tmp_path):
    """A copy of the trained home, at another place: reading, promoting and syncing must understand that."""
    return shutil.copytree(trained[0], tmp_path / "home")


def change_evaluation(home, run_id, change):
    path = home / "artefacts" / run_id / "artifacts" / "evaluation" / "evaluation.json"
    evaluation = json.loads(path.read_text())
    change(evaluation["pairs"]["disengagement_180"])
    path.write_text(json.dumps(evaluation))


def set_model(figure, value):
    def change(pair):
        pair["contenders"]["model"][figure]["value"] = value

    return change


def test_a_challenger_that_passes_becomes_champion_and_who_and_why_is_kept(home, trained, small_settings):
    result = promote(home, small_settings, by="a data scientist", why="first model")
    assert result.promoted, result.reasons
    assert [gate.name for gate in result.gates] == [
        *("bundle", "leak_proof", "latency", "exposure"),
        *(
            f"disengagement_180.{gate}"
            for gate in (
                *(
                    "auroc_over_best_rule",
                    "captured_at_slots",
                    "calibration_slope",
                    "observed_to_expected",
                    "stability",
                ),
                "worst_team",
                "lead_over_best_rule",
            )
        ),
    ]
    champion = tracking.open_store(home, small_settings.tracking).version(tracking.CHAMPION)
    (decided,) = decisions(
        home, small_settings.tracking, [f"{champion.name}-{champion.version}", "test-1", "upstream-99"]
    ).values()
    assert [(one["step"], one["by"], one["why"]) for one in decided] == [
        ("trained again", "a data scientist", "first model")
    ]
    assert champion.version == trained[1].version
    assert (champion.tags["promotion.by"], champion.tags["promotion.why"]) == ("a data scientist", "first model")
    assert champion.tags["promotion.gate.disengagement_180.calibration_slope"].startswith("passed")


def change_exposure(home, run_id, **changed):
    path = home / "artefacts" / run_id / "artifacts" / "checks" / "exposure.json"
    note = ExposureNote(**{**UNTOUCHED, **changed})
    path.write_text(json.dumps({**note.as_dict(), "problem": note.problem}))


UNTOUCHED = {
    "live_from": "2024-01-01",
    "rows_after": 900,
    "logged": True,
    "unlogged": 0.0,
    "exposed_rows": 80,
    "most_weight": 5.0,
}


@pytest.mark.parametrize(
    ("changed", "promoted", "said"),
    [
        ({}, True, "900 rows after 2024-01-01, 80 of them exposed"),
        ({"logged": False}, False, "nobody logged who was listed"),
        ({"unlogged": 0.06}, False, "6 in 100 reviewed people with a place are not in the exposure log"),
        ({"unlogged": 0.05}, True, "900 rows"),
        ({"rows_after": 0, "logged": False}, True, "no row after a list went live"),
    ],
)
def test_a_model_of_days_after_go_live_needs_the_exposure_log(home, trained, small_settings, changed, promoted, said):
    change_exposure(home, trained[1].run_id, **changed)
    result = promote(home, small_settings, by="a", why="b")
    assert result.promoted is promoted
    assert said in next(gate.found for gate in result.gates if gate.name == "exposure")


def no_lead_worth_having(pair):
    pair["lead"]["difference"] = {"value": 0.005, "low": -0.01, "high": 0.02}


def a_lead_that_nobody_can_tell(pair):
    pair["lead"]["difference"] = {"value": 0.05, "low": -0.01, "high": 0.1}


def fewer_found(pair):
    pair["lead"]["model"]["value"] = pair["lead"]["rule_found"]["value"] * 0.9


def level(name, events, found):
    """One level of a partition as an evaluation holds it: every figure of it is ``found``."""
    share = {"value": found, "low": found - 0.1, "high": found + 0.1}
    figures = {field: share for field, kind in ShownLevel.model_fields.items() if "Figure" in str(kind.annotation)}
    counts = {"people": events, "rows": events, "events": events}
    return {"level": name, "suppressed": False, "enough_events": True, **counts, **figures}


def levels(kind, *found):
    """An evaluation in which half of 400 events are found, and these levels are all there are."""

    def change(pair):
        everyone = {"value": 0.5, "low": 0.45, "high": 0.55}
        pair["events"] = 400
        pair["contenders"]["model"]["captured_at_slots"] = everyone
        pair["equal_share"] = {"share": 0.1, "captured": everyone}
        none = {"levels": [], "sensitivity_gap": None}
        pair["groups"] = [{"name": "sex", "label": "Sex", **none}]
        pair["teams"] = {"name": "team", "label": "Team", **none}
        (pair["teams"] if kind == "teams" else pair["groups"][0])["levels"] = [level(*one) for one in found]

    return change


def never_refitted(pair):
    del pair["stability"]


def another_list_each_time(pair):
    pair["stability"]["median_jaccard_top25"]["value"] = 0.2


REFUSALS = [
    (
        "no lead worth having",
        no_lead_worth_having,
        {"difference_above": 0.0},
        "lead_over_best_rule: lower bound -0.010 of 0.005",
    ),
    (
        "unfair to a team",
        levels("teams", ("t1", 40, 0.08), ("t2", 360, 0.55)),
        {"worst_team_at_least": 0.8},
        "worst_team: 0.080 of 40 events of Team t1 captured, 0.16 of everyone's; by luck alone 0.000",
    ),
    (
        "unfair to a group",
        levels("groups", ("female", 40, 0.2), ("male", 360, 0.53)),
        {"worst_group_at_least": 0.8},
        "worst_group: 0.200 of 40 events of Sex female captured, 0.40 of everyone's",
    ),
    ("unstable", another_list_each_time, {"stability_at_least": 0.4}, "stability: 0.20 over 2 refits"),
    ("stability unknown", never_refitted, {}, "stability: not measured"),
    ("no better than a simple rule", set_model("auroc", 0.5), {}, "auroc_over_best_rule: 0.500"),
    ("miscalibrated", set_model("calibration_slope", 0.1), {}, "calibration_slope: 0.10"),
    ("a figure is not defined", set_model("calibration_slope", None), {}, "calibration_slope: nan"),
    ("too good to be true", set_model("auroc", 0.97), {"auroc_at_most": 0.9}, "look for a leak"),
    (
        "not evaluated at the headline",
        set_model("auroc", 0.8),
        {"headline": ("admission_365",)},
        "admission_365.evaluated: not evaluated",
    ),
]


@pytest.mark.parametrize(("what", "change", "gates", "reason"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_gate_refuses_with_its_figure(home, trained, small_settings, what, change, gates, reason):
    change_evaluation(home, trained[1].run_id, change)
    strict = small_settings.model_copy(update={"promotion": small_settings.promotion.model_copy(update=gates)})
    result = promote(home, strict, by="x", why="y")
    assert not result.promoted
    assert any(reason in line for line in result.reasons), result.reasons
    with pytest.raises(NoChampion, match="upstream promote"):
        sync(home, strict)


def test_too_few_events_to_judge_pass_synthetic_data_only(home, trained, small_settings):
    strict = small_settings.model_copy(
        update={"promotion": small_settings.promotion.model_copy(update={"fewest_events": 100_000})}
    )
    change_evaluation(home, trained[1].run_id, set_model("auroc", 0.5))
    shown = promote(home, strict, by="x", why="y")
    assert shown.promoted
    assert sum(str(gate).startswith("not judged") for gate in shown.gates) == 6
    path = home / "artefacts" / trained[1].run_id / "artifacts" / "evaluation" / "evaluation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "synthetic": False}))
    refused = promote(home, strict, by="x", why="y")
    assert not refused.promoted
    assert "REFUSED, too few events" in refused.reasons[0]


def test_a_lead_that_the_events_cannot_tell_is_shown_as_such_and_refuses_real_data(home, trained, small_settings):
    change_evaluation(home, trained[1].run_id, a_lead_that_nobody_can_tell)
    strict = small_settings.model_copy(
        update={"promotion": small_settings.promotion.model_copy(update={"difference_above": 0.0})}
    )
    shown = promote(home, strict, by="x", why="y")
    (lead,) = (str(gate) for gate in shown.gates if gate.name.endswith("lead_over_best_rule"))
    assert shown.promoted
    assert lead.startswith("not judged") and "lower bound -0.010 of 0.050" in lead
    assert "rule out neither no lead nor one of 0.03 (upper bound 0.100)" in lead
    assert "not judged: too few events" in shown.summary
    path = home / "artefacts" / trained[1].run_id / "artifacts" / "evaluation" / "evaluation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "synthetic": False}))
    refused = promote(home, strict, by="x", why="y")
    assert not refused.promoted
    assert any("lead_over_best_rule" in reason and "too few events" in reason for reason in refused.reasons)


def test_a_damaged_bundle_is_refused_at_promotion_and_at_sync(home, trained, small_settings):
    booster = home / "artefacts" / trained[1].run_id / "artifacts" / "bundle" / "booster_admission.txt"
    whole = booster.read_bytes()
    booster.write_bytes(whole.replace(b"0.1", b"0.2", 1))
    assert any("bundle" in line for line in promote(home, small_settings, by="x", why="y").reasons)
    booster.write_bytes(whole)
    assert promote(home, small_settings, by="x", why="y").promoted
    booster.write_bytes(whole[:-100])
    with pytest.raises(BundleDamaged):
        sync(home, small_settings)


def test_sync_publishes_what_was_evaluated_and_says_what_changed(home, trained, small_settings):
    promote(home, small_settings, by="x", why="y")
    first = sync(home, small_settings)
    assert (first["changed"], first["previous_bundle_id"], first["bundle_id"]) == (True, None, trained[1].bundle_id)
    assert json.loads((home / "sync.json").read_text()) == first
    assert RiskModel.load(home / "bundles").manifest.run_id == trained[1].run_id
    assert current_bundle(home / "bundles").name == trained[1].bundle_id
    again = sync(home, small_settings)
    assert (again["changed"], again["previous_bundle_id"]) == (False, trained[1].bundle_id)


def test_rollback_brings_the_previous_champion_back(home, trained, small_settings):
    promote(home, small_settings, by="x", why="y")
    with pytest.raises(NoRun, match="first champion"):
        rollback(home, small_settings, by="x", why="y")
    store = tracking.open_store(home, small_settings.tracking)
    first = store.version(tracking.CHAMPION)
    second = store.client.create_model_version(first.name, source=f"runs:/{first.run_id}/bundle", run_id=first.run_id)
    assert promote(home, small_settings, by="x", why="y", version=str(second.version)).replaced == first.version
    assert rollback(home, small_settings, by="me", why="worse in clinic") == (first.version, str(second.version))
    with pytest.raises(Withdrawn, match=r"withdrawn at .* by me \(worse in clinic\)"):
        rollback(home, small_settings, by="me", why="by accident")
    decisions = [[one["decision"] for one in history.of(store.find(v))] for v in (first.version, str(second.version))]
    assert decisions == [["promoted", "restored"], ["promoted", "withdrawn"]]
    assert rollback(home, small_settings, by="me", why="on purpose", again=True).champion == str(second.version)
    store.alias(tracking.CHAMPION, first.version)
    assert store.version(tracking.CHAMPION).version == first.version
    assert store.find(str(second.version)).tags["rollback.why"] == "worse in clinic"


def observed_over_expected(value, low, high):
    def change(pair):
        pair["contenders"]["model"]["observed_to_expected"] = {"value": value, "low": low, "high": high}

    return change


@pytest.mark.parametrize(
    ("figure", "passes"),
    [
        ((1.14, 1.06, 1.24), False),  # a seventh too many events, and not by luck
        ((1.14, 0.98, 1.30), True),  # as far off, on few events
        ((1.05, 1.01, 1.09), True),  # more than luck, and too little to matter
        ((0.80, 0.70, 0.90), False),
    ],
)
def test_risks_that_are_off_by_more_than_luck_are_refused(home, trained, small_settings, figure, passes):
    change_evaluation(home, trained[1].run_id, observed_over_expected(*figure))
    strict = small_settings.model_copy(
        update={"promotion": small_settings.promotion.model_copy(update={"observed_to_expected": (0.9, 1.1)})}
    )
    result = promote(home, strict, by="x", why="y")
    assert [gate.passed for gate in result.gates if gate.name.endswith("observed_to_expected")] == [passes]


def test_gates_are_never_fewer_than_those_the_run_was_trained_under(home, trained, small_settings):
    """A refused version stays refused where the headline is narrowed to a pair that passes; and both are on record."""
    change_evaluation(home, trained[1].run_id, set_model("auroc", 0.4))
    assert not promote(home, small_settings, by="x", why="first").promoted
    narrowed = small_settings.model_copy(
        update={"promotion": small_settings.promotion.model_copy(update={"headline": ("admission_90",)})}
    )
    assert not promote(home, narrowed, by="x", why="second").promoted
    version = tracking.open_store(home, small_settings.tracking).find(trained[1].version)
    found = history.of(version)
    assert [(one["decision"], one["why"]) for one in found] == [("refused", "first"), ("refused", "second")]
    assert "disengagement_180.auroc_over_best_rule" in found[1]["refused_by"]
    assert found[0]["settings_sha256"] != found[1]["settings_sha256"]


@pytest.mark.parametrize(("high", "promoted"), [(-0.01, False), (0.02, True)])
def test_a_version_worse_than_the_champion_on_the_same_rows_is_refused(home, trained, small_settings, high, promoted):
    assert promote(home, small_settings, by="x", why="y").promoted
    store = tracking.open_store(home, small_settings.tracking)
    first = store.version(tracking.CHAMPION)
    again = "f" * 32
    shutil.copytree(home / "artefacts" / first.run_id, home / "artefacts" / again)
    folder = home / "artefacts" / again / "artifacts" / tracking.COMPARISON
    folder.mkdir()
    difference = {"value": -0.03, "low": -0.05, "high": high}
    beside = {"champion": first.version, "pairs": {"disengagement_180": {"auroc": {"difference": difference}}}}
    (folder / "comparison.json").write_text(json.dumps(beside))
    second = store.client.create_model_version(first.name, source=f"runs:/{again}/bundle", run_id=again)
    result = promote(home, small_settings, by="x", why="y", version=str(second.version))
    assert result.promoted is promoted
    assert [gate.passed for gate in result.gates if "not_worse_than_champion" in gate.name] == [promoted]


def test_a_missing_store_version_evaluation_or_challenger_is_named(home, trained, small_settings, tmp_path):
    with pytest.raises(StoreAbsent, match=r"No MLflow store at .*upstream train"):
        sync(tmp_path / "nowhere", small_settings)
    with pytest.raises(NoRun, match="no version 99"):
        promote(home, small_settings, by="x", why="y", version="99")
    shutil.rmtree(home / "artefacts" / trained[1].run_id / "artifacts" / "evaluation")
    with pytest.raises(ArtefactAbsent, match="train again"):
        promote(home, small_settings, by="x", why="y")
    tracking.open_store(home, small_settings.tracking).drop_alias(tracking.CHALLENGER)
    with pytest.raises(NoChallenger, match="upstream train"):
        promote(home, small_settings, by="x", why="y")


def test_a_promotion_signs_and_a_home_that_trusts_the_key_takes_nothing_else(home, small_settings, tmp_path):
    new_key(tmp_path / "promotion.key", home / TRUSTED_KEYS / "promotion.pub")
    promote(home, small_settings, by="a data scientist", why="first model")
    with pytest.raises(SignatureInvalid, match="--sign-with"):
        sync(home, small_settings)
    key = SigningKey.load(tmp_path / "promotion.key")
    promote(home, small_settings, by="a data scientist", why="signed", signing_key=key)
    state = sync(home, small_settings)
    assert state["signed_by"] == "a data scientist"
    assert RiskModel.load(home / "bundles").signature.key_id == key.key_id
