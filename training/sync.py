"""From the registry to the service: fetch the champion's bundle, verify it, and make it the one that serves.

The service reads bundles and never MLflow; this is the only step between them, and it can be run as often as one likes.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle import current_bundle, publish, verify
from models.errors import BundleError
from training import tracking
from training.settings import Settings, TrackingSettings
from training.tracking import CHAMPION

STATE = "sync.json"


def sync(home: str | Path, settings: Settings | TrackingSettings | None = None) -> dict[str, Any]:
    """Publish the champion's bundle to ``home/bundles``. Gives what is serving now, what served before, and whether that changed.

    Raises StoreAbsent, NoChampion, ArtefactAbsent, or a BundleError of ``models``; then what served goes on serving.
    """
    home = Path(home)
    chosen = settings.tracking if isinstance(settings, Settings) else settings
    store = tracking.open_store(home, chosen)
    champion = store.version(CHAMPION)
    root = home / "bundles"
    before = _serving(root)
    with store.files_of(champion.run_id, tracking.BUNDLE) as folder:
        manifest = verify(folder)
        changed = before != manifest.bundle_id
        if changed:
            publish(root, folder)
    state = {
        "bundle_id": manifest.bundle_id,
        "previous_bundle_id": before,
        "changed": changed,
        "model": champion.name,
        "version": champion.version,
        "run_id": champion.run_id,
        "synthetic": manifest.synthetic,
        "synced_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write(home / STATE, state)
    return state


def _serving(root: Path) -> str | None:
    """The bundle that serves, where there is one and it is whole."""
    try:
        return verify(current_bundle(root)).bundle_id
    except BundleError:
        return None


def _write(path: Path, state: dict[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
