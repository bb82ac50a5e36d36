"""The history of a version: every decision on it, in order, each a tag of its own that nothing writes again.

The tags ``promotion.*`` and ``rollback.*`` hold the last decision; these hold all of them, refusals among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from training.registry.tracking import Store, Version

PREFIX = "history."


def of(version: Version) -> list[dict[str, Any]]:
    """Every decision on ``version``, oldest first: ``decision`` (promoted, refused, withdrawn or restored), ``at``,
    ``by``, ``why``, and what else was recorded with it."""
    return [json.loads(version.tags[name]) for name in sorted(version.tags) if name.startswith(PREFIX)]


def add(store: Store, version: Version, decision: Mapping[str, Any]) -> None:
    """Adds a decision at the end. The version is read again first, so that nothing is written over."""
    taken = sum(name.startswith(PREFIX) for name in store.find(version.version).tags)
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **decision}
    store.tag(version.version, {f"{PREFIX}{taken + 1:04d}": json.dumps(entry)})
