"""The fault table of a bundle: whatever is damaged is refused by name, and whatever interrupts a publisher, the
pointer names a whole bundle."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import (
    BundleBusy,
    BundleDamaged,
    BundleError,
    BundleIncompatible,
    BundleMissing,
    BundleRefused,
    BundleUnwritable,
    Calibration,
    RiskModel,
)
from models.bundle.input_summary import golden_rows, summarise
from models.bundle.manifest import sha256
from models.publishing import (
    current_bundle,
    last_good_bundle,
    publish,
    rollback,
    verify,
    write_bundle,
)

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = (
    "manifest.json",
    "booster_admission.txt",
    "booster_disengagement.txt",
    "calibration.json",
    "features.json",
    "reference.json",
    "card.json",
    "golden.json",
)


@pytest.fixture
def copy(bundle, tmp_path):
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def rewrite(folder, name, change):
    """Change a file and make the manifest agree, as someone would who knows the format."""
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document))
    manifest = verify_free(folder)
    data = (folder / name).read_bytes()
    manifest["files"][name] = {"sha256": sha256(data), "bytes": len(data)}
    seal(folder, manifest)


def verify_free(folder):
    return json.loads((folder / "manifest.json").read_text())


def seal(folder, manifest):
    body = {key: value for key, value in manifest.items() if key not in ("digest", "bundle_id")}
    digest = sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())
    manifest |= {"digest": digest, "bundle_id": f"forged-{digest[:12]}"}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def shift(golden, by):
    golden["expected"]["admission"]["margin"][5][1] += by


# What is in it


def test_a_bundle_is_these_plain_files_and_no_pickle(bundle):
    assert sorted(path.name for path in bundle.iterdir()) == sorted(FILES)
    manifest = verify(bundle)
    assert manifest.bundle_id.startswith("run-7-")
    assert manifest.versions.numpy == np.__version__
    assert {name: entry.horizons for name, entry in manifest.outcomes.items()} == {
        "admission": (28, 90, 180),
        "disengagement": (90, 180),
    }
    assert all(path.read_bytes().decode() for path in bundle.iterdir())


def test_what_it_keeps_of_the_training_data_is_no_row_of_it(parts, bundle):
    matrix = parts["reference_matrix"].astype(np.float64)
    golden = json.loads((bundle / "golden.json").read_text())["rows"]
    people = {tuple(row) for row in np.nan_to_num(matrix, nan=-999.0)}
    assert len(golden) == 32
    assert not any(tuple(-999.0 if v is None else v for v in row) in people for row in golden[:-1])
    assert golden[-1] == [None] * 5


def test_reference_of_a_small_column():
    skewed, holes, empty = summarise(
        np.array([[0.0, 1, np.nan], [0, 2, np.nan], [0, 3, np.nan], [5, np.nan, np.nan]]), ["s", "h", "e"]
    )["features"]
    assert skewed["edges"][0] == 0.0
    assert skewed["shares"][0] == 0.75  # three zeros share the first bin
    assert sum(skewed["shares"]) == pytest.approx(1)
    assert (holes["missing_share"], holes["edges"][0] > 1, holes["edges"][-1] < 3) == (0.25, True, True)
    assert empty == {"name": "e", "missing_share": 1.0, "edges": [], "shares": [], "low": None, "high": None}
    assert golden_rows(np.ones((1, 2))).shape == (32, 2)


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
    manifest = verify_free(copy)
    seal(copy, manifest | {"format": other})
    with pytest.raises(BundleIncompatible, match=f"bundle format {other}, this code reads 1, 2, 3"):
        RiskModel.load(copy)


def test_the_format_before_is_still_read(copy):
    """Format 1 had neither margins in its golden rows nor the version of numba."""
    rewrite(copy, "golden.json", lambda document: [entry.pop("margin") for entry in document["expected"].values()])
    manifest = verify_free(copy)
    del manifest["versions"]["numba"]
    seal(copy, manifest | {"format": 1})
    assert RiskModel.load(copy).manifest.versions.numba == ""


@pytest.mark.parametrize("made_with", ["99.0.0", "unreadable"])
def test_a_newer_lightgbm_is_refused(copy, made_with):
    manifest = verify_free(copy)
    manifest["versions"]["lightgbm"] = made_with
    seal(copy, manifest)
    with pytest.raises(BundleIncompatible, match=f"made with LightGBM {made_with}, installed is 4"):
        RiskModel.load(copy)


@pytest.mark.parametrize(
    ("library", "version"), [("lightgbm", "3.3.5"), ("lightgbm", "4.0.0"), ("numba", "0.1"), ("numpy", "9.0")]
)
def test_any_other_difference_of_versions_is_left_to_the_golden_rows(copy, library, version):
    manifest = verify_free(copy)
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
    manifest = verify_free(copy)
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
    manifest = verify_free(copy)
    (copy / "manifest.json").write_text(json.dumps(manifest | {key: value}))
    with pytest.raises(BundleDamaged, match="does not match its own digest"):
        RiskModel.load(copy)


def test_a_manifest_names_no_file_outside_its_folder(copy):
    manifest = verify_free(copy)
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
    other |= {"OMP_NUM_THREADS": "1", "LC_ALL": "C", "NUMBA_OPT": "1", "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(
        [sys.executable, "-c", OTHER_MACHINE, str(bundle), str(tmp_path / "rows.npy"), str(tmp_path / "found.npz")],
        cwd=REPOSITORY, env={**os.environ, **other}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert any((tmp_path / "compiled").rglob("*.nbi")), "nothing was compiled for the other processor"
    there = np.load(tmp_path / "found.npz")
    for outcome, margin in RiskModel.load(bundle).margins(rows).items():
        assert np.abs(margin - there[outcome]).max() <= 1e-12
        assert np.array_equal(margin, there[outcome])


def test_nothing_there(tmp_path):
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


# Writing


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p["provenance"].pop("synthetic"), "synthetic=True or False"),
        (lambda p: p.update(features=p["features"][:-1]), "reads 6 columns, expected 4 features"),
        (lambda p: p.update(features=(*p["features"][:-1], p["features"][0])), "repeated"),
        (
            lambda p: p.update(features=(*p["features"][:-1], replace(p["features"][4], name="deprivation_decile"))),
            "rule 6",
        ),
        (lambda p: p.update(features=(*p["features"][:-1], replace(p["features"][4], concept="housing"))), "rule 6"),
        (
            lambda p: p.update(horizons={"admission": (28, 90), "disengagement": (90, 180)}),
            "calibrate at the same horizons",
        ),
        (lambda p: p["calibration"].pop("admission"), "the same outcomes in each"),
        (lambda p: p.update(reference_matrix=np.zeros((0, 5))), "at least one row"),
        (lambda p: p["card"].update(auroc=float("nan")), "None for NaN"),
        (lambda p: p["concepts"].update(supply_gap={"label": "x", "raises": "because", "lowers": "y"}), "not a cause"),
    ],
)
def test_parts_that_do_not_fit_are_refused_and_leave_nothing(parts, tmp_path, change, says):
    own = {key: dict(value) if isinstance(value, dict) else value for key, value in parts.items()}
    change(own)
    with pytest.raises(BundleRefused, match=says):
        write_bundle(tmp_path / "bundle", **own)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_never_overwritten(parts, copy):
    with pytest.raises(BundleRefused, match="never overwritten"):
        write_bundle(copy, **parts)


@pytest.mark.parametrize("call", range(0, 11, 2))
def test_a_full_disk_while_writing_leaves_nothing(parts, tmp_path, monkeypatch, call):
    real, calls = os.fsync, iter(range(100))

    def full(handle):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr("models.bundle.atomic.os.fsync", full)
    if call < 9:  # eight files and their folder; the later calls sync what already stands
        with pytest.raises(BundleUnwritable, match="No space left"):
            write_bundle(tmp_path / "bundle", **parts)
        assert list(tmp_path.iterdir()) == []
    else:
        verify(write_bundle(tmp_path / "bundle", **parts))


@pytest.mark.parametrize("call", range(13))
def test_a_full_disk_while_publishing_leaves_what_served(bundle, next_bundle, tmp_path, monkeypatch, call):
    """Eight files and two folders of the copy, then the pointer to the last good one and its folder, then the pointer
    itself."""
    root = tmp_path / "bundles"
    first = publish(root, bundle)
    real, calls = os.fsync, iter(range(100))

    def full(handle):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr("models.bundle.atomic.os.fsync", full)
    with pytest.raises(BundleUnwritable, match="No space left"):
        publish(root, next_bundle)
    monkeypatch.setattr("models.bundle.atomic.os.fsync", real)
    assert current_bundle(root) == first
    RiskModel.load(root)
    publish(root, next_bundle)
    assert not list(root.glob(".*.partial"))


# Publishing


def test_publish_swaps_the_pointer_and_keeps_the_last_good(bundle, next_bundle, tmp_path):
    root = tmp_path / "bundles"
    first = publish(root, bundle)
    assert current_bundle(root) == first
    with pytest.raises(BundleMissing, match="last_good"):
        last_good_bundle(root)
    second = publish(root, next_bundle)
    assert (current_bundle(root), last_good_bundle(root)) == (second, first)
    assert publish(root, next_bundle) == second  # again: nothing changes
    assert (current_bundle(root), last_good_bundle(root)) == (second, first)
    assert RiskModel.load(root).manifest == verify(next_bundle)
    assert rollback(root) == first
    assert (current_bundle(root), last_good_bundle(root)) == (first, second)


def test_a_bundle_that_fails_its_self_test_never_serves(bundle, copy, tmp_path):
    root = tmp_path / "bundles"
    first = publish(root, bundle)
    rewrite(copy, "calibration.json", lambda document: document["admission"].update(slope=2.5))
    with pytest.raises(BundleRefused, match="self-test failed"):
        publish(root, copy)
    assert current_bundle(root) == first


def test_a_damaged_copy_under_the_root_is_replaced(bundle, tmp_path):
    root = tmp_path / "bundles"
    first = publish(root, bundle)
    (first / "card.json").write_text("{}")
    with pytest.raises(BundleDamaged):
        RiskModel.load(root)
    publish(root, bundle)
    RiskModel.load(root)


def test_a_damaged_bundle_does_not_become_the_last_good(bundle, next_bundle, tmp_path):
    root = tmp_path / "bundles"
    first = publish(root, bundle)
    (first / "card.json").write_text("{}")
    publish(root, next_bundle)
    with pytest.raises(BundleMissing):
        last_good_bundle(root)


def test_a_second_publisher_waits_then_gives_up(bundle, tmp_path):
    root = tmp_path / "bundles"
    publish(root, bundle)
    with (root / ".lock").open("ab") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(BundleBusy, match="another publisher"):
            publish(root, bundle, wait_seconds=0.1)


def test_two_publishers_at_once_leave_two_whole_bundles(bundle, next_bundle, tmp_path):
    root = tmp_path / "bundles"
    threads = [threading.Thread(target=publish, args=(root, folder)) for folder in (bundle, next_bundle) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {verify(path).bundle_id for path in root.iterdir() if path.is_dir()} == {
        current_bundle(root).name,
        last_good_bundle(root).name,
    }


KILLER = """
import os, shutil, sys
from pathlib import Path
from models.publishing import current_bundle, publish, verify
import models.bundle.atomic

