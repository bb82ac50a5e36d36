"""The signature of a promoted bundle, kept as a tag of its version until ``sync`` copies it."""

from __future__ import annotations

from pydantic import ValidationError

from models.bundle.manifest import Manifest
from models.bundle.signature import sign
from models.errors import BundleDamaged
from models.signing import Signature, SigningKey
from training.registry.tracking import Version

TAG = "promotion.signature"


def tag(manifest: Manifest, key: SigningKey, by: str) -> dict[str, str]:
    """The tag that says who promoted and signed this bundle."""
    return {TAG: sign(manifest, key, by).model_dump_json()}


def signature_of(version: Version) -> Signature | None:
    """The signature made when a version was promoted, None where none was made. Raises ``BundleDamaged``."""
    kept = version.tags.get(TAG)
    try:
        return None if kept is None else Signature.model_validate_json(kept)
    except ValidationError:
        raise BundleDamaged(f"version {version.version}: its tag {TAG} is no signature; promote it again") from None
