"""Monitoring protocols: which test is due when, for whom (``monitoring_protocols.csv``; its semantics are
docs/clinical.md section 0)."""

from __future__ import annotations

from dataclasses import dataclass

from features.reference.files import ReferenceTableError, days, is_unverified, read_rows
from features.reference.monitoring.clinical_tests import TESTS
from features.reference.monitoring.clozapine_schedules import ClozapineSchedule, clozapine_schedule

PHASES = (
    "baseline",
    "initiation",
    "maintenance",
    "maintenance_high_risk",
    "post_stop",
    "event",
    "amber_result",
    "red_result",
    "treatment_break",
)


@dataclass(frozen=True)
class Protocol:
    """One row: days count from the first supply of the current course; ``interval_days`` None is a point check due at
    ``to_day``."""

    id: str
    scope: str
    test: str
    phase: str
    from_day: int
    to_day: int | None
    interval_days: int | None
    grace_days: int
    requirement: str
    applies_if: str
    note: str
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)


def _protocol(row: dict[str, str]) -> Protocol:
    key = row["protocol_id"]
    if row["phase"] not in PHASES:
        raise ReferenceTableError(f"monitoring_protocols.csv: row {key}: phase must be one of {', '.join(PHASES)}")
    if row["test"] not in TESTS:
        raise ReferenceTableError(f"monitoring_protocols.csv: row {key}: test is not in tests.csv; add it there")
    from_day = days(row, "from_day", "monitoring_protocols")
    interval = days(row, "interval_days", "monitoring_protocols")
    to_day = days(row, "to_day", "monitoring_protocols")
    if from_day is None:
        raise ReferenceTableError(f"monitoring_protocols.csv: row {key}: from_day is blank")
    if interval is None and to_day is None:
        raise ReferenceTableError(
            f"monitoring_protocols.csv: row {key}: needs interval_days, or to_day for a point check"
        )
    return Protocol(
        id=key,
        scope=row["medicine_or_class"],
        test=row["test"],
        phase=row["phase"],
        from_day=from_day,
        to_day=to_day,
        interval_days=interval,
        grace_days=days(row, "grace_days", "monitoring_protocols") or 0,
        requirement=row["requirement"],
        applies_if=row["applies_if"],
        note=row["note"],
        source=row["source"],
    )


def _load(schedule: ClozapineSchedule) -> tuple[Protocol, ...]:
    """Every protocol; the counts of clozapine by the weeks on treatment are those of its schedule."""
    found: list[Protocol] = []
    own = [_protocol(row) for row in read_rows(schedule.rows)] if schedule.rows else []
    for one in (_protocol(row) for row in read_rows("monitoring_protocols")):
        if own and (one.scope, one.test) == ("clozapine", "fbc") and one.phase in ("initiation", "maintenance"):
            found.extend(row for row in own if row not in found)
        else:
            found.append(one)
    return tuple(found)


PROTOCOLS: tuple[Protocol, ...] = _load(clozapine_schedule())


def protocol_days(key: str, field: str) -> int:
    """A number of days of row ``key`` that a rule needs. Raises ReferenceTableError naming the row where it is
    missing or blank."""
    row = next((one for one in PROTOCOLS if one.id == key), None)
    if row is None:
        raise ReferenceTableError(f"monitoring_protocols.csv: row {key} is missing; a rule needs it")
    found: int | None = getattr(row, field)
    if found is None:
        raise ReferenceTableError(
            f"monitoring_protocols.csv: row {key}: {field} is blank; a rule needs the number, write it"
        )
    return found
