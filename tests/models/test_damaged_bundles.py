"""Whatever is damaged in a bundle is refused by name when it is opened, and another machine scores the same."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from models import BundleDamaged, BundleError, BundleIncompatible, BundleMissing, BundleRefused, RiskModel
from models.publishing import current_bundle
from tests.conftest import ROOT
from tests.models.conftest import FILES, read_manifest, rewrite, seal


def shift(golden, by):
    golden["expected"]["admission"]["margin"][5][1] += by


# Damage: file, what is done to it, what the error says


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is absent"):
        RiskModel.load(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.37, 0.99])
def test_a_flipped_byte_is_found_anywhere(copy, name, place):
    data = bytearray((copy / name).read_bytes())
    at = int(place * (len(data) - 2))
    data[at] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleError, match=name):
        RiskModel.load(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_found(copy, name):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match=name):
        RiskModel.load(copy)


def test_nothing_is_parsed_before_every_file_is_verified(copy, monkeypatch):
    def parse(*_):
        raise AssertionError("parsed a booster of a damaged bundle")

    monkeypatch.setattr("models.risk_model.TreeShapley", parse)
    (copy / "golden.json").write_text("{}")
    with pytest.raises(BundleDamaged, match=r"golden\.json has 2 bytes"):
        RiskModel.load(copy)


def test_an_extra_file_is_refused(copy):
    (copy / "helper.py").write_text("raise SystemExit")
    with pytest.raises(BundleDamaged, match=r"helper\.py is not in the manifest"):
        RiskModel.load(copy)


def test_a_link_is_not_a_file(copy, bundle):
    (copy / "card.json").unlink()
    (copy / "card.json").symlink_to(bundle / "card.json")
    with pytest.raises(BundleDamaged, match="not a plain file"):
        RiskModel.load(copy)


@pytest.mark.parametrize("other", [0, 4, 99])
def test_another_format_is_named(copy, other):
    manifest = read_manifest(copy)
    seal(copy, manifest | {"format": other})
    with pytest.raises(BundleIncompatible, match=f"bundle format {other}, this code reads 1, 2, 3"):
        RiskModel.load(copy)


def test_the_format_before_is_still_read(copy):
    """Format 1 had neither margins in its golden rows nor the version of numba."""
    rewrite(copy, "golden.json", lambda document: [entry.pop("margin") for entry in document["expected"].values()])
    manifest = read_manifest(copy)
    del manifest["versions"]["numba"]
    seal(copy, manifest | {"format": 1})
    assert RiskModel.load(copy).manifest.versions.numba == ""


@pytest.mark.parametrize("made_with", ["99.0.0", "unreadable"])
def test_a_newer_lightgbm_is_refused(copy, made_with):
    manifest = read_manifest(copy)
    manifest["versions"]["lightgbm"] = made_with
    seal(copy, manifest)
    with pytest.raises(BundleIncompatible, match=f"made with LightGBM {made_with}, installed is 4"):
        RiskModel.load(copy)


@pytest.mark.parametrize(
    ("library", "version"), [("lightgbm", "3.3.5"), ("lightgbm", "4.0.0"), ("numba", "0.1"), ("numpy", "9.0")]
)
def test_any_other_difference_of_versions_is_left_to_the_golden_rows(copy, library, version):
    manifest = read_manifest(copy)
    manifest["versions"][library] = version
    seal(copy, manifest)
    RiskModel.load(copy)
    rewrite(copy, "golden.json", lambda document: shift(document, 2e-12))
    with pytest.raises(BundleRefused, match="Check versions"):
        RiskModel.load(copy)


@pytest.mark.parametrize(
    ("key", "value"), [("surprise", 1), ("synthetic", "perhaps"), ("outcomes", {}), ("digest", "0")]
)
def test_an_unexpected_manifest_is_refused(copy, key, value):
    manifest = read_manifest(copy)
    seal(copy, manifest | {key: value}) if key != "digest" else (copy / "manifest.json").write_text(
        json.dumps(manifest | {key: value})
    )
    with pytest.raises(BundleDamaged, match=r"manifest\.json is not as expected at .*" + key):
        RiskModel.load(copy)


@pytest.mark.parametrize(
    ("key", "value"), [("synthetic", False), ("data_hash", "e" * 64), ("bundle_id", "another-000000000000")]
)
def test_a_manifest_that_was_edited_is_found_by_its_own_digest(copy, key, value):
    """A synthetic model cannot be relabelled as a real one by hand."""
    manifest = read_manifest(copy)
    (copy / "manifest.json").write_text(json.dumps(manifest | {key: value}))
    with pytest.raises(BundleDamaged, match="does not match its own digest"):
        RiskModel.load(copy)


def test_a_manifest_names_no_file_outside_its_folder(copy):
    manifest = read_manifest(copy)
    manifest["files"]["../secrets.json"] = {"sha256": "0" * 64, "bytes": 1}
    seal(copy, manifest)
    with pytest.raises(BundleDamaged, match="not as expected"):
        RiskModel.load(copy)


def test_features_in_another_order_fail_the_self_test(copy):
    """The manifest agrees and every hash is right; only scoring shows that two features were exchanged."""
    rewrite(copy, "features.json", lambda document: document["features"].reverse())
    rewrite(copy, "golden.json", lambda document: [row.reverse() for row in document["rows"]])
    with pytest.raises(BundleRefused, match="self-test failed"):
        RiskModel.load(copy)


def test_a_feature_too_few_is_refused(copy):
    rewrite(copy, "features.json", lambda document: document["features"].pop())
    with pytest.raises(BundleRefused, match=r"reads 6 columns, features\.json lists 4"):
        RiskModel.load(copy)


def test_a_calibration_that_breaks_the_rules_is_refused(copy):
    rewrite(copy, "calibration.json", lambda document: document["admission"].update(slope=-1.0))
    with pytest.raises(BundleDamaged, match="expected above 0"):
        RiskModel.load(copy)


def test_changed_expectations_fail_the_self_test(copy):
    rewrite(
        copy, "golden.json", lambda document: document["expected"]["admission"]["horizon_part"][3].__setitem__(0, 0.5)
    )
    with pytest.raises(BundleRefused, match="admission horizon_part of the golden rows differs"):
        RiskModel.load(copy)
    RiskModel.load(copy, self_test=False)


@pytest.mark.parametrize(("by", "holds"), [(1e-13, True), (2e-12, False), (-1e-9, False)])
def test_the_golden_rows_hold_the_margin_to_one_part_in_a_million_million(copy, by, holds):
    rewrite(copy, "golden.json", lambda document: shift(document, by))
    if holds:
        RiskModel.load(copy)
        return
    with pytest.raises(BundleRefused, match="admission margin of the golden rows differs"):
        RiskModel.load(copy)


def test_golden_rows_that_leave_an_outcome_out_are_refused(copy):
    rewrite(copy, "golden.json", lambda document: document["expected"].pop("disengagement"))
    with pytest.raises(BundleRefused, match="golden rows belong to other outcomes"):
        RiskModel.load(copy)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "housing_changes_365d"), ("name", "age"), ("concept", "ethnicity"), ("concept", "interpreter_need")],
)
def test_a_protected_feature_is_refused_on_loading_too(copy, field, value):
    """The writer refuses it; a bundle written without the writer is refused by everyone who opens it."""
    rewrite(copy, "features.json", lambda document: document["features"][1].__setitem__(field, value))
    with pytest.raises(BundleRefused, match="protected characteristic"):
        RiskModel.load(copy, self_test=False)


OTHER_MACHINE = """
import sys
import numpy as np
from models import RiskModel

