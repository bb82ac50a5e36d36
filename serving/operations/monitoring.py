"""Values for ``/metrics`` about the model, the list and the data. It never fails: a database that does not answer is
one of the values.
"""

from __future__ import annotations

import threading
from typing import Any

from models import RiskModel
from serving.observability.metrics import GaugeValues, WatchedValues
from serving.operations import repository
from serving.operations.drift import drifted
from serving.operations.month_reports import newest_report
from serving.runs.repository import current_run
from serving.state import Service
from serving.storage.database import DatabaseUnavailable


class Monitor:
    """Reads the state on each scrape. The drift of a list is computed once, because a published list never changes."""

    def __init__(self) -> None:
        self._drift: tuple[str, dict[str, float] | None] = ("", None)
        self._lock = threading.Lock()

    def standing(self, service: Service) -> GaugeValues:
        standing = service.live.standing
        model = standing.model
        about: dict[str, Any] = {
            "bundle": model.manifest.bundle_id if model else "",
            "version": model.manifest.model_version if model else "",
            "model_refused": bool(standing.problem) and model is not None,
            **_watched(service),
        }
        try:
            with service.database.read(repository.MONITORING) as connection:
                run = current_run(connection)
                if run is None:
                    return GaugeValues(**about, database_up=True)
                return GaugeValues(
                    **about,
                    database_up=True,
                    list_people=repository.people_by_team(connection),
                    list_as_of=run.as_of,
                    newest_record_on=run.newest_record_on,
                    drifted=self._drifted(connection, run, model),
                )
        except DatabaseUnavailable:
            return GaugeValues(**about)

    def drift_of(self, service: Service) -> dict[str, float] | None:
        """Inputs of the published list that left those of training; None if it is not known."""
        with service.database.read(repository.MONITORING) as connection:
            run = current_run(connection)
            return None if run is None else self._drifted(connection, run, service.live.current)

    def _drifted(self, connection: Any, run: Any, model: RiskModel | None) -> dict[str, float] | None:
        """None if the list was made by another model than the one whose training summary is loaded."""
        if model is None or run.bundle_id != model.manifest.bundle_id:
            return None
        with self._lock:
            if self._drift[0] != run.run_id:
                names = [feature["name"] for feature in run.features]
                values = repository.inputs(connection, len(names))
                self._drift = (run.run_id, drifted(values, names, model.reference))
            return self._drift[1]


def _watched(service: Service) -> dict[str, Any]:
    """What the newest month's report says about the serving model; nothing where there is no report."""
    found = newest_report(service.settings.home)
    if found.report is None:
        return {}
    return {
        "report_written_on": found.written_on,
        "watched": tuple(
            WatchedValues(
                one.outcome,
                one.horizon,
                one.watch.alarm_on is not None,
                one.not_reviewed.ratio.value if one.not_reviewed and one.not_reviewed.ratio else None,
            )
            for one in found.report.happened
            if one.watch is not None
        ),
    }
