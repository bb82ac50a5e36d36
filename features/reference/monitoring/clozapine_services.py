"""Clozapine monitoring services and the break in treatment after which each asks for weekly blood counts again.

The names that a record may hold stand here once; the days stand in ``thresholds.csv``.
"""

from __future__ import annotations

from features.reference.monitoring.thresholds import low_limit

STRICTEST = "th026"
"""Used where the service is not recorded (docs/clinical.md section 4.6)."""
SERVICES: dict[str, str] = {
    "cpms": "th027",
    "clozaril": "th027",
    "dms": "th026",
    "denzapine": "th026",
    "ztas": "th026",
    "zaponex": "th026",
}
"""The row of ``thresholds.csv`` that holds each service's limit, by the service's name or its brand of clozapine."""
RESET_DAYS: dict[str, float] = {service: low_limit(row) for service, row in SERVICES.items()}
"""Days without a dose above which blood counts start again, by service."""
STRICTEST_DAYS = low_limit(STRICTEST)
if min(RESET_DAYS.values()) != STRICTEST_DAYS:
    raise ValueError(f"thresholds.csv: row {STRICTEST}: must be the strictest limit of all services")