model = RiskModel.load(sys.argv[1], self_test=False)
rows = np.load(sys.argv[2])
np.savez(sys.argv[3], **model.margins(rows))
"""


@pytest.mark.slow
def test_another_machine_gives_the_same_margins(bundle, tmp_path):
    """Another processor (no vector instructions, code compiled afresh for it), one thread, another locale: 1e-12, and
    here to the bit."""
    rng = np.random.default_rng(11)
    rows = (rng.normal(size=(3000, 5)) * 3).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
    other |= {"OMP_NUM_THREADS": "1", "LC_ALL": "C", "NUMBA_OPT": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", OTHER_MACHINE, str(bundle), str(tmp_path / "rows.npy"), str(tmp_path / "found.npz")],
        cwd=ROOT, env={**os.environ, **other}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert any((tmp_path / "compiled").rglob("*.nbi")), "nothing was compiled for the other processor"
    there = np.load(tmp_path / "found.npz")
    for outcome, margin in RiskModel.load(bundle).margins(rows).items():
        assert np.abs(margin - there[outcome]).max() <= 1e-12
        assert np.array_equal(margin, there[outcome])


def test_a_missing_bundle_or_pointer_says_what_to_run(tmp_path):
    with pytest.raises(BundleMissing, match="upstream sync"):
        RiskModel.load(tmp_path / "nowhere")
    with pytest.raises(BundleMissing, match="no pointer `current`"):
        current_bundle(tmp_path)
    (tmp_path / "current").write_text("gone-123\n")
    with pytest.raises(BundleMissing, match="names gone-123"):
        RiskModel.load(tmp_path)
    (tmp_path / "current").write_text("../../etc\n")
    with pytest.raises(BundleDamaged, match="does not hold a bundle id"):
        RiskModel.load(tmp_path)
