"""Takes a model from the registry to the service: fetches the champion's bundle, verifies it, and puts it into service.

The service reads bundles and never MLflow; this is the only step between them, and it can be run at any time.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle.manifest import Manifest
from models.bundle.not_promoted import marked
from models.bundle.signature import read_signature
from models.errors import BundleError
from models.publishing import current_bundle, publish, verify
from training.registry import tracking
from training.registry.promotion import Promotion
from training.registry.signatures import signature_of
from training.registry.tracking import CHAMPION, Store, Version
from training.settings import Settings, TrackingSettings

STATE = "sync.json"


# The recorded figures that show at a glance whether the list got better, one of each for every outcome and horizon.
COMPARED = ("auroc", "scaled_brier", "calibration_slope", "captured_at_slots")


def sync(home: str | Path, settings: Settings | TrackingSettings | None = None) -> dict[str, Any]:
    """Publishes the champion's bundle to ``home/bundles``. Returns the bundle served now, the one before, and the
    changes between them.

    ``changes`` holds the version before, features and outcomes added and removed, and ``metrics`` {name: {before,
    now}}; it is None if the champion is already served or nothing was served. Raises StoreAbsent, NoChampion,
    ArtefactAbsent, or a BundleError of ``models``; then the served bundle stays the same.
    """
    chosen = settings.tracking if isinstance(settings, Settings) else settings
    store = tracking.open_store(Path(home), chosen)
    return _publish(Path(home), store, store.version(CHAMPION))


def sync_refused(home: str | Path, settings: Settings, promotion: Promotion) -> dict[str, Any]:
    """Publishes a version that the gates refused, marked with those gates. Allowed only in the home of a demo, for a
    model of synthetic data: raises BundleRefused otherwise. Returns the same as ``sync``.
    """
    store = tracking.open_store(Path(home), settings.tracking)
    return _publish(Path(home), store, store.find(promotion.version), promotion.reasons)


def _publish(home: Path, store: Store, champion: Version, refused_by: tuple[str, ...] = ()) -> dict[str, Any]:
    root = home / "bundles"
    before = _serving(root)
    with store.files_of(champion.run_id, tracking.BUNDLE) as folder:
        manifest = verify(folder)
        if refused_by:
            manifest = marked(manifest, refused_by)
        signature = None if refused_by else signature_of(champion)
        changed = before is None or before.manifest.bundle_id != manifest.bundle_id
        if changed or read_signature(root / manifest.bundle_id) != signature:
            publish(root, folder, not_promoted=refused_by, signature=signature)
        changes = None if before is None or not changed else _changes(store, before, Opened.of(folder, manifest))
    state = {
        "bundle_id": manifest.bundle_id,
        "previous_bundle_id": None if before is None else before.manifest.bundle_id,
        "changed": changed,
        "model": champion.name,
        "version": champion.version,
        "run_id": champion.run_id,
        "synthetic": manifest.synthetic,
        "signed_by": None if signature is None else signature.signed_by,
        "not_promoted": list(refused_by),
        "synced_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "changes": changes,
    }
    _write(home / STATE, state)
    return state


def lines(state: dict[str, Any]) -> list[str]:
    """The result of ``sync`` as lines for a terminal."""
    verb = "now serves" if state["changed"] else "serves already"
    signed = f", signed by {state['signed_by']}" if state.get("signed_by") else ", not signed"
    found = [f"version {state['version']} {verb}: bundle {state['bundle_id']}{signed}"]
    changes = state["changes"]
    if changes is None:
        return found
    found.append(f"before: version {changes['version'] or 'not in the registry'}, bundle {state['previous_bundle_id']}")
    for what in ("outcomes", "features"):
        for how in ("added", "removed"):
            names = changes[f"{what}_{how}"]
            if names:
                found.append(f"{what} {how}: {', '.join(names)}")
    if not any(changes[f"features_{how}"] for how in ("added", "removed")):
        found.append("features: the same")
    found += [
        f"{name}: {_number(pair['before'])} before, {_number(pair['now'])} now"
        for name, pair in changes["metrics"].items()
    ]
    return found


@dataclass(frozen=True)
class Opened:
    """The parts of a bundle that are compared."""

    manifest: Manifest
    features: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> Opened:
        document = json.loads((folder / "features.json").read_bytes())
        return cls(manifest, tuple(feature["name"] for feature in document["features"]))


def _changes(store: Store, before: Opened, now: Opened) -> dict[str, Any]:
    old, new = (store.metrics_of(opened.manifest.run_id) for opened in (before, now))
    compared = [name for name in sorted({*old, *new}) if name.rpartition("/")[2] in COMPARED]
    return {
        "version": store.version_of_run(before.manifest.run_id),
        "features_added": sorted({*now.features} - {*before.features}),
        "features_removed": sorted({*before.features} - {*now.features}),
        "outcomes_added": sorted(_pairs(now) - _pairs(before)),
        "outcomes_removed": sorted(_pairs(before) - _pairs(now)),
        "metrics": {name: {"before": old.get(name), "now": new.get(name)} for name in compared},
    }


def _pairs(opened: Opened) -> set[str]:
    return {f"{name}_{days}" for name, entry in opened.manifest.outcomes.items() for days in entry.horizons}


def _number(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:.3f}"


def _serving(root: Path) -> Opened | None:
    """The served bundle, if there is one and it is undamaged."""
    try:
        folder = current_bundle(root)
        return Opened.of(folder, verify(folder))
    except BundleError:
        return None


def _write(path: Path, state: dict[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
