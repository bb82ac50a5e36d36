"""Who put a version in service, when, why, and what was done to it: for the month's report of the served model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.errors import NoRun, StoreAbsent
from training.registry import history, tracking
from training.settings import TrackingSettings

RECALIBRATED = "recalibrated_from"
"""Tag of a version whose trees are those of another bundle: only its slope and offsets were fitted."""
IN_SERVICE = ("promoted", "restored")


def decisions(home: Path | str, settings: TrackingSettings, model_versions: Iterable[str]) -> dict[str, Any]:
    """By model version as the lists name it (``upstream-3``): every time it was put in service, oldest first, with
    ``at``, ``by``, ``why`` and ``step``. Versions that the store does not know are left out, and all without a store.
    """
    try:
        store = tracking.open_store(home, settings)
    except StoreAbsent:
        return {}
    found = {}
    for name in sorted(set(model_versions)):
        registered, _, number = name.rpartition("-")
        if registered != settings.registered_model or not number.isdecimal():
            continue
        try:
            version = store.find(number)
        except NoRun:
            continue
        grown = "calibration fitted again, same trees" if version.tags.get(RECALIBRATED) else "trained again"
        found[name] = [
            {
                "at": one["at"],
                "by": one["by"],
                "why": one["why"],
                "step": "put back" if one["decision"] == "restored" else grown,
            }
            for one in history.of(version)
            if one["decision"] in IN_SERVICE
        ]
    return found
