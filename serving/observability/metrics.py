"""Metrics for Prometheus: latency, refused requests, people scored, age of the data, drift.

Labels are routes, outcomes of access checks, teams and bundles; never a person, an address or a caller. Counters live
in a registry of the application. Values in the database are read on each scrape, so a restart does not lose them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters, updated as events happen."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "upstream_request_seconds",
            "Seconds from the request to the end of its answer.",
            ("method", "route", "status"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "upstream_refusals",
            "Requests answered with a problem, by its kind.",
            ("problem", "status"),
            registry=self.registry,
        )
        self._scored = Counter(
            "upstream_people_scored", "People scored for requests, by the bundle.", ("bundle",), registry=self.registry
        )
        self._emergencies = Counter(
            "upstream_emergency_access", "People of other teams opened in an emergency.", registry=self.registry
        )
        self._security = Counter(
            "upstream_security_events", "Events of the security log, by kind.", ("kind",), registry=self.registry
        )
        self._under_way = Gauge("upstream_requests_under_way", "Requests being answered.", registry=self.registry)

    def began(self) -> None:
        self._under_way.inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._under_way.dec()
        self._seconds.labels(method, route, str(status)).observe(seconds)

    def refused(self, problem: str, status: int) -> None:
        self._refusals.labels(problem, str(status)).inc()

    def emergency(self) -> None:
        self._emergencies.inc()

    def security(self, kind: str) -> None:
        self._security.labels(kind).inc()

    def scored(self, bundle: str, people: int) -> None:
        self._scored.labels(bundle).inc(people)


@dataclass(frozen=True)
class WatchedValues:
    """Of one outcome and prediction window in the month's report: whether the test of the serving model alarms, and
    observed over expected events of people who were not reviewed (None where events are few).
    """

    outcome: str
    horizon: int
    alarms: bool
    ratio: float | None


@dataclass(frozen=True)
class GaugeValues:
    """Current values. ``list_people`` is by team; ``drifted`` holds the features whose distribution has shifted, and
    by how much (PSI).
    """

    bundle: str = ""
    version: str = ""
    model_refused: bool = False
    database_up: bool = False
    list_people: dict[str, int] = field(default_factory=dict)
    list_as_of: dt.date | None = None
    newest_record_on: dt.date | None = None
    drifted: dict[str, float] | None = None
    watched: tuple[WatchedValues, ...] = ()
    report_written_on: dt.date | None = None


def text_of(metrics: Metrics, standing: GaugeValues, today: dt.date) -> str:
    """Everything in Prometheus' text format."""
    standing_registry = CollectorRegistry()
    standing_registry.register(_Now(standing, today))
    return (generate_latest(metrics.registry) + generate_latest(standing_registry)).decode()


class _Now:
    """``GaugeValues`` as gauges."""

    def __init__(self, standing: GaugeValues, today: dt.date) -> None:
        self._now, self._today = standing, today

    def collect(self) -> Iterator[Metric]:
        now = self._now
        model = GaugeMetricFamily("upstream_model", "1 for the model that serves.", labels=("bundle", "version"))
        if now.bundle:
            model.add_metric((now.bundle, now.version), 1)
        yield model
        yield _gauge("upstream_model_refused", "1 while a newer bundle is refused.", float(now.model_refused))
        yield _gauge("upstream_database_up", "1 if the database answered.", float(now.database_up))
        people = GaugeMetricFamily("upstream_list_people", "People on the published list, by team.", labels=("team",))
        for team, number in sorted(now.list_people.items()):
            people.add_metric((team,), number)
        yield people
        yield _age("upstream_list_age_days", "Days since the published list's date.", now.list_as_of, self._today)
        yield _age("upstream_data_age_days", "Days since the newest record.", now.newest_record_on, self._today)
        yield from _watched(now.watched)
        what = "Days since the month's report of the model was written."
        yield _age("upstream_model_report_age_days", what, now.report_written_on, self._today)
        if now.drifted is not None:
            yield _gauge("upstream_drift_flags", "Inputs whose distribution left the training's.", len(now.drifted))
            drift = GaugeMetricFamily("upstream_drift_psi", "Stability index of each such input.", labels=("feature",))
            for feature, size in sorted(now.drifted.items()):
                drift.add_metric((feature,), size)
            yield drift


def _watched(watched: tuple[WatchedValues, ...]) -> Iterator[Metric]:
    labels = ("outcome", "horizon")
    what = "1 if observed events left the expected ones, in sum or in slope."
    alarm = GaugeMetricFamily("upstream_watch_alarm", what, labels=labels)
    ratio = GaugeMetricFamily(
        "upstream_observed_over_expected", "Events over expected ones, people not reviewed.", labels=labels
    )
    for one in watched:
        alarm.add_metric((one.outcome, str(one.horizon)), float(one.alarms))
        if one.ratio is not None:
            ratio.add_metric((one.outcome, str(one.horizon)), one.ratio)
    yield alarm
    yield ratio


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def _age(name: str, what: str, day: dt.date | None, today: dt.date) -> Metric:
    """None if there is no day: an age of 0 would mean that all is well."""
    found = GaugeMetricFamily(name, what)
    if day is not None:
        found.add_metric((), (today - day).days)
    return found
