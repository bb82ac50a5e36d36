"""The catalogue: every feature is complete, none is protected, and the vocabulary refuses what it must."""

from __future__ import annotations

import pytest

from features import CATALOGUE, CONCEPTS, Feature, SpecError, SpineError, build
from features.engine import EVER, stream
from features.spec import PROTECTED, PROTECTED_CIRCUMSTANCES
from tests.tables import records, spine


def test_there_are_enough_features_in_every_family():
    assert len(CATALOGUE) >= 200
    assert {f.table for f in CATALOGUE} >= {"supplies", "results", "contacts", "stays", "referrals"}


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda f: f.name)
def test_a_feature_is_complete(feature):
    assert feature.concept in CONCEPTS
    assert feature.unit
    assert feature.why.endswith(".")


def test_no_feature_reads_a_protected_characteristic():
    for feature in CATALOGUE:
        for of in filter(None, (feature.stream, feature.of)):
            assert of.table != "patients"
            assert not PROTECTED & set(of.columns_read(feature.value))
            assert not PROTECTED_CIRCUMSTANCES & set(dict(of.where).get("kind", ()))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: stream("patients", sex="female"), "patients holds no events"),
        (lambda: stream("contacts", outcome="seen"), "contacts.outcome never holds seen"),
        (lambda: stream("contacts", colour="red"), "contacts has no column colour"),
        (lambda: stream("circumstances", kind="housing"), "audited, never trained on"),
        (lambda: stream("circumstances"), "audited, never trained on"),
        (
            lambda: Feature("x", "crisis", "count", stream("stays"), EVER, "zero", "stays", 0, 1, 0, "no full stop"),
            "in one sentence why",
        ),
        (
            lambda: Feature("x", "crisis", "count", stream("stays"), -5, "zero", "stays", 0, 1, 0, "Why."),
            "cannot be negative",
        ),
    ],
)
def test_the_vocabulary_refuses(write, message):
    with pytest.raises(SpecError, match=message):
        write()


SUPPLY = {"supplies": "patient_id medicine supplied_on days_supplied\nanna lithium 2025-01-01 28"}


def test_rows_come_back_in_the_order_given():
    made = records(supplies=SUPPLY["supplies"] + "\nbede lithium 2025-01-10 28")
    matrix = build(made, spine("bede 2025-03-01", "anna 2025-03-01", "bede 2025-02-01"), ["days_since_any_supply"])
    assert matrix.values[:, 0].tolist() == [50, 59, 22]
    assert matrix.to_pandas().columns.tolist() == ["patient_id", "as_of", "days_since_any_supply"]
    assert matrix.values.dtype == "float32"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("anna 2025-03-01", "zoe 2025-03-01"), r"1 rows of the spine \(1\): the patient is not in the records"),
        (
            ("anna 2025-03-01", "anna 2025-03-01"),
            r"1 rows of the spine \(1\): the same patient and date stand in an earlier row",
        ),
        (("anna 2025-03-01", "anna 2999-01-01"), r"1 rows of the spine \(1\): as_of lies in the future"),
        (("anna soon",), "as_of holds values that are not dates"),
    ],
)
def test_a_spine_that_cannot_be_computed_says_which_rows(rows, message):
    with pytest.raises(SpineError, match=message):
        build(records(**SUPPLY), spine(*rows))


def test_an_unknown_feature_is_named():
    with pytest.raises(KeyError, match="no_such_feature is not in the catalogue"):
        build(records(**SUPPLY), spine("anna 2025-03-01"), ["no_such_feature"])


def test_a_person_with_nothing_recorded_is_missing_not_normal():
    made = records(patients="patient_id\nnobody")
    matrix = build(made, spine("nobody 2025-03-01"))
    values = dict(zip(matrix.names, matrix.values[0].tolist(), strict=True))
    assert values["days_since_attended"] != values["days_since_attended"]
    assert values["clozapine_fbc_days_past_due"] != values["clozapine_fbc_days_past_due"]
    assert values["missed_90d"] == 0
