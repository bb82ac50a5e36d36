"""What a bundle holds and what is refused when it is written. Whatever interrupts a publisher, the pointer names a
whole bundle."""

import errno
import fcntl
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from models import BundleBusy, BundleDamaged, BundleMissing, BundleRefused, BundleUnwritable, Calibration, RiskModel
from models.bundle.input_summary import golden_rows, summarise
from models.publishing import current_bundle, last_good_bundle, publish, rollback, verify, write_bundle
from tests.conftest import ROOT
from tests.models.conftest import FILES, rewrite

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
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
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
    from tests.models.fault_table import FAULTS, FILES, NO_FAULT

    listed = [name for _, _, tests in FAULTS for name in tests]
    here = [name for file in FILES for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)]
    assert sorted([*listed, *NO_FAULT]) == sorted(here)
