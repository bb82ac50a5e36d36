"""Models that the promotion gates refused. Only a demo may show one, and marks it.

A demo of a few hundred simulated people cannot always pass the gates, and must still end with a page. The manifest of
such a bundle lists the gates that refused. Publishing, scoring and serving each call ``refuse_unless_demo`` first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from models.bundle.manifest import Manifest
from models.errors import BundleRefused

DEMO_NOTE = "demo.json"
"""A file that only ``upstream demo`` writes, into the home that it makes."""


def is_demo(home: Path) -> bool:
    """True for a home that ``upstream demo`` made."""
    return (home / DEMO_NOTE).is_file()


def marked(manifest: Manifest, gates: Sequence[str]) -> Manifest:
    """The manifest of the same model with the gates that refused it, under a new id."""
    draft = manifest.model_copy(update={"not_promoted": tuple(gates)})
    digest = draft.own_digest()
    label = re.sub(r"-[0-9a-f]{12}$", "", manifest.bundle_id)
    return draft.model_copy(update={"digest": digest, "bundle_id": f"{label}-{digest[:12]}"})


def refuse_unless_demo(manifest: Manifest, home: Path | None, *, synthetic: bool = True) -> None:
    """Raises ``BundleRefused`` for a model that was not promoted, unless it was trained on synthetic data and serves
    synthetic data in a demo's home. ``home`` is None if there is no home folder.
    """
    if not manifest.not_promoted:
        return
    if manifest.synthetic and synthetic and home is not None and is_demo(home):
        return
    raise BundleRefused(
        f"{manifest.bundle_id} was not promoted ({len(manifest.not_promoted)} gates refused): only `upstream demo` "
        "shows such a model, on synthetic data. Train again, `upstream promote`, then `upstream sync`"
    )