old, new, root = map(Path, sys.argv[1:])
publish(root, old)
before = current_bundle(root).name
steps = 0
while True:
    child = os.fork()
    if child == 0:
        left = steps
        def step(real):
            def counted(*arguments, **named):
                global left
                if left == 0:
                    os._exit(9)  # as a kill: no clean-up runs
                left -= 1
                return real(*arguments, **named)
            return counted
        os.fsync = step(os.fsync)
        Path.rename, Path.replace, Path.mkdir = step(Path.rename), step(Path.replace), step(Path.mkdir)
        publish(root, new)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    now = verify(current_bundle(root)).bundle_id
    print(steps, code, now == before, flush=True)
    if code == 0:
        break
    assert code == 9, code
    steps += 1
"""


def test_a_publisher_killed_at_every_step_leaves_a_pointer_to_a_whole_bundle(bundle, next_bundle, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", KILLER, str(bundle), str(next_bundle), str(tmp_path / "bundles")],
        cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert len(lines) > 10  # eight files, folders, renames, pointers
    assert lines[0][2] == "True"  # killed at once: the old bundle serves
    assert lines[-1][1:] == ["0", "False"]  # left alone: the new one does
    assert not list((tmp_path / "bundles").glob(".*.partial"))  # and what the killed left is swept away


def test_calibration_in_a_bundle_reads_back_exactly(parts, bundle):
    document = json.loads((bundle / "calibration.json").read_text())
    assert {name: Calibration.from_json(data) for name, data in document.items()} == parts["calibration"]


def test_the_fault_table_lists_every_test():
    """``python -m tests.models.fault_table`` prints it."""
    from tests.models.fault_table import FAULTS, NO_FAULT

    listed = [name for _, _, tests in FAULTS for name in tests]
    here = {name for name in globals() if name.startswith("test_")}
    assert sorted([*listed, *NO_FAULT]) == sorted(here)
