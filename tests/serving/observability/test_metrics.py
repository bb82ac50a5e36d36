"""What the monitoring system reads: latency, refusals, people scored by bundle, list sizes, ages of data, drift.
Nobody's data is in it."""

from __future__ import annotations

import datetime as dt
import json
import logging

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from models.bundle.input_summary import summarise
from serving.observability import logs
from serving.observability.metrics import GaugeValues, Metrics, text_of
from serving.observability.tracing import Off, Spans, tracing_to
from serving.operations import drift
from serving.settings import ServiceSettings

TODAY = dt.date(2026, 1, 10)


def read(text):
    """``{(name, labels): value}`` as Prometheus' own parser reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def scrape(client, as_role):
    return lambda: read(client.get("/metrics", headers=as_role("operator")).text)


def test_requests_are_counted_by_their_route_and_never_by_their_address(client, as_role, scrape):
    answered = (
        "upstream_request_seconds_count",
        (("method", "GET"), ("route", "/v1/patients/{patient_id}"), ("status", "200")),
    )
    before = scrape().get(answered, 0)
    client.get("/v1/patients/N03", headers=as_role("pharmacist"))
    after = scrape()
    assert after[answered] == before + 1
    assert not [key for key in after if "N03" in str(key)]
    client.get("/nowhere/N03")
    client.request("BREW", "/v1/teams")
    routes = {dict(labels).get("route") for _, labels in scrape()}
    methods = {dict(labels).get("method") for _, labels in scrape()}
    assert "unmatched" in routes and "/nowhere/N03" not in routes and "BREW" not in methods


def test_refusals_are_counted_by_their_kind(client, scrape):
    refused = ("upstream_refusals_total", (("problem", "not-signed-in"), ("status", "401")))
    before = scrape().get(refused, 0)
    client.get("/v1/teams")
    assert scrape()[refused] == before + 1


def test_people_scored_are_counted_by_bundle(client, as_role, scrape):
    body = {"people": [{"patient_id": name, "tables": {}} for name in ("X1", "X2")]}
    bundle = client.post("/v1/scores", json=body, headers=as_role("cmht_system")).json()["model"]["bundle_id"]
    scored = ("upstream_people_scored_total", (("bundle", bundle),))
    before = scrape()[scored]
    client.post("/v1/scores", json=body, headers=as_role("cmht_system"))
    assert scrape()[scored] == before + 2


def test_the_list_and_the_ages_of_the_data(scrape, world):
    now = scrape()
    assert now["upstream_list_people", (("team", "north"),)] == 8
    assert now["upstream_list_people", (("team", "south"),)] == 5
    assert now["upstream_list_age_days", ()] == (dt.date.today() - world.AS_OF).days
    assert now["upstream_data_age_days", ()] > 0 and now["upstream_database_up", ()] == 1
    assert now["upstream_drift_flags", ()] == 0  # thirteen people say nothing about a distribution
    assert [key for key in now if key[0] == "upstream_model"]


def test_metrics_are_served_while_the_database_is_down(client, monkeypatch):
    from serving.operations.endpoints import monitor
    from serving.storage.database import Database, DatabaseUnavailable

    def broken(*_):
        raise DatabaseUnavailable("down")

    monkeypatch.setattr(Database, "read", broken)
    standing = monitor.standing(client.app.state.service)
    now = read(text_of(Metrics(), standing, TODAY))
    assert now["upstream_database_up", ()] == 0 and standing.bundle
    assert not [key for key in now if key[0] == "upstream_list_age_days"]


def test_a_list_of_another_model_has_no_drift():
    now = read(text_of(Metrics(), GaugeValues(drifted=None), TODAY))
    assert not [key for key in now if key[0].startswith("upstream_drift")]


# Drift


def index_by_hand(now, then):
    return sum((n - t) * np.log(n / t) for n, t in zip(now, then, strict=True))


def test_the_index_is_that_of_the_formula():
    then = {"edges": [1.0, 2.0], "shares": [0.5, 0.3, 0.2], "missing_share": 0.1}
    column = np.array([1.0] * 27 + [2.0] * 27 + [9.0] * 36 + [np.nan] * 10)
    now, before = (np.array([27, 27, 36, 10]) + 0.5) / 102, (np.array([90, 54, 36, 20]) + 0.5) / 202
    assert drift.stability(column, then, rows=200) == pytest.approx(index_by_hand(now, before), rel=1e-12)


def test_drift_is_small_for_the_training_data_and_large_for_a_shifted_input():
    rng = np.random.default_rng(3)
    training = rng.normal(size=(4_000, 3))
    training[rng.random(4_000) < 0.2, 1] = np.nan
    reference = summarise(training, ["steady", "holes", "moves"])
    again = rng.normal(size=(1_000, 3))
    again[rng.random(1_000) < 0.2, 1] = np.nan
    assert drift.drifted(again, ["steady", "holes", "moves"], reference) == {}
    moved = again + np.array([0.0, 0.0, 1.0])
    moved[:, 1] = np.nan  # a source that stopped coming
    assert set(drift.drifted(moved, ["steady", "holes", "moves"], reference)) == {"holes", "moves"}
    assert drift.drifted(moved[:100], ["steady", "holes", "moves"], reference) == {}


def test_an_input_that_was_never_known_in_training_and_is_now():
    reference = summarise(np.full((500, 1), np.nan), ["new"])
    assert set(drift.drifted(np.ones((500, 1)), ["new"], reference)) == {"new"}
    assert drift.drifted(np.full((500, 1), np.nan), ["new"], reference) == {}


# The log


def lines(caplog):
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == logs.NAME]


def test_each_request_is_one_line_of_allowed_fields(client, as_role, caplog):
    caplog.set_level(logging.INFO, logs.NAME)
    answer = client.get("/v1/patients/N03", headers=as_role("pharmacist"))
    (line,) = lines(caplog)
    assert set(line) <= logs.ALLOWED
    assert (line["route"], line["status"], line["role"]) == ("/v1/patients/{patient_id}", 200, "pharmacist")
    assert line["request_id"] == answer.headers["x-request-id"] and line["milliseconds"] > 0
    assert "N03" not in json.dumps(line)


def test_a_field_that_is_not_on_the_list_loses_its_value(caplog):
    caplog.set_level(logging.INFO, logs.NAME)
    logs.logger().info("answered", status=200, patient_id="9434765919", detail="Zebedee")
    (line,) = lines(caplog)
    assert line["dropped"] == 2 and line["status"] == 200
    assert "9434765919" not in caplog.text and "Zebedee" not in caplog.text


def test_a_librarys_line_keeps_its_place_and_loses_its_text():
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "x.py", 12, "person %s", ("9434765919",), None)
    assert json.loads(logs.OneLine().format(record)) == {
        "event": "a library's line, without its text",
        "level": "error",
        "where": "uvicorn.error:12",
    }
    try:
        raise KeyError("9434765919")
    except KeyError as error:
        record = logging.LogRecord("asyncio", logging.ERROR, "x.py", 1, "9434765919", (), (KeyError, error, None))
    assert "9434765919" not in logs.OneLine().format(record) and "KeyError" in logs.OneLine().format(record)


# Spans


def test_tracing_is_off_unless_an_endpoint_is_named():
    assert isinstance(tracing_to(ServiceSettings().otlp_endpoint), Off)
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    on = tracing_to("http://127.0.0.1:9/v1/traces")
    assert isinstance(on, Spans)


def test_a_span_holds_the_route_and_nothing_of_the_request(home, start, monkeypatch):
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("serving.app.tracing_to", lambda endpoint: Spans(provider))
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with start(home) as client:
        answer = client.get("/v1/patients/9434765919", headers={"Traceparent": parent, "Tracestate": "x=Zebedee"})
        client.get("/v1/patients/N03", headers={"Traceparent": "Zebedee"})
    first, second = kept.get_finished_spans()
    assert first.name == "GET /v1/patients/{patient_id}"
    assert dict(first.attributes) == {
        "http.request.method": "GET",
        "http.route": "/v1/patients/{patient_id}",
        "http.response.status_code": 401,
        "upstream.request_id": answer.headers["x-request-id"],
    }
    assert format(first.parent.trace_id, "032x") == "a" * 32 and second.parent is None
    told = first.to_json() + second.to_json()
    assert "9434765919" not in told and "Zebedee" not in told and "N03" not in told
