"""The history of a version: every decision on it in order, each in its own tag that is never overwritten.

The tags ``promotion.*`` and ``rollback.*`` hold the last decision; these hold all of them, including refusals.
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
    ``by``, ``why``, and what else was recorded.
    """
    return [json.loads(version.tags[name]) for name in sorted(version.tags) if name.startswith(PREFIX)]


def add(store: Store, version: Version, decision: Mapping[str, Any]) -> None:
    """Adds a decision at the end. It reads the version again first, so that nothing is overwritten."""
    taken = sum(name.startswith(PREFIX) for name in store.find(version.version).tags)
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **decision}
    store.tag(version.version, {f"{PREFIX}{taken + 1:04d}": json.dumps(entry)})
