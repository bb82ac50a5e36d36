"""The signature of a bundle: made at promotion, checked before a bundle is published, loaded or scored with.

It signs the manifest's digest, which covers every file, and whether the data was synthetic. It is in
``signature.json`` next to the manifest, the only file of a bundle that the manifest cannot list.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from models.bundle.manifest import SIGNATURE, Manifest
from models.errors import BundleDamaged, SignatureInvalid
from models.signing import Signature, SigningKey, TrustedKeys

_PURPOSE = "bundle"


def sign(manifest: Manifest, key: SigningKey, by: str) -> Signature:
    """The signature of a bundle by the person who promotes it."""
    return key.sign(_PURPOSE, manifest.own_digest().encode(), by)


def read_signature(folder: Path) -> Signature | None:
    """The signature in a bundle's folder, None where it was not signed. Raises ``BundleDamaged`` for a file that is no
    signature."""
    try:
        return Signature.model_validate_json((folder / SIGNATURE).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise BundleDamaged(f"{folder.name}: {SIGNATURE} cannot be read; promote and sync again") from None


def refuse_unsigned(manifest: Manifest, signature: Signature | None, home: Path | None) -> None:
    """Raises ``SignatureInvalid`` where the home trusts keys and none of them signed this bundle.

    A home without trusted keys requires no signature (``upstream doctor`` says so). A model that was not promoted has
    no signature; ``not_promoted.refuse_unless_demo`` allows it only in a demo's home.
    """
    trusted = TrustedKeys.of_home(home)
    if trusted is None or manifest.not_promoted:
        return
    if signature is None:
        raise SignatureInvalid(
            f"{manifest.bundle_id} is not signed, and this home publishes signed bundles only: promote it with "
            "--sign-with, then `upstream sync`"
        )
    try:
        trusted.check(_PURPOSE, manifest.own_digest().encode(), signature)
    except SignatureInvalid as error:
        raise SignatureInvalid(f"{manifest.bundle_id}: {error}; `upstream sync` or `upstream rollback`") from None
