"""A month's report in a home, as ``upstream model report`` writes it, with an alarm, a change of model and months."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RANGE = {"value": 1.62, "low": 1.31, "high": 1.93}
COUNTS = {"rows": 540, "observed": 77, "expected": 47.5, "ratio": RANGE}
STEP = {"step": "intercept", "intercept": 0.52, "slope": 1.0, "why": "an intercept suffices"}
TEST = {
    "bundle_id": "2026-01-b2", "began": "2025-05-05", "rows": 540, "observed": 77, "expected": 47.5, "evidence": 900.0,
    "alarm_at": 300, "alarm_on": "2025-09-01", "label_delay_days": 104, "rows_that_a_shift_of_half_needs": 410,
    "alarm_of": ["sum", "slope"], "slope": RANGE, "rows_that_a_slope_of_1_25_needs": 3400, "repair": STEP,
}  # fmt: skip
QUIET = {**TEST, "bundle_id": "2024-01-b1", "alarm_at": None, "alarm_on": None, "repair": {"step": "none", "why": "-"}}
KNOWN = {
    "outcome": "admission", "horizon": 90, "scored": 1200, "followed_up": 1100, "answer": "known", "everybody": COUNTS,
    "not_reviewed": COUNTS, "reviewed": {**COUNTS, "observed": 2, "ratio": None}, "capture": 0.31,
    "by_month": [{**COUNTS, "month": "2025-05", "slope": RANGE}, {**COUNTS, "month": "2025-06", "slope": None}],
    "watch": TEST, "watched_before": [QUIET],
}  # fmt: skip
UNKNOWN = {
    "outcome": "disengagement", "horizon": 180, "scored": 1200, "followed_up": 0, "answer": "cannot tell yet",
    "from_day": "2026-03-01",
}  # fmt: skip
REPORT: dict[str, Any] = {
    "month": "2026-01", "synthetic": True, "settled_until": "2026-01-20", "models": [], "plan": "p",
    "happened": [KNOWN, UNKNOWN],
    "changes": [
        {"first_list": "2025-05-05", "before": "2024-01-b1", "after": "2026-01-b2", "version": "upstream-7",
         "step": "calibration fitted again, same trees", "by": "Ada Example, model owner",
         "at": "2025-05-02T09:00:00+00:00", "why": "the alarm of April"},
    ],
    "bounds": {"intercept": 0.65, "slope": [0.75, 1.45], "fewest_events": 120, "chance": 0.02},
    "estimated": [
        {"outcome": "admission", "horizon": 90, "people": 600, "expected_events": 51.2, "expected_capture": 0.3}
    ],
    "feeds": [
        {"table": "contacts", "newest": "2026-01-30", "days_old": 1, "arrived": 4000, "arrived_the_month_before": 3900},
        {"table": "stays", "newest": None, "days_old": None, "arrived": 0, "arrived_the_month_before": 0},
    ],
    "left_out": {"no open referral": 3},
}  # fmt: skip


def put_report(home: Path, month: str = "2026-01", **changes: Any) -> Path:
    """Writes the report of a month into the home."""
    path = home / "reports" / f"month-{month}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**REPORT, "month": month, **changes}), encoding="utf-8")
    return path
