"""Who made a bundle: signed at promotion, checked before it is published, loaded and brought back."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from models.bundle.manifest import MANIFEST, Manifest, canonical, sha256
from models.bundle.not_promoted import DEMO_NOTE
from models.bundle.signature import read_signature, refuse_unsigned, sign
from models.errors import KeyUnusable, SignatureInvalid
from models.publishing import current_bundle, publish, rollback, verify
from models.signing import TRUSTED_KEYS, SigningKey, TrustedKeys, new_key
from serving.model_loader import LiveModel


@pytest.fixture
def keys(tmp_path):
    """(key of the trust, key of a stranger); the trust's public key lies in the home's folder of trusted keys."""
    new_key(tmp_path / "trust.key", tmp_path / "home" / TRUSTED_KEYS / "trust.pub")
    new_key(tmp_path / "stranger.key", tmp_path / "stranger.pub")
    return SigningKey.load(tmp_path / "trust.key"), SigningKey.load(tmp_path / "stranger.key")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "home" / "bundles"


def sealed_again(folder, change):
    """What an attacker does who knows the format: change the manifest and make its own digest agree."""
    document = json.loads((folder / MANIFEST).read_text())
    change(document)
    del document["digest"], document["bundle_id"]
    digest = sha256(canonical(document))
    (folder / MANIFEST).write_text(json.dumps(document | {"digest": digest, "bundle_id": f"made-{digest[:12]}"}))
    return Manifest.model_validate_json((folder / MANIFEST).read_bytes())


@pytest.mark.parametrize(
    ("signed_by", "said"),
    [(0, None), (1, "not among the trusted keys"), (None, "is not signed")],
    ids=["the trust", "a stranger", "nobody"],
)
def test_a_home_that_trusts_keys_publishes_what_they_signed(bundle, root, keys, signed_by, said):
    signature = None if signed_by is None else sign(verify(bundle), keys[signed_by], "A. Analyst")
    if said is None:
        published = publish(root, bundle, signature=signature)
        assert read_signature(published) == signature
        assert read_signature(published).signed_by == "A. Analyst"
    else:
        with pytest.raises(SignatureInvalid, match=said):
            publish(root, bundle, signature=signature)
        assert not (root / "current").exists()


def test_a_home_without_trusted_keys_publishes_as_before(bundle, root):
    assert read_signature(publish(root, bundle)) is None


def test_an_empty_folder_of_trusted_keys_trusts_nobody(bundle, root, keys):
    for path in (root.parent / TRUSTED_KEYS).iterdir():
        path.unlink()
    with pytest.raises(SignatureInvalid, match="not among"):
        publish(root, bundle, signature=sign(verify(bundle), keys[0], "x"))


def test_trusted_keys_may_lie_outside_the_home_and_absent_ones_trust_nobody(bundle, root, tmp_path, keys, monkeypatch):
    signature = sign(verify(bundle), keys[1], "x")
    (tmp_path / "etc").mkdir()
    shutil.copy(tmp_path / "stranger.pub", tmp_path / "etc")
    monkeypatch.setenv("UPSTREAM_TRUSTED_KEYS", str(tmp_path / "etc"))
    assert publish(root, bundle, signature=signature)
    monkeypatch.setenv("UPSTREAM_TRUSTED_KEYS", str(tmp_path / "gone"))
    with pytest.raises(SignatureInvalid):
        refuse_unsigned(verify(bundle), signature, root.parent)


def flip_synthetic(document):
    document["synthetic"] = not document["synthetic"]


def claim_another_data_set(document):
    document["data_hash"] = "0" * 64


@pytest.mark.parametrize("change", [flip_synthetic, claim_another_data_set])
def test_a_bundle_changed_and_sealed_again_is_not_published_loaded_or_brought_back(
    bundle, next_bundle, root, keys, change
):
    first = publish(root, bundle, signature=sign(verify(bundle), keys[0], "A. Analyst"))
    copy = Path(shutil.copytree(first, root.parent / "copy"))
    manifest = sealed_again(copy, change)
    with pytest.raises(SignatureInvalid, match="was altered"):
        publish(root, copy)
    assert current_bundle(root) == first

    # The same in the place of the published one, under the pointer: the service does not take it.
    copy.rename(root / manifest.bundle_id)
    (root / "current").write_text(manifest.bundle_id)
    live = LiveModel(root, poll_seconds=60)
    live.check()
    assert live.current is None and "SignatureInvalid" in live.standing.problem

    (root / "last_good").write_text(manifest.bundle_id)
    with pytest.raises(SignatureInvalid):
        rollback(root)


def test_a_signature_of_another_purpose_is_none(bundle, root, keys):
    manifest = verify(bundle)
    audit = keys[0].sign("audit checkpoint", manifest.own_digest().encode(), "x")
    with pytest.raises(SignatureInvalid, match="altered"):
        publish(root, bundle, signature=audit)


def test_a_demo_shows_its_refused_model_unsigned(bundle, root, keys):
    (root.parent / DEMO_NOTE).write_text("{}")
    assert read_signature(publish(root, bundle, not_promoted=["stability"])) is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.chmod(0o640), "chmod 600"),
        (lambda path: path.write_text("no key"), "no Ed25519"),
        (lambda path: path.unlink(), "upstream keys new"),
    ],
    ids=["open to others", "not a key", "absent"],
)
def test_a_private_key_that_cannot_be_trusted_is_refused(tmp_path, keys, spoil, said):
    spoil(tmp_path / "trust.key")
    with pytest.raises(KeyUnusable, match=said):
        SigningKey.load(tmp_path / "trust.key")


def test_a_public_file_that_is_no_key_is_named(tmp_path):
    (tmp_path / "odd.pub").write_text("hello")
    with pytest.raises(KeyUnusable, match=r"odd\.pub"):
        TrustedKeys.load(tmp_path)


def test_a_new_key_is_for_its_owner_and_overwrites_none(tmp_path):
    new_key(tmp_path / "a.key", tmp_path / "a.pub")
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    before = (tmp_path / "a.key").read_bytes()
    with pytest.raises(KeyUnusable, match="never overwritten"):
        new_key(tmp_path / "a.key", tmp_path / "b.pub")
    assert (tmp_path / "a.key").read_bytes() == before
