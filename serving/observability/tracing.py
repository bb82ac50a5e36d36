"""OpenTelemetry tracing, off unless UPSTREAM_OTLP_ENDPOINT is set (extra ``otel``): one span per request, with fields
of a fixed list.

A span holds the route's template, never the address, and no header, body or exception. From an incoming trace only
the ids are used.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from features.errors import UpstreamError

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Tracing(Protocol):
    """Where a request's span is reported once it is answered."""

    def answered(
        self, method: str, route: str, status: int, request_id: str, began_ns: int, ended_ns: int, parent: str
    ) -> None: ...

    def close(self) -> None: ...


class Off:
    """No tracing."""

    def answered(self, *_: object, **__: object) -> None:
        return

    def close(self) -> None:
        return


class Spans:
    """Spans through our own OpenTelemetry provider; nothing global is set."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._propagator = provider, TraceContextTextMapPropagator()
        self._tracer = provider.get_tracer("upstream.serving")

    def answered(
        self, method: str, route: str, status: int, request_id: str, began_ns: int, ended_ns: int, parent: str
    ) -> None:
        from opentelemetry.trace import SpanKind

        carried = {"traceparent": parent} if _TRACEPARENT.fullmatch(parent) else {}
        span = self._tracer.start_span(
            f"{method} {route}",
            context=self._propagator.extract(carried),
            kind=SpanKind.SERVER,
            start_time=began_ns,
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "upstream.request_id": request_id,
            },
        )
        span.end(ended_ns)

    def close(self) -> None:
        self._provider.shutdown()


class TracingMissing(UpstreamError):
    """Tracing was enabled, but its packages are not installed."""


def tracing_to(endpoint: str) -> Tracing:
    """Tracing to an OTLP endpoint over HTTP, in batches; ``Off`` for none. Raises ``TracingMissing`` without the
    extra."""
    if not endpoint:
        return Off()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise TracingMissing("UPSTREAM_OTLP_ENDPOINT needs the extra: pip install 'upstream[otel]'") from None
    provider = TracerProvider(resource=Resource({"service.name": "upstream"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return Spans(provider)
