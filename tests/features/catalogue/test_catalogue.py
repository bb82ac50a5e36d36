"""The catalogue: every feature is complete, none is protected, and the vocabulary refuses what it must."""

from __future__ import annotations

import numpy as np
import pytest

from features import CATALOGUE, Feature, SpecError, SpineError, build
from features.catalogue import Catalogue
from features.engine import stream
from features.kernels.windows import window_kernel
from features.spec import PROTECTED, PROTECTED_CIRCUMSTANCES
from tests.tables import records, spine


def test_there_are_enough_features_in_every_family():
    assert len(CATALOGUE) >= 200
    assert {f.table for f in CATALOGUE} >= {"supplies", "results", "contacts", "stays", "referrals"}


ONE = dict(
    name="x", concept="crisis", verb="count", stream=stream("stays"), window=90, missing="zero", unit="stays", low=0,
    high=9, direction=0, why="Why.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"why": ""}, "x: say in one sentence why it belongs"),
        ({"why": "No full stop"}, "x: say in one sentence why it belongs"),
        ({"unit": ""}, "x: name the unit of its values"),
        ({"direction": 2}, r"x: direction is \+1, -1 or 0"),
        ({"low": 9}, "x: the range 9 to 9 holds nothing"),
        ({"window": -5}, "x: a window is days before as_of, so it cannot be negative"),
        ({"verb": "mean", "value": "deprivation_decile"}, "x: deprivation_decile is audited, never trained on"),
        ({"stream": stream("contacts", outcome="planned")}, "x: a planned contact lies after as_of"),
        ({"verb": "bookings_ahead"}, "x: bookings_ahead reads one stream of contacts, dated by contact_on"),
        (
            {"verb": "bookings_ahead", "stream": stream("contacts", given=("booked_on",), outcome="attended")},
            "the outcome of an appointment ahead is the future",
        ),
        ({"verb": "bookings_ahead", "stream": stream("contacts")}, r"write given=\(\"booked_on\",\)"),
    ],
)
def test_a_feature_that_is_not_complete_is_refused(change, message):
    Feature(**ONE)
    with pytest.raises(SpecError, match=message):
        Feature(**ONE | change)


def test_the_catalogue_refuses_a_name_used_twice_and_a_concept_without_wording():
    with pytest.raises(SpecError, match=r"features share a name: x$"):
        Catalogue([Feature(**ONE), Feature(**ONE | {"name": "y"}), Feature(**ONE)])
    with pytest.raises(SpecError, match=r"concepts without wording: luck; add them to features/catalogue/concepts\.py"):
        Catalogue([Feature(**ONE | {"concept": "luck"})])


def test_an_empty_record_gives_each_feature_its_declared_missing_value():
    """Zero where nothing happened, NaN where nothing is known. Two verbs are about the record itself: that it is
    empty, and how many checks nobody can place."""
    values = build(records(patients="patient_id\nnobody"), spine("nobody 2025-03-01")).values[0]
    about_the_record = {"never_recorded": 1.0, "tests_unsure": 0.0}
    expected = [about_the_record.get(f.verb, 0.0 if f.missing == "zero" else np.nan) for f in CATALOGUE]
    wrong = [f.name for f, x, y in zip(CATALOGUE, values, expected, strict=True) if not np.array_equal(x, y, True)]
    assert wrong == []


def test_the_kernel_of_windows_is_compiled_for_one_type_of_each_argument():
    """Compiling it takes seconds: a second type of one array would compile it again."""
    build(records(patients="patient_id\nnobody"), spine("nobody 2025-03-01"))
    assert len(window_kernel.signatures) == 1


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
    ],
)
def test_an_invalid_feature_is_refused_with_a_message(write, message):
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


def test_a_matrix_the_catalogue_and_records_show_themselves_in_a_notebook():
    made = records(**SUPPLY)
    matrix = build(made, spine("anna 2025-03-01"), ["days_since_any_supply", "attended_90d"])
    assert matrix["days_since_any_supply"].tolist() == [59]
    assert matrix[["attended_90d", "days_since_any_supply"]].values.tolist() == [[0, 59]]
    assert repr(matrix) == "FeatureMatrix: 1 rows, 2 features"
    with pytest.raises(KeyError, match="missed_90d was not built"):
        matrix["missed_90d"]
    listed = CATALOGUE.to_pandas()
    assert len(listed) == len(CATALOGUE) and {"name", "concept", "why", "direction", "window_days"} <= set(listed)
    assert repr(CATALOGUE).startswith(f"Catalogue: {len(CATALOGUE)} features of")
    assert repr(made) == "Records: 1 people; 1 supplies" and "anna" not in repr(made)
