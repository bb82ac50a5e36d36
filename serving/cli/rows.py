"""The rows of the service's tables that training's commands need. ``upstream.py`` hands these functions to
``training.cli``, because training and serving never import each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def impact(home: Path) -> dict[str, pd.DataFrame]:
    from serving.nightly.rows.impact_rows import impact_rows

    return impact_rows(home)


def locks(home: Path) -> dict[str, str]:
    from serving.nightly.silent import locks_in_audit

    return locks_in_audit(home)


def month(home: Path) -> dict[str, Any]:
    from serving.nightly.rows.month_rows import month_rows

    return month_rows(home)


def exposure(home: Path) -> dict[str, Any] | None:
    from serving.nightly.rows.exposure_rows import exposure_rows

    return exposure_rows(home)


def ratings(home: Path) -> list[dict[str, Any]]:
    from serving.auditing.case_ratings import ratings_in_audit

    return ratings_in_audit(home)
