"""A demo shows a model that promotion refused, marked. Nothing else publishes it, scores with it or goes back to it."""

from __future__ import annotations

import json

import pytest

from models import BundleRefused, RiskModel
from models.bundle.manifest import MANIFEST
from models.bundle.not_promoted import DEMO_NOTE, refuse_unless_demo
from models.errors import BundleDamaged
from models.publishing import current_bundle, publish, rollback, verify, write_bundle

GATES = ("REFUSED: admission_90.calibration_slope: 0.60 (needed: 0.8 to 1.25)",)


@pytest.fixture
def demo(tmp_path):
    """The home that ``upstream demo`` makes."""
    (tmp_path / DEMO_NOTE).write_text("{}")
    return tmp_path


def test_a_demo_shows_it_with_the_gates_that_refused(demo, bundle):
    folder = publish(demo / "bundles", bundle, not_promoted=GATES)
    assert RiskModel.load(demo / "bundles").manifest.not_promoted == GATES
    assert folder.name != verify(bundle).bundle_id, "no other bundle may be taken for it"
    assert verify(bundle).not_promoted == (), "the bundle of the run stays as it was"


def test_any_other_home_refuses_it(tmp_path, bundle, next_bundle):
    publish(tmp_path / "bundles", next_bundle)
    before = current_bundle(tmp_path / "bundles")
    with pytest.raises(BundleRefused, match="only `upstream demo` shows"):
        publish(tmp_path / "bundles", bundle, not_promoted=GATES)
    assert current_bundle(tmp_path / "bundles") == before


def test_a_model_of_real_records_is_refused_in_a_demo_too(demo, parts):
    real = parts | {"provenance": parts["provenance"] | {"synthetic": False}}
    folder = write_bundle(demo / "made", **real)
    with pytest.raises(BundleRefused, match="was not promoted"):
        publish(demo / "bundles", folder, not_promoted=GATES)
    assert not (demo / "bundles" / "current").exists()


def test_a_marked_bundle_is_not_published_from_a_demo_into_another_home(demo, bundle, tmp_path_factory):
    marked = publish(demo / "bundles", bundle, not_promoted=GATES)
    with pytest.raises(BundleRefused):
        publish(tmp_path_factory.mktemp("trust") / "bundles", marked)


def test_rollback_does_not_bring_it_back_once_the_home_is_no_demo(demo, bundle, next_bundle):
    publish(demo / "bundles", bundle, not_promoted=GATES)
    publish(demo / "bundles", next_bundle)
    (demo / DEMO_NOTE).unlink()
    with pytest.raises(BundleRefused):
        rollback(demo / "bundles")


def test_the_mark_cannot_be_taken_off_by_hand(demo, bundle):
    folder = publish(demo / "bundles", bundle, not_promoted=GATES)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"not_promoted": []}))
    with pytest.raises(BundleDamaged):
        verify(folder)


def test_data_that_is_not_synthetic_is_refused(demo, bundle):
    manifest = verify(publish(demo / "bundles", bundle, not_promoted=GATES))
    refuse_unless_demo(manifest, demo, synthetic=True)
    for home, synthetic in ((demo, False), (None, True)):
        with pytest.raises(BundleRefused):
            refuse_unless_demo(manifest, home, synthetic=synthetic)
